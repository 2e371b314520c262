#!/usr/bin/env python3
"""Truth for the tables of the discrete Gaussian: mpmath, no code shared with the library.

Needs mpmath >= 1.3 and numpy.
"""
import mpmath
import numpy as np

import header

mpmath.mp.prec = 400


def beyond(n, d, places):
    """2^127 P(|x| > i) for the places i."""
    def weight(x):
        return mpmath.exp(-mpmath.mpf(x * x * d) / (2 * n))
    last = int(mpmath.ceil(25 * mpmath.sqrt(mpmath.mpf(n) / d))) + 2
    sums = [mpmath.mpf(0)] * (last + 1)
    for i in range(last, 0, -1):
        sums[i - 1] = sums[i] + 2 * weight(i)
    total = sums[0] + 1
    return [int(mpmath.nint(sums[i] / total * 2**127)) for i in places]


CASES = [(1, 4, 1), (10, 3, 1), (4096, 1, 29), (16384, 1, 97), (1, 1000000, 1)]
rows, points = [], []
for n, d, every in CASES:
    sigma = mpmath.sqrt(mpmath.mpf(n) / d)
    size = max(1, int(mpmath.ceil(mpmath.mpf(128) / 10 * sigma)))  # up to 12.8 sigma
    places = list(range(0, size, every))
    rows.append([n, d, size, len(places)])
    for place, value in zip(places, beyond(n, d, places)):
        points.append([place, value >> 64, value % 2**64])

decimal = header.literal
header.literal = lambda value: hex(value) if value.dtype == np.uint64 else decimal(value)  # unsigned as it stands
header.write(__file__, f"mpmath {mpmath.__version__}", "discrete_gaussian", {
    "cases": np.array(rows, dtype=np.uint64),
    "points": np.array(points, dtype=np.uint64),
})
