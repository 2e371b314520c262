#!/usr/bin/env python3
"""Runs the program `offices` as a person would, mistakes included: offices.py PROGRAM [DATA]"""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

program = sys.argv[1]
data = Path(sys.argv[2]) if len(sys.argv) > 2 else None
folder = Path(tempfile.mkdtemp(prefix="privet-offices-"))
failures = 0


def check(holds, what):
    global failures
    if not holds:
        failures += 1
    print(("ok      " if holds else "FAILED  ") + what)


def run(*words, out="out"):
    command = [program, *words]
    if "--resume" not in words and out:
        command += ["--out", str(folder / out)]
    return subprocess.run(command, capture_output=True, text=True)


def refused(what, pattern, *words, status=None, out="refused"):
    done = run(*words, out=out)
    text = done.stdout + done.stderr
    right = done.returncode not in (0, -6, -11) and re.search(pattern, text) and (status is None or done.returncode == status)
    check(right and not (folder / out / "model.safetensors").exists(), f"{what} is refused: {text.strip().splitlines()[-1] if text.strip() else '(silent)'}")


def cut_short(out, *words):
    """Starts a run, interrupts it after its first round, and returns its status and what it said."""
    job = subprocess.Popen([program, *words, "--out", str(folder / out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while job.poll() is None and not (folder / out / "run.jsonl").exists():
        time.sleep(0.01)
    job.send_signal(signal.SIGINT)
    _, message = job.communicate()
    return job.returncode, message.strip()


def tensors(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + size])


def numbers(path):
    """All floats of a file, in the order they lie in."""
    raw = path.read_bytes()
    return [x for (x,) in struct.iter_unpack("<f", raw[8 + struct.unpack("<Q", raw[:8])[0]:])]


quick = ["--rounds", "4", "--local-epochs", "1"]

# A run, its files, its record.
done = run(*quick, "--threads", "1", "--json", str(folder / "one.json"), out="one")
check(done.returncode == 0 and "federated" in done.stdout, "a run on generated data ends in a table")
record = json.loads((folder / "one.json").read_text())
check({"settings", "rounds", "central", "alone", "federated", "parameters", "bytes_up", "bytes_down", "seconds", "clients", "fairness"} <= record.keys(), "the record has every member")
check(len(record["rounds"]) == 4 and len(record["alone"]) == 4 and record["parameters"] == 6406, "the record counts rounds, offices, parameters")
check(all({"accuracy", "macro_f1"} <= m.keys() for m in [record["central"], record["federated"], *record["alone"]]), "every model has accuracy and macro-F1")
check(record["bytes_up"] > 4 * 4 * 6406 * 4, "bytes are those of the encoded messages")
html = (folder / "one" / "report.html").read_text()
check("<svg" in html and "http://" not in html.replace("http://www.w3.org", "") and "https://" not in html, "the report is one self-contained file")
check(len((folder / "one" / "run.jsonl").read_text().splitlines()) == 4, "one line of JSON per round")
header = tensors(folder / "one" / "model.safetensors")
check(header["0.weight"]["shape"] == [128, 43] and header["2.bias"]["shape"] == [6] and header["0.weight"]["dtype"] == "F32", "weights have the documented names and shapes")

# Threads and restarts change nothing.
run(*quick, "--threads", "2", out="two")
same = lambda a, b: (folder / a / "model.safetensors").read_bytes() == (folder / b / "model.safetensors").read_bytes()
check(same("one", "two"), "one thread and two give the same weights")
run(*quick, "--seed", "2", out="seed")
check(not same("one", "seed"), "another seed gives other weights")

long = ["--rounds", "40", "--local-epochs", "3"]
run(*long, out="whole")
status, message = cut_short("cut", *long)
check(status == 130 and "--resume" in message, f"Ctrl-C stops after the round: {message}")
check(not (folder / "cut" / "model.safetensors").exists(), "an interrupted run leaves no finished model")
done = run("--resume", str(folder / "cut"), "--json", str(folder / "cut.json"))
check(done.returncode == 0 and same("whole", "cut"), "a resumed run ends in the same weights as an uninterrupted one")
check(len(json.loads((folder / "cut.json").read_text())["rounds"]) == 40, "its record has every round")

# The mean of the last rounds. With a constant rate a shorter run is the beginning of a longer one.
constant = ["--local-epochs", "1", "--optimizer", "sgd", "--federation-only"]
for rounds in (2, 3, 4):
    run("--rounds", str(rounds), *constant, out=f"constant-{rounds}")
done = run("--rounds", "4", *constant, "--average-rounds", "3", "--json", str(folder / "mean.json"), out="mean")
record = json.loads((folder / "mean.json").read_text())
models = zip(*(numbers(folder / name / "model.safetensors") for name in ("mean", "constant-2", "constant-3", "constant-4")))
check(done.returncode == 0 and not same("mean", "constant-4") and all(abs(m - (a + b + c) / 3) <= 1e-7 * max(1, abs(m)) for m, a, b, c in models),
      "--average-rounds 3 is the mean of the last three rounds' models")
last = json.loads((folder / "constant-4" / "run.jsonl").read_text().splitlines()[-1])
check("last 3 rounds" in record["settings"]["result"] and record["rounds"][-1] == last["accuracy"], "the record names it, and its rounds are scored as they were")
fast = run(*quick, "--final-rate", "0.5", "--federation-only", out="fast")
check(fast.returncode == 0 and not same("one", "fast"), "--final-rate leaves a part of the rate")
refused("an average of more rounds than there are", "--average-rounds 5, the run has 4 rounds", *quick, "--average-rounds", "5")
refused("an average of nothing", "average-rounds", "--average-rounds", "0", status=2)
refused("the end of a constant rate", "--final-rate belongs to a rate that falls", "--optimizer", "sgd", "--final-rate", "0.1")
refused("a rate that rises", "final-rate", "--final-rate", "1.5", status=2)

(folder / "rows.csv").write_text("a,b,class\n" + "".join(f"{i % 7},{i % 5},{'xy'[i % 2]}\n" for i in range(40)))
run("--data", str(folder / "rows.csv"), *quick, "--offices", "2", out="moved")
(folder / "rows.csv").write_text("a,b,class\n" + "".join(f"{i % 3},{i % 5},{'xy'[i % 2]}\n" for i in range(40)))
done = run("--resume", str(folder / "moved"))
check(done.returncode == 1 and "other rows" in done.stderr, f"resuming on changed data is refused: {done.stderr.strip()}")

# Thin links.
for how, most in [("top-k:0.1", 0.16), ("top-k:0.01:8", 0.03), ("random-k:0.1:4", 0.05), ("quantise:8", 0.3), ("sign", 0.07)]:
    name = how.replace(":", "-")
    done = run(*quick, "--upload", how, "--json", str(folder / f"{name}.json"), out=name)
    thin = json.loads((folder / f"{name}.json").read_text()) if done.returncode == 0 else {"bytes_up": 1e9}
    check(thin["bytes_up"] < most * 4 * 4 * 6406 * 4, f"--upload {how} sends {thin['bytes_up'] / (4 * 4 * 6406 * 4):.3f} of what whole updates have")
    check("upload" in thin["settings"] and "bytes up" in thin["settings"] and "uploads: " in done.stdout, "its record and report name it")
corrected = ["--upload", "top-k:0.01", "--momentum-correction", "0.5", "--warm-up", "3", "--threads", "1"]
run(*long, *corrected, out="thin")
status, _ = cut_short("thin-cut", *long, *corrected)
done = run("--resume", str(folder / "thin-cut"))
check(status == 130 and done.returncode == 0 and same("thin", "thin-cut"), "resumed, what the offices remember goes on")
refused("an unknown upload", "nearest is 'top-k'", "--upload", "topk:0.1", status=2)
refused("top-k without its fraction", "needs the fraction", "--upload", "top-k", status=2)
refused("more than all numbers", "above 0 and at most 1", "--upload", "top-k:1.5", status=2)
refused("levels of three bits", "8 or 4 bits", "--upload", "quantise:3", status=2)
refused("levels of one bit", "one bit is 'sign'", "--upload", "quantise:1", status=2)
refused("a number for signs", "takes no number", "--upload", "sign:2", status=2)
refused("momentum correction alone", "--momentum-correction belongs to", "--momentum-correction", "0.9")
refused("a warm-up of random numbers", "--warm-up belongs to", "--upload", "random-k:0.1", "--warm-up", "3")
refused("thin ciphertexts", "whole updates", "--upload", "top-k:0.1", "--aggregation", "threshold-paillier")
refused("the largest of noisy numbers", "picked by the data", "--upload", "top-k:0.1", "--privacy", "example:3")
refused("signs of noisy numbers", "picked by the data", "--upload", "sign", "--privacy", "example:3")
refused("thin shares of noise", "only as they are", "--upload", "random-k:0.1", "--privacy", "example:3", "--noise", "shared")
done = run("--rounds", "3", "--upload", "random-k:0.2", "--privacy", "example:3", "--json", str(folder / "masked.json"), out="masked")
check(done.returncode == 0 and "epsilon spent" in done.stdout and json.loads((folder / "masked.json").read_text())["bytes_up"] < 0.3 * 3 * 4 * 4 * json.loads((folder / "masked.json").read_text())["parameters"] + 60000,
      f"a private run sends a random fifth: {done.stderr.strip()}")

# Strategies, and offices that fail.
strategies = ["fedavg", "fedavgm", "fedadam", "fedyogi", "fedadagrad", "fednova", "q-fedavg", "scaffold", "class-aware", "median",
              "trimmed-mean", "geometric-median", "krum", "multi-krum", "bulyan", "norm-bound"]
models = set()
for name in strategies:
    done = run("--rounds", "6", "--local-epochs", "2", "--offices", "7", "--federation-only", "--strategy", name, "--json", str(folder / "strategy.json"), out=name)
    learnt = json.loads((folder / "strategy.json").read_text()) if done.returncode == 0 else {"federated": {"accuracy": 0}, "settings": {"strategy": ""}}
    models.add((folder / name / "model.safetensors").read_bytes() if done.returncode == 0 else name)
    check(learnt["federated"]["accuracy"] > 0.35 and learnt["settings"]["strategy"].split()[0] == name, f"--strategy {name} learns: {100 * learnt['federated']['accuracy']:.1f} % {done.stderr.strip()}")
check(len(models) == len(strategies), "each strategy makes a model of its own")
check(run(*quick, "--federation-only", "--proximal", "1", out="prox").returncode == 0 and not same("one", "prox"), "--proximal pulls")
check(run("--rounds", "3", "--strategy", "fedadam", "--upload", "top-k:0.2", "--federation-only", out="thin-adam").returncode == 0, "a strategy goes with thin links")
check(run("--rounds", "3", "--strategy", "class-aware", "--upload", "quantise:8", "--federation-only", out="thin-class").returncode == 0, "and so do weights by classes")
check(run("--rounds", "3", "--strategy", "fedavgm", "--privacy", "example:3", out="private-avgm").returncode == 0, "a strategy goes with privacy")

failing = ["--rounds", "12", "--offices", "6", "--drop-outs", "0.4", "--quorum", "4", "--federation-only"]
done = run(*failing, "--threads", "1", "--json", str(folder / "failing.json"), out="failing")
run(*failing, "--threads", "2", out="failing-two")
check(done.returncode == 0 and same("failing", "failing-two"), "who fails is a matter of the seed, not of threads")
lines = [json.loads(line) for line in (folder / "failing" / "run.jsonl").read_text().splitlines()]
clients = json.loads((folder / "failing.json").read_text())["clients"]
given_up = [line for line in lines if "given_up" in line]
check(len(lines) == 12 and given_up and all("quorum is 4" in line["given_up"] for line in given_up), f"{len(given_up)} rounds had no quorum and were given up")
check(all(line["clients"] == sum("missing" not in c for c in line["asked"]) >= 4 for line in lines if "given_up" not in line), "the others say who answered, and at least the quorum did")
check(all(c["asked"] == 12 and c["answered"] + sum(c["missed"].values()) == 12 for c in clients) and any("the link went down" in why for c in clients for why in c["missed"]), "the record says how often each took part, and why not")
check(all(line["seconds_left"] >= 0 and line["loss"] > 0 for line in lines if "given_up" not in line) and lines[-1]["seconds_left"] == 0, "each line says what is left")
html = (folder / "failing" / "report.html").read_text()
check("Who took part" in html and "the link went down" in html and "Worst tenth" in html, "the report shows it")
refused("an unknown strategy", "nearest is 'fedadam'", "--strategy", "fedadamm", status=2)
refused("an option of another strategy", "--server-lr does not go with --strategy median, it belongs to fedavgm", "--strategy", "median", "--server-lr", "1")
refused("more liars than krum withstands", "krum .attackers 1. needs at least 5 offices, --offices is 4", "--strategy", "krum", "--attackers", "1")
refused("too few offices for bulyan", "bulyan .attackers 2. needs at least 11 offices", "--strategy", "bulyan", "--attackers", "2", "--offices", "10")
refused("half of the offices trimmed", "trim-fraction", "--strategy", "trimmed-mean", "--trim-fraction", "0.5", status=2)
refused("a quorum of more than there are", "--quorum 5 of 4 offices", "--quorum", "5")
refused("a quorum below what krum needs", "--quorum 3 with --strategy krum .attackers 1., which needs at least 5", "--offices", "6", "--strategy", "krum", "--attackers", "1", "--quorum", "3")
refused("all offices failing", "drop-outs", "--drop-outs", "1", status=2)
refused("an encrypted median", "--strategy median does not go with --aggregation", "--strategy", "median", "--aggregation", "paillier")
refused("shares of noise in a median", "--strategy median does not go with --noise shared", "--strategy", "median", "--privacy", "example:3", "--noise", "shared")
refused("shares of noise that may be missing", "--drop-outs does not go with --noise shared", "--drop-outs", "0.1", "--privacy", "example:3", "--noise", "shared")
refused("ciphertexts that may be missing", "--quorum does not go with --aggregation paillier", "--quorum", "3", "--aggregation", "paillier")
refused("losses of private offices", "q-fedavg does not go with --privacy", "--strategy", "q-fedavg", "--privacy", "example:3")
refused("classes of private offices", "class-aware does not go with --privacy", "--strategy", "class-aware", "--privacy", "example:3")
refused("control variates of private offices", "scaffold does not go with --privacy", "--strategy", "scaffold", "--privacy", "example:3")
refused("thin control variates", "scaffold does not go with --upload", "--strategy", "scaffold", "--upload", "sign")
refused("control variates that decay", "--weight-decay does not go with --strategy scaffold", "--strategy", "scaffold", "--weight-decay", "0.1")
refused("control variates of adam", "knows --optimizer sgd, not adam", "--strategy", "scaffold", "--optimizer", "adam")
refused("classes of other offices", "names the classes of 2 offices", "--partition", "labels:0,1/2,3")
refused("a class that is not there", "office 4 has class 9", "--partition", "labels:0,1/2,3/4,5/9")
refused("a class of nobody", "no office has class 5", "--partition", "labels:0,1/2,3/4/0")
refused("classes by name", "by number", "--partition", "labels:walking/sitting", status=2)

# One office, and mistakes.
check(run(*quick, "--offices", "1", out="single").returncode == 0, "one office alone runs")
refused("an unknown option", "nearest is '--rounds'", "--round", "3", status=2)
refused("an unknown kind", "nearest is 'wisdm'", "--kind", "wisdn", status=2)
refused("an unknown partition", "nearest is 'stratified'", "--partition", "stratifed", status=2)
refused("Dirichlet without alpha", "alpha", "--partition", "dirichlet", status=2)
refused("a negative alpha", "positive", "--partition", "dirichlet:-1", status=2)
refused("zero rounds", "rounds", "--rounds", "0", status=2)
refused("a negative rate", "lr", "--lr", "-0.1", status=2)
refused("zero offices", "offices", "--offices", "0", status=2)
refused("momentum with adam", "momentum", "--optimizer", "adam", "--momentum", "0.9")
refused("generated data of another kind", "synthetic", "--kind", "wisdm")
refused("resuming beside other settings", "--seed", "--resume", str(folder / "one"), "--seed", "3", status=2)
refused("resuming where nothing was", "checkpoint", "--resume", str(folder / "nowhere"))
refused("a rate that is no number", "lr", "--lr", "nan", status=2)
refused("a record that cannot be written", "nowhere", *quick, "--json", str(folder / "nowhere" / "record.json"))
refused("a file that is not there", "no-such.arff", "--data", str(folder / "no-such.arff"))
refused("more offices than wearers", "offices|regions", "--offices", "1000")


def bad_file(what, pattern, name, content, *words):
    path = folder / name
    path.write_bytes(content)
    refused(what, pattern, "--data", str(path), *words)


bad_file("an empty file", "empty|@data|no ", "empty.arff", b"")
bad_file("an empty CSV file", "empty|no ", "empty.csv", b"")
bad_file("a file that is no ARFF", "N0", "wrong.arff", b"PK\x03\x04 not an arff file\n")
head = b"@relation r\r\n@attribute \"UNIQUE_ID\" numeric\r\n"
csv = "a,b,who,class\n" + "".join(f"{i % 7},{i % 5},{i % 6},{'xy'[i % 2]}\n" for i in range(60))
bad_file("a truncated row", r"line 62|:62", "short.csv", (csv + "1,2\n").encode())
bad_file("an extra column", r"line 62|:62", "long.csv", (csv + "1,2,3,x,5\n").encode())
bad_file("NaN in a number column", "nan", "nan.csv", (csv + "nan,2,3,x\n").encode(), "--group", "who")
bad_file("infinity in a number column", "inf", "inf.csv", (csv + "inf,2,3,x\n").encode(), "--group", "who")
bad_file("a group column that is not there", "site", "group.csv", csv.encode(), "--group", "site")
(folder / "good.csv").write_text(csv)
check(run("--data", str(folder / "good.csv"), "--group", "who", *quick, "--offices", "2", out="csv").returncode == 0, "a CSV file with groups runs")
done = run("--data", str(folder / "good.csv"), *quick, "--offices", "2", out="csv-rows")
check(done.returncode == 0 and "both sides" in done.stdout, "without groups it says that rows were split")
(folder / "a-file").write_text("")
refused("an output folder that cannot be made", "a-file", *quick, out="a-file/out")
if os.geteuid() != 0:
    (folder / "locked").mkdir(mode=0o500)
    refused("an unwritable output folder", "locked", *quick, out="locked")
    (folder / "secret.csv").write_text(csv)
    (folder / "secret.csv").chmod(0)
    refused("an unreadable file", "secret.csv", "--data", str(folder / "secret.csv"))

# Real data.
wisdm = data / "wisdm" / "WISDM_ar_v1.1_transformed.arff" if data else None
if wisdm and wisdm.exists():
    done = run("--data", str(wisdm), "--kind", "wisdm", "--partition", "subject", "--offices", "4", *quick, out="wisdm")
    check(done.returncode == 0 and "missing values" in done.stdout, "WISDM by subject runs and counts missing values")
    cut = wisdm.read_bytes()[:600000]
    bad_file("a WISDM file cut in the middle of a row", r"line \d+|:\d+", "cut.arff", cut)
    bad_file("a WISDM file with an unknown class", "Flying", "class.arff", wisdm.read_bytes().replace(b",Jogging", b",Flying", 1))
else:
    print("skipped: WISDM is not there (set PRIVET_DATA)")

sys.exit(f"{failures} checks failed" if failures else 0)
