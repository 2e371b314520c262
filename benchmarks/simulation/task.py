"""The task that all sides of `./dev bench simulation` share: 100 clients, 20 rows each, one epoch in one batch.

A batch of all rows leaves no order to draw, so every side computes the same weights, and the bench compares them.
"""
import sys
import time
from pathlib import Path

CLIENTS, ROWS, RATE, CHECKED = 100, 20, 0.1, 3  # CHECKED: the round whose weights are compared
WIDTHS = (43, 128, 6)


def make(folder):
    import numpy
    draw = numpy.random.default_rng(1)
    x = draw.standard_normal((CLIENTS * ROWS, WIDTHS[0]), dtype=numpy.float32)
    x.tofile(folder / "x.f32")
    x[:, :WIDTHS[-1]].argmax(1).astype(numpy.int32).tofile(folder / "y.i32")
    tensors = []  # in the order of files: W (out, in), bias, layer by layer
    for before, after in zip(WIDTHS, WIDTHS[1:]):
        tensors += [draw.uniform(-1, 1, (after, before)) / before**0.5, draw.uniform(-1, 1, after) / before**0.5]
    numpy.concatenate([t.ravel() for t in tensors]).astype(numpy.float32).tofile(folder / "start.f32")


class Data:
    def __init__(self, folder):
        import numpy
        import torch
        self.x = torch.from_numpy(numpy.fromfile(folder / "x.f32", numpy.float32).reshape(CLIENTS, ROWS, WIDTHS[0]))
        self.y = torch.from_numpy(numpy.fromfile(folder / "y.i32", numpy.int32).astype(numpy.int64).reshape(CLIENTS, ROWS))
        self.start = torch.from_numpy(numpy.fromfile(folder / "start.f32", numpy.float32))

    def model(self):
        import torch
        model = torch.nn.Sequential(torch.nn.Linear(WIDTHS[0], WIDTHS[1]), torch.nn.ReLU(inplace=True),
                                    torch.nn.Linear(WIDTHS[1], WIDTHS[2]))
        torch.nn.utils.vector_to_parameters(self.start.clone(), model.parameters())
        return model


class Clock:
    """Call `tick` after each round: the first `CHECKED` are not counted, and the last of them leaves its weights."""

    def __init__(self, folder, side):
        self.folder, self.side, self.rounds, self.start, self.seconds = folder, side, 0, 0.0, 0.0

    def tick(self, weights):
        """`weights()`: the tensors or arrays, in the order of files."""
        now = time.perf_counter()
        self.rounds += 1
        if self.rounds == CHECKED:
            import numpy
            flat = numpy.concatenate([numpy.asarray(w, dtype=numpy.float32).ravel() for w in weights()])
            flat.tofile(self.folder / f"{self.side}.f32")
            self.start = time.perf_counter()
        elif self.rounds > CHECKED:
            self.seconds = (now - self.start) / (self.rounds - CHECKED)

    def report(self, name):
        print(f"result\t{name}\t{self.seconds:.9f}", flush=True)


def arguments():
    """Folder, rounds that count, and the variant."""
    return Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
