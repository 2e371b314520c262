#!/usr/bin/env python3
"""Three rounds of strategies by NumPy -> tests/fixtures/strategies.hpp.

FedAvgM, FedAdam, FedYogi and FedAdagrad: Reddi et al., ICLR 2021, algorithm 2, with Adam's bias correction and v from 0.
FedNova: Wang et al., NeurIPS 2020. q-FedAvg: Li et al., ICLR 2020. The updates, losses and numbers of steps are given,
whatever the weights are; everything is double precision.
"""
import numpy as np

import header

ROUNDS, SIZE = 3, 21
ROWS = np.array([10, 250, 40, 3], dtype=np.uint32)

random = np.random.RandomState(4)
start = (random.normal(size=SIZE) * 256).round().astype(np.float32) / 256
# w - w_i of each client: multiples of 2^-12, as floats have them exactly.
updates = ((random.normal(size=(ROUNDS, len(ROWS), SIZE)) * 400).round() / 4096).astype(np.float32)
share = ROWS / ROWS.sum()
steps = random.randint(1, 40, (ROUNDS, len(ROWS))).astype(np.uint32)
losses = random.uniform(0.05, 3, (ROUNDS, len(ROWS)))


def rounds(step):
    w, kept, after = start.astype(np.float64), {}, []
    for t in range(ROUNDS):
        g = share @ updates[t].astype(np.float64)
        w = w - step(g, kept, t + 1)
        after.append(w.astype(np.float32))
    return np.array(after)


def momentum(g, kept, t):
    kept["v"] = 0.9 * kept.get("v", 0) + g
    return 0.7 * kept["v"]


def adam(g, kept, t):
    kept["m"] = 0.9 * kept.get("m", 0) + 0.1 * g
    kept["v"] = 0.99 * kept.get("v", 0) + 0.01 * g**2
    return 0.02 * (kept["m"] / (1 - 0.9**t)) / (np.sqrt(kept["v"] / (1 - 0.99**t)) + 1e-3)


def yogi(g, kept, t):
    v = kept.get("v", np.zeros(SIZE))
    kept["m"] = 0.9 * kept.get("m", 0) + 0.1 * g
    kept["v"] = v - 0.01 * np.sign(v - g**2) * g**2
    return 0.02 * kept["m"] / (np.sqrt(kept["v"]) + 1e-3)


def adagrad(g, kept, t):
    kept["v"] = kept.get("v", 0) + g**2
    return 0.02 * g / (np.sqrt(kept["v"]) + 1e-3)


def nova(momentum):
    w, after = start.astype(np.float64), []
    for t in range(ROUNDS):
        # The weights of the local gradients, one by one.
        reach = np.array([sum((1 - momentum**(s - j)) / (1 - momentum) for j in range(s)) for s in steps[t]])
        w = w - (share @ reach) * ((share / reach) @ updates[t].astype(np.float64))
        after.append(w.astype(np.float32))
    return np.array(after)


def fair(q, lipschitz):
    w, after = start.astype(np.float64), []
    for t in range(ROUNDS):
        f, d = losses[t] + 1e-10, updates[t].astype(np.float64)
        h = q * f**(q - 1) * ((lipschitz * d)**2).sum(axis=1) + lipschitz * f**q
        w = w - ((f**q)[:, None] * lipschitz * d).sum(axis=0) / h.sum()
        after.append(w.astype(np.float32))
    return np.array(after)


arrays = {"rows": ROWS, "start": start, "updates": updates, "steps": steps, "losses": losses}
for rule in (momentum, adam, yogi, adagrad):
    arrays[rule.__name__] = rounds(rule)
arrays.update(nova=nova(0), nova_momentum=nova(0.9), fair=fair(1, 10), very_fair=fair(5, 2))
header.write(__file__, f"NumPy {np.__version__}", "strategies", arrays)
