#pragma once
// Geometric counts and their two-sided form, the discrete Laplace law, exact: integers only.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/exact_coins.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// The geometric law P(k) = (1 - r) r^k on 0, 1, ... with r = exp(-1 / scale), exact.
///
/// Errors   N001 unless numerator and denominator of the scale are in [1, 2^40]
/// Limits   k < 2^20 scale; the law is changed by less than exp(-10^6)
/// Cost     about four words for a number
/// Privacy  the running time depends on the number
/// Source   Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", 2020,
///          Algorithm 2
/// Test     tests/random/discrete_laplace.test.cpp
class geometric {
 public:
  explicit geometric(ratio scale) : scale_(scale) {
    constexpr std::uint64_t most = std::uint64_t{1} << 40;
    if (scale.numerator == 0 || scale.numerator > most || scale.denominator == 0 || scale.denominator > most)
      fail(fault::argument, "geometric: scale is ", scale.numerator, " / ", scale.denominator,
           ", both must be in [1, 2^40]");
  }

  template <RandomSource Source>
  void fill(Source& source, std::span<std::int64_t> out) const {
    detail::word_buffer<Source> words(source, 4 * out.size());
    for (auto& k : out) k = draw(words);
  }

  /// One number from a `detail::word_buffer`.
  template <class Words>
  std::int64_t draw(Words& words) const {
    const std::uint64_t x = whole(words);
    return static_cast<std::int64_t>(scale_.denominator == 1 ? x : x / scale_.denominator);
  }

 private:
  /// Of the scale t / s first that with t alone: u below t by rejection, and then u + t v.
  template <class Words>
  std::uint64_t whole(Words& words) const {
    const std::uint64_t t = scale_.numerator;
    std::uint64_t u = 0;
    if (t >> 32 == 0) {
      if (t > 1) do
          u = detail::below_small(words, t);
        while (u != 0 && !detail::exp_of_minus(words, detail::digits_of_small(u, t)));
    } else {
      do u = uniform_below(words, t);
      while (!detail::exp_of_minus(words, detail::digits_of_large(u, t)));
    }
    return u + t * detail::ones_of_exp(words, std::uint64_t{1} << 20);
  }

  ratio scale_;
};

/// The discrete Laplace law P(x) = (1 - r) / (1 + r) r^|x| with r = exp(-1 / scale), exact.
///
/// Errors, limits, cost and source as `geometric`.
/// Privacy  added to an integer that neighbours change by at most D: epsilon = D / scale. The running
///          time depends on |x|.
/// Test     tests/random/discrete_laplace.test.cpp
class discrete_laplace {
 public:
  explicit discrete_laplace(ratio scale) : magnitude_(scale) {}

  template <RandomSource Source>
  void fill(Source& source, std::span<std::int64_t> out) const {
    detail::word_buffer<Source> words(source, 6 * out.size());
    for (auto& x : out) x = draw(words);
  }

  /// One number from a `detail::word_buffer`.
  template <class Words>
  std::int64_t draw(Words& words) const {
    for (;;) { // zero must not come twice as often: the negative one is drawn again
      const std::int64_t k = magnitude_.draw(words), sign = -static_cast<std::int64_t>(words.bit());
      if (k != 0 || sign == 0) return (k ^ sign) - sign;
    }
  }

 private:
  geometric magnitude_;
};

} // namespace privet
