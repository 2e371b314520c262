#pragma once

#include <privet/core/wipe.hpp>
#include <privet/privacy/numeric_mean.hpp>
#include <privet/privacy/special_functions.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// The mechanism of Duchi, Jordan and Wainwright for a vector of numbers in [-1, 1], or one such number: each
/// report holds two values only, +-bound().
///
/// Formula   each number x becomes a sign, + with probability (1 + x) / 2; of all 2^d vectors of signs, one
///           of those that agree with these signs in most places is drawn with probability e^epsilon /
///           (e^epsilon + 1), else one that disagrees in most; ties go either way. bound() makes the report
///           unbiased: (e^epsilon + 1) / (e^epsilon - 1) d 2^d / (2 h binomial(d, h)), h = ceil(d / 2)
/// Privacy   epsilon-local for the whole vector (replace-one). Reports are signs times one constant, so they
///           come from 2^d values; their probabilities are ratios of integers over 2^64 and the one of the
///           coin is rounded down: docs/privacy/local.md
/// Variance  bound()^2 - x^2 in each coordinate
/// Errors    N001: epsilon not in (0, 32], no dimension, a number outside [-1, 1] or NaN; N003: another
///           number of numbers
/// Cost      three words for each number, no table
/// Source    Duchi, Jordan, Wainwright, "Minimax optimal procedures for locally private estimation", JASA
///           2018, 4.2.3 (l-infinity); there ties belong to both halves, which for an even d exceeds epsilon
/// Test      tests/privacy/numeric_mean.test.cpp
class duchi {
 public:
  static constexpr std::string_view name = "duchi";

  explicit duchi(double epsilon, std::uint32_t dimensions = 1) : dimensions_(dimensions) {
    require(dimensions >= 1, fault::argument, name, ": 0 dimensions, expected 1 or more");
    const double e = std::exp(-detail::checked_epsilon(name, epsilon));
    agree_ = private_coin::at_most(1 / (1 + e));
    const double d = dimensions, h = std::ceil(d / 2),
                 // the mean of |sum of d signs| over d
        share = 2 * h * detail::central_binomial(d) / d;
    // agreement less disagreement, as the coin has it; 2^63 is taken off as an integer, so nothing cancels
    const double gap =
        static_cast<double>(static_cast<std::int64_t>(agree_.threshold - (std::uint64_t{1} << 63))) * 0x1p-63;
    require(gap > 0, fault::argument, name, ": epsilon ", epsilon, ", and no answer comes through");
    bound_ = 1 / (share * gap);
  }

  std::uint32_t dimensions() const noexcept { return dimensions_; }
  double bound() const noexcept { return bound_; }
  /// How often a report agrees in most places with the signs of its numbers.
  double agreement() const noexcept { return agree_.probability(); }
  /// Of one report about a number x.
  double variance(double x) const noexcept { return bound_ * bound_ - x * x; }

  /// A report. No branch and no address depends on the numbers.
  template <class Source>
  void randomise(std::span<const double> values, Source& source, std::span<double> out) const {
    detail::check_secret_coins<Source>();
    require(values.size() == dimensions_ && out.size() == dimensions_, fault::shape, name, ": got ",
            values.size(), " numbers and room for ", out.size(), ", expected ", dimensions_);
    std::int64_t agreed = 0; // coordinates that agree, less those that do not
    for (std::size_t j = 0; j < values.size(); ++j) {
      const std::uint64_t share = detail::checked_share(name, values[j]);
      const auto own = static_cast<std::int64_t>((detail::draw64(source) >> 11) < share) * 2 - 1;
      const auto sign = static_cast<std::int64_t>(detail::draw32(source) & 1) * 2 - 1;
      agreed += own * sign;
      out[j] = static_cast<double>(sign);
    }
    // Turned over where it agrees and should not, or the other way round.
    const std::uint32_t should = agree_.shows(detail::draw64(source)), tie = detail::draw32(source) & 1;
    const auto does =
        detail::choose(static_cast<std::uint32_t>(agreed == 0), tie, static_cast<std::uint32_t>(agreed > 0));
    const double factor = bound_ * (1 - 2 * static_cast<double>(should ^ does));
    for (double& x : out) x *= factor;
  }
  /// A report about one number, where there is one dimension.
  template <class Source>
  double randomise(double value, Source& source) const {
    double out = 0;
    randomise(std::span<const double>(&value, 1), source, std::span(&out, 1));
    return out;
  }

 private:
  std::uint32_t dimensions_;
  private_coin agree_;
  double bound_ = 0;
};

} // namespace privet
