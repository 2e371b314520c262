#!/usr/bin/env python3
"""Ten steps of torch on a 43-16-6 softmax network, SGD with momentum, batches of 8 -> tests/fixtures/training.hpp.

Rows and initial parameters are multiples of 2^-8. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn

import header

STEPS, BATCH, ROWS, WIDTHS = 10, 8, 24, [43, 16, 6]

random = np.random.RandomState(3)
torch.set_num_threads(1)


def dyadic(*shape, scale=1.0):
    return (np.round(random.normal(size=shape) * scale * 256) / 256).astype("float32")


x = dyadic(ROWS, WIDTHS[0])
labels = random.randint(0, WIDTHS[-1], ROWS).astype("int32")
batches = np.array([random.permutation(ROWS)[:BATCH] for _ in range(STEPS)]).astype("uint32")

model = nn.Sequential(nn.Linear(*WIDTHS[:2]), nn.ReLU(), nn.Linear(*WIDTHS[1:]))
for tensor in model.parameters():
    tensor.data = torch.tensor(dyadic(*tensor.shape, scale=0.25))
flat = lambda: np.concatenate([t.detach().numpy().ravel() for t in model.parameters()])  # weight (out, in), bias, ...
arrays = {"x": x.ravel(), "labels": labels, "batches": batches, "initial": flat()}

optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
loss = nn.CrossEntropyLoss()
losses = []
for batch in batches.astype("int64"):
    optimiser.zero_grad()
    mean = loss(model(torch.tensor(x[batch])), torch.tensor(labels[batch]).long())
    mean.backward()
    optimiser.step()
    losses.append(mean.item())
header.write(__file__, f"torch {torch.__version__}", "training",
             arrays | {"mean_losses": np.array(losses, "float32"), "trained": flat()})
