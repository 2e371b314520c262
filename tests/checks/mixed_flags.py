#!/usr/bin/env python3
"""Files with kernels for several instruction sets make one program: mixed_flags.py INCLUDE_DIR COMPILER...

The linker keeps one copy of every weak symbol, so a function that two such files share may be the copy that the
processor cannot run. Each file is compiled for SSE2, AVX2 and AVX-512, without optimisation and with -O2. Of the weak
symbols (W, V and u in `nm`) that any two objects share,
 1. none is of privet::, wherever the name occurs;
 2. none is a function with an instruction, in either object, that the lesser of the two sets lacks: for SSE2 one with
    a VEX or EVEX prefix (everything since AVX) or a scalar one of later processors, for AVX2 one with EVEX or with a
    mask register. That is read off the bytes, so no list of mnemonics can be out of date.
Without optimisation, rule 2 lets one-line helpers of xsimd and of the standard library pass against SSE2 if they hold
nothing but what SSE2 has too, for one number, in its newer encoding: nobody can keep them from being shared.
Both rules are tried first on functions that break them.
"""
import re
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

SETS = {  # from the least to the greatest
    "sse2": ["-march=x86-64"],
    "avx2": ["-march=x86-64", "-mavx2", "-mfma", "-mbmi", "-mbmi2", "-mlzcnt", "-mpopcnt", "-mmovbe"],
    "avx512": ["-march=x86-64-v4"],
}
NEWER_SCALARS = {"popcnt", "lzcnt", "tzcnt", "movbe", "crc32"}
ONE_NUMBER = re.compile(r"v(?!fn?m)(\w+s[sd]|\w+s[sd]2si\w*|\w+si2s[sd]\w*|mov[dq]|xorp[sd])\b(?!.*%[yz]mm)")
WEAK, PIECE = set("WVu"), re.compile(r"(\.(cold|part|isra|constprop|lto_priv)(\.\d+)*)+$")


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


class Object:
    def __init__(self, path):
        rows = [line.split() for line in output("nm", path).splitlines()]
        self.weak = {row[-1] for row in rows if len(row) == 3 and row[1] in WEAK}
        self.code, name = {}, None
        for line in output("objdump", "-d", "-w", path).splitlines():
            if head := re.match(r"[0-9a-f]+ <(.+)>:$", line):
                name = PIECE.sub("", head[1])  # what the compiler splits off belongs to the function
            elif len(fields := line.split("\t")) == 3:
                self.code.setdefault(name, []).append((bytes.fromhex(fields[1].replace(" ", "")), fields[2].strip()))


def runs(code, text, lesser):
    """Whether processors of the set `lesser` have this instruction."""
    word = text.split()[0]
    while code[:1] in {b"\x66", b"\xf2", b"\xf3", b"\x2e", b"\x3e", b"\x26", b"\x64", b"\x65"}:
        code = code[1:]
    if lesser == "avx2":
        return code[0] != 0x62 and not re.search(r"%k[0-7]\b", text)
    return code[0] not in {0x62, 0xC4, 0xC5} and word not in NEWER_SCALARS


def faults(objects, optimised):
    """{(lesser, greater): {symbol: reason}}, and how many symbols are shared."""
    found, shared = {}, 0
    for lesser, greater in combinations(objects, 2):
        both = objects[lesser].weak & objects[greater].weak
        shared += len(both)
        for symbol in both:
            if "6privet" in symbol:
                reason = "is of privet"
            else:
                bad = [text for one in (lesser, greater) for code, text in objects[one].code.get(symbol, [])
                       if not runs(code, text, lesser)
                       and (optimised or lesser != "sse2" or not ONE_NUMBER.match(text))]
                if not bad:
                    continue
                reason = "has " + "; ".join(sorted(set(bad))[:3])
            found.setdefault((lesser, greater), {})[symbol] = reason
    return found, shared


def compiled(compiler, level, source, include, folder):
    objects = {}
    for name, flags in SETS.items():
        path = f"{folder}/{name}.o"
        subprocess.run([compiler, "-std=c++20", level, *flags, f"-DENTRY=run_{name}", "-I", include, "-c", source,
                        "-o", path], check=True)
        objects[name] = Object(path)
    return objects


def self_test(compiler, include, folder):
    source = Path(__file__).with_name("mixed_flags_mistake.cpp")
    for level in ("-O0", "-O2"):
        found, shared = faults(compiled(compiler, level, source, include, folder), level != "-O0")
        names = {pair: {re.search("outside|doubled|masked|shifted|harmless", symbol)[0] for symbol in symbols}
                 for pair, symbols in found.items()}
        assert shared == 3 * 5, (compiler, level, shared)
        assert names == {("sse2", "avx2"): {"outside", "doubled", "shifted"},
                         ("sse2", "avx512"): {"outside", "doubled", "shifted", "masked"},
                         ("avx2", "avx512"): {"outside", "masked"}}, (compiler, level, found)


include, compilers = sys.argv[1], sys.argv[2:]
source, wrong = Path(__file__).with_name("mixed_flags.cpp"), []
with tempfile.TemporaryDirectory() as folder:
    for compiler in compilers:
        self_test(compiler, include, folder)
        for level in ("-O0", "-O2"):
            found, shared = faults(compiled(compiler, level, source, include, folder), level != "-O0")
            print(f"{Path(compiler).name} {level}: {shared} shared symbols, {sum(map(len, found.values()))} faults")
            for (lesser, greater), symbols in found.items():
                for symbol, reason in sorted(symbols.items()):
                    name = output("c++filt", symbol).strip()
                    wrong.append(f"{compiler} {level}: {lesser} and {greater} share {name}, which {reason}")
sys.exit("\n".join(wrong) if wrong else 0)
