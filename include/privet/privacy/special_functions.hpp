#pragma once
// Gamma ratios and the caps of spheres, to about 1e-14.

#include <cmath>
#include <numbers>

namespace privet::detail {

/// Gamma(x + 1/2) / Gamma(x) for x > 0.
inline double gamma_half_ratio(double x) {
  double product = 1;
  for (; x < 30; x += 1) product *= x / (x + 0.5);
  // Tricomi, Erdelyi 1951; the first term left out is below 2e-4 / x^8.
  constexpr double terms[] = {39325.0 / 33554432, 869.0 / 4194304, -399.0 / 262144, -21.0 / 32768,
                              5.0 / 1024,         1.0 / 128,       -1.0 / 8,        1};
  double sum = 0;
  for (const double t : terms) sum = sum / x + t;
  return product * std::sqrt(x) * sum;
}

/// The most likely value of n fair coins, floor(n / 2) heads, has this probability.
inline double central_binomial(double n) {
  // With n = 2k: Gamma(k + 1/2) / (sqrt(pi) k!); an odd n is as likely as n + 1.
  const double k = std::ceil(n / 2);
  return k == 0 ? 1 : gamma_half_ratio(k) / (k * std::sqrt(std::numbers::pi));
}

/// The continued fraction of the incomplete beta function (Press and others, Numerical Recipes, 6.4), good
/// for x < (a + 1) / (a + b + 2).
inline double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto away = [](double v) { return std::abs(v) < tiny ? tiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), h = d;
  for (double m = 1; m < 100'000; ++m) {
    double term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + term * d), c = away(1 + term / c), h *= d * c;
    term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + term * d), c = away(1 + term / c), h *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return h;
}

/// The share of the unit sphere in d >= 2 dimensions whose inner product with a given point is at least t:
/// I_{1 - t^2}((d - 1) / 2, 1/2) / 2 for t >= 0.
inline double sphere_cap(double d, double t) {
  if (t < 0) return 1 - sphere_cap(d, -t);
  if (t >= 1) return 0;
  const double a = (d - 1) / 2, x = (1 - t) * (1 + t);
  // x^a (1 - x)^(1/2) / B(a, 1/2)
  const double front =
      std::exp(a * std::log1p(-t * t)) * t * gamma_half_ratio(a) / std::sqrt(std::numbers::pi);
  if (x < (a + 1) / (a + 2.5)) return 0.5 * front / a * beta_fraction(a, 0.5, x);
  return 0.5 - front * beta_fraction(0.5, a, t * t);
}

} // namespace privet::detail
