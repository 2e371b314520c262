#!/usr/bin/env python3
"""Scattering coefficients a second time, with NumPy in double precision and by dense Fourier transforms.

Writes tests/fixtures/scattering.hpp:  python3 tests/oracles/scattering.py
Where kymatio is installed the result is compared with its NumPy frontend too, up to what follows from
its 3.1415 for pi in the area of a Gaussian.
"""
import numpy as np

from header import write

SIGMA, XI = 0.8, 0.75 * np.pi


def periodic(rows, columns, f):
    """f(u) summed over shifts by whole periods; u are rows and columns."""
    total = 0
    for a in range(-3, 4):
        for b in range(-3, 4):
            u, v = np.meshgrid(np.arange(rows) + a * rows, np.arange(columns) + b * columns, indexing="ij")
            total = total + f(u, v)
    return total


def gaussian(sigma, angle, slant):
    curvature = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    curvature = curvature @ np.diag([1, slant**2]) @ curvature.T / (2 * sigma**2)
    area = 2 * np.pi * sigma**2 / slant

    def density(u, v):
        return np.exp(-(curvature[0, 0] * u * u + 2 * curvature[0, 1] * u * v + curvature[1, 1] * v * v)) / area

    return density


def filters(rows, columns, scales, angles):
    """Spectra: the low-pass and the wavelets by (scale, angle)."""
    phi = np.fft.fft2(periodic(rows, columns, gaussian(SIGMA * 2 ** (scales - 1), 0, 1))).real
    psi = {}
    for j in range(scales):
        for a in range(angles):
            angle = ((angles - 1) // 2 - a) * np.pi / angles
            envelope = gaussian(SIGMA * 2**j, angle, 4 / angles)
            wave = lambda u, v: np.exp(1j * XI / 2**j * (np.cos(angle) * u + np.sin(angle) * v))
            gabor = periodic(rows, columns, lambda u, v: envelope(u, v) * wave(u, v))
            low = periodic(rows, columns, envelope)
            spectrum = np.fft.fft2(gabor - gabor.sum() / low.sum() * low)
            assert abs(spectrum.imag).max() < 1e-12 and abs(spectrum[0, 0]) < 1e-12
            psi[j, a] = spectrum.real
    return phi, psi


def low_frequencies(spectrum, r):
    """A spectrum on the grid of every 2^r-th point: frequencies from -n/2 to n/2 - 1 of that grid."""
    keep = [np.fft.fftfreq(n >> r, 1 / (n >> r)).astype(int) % n if r else np.arange(n) for n in spectrum.shape]
    return spectrum[np.ix_(*keep)]


def convolve(x, spectrum, step):
    return np.fft.ifft2(np.fft.fft2(x) * spectrum)[::step, ::step]


def scatter(image, scales, angles):
    border = 2**scales
    x = np.pad(image, border, mode="reflect")
    phi, psi = filters(*x.shape, scales, angles)

    def average(u, r):
        return convolve(u, low_frequencies(phi, r), 2 ** (scales - r)).real[1:-1, 1:-1]

    zero, one, two = [average(x, 0)], [], []
    for j in range(scales):
        for a in range(angles):
            u = abs(convolve(x, psi[j, a], 2**j))
            one.append(average(u, j))
            for k in range(j + 1, scales):
                for b in range(angles):
                    two.append(average(abs(convolve(u, low_frequencies(psi[k, b], j), 2 ** (k - j))), k))
    return np.array(zero + one + two)


def compare_with_kymatio(image, scales, angles, ours):
    try:
        import scipy.special

        if not hasattr(scipy.special, "sph_harm"):
            scipy.special.sph_harm = None  # imported by its three-dimensional transform, which is not used
        from kymatio.numpy import Scattering2D
    except ImportError:
        return print("kymatio is not installed: no comparison with it")
    theirs = Scattering2D(scales, image.shape, angles)(image)
    order = np.array([1] + [2] * (scales * angles) + [3] * (len(ours) - 1 - scales * angles))
    theirs = theirs * ((3.1415 / np.pi) ** order)[:, None, None]
    print(f"{image.shape}: {abs(theirs - ours).max():.2g} from kymatio, of at most {abs(ours).max():.2g}")
    assert abs(theirs - ours).max() < 1e-6 * abs(ours).max()


def main():
    rng = np.random.default_rng(5)
    u, v = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    ring = 255 * np.exp(-((np.hypot(u - 12, v - 15) - 7) / 1.5) ** 2)
    noise = rng.integers(0, 256, (12, 20))  # padded to sizes with the factors 5 and 7
    waves = 127 + 120 * np.sin(0.9 * u[:16, :24] + 0.4 * v[:16, :24])  # 16 x 24, three scales, six angles
    found = {}
    for name, image, scales, angles in (("ring", ring, 2, 8), ("noise", noise, 2, 8), ("waves", waves, 3, 6)):
        bytes_ = np.round(image).astype(np.int32)
        coefficients = scatter(bytes_ / 256, scales, angles)
        compare_with_kymatio(bytes_ / 256, scales, angles, coefficients)
        found[name] = bytes_.ravel()
        found[name + "_coefficients"] = np.round(coefficients.ravel(), 11)
    write(__file__, f"NumPy {np.__version__}", "scattering", found)


main()
