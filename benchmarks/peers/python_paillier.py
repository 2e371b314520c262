#!/usr/bin/env python3
"""python-paillier's side of the paillier table, with gmpy2.

Prints `row<tab>side<tab>seconds` for each row. CPU time of one thread, median of blocks of at least 50 ms.
"""
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from timing import seconds

try:
    import gmpy2  # noqa: F401: without it python-paillier computes with Python's integers
    from phe import paillier
except ImportError as why:
    sys.exit(f"left out: {why}")

side = f"python-paillier {version('phe')}, gmpy2 {version('gmpy2')}"


COUNT = 64  # numbers in a row; it takes them one by one


def row(name, work):
    print(f"{name}\t{side}\t{COUNT * seconds(work, blocks=7, least=0.05):.9f}", flush=True)


for bits in (2048, 3072):
    public, private = paillier.generate_paillier_keypair(n_length=bits)
    one, other = public.encrypt(0.5, precision=1e-6), public.encrypt(0.25, precision=1e-6)
    for policy in ("naive", "DJN", "DJN short", "by the key's holder"):
        row(f"encrypt {policy} x{COUNT} {bits}", lambda: public.encrypt(0.123, precision=1e-6))
    row(f"decrypt x{COUNT} {bits}", lambda: private.decrypt(one))
    row(f"add resident x{COUNT} {bits}", lambda: one + other)
    row(f"scale by 32 bits x{COUNT} {bits}", lambda: one * 0x9ABCDEF1)
