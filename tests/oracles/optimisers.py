#!/usr/bin/env python3
"""Ten steps of torch's optimisers and schedules on given gradients -> tests/fixtures/optimisers.hpp.

Parameters and gradients are multiples of 2^-10, exact in float and double. Coordinates differ in scale
by 2^16 and one gradient is always zero. Needs numpy and torch >= 1.13.
"""
import numpy as np
import torch
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingLR, LambdaLR, LinearLR, StepLR

import header

STEPS, SIZE = 10, 19  # 19: whole vector registers and a tail, whatever their width
DTYPES = {"f32": torch.float32, "f64": torch.float64}

random = np.random.RandomState(1)
INITIAL = np.round(random.uniform(0.5, 2, SIZE) * random.choice([-1, 1], SIZE) * 1024) / 1024
SCALE = 2.0 ** random.randint(-8, 9, SIZE)
GRADIENTS = np.round(random.normal(size=(STEPS, SIZE)) * SCALE * 1024) / 1024
GRADIENTS[:, 5] = 0


def warm_up(steps):
    return lambda step: min(1.0, (step + 1) / steps)


class Yogi(torch.optim.Optimizer):
    """Algorithm 2 of Zaheer et al., NeurIPS 2018, from v = 0: torch has none."""

    def __init__(self, params, lr, betas, eps):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            (b1, b2), lr, eps = group["betas"], group["lr"], group["eps"]
            for p in group["params"]:
                kept = self.state[p]
                m, v = kept.get("m", torch.zeros_like(p)), kept.get("v", torch.zeros_like(p))
                square = p.grad**2
                kept["m"] = b1 * m + (1 - b1) * p.grad
                kept["v"] = v - (1 - b2) * torch.sign(v - square) * square
                p -= lr * kept["m"] / (kept["v"].sqrt() + eps)


# name: (optimiser, schedule)
RUNS = {
    "sgd": (lambda p: SGD(p, lr=0.05), None),
    "sgd_momentum": (lambda p: SGD(p, lr=0.05, momentum=0.9), None),
    "sgd_nesterov": (lambda p: SGD(p, lr=0.05, momentum=0.9, nesterov=True), None),
    "sgd_decay": (lambda p: SGD(p, lr=0.05, weight_decay=0.1), None),
    "sgd_momentum_decay": (lambda p: SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1), None),
    "rmsprop": (lambda p: RMSprop(p, lr=0.01), None),
    "rmsprop_smoothing": (lambda p: RMSprop(p, lr=0.02, alpha=0.9, eps=1e-6), None),
    "adam": (lambda p: Adam(p), None),
    "adam_betas": (lambda p: Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6), None),
    "adam_decay": (lambda p: Adam(p, lr=0.02, weight_decay=0.1), None),
    "adamw": (lambda p: AdamW(p, lr=0.02, weight_decay=0.1), None),
    "adagrad": (lambda p: Adagrad(p), None),
    "adagrad_epsilon": (lambda p: Adagrad(p, lr=0.5, eps=1e-3), None),
    "yogi": (lambda p: Yogi(p, lr=0.01, betas=(0.9, 0.999), eps=1e-3), None),
    "yogi_betas": (lambda p: Yogi(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6), None),
    "step": (lambda p: SGD(p, lr=0.05, momentum=0.9), lambda o: StepLR(o, step_size=3, gamma=0.5)),
    "cosine": (lambda p: SGD(p, lr=0.05, momentum=0.9), lambda o: CosineAnnealingLR(o, T_max=9, eta_min=0.05 * 0.125)),
    "warm_up": (lambda p: Adam(p, lr=0.02), lambda o: LambdaLR(o, warm_up(4))),
    "warm_up_cosine": (lambda p: AdamW(p, lr=0.02, weight_decay=0.1),
                       lambda o: ChainedScheduler([LinearLR(o, start_factor=1 / 4, total_iters=3), CosineAnnealingLR(o, T_max=12)])),
}


def run(optimiser, schedule, dtype):
    """Parameters after every step, and every rate as a part of the one it was made with."""
    p = torch.tensor(INITIAL, dtype=dtype, requires_grad=True)
    optimise = optimiser([p])
    base = optimise.defaults["lr"]
    scheduler = schedule(optimise) if schedule else None
    after, rates = [], []
    for gradient in GRADIENTS:
        rates.append(optimise.param_groups[0]["lr"] / base)
        p.grad = torch.tensor(gradient, dtype=dtype)
        optimise.step()
        if scheduler:
            scheduler.step()
        after.append(p.detach().numpy().copy())
    return np.array(after), np.array(rates)


arrays = {"initial": INITIAL, "gradients": GRADIENTS}
for name, (optimiser, schedule) in RUNS.items():
    for suffix, dtype in DTYPES.items():
        arrays[f"{name}_{suffix}"], rates = run(optimiser, schedule, dtype)
    if schedule:
        arrays[f"{name}_rates"] = rates
header.write(__file__, f"torch {torch.__version__}", "optimisers", arrays)
