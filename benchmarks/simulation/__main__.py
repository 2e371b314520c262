#!/usr/bin/env python3
"""Rounds per second of a simulated federation: simulation [--repeats N] [--json FILE], from `./dev bench simulation`.

The task is in task.py: 100 clients, 20 rows each, one epoch, 43-128-6, two cores. Every side is a process of its own that
times its rounds by the clock, after three that do not count; the repeats are interleaved, and medians are shown. A peer that
can be run in two ways gets the faster. Then the memory of a million virtual clients, 10^4 in a round, beyond the data.
"""
import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(HERE))
from task import CHECKED, CLIENTS, ROWS, make

PRIVET = ROOT / "build/bench/bin/bench_simulation"
NAME = f"simulation A, {CLIENTS} clients of {ROWS} rows"
GOALS = {"PyTorch": 10, "pfl-research": 20, "Flower": 50}


class Side:
    """A way to run a peer: rounds that count, its script and what that is told, packages of its own, processes."""

    def __init__(self, peer, label, rounds, script, variant, folder=None, processes=1):
        self.peer, self.label, self.rounds, self.processes = peer, label, rounds, processes
        self.script, self.variant, self.folder = script, variant, folder
        self.name, self.seconds = peer, []

    def command(self, data):
        if self.script is None:
            return [PRIVET, data, str(self.rounds), self.variant]
        return [sys.executable, "-P", HERE / self.script, data, str(self.rounds), self.variant]

    def weights(self, data):
        kind = Path(self.script).stem.split("_")[0] if self.script else "privet"
        return data / f"{kind}-{self.variant}.f32"

    def run(self, data):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
                       "PYTHONPATH": os.pathsep.join(map(str, filter(None, (self.folder, HERE))))}
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name, None)
        if self.processes > 1:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            environment |= {"WORLD_SIZE": str(self.processes), "LOCAL_WORLD_SIZE": str(self.processes),
                            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
                            "TORCHELASTIC_RUN_ID": "1"}  # by which pfl-research knows
        running = [subprocess.Popen(self.command(data), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env=environment | ({"RANK": str(i), "LOCAL_RANK": str(i)} if self.processes > 1 else {}))
                   for i in range(self.processes)]
        outputs = [p.communicate() for p in running]
        for p, (_, errors) in zip(running, outputs):
            if p.returncode != 0:
                raise RuntimeError(f"{self.label}: {errors.strip().splitlines()[-1] if errors.strip() else p.returncode}")
        line = next(line for line in outputs[0][0].splitlines() if line.startswith("result\t"))
        _, self.name, seconds = line.split("\t")
        self.seconds.append(float(seconds))

    def median(self):
        return statistics.median(self.seconds)


def sides():
    """All that are installed, ours first, and a sentence for each that is not."""
    pfl, flower = ROOT / "build/peers-pfl", ROOT / "build/peers-flower"
    pip = "/usr/bin/python3 -m pip install --target"
    present, missing = [Side("privet", "2 threads", 2000, None, "2"), Side("privet", "1 thread", 2000, None, "1")], []
    if subprocess.run([sys.executable, "-P", "-c", "import torch, numpy"], stderr=subprocess.DEVNULL).returncode != 0:
        return present, ["PyTorch is not installed and left out, and with it all peers: apt-get install python3-torch"]
    present += [Side("PyTorch", f"loop, {t} thread{'s' * (t > 1)}", 80 // t**3, "pytorch_loop.py", str(t)) for t in (1, 2)]
    if (pfl / "pfl").is_dir():
        present += [Side("pfl-research", f"{p} process{'es' * (p > 1)}", 40, "pfl_research.py", str(p), pfl, p) for p in (1, 2)]
    else:
        missing.append(f"pfl-research is not installed and left out: {pip} build/peers-pfl --no-deps pfl==0.5.2 "
                       "'dp-accounting<0.6' multiprocess==0.70.18 dill prv-accountant dm-tree 'packaging<26'")
    if (flower / "flwr").is_dir():
        present += [Side("Flower", f"{way}_simulation", 5, "flower.py", way, flower) for way in ("run", "start")]
    else:
        missing.append(f"Flower is not installed and left out (half a gigabyte): {pip} build/peers-flower "
                       "'flwr[simulation]==1.29.0' 'numpy<2'")
    return present, missing


def differs(side, ours, data):
    import numpy
    return not numpy.allclose(numpy.fromfile(side.weights(data), numpy.float32), ours, rtol=0, atol=1e-5)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    everyone, notes = sides()
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        make(data)
        for _ in range(options.repeats):
            for side in list(everyone):
                try:
                    side.run(data)
                except RuntimeError as why:
                    everyone.remove(side)
                    notes.append(f"{side.peer}, {side.label}, is left out: it failed. {why}")
                    wrong |= side.script is None
        if everyone:
            import numpy
            ours = numpy.fromfile(everyone[0].weights(data), numpy.float32)
            for side in everyone[1:]:
                if differs(side, ours, data):
                    notes.append(f"WRONG: {side.peer}, {side.label}: its weights after round {CHECKED} are others.")
                    wrong = True

    def best(peer):
        return min((s for s in everyone if s.peer == peer), key=Side.median, default=None)

    base = best("privet")
    rows = []
    print(f"{NAME}, one epoch, two cores; medians of {options.repeats} interleaved runs by the clock")
    for side in everyone:
        spread = (max(side.seconds) - min(side.seconds)) / side.median() * 100
        print(f"  {side.name:42} {side.label:17} {1 / side.median():9.1f} rounds/s {side.median() * 1e3:10.3f} ms "
              f"{side.median() / base.median():8.1f}x   spread {spread:.0f} %")
    for peer, goal in GOALS.items():
        if side := best(peer):
            ratio = side.median() / base.median()
            lowest = min(p / o for p, o in zip(side.seconds, base.seconds))
            print(f"privet against {side.name}: {ratio:.1f}x, the least of {options.repeats} pairs {lowest:.1f}x (goal {goal}x)")
            rows.append({"name": NAME, "ours": base.median() * 1e6, "peer": side.median() * 1e6, "peer_name": side.name,
                         "ratio": ratio, "unit": "microseconds", "percent_of_peak": None})
    text = subprocess.run([PRIVET, "memory", "1000000", "10000", "2"], stdout=subprocess.PIPE, text=True, check=True).stdout
    with_data, beyond, seconds = map(float, text.split("\t")[1:])
    print(f"1,000,000 virtual clients, 10,000 in a round: peak memory {beyond:.1f} MB beyond the {with_data:.1f} MB of program "
          f"and data (goal 200 MB), {seconds * 1e3:.1f} ms a round")
    rows.append({"name": "simulation memory, 1e6 clients, 1e4 in a round", "ours": beyond, "peer": None, "peer_name": None,
                 "ratio": None, "unit": "megabytes", "percent_of_peak": None})
    for note in notes:
        print(note)
    if options.json:
        entries = json.loads(options.json.read_text()) if options.json.exists() else []
        options.json.write_text(json.dumps(entries + rows, indent=2) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
