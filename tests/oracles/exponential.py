#!/usr/bin/env python3
"""The coefficients of simd/exponential.hpp: minimax by Remez' exchange, in mpmath, then rounded. Prints them with the
largest error that they leave, relative to the function's value.

Needs mpmath.
"""
import mpmath
from mpmath import mpf

mpmath.mp.prec = 300


def chebyshev_points(a, b, n):
    return [(a + b) / 2 + (b - a) / 2 * mpmath.cos(mpmath.pi * (n - 1 - i) / (n - 1)) for i in range(n)]


def horner(c, x):
    return mpmath.polyval(c[::-1], x)


def minimax(f, weight, a, b, terms):
    """c_0 .. c_{terms-1} that make the largest |weight(x) (sum c_i x^i - f(x))| on [a, b] least."""
    grid = [(x, f(x), weight(x)) for x in chebyshev_points(a, b, 50 * (terms + 1))]
    points = [(x, f(x), weight(x)) for x in chebyshev_points(a, b, terms + 1)]
    for _ in range(40):
        # At the points the error has one size and alternates.
        rows = [[w * x**i for i in range(terms)] + [(-1) ** j] for j, (x, _, w) in enumerate(points)]
        *c, size = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([w * y for _, y, w in points]))
        runs = []  # of one sign, by its largest error
        for x, y, w in grid:
            error = w * (horner(c, x) - y)
            if not runs or (runs[-1][0] > 0) != (error > 0):
                runs.append((error, (x, y, w)))
            elif abs(error) > abs(runs[-1][0]):
                runs[-1] = error, (x, y, w)
        while len(runs) > terms + 1:
            runs.pop(0 if abs(runs[0][0]) < abs(runs[-1][0]) else -1)
        assert len(runs) == terms + 1, "start elsewhere"
        points = [point for _, point in runs]
        if max(abs(error) for error, _ in runs) < abs(size) * mpf("1.001"):
            return c
    raise SystemExit("no convergence")


def rounded(x, digits):
    with mpmath.workprec(digits):
        return +x


def hexadecimal(x):
    sign, man, exp, _ = x._mpf_
    if man == 0:
        return "0"
    top = man.bit_length() - 1
    fraction = man << (-top % 4)
    digits16 = f"{fraction:x}"
    assert digits16[0] == "1", digits16
    tail = digits16[1:].rstrip("0")
    return f"{'-' if sign else ''}0x1{'.' + tail if tail else ''}p{exp + top}"


def show(name, f, weight, a, b, terms, digits, suffix):
    c = [rounded(x, digits) for x in minimax(f, weight, a, b, terms)]
    worst = max(abs(weight(x) * (horner(c, x) - f(x))) for x in chebyshev_points(a, b, 2000))
    print(f"{name}, {digits} digits: {mpmath.nstr(worst * mpf(2) ** digits, 3)} of 2^-{digits}")
    print("  " + ", ".join(hexadecimal(x) + suffix for x in c))


def exp_rest(x):
    """(exp(x) - 1 - x) / x^2."""
    return (mpmath.expm1(x) - x) / x**2


def tanh_rest(z):
    """(tanh(x) / x - 1) / x^2 for z = x^2."""
    x = mpmath.sqrt(z)
    return (mpmath.tanh(x) / x - 1) / z


half = mpmath.log(2) / 2
for digits, suffix, exp_terms, tanh_terms in (24, "f", 5, 5), (53, "", 10, 11):
    show("exp", exp_rest, lambda x: x**2 / mpmath.exp(x), -half * mpf("1.001"), half * mpf("1.002"), exp_terms, digits, suffix)
    show("tanh", tanh_rest, lambda z: z * mpmath.sqrt(z) / mpmath.tanh(mpmath.sqrt(z)), mpf(2) ** -100, mpf("0.625") ** 2,
         tanh_terms, digits, suffix)
    print("log2 e\n  " + hexadecimal(rounded(1 / mpmath.log(2), digits)) + suffix)
