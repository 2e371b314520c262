#!/usr/bin/env python3
"""Someone who trains a model gets neither Boost, JSON nor file streams: include_tree.py INCLUDE_DIR FILE COMPILER

What the gateways to xtensor and xsimd bring along (xtensor includes <iostream>) is not ours to choose and is left out
of the comparison. The seconds of CPU at -O2 are printed.
"""
import re
import resource
import subprocess
import sys
import tempfile

include, file, compiler = sys.argv[1:]
FORBIDDEN = re.compile(r"/(boost|nlohmann)/|/(iostream|fstream|sstream|ostream|istream|iomanip)$|/(zlib|sodium|png|jpeglib)\.h$")
flags = [compiler, "-std=c++20", "-I", include]


def tree(*arguments, source=None):
    run = subprocess.run([*flags, "-M", *arguments], input=source, stdout=subprocess.PIPE, text=True, check=True)
    return set(run.stdout.replace("\\\n", " ").split())


brought = tree("-x", "c++", "-", source="#include <privet/core/tensor.hpp>\n#include <privet/simd/arch.hpp>\n")
unwanted = sorted(path for path in tree(file) - brought if FORBIDDEN.search(path))
before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
with tempfile.NamedTemporaryFile(suffix=".o") as out:
    subprocess.run([*flags, "-O2", "-c", file, "-o", out.name], check=True)
seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

print(f"{len(tree(file))} headers, {seconds:.1f} s of CPU at -O2")
if unwanted:
    sys.exit(f"{file} includes\n" + "\n".join(unwanted))
