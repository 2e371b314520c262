#pragma once
// Does the time of an operation tell two classes of input apart? Welch's t-test on interleaved measurements.
// Source: O. Reparaz, J. Balasch, I. Verbauwhede, Dude, is my code constant time?, DATE 2017.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include <ctime>
#endif

namespace leaks {

#if defined(__x86_64__)
inline std::uint64_t start_clock() noexcept {
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}
inline std::uint64_t stop_clock() noexcept {
  unsigned core;
  const std::uint64_t now = __rdtscp(&core);
  _mm_lfence();
  return now;
}
#else
inline std::uint64_t start_clock() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
}
inline std::uint64_t stop_clock() noexcept { return start_clock(); }
#endif

struct measurements {
  std::vector<float> ticks;
  std::vector<char> random;
};

/// Welch's t of the two classes, over the measurements of at most so many ticks.
inline double welch(const measurements& of, float most) {
  double count[2]{}, mean[2]{}, squares[2]{};
  for (std::size_t i = 0; i < of.ticks.size(); ++i) {
    if (of.ticks[i] > most) continue;
    const int k = of.random[i];
    count[k] += 1;
    const double off = of.ticks[i] - mean[k];
    mean[k] += off / count[k];
    squares[k] += off * (of.ticks[i] - mean[k]);
  }
  if (count[0] < 2 || count[1] < 2) return 0;
  const double variance = squares[0] / (count[0] - 1) / count[0] + squares[1] / (count[1] - 1) / count[1];
  // A time that is always the same in each class: equal, or told apart without doubt.
  if (variance == 0) return mean[0] == mean[1] ? 0 : 1e9;
  return (mean[0] - mean[1]) / std::sqrt(variance);
}

/// The t of the largest magnitude over all measurements and over those without the slowest 0.1, 1, 5, 10, 25 and
/// 50 percent: what interrupts hide in one may show in another.
inline double largest_t(const measurements& of) {
  std::vector<float> sorted = of.ticks;
  std::ranges::sort(sorted);
  double largest = 0;
  for (const double share : {1.0, 0.999, 0.99, 0.95, 0.9, 0.75, 0.5}) {
    const auto last = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
    const double t = welch(of, sorted[last]);
    if (std::abs(t) > std::abs(largest)) largest = t;
  }
  return largest;
}

/// Times `run` so often, each time after `prepare(random)` for a class that is drawn. The first hundredth does
/// not count.
template <class Prepare, class Run>
measurements measure(std::size_t runs, std::mt19937_64& draw, Prepare&& prepare, Run&& run) {
  measurements out;
  out.ticks.reserve(runs);
  out.random.reserve(runs);
  const std::size_t first = std::max<std::size_t>(runs / 100, 50);
  std::uint64_t coins = 0;
  for (std::size_t i = 0; i < first + runs; ++i) {
    if (i % 64 == 0) coins = draw();
    const bool random = (coins >> i % 64 & 1) != 0;
    prepare(random);
    asm volatile("" ::: "memory");
    const std::uint64_t from = start_clock();
    run();
    const std::uint64_t to = stop_clock();
    asm volatile("" ::: "memory");
    if (i < first) continue;
    out.ticks.push_back(static_cast<float>(to - from));
    out.random.push_back(random);
  }
  return out;
}

/// into = fixed or random, by the same instructions either way.
template <class T>
void choose(bool random, std::span<const T> fixed, std::span<const T> drawn, std::span<T> into) {
  std::uint64_t mask = 0 - std::uint64_t{random};
  asm volatile("" : "+r"(mask));
  const T narrow = static_cast<T>(mask);
  for (std::size_t i = 0; i < into.size(); ++i)
    into[i] = static_cast<T>(fixed[i] ^ (narrow & (fixed[i] ^ drawn[i])));
}

} // namespace leaks
