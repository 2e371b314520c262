#!/usr/bin/env python3
"""Keys, ciphertexts and encoded numbers of python-paillier: phe_files.py

Writes tests/fixtures/phe/. Needs phe 1.5 (`pip install phe`). The primes come from a hash of their names, so a
second run writes the same files; nobody may use these keys for anything.
"""
import hashlib
import json
import math
import pathlib

import phe
from phe.util import int_to_base64, is_prime

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures/phe"

NUMBERS = [0.0, 1.0, -1.0, 3.25, -0.5, 0.1, -1e-6, 1e6 + 1 / 3, math.pi, -math.e * 2**40, 2.0**-200, 1e30]


def stream(name, bits):
    """An integer of so many bits, with the top two and the lowest set."""
    number = int.from_bytes(hashlib.shake_256(name.encode()).digest(bits // 8), "big")
    return number | 3 << (bits - 2) | 1


def prime(name, bits, blum):
    number = stream(name, bits)
    while not is_prime(number) or (blum and number % 4 != 3):
        number += 2
    return number


def key(bits, blum):
    name = f"python-paillier fixture, {bits} bits, {'blum' if blum else 'any'}"
    p, q = prime(name + ", p", bits // 2, blum), prime(name + ", q", bits // 2, blum)
    public = phe.PaillierPublicKey(p * q)
    assert public.n.bit_length() == bits
    return public, phe.PaillierPrivateKey(public, p, q)


def public_jwk(public):  # as phe's command_line.py writes it
    return {"kty": "DAJ", "alg": "PAI-GN1", "key_ops": ["encrypt"], "n": int_to_base64(public.n), "kid": "fixture"}


def private_jwk(private):
    return {"kty": "DAJ", "key_ops": ["decrypt"], "p": int_to_base64(private.p), "q": int_to_base64(private.q),
            "pub": public_jwk(private.public_key), "kid": "fixture"}


def ciphertext(number):
    return {"v": str(number.ciphertext(be_secure=False)), "e": number.exponent}


def write(name, document, indent=None):
    (FOLDER / name).write_text(json.dumps(document, indent=indent) + "\n")


def encodings(public):
    """What EncodedNumber makes of numbers, and of mantissas at the edges of its three bands."""
    rows = []
    for x in NUMBERS + [-0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1 + 0.2, 2.0**53 + 2]:
        for precision, most in [(None, None), (1e-6, None), (1.0, None), (0.3, None), (None, -32)]:
            try:
                number = phe.EncodedNumber.encode(public, x, precision=precision, max_exponent=most)
            except ValueError:
                rows.append({"x": x, "precision": precision, "max_exponent": most, "refused": True})
                continue
            rows.append({"x": x, "precision": precision, "max_exponent": most, "mantissa": str(number.encoding),
                         "exponent": number.exponent, "decoded": float(number.decode())})
    edges = []
    for mantissa in [0, 1, public.max_int - 1, public.max_int, public.max_int + 1, public.n // 2,
                     public.n - public.max_int - 1, public.n - public.max_int, public.n - public.max_int + 1,
                     public.n - 1, public.n, (1 << 53) + 1, (1 << 54) + 3, (1 << 54) + 1, (1 << 200) + (1 << 147),
                     (1 << 200) + (1 << 147) + 1, (1 << 200) + 3 * (1 << 147)]:
        for exponent in [0, -13, -32, -300, -700]:
            try:
                decoded = float(phe.EncodedNumber(public, mantissa, exponent).decode())
            except (OverflowError, ValueError):
                decoded = None
            edges.append({"mantissa": str(mantissa), "exponent": exponent, "decoded": decoded})
    return {"n": str(public.n), "rows": rows, "edges": edges}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for bits, blum in [(2048, False), (3072, True)]:
        public, private = key(bits, blum)
        write(f"private_{bits}.json", private_jwk(private))
        write(f"public_{bits}.json", public_jwk(public))
        numbers = NUMBERS if bits == 2048 else NUMBERS[3:6]
        encrypted = []
        for i, x in enumerate(numbers):
            r = stream(f"r of {bits}, {i}", bits - 8)
            encrypted.append(public.encrypt(x, r_value=r))
        made = {
            "numbers": [{"x": x, **ciphertext(c)} for x, c in zip(numbers, encrypted)],
            # Of the command line: exponents of at least -32 become -32.
            "capped": [{"x": x, **ciphertext(c.decrease_exponent_to(-32))} for x, c in zip(numbers, encrypted)
                       if c.exponent > -32],
            "sums": [{"a": i, "b": i + 1, "x": private.decrypt(encrypted[i] + encrypted[i + 1]),
                      **ciphertext(encrypted[i] + encrypted[i + 1])} for i in range(len(numbers) - 1)],
            "products": [{"a": i, "w": w, "x": private.decrypt(encrypted[i] * w), **ciphertext(encrypted[i] * w)}
                         for i in range(0, len(numbers), 3) for w in [2, -3, 0.25, -1.5]],
        }
        write(f"ciphertexts_{bits}.json", made, indent=1)
    small = phe.PaillierPublicKey(0xdc9f6996dd77492f8d290c88da596131)  # p=0xf4d0d6a5b3c8e73f q=0xe6b3a1c95d2f8b8f
    large, _ = key(2048, False)
    write("encodings.json", [encodings(small), encodings(large)])


main()
