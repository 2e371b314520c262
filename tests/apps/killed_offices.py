#!/usr/bin/env python3
"""Kills `offices` (kill -9) at ten random points and takes it up again: killed_offices.py OFFICES [SEED]

A killed process gets no say, wherever it was: training, between the two files of a round, writing. The last finished
round is all that `--resume` has, and the weights must be those of a run that nobody killed.
"""
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

program = sys.argv[1]
seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
source = random.Random(seed)
folder = Path(tempfile.mkdtemp(prefix="privet-killed-"))
failures = 0
print(f"seed {seed}")

common = ["--rounds", "30", "--local-epochs", "4", "--federation-only", "--threads", "1"]
# What has to come back: weights; an optimiser's two moments and rounds that were given up; control variates of server
# and offices, and the sum of the models that are averaged; what thin links left out.
runs = {"plain": [],
        "yogi": ["--strategy", "fedyogi", "--drop-outs", "0.4", "--quorum", "3"],
        "scaffold": ["--strategy", "scaffold", "--drop-outs", "0.2", "--average-rounds", "20", "--final-rate", "0.2"],
        "thin": ["--upload", "top-k:0.01", "--momentum-correction", "0.5", "--strategy", "fedavgm"],
        "robust": ["--strategy", "multi-krum", "--offices", "6", "--attackers", "1"]}


def check(holds, what):
    global failures
    failures += not holds
    print(("ok      " if holds else "FAILED  ") + what, flush=True)


def weights(out):
    path = folder / out / "model.safetensors"
    return path.read_bytes() if path.exists() else b""


def rounds(out):
    path = folder / out / "run.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def killed(words, out, after, pause):
    """Kills the run `pause` seconds after it has finished round `after`; false if it was faster."""
    job = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while job.poll() is None and rounds(out) < after:
        time.sleep(0.001)
    time.sleep(pause)
    job.kill()
    return job.wait() == -9


attempt = 0
for name, words in runs.items():
    began = time.monotonic()
    whole = subprocess.run([program, *common, *words, "--out", str(folder / name)], capture_output=True, text=True)
    one_round = (time.monotonic() - began) / 30
    check(whole.returncode == 0 and rounds(name) == 30, f"{name}: an uninterrupted run {whole.stderr.strip()}")
    for again in range(2):
        attempt += 1
        out = f"{name}-{again}"
        hit = killed([*common, *words, "--out", str(folder / out)], out, source.randrange(1, 24), source.uniform(0, 2 * one_round))
        first = rounds(out)
        if again:  # and once more, on its way
            killed(["--resume", str(folder / out), "--federation-only", "--threads", "1"], out, min(first + 3, 30), source.uniform(0, 2 * one_round))
        last = rounds(out)
        done = subprocess.run([program, "--resume", str(folder / out), "--federation-only"], capture_output=True, text=True)
        check(hit and done.returncode == 0 and weights(name) != b"" and weights(out) == weights(name) and rounds(out) == 30,
              f"{attempt}: {name} killed after round {first}{f', killed after round {last}' if again else ''}: the same weights {done.stderr.strip()}")

sys.exit(1 if failures else 0)
