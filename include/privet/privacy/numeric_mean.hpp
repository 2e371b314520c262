#pragma once
// The mean of reports that are each an unbiased estimate of their person's number.

#include <privet/core/error.hpp>
#include <privet/privacy/private_coin.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

namespace privet {

/// A mean and how far it may be off.
struct mean_estimate {
  double mean;           ///< unbiased; may lie outside the range of the numbers
  double standard_error; ///< of randomisation and sampling together

  /// Both ends of the normal interval of so many standard errors.
  double low(double errors = 1.96) const noexcept { return mean - errors * standard_error; }
  double high(double errors = 1.96) const noexcept { return mean + errors * standard_error; }
};

/// The mean of reports of `duchi`, `piecewise`, or one coordinate of several.
///
/// Privacy  a function of reports that are private already; costs nothing
/// Errors   N001 for fewer than two reports
inline mean_estimate estimate_mean(std::span<const double> reports) {
  require(reports.size() >= 2, fault::argument, "estimate_mean: ", reports.size(),
          " reports, needs at least 2");
  const auto n = static_cast<double>(reports.size());
  double mean = 0, squares = 0;
  for (const double x : reports) mean += x / n;
  for (const double x : reports) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / (n - 1) / n)};
}

namespace detail {

/// (1 + value) / 2 in units of 2^-53, for a value in [-1, 1]. Throws N001 for any other.
inline std::uint64_t checked_share(std::string_view who, double value) {
  require(value >= -1 && value <= 1, fault::argument, who, ": value ", value, ", expected -1 to 1");
  return static_cast<std::uint64_t>(std::llrint((1 + value) * 0x1p52));
}

} // namespace detail
} // namespace privet
