#pragma once
// The fast normal, drawn from a source.

#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/fork_generation.hpp>
#include <privet/simd/normal.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

namespace detail {

/// Calls `f(words, first, count)` for one part of `numbers` normals after the other, with fresh words enough
/// for it.
template <std::floating_point T, RandomSource Source, class F>
void with_normal_words(Source& source, std::size_t numbers, const F& f) {
  constexpr std::size_t halves = simd::words_per_normal<T>, chunk = 2048 / halves;
  const auto words_for = [](std::size_t count) { return (count + 1) / 2 * 2 * halves; };
  alignas(64) std::array<std::uint32_t, chunk * halves> words;
  const auto used = std::span(words).first(words_for(std::min(numbers, chunk)));
  [[maybe_unused]] const wiped_at_exit<std::uint32_t> guard(
      used.first(SecretRandomSource<Source> ? used.size() : 0));
  for (std::size_t first = 0; first < numbers;) {
    const std::size_t count = std::min(numbers - first, chunk);
    const auto drawn = used.first(words_for(count));
    source.fill(drawn);
    f(std::span<const std::uint32_t>(drawn), first, count);
    first += count;
  }
}

} // namespace detail

/// Fills `out` with independent standard normals, drawn in pairs: one word per number (float) or
/// two (double); an odd size draws for one more and drops it.
///
/// Ensures  every number depends on its own pair alone, so filling an even part and then the rest
///          equals one fill; results agree to 2 ulp between targets, to the bit on one target
/// Limits   |x| <= 6.7 (float), 8.6 (double). The float radius has 2^-24 steps near zero.
/// Privacy  floating-point noise shows in its low bits which inputs were possible (Mironov, CCS
///          2012): a mechanism must round what it releases to a grid
/// Test     tests/random/normal.test.cpp
template <class Arch = simd::default_arch, std::floating_point T, RandomSource Source>
void fill_normal(Source& source, std::span<T> out) {
  detail::with_normal_words<T>(
      source, out.size(), [&](std::span<const std::uint32_t> words, std::size_t first, std::size_t count) {
        simd::normals<Arch>(words, out.subspan(first, count));
      });
}

/// x += deviation times what `fill_normal` would draw, in one pass.
template <class Arch = simd::default_arch, std::floating_point T, RandomSource Source>
void add_normal(Source& source, T deviation, std::span<T> x) {
  detail::with_normal_words<T>(
      source, x.size(), [&](std::span<const std::uint32_t> words, std::size_t first, std::size_t count) {
        simd::add_normals<Arch>(words, deviation, x.subspan(first, count));
      });
}

/// weights -= scale times (g + deviation times what `fill_normal` would draw), in one pass.
template <class Arch = simd::default_arch, std::floating_point T, RandomSource Source>
void descend_with_normal(Source& source, std::span<const T> g, T deviation, T scale, std::span<T> weights) {
  detail::with_normal_words<T>(
      source, g.size(), [&](std::span<const std::uint32_t> words, std::size_t first, std::size_t count) {
        simd::descend_with_normals<Arch>(words, g.subspan(first, count), deviation, scale,
                                         weights.subspan(first, count));
      });
}

/// A stream of standard normals that does not depend on how calls split it: the second half of a
/// pair waits for the next call. One per thread; the source must outlive it.
///
/// Privacy  a spare made from secret words is wiped when used, on destruction, and after a fork
template <RandomSource Source, std::floating_point T = float>
class normal_stream {
 public:
  explicit normal_stream(Source& source) : source_(&source), generation_(generation()) {}
  normal_stream(const normal_stream&) = delete;
  normal_stream& operator=(const normal_stream&) = delete;
  ~normal_stream() { wipe(std::span(spare_)); }

  template <class Arch = simd::default_arch>
  void fill(std::span<T> out) {
    if (const auto now = generation(); now != generation_) {
      wipe(std::span(spare_));
      has_spare_ = false;
      generation_ = now;
    }
    if (has_spare_ && !out.empty()) {
      out.front() = spare_[0];
      wipe(std::span(spare_));
      has_spare_ = false;
      out = out.subspan(1);
    }
    fill_normal<Arch>(*source_, out.first(out.size() / 2 * 2));
    if (out.size() % 2 != 0) {
      std::array<T, 2> pair;
      fill_normal<Arch>(*source_, std::span<T>(pair));
      out.back() = pair[0];
      spare_[0] = pair[1];
      has_spare_ = true;
      wipe(std::span(pair));
    }
  }

 private:
  static std::uint64_t generation() {
    if constexpr (SecretRandomSource<Source>)
      return fork_generation();
    else
      return 0;
  }

  Source* source_;
  std::uint64_t generation_;
  std::array<T, 1> spare_{};
  bool has_spare_ = false;
};

} // namespace privet
