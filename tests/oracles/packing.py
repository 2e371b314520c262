#!/usr/bin/env python3
"""Known answers for packed updates: keys, canaries, plaintexts, their sum and a header, by whole numbers of
Python, HKDF and ChaCha20 of the package cryptography, and hmac of the standard library.

Needs numpy >= 1.24 and cryptography >= 3.4.
"""
import hashlib
import hmac
import math
import struct
from fractions import Fraction

import cryptography
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

import header

SECRET, FINGERPRINT, RUN = bytes(range(32)), hashlib.sha256(b"a public key").digest(), b"run 1"
KEY_BITS, SLOT_BITS, CLIENTS, RANGE, FRACTION_BITS = 256, 24, 3, 0.5, 20
ROUND, EXAMPLES, COUNT = 7, [3, 5, 8], 20

GUARD_BITS = math.ceil(math.log2(CLIENTS))
SLOTS = (KEY_BITS - 2 - 40 - GUARD_BITS) // SLOT_BITS
CANARY_BITS = min(64, KEY_BITS - 2 - SLOTS * SLOT_BITS) - GUARD_BITS
MOST = math.ceil(RANGE * 2**FRACTION_BITS) - 1


def expand(label):
    return HKDFExpand(SHA256(), 32, label + FINGERPRINT + hashlib.sha256(RUN).digest()).derive(SECRET)


def canary_words(round_, client, count):
    nonce = struct.pack("<IIII", 0, round_, client, 0)  # the counter first
    stream = Cipher(algorithms.ChaCha20(expand(b"privet canary"), nonce), None).encryptor().update(bytes(8 * count))
    return struct.unpack(f"<{count}Q", stream)


def integer(weight, x):
    sent = np.float32(np.float64(weight) * np.float64(x))
    return max(-MOST, min(MOST, round(Fraction(float(sent)) * 2**FRACTION_BITS)))  # round() is half to even


def plaintexts(integers, canaries):
    for p in range(0, len(integers), SLOTS):
        value = (canaries[p // SLOTS] % 2**CANARY_BITS) << (SLOTS * SLOT_BITS)
        for i, q in enumerate(integers[p:p + SLOTS]):
            value += (q + MOST) << (i * SLOT_BITS)
        yield value


def words(values):  # 32 bits each, so that every literal is an ordinary one
    return [value >> (32 * i) & 0xFFFFFFFF for value in values for i in range(KEY_BITS // 32)]


rng = np.random.default_rng(5)
x = (rng.standard_normal((CLIENTS, COUNT)) * 0.4).astype(np.float32)
x[:, 0], x[:, 1], x[:, 2] = 100, -100, 0  # clipped
x[2, 3:6] = np.array([1, 3, -5]) * 2.0**-20  # halves of a step, after the weight
count = -(-COUNT // SLOTS)

integers = [[integer(n / sum(EXAMPLES), v) for v in row] for n, row in zip(EXAMPLES, x)]
packed = [list(plaintexts(row, canary_words(ROUND, i + 1, count))) for i, row in enumerate(integers)]
opened = [sum(column) for column in zip(*packed)]

body = b"PRIVPACK" + struct.pack("<HHIIidQQII", 1, SLOT_BITS, KEY_BITS, CLIENTS, FRACTION_BITS, RANGE, COUNT, count,
                                 ROUND, 2) + FINGERPRINT + hashlib.sha256(b"ciphertexts").digest()
tagged = body + hmac.new(expand(b"privet header tag"), body, hashlib.sha256).digest()

header.write(__file__, f"cryptography {cryptography.__version__}", "packing", {
    "canaries": np.array([word >> s & 0xFFFFFFFF for word in canary_words(ROUND, 2, 20) for s in (0, 32)], np.uint32),
    "box_key": np.frombuffer(expand(b"privet box"), np.uint32),
    "x": x,
    "integers": np.array(integers, np.int32),
    "plaintexts": np.array([words(row) for row in packed], np.uint32),
    "opened": np.array(words(opened), np.uint32),
    "sums": np.array(np.sum(integers, axis=0), np.int32),
    "header": np.frombuffer(tagged, np.uint32),
})
