#!/usr/bin/env python3
"""The floor rule, read off the #include lines.

A header includes its own room or lower floors, never a sibling on its floor; and each outside
library is named in one gateway only. `floors.py ROOT` checks a tree; `--self-test` checks the check.
"""
import re
import sys
import tempfile
from pathlib import Path

INCLUDE_LINE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
GATEWAYS = {  # what an outside include starts with -> the only file that may name it; the first that fits counts
    "xtensor": "include/privet/core/tensor.hpp",
    "xtl": "include/privet/core/tensor.hpp",
    "xsimd": "include/privet/simd/arch.hpp",
    "nlohmann": "include/privet/core/json.hpp",
    "zlib.h": "include/privet/core/zlib.hpp",
    "boost/multiprecision/gmp.hpp": "include/privet/crypto/gmp.hpp",
    "boost": "include/privet/crypto/bigint.hpp",
    "sodium": "include/privet/crypto/sodium.hpp",
    "png.h": "include/privet/data/image_file.hpp",
    "jpeglib.h": "include/privet/data/image_file.hpp",
    "jerror.h": "include/privet/data/image_file.hpp",
    "catch2": "tests/support/catch.hpp",
}


def read_rooms(text):
    return {line.split()[1]: int(line.split()[0]) for line in text.splitlines() if line[:1].isdigit()}


def gateway_fault(file, name):
    for start, gateway in GATEWAYS.items():
        if re.match(re.escape(start) + r"(\W|$)", name):
            return None if file == gateway else f"{name} may be named in {gateway} only"


def floor_fault(file, name, rooms):
    """`file` is include/privet/<room>/<noun>.hpp; `name` is what it includes."""
    room, target = file.split("/")[2], name.split("/")
    if target[0] != "privet":
        return None
    if len(target) != 3:
        return f"{name} is a whole floor; include the nouns you need"
    if target[1] not in rooms:
        return f"{name}: no such room"
    if target[1] == room or rooms[target[1]] < rooms[room]:
        return None
    arrow = "its sibling" if rooms[target[1]] == rooms[room] else "the higher"
    return f"{room} (floor {rooms[room]}) includes {arrow} {target[1]} (floor {rooms[target[1]]})"


def check(root, rooms):
    faults = []
    folders = ["include", "tests", "examples", "benchmarks"]
    for path in sorted(p for folder in folders for p in (root / folder).rglob("*") if p.suffix in {".hpp", ".cpp"}):
        file = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE_LINE.match(line)
            if not match:
                continue
            name = match.group(1)
            found = gateway_fault(file, name)
            if not found and re.match(r"include/privet/\w+/", file):
                found = floor_fault(file, name, rooms)
            if found:
                faults.append(f"{file}:{number}: {found}")
    return faults


def self_test():
    rooms = {"core": 0, "nn": 2, "optim": 2, "train": 4}
    cases = {  # file, line -> a word of the expected fault, or None
        ("include/privet/train/step.hpp", "#include <privet/nn/dense.hpp>"): None,
        ("include/privet/nn/loss.hpp", "#include <privet/nn/dense.hpp>"): None,
        ("include/privet/core/tensor.hpp", "#include <xtensor/xtensor.hpp>"): None,
        ("include/privet/crypto/gmp.hpp", "#include <boost/multiprecision/gmp.hpp>"): None,
        ("include/privet/crypto/bigint.hpp", "#include <boost/multiprecision/gmp.hpp>"): "crypto/gmp.hpp only",
        ("include/privet/nn/dense.hpp", "#include <privet/optim/sgd.hpp>"): "sibling",
        ("include/privet/nn/dense.hpp", "#  include <privet/train/step.hpp>"): "higher",
        ("include/privet/nn/dense.hpp", "#include <privet/train.hpp>"): "whole floor",
        ("include/privet/nn/dense.hpp", "#include <privet/attic/old.hpp>"): "no such room",
        ("include/privet/nn/dense.hpp", '#include "xtensor/xtensor.hpp"'): "core/tensor.hpp only",
        ("tests/nn/dense.test.cpp", "#include <catch2/catch.hpp>"): "support/catch.hpp only",
    }
    for (file, line), expected in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            path.parent.mkdir(parents=True)
            path.write_text("#pragma once\n" + line + "\n")
            faults = check(Path(folder), rooms)
        if expected is None:
            assert not faults, faults
        else:
            assert len(faults) == 1 and expected in faults[0] and ":2:" in faults[0], (file, line, faults)


if __name__ == "__main__":
    if sys.argv[1] == "--self-test":
        self_test()
    else:
        root = Path(sys.argv[1])
        faults = check(root, read_rooms((root / "tests/rooms.txt").read_text()))
        sys.exit("\n".join(faults) if faults else 0)
