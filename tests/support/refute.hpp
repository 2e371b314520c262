#pragma once
// Tries to disprove what is claimed of something random: that a mechanism is (epsilon, delta)-private, that
// two samples have one law, that two streams or two noise vectors have nothing to do with each other.
//
// Every call raises a false alarm with probability at most 1e-6. docs/privacy/refuting.md says what it cannot
// see.

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace privet::test {

/// How often a call may speak against what is true.
inline constexpr double false_alarm = 1e-6;

namespace detail {

/// P(X <= k) of a binomial X if `below`, else P(X >= k); k on that side of the mean.
inline double binomial_tail(std::size_t n, std::size_t k, double p, bool below) {
  const double all = static_cast<double>(n), from = static_cast<double>(k), odds = p / (1 - p);
  const double first = std::exp(std::lgamma(all + 1) - std::lgamma(from + 1) - std::lgamma(all - from + 1) +
                                from * std::log(p) + (all - from) * std::log1p(-p));
  double sum = 0, term = first;
  for (double i = from; i >= 0 && i <= all && term > 1e-17 * sum; below ? --i : ++i) {
    sum += term;
    term *= below ? i / ((all - i + 1) * odds) : (all - i) * odds / (i + 1);
  }
  return sum;
}

/// The p for which such a tail is `alpha`, from the side where it is less.
inline double clopper_pearson(std::size_t n, std::size_t k, double alpha, bool upper) {
  double sure = upper ? 1 : 0, far = static_cast<double>(k) / static_cast<double>(n);
  if (far == sure) return sure;
  for (int i = 0; i < 60; ++i) {
    const double middle = (sure + far) / 2;
    (binomial_tail(n, k, middle, upper) <= alpha ? sure : far) = middle;
  }
  return sure;
}

} // namespace detail

/// Bounds on a probability from k of n, each of which fails with probability at most alpha (Clopper, Pearson,
/// Biometrika 1934).
inline double lower_probability(std::size_t n, std::size_t k, double alpha) {
  return detail::clopper_pearson(n, k, alpha, false);
}
inline double upper_probability(std::size_t n, std::size_t k, double alpha) {
  return detail::clopper_pearson(n, k, alpha, true);
}

struct privacy_claim {
  double epsilon = 0, delta = 0;
};

/// One number from every run of a mechanism, on an input and on its neighbour.
struct paired_runs {
  std::vector<double> one, other;
};

/// `one()` and `other()` each run the mechanism and reduce what came out to a number.
template <class One, class Other>
paired_runs run_both(std::size_t runs, One one, Other other) {
  paired_runs all;
  for (std::size_t i = 0; i < runs; ++i) {
    all.one.push_back(static_cast<double>(one()));
    all.other.push_back(static_cast<double>(other()));
  }
  return all;
}

/// The same for outcomes that have names: the number is how much likelier the outcome was on the one input,
/// by the first half of the runs, which `refute` does not test on.
template <class One, class Other>
paired_runs run_both_by_name(std::size_t runs, One one, Other other) {
  std::vector<std::uint64_t> from_one, from_other;
  std::map<std::uint64_t, std::array<double, 2>> seen;
  for (std::size_t i = 0; i < runs; ++i) {
    from_one.push_back(one());
    from_other.push_back(other());
    if (i < runs / 2) ++seen[from_one.back()][0], ++seen[from_other.back()][1];
  }
  const auto likelier = [&](std::uint64_t name) {
    const auto found = seen.find(name);
    return found == seen.end() ? 0 : std::log((found->second[0] + 0.5) / (found->second[1] + 0.5));
  };
  paired_runs all;
  for (std::size_t i = 0; i < runs; ++i) {
    all.one.push_back(likelier(from_one[i]));
    all.other.push_back(likelier(from_other[i]));
  }
  return all;
}

struct refutation {
  bool refuted = false;
  double epsilon = 0; ///< no smaller one is possible at the delta of the claim, but for the false alarms
  /// The least epsilon that would have been refuted half of the time, had this event had it. Infinite where
  /// no count of these runs refutes the claim.
  double visible = std::numeric_limits<double>::infinity();
  std::size_t tested = 0; ///< runs of each input that the event was tested on
  bool reversed = false;  ///< the event is likelier on the other input
  bool above = false;     ///< values of at least the threshold, else those below it
  double threshold = 0;   ///< what the other half of the runs chose
  std::size_t count = 0, neighbour_count = 0;
};

inline std::string describe(const privacy_claim& claim, const refutation& r) {
  std::ostringstream text;
  text << "claimed (" << claim.epsilon << ", " << claim.delta << "); epsilon is at least " << r.epsilon
       << ", from " << r.visible << " on it would be seen: " << r.count << " against " << r.neighbour_count
       << " of " << r.tested << " runs " << (r.above ? ">= " : "< ") << r.threshold
       << (r.reversed ? ", reversed" : "");
  return text.str();
}

/// Tries to disprove that the runs are of an (epsilon, delta)-private mechanism and of neighbours.
///
/// Method    half of the runs choose an event: a threshold, the side of it, and the input it speaks for; the
///           other half test it by one lower and one upper Clopper-Pearson bound, each with half of the false
///           alarms. Refuted when lower > e^epsilon upper + delta
/// Source    Jagielski, Ullman, Oprea, NeurIPS 2020, arXiv:2006.07709
inline refutation refute(const privacy_claim& claim, const paired_runs& runs) {
  const std::size_t first = runs.one.size() / 2, rest = runs.one.size() - first;
  const auto half = [&](const std::vector<double>& all, bool test) {
    std::vector<double> part(all.begin() + (test ? static_cast<std::ptrdiff_t>(first) : 0),
                             test ? all.end() : all.begin() + static_cast<std::ptrdiff_t>(first));
    for (double& x : part)
      if (std::isnan(x)) x = -std::numeric_limits<double>::infinity();
    std::ranges::sort(part);
    return part;
  };
  const auto count = [](const std::vector<double>& sorted, double threshold, bool above) {
    const auto below = static_cast<std::size_t>(std::ranges::lower_bound(sorted, threshold) - sorted.begin());
    return above ? sorted.size() - below : below;
  };
  const auto one = half(runs.one, false), other = half(runs.other, false);
  std::vector<double> thresholds;
  std::ranges::merge(one, other, std::back_inserter(thresholds));
  thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());

  // Wilson's interval at five deviations is close enough to choose by. The event with the largest epsilon is
  // tested; where none has any, the one on which the least would be seen.
  const double n = static_cast<double>(first), factor = std::exp(claim.epsilon);
  const auto wilson = [n](double k, double z) {
    const double p = k / n, square = z * z / n;
    return (p + square / 2 + z * std::sqrt(p * (1 - p) / n + square / (4 * n))) / (1 + square);
  };
  refutation found, blind;
  double best = 1, least = std::numeric_limits<double>::infinity();
  const std::size_t most = 2000, step = thresholds.size() / most + 1;
  for (std::size_t i = 0; i < thresholds.size(); i += step)
    for (const bool above : {false, true}) {
      const std::size_t a = count(one, thresholds[i], above), b = count(other, thresholds[i], above);
      for (const bool reversed : {false, true}) {
        const auto many = static_cast<double>(reversed ? b : a), few = static_cast<double>(reversed ? a : b);
        const double upper = wilson(few, 5), ratio = (wilson(many, -5) - claim.delta) / upper;
        if (ratio > best) {
          best = ratio;
          found.reversed = reversed, found.above = above, found.threshold = thresholds[i];
        }
        const double allowed = factor * upper + claim.delta;
        if (allowed < 0.95 && wilson(allowed * n, 5) - claim.delta < least * upper) {
          least = (wilson(allowed * n, 5) - claim.delta) / upper;
          blind.reversed = reversed, blind.above = above, blind.threshold = thresholds[i];
        }
      }
    }
  if (best == 1) found = blind;

  found.tested = rest;
  found.count = count(half(found.reversed ? runs.other : runs.one, true), found.threshold, found.above);
  found.neighbour_count =
      count(half(found.reversed ? runs.one : runs.other, true), found.threshold, found.above);
  const double lower = lower_probability(rest, found.count, false_alarm / 2),
               upper = upper_probability(rest, found.neighbour_count, false_alarm / 2);
  const double allowed = factor * upper + claim.delta;
  found.refuted = lower > allowed;
  if (lower > claim.delta) found.epsilon = std::max(std::log((lower - claim.delta) / upper), 0.0);

  std::size_t few = 0, many = rest + 1; // the least count that refutes
  while (few < many) {
    const std::size_t middle = few + (many - few) / 2;
    if (middle > rest || lower_probability(rest, middle, false_alarm / 2) > allowed)
      many = middle;
    else
      few = middle + 1;
  }
  if (few <= rest) {
    const double all = static_cast<double>(rest),
                 neighbour = static_cast<double>(std::max<std::size_t>(found.neighbour_count, 1));
    found.visible = std::log((static_cast<double>(few) - claim.delta * all) / neighbour);
  }
  return found;
}

/// What was measured, and the most that chance explains.
struct difference {
  double measured = 0, limit = 0;
  bool refuted() const noexcept { return measured > limit; }
};

/// Tries to disprove that two samples of one size have one law, by the largest difference between their
/// distribution functions.
///
/// Limit     P(more than sqrt(log(e / alpha) / n)) <= alpha, of discrete laws too (Wei, Dudley,
///           arXiv:1107.5356)
inline difference compare_samples(std::vector<double> a, std::vector<double> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  const double n = static_cast<double>(std::min(a.size(), b.size()));
  difference found{0, std::sqrt(std::log(std::exp(1.0) / false_alarm) / n)};
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] == x) ++i;
    while (j < b.size() && b[j] == x) ++j;
    found.measured =
        std::max(found.measured, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                          static_cast<double>(j) / static_cast<double>(b.size())));
  }
  return found;
}

/// Tries to disprove that counts of outcomes have these probabilities, by chi-square. Outcomes of which fewer
/// than 50 are expected are one outcome.
///
/// Limit     P(chi-square of k degrees > k + 2 sqrt(k x) + 2 x) <= e^-x (Laurent, Massart, 2000, lemma 1)
inline difference compare_counts(std::span<const std::uint64_t> counts,
                                 std::span<const double> probabilities) {
  double all = 0, squares = 0, degrees = -1, rare = 0, rarely = 0;
  for (const auto c : counts) all += static_cast<double>(c);
  const auto add = [&](double count, double expected) {
    squares += (count - expected) * (count - expected) / expected;
    ++degrees;
  };
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double count = static_cast<double>(counts[i]), expected = all * probabilities[i];
    if (expected >= 50)
      add(count, expected);
    else
      rare += count, rarely += expected;
  }
  if (rarely >= 50)
    add(rare, rarely);
  else if (rare > rarely + 6 * std::sqrt(50.0) + 12) // a sum of coins of mean below 50: 1e-8
    return {std::numeric_limits<double>::infinity(), 0};
  const double x = std::log(1 / false_alarm), k = std::max(degrees, 1.0);
  return {squares, k + 2 * std::sqrt(k * x) + 2 * x};
}

/// Tries to disprove that two vectors of noise are independent, one of them Gaussian, by the cosine between
/// them.
///
/// Limit     P(|cosine| > t) <= 2 exp(-d t^2 / 2) for a direction uniform on the sphere; needs d > 29
inline difference correlate(std::span<const double> a, std::span<const double> b) {
  const auto dot = [](std::span<const double> x, std::span<const double> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  return {std::abs(dot(a, b)) / std::sqrt(dot(a, a) * dot(b, b)),
          std::sqrt(2 * std::log(2 / false_alarm) / static_cast<double>(a.size()))};
}

/// Whether two streams have 64 bits in a row in common, at any places: 2^-64 for each pair of places
/// otherwise, 1e-6 for four million words of each.
inline bool share_words(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b) {
  const auto windows = [](std::span<const std::uint32_t> words) {
    std::vector<std::uint64_t> all;
    for (std::size_t i = 1; i < words.size(); ++i)
      all.push_back(std::uint64_t{words[i - 1]} << 32 | words[i]);
    std::ranges::sort(all);
    return all;
  };
  const auto left = windows(a), right = windows(b);
  std::vector<std::uint64_t> common;
  std::ranges::set_intersection(left, right, std::back_inserter(common));
  return !common.empty();
}

/// A true claim: the runs do not refute it.
inline void check_kept(const privacy_claim& claim, const paired_runs& runs) {
  const auto found = refute(claim, runs);
  INFO(describe(claim, found));
  CHECK_FALSE(found.refuted);
}
/// A false one: they do.
inline void check_refuted(const privacy_claim& claim, const paired_runs& runs) {
  const auto found = refute(claim, runs);
  INFO(describe(claim, found));
  CHECK(found.refuted);
  CHECK(found.epsilon > claim.epsilon);
}

} // namespace privet::test
