#!/usr/bin/env python3
"""Fixtures for the file formats, and the check of our files by the libraries that own the formats.

  formats.py fixtures        writes tests/fixtures/{npy,npz,safetensors,gzip} with numpy and safetensors
  formats.py check FOLDER    opens what `PRIVET_FORMATS_OUT=FOLDER test_core "[oracle]"` wrote

Needs numpy >= 1.24 and safetensors >= 0.4.
"""
import gzip
import io
import json
import pathlib
import struct
import sys

import numpy as np
import safetensors.numpy

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

# The arrays that the tests know by heart.
COUNTS = np.arange(24).reshape(2, 3, 4)
HALVES = np.array([[0.5, -1.5, 2.5], [3.5, 4.5, -5.5]])
WEIGHTS = {
    "1.bias": np.array([0.25, -0.5], "f4"),
    "1.weight": np.array([[1, 2, 3], [-4, 5, 6]], "f4"),
    "labels": np.array([0, 5, -1], "i8"),
    "mask": np.array([True, False, True]),
    "mean": np.array(1.5, "f8"),
    "none": np.zeros((0, 3), "f4"),
    "pixels": np.array([[0, 255]], "u1"),
    "steps": np.array([7, -7], "i4"),
}
METADATA = {"format": "pt"}


def npy_bytes(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version, allow_pickle=False)
    return out.getvalue()


def npy_fixtures():
    """name -> bytes; every file of a group holds the same numbers."""
    for kind in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]:
        for order in "<>":
            if kind[1] == "1" and order == ">":
                continue
            yield f"counts_{kind}_{'big' if order == '>' else 'little'}", npy_bytes(COUNTS.astype(order + kind))
    for kind in ["f4", "f8"]:
        for order in "<>":
            yield f"halves_{kind}_{'big' if order == '>' else 'little'}", npy_bytes(HALVES.astype(order + kind))
    yield "counts_fortran", npy_bytes(np.asfortranarray(COUNTS.astype("<i4")))
    yield "counts_fortran_big", npy_bytes(np.asfortranarray(COUNTS.astype(">i4")))
    yield "counts_v2", npy_bytes(COUNTS.astype("<i4"), (2, 0))
    yield "counts_v3", npy_bytes(COUNTS.astype("<i4"), (3, 0))
    yield "booleans", npy_bytes(np.array([True, False, True]))
    yield "scalar", npy_bytes(np.float64(0.5))
    yield "one", npy_bytes(np.array([0.5], "f4"))
    yield "empty", npy_bytes(np.zeros((0, 3), "f4"))
    yield "refused_text", npy_bytes(np.array(["a"]))
    yield "refused_complex", npy_bytes(np.array([1j]))
    yield "refused_half", npy_bytes(np.array([0.5], "f2"))
    yield "refused_records", npy_bytes(np.zeros(2, [("a", "f4"), ("b", "i4")]))
    out = io.BytesIO()
    np.save(out, np.array([None]), allow_pickle=True)
    yield "refused_pickle", out.getvalue()


def fixtures():
    def write(kind, name, data):
        folder = FIXTURES / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    for name, data in npy_fixtures():
        write("npy", name + ".npy", data)
    for name, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
        out = io.BytesIO()
        save(out, counts=COUNTS.astype("<i4"), halves=HALVES, zeros=np.zeros(1000, "f4"))
        write("npz", name + ".npz", out.getvalue())
    write("safetensors", "weights.safetensors", safetensors.numpy.save(WEIGHTS, METADATA))
    # Well-formed but not as the reference writes it: no padding, so that nothing is aligned.
    header = json.dumps({"b": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                         "w": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]}}).encode()
    header += b" " * (-len(header) % 8 + 1)
    write("safetensors", "unaligned.safetensors",
          struct.pack("<Q", len(header)) + header + b"\x07" + np.array([0.5, -0.5], "<f4").tobytes())
    text = b"one line\n" * 20
    write("gzip", "text.gz", gzip.compress(text, mtime=0))
    write("gzip", "two_members.gz", gzip.compress(text, mtime=0) + gzip.compress(text, mtime=0))


def check(folder):
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    assert tensors.keys() == WEIGHTS.keys()
    for name, expected in WEIGHTS.items():
        assert tensors[name].dtype == expected.dtype and tensors[name].shape == expected.shape, name
        assert np.array_equal(tensors[name], expected), name
    for name, data in npy_fixtures():
        if name.startswith("refused"):
            continue
        array, expected = np.load(folder / (name + ".npy")), np.load(io.BytesIO(data))
        assert array.shape == expected.shape and np.array_equal(array, expected), name
        assert (folder / (name + ".npy")).read_bytes() == npy_bytes(np.array(array, order="C")), name
    for name in ["stored", "deflated"]:
        ours, theirs = np.load(folder / (name + ".npz")), np.load(FIXTURES / "npz" / (name + ".npz"))
        assert ours.zip.testzip() is None and set(ours) == set(theirs)
        for key in theirs:
            assert ours[key].dtype == theirs[key].dtype and np.array_equal(ours[key], theirs[key]), key
    print("numpy and safetensors agree")


if sys.argv[1:] == ["fixtures"]:
    fixtures()
elif len(sys.argv) == 3 and sys.argv[1] == "check":
    check(pathlib.Path(sys.argv[2]))
else:
    sys.exit(__doc__)
