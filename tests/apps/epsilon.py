#!/usr/bin/env python3
"""Runs the program `epsilon` as a person would: epsilon.py PROGRAM [VECTORS.json]

VECTORS.json holds rows of events with bounds of the true epsilon; without it those cases are left out by name.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
VECTORS = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None


def run(*words, status=0):
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode == 0) == (status == 0), (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def answer(*words):
    return json.loads(run(*words, "--json"))


def events_of(row):
    """The row as a list for --events; None for what the program has no event for."""
    def one(kind, sigma, q, steps):
        event = {"steps": steps, "relation": row["relation"]}
        if kind == "laplace":
            return {"mechanism": "laplace", "scale": sigma, **event} if q == 1 else None
        if kind == "gaussian" or q == 1:
            return {"mechanism": "gaussian", "sigma": sigma, **event}
        return {"mechanism": "subsampled_gaussian", "sigma": sigma, "q": q, **event}

    kind = row["mechanism"]
    if kind == "heterogeneous":
        return [one(*each) for each in zip(row["kinds"], row["sigma"], row["q"], row["steps"])]
    if kind.startswith("randomized_response"):
        return [{"mechanism": "randomized_response", "epsilon0": row["eps0"], "k": row.get("k", 2), "steps": row["steps"],
                 "relation": "replace-one"}]
    if kind == "shuffle_amplification_clones":
        return [{"mechanism": "shuffle", "epsilon0": row["eps0"], "users": row["n"], "steps": row["steps"], "relation": "replace-one"}]
    if kind in ("gaussian", "subsampled_gaussian", "laplace"):
        event = one(kind, row["sigma"], row["q"], row["steps"])
        return [event] if event else None
    return None


def check_vectors(folder):
    rows = [row for row in json.loads(VECTORS.read_text())["rows"] if row.get("kind") != "published_test_value"]
    sound = []
    for row in rows:
        events = events_of(row)
        if not events:
            continue
        file = folder / "events.json"
        file.write_text(json.dumps(events))
        found = answer("--events", file, "--delta", row["delta"])
        low, high = found["epsilon_lower"], found["epsilon_upper"]
        assert high >= row["epsilon_lower"], (row["id"], "is unsound", high, row["epsilon_lower"])
        assert low <= row["epsilon_upper"], (row["id"], "has a lower bound above the truth", low, row["epsilon_upper"])
        assert high <= row["epsilon_upper"] + 1e-5 * row["epsilon_upper"] + 1e-12, (row["id"], high, row["epsilon_upper"])
        sound.append(row["id"])
    for row in rows:
        if not row["mechanism"].startswith("calibration"):
            continue
        found = answer("--target-epsilon", row["target_epsilon"], "--sample-rate", row["q"], "--steps", row["steps"],
                       "--delta", row["delta"])
        sigma = found["noise_multiplier"]
        assert row["sigma_lower"] * (1 - 1e-9) <= sigma <= row["sigma_upper"] * (1 + 1e-4), (row["id"], sigma)
        assert found["epsilon_upper"] <= row["target_epsilon"], (row["id"], found)
        sound.append(row["id"])
    print(f"{len(sound)} vectors within their bounds")
    assert len(sound) >= 42 and {"p066", "p067"} <= set(sound), sound


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    if VECTORS and VECTORS.exists():
        check_vectors(folder)
    else:
        print("left out: the vectors of true epsilons, for want of the file")

    one = answer("--noise-multiplier", 1.5, "--sample-rate", 0.04, "--steps", 2250, "--delta", 1e-5)
    assert 6.76876 <= one["epsilon_lower"] <= one["epsilon_upper"] <= 6.76887, one
    assert one["accountant"] == "pld" and one["relation"] == "add-remove" and one["delta"] == 1e-5, one
    same = answer("--noise-multiplier", 1.5, "--examples", 1000, "--batch", 40, "--epochs", 90, "--delta", 1e-5)
    assert same["epsilon_upper"] == one["epsilon_upper"], (same, one)
    looser = answer("--noise-multiplier", 1.5, "--sample-rate", 0.04, "--steps", 2250, "--delta", 1e-5, "--accountant", "rdp")
    assert looser["epsilon_upper"] > one["epsilon_upper"], looser
    unsampled = ("--noise-multiplier", 1.5, "--sample-rate", 1, "--steps", 10, "--delta", 1e-5)
    looser, exact = answer(*unsampled, "--accountant", "zcdp"), answer(*unsampled)
    assert looser["epsilon_upper"] > exact["epsilon_upper"], (looser, exact)
    replaced = answer("--noise-multiplier", 1.5, "--sample-rate", 0.04, "--steps", 2250, "--delta", 1e-5,
                      "--relation", "replace-one")
    assert replaced["epsilon_lower"] > one["epsilon_upper"] and replaced["relation"] == "replace-one", replaced

    # A target finds the one number that is missing, on the safe side and no further.
    wanted = ("--target-epsilon", 3, "--delta", 1e-5)
    steps = answer(*wanted, "--noise-multiplier", 1.1, "--sample-rate", 0.004)
    over = answer("--noise-multiplier", 1.1, "--sample-rate", 0.004, "--steps", int(steps["steps"]) + 1, "--delta", 1e-5)
    assert steps["epsilon_upper"] <= 3 < over["epsilon_upper"], (steps, over)
    rate = answer(*wanted, "--noise-multiplier", 1.1, "--steps", 10000)
    over = answer("--noise-multiplier", 1.1, "--sample-rate", rate["sample_rate"] * 1.0001, "--steps", 10000, "--delta", 1e-5)
    assert rate["epsilon_upper"] <= 3 < over["epsilon_upper"], (rate, over)
    data = ("--noise-multiplier", 1.1, "--examples", 60000, "--epochs", 60)
    batch = answer(*wanted, *data)
    over = answer(*data, "--batch", int(batch["batch"]) + 1, "--delta", 1e-5)
    assert batch["epsilon_upper"] <= 3 < over["epsilon_upper"], (batch, over)
    epochs = answer(*wanted, "--noise-multiplier", 1.1, "--examples", 60000, "--batch", 240)
    assert abs(epochs["epochs"] - epochs["steps"] * 0.004) < 1e-9 and epochs["steps"] == steps["steps"], (epochs, steps)

    file = folder / "events.json"
    shuffled = {"mechanism": "shuffle", "epsilon0": 1, "users": 10000, "steps": 1, "relation": "replace-one"}
    file.write_text(json.dumps([shuffled]))
    once = answer("--events", file, "--delta", 1e-6)
    assert .053005263464 <= once["epsilon_upper"] <= .0530053695329 * (1 + 1e-5), once
    file.write_text(json.dumps([{**shuffled, "steps": 2}]))
    twice = answer("--events", file, "--delta", 1e-6)
    assert once["epsilon_upper"] < twice["epsilon_lower"] < 2 * once["epsilon_upper"], (once, twice)
    looser = answer("--events", file, "--delta", 1e-6, "--accountant", "rdp")
    assert twice["epsilon_upper"] < looser["epsilon_upper"] < 1.5 * twice["epsilon_upper"], (twice, looser)
    assert "pld_accountant" in run("--events", file, "--delta", 1e-6, "--accountant", "zcdp", status=1)
    drawn = {"mechanism": "subsampled_discrete_gaussian", "sigma": 1.5, "q": 0.04, "steps": 2250}
    file.write_text(json.dumps([drawn]))
    exact = answer("--events", file, "--delta", 1e-5, "--accountant", "rdp")
    assert 7.328349 <= exact["epsilon_upper"] <= 7.37, exact
    refused = run("--events", file, "--delta", 1e-5, status=1)
    assert "subsampled_discrete_gaussian" in refused and "rdp_accountant" in refused, refused

    usual = ("--sample-rate", 0.01, "--steps", 100, "--delta", 1e-5)
    for words, part in [
        (("--noise-multiplier", 0, *usual), "noise multiplier 0"),
        (("--noise-multiplier", -1, *usual), "-1"),
        (("--noise-multiplier", 1, "--sample-rate", 2, "--steps", 100, "--delta", 1e-5), "rate 2"),
        (("--noise-multiplier", 1, "--sample-rate", 0.01, "--steps", 0, "--delta", 1e-5), "0"),
        (("--noise-multiplier", 1, "--sample-rate", 0.01, "--steps", 100, "--delta", 1), "delta"),
        (("--noise-multiplier", 1, *usual, "--accountant", "pdl"), "pld"),
        (("--noise-multiplier", 1, *usual, "--relation", "add"), "add-remove"),
        (("--target-epsilon", 0, *usual), "epsilon"),
        (("--noise-multiplier", 1, "--sample-rate", 0.01, "--delta", 1e-5), "--target-epsilon finds one"),
        (("--target-epsilon", 3, "--sample-rate", 0.01, "--delta", 1e-5), "2 are missing"),
        (("--target-epsilon", 3, "--noise-multiplier", 1, *usual), "0 are missing"),
        (("--noise-multiplier", 1, "--batch", 10, "--epochs", 1, "--delta", 1e-5), "--examples is missing"),
        (("--events", folder / "none.json", "--delta", 1e-5), "none.json"),
    ]:
        text = run(*words, status=1)
        assert part in text, (words, text)
    for content, part in [
        ("[]", "event"),
        ("{", "events.json"),
        ('[{"mechanism": "laplas", "scale": 1, "steps": 1, "relation": "add-remove"}]', "laplace"),
        ('[{"mechanism": "laplace", "scale": 1, "steps": 1, "relation": "add-remove"},'
         ' {"mechanism": "randomized_response", "epsilon0": 1, "k": 4, "steps": 1, "relation": "replace-one"}]', "relation"),
        ('[{"mechanism": "shuffle", "epsilon0": 1, "users": 9, "steps": 1, "relation": "add-remove"}]', "replace-one"),
        ('[{"mechanism": "shuffle", "epsilon0": 1, "user": 9, "relation": "replace-one"}]', "users"),
        ('[{"mechanism": "laplace", "scale": 1, "steps": 1e10, "relation": "add-remove"}]', "steps"),
    ]:
        file = folder / "events.json"
        file.write_text(content)
        text = run("--events", file, "--delta", 1e-5, status=1)
        assert part in text, (content, text)
print("epsilon: as expected")
