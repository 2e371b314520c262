#!/usr/bin/env python3
"""Federated averaging as a plain loop in one process: pytorch_loop.py FOLDER ROUNDS THREADS"""
from task import CHECKED, CLIENTS, RATE, Clock, Data, arguments

import torch

folder, rounds, threads = arguments()
torch.set_num_threads(int(threads))
torch.set_num_interop_threads(1)
data = Data(folder)
model = data.model()
weights = list(model.parameters())
optimiser = torch.optim.SGD(weights, lr=RATE)
shared = [w.detach().clone() for w in weights]
clock = Clock(folder, f"pytorch-{threads}")
for _ in range(CHECKED + rounds):
    mean = [torch.zeros_like(s) for s in shared]
    for client in range(CLIENTS):
        with torch.no_grad():
            for w, s in zip(weights, shared):
                w.copy_(s)
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(data.x[client]), data.y[client]).backward()
        optimiser.step()
        with torch.no_grad():
            torch._foreach_add_(mean, weights, alpha=1 / CLIENTS)
    shared = mean
    clock.tick(lambda: shared)
clock.report(f"PyTorch {torch.__version__}")
