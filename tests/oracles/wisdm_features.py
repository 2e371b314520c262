#!/usr/bin/env python3
"""The 43 WISDM features of a few windows, computed a second time with NumPy in double precision.

Writes tests/fixtures/wisdm_features.hpp:  python3 -I tests/oracles/wisdm_features.py > that file
(-I: random.py beside this file must not stand in for the module of that name.)
The raw samples are whole multiples of 1/64 m/s^2, so that float and double read the same numbers.
"""
import numpy as np

N, HZ = 200, 20


def peaks(s):
    """First index of every run of equal samples that both neighbours lie below."""
    runs = [0] + [i for i in range(1, len(s)) if s[i] != s[i - 1]]
    level = s[runs]
    return [runs[k] for k in range(1, len(runs) - 1) if level[k - 1] < level[k] > level[k + 1]]


def peak_time(s, published):
    at = peaks(s)
    amplitude = s.max() if published else s.max() - s.min()
    if published and np.sum(s[at] > 0) < 3 or len(at) < 3:
        return np.nan
    for tenths in range(1, 100):
        limit = s.max() - amplitude * tenths / 10
        assert np.all(np.abs(s[at] - limit) > 1e-4), "a peak on the limit: choose another window"
        high = [i for i in at if s[i] >= limit]
        if len(high) >= 3:
            return np.mean(np.diff(high)) * 1000 / HZ


def features(w, published):
    out = []
    for s in w.T:
        if s.max() > s.min():
            place = (s - s.min()) / (s.max() - s.min()) * 10
            inner = place[(s > s.min()) & (s < s.max())]
            assert np.all(np.abs(inner - np.round(inner)) > 1e-4), "a sample on the edge of a bin"
        out += list(np.histogram(s, bins=10, range=(s.min(), s.max()) if s.max() > s.min() else (s[0], s[0] + 1))[0] / N)
    centre = w.mean(axis=0)
    if published:
        centre[0] = 0
    away = w - centre
    deviation = np.sqrt((away**2).mean(axis=0))
    if published:
        deviation[2] = deviation[0]
    out += list(centre) + [peak_time(s, published) for s in w.T]
    out += list(np.abs(away).mean(axis=0)) + list(deviation) + [np.linalg.norm(w, axis=1).mean()]
    return out


def windows(rng):
    t = np.arange(N) / HZ
    step = 2 * np.pi * 1.85 * t
    walk = np.stack([2 * np.sin(step / 2), 9.5 + 3 * np.sin(step) + np.sin(2 * step), 1.5 * np.cos(step)], 1)
    yield walk + rng.normal(0, .4, (N, 3))
    yield [-.4, -9.7, .3] + rng.normal(0, .15, (N, 3))  # still, upside down
    run = np.stack([12 * np.sin(1.4 * step), 8 + 25 * np.sin(1.4 * step), 6 * np.cos(1.4 * step)], 1)
    yield np.clip(run + rng.normal(0, .5, (N, 3)), -19.6, 19.6)  # the sensor's range cuts the peaks: plateaus
    slow = np.stack([np.full(N, 9.75), np.linspace(-3, 3.1, N), np.cos(np.pi * t / 10)], 1)
    yield slow  # one constant axis, two with only tiny peaks


def cells(values):
    return ", ".join("missing" if np.isnan(v) else repr(float(v)) for v in values)


def rows(table):
    return "".join(f"    {{{cells(row)}}},\n" for row in table)


def main():
    rng = np.random.default_rng(12)
    chosen = []
    for clean in windows(rng):
        for _ in range(10000):  # until no sample sits on an edge
            w = np.round(clean * 64) / 64
            try:
                chosen.append((w, features(w, False), features(w, True)))
                break
            except AssertionError:
                clean = clean + np.round(rng.normal(0, .02, (N, 3)) * 64) / 64 * (np.ptp(clean, axis=0) > 0)
        else:
            raise SystemExit("no window without a sample on an edge")
    print("#pragma once\n// Made by tests/oracles/wisdm_features.py; do not edit.\n\n#include <array>\n#include <limits>\n")
    print("namespace fixtures::wisdm {\n\ninline constexpr double missing = std::numeric_limits<double>::quiet_NaN();\n")
    n = len(chosen)
    print(f"/// Sample by sample x, y, z, in 1/64 m/s^2.\ninline constexpr int raw[{n}][{3 * N}] = {{")
    print("".join("    {" + ", ".join(str(int(v)) for v in (w * 64).ravel()) + "},\n" for w, _, _ in chosen) + "};\n")
    for k, name in ((1, "as_described"), (2, "as_published")):
        print(f"inline constexpr std::array<double, 43> {name}[{n}] = {{\n" + rows(c[k] for c in chosen) + "};\n")
    print("} // namespace fixtures::wisdm")


main()
