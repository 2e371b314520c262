#!/usr/bin/env python3
"""Federated averaging on UCI HAR in PyTorch, with the settings of the pilot: what our run is compared with.

Four stratified offices, an MLP 561-512-512-6 with ReLU, SGD at 1e-3 without momentum, batches of 64,
ten local epochs, 25 rounds. Prints the accuracy on the nine test subjects after every round, and the
mean of the last five and the CPU time of the training.

  pilot.py [--data FOLDER] [--seed N] [--init he|torch] [--rounds N]

FOLDER holds features561_f32.npy, y_u8.npy and subject_u8.npy; the default is $PRIVET_DATA/uci_har.
Needs numpy and torch >= 1.13; three minutes on one core with OpenBLAS, an hour with the reference BLAS.
"""
import argparse
import os
import pathlib
import time

import numpy as np
import torch
from torch import nn

TEST_SUBJECTS = [2, 4, 9, 10, 12, 13, 18, 20, 24]
OFFICES, ROUNDS, EPOCHS, BATCH, RATE = 4, 25, 10, 64, 1e-3
WIDTHS = [561, 512, 512, 6]


def read(folder):
    """(train rows, train labels, test rows, test labels), labels from 0."""
    x = np.load(folder / "features561_f32.npy")
    y = np.load(folder / "y_u8.npy").astype(np.int64)
    held_out = np.isin(np.load(folder / "subject_u8.npy"), TEST_SUBJECTS)
    y -= y.min()
    return [torch.from_numpy(part) for part in (x[~held_out], y[~held_out], x[held_out], y[held_out])]


def partition(labels):
    """Row indices per office: sorted by label, dealt out in turn."""
    order = torch.argsort(labels, stable=True)
    return [order[office::OFFICES] for office in range(OFFICES)]


def make_model(init):
    layers = []
    for fan_in, fan_out in zip(WIDTHS, WIDTHS[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    if init == "he":
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, (2 / layer.in_features) ** 0.5)
                nn.init.zeros_(layer.bias)
    return model


def train(model, x, y):
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    loss = nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(y)).split(BATCH):
            optimiser.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimiser.step()


def main():
    arguments = argparse.ArgumentParser()
    folder = os.environ.get("PRIVET_DATA")
    arguments.add_argument("--data", type=pathlib.Path, required=not folder, default=folder and pathlib.Path(folder, "uci_har"))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--init", choices=["he", "torch"], default="he")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    options = arguments.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    x, y, test_x, test_y = read(options.data)
    offices = partition(y)
    model = make_model(options.init)
    accuracies, seconds = [], 0.0
    for number in range(1, options.rounds + 1):
        begin = time.process_time()
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        total = {name: torch.zeros_like(tensor) for name, tensor in start.items()}
        for rows in offices:
            model.load_state_dict(start)
            train(model, x[rows], y[rows])
            for name, tensor in model.state_dict().items():
                total[name] += tensor * (len(rows) / len(y))
        model.load_state_dict(total)
        seconds += time.process_time() - begin
        with torch.no_grad():
            accuracies.append((model(test_x).argmax(1) == test_y).double().mean().item())
        print(f"round {number:2}  accuracy {accuracies[-1]:.4f}", flush=True)
    print(f"init {options.init}, seed {options.seed}: mean of the last five {np.mean(accuracies[-5:]):.4f}")
    print(f"torch {torch.__version__}: {seconds:.3f} s of CPU time in {options.rounds} rounds")


if __name__ == "__main__":
    main()
