#!/usr/bin/env python3
"""Three laps of distributed selective SGD by NumPy -> tests/fixtures/selective_sgd.hpp.

Shokri, Shmatikov, CCS 2015, sections 5.1 and 5.2: participants in turn read theta_d of the parameters, those with the
largest counters, train on their own rows and add theta_u of their changes to the server's parameters. A linear softmax
classifier whose batches are all rows of a participant; everything is double precision. Parameters lie as in the
library's memory: a row for each class, the biases last.
"""
import numpy as np

import header
from philox import Source

LAPS, EPOCHS, RATE, WIDE, CLASSES, SEED = 3, 3, 0.5, 4, 3, 5
THETA_U, THETA_D, TAU = 0.3, 0.4, 0.02
ROWS = [5, 12, 3, 9]
SIZE = (WIDE + 1) * CLASSES
CLIENT_SAMPLING, MASKS = 4, 11

random = np.random.RandomState(33)
x = (random.normal(size=(sum(ROWS), WIDE)) * 64).round().astype(np.float32) / 64
y = random.randint(0, CLASSES, sum(ROWS)).astype(np.int32)
start = (random.normal(size=SIZE) * 64).round().astype(np.float32) / 64
seconds = (random.exponential(size=(len(ROWS), 12)) * 64).round() / 64  # of a participant's tasks
bounds = np.cumsum([0] + ROWS)


def trained(w, k):
    rows, w = x[bounds[k]:bounds[k + 1]].astype(np.float64), w.copy()
    weights, bias = w[:WIDE * CLASSES].reshape(CLASSES, WIDE), w[WIDE * CLASSES:]
    for _ in range(EPOCHS):
        z = rows @ weights.T + bias
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(ROWS[k]), y[bounds[k]:bounds[k + 1]]] -= 1
        weights -= RATE * p.T @ rows / ROWS[k]
        bias -= RATE * p.sum(axis=0) / ROWS[k]
    return w


def source(purpose, r, client=0):
    return Source(SEED, purpose << 56 | r << 32 | client)


def apart(sorted_values):
    """What is chosen must not hang on rounding."""
    assert np.diff(sorted_values).min() > 1e-5, sorted_values


def largest(change, task, k):
    apart(np.sort(np.abs(change)))
    return np.argsort(-np.abs(change), kind="stable")[:int(THETA_U * SIZE + 0.5)]


def above(change, task, k):
    apart(np.sort(np.append(np.abs(change), TAU)))
    places = np.flatnonzero(np.abs(change) > TAU)
    if len(places) == 0:
        places = np.array([np.abs(change).argmax()])
    want = min(int(THETA_U * SIZE + 0.5), len(places))
    coins, chosen = source(MASKS, task, k + 1), []
    for i in range(len(places)):
        if coins.below(len(places) - i) < want - len(chosen):
            chosen.append(places[i])
    return np.array(chosen)


def shuffled(lap):
    coins, order = source(CLIENT_SAMPLING, lap), list(range(len(ROWS)))
    for left in range(len(ROWS), 1, -1):
        j = coins.below(left)
        order[left - 1], order[j] = order[j], order[left - 1]
    return order


def run(choose, order, theta_d, unread=True, decay=1.0):
    """`order` is one of "in turn", "shuffled", or how many train at once."""
    n = len(ROWS)
    w, counts = start.astype(np.float64), np.zeros(SIZE)
    own, seen, tasks = [None] * n, [None] * n, [0] * n
    started, now, under_way, after = 0, 0.0, [], []
    at_once = order if isinstance(order, int) else 1
    for turn in range(LAPS * n):
        while len(under_way) < at_once:
            if order == "in turn":
                k = started % n
            elif order == "shuffled":
                k = shuffled(started // n)[started % n]
            else:
                idle = [k for k in range(n) if k not in [t[2] for t in under_way]]
                k = idle[source(CLIENT_SAMPLING, started).below(len(idle))]
            if own[k] is None or theta_d == 1:
                local, seen[k] = w.copy(), counts.copy()
            else:
                local = own[k].copy()
                score = counts - seen[k] if unread else counts
                read = np.argsort(-score, kind="stable")[:int(theta_d * SIZE + 0.5)]
                local[read] = w[read]
                seen[k][read] = counts[read]
            under_way.append((now + seconds[k, tasks[k]], started, k, tasks[k], local))
            started += 1
            tasks[k] += 1
        under_way.sort(key=lambda t: t[:2])
        now, _, k, task, local = under_way.pop(0)
        own[k] = trained(local, k)
        sent = choose(local - own[k], task, k)
        w[sent] -= (local - own[k])[sent]
        counts[sent] += 1
        counts *= decay
        seen = [s if s is None else s * decay for s in seen]
        if turn % n == n - 1:
            after.append(w.astype(np.float32))
    return np.array(after)


arrays = {"rows": np.array(ROWS, dtype=np.uint32), "x": x, "y": y, "start": start, "seconds": seconds,
          "largest_whole": run(largest, "in turn", 1),
          "largest_part": run(largest, "in turn", THETA_D),
          "above_part": run(above, "shuffled", THETA_D),
          "largest_decay": run(largest, "shuffled", THETA_D, unread=False, decay=0.5),
          "above_at_once": run(above, 3, THETA_D)}
results = [arrays[name][-1] for name in ("largest_whole", "largest_part", "above_part", "largest_decay", "above_at_once")]
assert min(np.abs(a - b).max() for i, a in enumerate(results) for b in results[:i]) > 0.01
header.write(__file__, f"NumPy {np.__version__}", "selective_sgd_run", arrays)
