#!/usr/bin/env python3
"""Epsilons of composed sampled Gaussians in 30-digit arithmetic: tests/fixtures/loss_contour.hpp.

    python3 tests/oracles/loss_contour.py > tests/fixtures/loss_contour.hpp

The integral of the header under test, with another way through every choice in it: nothing is cut off, the tilt is a
small one far from the saddle point, and the digits that this costs are there. One or two uses: from the definition,
without that integral. Needs mpmath; takes some minutes.
"""
from mpmath import ceil, erfc, exp, expj, expm1, floor, fsum, linspace, log, log1p, mp, mpc, mpf, pi, quad, sqrt

mp.dps = 30

# noise, rate, uses, delta, direction; then tilt, distance of the copies, end of the integral; then a bracket
ROWS = [
    ("1.5", "0.04", 2250, "1e-5", "removed", 2, 60, 20, 6.7, 6.8),
    ("1.1", "0.0042", 14062, "1e-5", "removed", 2, 50, 60, 2.2, 2.5),
    ("1.1", "0.0042", 14062, "1e-15", "removed", 3, 60, 60, 4.5, 4.9),
    ("1", "0.0001", 100000, "1e-6", "removed", 3, 20, 280, 0.15, 0.17),
    ("0.6", "0.0001", 1000000, "1e-9", "removed", 2, 45, 60, 3.3, 3.5),
    ("2", "0.5", 100, "1e-5", "removed", 1, 90, 25, 14, 15),
    ("1", "0.001", 100000, "1e-6", "replaced", 2, 40, 25, 3, 3.3),
    ("3", "0.02", 1000, "1e-6", "added", 3, 30, 60, 0.8, 1.3),
    ("1", "0.005", 1000, "1e-5", "added", 3, 30, 90, 0.5, 1),
]

# So few draws that a sum of losses nearly has an atom, or so few uses that it is hardly smooth.
SPARSE = [
    ("1.113", "0.00014", 4801, "1.4e-14", "removed", 8, 7, 1100, 0.13, 0.15),
    ("0.5", "0.000001", 1, "1e-15", "removed"),
    ("0.6", "0.001", 1, "1e-13", "replaced"),
    ("0.6", "0.001", 2, "1e-13", "removed"),
    ("0.7", "0.00001", 2, "1e-14", "removed"),
    ("0.7", "0.00001", 2, "1e-14", "replaced"),
]


def deltas(noise, rate, uses, direction, tilt, apart, end):
    """delta as a function of epsilon."""
    v = noise**2
    step = 2 * pi / (end / v * (2 if direction == "replaced" else 1) + 40 * max(1 / noise, 1 / v))
    masses, turns = [], []
    for i in range(int(floor((-13 * noise - 1) / step)), int(ceil((2 * tilt + 2 + 13 * noise) / step)) + 1):
        x = i * step
        normal = exp(-x * x / (2 * v)) * step / (noise * sqrt(2 * pi))
        up, down = (1 - rate + rate * exp((sign * 2 * x - 1) / (2 * v)) for sign in (1, -1))
        ratio = {"removed": up, "added": 1 / down, "replaced": up / down}[direction]
        masses.append(mpc(normal * (1 if direction == "added" else up) * ratio**tilt))
        turns.append(expj(2 * pi / apart * log(ratio)))
    terms = []
    for j in range(int(ceil(end * apart / (2 * pi))) + 1):
        z = mpc(tilt, 2 * pi * j / apart)
        terms.append(fsum(masses)**uses / (z * (z + 1)))
        masses = [m * t for m, t in zip(masses, turns)]
    assert abs(terms[-1]) < mpf(10)**-22 * abs(terms[0]), "the integral ends too early"

    def delta(epsilon):
        sum_ = fsum((t * expj(-2 * pi * j / apart * epsilon)).real for j, t in enumerate(terms) if j) + terms[0].real / 2
        return sum_ * 2 / apart * exp(-tilt * epsilon)

    return delta


def defined_deltas(noise, rate, uses, direction):
    """delta as a function of epsilon, of one use where P and Q cross, of two as its mean over the other's loss."""
    v, replaced, far = noise**2, direction == "replaced", 12 * noise + 2
    ratio = lambda x, sign: log1p(rate * expm1((sign * 2 * x - 1) / (2 * v)))
    loss = lambda x: ratio(x, 1) - (ratio(x, -1) if replaced else 0)
    above = lambda x, mean: erfc((x - mean) / (noise * sqrt(2))) / 2
    density = lambda x: exp(ratio(x, 1) - x * x / (2 * v)) / (noise * sqrt(2 * pi))

    def crossing(epsilon):
        """The x whose loss is epsilon, or none where every loss is larger."""
        odds, more = rate / (1 - rate) * exp(-1 / (2 * v)), expm1(epsilon)
        if replaced:  # odds y^2 - more y - odds e^epsilon = 0 for y = e^{x / v}
            root = sqrt(more**2 + 4 * exp(epsilon) * odds**2)
            y = (more + root) / (2 * odds) if more > 0 else 2 * odds * exp(epsilon) / (root - more)
        else:
            y = (more + rate) / (1 - rate) / odds
        return v * log(y) if y > 0 else None

    def one(epsilon):
        x = crossing(epsilon)
        if x is None:
            return -expm1(epsilon)
        mass = lambda mean: (1 - rate) * above(x, 0) + rate * above(x, mean)
        return mass(1) - exp(epsilon) * (mass(-1) if replaced else above(x, 0))

    def two(epsilon):  # what is left for the second use turns near the x whose loss is epsilon
        turn = crossing(epsilon)
        near = [turn + sign * mpf(2)**-i for sign in (-1, 1) for i in range(16)]
        nodes = sorted([*linspace(-12 * noise, 12 * noise + 2, 25), turn, *near])
        return quad(lambda x: density(x) * one(epsilon - loss(x)), nodes)

    return one if uses == 1 else two


def epsilon(wanted, delta, low, high):
    """By regula falsi in log delta, Illinois' variant."""
    f = lambda e: log(delta(e) / wanted)
    low, high = mpf(low), mpf(high)
    at_low, at_high = f(low), f(high)
    assert at_low > 0 > at_high, (at_low, at_high)
    for _ in range(60):
        middle = high - at_high * (high - low) / (at_high - at_low)
        value = f(middle)
        if abs(value) < mpf(10)**-14:
            return middle
        if value < 0:
            high, at_high, at_low = middle, value, at_low / 2
        else:
            low, at_low, at_high = middle, value, at_high / 2
    raise AssertionError("no root")


print("""#pragma once
// Written by tests/oracles/loss_contour.py, which says what it is; not edited by hand.
// clang-format off

#include <cstdint>
#include <string_view>

namespace privet::test {

struct contour_row {
  double noise, rate;
  std::uint64_t uses;
  double delta;
  std::string_view direction;
  double epsilon; ///< all digits are right
};

inline constexpr contour_row contour_rows[] = {""")


def write(noise, rate, uses, wanted, direction, tilt=0, apart=0, end=0, low=None, high=None):
    setting = mpf(noise), mpf(rate), uses, direction
    if uses > 2:
        found = epsilon(mpf(wanted), deltas(*setting, mpf(tilt), mpf(apart), mpf(end)), low, high)
    else:
        delta = defined_deltas(*setting)
        low = high = mpf(1) / 2**14
        while delta(high) > mpf(wanted):
            low, high = high, 2 * high
        found = epsilon(mpf(wanted), delta, low, high)
    print(f'    {{{noise}, {rate}, {uses}, {wanted}, "{direction}", {mp.nstr(found, 13)}}},', flush=True)


for row in ROWS:
    write(*row)
print("""};

/// Where a sum of losses nearly has an atom, or is of few uses.
inline constexpr contour_row sparse_rows[] = {""")
for row in SPARSE:
    write(*row)
print("""};

} // namespace privet::test""")
