#!/usr/bin/env python3
"""Runs the program `photos` as a person would, on images that it draws and on a few files: photos.py PROGRAM"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == status or (status and done.returncode > 0), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def table(text):  # all but the seconds
    return [line for line in text.splitlines() if not line.endswith(" seconds")]


def write_ppm(path, height, width, red):
    pixels = bytes(v for _ in range(height * width) for v in (red, random.randrange(256), 90))
    path.write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels)


assert "the nearest is '--selection'" in run("--selektion", "mask", status=1)
assert "the nearest is 'largest'" in run("--selection", "biggest", status=1)
assert "must be a number" in run("--share", "0.1,2", status=1)
assert "--users" in run("--users", "1", status=1)
refused = run("--epsilon", 3, "--selection", "largest,mask", status=1)
assert "--selection mask" in refused and "read off the photos" in refused, refused
refused = run("--classes", "disc,squar", status=1)
assert "the nearest is 'square'; known: disc, square, cross, ring" in refused, refused
assert "asked for twice" in run("--classes", "disc,disc", status=1)
assert "expected at least 2" in run("--classes", "disc", status=1)
assert "no such folder" in run("--data", "nowhere", status=1)


def small(**changes):
    options = dict(images=240, classes="disc,cross", seeds=1, users=6, days=3, epochs=2, initial_epochs=4) | changes
    return [word for name, value in options.items() for word in ("--" + name.replace("_", "-"), value)]


assert "240 users" in run(*small(users=240), status=1)

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    one, two = (run(*small(threads=n), "--json", folder / f"{n}.json", "--svg", folder / "curve.svg") for n in (1, 2))
    assert table(one) == table(two) and (folder / "1.json").read_bytes() == (folder / "2.json").read_bytes()
    assert "thrift and no privacy" in one and "goes on from" in one, one
    assert (folder / "curve.svg").read_text().rstrip().endswith("</svg>")
    record = json.loads((folder / "1.json").read_text())
    lines = {line["name"]: line for line in record["lines"]}
    assert list(lines) == ["no update", "10 %, largest", "20 %, largest", "100 %", "10 %, mask", "20 %, mask",
                           "in one place"], list(lines)
    for line in lines.values():
        (days,) = line["by_seed"]
        assert len(days) == 4 and all(0 <= x <= 1 for x in days), line
        assert days[0] == lines["no update"]["by_seed"][0][0], line  # all start from the same model
    assert len(set(lines["no update"]["by_seed"][0])) == 1
    whole = lines["100 %"]["bytes_a_day"]
    assert whole > 4 * record["weights"]
    for share in (10, 20):  # of a listed number also its place is sent
        assert share <= 100 * lines[f"{share} %, mask"]["bytes_a_day"] / whole <= share + 2, lines
        assert share <= 100 * lines[f"{share} %, largest"]["bytes_a_day"] / whole <= share * 1.3, lines
    assert [m["optimizer"] for m in record["initial"]] == ["sgd", "rmsprop", "adam"]
    assert record["chosen"][0] in ("sgd", "rmsprop", "adam")
    assert all("privacy" not in line for line in lines.values())
    assert table(one) != table(run(*small(initial="rmsprop")))

    private = dict(epsilon=2, delta=1e-3, share="0.1,1")
    said = run(*small(**private), "--json", folder / "private.json")
    lines = {line["name"]: line for line in json.loads((folder / "private.json").read_text())["lines"]}
    assert list(lines) == ["no update", "10 %, mask, noisy", "100 %, noisy", "100 %, noise on the sum", "in one place"], list(lines)
    noise = lines["100 %, noisy"]["privacy"]
    for line in ("10 %, mask, noisy", "100 %, noisy", "100 %, noise on the sum"):
        promise = lines[line]["privacy"]
        assert 1.99 < promise["epsilon"] <= 2 and promise["total_over_days"] == 3, promise
        assert "for one user" in promise["sentence"] and promise["sentence"] in said, said
    assert "Not covered" in said
    run(*small(**private, days=12), "--json", folder / "longer.json")
    lines = {line["name"]: line for line in json.loads((folder / "longer.json").read_text())["lines"]}
    longer = lines["100 %, noisy"]["privacy"]["noise"]  # of Gaussian queries, by the root of their number
    assert 1.98 < longer / noise["noise"] < 2.02, (longer, noise)
    assert "warning: delta" in run(*small(epsilon=2, delta=0.2, share=1))

    # A folder of folders; images of any size.
    random.seed(1)
    for kind, red in (("barn", 200), ("sky", 40), ("empty", 0)):
        (folder / "own" / kind).mkdir(parents=True)
        for i in range(0 if kind == "empty" else 30):
            write_ppm(folder / "own" / kind / f"{i}.ppm", 20 + i, 48 - i % 7, red)
    own = ["--data", folder / "own", "--seeds", 1, "--users", 4, "--days", 2, "--public", 0.25, "--initial-epochs", 4]
    assert "no images" in run(*own, status=1)
    assert "the nearest is 'barn'; known: barn, empty, sky" in run(*own, "--classes", "burn,sky", status=1)
    assert "2 classes (barn, sky)" in run(*own, "--classes", "barn,sky")
    assert "--held-out must be above 0" in run(*own, "--classes", "barn,sky", "--held-out", 0, status=1)
    (folder / "own" / "sky" / "5.ppm").write_bytes(b"P6 20 20 255\nshort")
    assert "5.ppm" in run(*own, "--classes", "barn,sky", status=1)

    # CIFAR-10's files: a record cut short, and names that it does not have.
    (folder / "cifar").mkdir()
    record = b"\3" + bytes(3072)
    (folder / "cifar" / "data_batch_1.bin").write_bytes(2 * record + record[:5])
    (folder / "cifar" / "test_batch.bin").write_bytes(record)
    assert "record 2 has 5 bytes, expected 3073" in run("--data", folder / "cifar", status=1)
    assert "the nearest is 'cat'; known: airplane, automobile" in run("--data", folder / "cifar", "--classes", "cats,dog", status=1)
print("photos: as expected")
