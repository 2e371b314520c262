#!/usr/bin/env python3
"""One misuse, one readable error: compile_fail.py --include DIR [--precompiled FILE] [--misuse-only] COMPILER FILE

The first line of FILE is `// expect: P009 selection-before-noise`. With -DMISUSE=0 it must compile; with -DMISUSE=1
it must fail with exactly one error, which starts with that code and name in brackets.
`--misuse-only` leaves the good line to another compiler. `--precompile` instead of FILE writes all of privet to the
file of `--precompiled`, for clang++: with that a case takes a second instead of ten.
`--self-test` instead of FILE tries the harness on the samples in self_test/.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

EXPECT = re.compile(r"^// expect: (P\d{3}) ([a-z0-9-]+)$")


def command(compiler, include):
    return [compiler, "-std=c++20", "-Wall", "-Wextra", "-fdiagnostics-color=never", "-I", include]


def precompile(compiler, include, to):
    subprocess.run([*command(compiler, include), "-fpch-instantiate-templates", "-x", "c++-header",
                    f"{include}/privet/privet.hpp", "-o", to], check=True)


def fault(compiler, include, file, precompiled=None, misuse_only=False):
    """What is wrong with `file`, or None."""
    first = file.read_text().splitlines()[0]
    expected = EXPECT.match(first)
    if not expected:
        return f"the first line should be `// expect: P0nn name`, and is `{first}`"
    code, name = expected.groups()

    def compile_with(misuse):
        extra = ["-include-pch", precompiled] if precompiled else []
        return subprocess.run([*command(compiler, include), "-fsyntax-only", *extra, f"-DMISUSE={misuse}", str(file)],
                              stderr=subprocess.PIPE, text=True)

    if not misuse_only and (good := compile_with(0)).returncode:
        return f"the good line does not build:\n{good.stderr}"
    bad = compile_with(1)
    errors = re.findall(r".*\berror: .*", bad.stderr)
    if not bad.returncode:
        return "the misuse builds"
    if len(errors) != 1:
        return f"{len(errors)} errors instead of one:\n{bad.stderr}"
    if not re.search(rf"error: .*\[{code} {name}\]", errors[0]):
        return f"the error does not say [{code} {name}]:\n{errors[0]}"
    return None


def self_test(compiler, include):
    samples = {"good.cpp": None, "two_errors.cpp": "2 errors", "wrong_code.cpp": "does not say [P001 wanted]",
               "misuse_builds.cpp": "the misuse builds", "good_fails.cpp": "the good line does not build"}
    for name, expected in samples.items():
        found = fault(compiler, include, Path(__file__).parent / "self_test" / name)
        if (found is None) != (expected is None) or (expected and expected not in found):
            sys.exit(f"self_test/{name}: expected {expected!r}, found {found!r}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--include", required=True)
    parser.add_argument("--precompiled")
    parser.add_argument("--misuse-only", action="store_true")
    parser.add_argument("--precompile", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("compiler")
    parser.add_argument("file", nargs="?", type=Path)
    given = parser.parse_args()
    if given.self_test:
        self_test(given.compiler, given.include)
    elif given.precompile:
        precompile(given.compiler, given.include, given.precompiled)
    elif found := fault(given.compiler, given.include, given.file, given.precompiled, given.misuse_only):
        sys.exit(f"{given.file}: {found}")
