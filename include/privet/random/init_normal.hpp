#pragma once
// The portable normal: the same initial weights, bit for bit, on every target and compiler.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// Words behind one number, and what one step of `init_normal` is worth:
/// 2^-16 / sqrt(240 + (1 - 2^-32) / 3), which makes the standard deviation 1 exactly.
inline constexpr std::size_t init_normal_words = 8;
inline constexpr double init_normal_step = 0x1.083655c1a4a58p-20;

/// A bell from counted bits: 240 fair coins give (heads - tails), the last 16 bits spread it evenly
/// over the gap of two to its neighbours. An odd integer of at most 24 bits, exact as a float.
///
/// Ensures  mean 0, variance 1 in steps of `init_normal_step`; kurtosis 2.9917 (a normal has 3); the
///          distribution function is within 4e-4 of the normal one, and |x| < 15.6 instead of unbounded
constexpr std::int32_t init_normal(std::span<const std::uint32_t, init_normal_words> words) noexcept {
  int heads = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) heads += std::popcount(words[i]);
  heads += std::popcount(words.back() & 0xFFFF);
  const auto spread = static_cast<std::int32_t>(words.back() >> 16);
  return (2 * heads - 240) * 65536 + 2 * spread - 65535;
}

/// Fills `out` with draws of mean 0 and the given standard deviation, eight words each. The one
/// floating-point operation per number is a product of two exact inputs.
///
/// Errors   N001 unless the deviation is in [0, 1e30]
/// Test     tests/random/init_normal.test.cpp
template <std::floating_point T, RandomSource Source>
void fill_init_normal(Source& source, std::span<T> out, double standard_deviation = 1) {
  if (!(standard_deviation >= 0 && standard_deviation <= 1e30))
    fail(fault::argument, "fill_init_normal: standard deviation is ", standard_deviation,
         ", must be in [0, 1e30]");
  const auto step = static_cast<T>(standard_deviation * init_normal_step);
  std::array<std::uint32_t, 32 * init_normal_words> words;
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), words.size() / init_normal_words);
    source.fill(std::span(words).first(count * init_normal_words));
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<const std::uint32_t, init_normal_words> mine(&words[i * init_normal_words],
                                                                   init_normal_words);
      out[i] = static_cast<T>(init_normal(mine)) * step;
    }
    out = out.subspan(count);
  }
}

} // namespace privet
