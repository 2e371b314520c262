#!/usr/bin/env python3
"""The rows of the training table in eager PyTorch: prints `row<tab>side<tab>seconds` for each.

CPU time of one thread, median of eleven blocks of at least 20 ms. Batches are slices, never copies; a DataLoader
would add several times the step itself.
"""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from timing import seconds

try:
    import torch
except ImportError:
    sys.exit("no torch for this python3")

MODELS = {"A": (5418, [43, 128, 6]), "B": (1024, [561, 128, 32, 6]), "D": (1024, [561, 512, 512, 6]),
          "LeNet": (1024, [784, 120, 84, 10])}
ROWS = [("step A batch 10", "A", 10), ("step A batch 32", "A", 32), ("epoch A full", "A", 5418),
        ("step B batch 32", "B", 32), ("step D batch 64", "D", 64), ("step LeNet batch 64", "LeNet", 64),
        ("inference A row 1", "A", 0)]


def layers(widths, lenet=False):
    if lenet:
        for before, after in ((1, 6), (6, 16)):
            yield torch.nn.Conv2d(before, after, 5)
            yield torch.nn.ReLU(inplace=True)
            yield torch.nn.MaxPool2d(2)
        yield torch.nn.Flatten()
        widths = [256, *widths[1:]]
    for i, (before, after) in enumerate(zip(widths, widths[1:])):
        if i:
            yield torch.nn.ReLU(inplace=True)
        yield torch.nn.Linear(before, after)


def training(x, labels, model, batch):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    first = 0

    def step():
        nonlocal first
        optimiser.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x[first:first + batch]), labels[first:first + batch])
        loss.backward()
        optimiser.step()
        first = first + batch if first + 2 * batch <= len(x) else 0

    return step


def inference(x, model):
    rows = x.split(1)
    i = 0

    def step():
        nonlocal i
        with torch.inference_mode():
            model(rows[i])
        i = (i + 1) % len(rows)

    return step


torch.set_num_threads(1)
torch.set_num_interop_threads(1)
torch.manual_seed(1)
for name, kind, batch in ROWS:
    rows, widths = MODELS[kind]
    x = torch.randn(rows, widths[0])
    labels = x[:, :widths[-1]].argmax(1)
    model = torch.nn.Sequential(*layers(widths, kind == "LeNet"))
    if kind == "LeNet":  # images, and the order of channels that suits torch
        x = x.view(rows, 1, 28, 28)
        last = training(x.contiguous(memory_format=torch.channels_last), labels,
                        torch.nn.Sequential(*layers(widths, True)).to(memory_format=torch.channels_last), batch)
        print(f"{name}\tPyTorch {torch.__version__} channels_last\t{seconds(last):.9f}", flush=True)
    step = training(x, labels, model, batch) if batch else inference(x, model)
    print(f"{name}\tPyTorch {torch.__version__} eager\t{seconds(step):.9f}", flush=True)
