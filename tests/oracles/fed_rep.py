#!/usr/bin/env python3
"""Three rounds of FedRep by NumPy -> tests/fixtures/fed_rep.hpp.

Collins et al., ICML 2021, algorithm 1, all clients in every round, weighted by rows: a body of one dense layer with
tanh, a dense head for each client; batches are all rows of a client; everything is double precision.
"""
import numpy as np

import header

ROUNDS, HEAD, BODY, RATE, MOMENTUM = 3, 3, 2, 0.25, 0.5
WIDE, HIDDEN, CLASSES = 4, 5, 3
ROWS = [5, 12, 3]

random = np.random.RandomState(14)
x = (random.normal(size=(sum(ROWS), WIDE)) * 64).round().astype(np.float32) / 64
y = random.randint(0, CLASSES, sum(ROWS)).astype(np.int32)
body = (random.normal(size=(HIDDEN, WIDE + 1)) * 64).round().astype(np.float32) / 64  # the bias is the last column
heads = (random.normal(size=(len(ROWS), CLASSES, HIDDEN + 1)) * 64).round().astype(np.float32) / 64
bounds = np.cumsum([0] + ROWS)


def with_ones(a):
    return np.hstack([a, np.ones((len(a), 1))])


def gradients(b, h, rows, labels):
    inputs = with_ones(rows)
    hidden = np.tanh(inputs @ b.T)
    z = with_ones(hidden) @ h.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    p /= len(labels)
    return ((p @ h[:, :HIDDEN]) * (1 - hidden**2)).T @ inputs, p.T @ with_ones(hidden)


b, h = body.astype(np.float64), list(heads.astype(np.float64))
bodies, after = [], []
for t in range(ROUNDS):
    mean = np.zeros_like(b)
    for k, n in enumerate(ROWS):
        rows, labels = x[bounds[k]:bounds[k + 1]].astype(np.float64), y[bounds[k]:bounds[k + 1]]
        velocity = 0
        for _ in range(HEAD):
            velocity = MOMENTUM * velocity + gradients(b, h[k], rows, labels)[1]
            h[k] = h[k] - RATE * velocity
        own, velocity = b, 0
        for _ in range(BODY):
            velocity = MOMENTUM * velocity + gradients(own, h[k], rows, labels)[0]
            own = own - RATE * velocity
        mean += n / sum(ROWS) * own
    b = mean
    bodies.append(b.astype(np.float32))
    after.append(np.array(h).astype(np.float32))

header.write(__file__, f"NumPy {np.__version__}", "fed_rep_run", {
    "rows": np.array(ROWS, dtype=np.uint32), "x": x, "y": y, "body": body, "heads": heads, "bodies": np.array(bodies), "after": np.array(after)})
