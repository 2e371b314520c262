#!/usr/bin/env python3
"""Truth and known answers for the rounded normal: mpmath and Python integers, no code shared with the library.

Needs mpmath >= 1.3 and numpy.
"""
import mpmath
import numpy as np

import header
from random_words import Source

mpmath.mp.prec = 400
BODY = 1023  # cells of 1/256; what lies beyond is the residual's tail
CELLS = 13 * 256


def density(x):
    """Of |x|."""
    return 2 * mpmath.npdf(x)


def floor(x):
    return int(mpmath.floor(x))


def alias_table(weights, unit):
    """Vose's construction; those below a unit are taken from the last found."""
    weights = list(weights)
    small = [i for i, w in enumerate(weights) if w < unit]
    large = [i for i, w in enumerate(weights) if w >= unit]
    threshold, alias = [0] * len(weights), list(range(len(weights)))
    while small:
        i, j = small.pop(), large.pop()
        threshold[i], alias[i] = weights[i], j
        weights[j] -= unit - weights[i]
        (small if weights[j] < unit else large).append(j)
    return threshold, alias


starts = [floor(density(mpmath.mpf(h) / 256) * 2**64) for h in range(CELLS)]
body = [floor(density(mpmath.mpf(h + 1) / 256) * 2**11) for h in range(BODY)]
body_threshold, body_alias = alias_table(body + [2**19 - sum(body)], 2**9)

bounds = [starts[h] + 2 - (body[h] << 53) for h in range(BODY)] + [sum(s + 2 for s in starts[BODY:])]
unit = sum(bounds) // (2**32 - 1024) + 1
weights = [b // unit + 1 for b in bounds]
weights[BODY] += 2**32 - sum(weights)
threshold, alias = alias_table(weights, 2**22)


def residual(source):
    while True:
        words = [source.word() for _ in range(5)]
        cell, coin = words[0] >> 22, words[0] % 2**22
        if coin >= threshold[cell]:
            cell = alias[cell]
        bound, below = weights[cell] * unit, body[cell] if cell < BODY else 0
        if cell == BODY:
            left = source.below(bound)
            while cell < CELLS and left >= starts[cell] + 2:
                left -= starts[cell] + 2
                cell += 1
            if cell == CELLS:
                continue
            bound = starts[cell] + 2
        place, height = words[1] | words[2] << 32, words[3] | words[4] << 32
        x = mpmath.mpf(cell) / 256 + mpmath.mpf(2 * place + 1) / 2**73
        if height * bound < (density(x) - mpmath.mpf(below) / 2**11) * 2**128:
            return cell << 12 | place >> 52


def fill(source, count):
    out, late = [], []
    for i, word in enumerate([source.word() for _ in range(count)]):
        coin, negative, cell, place = word >> 23, word >> 22 & 1, word >> 12 & 1023, word & 4095
        if negative:
            cell, place = 1023 - cell, 4095 - place
        if coin >= body_threshold[cell]:
            cell = body_alias[cell]
        if cell == BODY:
            late.append(i)
        magnitude = cell << 12 | place
        out.append(-1 - magnitude if negative else magnitude)
    for i in late:
        magnitude = residual(source)
        out[i] = -1 - magnitude if out[i] < 0 else magnitude
    return out, late


def halves(x):
    """Units of 2^-128, nearest; the upper 64 bits first."""
    n = int(mpmath.nint(x * 2**128))
    return [n >> 64, n % 2**64]


def uint64(rows):
    return np.array(rows, dtype=np.uint64)


def cell_probability(h):
    """Of |x|; an integral of a series, so no difference of nearly equal numbers."""
    return mpmath.erfc(mpmath.mpf(h) / 256 / mpmath.sqrt(2)) - mpmath.erfc(mpmath.mpf(h + 1) / 256 / mpmath.sqrt(2))


COUNT = 4096
source = Source(11, 0)
drawn, late = fill(source, COUNT)
more, more_late = fill(source, 500)  # as one fill of 4596
checksum = 0
for k in drawn + more:
    checksum = (checksum * 6364136223846793005 + k % 2**32) % 2**64

# Points of x in units of 2^-73: starts, ends and insides of cells.
points = [h << 65 for h in range(0, CELLS, 257)] + [(h << 65) + (2 * d + 1) for h, d in [
    (0, 0), (0, 2**64 - 1), (1, 12345678901234567890), (7, 2**63), (100, 2**64 - 1), (256, 3), (511, 2**60 + 1),
    (1022, 2**64 - 1), (1023, 0), (1500, 999), (2047, 2**64 - 1), (2400, 2**62), (3000, 77), (CELLS - 1, 2**64 - 1)]]

decimal = header.literal
header.literal = lambda value: hex(value) if value.dtype == np.uint64 else decimal(value)  # unsigned as it stands
header.write(__file__, f"mpmath {mpmath.__version__}", "rounded_normal", {
    "cells": uint64([halves(cell_probability(h)) for h in range(0, 1100)]),
    "points": uint64([[p >> 64, p % 2**64] for p in points]),
    "densities": uint64([halves(density(mpmath.mpf(p) / 2**73)) for p in points]),
    "first": np.array(drawn[:64], dtype="int32"),
    "late": np.array([drawn[i] for i in late] + [more[i] for i in more_late], dtype="int32"),
    "checksum": uint64(checksum),
})
