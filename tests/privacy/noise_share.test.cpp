#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/clip.hpp>
#include <privet/privacy/noise_share.hpp>
#include <privet/privacy/zcdp.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

using namespace privet;
using Catch::Contains;

// Each refuting test raises a false alarm with probability at most 1e-6; where a mean is compared, six
// standard errors are 2e-9.

namespace {

using law = std::vector<long double>; // about its middle

law discrete_gaussian_law(long double variance, int reach) {
  law p;
  for (int x = -reach; x <= reach; ++x) p.push_back(std::exp(-x * x / (2 * variance)));
  const long double all = std::accumulate(p.begin(), p.end(), 0.0L);
  for (auto& x : p) x /= all;
  return p;
}
law convolved(const law& a, const law& b) {
  law out(a.size() + b.size() - 1);
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < b.size(); ++j) out[i + j] += a[i] * b[j];
  return out;
}
/// Renyi divergence between a law and itself moved by `shift`, where both are at least 1e-4800.
double divergence(const law& p, int shift, double alpha) {
  long double sum = 0;
  for (std::size_t i = static_cast<std::size_t>(shift); i < p.size(); ++i) {
    const long double a = p[i], b = p[i - static_cast<std::size_t>(shift)];
    if (a > 1e-4800L && b > 1e-4800L) sum += std::exp(alpha * std::log(a) + (1 - alpha) * std::log(b));
  }
  return static_cast<double>(std::log(sum)) / (alpha - 1);
}

std::vector<std::int64_t> sum_of(const std::vector<std::vector<std::int64_t>>& shares) {
  std::vector<std::int64_t> sum(shares[0].size());
  for (const auto& s : shares)
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += s[i];
  return sum;
}

} // namespace

TEST_CASE("sums of discrete Gaussians are as near to one as the correction says") {
  for (const double variance : {0.25, 0.3, 0.5, 1.0, 2.0}) {
    const int reach = static_cast<int>(14 * std::sqrt(variance)) + 40;
    const law one = discrete_gaussian_law(variance, reach);
    law sum = one;
    double tau = 0;
    for (int shares = 2; shares <= 6; ++shares) {
      sum = convolved(sum, one);
      const int middle = reach * shares;
      const law whole = discrete_gaussian_law(variance * shares, middle);
      const double k = shares - 1;
      tau += 10 * std::exp(-2 * std::numbers::pi * std::numbers::pi * variance * k / (k + 1));
      double apart = 0;
      for (int x = -2 * shares; x <= 2 * shares; ++x) {
        const auto at = static_cast<std::size_t>(middle + x);
        apart = std::max(apart, static_cast<double>(std::abs(std::log(sum[at] / whole[at]))));
      }
      CAPTURE(variance, shares);
      CHECK(apart <= tau / 2 + 1e-15);
      if (shares == 2 && variance <= 0.5) CHECK(apart >= tau / 10); // not idle

      for (const int shift : {1, 2})
        for (const double alpha : {1.01, 2.0, 7.0, 30.0}) {
          const double rho =
              discrete_gaussian_sum_rho(variance, static_cast<std::uint64_t>(shares), shift * shift, 1);
          CHECK(divergence(sum, shift, alpha) <= alpha * rho);
          if (variance >= 1 && alpha <= 2) CHECK(divergence(sum, shift, alpha) >= 0.98 * alpha * rho);
        }
    }
  }
  // One share, and many large ones, have nothing to correct; l1 never passes l2 squared.
  CHECK(discrete_gaussian_sum_rho(16, 1, 4, 100) == Approx(4.0 / 32).epsilon(1e-11));
  CHECK(discrete_gaussian_sum_rho(16, 200'000, 4, 100) == Approx(4.0 / 32 / 200'000).epsilon(1e-11));
  CHECK(discrete_gaussian_sum_rho(0.5, 10, 4, 100) < discrete_gaussian_sum_rho(0.5, 10, 4, 10'000));
  // tau of two shares of variance 1/2: 10 exp(-pi^2 / 2).
  const double tau = 10 * std::exp(-std::numbers::pi * std::numbers::pi / 2);
  CHECK(discrete_gaussian_sum_rho(0.5, 2, 9, 1) ==
        Approx(0.5 * (3 + tau) * (3 + tau)).epsilon(1e-11)); // in one dimension l1 is l2
}

TEST_CASE("the Renyi divergence of Skellam noise is below its bound") {
  for (const double variance : {0.25, 0.5, 1.0, 5.0, 20.0, 100.0}) {
    const int most = static_cast<int>(variance / 2 + 24 * std::sqrt(variance)) + 60;
    law count;
    for (int k = 0; k <= most; ++k)
      count.push_back(std::exp(-static_cast<long double>(variance) / 2 +
                               k * std::log(static_cast<long double>(variance) / 2) -
                               std::lgamma(static_cast<long double>(k) + 1)));
    law minus = count;
    std::ranges::reverse(minus);
    const law skellam = convolved(count, minus);
    for (const int shift : {1, 2, 5})
      for (const std::uint32_t alpha : {2u, 3u, 8u, 20u}) {
        const double bound = skellam_renyi_divergence(alpha, variance, shift * shift, 1),
                     truth = divergence(skellam, shift, alpha);
        CAPTURE(variance, shift, alpha, bound, truth);
        CHECK(truth <= bound);
        if (variance >= 100 && alpha <= 8) CHECK(truth >= 0.9 * bound);
      }
  }
  // Two numbers that move by one each: l1 is 2, the l2 norm squared 2.
  CHECK(skellam_renyi_divergence(4, 50, 2, 2) ==
        Approx(4 * 2 / 100.0 + (7 * 2 + 6 * 2) / (4 * 2500.0)).epsilon(1e-11));
  CHECK(skellam_renyi_divergence(40, 1, 2, 2) == Approx(40 + 3).epsilon(1e-11));
}

TEST_CASE("rounding keeps the mean and never passes its norm") {
  system_random source;
  discrete_gaussian_share s;
  s.granularity = 0.25;
  constexpr std::size_t d = 30;
  std::vector<double> x(d), mean(d);
  for (std::size_t i = 0; i < d; ++i) x[i] = (i % 3 == 0 ? -0.2 : 0.1) * static_cast<double>(i + 1) / 10;
  double length = 0;
  for (const double v : x) length += v * v;
  const auto limit = s.squared_norm(d);
  // min(c^2 + d / 4 + (c + sqrt(d) / 2), (c + sqrt(d))^2) with c = 4 steps.
  CHECK(limit == static_cast<std::uint64_t>(16 + 7.5 + 4 + std::sqrt(30.0) / 2));
  constexpr int times = 20'000;
  for (int t = 0; t < times; ++t) {
    const auto r =
        detail::integer_share::rounded(std::span<const double>(x), s.bound, s.granularity, limit, source);
    std::uint64_t squares = 0;
    for (std::size_t i = 0; i < d; ++i) {
      squares += static_cast<std::uint64_t>(r[i] * r[i]);
      mean[i] += static_cast<double>(r[i]) * s.granularity / times;
    }
    if (squares > limit) CHECK(squares <= limit);
  }
  // A bias of rejection is below retries^(1/2) steps in all; here it is hardly seen.
  for (std::size_t i = 0; i < d; ++i) CHECK(std::abs(mean[i] - x[i] / std::sqrt(length)) < 0.03);

  // What is short is not clipped, what is not finite is zero, what is huge is clipped.
  const std::vector<float> exact = {0.25f, -0.5f, 0}, none = {1, std::nanf(""), 1},
                           infinite = {1, HUGE_VALF, 1};
  const std::vector<double> huge = {1e308, 1e308, 0};
  const auto once = [&](const auto& v) {
    return detail::integer_share::rounded(std::span(std::as_const(v)), 1, 0.25, s.squared_norm(3), source);
  };
  CHECK(once(exact) == std::vector<std::int64_t>{1, -2, 0});
  CHECK(once(none) == std::vector<std::int64_t>{0, 0, 0});
  CHECK(once(infinite) == std::vector<std::int64_t>{0, 0, 0});
  CHECK(once(huge)[2] == 0);
}

TEST_CASE("a share ends a chain and is no release") {
  const auto upload = chain(clip_l2{.bound = 2}, discrete_gaussian_share{.bound = 2});
  static_assert(
      std::same_as<decltype(upload)::label<raw<unit::site>>, noise_share<measure::zcdp, unit::site>>);
  const auto other = chain(clip_l2{.bound = 2}, skellam_share{.bound = 2});
  static_assert(
      std::same_as<decltype(other)::label<raw<unit::user>>, noise_share<measure::approximate, unit::user>>);
  static_assert(decltype(upload)::mechanisms == 0 && decltype(upload)::encodings == 1);
  CHECK(upload.init<float>(3).bound == 2); // checks the stages
}

TEST_CASE("a sum of shares is the sum of the vectors and the noise that was promised") {
  system_random source;
  constexpr std::size_t users = 50, d = 400;
  const auto check = [&](const auto& stage, double variance) {
    std::vector<std::vector<std::int64_t>> shares;
    std::vector<double> truth(d);
    for (std::size_t u = 0; u < users; ++u) {
      std::vector<float> x(d);
      for (std::size_t i = 0; i < d; ++i) x[i] = 0.04f * std::sin(static_cast<float>(u * i));
      for (std::size_t i = 0; i < d; ++i) truth[i] += static_cast<double>(x[i]);
      shares.push_back(stage.encode(std::span<const float>(x), source));
    }
    const auto sum = sum_of(shares);
    double squares = 0;
    for (std::size_t i = 0; i < d; ++i) {
      const double off = static_cast<double>(sum[i]) - truth[i] / stage.granularity;
      squares += off * off / d;
      CHECK(stage.decode(sum[i]) == static_cast<double>(sum[i]) * stage.granularity);
    }
    // Rounding adds at most 1/4 for each user.
    const double expected = users * variance;
    CAPTURE(squares, expected);
    CHECK(squares > expected * (1 - 6 * std::sqrt(2.0 / d)));
    CHECK(squares < (expected + users * 0.25) * (1 + 6 * std::sqrt(2.0 / d)));
  };
  check(discrete_gaussian_share{.variance = {9, 4}}, 2.25);
  check(skellam_share{.variance = {9, 4}}, 2.25);
}

TEST_CASE("sums of shares cannot be refuted, and are when shares are missing", "[slow]") {
  system_random source;
  constexpr std::uint64_t shares = 16;
  const auto first_of = [&](const auto& encode, bool there, std::uint64_t arrived) {
    return [=, &encode] {
      const std::vector<double> x = {there ? 1.0 : 0.0, 0.0}, none = {0, 0};
      std::int64_t sum = 0;
      for (std::uint64_t u = 0; u < arrived; ++u) sum += encode(u == 0 ? x : none)[0];
      return sum;
    };
  };
  const auto check = [&](const auto& encode, double delta, double epsilon) {
    const auto all = test::run_both(40'000, first_of(encode, true, shares), first_of(encode, false, shares));
    const auto kept = test::refute({epsilon, delta}, all);
    INFO(test::describe({epsilon, delta}, kept));
    CHECK_FALSE(kept.refuted);
    const auto alone = test::run_both(40'000, first_of(encode, true, 1), first_of(encode, false, 1));
    CHECK(test::refute({epsilon, delta}, alone).refuted);
  };
  const double delta = 0.01;
  const discrete_gaussian_share g{.bound = 1, .granularity = 0.25, .variance = {10, 1}};
  check([&](const std::vector<double>& x) { return g.encode(std::span<const double>(x), source); }, delta,
        zcdp_epsilon(g.rho(shares, 2), delta));
  const skellam_share s{.bound = 1, .granularity = 0.25, .variance = {10, 1}};
  const skellam_table table(s.variance);
  check([&](const std::vector<double>& x) { return s.encode(std::span<const double>(x), table, source); },
        delta, s.epsilon(delta, shares, 2).upper);
}

TEST_CASE("shares say what they spend, and what they cannot") {
  const discrete_gaussian_share g{.bound = 1, .granularity = 0x1p-8, .variance = {1 << 14, 1}};
  // Squared norm 2^16 + d / 4 + 2^8 + sqrt(d) / 2 = 66042 in steps, rounded down, against 100 2^14.
  CHECK(g.squared_norm(1000) == 66057);
  CHECK(g.rho(100, 1000) == Approx(66057 / 2.0 / 100 / 16384).epsilon(1e-9));
  CHECK(g.rho(100, 1000, neighbours::replace_one) == Approx(4 * g.rho(100, 1000)).epsilon(1e-9));
  CHECK_THROWS_WITH(g.rho(100, 1000, neighbours::add_remove), Contains("take its noise with it"));
  CHECK_THROWS_WITH(g.rho(0, 1000), Contains("0 shares"));
  const skellam_share s{.bound = 1, .granularity = 0x1p-8, .variance = {1 << 14, 1}};
  CHECK(s.renyi_divergence(8, 100, 1000) >= 8 * g.rho(100, 1000));
  CHECK(s.renyi_divergence(8, 100, 1000) <= 8.2 * g.rho(100, 1000));
  CHECK(s.epsilon(1e-6, 100, 1000).upper >= zcdp_epsilon(g.rho(100, 1000), 1e-6));
  CHECK(s.epsilon(1e-6, 100, 1000).upper <= 1.05 * zcdp_epsilon(g.rho(100, 1000), 1e-6));
  CHECK(s.epsilon(1e-6, 100, 1000, 10).upper > 3 * s.epsilon(1e-6, 100, 1000).upper);

  system_random source;
  const std::vector<double> x = {1, 2};
  const std::span<const double> v(x);
  CHECK_THROWS_WITH((discrete_gaussian_share{.bound = 0}.encode(v, source)), Contains("the bound 0"));
  CHECK_THROWS_WITH((skellam_share{.granularity = 1e-20}.encode(v, source)), Contains("2^30 steps"));
  CHECK_THROWS_WITH((skellam_share{.retries = 1}.encode(v, source)), Contains("of roundings to repeat"));
  CHECK_THROWS_WITH((discrete_gaussian_share{.variance = {0, 1}}.encode(v, source)),
                    Contains("variance is 0"));
  CHECK_THROWS_WITH((skellam_share{.variance = {2, 1}}.encode(v, skellam_table({3, 1}), source)),
                    Contains("a table of the variance 3"));
  CHECK_THROWS_WITH(discrete_gaussian_sum_rho(0.2, 5, 1, 1), Contains("at least 1/4"));
  CHECK_THROWS_WITH(skellam_renyi_divergence(1, 5, 1, 1), Contains("order of 2 or more"));
}
