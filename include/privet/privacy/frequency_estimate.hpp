#pragma once
// From the reports of a local randomiser to frequencies: unbiased estimates, their errors, and the
// nearest true distribution.

#include <privet/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace privet {

/// How often a report supports a value: `own` if the value is that of the person, `other` if not. Wang,
/// Blocki, Li, Jha, "Locally differentially private protocols for frequency estimation", 2017.
struct support_probabilities {
  double own, other;
};

/// The share of persons who hold a value.
struct frequency_estimate {
  double frequency;      ///< unbiased; may lie outside [0, 1]
  double standard_error; ///< of the randomisation, for the frequency estimated (at least for 0)

  /// Both ends of the normal interval of so many standard errors.
  double low(double errors = 1.96) const noexcept { return frequency - errors * standard_error; }
  double high(double errors = 1.96) const noexcept { return frequency + errors * standard_error; }
};

/// Variance of the estimate for a value of this frequency, from so many reports.
///
/// Formula   f (1 - f) of the sample left out: [f p (1 - p) + (1 - f) q (1 - q)] / (n (p - q)^2)
inline double estimate_variance(support_probabilities s, double frequency, double reports) noexcept {
  const double gap = s.own - s.other;
  return (frequency * s.own * (1 - s.own) + (1 - frequency) * s.other * (1 - s.other)) /
         (reports * gap * gap);
}

/// Frequencies from the number of reports that support each value.
///
/// Formula   (count / n - q) / (p - q)
/// Privacy   a function of reports that are private already; costs nothing
/// Errors    N001 when there are no reports, or more support than reports
inline std::vector<frequency_estimate> estimate_frequencies(std::span<const std::uint64_t> support,
                                                            std::uint64_t reports, support_probabilities s) {
  require(reports > 0, fault::argument, "estimate_frequencies: no reports");
  std::vector<frequency_estimate> all;
  all.reserve(support.size());
  for (const std::uint64_t count : support) {
    require(count <= reports, fault::argument, "estimate_frequencies: ", count, " of ", reports,
            " reports support a value");
    const auto n = static_cast<double>(reports);
    const double f = (static_cast<double>(count) / n - s.other) / (s.own - s.other);
    all.push_back({f, std::sqrt(estimate_variance(s, std::clamp(f, 0.0, 1.0), n))});
  }
  return all;
}

/// The distribution nearest to the estimates in Euclidean distance: none negative, sum 1. Duchi,
/// Shalev-Shwartz, Singer, Chandra, "Efficient projections onto the l1-ball", 2008.
inline std::vector<double> project_to_simplex(std::span<const frequency_estimate> estimates) {
  std::vector<double> sorted;
  for (const auto& e : estimates) sorted.push_back(e.frequency);
  std::ranges::sort(sorted, std::greater());
  double sum = 0, shift = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    sum += sorted[i];
    const double candidate = (sum - 1) / static_cast<double>(i + 1);
    if (sorted[i] > candidate) shift = candidate;
  }
  std::vector<double> nearest;
  for (const auto& e : estimates) nearest.push_back(std::max(0.0, e.frequency - shift));
  return nearest;
}

} // namespace privet
