#pragma once
// Numerical derivatives in double, and how far apart two numbers are relative to their size.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace privet::test {

/// d f() / d x by a central difference of order 4; `x` is put back.
template <class F>
double derivative(double& x, F&& f, double h = 1e-3) {
  const double at = x;
  const auto value = [&](double step) {
    x = at + step;
    return static_cast<double>(f());
  };
  const double d = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
  x = at;
  return d;
}

inline double relative_error(double a, double b) {
  return std::abs(a - b) / std::max({std::abs(a), std::abs(b), 1e-3});
}

} // namespace privet::test
