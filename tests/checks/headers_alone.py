#!/usr/bin/env python3
"""Every header compiles alone: headers_alone.py INCLUDE_DIR COMPILER..."""
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

include, compilers = Path(sys.argv[1]), sys.argv[2:]
OPT_IN = {Path("privet/crypto/gmp.hpp"): "gmp.h", Path("privet/data/image_file.hpp"): "png.h"}  # left out where what they need is not installed


def fault(pair):
    compiler, header = pair
    if header in OPT_IN and subprocess.run([compiler, "-fsyntax-only", "-include", OPT_IN[header], "-x", "c++",
                                            "/dev/null"], stderr=subprocess.DEVNULL).returncode:
        return None
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
               "-I", str(include), "-include", str(header), "-x", "c++", "/dev/null"]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    return run.returncode and f"{header} does not compile alone with {compiler}:\n{run.stderr[:2000]}"


headers = sorted(path.relative_to(include) for path in include.rglob("*.hpp"))
with ThreadPoolExecutor(2) as pool:
    faults = [text for text in pool.map(fault, product(compilers, headers)) if text]
print(f"{len(headers)} headers, {len(compilers)} compilers, {len(faults)} faults")
sys.exit("\n".join(faults) if faults else 0)
