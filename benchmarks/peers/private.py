#!/usr/bin/env python3
"""The peers of the privacy table: Opacus' private steps, dp-accounting's privacy loss distributions.

Prints `row<tab>side<tab>seconds` for each. CPU time of one thread, median of blocks of at
least 50 ms. Opacus runs with per-sample gradients by hooks and by expanded weights, and the better one counts.
"""
import sys
import warnings
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from timing import seconds

warnings.filterwarnings("ignore")
STEPS = [("A", [43, 128, 6], (10, 32, 256)), ("B", [561, 128, 32, 6], (32, 256)), ("LeNet", [784, 120, 84, 10], (64,))]
EPSILONS = [("epsilon of 2250 steps", 1.5, 0.04, 2250), ("epsilon of 14062 steps", 1.1, 256 / 60000, 14062)]


def opacus_steps():
    import opacus
    import torch
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    torch.manual_seed(1)
    side = f"Opacus {opacus.__version__}, PyTorch {torch.__version__}"
    for name, widths, batches in STEPS:
        for batch in batches:
            times = []
            for mode in ("hooks", "ew"):
                layers = []
                if name == "LeNet":
                    layers.append(torch.nn.Unflatten(1, (1, 28, 28)))
                    for before, after in ((1, 6), (6, 16)):
                        layers += [torch.nn.Conv2d(before, after, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
                    layers.append(torch.nn.Flatten())
                dense = [256, *widths[1:]] if name == "LeNet" else widths
                for i, (before, after) in enumerate(zip(dense, dense[1:])):
                    layers += ([torch.nn.ReLU()] if i else []) + [torch.nn.Linear(before, after)]
                model = opacus.GradSampleModule(torch.nn.Sequential(*layers)) if mode == "hooks" else \
                    opacus.grad_sample.GradSampleModuleExpandedWeights(torch.nn.Sequential(*layers))
                optimiser = opacus.optimizers.DPOptimizer(torch.optim.SGD(model.parameters(), lr=0.01), noise_multiplier=1.0,
                                                          max_grad_norm=1.0, expected_batch_size=batch)
                x = torch.randn(1024, widths[0])
                labels = x[:, :widths[-1]].argmax(1)
                criterion = torch.nn.CrossEntropyLoss()
                first = 0

                def step():
                    nonlocal first
                    optimiser.zero_grad(set_to_none=True)
                    criterion(model(x[first:first + batch]), labels[first:first + batch]).backward()
                    optimiser.step()
                    first = first + batch if first + 2 * batch <= len(x) else 0

                try:
                    times.append(seconds(step, blocks=7, least=0.05))
                except Exception as why:  # a mode that this PyTorch does not know
                    print(f"{mode} left out: {why}", file=sys.stderr)
            if times:
                print(f"private step {name} batch {batch}\t{side}\t{min(times):.9f}", flush=True)


def accountants():
    from importlib.metadata import version

    from dp_accounting import SelfComposedDpEvent, PoissonSampledDpEvent, GaussianDpEvent
    from dp_accounting.pld import PLDAccountant
    for row, sigma, rate, count in EPSILONS:
        def spent():
            accountant = PLDAccountant(value_discretization_interval=1e-4)
            accountant.compose(SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(sigma)), count))
            accountant.get_epsilon(1e-5)

        print(f"{row}\tdp-accounting {version('dp-accounting')}\t{seconds(spent, blocks=3, least=0.05):.9f}", flush=True)


for peer in (opacus_steps, accountants):
    try:
        peer()
    except ImportError as why:
        print(f"left out: {why}", file=sys.stderr)
