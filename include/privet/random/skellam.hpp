#pragma once
// The Skellam law, the difference of two Poisson counts of one mean, by a table.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/exact_coins.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// The symmetric Skellam law of a rational variance: X - Y for Poisson X and Y of half that mean.
///
/// Errors   N001 unless the variance n / d is positive, n < 2^30, d < 2^14 and n / d <= 2^17
/// Ensures  the law is within `distance` of the true one, in total variation and for each number; the same
///          words give the same numbers on every target. Sums of such numbers are Skellam, their variances
///          added up
/// Cost     eight words for a number, and two binary searches in some 16 sigma + 60 entries of 16 bytes
/// Privacy  see `skellam_share`. The addresses depend on the numbers
/// Source   the recurrence of Poisson's probabilities, on integers; docs/privacy/noise_share.md
/// Test     tests/random/skellam.test.cpp
class skellam_table {
 public:
  /// Total variation between the law of one number and the true one, at most.
  static constexpr double distance = 0x1p-64;

  explicit skellam_table(ratio variance) : variance_(variance) {
    const std::uint64_t n = variance.numerator, d = variance.denominator;
    if (n == 0 || d == 0 || n >> 30 != 0 || d >> 14 != 0 || n > d << 17)
      fail(fault::argument, "skellam_table: variance is ", n, " / ", d,
           ", must be positive and at most 131072, with a numerator below 2^30 and a denominator below 2^14");
    // Of the mean n / 2d: 2^94 at the mode, and from there to both sides, rounded down.
    const std::uint64_t mode = n / (2 * d);
    std::vector<detail::uint128> weights;
    detail::uint128 w = detail::uint128{1} << 94;
    for (first_ = mode;; --first_) {
      weights.push_back(w);
      w = w * (2 * d * first_) / n;
      if (w == 0) break; // at 0 for certain
    }
    std::ranges::reverse(weights);
    w = detail::uint128{1} << 94;
    for (std::uint64_t k = mode + 1; w > 0; ++k) {
      w = w * n / (2 * d * k);
      if (w > 0) weights.push_back(w);
    }
    detail::uint128 all = 0, below = 0;
    for (const auto x : weights) all += x;
    for (const auto x : weights) {
      below += x;
      if (below < all) up_to_.push_back(detail::fraction_of(below, all));
    }
  }

  ratio variance() const noexcept { return variance_; }

  template <RandomSource Source>
  void fill(Source& source, std::span<std::int64_t> out) const {
    detail::word_buffer<Source> words(source, 8 * out.size());
    for (auto& x : out) x = count(words) - count(words);
  }

  /// The count that 2^-127 u stands for, u < 2^127.
  std::int64_t count_at(detail::uint128 u) const noexcept {
    return static_cast<std::int64_t>(first_) + (std::ranges::upper_bound(up_to_, u) - up_to_.begin());
  }

 private:
  template <class Words>
  std::int64_t count(Words& words) const {
    const std::uint64_t high = detail::draw64(words) >> 1, low = detail::draw64(words);
    return count_at(detail::uint128{high} << 64 | low);
  }

  ratio variance_;
  std::uint64_t first_ = 0;            ///< the least count
  std::vector<detail::uint128> up_to_; ///< 2^127 P(X <= first + i); the last, 2^127, is left out
};

} // namespace privet
