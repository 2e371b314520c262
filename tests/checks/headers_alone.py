#!/usr/bin/env python3
"""Every header compiles alone: headers_alone.py INCLUDE_DIR COMPILER..."""
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path

include, compilers = Path(sys.argv[1]), sys.argv[2:]
OPT_IN = {"privet/crypto/gmp.hpp": "gmp.h", "privet/data/image_file.hpp": "png.h"}  # left out where what they need is not installed
HEAVY = re.compile(r"xsimd/|xtensor/|nlohmann/|boost/")  # of others; what a chain reaches of them comes precompiled
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@cache
def includes(header):
    return re.findall(r"^#include <([^>]+)>", (include / header).read_text(), re.M)


@cache
def reached(header):
    """Our headers that compile with this one, itself among them."""
    ours = [name for name in includes(header) if name.startswith("privet/")]
    return frozenset([header]).union(*map(reached, ours))


@cache
def heavy(header):
    """The heavy headers of others that a header includes, itself or through ours."""
    found = []
    for name in includes(header):
        if name.startswith("privet/"):
            found += heavy(name)
        elif HEAVY.match(name) and installed(name):
            found.append(name)
    return tuple(sorted(set(found)))


@cache
def installed(name):
    return not subprocess.run([compilers[0], "-fsyntax-only", "-include", name, "-x", "c++", "/dev/null"],
                              stderr=subprocess.DEVNULL).returncode


def chains(headers):
    """Lists in which each header includes the one before it, itself or through others. It finds then what it would have
    found alone, and a list compiles in the time of its last header."""
    left = set(headers)
    by_size = lambda header: (len(reached(header)), header)
    for last in sorted(headers, key=by_size, reverse=True):
        chain = []
        while last and last in left:
            chain.insert(0, last)
            left.remove(last)
            last = max(reached(last) & left, key=by_size, default=None)
        if chain:
            yield chain


def precompiled(compiler, names):
    return folder / (re.sub(r"\W+", "_", "_".join([Path(compiler).name, *names])) + ".hpp")


def precompile(pair):
    header = precompiled(*pair)
    header.write_text("".join(f"#include <{name}>\n" for name in pair[1]))
    output = header.with_suffix(".hpp.pch" if "clang" in pair[0] else ".hpp.gch")
    subprocess.run([pair[0], *FLAGS, "-x", "c++-header", header, "-o", output], check=True)


def fault(pair):
    compiler, chain = pair
    names = heavy(chain[-1])
    first = [precompiled(compiler, names)] if names else []
    command = [compiler, *FLAGS, "-fsyntax-only", "-I", str(include), "-x", "c++", "/dev/null"]
    for header in [*first, *chain]:
        command += ["-include", str(header)]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    return run.returncode and f"{', '.join(chain)}: one does not compile alone with {compiler}:\n{run.stderr[:2000]}"


headers = sorted(str(path.relative_to(include)) for path in include.rglob("*.hpp"))
headers = [header for header in headers if header not in OPT_IN or installed(OPT_IN[header])]
lists = list(chains(headers))
sets = {heavy(chain[-1]) for chain in lists} - {()}
with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
    folder = Path(name)
    list(pool.map(precompile, product(compilers, sets)))
    faults = [text for text in pool.map(fault, product(compilers, lists)) if text]
print(f"{len(headers)} headers in {len(lists)} compilations, {len(compilers)} compilers, {len(faults)} faults")
sys.exit("\n".join(faults) if faults else 0)
