#!/usr/bin/env python3
"""Forward and backward of torch's layers and losses in float64 -> tests/fixtures/layers.hpp.

Every number that goes in is a multiple of 2^-8, exact in float and double. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS, IN, HIDDEN, OUT = 5, 7, 19, 6  # widths that are no multiple of a vector register

random = np.random.RandomState(2)


def dyadic(*shape, scale=1.0):
    return np.round(random.normal(size=shape) * scale * 256) / 256


# name: (layers, loss per row, targets)
LABELS = np.array([0, 5, 2, 2, 1], "int32")
BITS = np.round(random.uniform(size=(ROWS, OUT)) * 4) / 4
VALUES = dyadic(ROWS, OUT)
labels, bits, values = torch.tensor(LABELS).long(), torch.tensor(BITS), torch.tensor(VALUES)
RUNS = {
    "relu_cross_entropy": ([nn.ReLU()], lambda z: functional.cross_entropy(z, labels, reduction="none"), LABELS),
    "tanh_smoothed": ([nn.Tanh()],
                      lambda z: functional.cross_entropy(z, labels, reduction="none", label_smoothing=0.1), LABELS),
    "sigmoid_binary": ([nn.Sigmoid()],
                       lambda z: functional.binary_cross_entropy_with_logits(z, bits, reduction="none").sum(1), BITS),
    "deep_squared": ([nn.ReLU(), nn.Tanh()], lambda z: functional.mse_loss(z, values, reduction="none").mean(1), VALUES),
}

X = dyadic(ROWS, IN)
arrays = {"x": X.ravel()}
for name, (activations, loss, targets) in RUNS.items():
    widths = [IN] + [HIDDEN] * len(activations) + [OUT]
    layers = []
    for i, activation in enumerate(activations + [None]):
        layers += [nn.Linear(widths[i], widths[i + 1])] + ([activation] if activation else [])
    model = nn.Sequential(*layers).double()
    for tensor in model.parameters():
        tensor.data = torch.tensor(dyadic(*tensor.shape, scale=0.5))
    flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
    z = model(torch.tensor(X))
    losses = loss(z)
    # One row after another: the squared norm of each gradient, and their sum.
    norms, total = [], 0
    for r in range(ROWS):
        gradient = flat(torch.autograd.grad(losses[r], list(model.parameters()), retain_graph=True))
        norms.append((gradient**2).sum())
        total = total + gradient
    delta, *gradient = torch.autograd.grad(losses.sum(), [z, *model.parameters()])
    assert np.allclose(total, flat(gradient), rtol=1e-12, atol=1e-12)
    arrays |= {
        f"{name}_parameters": flat(model.parameters()),  # weight (out, in), then bias, layer by layer
        f"{name}_targets": targets.ravel(),
        f"{name}_outputs": z.detach().numpy().ravel(),
        f"{name}_losses": losses.detach().numpy(),
        f"{name}_deltas": delta.numpy().ravel(),
        f"{name}_gradient": flat(gradient),
        f"{name}_norms": np.array(norms),
    }
header.write(__file__, f"torch {torch.__version__}", "layers", arrays)
