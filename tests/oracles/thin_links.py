#!/usr/bin/env python3
"""Three rounds of four clients on thin links by NumPy -> tests/fixtures/thin_links.hpp.

Top-k and random-k with error feedback, momentum correction with factor masking and warm-up (Lin et al., ICLR 2018,
algorithm 4), levels of 8, 4 and 1 bits with stochastic rounding, signs with error feedback (Karimireddy et al., ICML
2019). What clients learn is given, whatever the weights are; the server averages by rows.
"""
import numpy as np

import header
from philox import Source

ROUNDS, SIZE, SEED, BLOCK = 3, 41, 11, 16
ROWS = np.array([10, 250, 40, 3], dtype=np.uint32)
MASKS, ROUNDING = 11, 12

random = np.random.RandomState(9)
start = (random.normal(size=SIZE) * 256).round().astype(np.float32) / 256
given = ((random.normal(size=(ROUNDS, len(ROWS), SIZE)) * 400).round() / 4096).astype(np.float32)
share = ROWS / ROWS.sum()


def source(purpose, r, client):
    return Source(SEED, purpose << 56 | r << 32 | client)


def largest(v, k):
    return np.sort(np.argsort(-np.abs(v), kind="stable")[:k])


def drawn(k, r, client):
    coins, places = source(MASKS, r, client), []
    for i in range(SIZE):
        if coins.below(SIZE - i) < k - len(places):
            places.append(i)
    return np.array(places)


def levels(v, bits, r, client):
    coins, out = source(ROUNDING, r, client), np.zeros(SIZE, np.float32)
    most = {8: 127, 4: 7, 1: 1}[bits]
    for i in range(SIZE):
        bound = np.abs(v[i // BLOCK * BLOCK:i // BLOCK * BLOCK + BLOCK]).max()
        word = coins.word()
        if bits == 1:
            out[i] = bound if word < (0.5 + 0.5 * (float(v[i]) / float(bound))) * 2**32 else -bound
        else:
            steps = min(np.abs(v[i]) * (np.float32(most) / bound), np.float32(most))
            whole = int(steps)
            up = (word >> 1) < int((steps - np.float32(whole)) * np.float32(2**31))
            out[i] = np.copysign((whole + up) * (bound / np.float32(most)), v[i])
    return out


def signs(v):
    out = np.zeros(SIZE, np.float32)
    for first in range(0, SIZE, BLOCK):
        part = v[first:first + BLOCK]
        out[first:first + BLOCK] = np.where(part < 0, -1, 1) * np.float32(np.abs(part).astype(np.float64).mean())
    return out


def at(v, places):
    out = np.zeros(SIZE, np.float32)
    out[places] = v[places]
    return out


def rounds(send, feedback=True, momentum=0.0):
    w, after = start.astype(np.float64), []
    kept, velocity = np.zeros((2, len(ROWS), SIZE), np.float32)
    for r in range(ROUNDS):
        for c in range(len(ROWS)):
            velocity[c] = np.float32(momentum) * velocity[c] + given[r, c]
            v = kept[c] + velocity[c]
            sent = send(v, r, c + 1)
            if feedback:
                kept[c] = v - sent
            velocity[c][sent != 0] = 0
            w = w - share[c] * sent
        after.append(w.astype(np.float32))
    return np.array(after)


def warm(r):
    return int(SIZE * (0.5 * (0.1 / 0.5)**(r / 2) if r < 2 else 0.1) + 0.5)


arrays = {
    "rows": ROWS, "start": start, "given": given,
    "top": rounds(lambda v, r, c: at(v, largest(v, 4))),
    "top_without": rounds(lambda v, r, c: at(v, largest(v, 4)), feedback=False),
    "corrected": rounds(lambda v, r, c: at(v, largest(v, warm(r))), momentum=0.75),
    "random": rounds(lambda v, r, c: at(v, drawn(10, r, c))),
    "unbiased": rounds(lambda v, r, c: np.float32(SIZE / 10) * at(v, drawn(10, r, c)), feedback=False),
    "eight": rounds(lambda v, r, c: levels(v, 8, r, c)),
    "four": rounds(lambda v, r, c: levels(v, 4, r, c), feedback=False),
    "one": rounds(lambda v, r, c: levels(v, 1, r, c), feedback=False),
    "signs": rounds(lambda v, r, c: signs(v)),
}
header.write(__file__, f"NumPy {np.__version__}", "thin_links", arrays)
