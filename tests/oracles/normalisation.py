#!/usr/bin/env python3
"""Forward and backward of torch's normalising layers in float64 -> tests/fixtures/normalisation.hpp.

Inputs, parameters and running statistics follow a formula that the test evaluates too, in multiples of 2^-7. Needs
numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS = 19  # more than a block of lanes
BATCH = 6  # of those that make running statistics: three, one row is left over


def formula(count, seed):
    i = np.arange(count, dtype=np.int64)
    return ((i * i * 7 + i * 13 + seed) % 251 - 125) / 128


def images(first, second):
    return [nn.Conv2d(2, 6, 3, padding=1), first, nn.Tanh(), nn.Conv2d(6, 4, 2), second, nn.Tanh(), nn.Flatten(),
            nn.Linear(48, 3)]


RUNS = {  # name: (layers, shape of an example, training)
    "grouped": (images(nn.GroupNorm(3, 6), nn.GroupNorm(4, 4, eps=1e-3)), (2, 5, 4), False),
    "layered": ([nn.Linear(7, 12), nn.LayerNorm(12), nn.Tanh(), nn.Linear(12, 20), nn.ReLU(),
                 nn.LayerNorm(20, eps=1e-3), nn.Linear(20, 4)], (7,), False),
    "frozen": (images(nn.BatchNorm2d(6), nn.BatchNorm2d(4, eps=1e-3)), (2, 5, 4), False),
    "mixed": (images(nn.BatchNorm2d(6), nn.BatchNorm2d(4, eps=1e-3)), (2, 5, 4), True),
}
flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
arrays = {}
for name, (layers, shape, training) in RUNS.items():
    model = nn.Sequential(*layers).double().train(training)
    for k, tensor in enumerate(model.parameters()):
        tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
    for k, layer in enumerate(m for m in layers if isinstance(m, nn.BatchNorm2d)):
        layer.running_mean.data = torch.tensor(formula(layer.num_features, 17 * k + 2))
        layer.running_var.data = torch.tensor(abs(formula(layer.num_features, 17 * k + 9))) + 0.25
    x = torch.tensor(formula(ROWS * int(np.prod(shape)), 3).reshape(ROWS, *shape))
    z = model(x)
    losses = functional.cross_entropy(z, torch.arange(ROWS) % z.shape[1], reduction="none")
    arrays |= {
        f"{name}_outputs": z.detach().numpy().ravel(),
        f"{name}_gradient": flat(torch.autograd.grad(losses.sum(), list(model.parameters()), retain_graph=True)),
    }
    if training:  # running statistics of whole batches, one after another, and what they then make of rows
        batch_norms = [m for m in layers if isinstance(m, nn.BatchNorm2d)]
        for layer in batch_norms:
            layer.momentum = None
            layer.reset_running_stats()
        for first in range(0, ROWS - BATCH + 1, BATCH):
            model(x[first:first + BATCH])
        arrays |= {
            "means": flat(m.running_mean for m in batch_norms),
            "variances": flat(m.running_var for m in batch_norms),
            "frozen_later": model.eval()(x).detach().numpy().ravel(),
        }
    else:
        norms = [(flat(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))**2).sum() for loss in losses]
        arrays[f"{name}_norms"] = np.array(norms)
header.write(__file__, f"torch {torch.__version__}", "normalisation", arrays)
