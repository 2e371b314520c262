#!/usr/bin/env python3
"""Runs the program `mnist_private` as a person would: mnist_private.py PROGRAM EPSILON_PROGRAM DATA"""
import gzip
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

PROGRAM, EPSILON, DATA = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
MNIST = DATA / "mnist"


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def epsilon_of(record):
    """What the program `epsilon` makes of the same run."""
    words = [EPSILON, "--noise-multiplier", record["noise_multiplier"], "--sample-rate", record["sample_rate"],
             "--steps", record["steps"], "--delta", record["delta"], "--json"]
    return json.loads(subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, check=True).stdout)["epsilon_upper"]


def idx(values, *extents):
    return struct.pack(">" + "I" * (1 + len(extents)), 0x800 + len(extents), *extents) + bytes(values)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    out = folder / "out.json"

    # 6,000 generated images, 1,000 others to test on. Guessing is right for one in ten.
    for model, epochs, floor in (("linear", 4, .9), ("dense", 10, .8), ("cnn", 10, .8)):
        text = run("--data", "synthetic", "--model", model, "--epochs", epochs, "--json", out)
        assert "6000 training images; 1000 test images" in text, text
        assert re.search(r"accuracy on the 1000 test images: \d+\.\d\d %", text), text
        assert re.search(r"spent: epsilon at most (3|2\.99\d*) at delta 1e-05 for one training image, by pld accounting", text), text
        assert "one image more (add-remove)" in text and "warning" not in text, text
        record = json.loads(out.read_text())
        assert record["accuracy"] > floor, record
        assert 2.99 < record["epsilon_upper"] <= 3 and record["epsilon_lower"] <= record["epsilon_upper"], record
        assert record["delta"] == 1e-5 and record["unit"] == "image" and record["relation"] == "add-remove"
        assert record["accountant"] == "pld" and record["model"] == model and record["epochs"] == epochs
        assert record["steps"] == epochs * 24 and record["validation"] is False
        assert record["features"] == (3969 if model == "linear" else 784), record
        # Rounding is paid for by a little more noise than the formula asks for: never the other way.
        assert .97 * record["epsilon_upper"] < epsilon_of(record) <= record["epsilon_upper"], record

    text = run("--data", "synthetic", "--epochs", 2, "--noise-multiplier", "1.5", "--sample-rate", ".1", "--clip", ".5",
               "--lr", "20", "--momentum", "0", "--delta", "1e-6", "--seed", 7, "--validate", "--json", out)
    assert "5000 training images; last 1000 training images, held out" in text and "test images" not in text, text
    record = json.loads(out.read_text())
    assert record["validation"] and record["noise_multiplier"] == 1.5 and record["steps"] == 20 and record["seed"] == 7
    assert record["clip"] == .5 and record["learning_rate"] == 20 and record["momentum"] == 0 and record["delta"] == 1e-6
    assert .97 * record["epsilon_upper"] < epsilon_of(record) <= record["epsilon_upper"], record

    # A published run: its noise, rate and steps, and the epsilon that PLD accounting finds for it.
    text = run("--data", "synthetic", "--published", "1.19", "--slanted", "--json", out)
    record = json.loads(out.read_text())
    assert record["steps"] == 3515 and record["noise_multiplier"] == 1.3 and record["slanted"] is True, record
    assert abs(record["sample_rate"] - 256 / 60000) < 1e-12 and .86 < record["epsilon_upper"] < .88, record
    assert .97 * record["epsilon_upper"] < epsilon_of(record) <= record["epsilon_upper"], record

    # Several views of an image are bounded together, so they cost what one costs.
    words = ("--data", "synthetic", "--model", "cnn", "--epochs", 1, "--noise-multiplier", "1", "--json", out)
    for more, copies, shift in (((), 1, 0), (("--multiplicity", 3, "--shift", 1), 3, 1)):
        run(*words, *more)
        record = json.loads(out.read_text())
        assert record["multiplicity"] == copies and record["shift"] == shift, record
        assert .97 * record["epsilon_upper"] < epsilon_of(record) <= record["epsilon_upper"], record

    # Noise that hides everything learns nothing.
    run("--data", "synthetic", "--model", "dense", "--epochs", 2, "--noise-multiplier", "500", "--lr", ".1", "--json", out)
    record = json.loads(out.read_text())
    assert record["accuracy"] < .35 and record["epsilon_upper"] < .02, record

    text = run("--data", "synthetic", "--model", "dense", "--epochs", 1, "--noise-multiplier", ".3", "--delta", ".001")
    assert "above 10" in text and "delta 0.001 is not below" in text, text

    # Refusals.
    for bad in ("0", "-1", "nan", "inf", "three"):
        assert "--epsilon" in run("--data", "synthetic", "--epsilon", bad, status=2)
    assert "[N001 argument]" in run("--data", "synthetic", "--epsilon", "3", "--noise-multiplier", "1", status=1)
    assert "[N001 argument]" in run("--data", "synthetic", "--published", "3.01", "--epochs", 3, status=1)
    assert "--multiplicity is for --model cnn" in run("--data", "synthetic", "--multiplicity", 2, status=1)
    assert "the nearest is '7.10'" in run("--data", "synthetic", "--published", "7.1", status=2)
    assert "the nearest is 'dense'" in run("--data", "synthetic", "--model", "dens", status=2)
    assert "the nearest is '--epochs'" in run("--data", "synthetic", "--epoch", "3", status=2)
    for word, bad in (("--delta", "1"), ("--delta", "0"), ("--sample-rate", "0"), ("--sample-rate", "1.5"), ("--clip", "0"),
                      ("--lr", "0"), ("--momentum", "1"), ("--epochs", "0"), ("--noise-multiplier", "0")):
        assert word in run("--data", "synthetic", word, bad, status=2)
    missing = folder / "none"
    text = run("--data", missing, status=1)
    assert "[N002 file]" in text and str(missing / "train-images-idx3-ubyte") in text, text
    assert "--data" in run(status=2)

    # Files that are not what they claim to be.
    digits, labels = idx([i % 251 for i in range(12 * 784)], 12, 28, 28), idx([i % 10 for i in range(12)], 12)
    good = {"train-images-idx3-ubyte": digits, "train-labels-idx1-ubyte": labels,
            "t10k-images-idx3-ubyte": digits, "t10k-labels-idx1-ubyte": labels}
    for number, (file, content, complaint) in enumerate((
            (None, b"", None),
            ("train-images-idx3-ubyte", digits[:-1], "[N003 shape]"),
            ("train-images-idx3-ubyte", digits[:10], "[N004 format]"),
            ("t10k-images-idx3-ubyte", digits[:5000], "[N003 shape]"),
            ("train-labels-idx1-ubyte", idx([0] * 11, 11), "11 labels"),
            ("train-labels-idx1-ubyte", idx([10] * 12, 12), "[N006 label]"),
            ("t10k-images-idx3-ubyte", idx([0] * 12 * 900, 12, 30, 30), "images of 30 x 30, expected 28 x 28"))):
        place = folder / f"files{number}"
        place.mkdir()
        for key, value in good.items():
            (place / (key + ".gz")).write_bytes(gzip.compress(content if key == file else value))
        words = ("--data", place, "--model", "dense", "--epochs", 1, "--sample-rate", ".5", "--noise-multiplier", "50")
        if complaint:
            text = run(*words, status=1)
            assert complaint in text and file in text, text
        else:
            assert "12 training images; 12 test images" in run(*words)
    # Choosing settings never opens the test images.
    assert "10 training images; last 2" in run("--data", folder / "files3", "--validate", *words[2:])

    if MNIST.exists():
        text = run("--data", MNIST, "--epochs", 4, "--sample-rate", ".02", "--lr", "120", "--json", out)
        record = json.loads(out.read_text())
        assert record["training_images"] == 60000 and record["test_images"] == 10000, record
        assert record["accuracy"] > .96 and record["epsilon_upper"] <= 3, record
        print(f"mnist: {100 * record['accuracy']:.2f} % in {record['seconds']:.0f} s")
    else:
        print(f"{MNIST} is not there: generated digits only")
print("mnist_private: as expected")
