#pragma once
// Uniform numbers, coins and permutations. Integer arithmetic only (the one multiplication by a
// power of two is exact), so the same words give the same draws on every target.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace privet {

namespace detail {

template <RandomSource Source>
std::uint32_t draw32(Source& source) {
  std::uint32_t word;
  source.fill({&word, 1});
  return word;
}

/// Two words, the low half first.
template <RandomSource Source>
std::uint64_t draw64(Source& source) {
  std::uint32_t words[2];
  source.fill(words);
  return words[0] | std::uint64_t{words[1]} << 32;
}

struct product128 {
  std::uint64_t high, low;
};
constexpr product128 multiply(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr std::uint64_t half = 0xFFFFFFFF;
  const auto low = (a & half) * (b & half);
  const auto middle = (a >> 32) * (b & half) + (low >> 32);
  const auto other = (a & half) * (b >> 32) + (middle & half);
  return {(a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32), other << 32 | (low & half)};
}

} // namespace detail

/// A multiple of 2^-24 (float, one word) or 2^-53 (double, two words) in [0, 1), all equally likely.
template <std::floating_point T = float, RandomSource Source>
T uniform01(Source& source) {
  if constexpr (std::same_as<T, float>) {
    return static_cast<float>(detail::draw32(source) >> 8) * 0x1p-24f;
  } else {
    static_assert(std::same_as<T, double>, "uniform01 draws float or double");
    return static_cast<double>(detail::draw64(source) >> 11) * 0x1p-53;
  }
}

/// An integer in [0, n), every one exactly equally likely. Two words per attempt; an attempt fails
/// with probability below n / 2^64. Lemire, "Fast random integer generation in an interval", 2019.
///
/// Errors  N001 when n is zero
/// Privacy the number of words drawn depends on them, with that probability
template <RandomSource Source>
std::uint64_t uniform_below(Source& source, std::uint64_t n) {
  if (n == 0) fail(fault::argument, "uniform_below: n is 0, must be at least 1");
  auto product = detail::multiply(detail::draw64(source), n);
  if (product.low < n) {
    const std::uint64_t surplus = (0 - n) % n; // 2^64 mod n: so many low values come once too often
    while (product.low < surplus) product = detail::multiply(detail::draw64(source), n);
  }
  return product.high;
}

/// True with probability floor(p 2^64) / 2^64, which is p itself for every double p >= 2^-12.
/// Always two words.
///
/// Errors  N001 unless 0 <= p <= 1
template <RandomSource Source>
bool bernoulli(Source& source, double p) {
  if (!(p >= 0 && p <= 1)) fail(fault::argument, "bernoulli: p is ", p, ", must be in [0, 1]");
  const std::uint64_t drawn = detail::draw64(source);
  return p == 1 || drawn < static_cast<std::uint64_t>(p * 0x1p64);
}

/// Shuffles in place, every order equally likely (Fisher-Yates from the end, one `uniform_below`
/// per element but the first).
template <class T, RandomSource Source>
void shuffle(Source& source, std::span<T> items) {
  for (std::size_t left = items.size(); left > 1; --left) {
    using std::swap;
    swap(items[left - 1], items[static_cast<std::size_t>(uniform_below(source, left))]);
  }
}

/// Writes the numbers 0 .. size - 1 in random order.
template <RandomSource Source>
void permutation(Source& source, std::span<std::uint32_t> out) {
  std::iota(out.begin(), out.end(), std::uint32_t{0});
  shuffle(source, out);
}

/// A standard normal, for simulations and partitions: by the polar method of Marsaglia and Bray, 1964.
template <RandomSource Source>
double polar_normal(Source& source) {
  for (;;) {
    const double u = 2 * uniform01<double>(source) - 1, v = 2 * uniform01<double>(source) - 1,
                 s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

} // namespace privet
