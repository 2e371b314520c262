#!/usr/bin/env python3
"""Private runs of `offices`, stopped, killed and repeated: private_offices.py OFFICES EPSILON [DATA]

What a run spends is read off its ledgers and handed to the program `epsilon`, which never saw the run.
"""
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

program, accountant = sys.argv[1:3]
data = Path(sys.argv[3]) if len(sys.argv) > 3 else None
folder = Path(tempfile.mkdtemp(prefix="privet-private-"))
failures = 0
private = ["--privacy", "example:3", "--rounds", "6"]


def check(holds, what):
    global failures
    failures += not holds
    print(("ok      " if holds else "FAILED  ") + what)


def run(*words, out="out"):
    command = [program, *words] + ([] if "--resume" in words else ["--out", str(folder / out)])
    return subprocess.run(command, capture_output=True, text=True)


def debits(out, office=1):
    lines = [json.loads(line) for line in (folder / out / f"office-{office}.ledger").read_text().splitlines()]
    return [line["event"] for line in lines[1:] if line["kind"] == "debit"]


def epsilon_of(events, name):
    """By the program `epsilon`, from mechanism, noise and steps alone."""
    path = folder / name
    path.write_text(json.dumps([{k: v for k, v in e.items() if k != "distance"} for e in events]))
    done = subprocess.run([accountant, "--events", str(path), "--delta", "1e-5", "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)


# A run, what it says and what it wrote down.
done = run(*private, "--json", str(folder / "one.json"), out="one")
text = done.stdout
check(done.returncode == 0 and "federated" in text, "a private run ends in a table")
check(all(word in text for word in ["unit: one row", "neighbours: add-remove", "epsilon spent: 3", "delta: 1e-05"]), "it states unit, relation, epsilon and delta")
record = json.loads((folder / "one.json").read_text())
spent = float(record["privacy"]["epsilon spent"])
for office in range(1, 5):
    bounds = epsilon_of(debits("one", office), "events.json")
    check(bounds["epsilon_lower"] <= spent * (1 + 1e-5) and abs(bounds["epsilon_upper"] - spent) < 1e-3 * spent, f"the ledger of office {office} adds up to epsilon {bounds['epsilon_upper']:.5f}, it said {spent}")
check(oct((folder / "one" / "office-1.ledger").stat().st_mode)[-3:] == "600", "a ledger is its owner's")

# One door: every member of the record, and every line and file, is released, public, or of the test rows.
released, public, tested = {"federated"}, {"settings", "parameters", "bytes_up", "bytes_down", "seconds", "privacy", "clients"}, {"rounds", "fairness"}
check(set(record) == released | public | tested, f"the record holds nothing else: {sorted(record)}")
check(set(record["federated"]) == {"name", "accuracy", "macro_f1", "log_loss", "seconds", "classes"}, "of the model, its scores on test rows")
lines = [json.loads(line) for line in (folder / "one" / "run.jsonl").read_text().splitlines()]
check(all(set(line) == {"round", "accuracy", "macro_f1", "log_loss", "clients", "bytes_up", "bytes_down", "seconds", "seconds_left", "asked"} for line in lines), "so does every line of run.jsonl")
check(all(set(c) == {"client", "steps"} for line in lines for c in line["asked"]) and all(set(c) == {"client", "rows", "asked", "answered", "missed"} for c in record["clients"]) and set(record["fairness"]) == {"people"},
      "of an office no loss and no accuracy on its rows is told")
check({p.name for p in (folder / "one").iterdir()} == {"checkpoint.safetensors", "model.safetensors", "report.html", "run.jsonl", *(f"office-{k}.ledger" for k in range(1, 5))}, "no other file is written")
raw = (folder / "one" / "checkpoint.safetensors").read_bytes()
header = json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])
state = json.loads(header["__metadata__"]["privet.run"])
check(set(state) == {"settings", "rows", "metrics", "scaling", "ledgers"}, f"the checkpoint holds {sorted(state)}: a fingerprint of the rows, and what was released")

# The same rows again: the budget is spent, and nothing is trained.
before = (folder / "one" / "office-1.ledger").read_bytes()
again = run(*private, out="one")
check(again.returncode != 0 and re.search(r"budget|schedule|spent", again.stderr) and (folder / "one" / "office-1.ledger").read_bytes() == before, f"a second run on the same rows is refused: {again.stderr.strip()[:160]}")

# Stopped between rounds and taken up again: the same events as without.
long = ["--privacy", "example:3", "--rounds", "60", "--local-epochs", "12"]


def started(out, rounds):
    job = subprocess.Popen([program, *long, "--out", str(folder / out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = folder / out / "run.jsonl"
    for _ in range(3000):
        if job.poll() is not None or (lines.exists() and len(lines.read_text().splitlines()) >= rounds):
            break
        time.sleep(0.01)
    return job


job = started("stopped", 3)
job.send_signal(signal.SIGINT)
stopped = job.wait() == 130
resumed = run("--resume", str(folder / "stopped"))
total = epsilon_of(debits("stopped"), "stopped.json")
check(stopped and resumed.returncode == 0 and len(debits("stopped")) == 61, "a run that was stopped between rounds goes on, and no round is paid for twice")
check(abs(total["epsilon_upper"] - 3) < 3e-3 and "epsilon spent: 3" in resumed.stdout, f"and spends what an uninterrupted one spends: {total['epsilon_upper']:.5f}")

# Killed anywhere: every model that came out is paid for.
for attempt in range(4):
    out = f"killed{attempt}"
    job = started(out, attempt)
    time.sleep(random.random() * 0.1)
    job.kill()
    job.wait()
    lines = folder / out / "run.jsonl"
    rounds = len(lines.read_text().splitlines()) if lines.exists() else 0
    paid = [len(debits(out, k)) if (folder / out / f"office-{k}.ledger").exists() else 0 for k in range(1, 5)]
    check(all(p >= rounds + 1 for p in paid) or rounds == 0, f"killed after {rounds} rounds: the offices have paid for {[max(p - 1, 0) for p in paid]}")
    if (folder / out / "checkpoint.safetensors").exists():  # before the first round too
        resumed = run("--resume", str(folder / out))
        most = epsilon_of(debits(out), f"{out}.json")["epsilon_upper"]
        check(resumed.returncode == 0 and most <= 3 * (1 + 1e-3), f"taken up again it ends within its budget, at {most:.5f}")
        each = [epsilon_of(debits(out, k), f"{out}.json")["epsilon_upper"] for k in range(1, 5)]
        done = len(lines.read_text().splitlines())
        # An office that had not paid when the others had ends with them, before the last round, and has spent less.
        check(max(each) >= total["epsilon_upper"] * (1 - 1e-9) and all(len(debits(out, k)) >= done + 1 for k in range(1, 5)),
              f"and spends no less than an uninterrupted run, {total['epsilon_upper']:.5f}: {max(each):.5f}; every office has paid for all {done} rounds")
        said = re.search(r"epsilon spent: ([0-9.]+)", resumed.stdout)
        check(said and abs(float(said[1]) - max(each)) < 1e-3 * max(each), "which is what it says")

# The same where offices fail. Each pays for the rounds that it has trained in, whether its update came or not.
whole = long
for attempt, (unit, words) in enumerate([("row", ["--privacy", "example:3", "--rounds", "30", "--local-epochs", "12"]),
                                         ("person", ["--privacy", "user:3", "--wearers", "400", "--windows", "8", "--rounds", "20"])]):
    out, long = f"failing{attempt}", [*words, "--drop-outs", "0.3333", "--quorum", "2"]
    job = started(out, 4)
    time.sleep(random.random() * 0.05)
    job.kill()
    hit = job.wait() == -9
    before = [len(debits(out, k)) for k in range(1, 5)]
    resumed = run("--resume", str(folder / out), "--json", str(folder / "failing.json"))
    lines = [json.loads(line) for line in (folder / out / "run.jsonl").read_text().splitlines()]
    check(hit and resumed.returncode == 0 and len(lines) == int(words[words.index("--rounds") + 1]), f"a {unit}'s run whose offices fail, killed and taken up again, ends {resumed.stderr.strip()[:160]}")
    after = [len(debits(out, k)) for k in range(1, 5)]
    answered = [sum("missing" not in c for line in lines for c in line["asked"] if c["client"] == k) for k in range(1, 5)]
    check(any(a < len(lines) for a in answered) and all(a >= b and a - 1 >= n for a, b, n in zip(after, before, answered)),
          f"offices answered in {answered} of {len(lines)} rounds, and have paid for {[a - 1 for a in after]}")
    each = [epsilon_of(debits(out, k), f"{out}.json")["epsilon_upper"] for k in range(1, 5)]
    said = float(json.loads((folder / "failing.json").read_text())["privacy"]["epsilon spent"])
    check(-1e-5 < said - max(each) < 1e-3 * said and said <= 3 * (1 + 1e-3), f"the record says what the office that spent most has spent, {max(each):.5f}: {said}")
long = whole

# An older copy of a ledger beside a newer checkpoint.
ledger = folder / "stopped" / "office-2.ledger"
kept = ledger.read_text().splitlines(keepends=True)
ledger.write_text("".join(kept[:20]))
rolled = run("--resume", str(folder / "stopped"))
check(rolled.returncode != 0 and "older copy" in rolled.stderr, f"a ledger that was rolled back is refused: {rolled.stderr.strip()[:160]}")
ledger.write_text("".join(kept).replace('"steps":40', '"steps":41', 1) if '"steps":40' in "".join(kept) else "".join(kept)[:-3] + "0\"}\n")
broken = run("--resume", str(folder / "stopped"))
check(broken.returncode != 0 and "office-2.ledger" in broken.stderr, f"and so is one that was changed: {broken.stderr.strip()[:160]}")


# Persons instead of rows: everybody is one, and what is said of the data is about persons.
persons = ["--privacy", "user:3", "--wearers", "400", "--windows", "8", "--rounds", "8"]
done = run(*persons, "--json", str(folder / "persons.json"), out="persons")
record = json.loads((folder / "persons.json").read_text())
events = debits("persons")
check(done.returncode == 0 and "one person of one office" in done.stdout and "300 training persons" in done.stdout, "a run that protects persons says so, and counts persons")
check(re.fullmatch(r"4 \(persons 75,75,75,75\)", record["settings"]["offices"]) is not None, f"no number of rows is told: {record['settings']['offices']}")
check(json.loads((folder / "persons" / "office-1.ledger").read_text().splitlines()[0])["unit"] == "user", "the ledger's unit is a person")
bounds = epsilon_of(events, "persons-events.json")
check(len(events) == 9 and abs(bounds["epsilon_upper"] - 3) < 3e-3, f"a round is one event of a person: {len(events)} events, epsilon {bounds['epsilon_upper']:.5f}")

# One noise for all: the same budget buys a better model; stopped and resumed it goes on from the server's momentum.
shared = ["--privacy", "example:3", "--noise", "shared", "--rounds", "80"]
done = run(*shared, out="shared")
check(done.returncode == 0 and "towards everybody but the server" in done.stdout, "offices share one noise, and the run says whom it does not hide from")
bounds = epsilon_of(debits("shared"), "shared-events.json")
check(abs(bounds["epsilon_upper"] - 3) < 3e-3 and len(debits("shared")) == 81, f"each office pays for the sum: epsilon {bounds['epsilon_upper']:.5f}")
long = shared
job = started("shared-stopped", 10)
job.send_signal(signal.SIGINT)
stopped = job.wait() == 130
resumed = run("--resume", str(folder / "shared-stopped"))
check(stopped and resumed.returncode == 0 and len(debits("shared-stopped")) == 81, f"stopped and taken up again it pays for each round once: {resumed.stderr.strip()[:160]}")

def refused(what, pattern, *words):
    done = run(*words, out="refused")
    check(done.returncode not in (0, -6, -11) and re.search(pattern, done.stderr + done.stdout), f"{what} is refused: {(done.stderr + done.stdout).strip().splitlines()[-1][:160]}")


refused("a negative epsilon", "above 0", "--privacy", "example:-1")
refused("an unknown unit", "no unit", "--privacy", "house:3")
refused("no epsilon", "needs its epsilon", "--privacy", "example")
refused("persons with rows in several offices", "partition subject", "--privacy", "user:3", "--partition", "stratified")
refused("shared noise without privacy", "--privacy, which is missing", "--noise", "shared")
refused("local epochs of a common step", "one step of all offices", "--privacy", "example:3", "--noise", "shared", "--local-epochs", "2")
refused("delta 1", "delta", "--privacy", "example:3", "--delta", "1")
refused("a batch size", "sample-rate", "--privacy", "example:3", "--batch", "32")
refused("a clip without privacy", "--privacy", "--clip", "1")
refused("a rate above 1", "sample-rate", "--privacy", "example:3", "--sample-rate", "1.5")

if data and (data / "uci_har").exists():
    done = run("--data", str(data / "uci_har"), "--privacy", "example:3", "--rounds", "20", "--json", str(folder / "har.json"), out="har")
    accuracy = json.loads((folder / "har.json").read_text())["federated"]["accuracy"]
    check(accuracy > 0.88, f"UCI HAR at epsilon 3 per window: {100 * accuracy:.2f} %")
    done = run("--data", str(data / "uci_har"), "--privacy", "example:3", "--noise", "shared", "--json", str(folder / "har-shared.json"), out="har-shared")
    accuracy = json.loads((folder / "har-shared.json").read_text())["federated"]["accuracy"]
    check(accuracy > 0.91, f"with one noise for all: {100 * accuracy:.2f} %")
else:
    print("skipped UCI HAR: no data (PRIVET_DATA)")
sys.exit(1 if failures else 0)
