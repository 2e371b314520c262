#pragma once
// Is one model better than another, or was it luck? Decided on rows that neither has seen.

#include <cmath>
#include <cstddef>

namespace privet {

/// Rows on which exactly one of two models is right, and what follows from their numbers.
///
/// Source    McNemar, Psychometrika 1947, in its exact form: the sign test (Dietterich, Neural Computation
///           10(7), 1998, section 3.1)
/// Test      tests/train/personalise.test.cpp
struct paired_counts {
  std::size_t wins = 0;   ///< the first is right, the second wrong
  std::size_t losses = 0; ///< the other way round

  /// How likely as many wins, or more, would be if each of these rows were a fair coin. 1 without any.
  double chance() const {
    const auto n = static_cast<double>(wins + losses);
    double sum = 0;
    for (std::size_t k = wins; k <= wins + losses; ++k) {
      const auto x = static_cast<double>(k);
      sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) - n * std::log(2.0));
    }
    return sum < 1 ? sum : 1;
  }
};

} // namespace privet
