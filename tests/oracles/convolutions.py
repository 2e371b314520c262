#!/usr/bin/env python3
"""Forward and backward of torch's convolutions and pools in float64 -> tests/fixtures/convolutions.hpp.

Inputs and parameters follow a formula that the test evaluates too, in multiples of 2^-7. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS = 19  # more than a block of lanes


def formula(count, seed):
    i = np.arange(count, dtype=np.int64)
    return ((i * i * 7 + i * 13 + seed) % 251 - 125) / 128


RUNS = {  # name: (layers, channels, height, width)
    "strided": ([nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2, stride=1),
                 nn.Conv2d(4, 6, (2, 3), groups=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 5)], 2, 9, 10),
    "padded": ([nn.Conv2d(3, 5, (5, 4), padding=2), nn.AvgPool2d(3, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(5, 7, 1), nn.MaxPool2d(3, stride=2, padding=1), nn.Flatten(), nn.Linear(28, 4)], 3, 6, 7),
}
arrays = {}
for name, (layers, *shape) in RUNS.items():
    model = nn.Sequential(*layers).double()
    for k, tensor in enumerate(model.parameters()):
        tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
    x = torch.tensor(formula(ROWS * int(np.prod(shape)), 3).reshape(ROWS, *shape))
    z = model(x)
    labels = torch.arange(ROWS) % z.shape[1]
    losses = functional.cross_entropy(z, labels, reduction="none")
    flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
    norms = []
    for r in range(ROWS):
        gradient = flat(torch.autograd.grad(losses[r], list(model.parameters()), retain_graph=True))
        norms.append((gradient**2).sum())
    arrays |= {
        f"{name}_outputs": z.detach().numpy().ravel(),
        f"{name}_gradient": flat(torch.autograd.grad(losses.sum(), list(model.parameters()))),
        f"{name}_norms": np.array(norms),
    }
header.write(__file__, f"torch {torch.__version__}", "convolutions", arrays)
