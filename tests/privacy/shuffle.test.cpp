#include "support/catch.hpp"

#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/gdp.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/privacy/shuffle.hpp>
#include <privet/privacy/zcdp.hpp>

#include <cmath>
#include <map>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

/// delta by the definition: all outcomes of both vectors, in long double.
double defined(double epsilon0, int users, double epsilon, bool exchanged) {
  const long double share = std::exp(-static_cast<long double>(epsilon0)), p = 1 / (1 + share),
                    rest = share * p;
  const auto choose = [](int n, int k) {
    return std::exp(std::lgamma(n + 1.0L) - std::lgamma(k + 1.0L) - std::lgamma(n - k + 1.0L));
  };
  long double sum = 0;
  for (int c = 0; c < users; ++c) {
    const long double weight = choose(users - 1, c) * std::pow(share, c) *
                               std::pow(1 - share, static_cast<long double>(users - 1 - c));
    const auto half = [&](int a) { return a < 0 || a > c ? 0.0L : choose(c, a) * std::pow(0.5L, c); };
    for (int a = 0; a <= c + 1; ++a) {
      const long double one = p * half(a - 1) + rest * half(a), other = rest * half(a - 1) + p * half(a);
      const long double gap = exchanged ? other - std::exp(static_cast<long double>(epsilon)) * one
                                        : one - std::exp(static_cast<long double>(epsilon)) * other;
      sum += weight * std::max(gap, 0.0L);
    }
  }
  return static_cast<double>(sum);
}

} // namespace

// Rows p066 and p067 of the accounting vectors: the numeric hockey-stick of the same pair, in numpy.
TEST_CASE("epsilon of shuffled reports is that of the clones") {
  struct row {
    double epsilon0;
    std::uint64_t users;
    double delta, lower, upper;
  };
  for (const auto& r : {row{1, 10'000, 1e-6, .053005263464, .0530053695329},
                        row{0.5, 1000, 1e-5, .058267420389, .0582675369531}}) {
    const auto found = shuffle_epsilon(r.epsilon0, r.users, r.delta);
    INFO(found.lower << " .. " << found.upper);
    CHECK(found.upper >= r.lower);
    CHECK(found.lower <= r.upper);
    CHECK(found.upper <= r.upper * (1 + 1e-5));
    CHECK(found.looseness() < 1e-8);
  }
}

TEST_CASE("delta of shuffled reports is that of the definition, in both directions") {
  for (const double epsilon0 : {0.1, 1.0, 4.0, 12.0, 32.0})
    for (const int users : {1, 2, 3, 17, 60})
      for (const double share : {0.0, 0.01, 0.1, 0.5, 0.9, 0.999, 0.9999}) {
        const double epsilon = share * epsilon0, forth = defined(epsilon0, users, epsilon, false),
                     back = defined(epsilon0, users, epsilon, true);
        const auto found = shuffle_delta(epsilon0, static_cast<std::uint64_t>(users), epsilon);
        INFO("epsilon0 " << epsilon0 << ", users " << users << ", epsilon " << epsilon << ": " << forth
                         << ", " << back << ", found " << found.lower << " .. " << found.upper);
        CHECK(back == Approx(forth).epsilon(1e-9).margin(1e-17));
        if (forth < 1e-12) continue; // the definition cancels
        CHECK(found.upper >= forth * (1 - 1e-12));
        CHECK(found.lower <= forth * (1 + 1e-12));
        CHECK(found.looseness() < 1e-9);
      }
  CHECK(shuffle_delta(1, 1000, 1).upper == 0);
  CHECK(shuffle_delta(1, 1, 0.0).upper == Approx(std::tanh(0.5)).epsilon(1e-12)); // alone: two answers
}

TEST_CASE("shuffled reports behave as they must") {
  double last = 9;
  for (const std::uint64_t users : {1ull, 10ull, 100ull, 1000ull, 10'000ull, 100'000ull, 1'000'000ull}) {
    const auto found = shuffle_epsilon(1, users, 1e-8);
    CHECK(found.upper <= last);
    CHECK(found.upper <= 1);
    CHECK(found.looseness() < 1e-6);
    last = found.upper;
  }
  for (const double delta : {1e-3, 1e-6, 1e-9, 1e-12, 1e-15}) {
    const auto found = shuffle_epsilon(2, 50'000, delta);
    INFO("delta " << delta << ": " << found.lower << " .. " << found.upper);
    CHECK(shuffle_delta(2, 50'000, found.upper).upper <= delta);
    CHECK(shuffle_delta(2, 50'000, found.lower).lower >= delta * (1 - 1e-9));
    CHECK(found.looseness() < 1e-6);
  }
  // Never above the closed form of Theorem 3.1, for 16 log(2 / delta) e^epsilon0 <= n.
  for (const double epsilon0 : {0.5, 1.0, 3.0})
    for (const double n : {1e4, 1e6}) {
      const double delta = 1e-6, e = std::exp(epsilon0);
      const double closed =
          std::log1p((e - 1) / (e + 1) * (8 * std::sqrt(e * std::log(4 / delta) / n) + 8 * e / n));
      CHECK(shuffle_epsilon(epsilon0, static_cast<std::uint64_t>(n), delta).upper < closed);
    }
}

TEST_CASE("composing one shuffle gives what its formula gives") {
  for (const double epsilon0 : {0.5, 1.0, 4.0})
    for (const std::uint64_t users : {1ull, 3ull, 100ull, 1000ull, 20'000ull})
      for (const double delta : {1e-3, 1e-6, 1e-10}) {
        const auto truth = shuffle_epsilon(epsilon0, users, delta);
        pld_accountant a;
        a.compose({event::shuffle{epsilon0, users}, 1, neighbours::replace_one});
        const auto found = a.epsilon(delta);
        INFO("epsilon0 " << epsilon0 << ", users " << users << ", delta " << delta << ": " << truth.lower
                         << " .. " << truth.upper << ", found " << found.lower << " .. " << found.upper);
        CHECK(found.two_sided);
        CHECK(found.upper >= truth.lower);
        CHECK(found.lower <= truth.upper);
        CHECK(found.looseness() < 2e-4);
        const double epsilon = 0.7 * truth.upper;
        if (epsilon == 0) continue;
        const auto exact = shuffle_delta(epsilon0, users, epsilon), back = a.delta(epsilon);
        CHECK(back.upper >= exact.lower);
        CHECK(back.lower <= exact.upper);
        CHECK(back.looseness() < 1e-3);
      }
}

TEST_CASE("several shuffles compose to what the definition says") {
  // All losses of three rounds of eight users, in long double.
  const double epsilon0 = 1.2;
  const int users = 8;
  std::map<long double, long double> one; // loss -> mass of P
  const long double share = std::exp(-static_cast<long double>(epsilon0)), p = 1 / (1 + share);
  const auto choose = [](int n, int k) {
    return std::exp(std::lgamma(n + 1.0L) - std::lgamma(k + 1.0L) - std::lgamma(n - k + 1.0L));
  };
  for (int c = 0; c < users; ++c)
    for (int a = 0; a <= c + 1; ++a) {
      const auto half = [&](int k) { return k < 0 || k > c ? 0.0L : choose(c, k) * std::pow(0.5L, c); };
      const long double w = choose(users - 1, c) * std::pow(share, c) * std::pow(1 - share, users - 1.0L - c),
                        forth = p * half(a - 1) + (1 - p) * half(a),
                        back = (1 - p) * half(a - 1) + p * half(a);
      one[std::log(forth / back)] += w * forth;
    }
  for (const double epsilon : {0.3, 1.0, 2.0}) {
    long double truth = 0;
    for (const auto& [l1, m1] : one)
      for (const auto& [l2, m2] : one)
        for (const auto& [l3, m3] : one)
          truth +=
              m1 * m2 * m3 * std::max(-std::expm1(static_cast<long double>(epsilon) - l1 - l2 - l3), 0.0L);
    pld_accountant a;
    a.compose({event::shuffle{epsilon0, users}, 3, neighbours::replace_one});
    const auto found = a.delta(epsilon);
    INFO("epsilon " << epsilon << ": " << static_cast<double>(truth) << ", found " << found.lower << " .. "
                    << found.upper);
    CHECK(found.upper >= static_cast<double>(truth) * (1 - 1e-12));
    CHECK(found.lower <= static_cast<double>(truth) * (1 + 1e-12));
    CHECK(found.looseness() < 1e-3);
  }
}

TEST_CASE("Renyi divergences of a shuffle are those of the definition") {
  for (const double epsilon0 : {0.3, 2.0, 8.0})
    for (const int users : {1, 4, 40})
      for (const double alpha : {1.1, 2.0, 9.5, 80.0}) {
        const long double share = std::exp(-static_cast<long double>(epsilon0)), p = 1 / (1 + share),
                          order = alpha;
        const auto log_choose = [](int n, int k) {
          return std::lgamma(n + 1.0L) - std::lgamma(k + 1.0L) - std::lgamma(n - k + 1.0L);
        };
        long double sum = 0;
        for (int c = 0; c < users; ++c)
          for (int a = 0; a <= c + 1; ++a) {
            const auto half = [&](int k) {
              return k < 0 || k > c ? 0.0L : std::exp(log_choose(c, k) - c * std::log(2.0L));
            };
            const long double weight = std::exp(log_choose(users - 1, c)) * std::pow(share, c) *
                                       std::pow(1 - share, users - 1.0L - c),
                              forth = p * half(a - 1) + (1 - p) * half(a),
                              back = (1 - p) * half(a - 1) + p * half(a);
            sum += weight * std::pow(forth, order) * std::pow(back, 1 - order);
          }
        const double truth = static_cast<double>(std::log(sum) / (order - 1));
        const double found = renyi_divergence(
            {event::shuffle{epsilon0, static_cast<std::uint64_t>(users)}, 1, neighbours::replace_one}, alpha);
        INFO("epsilon0 " << epsilon0 << ", users " << users << ", order " << alpha);
        CHECK(found >= truth * (1 - 1e-12));
        CHECK(found <= truth * (1 + 1e-5) + 1e-11);
      }
}

TEST_CASE("shuffles compose with each other and with other events, and other accountants refuse them") {
  const privacy_event round{event::shuffle{1, 10'000}, 1, neighbours::replace_one};
  auto rounds = round;
  rounds.count = 100;
  pld_accountant many, with_noise;
  many.compose(rounds);
  const auto found = many.epsilon(1e-6);
  INFO(found.lower << " .. " << found.upper);
  CHECK(found.looseness() < 1e-4);
  // 100 losses of one deviation are nearly a Gaussian query of ten.
  const double distance = 10 * 0.015236; // of one round: 2 tanh(1/2) / sqrt(10^4 / e)
  CHECK(found.upper == Approx(gaussian_epsilon(distance, 1e-6).upper).epsilon(0.02));
  double variance = 0;
  for (const auto& a : detail::clones(1, 10'000).law(1e-15).merged) variance += a.mass * a.loss * a.loss;
  CHECK(std::sqrt(variance) == Approx(0.015236).epsilon(1e-3));

  with_noise.compose(rounds);
  with_noise.compose({event::gaussian{5}, 1, neighbours::replace_one});
  const auto both = with_noise.epsilon(1e-6);
  INFO(both.lower << " .. " << both.upper);
  CHECK(both.upper > found.upper);
  CHECK(both.looseness() < 1e-3);
  CHECK(both.upper == Approx(gaussian_epsilon(std::hypot(distance, 1.0 / 5), 1e-6).upper).epsilon(0.02));

  rdp_accountant renyi;
  renyi.compose(rounds);
  const double bound = renyi.epsilon(1e-6).upper;
  CHECK(bound >= found.lower);
  CHECK(bound <= 1.15 * found.upper);
  CHECK_THROWS_WITH(rdp_accountant{}.compose({event::shuffle{1, 1'000'001}, 1, neighbours::replace_one}),
                    Contains("N011") && Contains("1000001 users"));

  CHECK_THROWS_WITH(zcdp_accountant{}.compose(round), Contains("N011") && Contains("shuffle"));
  CHECK_THROWS_WITH(gaussian_accountant{}.compose(round), Contains("N011") && Contains("shuffle"));
  CHECK_THROWS_WITH(gdp_approximation{}.compose(round), Contains("N011") && Contains("shuffle"));
  static_assert(rdp_accountant::knows<event::shuffle> && !zcdp_accountant::knows<event::shuffle>);
  pld_accountant too_much;
  too_much.compose({event::shuffle{17, 100}, 1, neighbours::replace_one});
  CHECK_THROWS_WITH(too_much.epsilon(1e-5), Contains("N011") && Contains("at most 16"));
  CHECK_THROWS_WITH(rdp_accountant{}.compose({event::shuffle{17, 100}, 1, neighbours::replace_one}),
                    Contains("N011") && Contains("at most 16"));
  CHECK_THROWS_WITH(noise_multiplier_for(round, 1, 1e-5), Contains("adds noise"));
  CHECK(uses_for(round, found.upper, 1e-6) == 100);
}

TEST_CASE("shuffling refuses what makes no sense") {
  CHECK_THROWS_WITH(shuffle_epsilon(0, 10, 1e-5), Contains("epsilon0 0"));
  CHECK_THROWS_WITH(shuffle_epsilon(33, 10, 1e-5), Contains("epsilon0 33"));
  CHECK_THROWS_WITH(shuffle_epsilon(std::nan(""), 10, 1e-5), Contains("epsilon0"));
  CHECK_THROWS_WITH(shuffle_epsilon(1, 0, 1e-5), Contains("0 users"));
  CHECK_THROWS_WITH(shuffle_epsilon(1, 10, 0), Contains("delta"));
  CHECK_THROWS_WITH(shuffle_delta(1, 10, -1), Contains("at least 0"));
}
