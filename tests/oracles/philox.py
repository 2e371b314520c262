"""The words of `replayable_random` in plain Python, no code shared with the library."""
MASK = 0xFFFFFFFF


def philox(counter, key):
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (right >> 32) ^ b ^ k0, right & MASK, (left >> 32) ^ d ^ k1, left & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return [a, b, c, d]


class Source:
    def __init__(self, seed, stream):
        self.key = (seed & MASK, seed >> 32)
        self.stream = (stream & MASK, stream >> 32)
        self.block, self.ready = 0, []

    def word(self):
        if not self.ready:
            self.ready = philox((self.block & MASK, self.block >> 32) + self.stream, self.key)
            self.block += 1
        return self.ready.pop(0)

    def word64(self):
        low = self.word()
        return low | self.word() << 32

    def below(self, n):
        while True:
            product = self.word64() * n
            if product % 2**64 >= 2**64 % n:
                return product >> 64
