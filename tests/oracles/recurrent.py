#!/usr/bin/env python3
"""Forward and backward of torch's LSTM, GRU and Embedding in float64 -> tests/fixtures/recurrent.hpp.

Inputs and parameters follow a formula that the test evaluates too, in multiples of 2^-8; words are its integers modulo
their number. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import header

ROWS = 5
STEPS = 7
WORDS = 11


def integers(count, seed):
    i = np.arange(count, dtype=np.int64)
    return (i * i * 7 + i * 13 + seed) % 251


def formula(count, seed):
    return (integers(count, seed) - 125) / 128


class Steps(nn.Module):
    """A row as steps, through a recurrent layer, its last states as a row."""

    def __init__(self, layer, written):
        super().__init__()
        self.layer, self.written = layer, written

    def forward(self, x):
        states, _ = self.layer(x.reshape(len(x), STEPS, -1))
        return states[:, STEPS - self.written:].flatten(1)


class Words(nn.Embedding):
    def forward(self, x):
        return super().forward(x.long()).flatten(1)


def recurrent(layer, width, hidden, written=1):
    return Steps(layer(width, hidden, batch_first=True), written)


RUNS = {
    "lstm_last": [recurrent(nn.LSTM, 3, 5), nn.Linear(5, 3)],
    "lstm_all": [nn.Linear(4, 21), recurrent(nn.LSTM, 3, 5, STEPS), nn.Tanh(), nn.Linear(35, 3)],
    "gru_last": [recurrent(nn.GRU, 3, 5), nn.Linear(5, 3)],
    "gru_all": [nn.Linear(4, 21), recurrent(nn.GRU, 3, 5, STEPS), nn.Tanh(), nn.Linear(35, 3)],
    "words": [Words(WORDS, 3), recurrent(nn.LSTM, 3, 6, STEPS), recurrent(nn.GRU, 6, 4, 2), nn.Linear(8, 3)],
}
flat = lambda tensors: np.concatenate([t.detach().numpy().ravel() for t in tensors])
arrays = {}
for name, layers in RUNS.items():
    model = nn.Sequential(*layers).double()
    for k, tensor in enumerate(model.parameters()):
        tensor.data = torch.tensor(formula(tensor.numel(), 31 * k + 5).reshape(tensor.shape)) / 2
    width = {"last": 3 * STEPS, "all": 4, "words": STEPS}[name.split("_")[-1]]
    rows = integers(ROWS * width, 3) % WORDS if name == "words" else formula(ROWS * width, 3)
    z = model(torch.tensor(rows.astype("f8").reshape(ROWS, width)))
    losses = functional.cross_entropy(z, torch.arange(ROWS) % z.shape[1], reduction="none")
    gradient_of = lambda loss: flat(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
    arrays |= {
        f"{name}_outputs": z.detach().numpy().ravel(),
        f"{name}_gradient": gradient_of(losses.sum()),
        f"{name}_norms": np.array([(gradient_of(loss)**2).sum() for loss in losses]),
    }

# What a new layer begins with: the deviations of its numbers, and the largest.
torch.manual_seed(1)
for name, layer in {"lstm": nn.LSTM(40, 60), "gru": nn.GRU(40, 60), "embedding": nn.Embedding(300, 40)}.items():
    numbers = flat(layer.parameters()).astype("f8")
    arrays |= {f"{name}_deviation": numbers.std(), f"{name}_largest": abs(numbers).max()}
header.write(__file__, f"torch {torch.__version__}", "recurrent", arrays)
