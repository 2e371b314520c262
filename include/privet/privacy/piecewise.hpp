#pragma once

#include <privet/privacy/numeric_mean.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace privet {

/// The piecewise mechanism for a number in [-1, 1]: a report near the number, or anywhere else. Better than
/// `duchi` from epsilon 1.29 on.
///
/// Formula   of `cells` values, equally far apart and symmetric about 0, a window of w begins at
///           (cells - w) (1 + x) / 2, rounded either way without bias; the report is one of the window with
///           probability p, else one of the others. w is cells / (e^(epsilon/2) + 1), rounded, and
///           p = w e^epsilon / (w e^epsilon + cells - w)
/// Privacy   epsilon-local (replace-one): wherever the window lies, a value has probability p / w or
///           (1 - p) / (cells - w), whose ratio is at most e^epsilon, since the coin of p is rounded down. A
///           report is one of `cells` values, each a fixed product of an integer and a constant
/// Variance  x^2 / (e^(epsilon/2) - 1) + (e^(epsilon/2) + 3) / (3 (e^(epsilon/2) - 1)^2), but for the
///           rounding of w
/// Errors    N001: epsilon not in (0, 32], cells not in 16 to 2^30, or so few that no window is e^epsilon
///           times likelier; a number outside [-1, 1] or NaN
/// Cost      eight words
/// Source    Wang and others, "Collecting and analyzing multidimensional data with local differential
///           privacy", ICDE 2019, Algorithm 2 and Lemma 1
/// Test      tests/privacy/numeric_mean.test.cpp
class piecewise {
 public:
  static constexpr std::string_view name = "piecewise";

  explicit piecewise(double epsilon, std::uint32_t cells = 1u << 30) : cells_(cells) {
    require(cells >= 16 && cells <= 1u << 30, fault::argument, name, ": got ", cells,
            " cells, expected 16 to 2^30");
    const double half = std::exp(detail::checked_epsilon(name, epsilon) / 2);
    window_ = std::clamp(static_cast<std::uint32_t>(std::lround(cells / (half + 1))), 1u, cells / 2);
    const double w = window_, rest = cells_ - window_;
    inside_ = private_coin::at_most(w / (w + rest * std::exp(-epsilon)));
    // A cell of the window has this probability more than one outside; times w, it moves the mean along.
    const double p = inside_.probability(), gap = p - (1 - p) * w / rest;
    require(gap > 1e-7, fault::argument, name, ": epsilon ", epsilon, " with ", cells,
            " cells, and no answer comes through");
    scale_ = 2 / (gap * rest);
  }

  std::uint32_t cells() const noexcept { return cells_; }
  std::uint32_t window() const noexcept { return window_; }
  double inside() const noexcept { return inside_.probability(); } ///< p
  /// The k-th of the values that a report may have.
  double value(std::uint32_t k) const noexcept {
    return (static_cast<double>(k) - 0.5 * (static_cast<double>(cells_) - 1)) * scale_;
  }
  /// The largest of them.
  double bound() const noexcept { return value(cells_ - 1); }

  /// Of one report about a number x.
  double variance(double x) const noexcept {
    const double w = window_, all = cells_, rest = all - w, p = inside_.probability(),
                 at = 0.5 * rest * (1 + x), over = at - std::floor(at),
                 centre = 0.5 * rest * x; // of the window, from the middle
    const double within = w * ((w * w - 1) / 12 + centre * centre + over * (1 - over));
    const double beyond = all * (all * all - 1) / 12 - within;
    return (p * within / w + (1 - p) * beyond / rest) * scale_ * scale_ - x * x;
  }

  /// A report. No branch and no address depends on the number.
  template <class Source>
  double randomise(double x, Source& source) const {
    detail::check_secret_coins<Source>();
    const std::uint32_t rest = cells_ - window_;
    const auto place = detail::multiply(detail::checked_share(name, x), rest); // in units of 2^-53
    const auto start = static_cast<std::uint32_t>(place.high << 11 | place.low >> 53) +
                       static_cast<std::uint32_t>(detail::draw64(source) < place.low << 11);
    const std::uint32_t within = inside_.shows(detail::draw64(source));
    const auto near = static_cast<std::uint32_t>(uniform_below(source, window_));
    const auto far = static_cast<std::uint32_t>(uniform_below(source, rest));
    const std::uint32_t skipped = far + detail::choose(static_cast<std::uint32_t>(far >= start), window_, 0);
    return value(detail::choose(within, start + near, skipped));
  }

 private:
  std::uint32_t cells_, window_ = 1;
  private_coin inside_;
  double scale_ = 1;
};

} // namespace privet
