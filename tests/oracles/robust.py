#!/usr/bin/env python3
"""Three rounds of robust aggregation, written out in NumPy -> tests/fixtures/robust.hpp.

Eleven clients; the last two of the second and third round send their update many times over and the wrong way round.
Updates are multiples of 2^-10, given as whole numbers of that. Needs numpy.
"""
import math

import numpy as np

import header

ROUNDS, CLIENTS, SIZE = 3, 11, 67  # 67: a whole block of coordinates and a tail
ATTACKERS, FRACTION, BOUND, ITERATIONS, SMOOTHING = 2, 0.2, 0.75, 8, 1e-6

random = np.random.RandomState(1)
START = np.float32(np.round(random.normal(size=SIZE) * 1024) / 1024)
EXAMPLES = random.randint(5, 60, CLIENTS)
WAY = random.normal(size=(ROUNDS, 1, SIZE))
STEPS = np.round((WAY + 0.3 * random.normal(size=(ROUNDS, CLIENTS, SIZE))) * 128).astype(np.int32)
STEPS[1:, -2:] *= -30
WEIGHT = EXAMPLES / EXAMPLES.sum()


def coordinate_median(updates):
    return np.median(updates, axis=0)


def trimmed_mean(updates):
    cut = math.floor(FRACTION * len(updates))
    return np.sort(updates, axis=0)[cut : len(updates) - cut].mean(axis=0)


def geometric_median(updates):
    v = np.zeros(SIZE)
    for _ in range(ITERATIONS):
        b = WEIGHT / np.maximum(SMOOTHING, np.linalg.norm(updates - v, axis=1))
        v = (b[:, None] * updates).sum(axis=0) / b.sum()
    return v


def krum_order(updates, closest):
    scores = []
    for i, u in enumerate(updates):
        others = np.delete(updates, i, axis=0)
        scores.append(np.sort(((others - u) ** 2).sum(axis=1))[:closest].sum())
    return np.lexsort((*updates.T[::-1], scores))  # equal scores: the update whose first number that differs is less


def krum(updates, keep):
    return updates[krum_order(updates, len(updates) - ATTACKERS - 2)[:keep]].mean(axis=0)


def bulyan(updates):
    left, chosen = updates, []
    while len(chosen) < len(updates) - 2 * ATTACKERS:
        best = krum_order(left, max(1, len(left) - ATTACKERS - 2))[0]
        chosen.append(left[best])
        left = np.delete(left, best, axis=0)
    chosen = np.sort(chosen, axis=0)
    distance = np.abs(chosen - np.median(chosen, axis=0))
    nearest = np.argsort(distance, axis=0, kind="stable")[: len(chosen) - 2 * ATTACKERS]
    return np.take_along_axis(chosen, nearest, axis=0).mean(axis=0)


def norm_bound(updates):
    factor = np.minimum(1, BOUND / np.linalg.norm(updates, axis=1))
    return (WEIGHT * factor) @ updates / WEIGHT.sum()


RULES = {
    "coordinate_median": coordinate_median,
    "trimmed_mean": trimmed_mean,
    "geometric_median": geometric_median,
    "krum": lambda updates: krum(updates, 1),
    "multi_krum": lambda updates: krum(updates, 5),
    "bulyan": bulyan,
    "norm_bound": norm_bound,
}

arrays = {
    "start": START, "examples": EXAMPLES.astype(np.uint64), "steps": STEPS, "attackers": np.uint64(ATTACKERS),
    "fraction": np.float64(FRACTION), "bound": np.float64(BOUND), "iterations": np.uint64(ITERATIONS),
    "smoothing": np.float64(SMOOTHING), "keep": np.uint64(5),
}
for name, rule in RULES.items():
    weights, after = START, []
    for steps in STEPS:
        sent = np.float32(WEIGHT[:, None] * (steps / 1024))
        updates = np.float64(np.float32(sent / WEIGHT[:, None]))  # a server keeps floats
        weights = np.float32(weights - rule(updates))
        after.append(weights)
    arrays[name] = np.array(after)
header.write(__file__, f"numpy {np.__version__}", "robust", arrays)
