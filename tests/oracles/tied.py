#!/usr/bin/env python3
"""Forward and backward of a torch model that uses some modules more than once, in float64 -> tests/fixtures/tied.hpp.

Inputs and parameters follow a formula that the test evaluates too, in multiples of 2^-8. Needs numpy and torch >= 1.13.
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


class Steps(nn.LSTM):
    """A row as four steps, and all states as a row."""

    def forward(self, x):
        return super().forward(x.reshape(len(x), 4, -1))[0].flatten(1)


convolution, dense = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(12, 12)
norm, steps = nn.LayerNorm(12), Steps(3, 3, batch_first=True)
model = nn.Sequential(
    convolution, nn.Tanh(), convolution, nn.ReLU(), nn.Flatten(), nn.Linear(40, 12),
    dense, norm, nn.Tanh(), dense, norm, dense, steps, steps, nn.Linear(12, 5)).double()
for k, tensor in enumerate(model.parameters()):  # each once
    tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
x = torch.tensor(formula(ROWS * 40, 3).reshape(ROWS, 2, 5, 4))
z = model(x)
losses = functional.cross_entropy(z, torch.arange(ROWS) % 5, reduction="none")
flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
norms = []
for r in range(ROWS):
    gradient = flat(torch.autograd.grad(losses[r], list(model.parameters()), retain_graph=True))
    norms.append((gradient**2).sum())
header.write(__file__, f"torch {torch.__version__}", "tied", {
    "outputs": z.detach().numpy().ravel(),
    "gradient": flat(torch.autograd.grad(losses.sum(), list(model.parameters()))),
    "norms": np.array(norms),
})
