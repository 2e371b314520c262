#!/usr/bin/env python3
"""FedProx and Ditto by torch: three rounds of three clients -> tests/fixtures/proximal.hpp.

A 5-4-3 network with tanh. In a round each client takes two steps on all of its rows, SGD with momentum 0.9 that begins
at zero, with the gradient of strength / 2 * |w - w_round|^2 added (Li et al., MLSys 2020); the server averages by
rows. Beside it, Ditto's personal weights of each client take the same steps pulled to the weights of the round
(Li et al., ICML 2021, algorithm 1). Double precision; rows and first weights are multiples of 2^-8.
"""
import numpy as np
import torch
from torch import nn

import header

ROUNDS, STEPS, ROWS, WIDTHS, STRENGTH, RATE = 3, 2, [7, 4, 9], [5, 4, 3], 0.5, 0.25

random = np.random.RandomState(5)
torch.set_num_threads(1)
dyadic = lambda *shape: np.round(random.normal(size=shape) * 256) / 256
x = [torch.tensor(dyadic(n, WIDTHS[0])) for n in ROWS]
labels = [torch.tensor(random.randint(0, WIDTHS[-1], n)) for n in ROWS]
model = nn.Sequential(nn.Linear(*WIDTHS[:2]), nn.Tanh(), nn.Linear(*WIDTHS[1:])).double()
shapes = [tuple(p.shape) for p in model.parameters()]
start = dyadic(sum(int(np.prod(s)) for s in shapes)) / 2


def put(flat):
    at = 0
    for p in model.parameters():
        p.data = torch.tensor(flat[at:at + p.numel()].reshape(p.shape))
        at += p.numel()


def flat():
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def train(weights, anchor, client):
    put(anchor)
    anchors = [p.detach().clone() for p in model.parameters()]
    put(weights)
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x[client]), labels[client])
        pull = sum(((p - a) ** 2).sum() for p, a in zip(model.parameters(), anchors))
        (loss + STRENGTH / 2 * pull).backward()
        optimiser.step()
    return flat()


w, personal = start, [start] * len(ROWS)
shared_after, personal_after = [], []
for _ in range(ROUNDS):
    personal = [train(v, w, k) for k, v in enumerate(personal)]
    sent = [train(w, w, k) for k in range(len(ROWS))]
    w = sum(n * s for n, s in zip(ROWS, sent)) / sum(ROWS)
    shared_after.append(w)
    personal_after.append(personal)

header.write(__file__, f"torch {torch.__version__}", "proximal_rounds", {
    "rows": np.array(ROWS, "uint32"), "x": np.concatenate([r.numpy().ravel() for r in x]).astype("float32"),
    "labels": np.concatenate([l.numpy() for l in labels]).astype("int32"), "start": start.astype("float32"),
    "shared": np.array(shared_after), "personal": np.array(personal_after)})
