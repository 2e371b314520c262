#!/usr/bin/env python3
"""Runs the program `ring` as a person would: ring.py PROGRAM FOLDER_OF_DATA"""
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, DATA = sys.argv[1], pathlib.Path(sys.argv[2]) / "heart_disease"


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status or (status and done.returncode > 0), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    assert "cannot open" in run("--data", folder / "none", status=1)
    assert "the nearest is 'fixed'" in run("--data", DATA, "--order", "fixt", status=1)
    assert "the nearest is '--laps'" in run("--data", DATA, "--lapse", "3", status=1)
    assert "--epsilon" in run("--data", DATA, "--epsilon", "nan", status=1)
    for file in ("cleveland", "hungarian", "switzerland", "va"):
        (folder / f"processed.{file}.data").write_text("63,1,1,145,233,1,2,150,0,2.3,3,0,6,7\n")
    assert "processed.cleveland.data:1, column 14 'num': '7'" in run("--data", folder, status=1)

    if not DATA.is_dir():
        print(f"ring: skipped, {DATA} is not on this machine")
        sys.exit(0)
    out = folder / "ring.json"
    text = run("--data", DATA, "--seeds", "4", "--json", out)
    assert "patients at one hospital only (declared): epsilon at most" in text and "for one example" in text, text
    record = json.loads(out.read_text())
    area = {model["name"]: model["auc"] for model in record["models"]}
    assert all(model["low"] <= model["auc"] <= model["high"] for model in record["models"])
    central, ring, private = area["all rows in one place"], area["ring, 40 laps"], area["ring, epsilon 3"]
    alone = max(a for name, a in area.items() if name.endswith("alone"))
    assert max(central, ring) >= .885 and abs(ring - central) <= .003, area
    assert ring - alone >= .015 and ring - private <= .04, area
    privacy = record["privacy"]
    assert 2.9 < privacy["epsilon"] <= 3 and privacy["delta"] == 1e-5, privacy
    assert "epsilon at most 11.9" in privacy["without_the_declaration"], privacy

    again = folder / "again.json"
    run("--data", DATA, "--seeds", "2", "--threads", "1", "--json", again)
    for one, other in zip(record["models"], json.loads(again.read_text())["models"]):
        if one["name"] != "ring, epsilon 3":  # whose noise is secret
            assert one["by_seed"][:2] == other["by_seed"], one["name"]
    fixed = folder / "fixed.json"
    run("--data", DATA, "--seeds", "1", "--order", "fixed", "--epsilon", "1", "--json", fixed)
    assert json.loads(fixed.read_text())["privacy"]["epsilon"] <= 1
print("ring: as expected")
