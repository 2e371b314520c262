#!/usr/bin/env python3
"""Runs the program `survey` as a person would: survey.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
ORACLES = ["randomised-response", "symmetric-unary", "optimised-unary", "local-hashing", "hadamard", "subset"]


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status or (status and done.returncode > 0), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    table = folder / "answers.csv"
    rows = ["age,colour"] + [f"{20 + i % 50},{'red' if i % 10 < 6 else 'green' if i % 10 < 9 else 'blue'}" for i in range(20000)]
    table.write_text("\n".join(rows) + "\n")

    for oracle in ORACLES:
        out = folder / f"{oracle}.json"
        text = run("--data", table, "--column", "colour", "--oracle", oracle, "--epsilon", "2", "--json", out)
        assert "20000 answers" in text and "replace-one" in text, text
        record = json.loads(out.read_text())
        assert record["epsilon"] == 2 and record["oracle"] == oracle and record["relation"] == "replace-one"
        truth = {value["category"]: value["truth"] for value in record["values"]}
        assert all(abs(truth[c] - t) < 1e-9 for c, t in {"red": .6, "green": .3, "blue": .1}.items()), truth
        for value in record["values"]:  # within 6 standard errors
            error = (value["high"] - value["low"]) / 2 / 1.96
            assert abs(value["estimate"] - value["truth"]) < 6 * error, (oracle, value)
        assert abs(sum(value["nearest"] for value in record["values"]) - 1) < 1e-9

    picture = folder / "colour.svg"
    assert "written" in run("--data", table, "--column", "colour", "--svg", picture)
    assert picture.read_text().startswith("<svg") and picture.read_text().rstrip().endswith("</svg>")

    assert "the nearest is 'hadamard'" in run("--data", table, "--column", "colour", "--oracle", "hadamar", status=1)
    assert "no column 'color'" in run("--data", table, "--column", "color", status=1)
    assert "--epsilon" in run("--data", table, "--column", "colour", "--epsilon", "0", status=1)
    assert "--epsilon" in run("--data", table, "--column", "colour", "--epsilon", "nan", status=1)
    assert str(folder / "none.csv") in run("--data", folder / "none.csv", "--column", "colour", status=1)
    one = folder / "one.csv"
    one.write_text("age,colour\n1,red\n2,red\n")
    assert "at least 2" in run("--data", one, "--column", "colour", status=1)
print("survey: as expected")
