"""Known answers for tests/random: plain Python, no code shared with the library."""
import math

from philox import Source

SEED, STREAM = 0x0123456789ABCDEF, 0xFEDCBA9876543210


def source():
    return Source(SEED, STREAM)


def show(name, values):
    print(f"{name}: {', '.join(values)}")


s = source()
show("words", [f"0x{s.word():08X}" for _ in range(10)])
s = source()
show("uniform01 float", [float((s.word() >> 8) / 2**24).hex() for _ in range(4)])
s = source()
show("uniform01 double", [float((s.word64() >> 11) / 2**53).hex() for _ in range(4)])
s = source()
show("below 10", [str(s.below(10)) for _ in range(16)])
s = source()
show("below 2^63+1", [str(s.below(2**63 + 1)) + "u" for _ in range(8)])
s = source()
show("bernoulli 0.3", [str(int(s.word64() < int(0.3 * 2.0**64))) for _ in range(24)])
s, order = source(), list(range(12))
for left in range(len(order), 1, -1):
    j = s.below(left)
    order[left - 1], order[j] = order[j], order[left - 1]
show("permutation 12", [str(i) for i in order])
s, values = source(), []
for _ in range(6):
    words = [s.word() for _ in range(8)]
    bits = sum(w << 32 * i for i, w in enumerate(words))
    values.append((2 * bin(bits & (1 << 240) - 1).count("1") - 240) * 65536 + 2 * (bits >> 240) - 65535)
show("init_normal", [str(v) for v in values])


def box_muller(radius, angle):
    r = math.sqrt(-2 * math.log(radius))
    return [r * math.cos(2 * math.pi * angle), r * math.sin(2 * math.pi * angle)]


s, values = source(), []
for _ in range(8):
    radius, angle = (s.word() + 1) / 2**32, s.word() / 2**32
    values += box_muller(radius, angle)
show("normal float", [f"{v:.9g}f" for v in values])
s, values = source(), []
for _ in range(4):
    radius, angle = ((s.word64() >> 11) + 1) / 2**53, s.word64() / 2**64
    values += box_muller(radius, angle)
show("normal double", [f"{v:.17g}" for v in values])
