#!/usr/bin/env python3
"""Three rounds of SCAFFOLD by NumPy -> tests/fixtures/scaffold.hpp.

Karimireddy et al., ICML 2020, algorithm 1, option II, clients weighted by rows, on a linear softmax classifier whose
batches are all rows of a client; everything is double precision.
"""
import numpy as np

import header

ROUNDS, STEPS, RATE, WIDE, CLASSES = 3, 4, 0.5, 4, 3
ROWS = [5, 12, 3]

random = np.random.RandomState(8)
x = (random.normal(size=(sum(ROWS), WIDE)) * 64).round().astype(np.float32) / 64
y = random.randint(0, CLASSES, sum(ROWS)).astype(np.int32)
start = (random.normal(size=(CLASSES, WIDE)) * 64).round().astype(np.float32) / 64
bounds = np.cumsum([0] + ROWS)


def gradient(w, rows, labels):
    z = rows @ w[:, :WIDE].T + w[:, WIDE]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return np.hstack([p.T @ rows, p.sum(axis=0)[:, None]]) / len(labels)


w = np.hstack([start.astype(np.float64), np.zeros((CLASSES, 1))])
c, own = np.zeros_like(w), [np.zeros_like(w) for _ in ROWS]
after, control = [], []
for t in range(ROUNDS):
    step, turn = np.zeros_like(w), np.zeros_like(w)
    for k, n in enumerate(ROWS):
        rows, labels = x[bounds[k]:bounds[k + 1]].astype(np.float64), y[bounds[k]:bounds[k + 1]]
        v = w.copy()
        for _ in range(STEPS):
            v -= RATE * (gradient(v, rows, labels) - own[k] + c)
        new = own[k] - c + (w - v) / (STEPS * RATE)
        step += n / sum(ROWS) * (w - v)
        turn += n / sum(ROWS) * (own[k] - new)
        own[k] = new
    w, c = w - step, c - turn
    after.append(w.astype(np.float32))
    control.append(c.astype(np.float32))

header.write(__file__, f"NumPy {np.__version__}", "scaffold_run", {
    "rows": np.array(ROWS, dtype=np.uint32), "x": x, "y": y, "start": start, "after": np.array(after), "control": np.array(control)})
