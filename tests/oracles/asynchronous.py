#!/usr/bin/env python3
"""Three steps of FedBuff by NumPy -> tests/fixtures/asynchronous.hpp.

Nguyen et al., AISTATS 2022, algorithm 1, with staleness weights (1 + t)^-1/2, on a linear softmax classifier whose
batches are all rows of a client; everything is double precision. How long a client takes for its task is given; which
idle client comes next is drawn as the library draws it.
"""
import numpy as np

import header
from philox import Source

STEPS, EPOCHS, RATE, WIDE, CLASSES = 3, 3, 0.5, 4, 3
AT_ONCE, BUFFER, SEED, SERVER_RATE, MOMENTUM = 3, 4, 7, 0.5, 0.75
ROWS = [5, 12, 3, 9, 6]
CLIENT_SAMPLING = 4

random = np.random.RandomState(21)
x = (random.normal(size=(sum(ROWS), WIDE)) * 64).round().astype(np.float32) / 64
y = random.randint(0, CLASSES, sum(ROWS)).astype(np.int32)
start = (random.normal(size=(CLASSES, WIDE)) * 64).round().astype(np.float32) / 64
seconds = (random.exponential(size=(len(ROWS), 20)) * 64).round() / 64  # of a client's tasks
seconds[1] += 3  # slow, so that it is stale
bounds = np.cumsum([0] + ROWS)


def gradient(w, rows, labels):
    z = rows @ w[:, :WIDE].T + w[:, WIDE]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    return np.hstack([p.T @ rows, p.sum(axis=0)[:, None]]) / len(labels)


def trained(w, k):
    rows, labels = x[bounds[k]:bounds[k + 1]].astype(np.float64), y[bounds[k]:bounds[k + 1]]
    for _ in range(EPOCHS):
        w = w - RATE * gradient(w, rows, labels)
    return w


def run(by_rows, rate, momentum):
    w, velocity = np.hstack([start.astype(np.float64), np.zeros((CLASSES, 1))]), 0
    started, now, tasks, under_way = 0, 0.0, [0] * len(ROWS), []
    after, who, ages = [], [], []
    for step in range(STEPS):
        mean, weight = 0, 0
        for _ in range(BUFFER):
            while len(under_way) < AT_ONCE:
                idle = [k for k in range(len(ROWS)) if k not in [t[2] for t in under_way]]
                k = idle[Source(SEED, CLIENT_SAMPLING << 56 | started << 32).below(len(idle))]
                under_way.append((now + seconds[k, tasks[k]], started, k, step, w))
                started += 1
                tasks[k] += 1
            under_way.sort(key=lambda t: t[:2])
            now, _, k, began, first = under_way.pop(0)
            share = ROWS[k] if by_rows else 1
            mean = mean + share * (1 + step - began)**-0.5 * (first - trained(first, k))
            weight += share
            who.append(k + 1)
            ages.append(step - began)
        velocity = momentum * velocity + mean / weight
        w = w - rate * velocity
        after.append(w.astype(np.float32))
    return np.array(after), np.array(who, dtype=np.uint32), np.array(ages, dtype=np.uint32)


after, who, ages = run(False, 1, 0)
assert ages.max() >= 1 and len(set(who)) == len(ROWS)
header.write(__file__, f"NumPy {np.__version__}", "asynchronous_run", {
    "rows": np.array(ROWS, dtype=np.uint32), "x": x, "y": y, "start": start, "seconds": seconds, "after": after, "who": who, "ages": ages,
    "by_rows": run(True, 1, 0)[0], "with_momentum": run(False, SERVER_RATE, MOMENTUM)[0]})
