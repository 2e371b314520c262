#!/usr/bin/env python3
"""Encrypted runs of `offices`, and what their server sees: encrypted_offices.py OFFICES

The wire is read by this script alone: no code of the library decodes it.
"""
import hashlib
import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

program = sys.argv[1]
folder = Path(tempfile.mkdtemp(prefix="privet-encrypted-"))
failures = 0
small = ["--hidden", "8", "--wearers", "24", "--windows", "20", "--key-bits", "2048"]


def check(holds, what):
    global failures
    failures += not holds
    print(("ok      " if holds else "FAILED  ") + what, flush=True)


def run(*words, out="out"):
    command = [program, *words] + ([] if "--resume" in words else ["--out", str(folder / out)])
    return subprocess.run(command, capture_output=True, text=True)


def stopped(*words, out):
    """A run that is interrupted after two rounds: its status, the rounds that were done, what it said."""
    process = subprocess.Popen([program, *words, "--out", str(folder / out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines = folder / out / "run.jsonl"
    until = time.time() + 120
    while time.time() < until and process.poll() is None and not (lines.exists() and len(lines.read_text().splitlines()) >= 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    return process.returncode, len(lines.read_text().splitlines()), said


def model(out):
    return (folder / out / "model.safetensors").read_bytes()


# A run, what it says and what it wrote down.
shared = ["--aggregation", "threshold-paillier", *small]
done = run(*shared, "--rounds", "3", "--json", str(folder / "one.json"), "--wire-dump", str(folder / "wire"), out="one")
check(done.returncode == 0 and "federated" in done.stdout, f"an encrypted run ends in a table {done.stderr.strip()[:300]}")
for word in ["scheme: Paillier, 2048 bits, 4 shares", "encrypted fraction: 1 of", "who could read: the dealer", "numbers cut to the range: 0", "break-even link"]:
    check(word in done.stdout, f"it says '{word}'")
record = json.loads((folder / "one.json").read_text())
check("encryption" in record and "What was encrypted" in (folder / "one" / "report.html").read_text(), "so do record and report")

# The same rounds in clear, on a finer grid: the models agree as far as the coarser one goes.
run(*small[:-2], "--rounds", "3", "--json", str(folder / "plain.json"), out="plain")
plain = json.loads((folder / "plain.json").read_text())
check(abs(record["federated"]["accuracy"] - plain["federated"]["accuracy"]) < 0.005, "the accuracy is that of the run in clear")


def weights(raw):
    size = int.from_bytes(raw[:8], "little")
    return struct.unpack(f"<{(len(raw) - 8 - size) // 4}f", raw[8 + size:])


ours, theirs = weights(model("one")), weights(model("plain"))
check(len(ours) == len(theirs) and max(abs(a - b) for a, b in zip(ours, theirs)) < 2e-5, "so are the weights, to what the grid leaves")

# The wire. Header: magic, version, kind, schema hash, round, sender, length, checksum.
NO_NUMBERS = {1: "ask_schema", 2: "schema", 6: "agreed", 7: "architecture", 8: "ready", 17: "begin", 18: "begun", 19: "ask_sum", 24: "opened"}
SEALED = {20: "encrypted", 21: "ask_share", 22: "opening_share", 23: "open"}
bytes_of_key = 2048 // 8


def pieces(body):
    found, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at:at + 8], "little")
        found.append(body[at + 8:at + 8 + size])
        at += 8 + size
    return found if at == len(body) else None


def is_encrypted(update):
    """152 bytes of header, whole ciphertexts whose digest the header names, a signature."""
    head, ciphertexts = update[:152], update[152:-64]
    count = int.from_bytes(head[40:48], "little")
    return head[:8] == b"PRIVPACK" and len(ciphertexts) == count * 2 * bytes_of_key and head[88:120] == hashlib.sha256(ciphertexts).digest()


seen, sums, encrypted_bytes, kinds = b"", set(), 0, {}
for path in sorted((folder / "wire").iterdir()):
    raw = path.read_bytes()
    seen += raw
    magic, version, kind, _, number, sender, length, _ = struct.unpack("<4sHHQIIQQ", raw[:40])
    body = raw[40:]
    kinds[kind] = kinds.get(kind, 0) + 1
    if magic != b"PRIV" or version != 1 or len(body) != length:
        check(False, f"{path.name} is a message")
    if kind in NO_NUMBERS:
        limit = {2: 4000, 7: 1000, 19: 48}.get(kind, 8)  # names of columns and layers, rows of clients, a count
        if len(body) > limit:
            check(False, f"{path.name}: {NO_NUMBERS[kind]} of {len(body)} bytes holds more than it should")
        continue
    if kind not in SEALED:
        check(False, f"{path.name}: kind {kind} is not one of an encrypted federation")
        continue
    parts = [body] if kind in (20, 22) else pieces(body)
    if kind in (20, 21):
        if not all(is_encrypted(p) for p in parts):
            check(False, f"{path.name}: not only ciphertexts")
        sums.add(number)
    encrypted_bytes += len(body)
check(set(kinds) == set(NO_NUMBERS) - {6} | set(SEALED), f"the server saw the kinds {sorted(kinds)}")
check(sums == {0, 1, 2, 3}, f"it passed on the encrypted sums {sorted(sums)}: the moments and three rounds")
ones = sum(bin(b).count("1") for b in seen) / (8 * len(seen))
check(encrypted_bytes > 0.9 * len(seen) and abs(ones - 0.5) < 0.01, f"{encrypted_bytes} of {len(seen)} bytes are ciphertexts, {ones:.4f} of all bits are set")
floats = [struct.pack("<f", w) for w in ours]
check(not any(a + b in seen for a, b in zip(floats, floats[1:])), "no two weights of the model stand in what it saw")
check(len(b"".join(floats)) > 8 * 40 and (b"".join(floats)[:8] in model("one")), "which this search finds where they are")

# Another deal, another run, the other scheme: other ciphertexts, the same model.
for scheme, threads in (("threshold-paillier", "1"), ("paillier", "2")):
    out = f"again-{scheme}"
    again = run("--aggregation", scheme, *small, "--rounds", "3", "--threads", threads, out=out)
    check(again.returncode == 0 and model(out) == model("one"), f"{scheme} on {threads} threads gives the same model, to the bit")

# Stopped and taken up again.
status, done_before, said = stopped(*shared, "--rounds", "12", out="cut")
check(status == 130 and 2 <= done_before < 12, f"stopped after {done_before} of 12 rounds: {said.strip()[-60:]}")
check(run("--resume", str(folder / "cut")).returncode == 0, "taken up again, with keys dealt anew")
run(*shared, "--rounds", "12", out="uncut")
check(model("cut") == model("uncut"), "it ends in the model of an uninterrupted run, to the bit")

# With privacy: one noise for all, of rows and of persons, or of each office its own.
for words, unit in ((["example:3"], "one row"), (["user:30"], "one person"), (["example:3", "--noise", "own"], "one row")):
    out = "private-" + "-".join(words).replace(":", "-")
    private = run(*shared, "--rounds", "2", "--privacy", *words, "--delta", "1e-4", "--json", str(folder / "private.json"), "--wire-dump", str(folder / "private-wire"), out=out)
    text = private.stdout
    check(private.returncode == 0 and "epsilon spent" in text and "encrypted fraction: 1 of" in text and f"unit: {unit}" in text, f"--privacy {' '.join(words)} and encryption go together {private.stderr.strip()[:200]}")
    check(("that of 3 of 4 is counted" in text) == (len(words) == 1), "it says whose noise is counted" if len(words) == 1 else "own noise is all counted")

# The common noise is taken up again with the optimiser, and is paid for as often as in one go.
budget = [*shared, "--rounds", "14", "--privacy", "example:3", "--delta", "1e-4"]
status, before, _ = stopped(*budget, out="noisy")
again = run("--resume", str(folder / "noisy"))
debits = [line for line in (folder / "noisy" / "office-1.ledger").read_text().splitlines()[1:] if json.loads(line)["kind"] == "debit"]
check(status == 130 and 2 <= before < 14 and again.returncode == 0, f"stopped after {before} of 14 noisy rounds and taken up again {again.stderr.strip()[:160]}")
check(len(debits) == 15, f"{len(debits)} payments: the moments and 14 rounds")

# Mistakes.
for words, why in (
        (["--offices", "2"], "3 to 64"),
        (["--key-bits", "1024"], "1024"),
        (["--noise", "shared"], "--privacy, which is missing"),
        (["--wire-dump", "/dev/null/x"], "cannot be made")):
    wrong = run(*shared, "--rounds", "1", *words, out="wrong")
    check(wrong.returncode not in (0, -6, -11) and why in wrong.stderr, f"{' '.join(words)}: {wrong.stderr.strip()[:120]}")

print(f"{failures} failed" if failures else "all passed")
sys.exit(failures > 0)
