#pragma once
// For tests of functions of batches: errors in units in the last place, and numbers of every size.

#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace privet::test {

/// What errors are measured against.
template <class T>
using precise = std::conditional_t<std::same_as<T, float>, double, long double>;

/// What the comparison itself may add, if the compiler has nothing more precise than T.
inline constexpr double slack = 1e-3;

/// |got - exact| in units of the last place of a T of that size, or of the smallest normal one.
template <class T>
double ulps(T got, precise<T> exact) {
  using limits = std::numeric_limits<T>;
  const T rounded = static_cast<T>(exact);
  if (!std::isfinite(got) || !std::isfinite(rounded))
    return same(got, rounded) ? 0 : std::numeric_limits<double>::infinity();
  int exponent = 0;
  std::frexp(exact, &exponent);
  exponent = exact == 0 ? limits::min_exponent : std::max(exponent, limits::min_exponent);
  return static_cast<double>(std::ldexp(std::abs(got - exact), limits::digits - exponent));
}

template <class Arch, class T, class F>
std::vector<T> apply(const std::vector<T>& x, F f) {
  std::vector<T> out(x.size());
  simd::for_each_batch<Arch, T>(x.size(), [&](std::size_t i, auto lanes) {
    simd::store_lanes<Arch, T>(out.data() + i, f(simd::load_lanes<Arch>(x.data() + i, lanes)), lanes);
  });
  return out;
}

template <class Arch, class T, class F, class Exact>
void check_ulps(const char* name, const std::vector<T>& x, double limit, F f, Exact exact) {
  const auto got = apply<Arch>(x, f);
  double worst = 0;
  T at{};
  for (std::size_t i = 0; i < x.size(); ++i)
    if (const double error = ulps<T>(got[i], exact(static_cast<precise<T>>(x[i]))); error > worst)
      worst = error, at = x[i];
  INFO(name << " of " << sizeof(T) << " bytes, worst at " << at);
  CHECK(worst <= limit);
}

/// About `count` numbers from `low` to `high`, of one sign, as many between 1 and 2 as between 2 and 4:
/// steps in the order of their bits.
template <class T>
std::vector<T> of_every_size(T low, T high, unsigned count = 40000) {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const auto [first, last] = std::minmax({std::bit_cast<word>(low), std::bit_cast<word>(high)});
  std::vector<T> out{low, high};
  const word step = (last - first) / count | 1;
  for (word at = first; last - at > step; at += step) out.push_back(std::bit_cast<T>(at));
  return out;
}

/// `x` and the `count` numbers next to it on each side.
template <class T>
std::vector<T> around(T x, int count) {
  std::vector<T> out{x};
  for (const T end : {-std::numeric_limits<T>::infinity(), std::numeric_limits<T>::infinity()}) {
    T next = x;
    for (int i = 0; i < count; ++i) out.push_back(next = std::nextafter(next, end));
  }
  return out;
}

template <class T>
std::vector<T> and_negated(std::vector<T> x) {
  for (std::size_t i = 0, n = x.size(); i < n; ++i) x.push_back(-x[i]);
  return x;
}

/// f(x) as <cmath> says for the numbers that are not normal, the sign of zero included.
template <class Arch, class T, class F, class Exact>
void check_awkward(F f, Exact exact) {
  const auto x = awkward<T>();
  const auto got = apply<Arch>(x, f);
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO("at " << x[i]);
    const T expected = exact(x[i]);
    if (expected == 0 || !std::isfinite(expected))
      CHECK(same(got[i], expected));
    else
      CHECK(std::abs(got[i] - expected) <= 2 * std::numeric_limits<T>::epsilon() * std::abs(expected));
  }
}

} // namespace privet::test
