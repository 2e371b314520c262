#!/usr/bin/env python3
"""Forward and backward of torch's residual blocks in float64 -> tests/fixtures/residual.hpp.

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


class Residual(nn.Module):
    def __init__(self, *main, shortcut=()):
        super().__init__()
        self.main, self.shortcut = nn.Sequential(*main), nn.Sequential(*shortcut)

    def forward(self, x):
        return self.main(x) + self.shortcut(x)


model = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(),
    Residual(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3, padding=1)), nn.ReLU(),
    Residual(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU(),
             Residual(nn.Conv2d(6, 6, 3, padding=1), nn.Tanh()),
             shortcut=[nn.Conv2d(4, 6, 1, stride=2)]), nn.ReLU(),
    nn.AvgPool2d(2, stride=2), nn.Flatten(),
    Residual(nn.Tanh(), nn.Linear(24, 5), nn.ReLU(), nn.Linear(5, 24)),
    Residual(nn.Linear(24, 20), nn.Tanh(), shortcut=[nn.Linear(24, 20)]),
    nn.Linear(20, 5)).double()
for k, tensor in enumerate(model.parameters()):
    tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
x = torch.tensor(formula(ROWS * 2 * 7 * 8, 3).reshape(ROWS, 2, 7, 8))
z = model(x)
losses = functional.cross_entropy(z, torch.arange(ROWS) % 5, reduction="none")
flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
norms = []
for r in range(ROWS):
    gradient = flat(torch.autograd.grad(losses[r], list(model.parameters()), retain_graph=True))
    norms.append((gradient**2).sum())
header.write(__file__, f"torch {torch.__version__}", "residual", {
    "outputs": z.detach().numpy().ravel(),
    "gradient": flat(torch.autograd.grad(losses.sum(), list(model.parameters()))),
    "norms": np.array(norms),
})
