#!/usr/bin/env python3
"""Paillier by python-paillier and by Python's integers -> tests/fixtures/paillier.hpp.

Needs phe >= 1.5, gmpy2 and numpy.
"""
import hashlib
import math
import pathlib

import gmpy2
import numpy as np
import phe

import header


def words(x, count):
    return [int(x) >> 64 * i & (2**64 - 1) for i in range(count)]


def stream(label):
    """Numbers that anybody can make again: SHA-512 of a label and a counter."""
    def number(name, bits):
        blocks = b"".join(hashlib.sha512(f"{label} {name} {i}".encode()).digest() for i in range(bits // 512 + 1))
        return int.from_bytes(blocks, "big") >> (8 * len(blocks) - bits)
    return number


def blum_primes(number, bits):
    """The first p and q from fixed places on with the form that our keys have."""
    def prime(name):
        p = number(name, bits) | 3 << (bits - 2) | 3
        while not gmpy2.is_prime(p, 50):
            p += 4
        return p
    p, q = prime("p"), prime("q")
    while math.gcd(p - 1, q - 1) != 2:
        q = gmpy2.next_prime(q)
        while q % 4 != 3:
            q = gmpy2.next_prime(q)
    return int(max(p, q)), int(min(p, q))


def vectors(prefix, bits, p, q, plain, obfuscators, x, exponents):
    n, k = p * q, bits // 64
    assert n.bit_length() == bits
    square = n * n
    public = phe.PaillierPublicKey(n)
    private = phe.PaillierPrivateKey(public, p, q)
    c = [public.raw_encrypt(m, r_value=r) for m, r in zip(plain, obfuscators)]
    assert all(private.raw_decrypt(a) == m for a, m in zip(c, plain))
    total = phe.EncryptedNumber(public, c[0]) + phe.EncryptedNumber(public, c[1])
    hs = pow(-x * x, n, square)
    djn = [(1 + m * n) * pow(hs, a, square) % square for m, a in zip(plain, exponents)]
    assert all(private.raw_decrypt(a) == m for a, m in zip(djn, plain))
    fingerprint = hashlib.sha256(b"privet paillier n" + bits.to_bytes(4, "little") + n.to_bytes(8 * k, "little"))
    w = 0xfedcba98
    rows = lambda numbers, count: np.array([words(y, count) for y in numbers], dtype=np.uint64)
    return {
        f"{prefix}_p": np.array(words(p, k // 2), dtype=np.uint64),
        f"{prefix}_q": np.array(words(q, k // 2), dtype=np.uint64),
        f"{prefix}_n": np.array(words(n, k), dtype=np.uint64),
        f"{prefix}_fingerprint": np.frombuffer(fingerprint.digest(), dtype="<u4").astype(np.uint32),
        f"{prefix}_plain": rows(plain, k),
        f"{prefix}_r": rows(obfuscators, k),
        f"{prefix}_cipher": rows(c, 2 * k),
        f"{prefix}_sum": np.array(words(total.ciphertext(be_secure=False), 2 * k), dtype=np.uint64),
        f"{prefix}_scaled": np.array(words(pow(c[0], w, square), 2 * k), dtype=np.uint64),
        f"{prefix}_sum_plus_plain": np.array(
            words(c[0] * public.raw_encrypt(plain[1], r_value=1) % square, 2 * k), dtype=np.uint64),
        f"{prefix}_x": np.array(words(x, k), dtype=np.uint64),
        f"{prefix}_h_s": np.array(words(hs, 2 * k), dtype=np.uint64),
        f"{prefix}_exponents": rows(exponents, max(1, k // 2)),
        f"{prefix}_djn": rows(djn, 2 * k),
    }


# A toy key, whose answers are known in advance.
P, Q = 0xf4d0d6a5b3c8e73f, 0xe6b3a1c95d2f8b8f
N = P * Q
assert N == 0xdc9f6996dd77492f8d290c88da596131
toy = vectors("toy", 128, P, Q, [0, 1, 0x2a, N - 7, 42], [1, 2, 0x1234567890abcdef, 0xfedcba0987654321, 3],
              0x5deece66d, [0, 1, 2**64 - 1, 0x8000000000000000, 0xabcdef0123456789])
KNOWN = [1, 0xb611bee5c2a7254de54db45c579ed54ee8357469d224a6721d483948769818ac,
         0x9f1bd4141c54fd54cd9b23add9ded969a534830ab2c1bd21d5e9a2870db1a206,
         0x8cb1592e643690dae6e58d3fcc5966a06def5eb987ad8665ca7eb440779f7746]
for row, known in zip(toy["toy_cipher"], KNOWN):
    assert [int(y) for y in row] == words(known, 4)
assert [int(y) for y in toy["toy_h_s"]] == words(
    0xb1634d0c83a12b74856e938552e7c689d8489369fb6d4c8e2041d148fd7e310a, 4)
assert [int(y) for y in toy["toy_djn"][4]] == words(
    0xaad40c6a373efdf4655099a3bd640611e7b83cb13e36b8f002101813add79c5b, 4)

arrays = dict(toy)
for bits in (1024, 2048, 3072):
    number = stream(f"privet paillier {bits}")
    p, q = blum_primes(number, bits // 2)
    n = p * q
    plain = [0, 1, n - 1, number("m", bits + 64) % n, number("m'", bits + 64) % n]
    obfuscators = [number(f"r{i}", bits + 64) % n for i in range(5)]
    exponents = [1, 2**(bits // 2) - 1] + [number(f"a{i}", bits // 2) for i in range(3)]
    arrays.update(vectors(f"bits_{bits}", bits, p, q, plain, obfuscators, number("x", bits + 64) % n, exponents))

# The numbers of ISO/IEC 18033-6:2019 for Paillier: two messages of 128 bits under a key of 2048.
ISO_P = int("ff03b1a74827c746db83d2eaff00067622f545b62584321256e62b01509f10962f9c5c8fd0b7f5184a9ce8e81f439df47dda14563dd55a22"
            "1799d2aa57ed2713271678a5a0b8b40a84ad13d5b6e6599e6467c670109cf1f45ccfed8f75ea3b814548ab294626fe4d14ff764dd8b091f1"
            "1a0943a2dd2b983b0df02f4c4d00b413", 16)
ISO_Q = int("dacaabc1dc57faa9fd6a4274c4d588765a1d3311c22e57d8101431b07eb3ddcb05d77d9a742ac2322fe6a063bd1e05acb13b0fe91c70115c"
            "2b1eee1155e072527011a5f849de7072a1ce8e6b71db525fbcda7a89aaed46d27aca5eaeaf35a26270a4a833c5cda681ffd49baa0f610bad"
            "100cdf47cc86e5034e2a0b2179e04ec7", 16)
ISO_R = [int("57fb19590c31dc7c034b2a889cf4037ce3db799909c1eb0adb6199d8e96791daca9018891f34309daff32dced4af7d793d16734d055e2802"
             "3acab7295956bfbfdf62bf0ccb2ed31d5d176ca8b404e93007565fb6b72c33a512b4dc4f719231d62e27e34c3733929af32247f88c20d1ee"
             "77096cc80d3d642464054c815b35878ba812349c8bdc3c6b645daf1a0de60965f44dcf705681032480f1eeba82243196b96903becdc0df08"
             "01d4120cbd6db1c4b2841a27991c44a43750c24ed0825718ad14cfb9c6b40b78ff3d25f71741f2def1c9d420d4b0fa1e0a02e7851b5ec6a8"
             "1133a368b80d1500b0f28fc653d2e6ff4366236dbf80ae3b4beae35e04579f2c", 16),
         int("6ee8ed76227672a7bcaa1e7f152c2ea39f2fa225f0713f58210c59b2270b110e38b65069aaedbeffc713c021336cc12f65227cc0357ca531"
             "c07c706e7224c2c11c3145bc0a05b164f426ec03350820f9f416377e8720ddb577843cae929178bfe5772e2cc1e9b94e8fce814eaf136c6e"
             "d218ca7b10ea4d5218e7ba82bd74bb9f19d3ccc7d2e140e91cfb25f76f54aa70f2ed88ef343dd5fb98617c0036b7717f7458ec847d7b52e8"
             "764a4e92c397133a95e35e9a82d5dc264ff423398cfadfbaec4727854e68f2e9e210d6a65c39b5a9b2a0ebdc5389834883680e42b5d85823"
             "44e3e07a01fbd6c46328dcfa03074d0bc02927f58466c2fa74ab608177e3ec1b", 16)]
iso = vectors("iso", 2048, ISO_P, ISO_Q, [0x414243444546474849404a4b4c4d4e4f, 0x20202020202020202020202020202020], ISO_R,
              3, [1, 2])
# The standard's ciphertexts, and that of the sum, by their first eight and last six bytes.
for name, first, last in (("cipher", 0x1fb7f08a42deb478, 0x5c2c09b1a1f5), ("sum", 0x309f6e614d875e3b, 0x38828a6c9744)):
    number = sum(int(y) << 64 * i for i, y in enumerate(iso[f"iso_{name}"].reshape(-1)[:64]))
    assert number >> (number.bit_length() + -number.bit_length() % 8 - 64) == first and number % 2**48 == last, name
arrays.update(iso)

decimal = header.literal
header.literal = lambda value: hex(value) if value.dtype == np.uint64 else decimal(value)
header.write(__file__, f"python-paillier {phe.__version__}, gmpy2 {gmpy2.version()}", "paillier", arrays)
