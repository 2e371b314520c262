#!/usr/bin/env python3
"""Runs the program `personal` as a person would: personal.py PROGRAM DATA"""
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, DATA = sys.argv[1], pathlib.Path(sys.argv[2]) / "wisdm"


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status or (status and done.returncode > 0), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


assert "personal: " in run("--data", DATA / "none.arff", status=1)
assert "the nearest is 'random'" in run("--data", DATA, "--split", "randon", status=1)
assert "--folds" in run("--data", DATA, "--folds", "2", status=1)
if not DATA.exists():
    print(f"personal: {DATA} is not on this machine, the rest is left out")
    sys.exit()

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    few = ["--data", DATA, "--user", 3, "--own", "5,20,60", "--repeats", 2]
    one, two = (run(*few, "--threads", n, "--json", folder / f"{n}.json", "--svg", folder / "curve.svg") for n in (1, 2))
    assert one == two and (folder / "1.json").read_bytes() == (folder / "2.json").read_bytes()
    assert (folder / "curve.svg").read_text().rstrip().endswith("</svg>")
    record = json.loads((folder / "1.json").read_text())
    user, = record["users"]
    assert user["user"] == 3 and user["windows"] == 179 and len(user["measured"]) == 6, user
    for m in user["measured"]:  # below ten windows it is the shared model
        assert m["own"] in (5, 20, 60) and m["tested"] in (35, 36), m
        assert (m["own"] > 5 or not m["kept"]) and (m["kept"] or m["personal"] == m["shared"]), m
    assert run(*few) != run(*few, "--seed", 2)
    assert "no windows" in run("--data", DATA, "--user", 37, status=1)

    run("--data", DATA, "--own", "20,60,160", "--repeats", 1, "--json", folder / "all.json")
    record = json.loads((folder / "all.json").read_text())
    curve = {point["own"]: point for point in record["curve"]}
    assert len(record["users"]) == 36 and record["shared"] >= 0.75, record["shared"]
    # One fold of five: a point less than the mean of all five may be chance.
    assert curve[60]["personal"] >= 0.835 and curve[160]["personal"] >= 0.865, curve
    assert curve[60]["local"] < curve[60]["personal"] and curve[20]["personal"] > curve[20]["shared"] - 0.005, curve
print("personal: as expected")
