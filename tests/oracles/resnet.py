#!/usr/bin/env python3
"""Forward and backward of ResNet-20 in torch's float64 -> tests/fixtures/resnet.hpp.

Inputs and parameters follow a formula that the test evaluates too, in multiples of 2^-8. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS = 3


def formula(count, seed):
    i = np.arange(count, dtype=np.int64)
    return ((i * i * 7 + i * 13 + seed) % 251 - 125) / 128


def convolution(before, after, side=3, stride=1):
    return [nn.Conv2d(before, after, side, stride, side // 2), nn.GroupNorm(after // 4, after)]


class Residual(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        stride = 1 if before == after else 2
        self.main = nn.Sequential(*convolution(before, after, 3, stride), nn.ReLU(), *convolution(after, after))
        self.shortcut = nn.Sequential(*([] if before == after else convolution(before, after, 1, stride)))

    def forward(self, x):
        return self.main(x) + self.shortcut(x)


layers, channels = [*convolution(3, 16), nn.ReLU()], 16
for width in (16, 16, 16, 32, 32, 32, 64, 64, 64):
    layers += [Residual(channels, width), nn.ReLU()]
    channels = width
model = nn.Sequential(*layers, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10)).double()
parameters = list(model.parameters())
for k, tensor in enumerate(parameters):
    tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
z = model(torch.tensor(formula(ROWS * 3072, 3).reshape(ROWS, 3, 32, 32)))
losses = functional.cross_entropy(z, torch.arange(ROWS) % 10, reduction="none")
norms = [sum((g**2).sum() for g in torch.autograd.grad(losses[r], parameters, retain_graph=True)) for r in range(ROWS)]
header.write(__file__, f"torch {torch.__version__}", "resnet", {
    "outputs": z.detach().numpy().ravel(),
    "norms": np.array([n.item() for n in norms]),
    # of the sum of the gradients, of each tensor
    "tensor_norms": np.array([(g**2).sum().item() for g in torch.autograd.grad(losses.sum(), parameters)]),
})
