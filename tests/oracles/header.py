"""Writes numbers as a C++ header of constexpr arrays, exact to the last bit."""
import pathlib
import textwrap

import numpy as np

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
TYPES = {"float32": "float", "float64": "double", "int32": "std::int32_t", "uint32": "std::uint32_t", "uint64": "std::uint64_t"}


def literal(value):
    if isinstance(value, np.str_):
        return f'"{value}"'
    if np.issubdtype(value.dtype, np.integer):
        return str(value)
    text = repr(value.item()) if value.dtype == np.float64 else str(value)  # the shortest that reads back
    return text + ("f" if value.dtype == np.float32 else "")


def braces(array):
    if array.ndim == 1:
        return "{" + ", ".join(map(literal, array)) + "}"
    return "{" + ", ".join(map(braces, array)) + "}"


def declare(name, array):
    array = np.asarray(array)
    if array.ndim == 0:
        return f"inline constexpr {TYPES[array.dtype.name]} {name} = {literal(array[()])};"
    extents = "".join(f"[{n}]" for n in array.shape)
    kind = "const char*" if array.dtype.kind == "U" else TYPES[array.dtype.name]
    text = f"inline constexpr {kind} {name}{extents} = {braces(array)};"
    return "\n".join(textwrap.wrap(text, 110, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False))


def write(script, made_with, namespace, arrays):
    """tests/fixtures/<stem of the script>.hpp from {name: array}."""
    script = pathlib.Path(script)
    FIXTURES.joinpath(script.stem + ".hpp").write_text("\n".join([
        "#pragma once",
        f"// Made by tests/oracles/{script.name} with {made_with}; not edited by hand.",
        "// clang-format off",
        "",
        "#include <cstdint>",
        "",
        f"namespace privet::test::{namespace} {{",
        "",
        *(declare(name, array) for name, array in arrays.items()),
        "",
        f"}} // namespace privet::test::{namespace}",
        "",
    ]))
