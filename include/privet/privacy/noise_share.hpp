#pragma once
// Shares of noise: everybody adds a little, and the sum of all is private. On integers only, so that the sum
// may be made by secure aggregation.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/core/labels.hpp>
#include <privet/core/wipe.hpp>
#include <privet/privacy/accountant.hpp>
#include <privet/privacy/event.hpp>
#include <privet/privacy/pure_noise.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/skellam.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// rho of a sum with one discrete Gaussian number of this variance from each of so many shares: that of one
/// Gaussian of the sum of variances, and what it costs that sums of discrete Gaussians are not quite one.
///
/// Formula  1/2 (D2^2 / (n v) + 2 tau D1 / sqrt(n v) + tau^2 d), D2 the l2 sensitivity, D1 = min(sqrt(d) D2,
///          D2^2) at least the l1 sensitivity of integers, tau = 10 sum_{k<n} exp(-2 pi^2 v k / (k + 1))
/// Errors   N001 unless the variance of a share is at least 1/4, there is a share, and a number
/// Source   Kairouz, Liu, Steinke, arXiv:2102.06387, section 3; docs/privacy/noise_share.md has a proof
/// Test     tests/privacy/noise_share.test.cpp
inline double discrete_gaussian_sum_rho(double variance, std::uint64_t shares, double squared_sensitivity,
                                        std::size_t dimension) {
  require(variance >= 0.25 && std::isfinite(variance), fault::argument,
          "discrete_gaussian_sum_rho: got the variance ", variance,
          " of a share, expected at least 1/4: sums of less noise are far from Gaussian");
  require(shares >= 1 && dimension >= 1 && squared_sensitivity >= 0 && std::isfinite(squared_sensitivity),
          fault::argument, "discrete_gaussian_sum_rho: got ", shares, " shares, ", dimension,
          " numbers and the squared sensitivity ", squared_sensitivity);
  double tau = 0;
  constexpr std::uint64_t most = 100'000;
  const double exponent = -2 * std::numbers::pi * std::numbers::pi * variance;
  for (std::uint64_t k = 1; k < std::min(shares, most); ++k)
    tau += 10 * std::exp(exponent * static_cast<double>(k) / static_cast<double>(k + 1));
  if (shares > most) // the terms fall
    tau += 10 * static_cast<double>(shares - most) *
           std::exp(exponent * static_cast<double>(most) / static_cast<double>(most + 1));
  const double d = static_cast<double>(dimension), total = variance * static_cast<double>(shares),
               l2 = std::sqrt(squared_sensitivity), l1 = std::min(std::sqrt(d) * l2, squared_sensitivity);
  return 0.5 * (squared_sensitivity / total + 2 * tau * l1 / std::sqrt(total) + tau * tau * d) * (1 + 1e-12);
}

/// The Renyi divergence of a sum with Skellam noise of this variance in all on each number.
///
/// Formula  alpha D2^2 / (2 mu) + min(((2 alpha - 1) D2^2 + 6 D1) / (4 mu^2), 3 D1 / (2 mu)), D1 =
///          min(sqrt(d) D2, D2^2)
/// Errors   N001 for an order below 2, and for a variance or a dimension that is not positive
/// Source   Agarwal, Kairouz, Liu, arXiv:2110.04995, Theorem 3.5 and its corollary, for whole orders
/// Test     tests/privacy/noise_share.test.cpp
inline double skellam_renyi_divergence(std::uint32_t alpha, double variance, double squared_sensitivity,
                                       std::size_t dimension) {
  require(alpha >= 2 && variance > 0 && std::isfinite(variance) && squared_sensitivity >= 0 && dimension >= 1,
          fault::argument, "skellam_renyi_divergence: got the order ", alpha, ", the variance ", variance,
          ", the squared sensitivity ", squared_sensitivity, " and ", dimension,
          " numbers, expected an order of 2 or more");
  const double l1 =
      std::min(std::sqrt(static_cast<double>(dimension) * squared_sensitivity), squared_sensitivity);
  const double first = ((2.0 * alpha - 1) * squared_sensitivity + 6 * l1) / (4 * variance * variance),
               second = 3 * l1 / (2 * variance);
  return (alpha * squared_sensitivity / (2 * variance) + std::min(first, second)) * (1 + 1e-12);
}

namespace detail {

/// What both kinds of shares do to one unit's vector before the noise: it becomes integers.
struct integer_share {
  static void check(std::string_view who, double bound, double granularity, double retries) {
    require(bound > 0 && granularity > 0 && bound / granularity >= 1e-9 && bound / granularity <= 0x1p30,
            fault::argument, who, ": got the bound ", bound, " and the granularity ", granularity,
            ", expected a bound of at most 2^30 steps");
    require(retries > 0 && retries <= 0.99, fault::argument, who, ": got the share ", retries,
            " of roundings to repeat, expected more than 0 and at most 0.99");
  }

  /// What the squared norm of a rounded vector is at most, in steps, for certain.
  static std::uint64_t squared_norm(double bound, double granularity, double retries, std::size_t dimension) {
    const double d = static_cast<double>(dimension), c = bound / granularity * (1 + 1e-9),
                 likely = c * c + d / 4 + std::sqrt(2 * std::log(1 / retries)) * (c + std::sqrt(d) / 2),
                 always = (c + std::sqrt(d)) * (c + std::sqrt(d));
    return static_cast<std::uint64_t>(std::min(likely, always) * (1 + 1e-12));
  }

  /// Clips to the bound and rounds each number up or down at random, the mean kept, again and again until the
  /// squared norm is at most `limit`. A vector that is not finite becomes zero.
  template <class T, class Source>
  static std::vector<std::int64_t> rounded(std::span<const T> x, double bound, double granularity,
                                           std::uint64_t limit, Source& source) {
    double squares = 0, largest = 0;
    for (const T v : x) largest = std::max(largest, std::abs(static_cast<double>(v)));
    bool finite = std::isfinite(largest);
    for (const T v : x) finite = finite && !std::isnan(v);
    if (!finite) largest = 0;
    for (const T v : x) {
      const double y = largest > 0 ? static_cast<double>(v) / largest : 0;
      squares += y * y;
    }
    const double length = largest * std::sqrt(squares),
                 factor = length > bound ? bound / length / granularity : 1 / granularity;
    std::vector<std::int64_t> out(x.size());
    for (;;) {
      detail::word_buffer<Source> words(source, 2 * x.size());
      detail::uint128 sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double y = largest > 0 ? static_cast<double>(x[i]) * factor : 0, low = std::floor(y);
        const auto part = static_cast<std::uint64_t>((y - low) * 0x1p63);
        out[i] = static_cast<std::int64_t>(low) + (detail::draw64(words) >> 1 < part);
        const auto size = static_cast<std::uint64_t>(out[i] < 0 ? -out[i] : out[i]);
        sum += detail::uint128{size} * size;
      }
      if (sum <= limit) return out;
    }
  }

  /// The rounded vector with one number of this law on each of its own.
  template <class T, class Law, class Source>
  static std::vector<std::int64_t> noised(std::span<const T> x, double bound, double granularity,
                                          std::uint64_t limit, const Law& law, Source& source) {
    auto out = rounded(x, bound, granularity, limit, source);
    std::vector<std::int64_t> noise(x.size());
    const wiped_at_exit<std::int64_t> guard{std::span<std::int64_t>(noise)};
    law.fill(source, noise);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += noise[i];
    return out;
  }

  /// The squared l2 sensitivity of the sum, in steps.
  static double squared_sensitivity(std::string_view who, std::uint64_t squared, neighbours relation) {
    require(relation != neighbours::add_remove, fault::unsupported, who, ": got the relation ",
            name_of(relation), ", expected ", name_of(neighbours::zero_out), " or ",
            name_of(neighbours::replace_one), ": a unit that is missing would take its noise with it");
    return (relation == neighbours::replace_one ? 4.0 : 1.0) * static_cast<double>(squared);
  }
};

} // namespace detail

/// One unit's share of a private sum: its vector rounded to integers, plus discrete Gaussian noise.
///
/// Formula   round(x min(1, bound / |x|) / granularity) + N_Z(0, variance I), rounded at random and again
///           with probability at most `retries`, until the squared norm is at most squared_norm(d)
/// Requires  label bounded<norm::l2>; comes last
/// Ensures   label noise_share<measure::zcdp>: private in the sum of `shares` such vectors, if nobody sees
///           one alone (secure aggregation; a sum modulo anything is as private)
/// Privacy   rho(shares, d) zCDP for one unit, zero-out or replace-one. `shares` are those of honest holders
///           whose noise arrives: others add nothing to the guarantee and take nothing from it
/// Errors    N001 for numbers out of range, N011 for add-remove
/// Source    Kairouz, Liu, Steinke, arXiv:2102.06387, Algorithm 1, without its rotation
/// Test      tests/privacy/noise_share.test.cpp
struct discrete_gaussian_share {
  static constexpr std::string_view name = "discrete_gaussian_share";
  static constexpr stage_role role = stage_role::encoding;
  template <Label L>
  static constexpr bool fits = requires { requires std::same_as<typename L::norm, norm::l2>; };
  template <Label L>
  using after = noise_share<measure::zcdp, typename L::unit>;

  double bound = 1;
  double granularity = 0x1p-10;        ///< one step of the integers
  ratio variance{16, 1};               ///< of one share, in squared steps
  double retries = 0.6065306597126334; ///< exp(-1/2)

  void check() const {
    detail::integer_share::check(name, bound, granularity, retries);
    static_cast<void>(discrete_gaussian(variance));
  }
  std::uint64_t squared_norm(std::size_t dimension) const {
    return detail::integer_share::squared_norm(bound, granularity, retries, dimension);
  }
  double squared_sensitivity(std::size_t dimension, neighbours relation = neighbours::zero_out) const {
    return detail::integer_share::squared_sensitivity(name, squared_norm(dimension), relation);
  }
  double rho(std::uint64_t shares, std::size_t dimension, neighbours relation = neighbours::zero_out) const {
    check();
    return discrete_gaussian_sum_rho(
        static_cast<double>(variance.numerator) / static_cast<double>(variance.denominator) * (1 - 0x1p-52),
        shares, squared_sensitivity(dimension, relation), dimension);
  }

  template <class T, class Source>
  std::vector<std::int64_t> encode(std::span<const T> x, Source& source) const {
    detail::check_secret_noise<Source>();
    check();
    return detail::integer_share::noised(x, bound, granularity, squared_norm(x.size()),
                                         discrete_gaussian(variance), source);
  }
  /// A sum of shares, in the units of the vectors.
  double decode(std::int64_t sum) const noexcept { return static_cast<double>(sum) * granularity; }
};

/// The same with Skellam noise, of which a sum of shares is exactly one more.
///
/// Formula   round(x min(1, bound / |x|) / granularity) + X - Y, X and Y Poisson of mean variance / 2
/// Ensures   label noise_share<measure::approximate>: private in the sum of `shares` such vectors
/// Privacy   renyi_divergence(alpha, shares, d) for one unit, zero-out or replace-one, plus
///           shares d skellam_table::distance of total variation
/// Errors    N001 for numbers out of range, N011 for add-remove
/// Source    Agarwal, Kairouz, Liu, arXiv:2110.04995, Algorithm 1, without its rotation
/// Test      tests/privacy/noise_share.test.cpp
struct skellam_share {
  static constexpr std::string_view name = "skellam_share";
  static constexpr stage_role role = stage_role::encoding;
  template <Label L>
  static constexpr bool fits = requires { requires std::same_as<typename L::norm, norm::l2>; };
  template <Label L>
  using after = noise_share<measure::approximate, typename L::unit>;

  double bound = 1;
  double granularity = 0x1p-10;        ///< one step of the integers
  ratio variance{16, 1};               ///< of one share, in squared steps
  double retries = 0.6065306597126334; ///< exp(-1/2)

  void check() const { detail::integer_share::check(name, bound, granularity, retries); }
  std::uint64_t squared_norm(std::size_t dimension) const {
    return detail::integer_share::squared_norm(bound, granularity, retries, dimension);
  }
  double squared_sensitivity(std::size_t dimension, neighbours relation = neighbours::zero_out) const {
    return detail::integer_share::squared_sensitivity(name, squared_norm(dimension), relation);
  }
  double renyi_divergence(std::uint32_t alpha, std::uint64_t shares, std::size_t dimension,
                          neighbours relation = neighbours::zero_out) const {
    check();
    require(shares >= 1, fault::argument, "skellam_share: got no shares, expected 1 or more");
    const double total = static_cast<double>(variance.numerator) / static_cast<double>(variance.denominator) *
                         static_cast<double>(shares) * (1 - 0x1p-51);
    return skellam_renyi_divergence(alpha, total, squared_sensitivity(dimension, relation), dimension);
  }
  /// Of so many rounds, by the best order up to 10^4.
  privacy_bounds epsilon(double delta, std::uint64_t shares, std::size_t dimension, std::uint64_t rounds = 1,
                         neighbours relation = neighbours::zero_out) const {
    detail::check_delta(delta);
    const double distance = std::min(static_cast<double>(rounds) * static_cast<double>(shares) *
                                         static_cast<double>(dimension) * skellam_table::distance,
                                     1.0);
    return detail::epsilon_at_distance(distance, delta, [&](double at) -> privacy_bounds {
      double best = std::numeric_limits<double>::infinity();
      for (std::uint32_t alpha = 2; alpha <= 10'000; alpha += 1 + alpha / 50)
        best = std::min(best, renyi_epsilon(static_cast<double>(rounds) *
                                                renyi_divergence(alpha, shares, dimension, relation),
                                            alpha, at));
      return {0, best * (1 + 1e-12), false};
    });
  }

  template <class T, class Source>
  std::vector<std::int64_t> encode(std::span<const T> x, Source& source) const {
    return encode(x, skellam_table(variance), source);
  }
  /// With a table that is made once, of the same variance.
  template <class T, class Source>
  std::vector<std::int64_t> encode(std::span<const T> x, const skellam_table& table, Source& source) const {
    detail::check_secret_noise<Source>();
    check();
    require(table.variance().numerator == variance.numerator &&
                table.variance().denominator == variance.denominator,
            fault::argument, "skellam_share: got a table of the variance ", table.variance().numerator, " / ",
            table.variance().denominator, ", expected ", variance.numerator, " / ", variance.denominator);
    return detail::integer_share::noised(x, bound, granularity, squared_norm(x.size()), table, source);
  }
  /// A sum of shares, in the units of the vectors.
  double decode(std::int64_t sum) const noexcept { return static_cast<double>(sum) * granularity; }
};

} // namespace privet
