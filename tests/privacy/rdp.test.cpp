#include "fixtures/accounting.hpp"
#include "support/catch.hpp"

#include <privet/privacy/rdp.hpp>

#include <cmath>
#include <numeric>

using namespace privet;
using Catch::Contains;

namespace {

rdp_accountant holding(const std::vector<privacy_event>& events, rdp_accountant a = {}) {
  for (const auto& e : events) a.compose(e);
  return a;
}
std::vector<double> usual_orders() { // 1.1, 1.2 .. 10.9, 12 .. 63
  std::vector<double> orders;
  for (int i = 11; i < 110; ++i) orders.push_back(i / 10.0);
  for (int i = 12; i < 64; ++i) orders.push_back(i);
  return orders;
}

} // namespace

TEST_CASE("over all real orders the Renyi accountant is as tight as it can be") {
  static_assert(Accountant<rdp_accountant>);
  for (const auto& row : test::accounting::renyi) {
    const auto found = holding(row.events).epsilon(row.delta);
    CHECK_FALSE(found.two_sided);
    CHECK(found.lower == 0);
    CHECK(found.upper >= row.lower * (1 - 1e-10));
    CHECK(found.upper <= row.lower * (1 + 1e-6));
  }
}

// Test values of Opacus (accountants_test.py) and TensorFlow Privacy (compute_dp_sgd_privacy_test.py).
TEST_CASE("at the orders of other libraries the epsilons are theirs") {
  const auto at = [](double noise, double rate, std::uint64_t steps, double delta) {
    return holding({{event::subsampled_gaussian{noise, rate}, steps}}, rdp_accountant(usual_orders()))
        .epsilon(delta)
        .upper;
  };
  CHECK(at(1.5, 0.04, 2250, 1e-5) == Approx(7.32911117143).epsilon(1e-8));
  CHECK(at(1.3, 0.0025, 6000, 1e-5) == Approx(0.7242234026109595).epsilon(1e-8));
  CHECK(at(1.0, 0.001, 30000, 1e-7) == Approx(1.4154988495444842).epsilon(1e-8));
}

// dp_accounting 0.6.0, rdp_privacy_accountant_test.py, at the orders where its series is exact.
TEST_CASE("divergences are those of dp_accounting") {
  const privacy_event sampled{event::subsampled_gaussian{2.5, 0.01}, 50};
  CHECK(50 * renyi_divergence(sampled, 5) == Approx(2.18075656e-3).epsilon(1e-8));
  CHECK(50 * renyi_divergence(sampled, 50) == Approx(2.38460375e-2).epsilon(1e-8));
  CHECK(50 * renyi_divergence(sampled, 100) == Approx(167.416308).epsilon(1e-8));
  CHECK(renyi_divergence({event::subsampled_gaussian{2, 0.5}}, 2.7) ==
        Approx(0.0970173).epsilon(1e-6)); // signs kept
  const double truth = 0.7 + 0.3 / 10, lie = 0.3 / 10;
  const privacy_event answer{event::randomised_response{std::log(truth / lie), 10}, 1,
                             neighbours::replace_one};
  CHECK(renyi_divergence(answer, 1.5) == Approx(2.69463202).epsilon(1e-8));
  CHECK(renyi_divergence(answer, 2.5) == Approx(2.98386536).epsilon(1e-8));
  CHECK(renyi_divergence(answer, 1e6) == Approx(3.19184715).epsilon(1e-5));
}

TEST_CASE("an integer order of the sampled Gaussian is a binomial sum") {
  for (const double rate : {1e-4, 0.01, 0.3, 0.9})
    for (const double noise : {0.3, 0.8, 2.0, 20.0})
      for (const int alpha : {2, 3, 7, 30}) {
        double top = -1e300, sum = 0;
        for (int pass = 0; pass < 2; ++pass)
          for (int k = 0; k <= alpha; ++k) {
            const double term = std::lgamma(alpha + 1) - std::lgamma(k + 1) - std::lgamma(alpha - k + 1) +
                                k * std::log(rate) + (alpha - k) * std::log1p(-rate) +
                                k * (k - 1) / (2 * noise * noise);
            if (pass == 0)
              top = std::max(top, term);
            else
              sum += std::exp(term - top);
          }
        const double expected = (top + std::log(sum)) / (alpha - 1);
        INFO("rate " << rate << ", noise " << noise << ", order " << alpha);
        CHECK(renyi_divergence({event::subsampled_gaussian{noise, rate}}, alpha) ==
              Approx(expected).epsilon(1e-9).margin(1e-13));
      }
}

TEST_CASE("divergences rise with the order, and epsilon falls with delta") {
  const std::vector<privacy_event> all = {{event::gaussian{1.5}},
                                          {event::subsampled_gaussian{0.9, 0.02}},
                                          {event::subsampled_gaussian{0.9, 0.02}, 1, neighbours::replace_one},
                                          {event::laplace{2}},
                                          {event::randomised_response{0.7, 5}, 1, neighbours::replace_one},
                                          {event::discrete_gaussian{1.2}},
                                          {event::subsampled_discrete_gaussian{0.9, 0.02}},
                                          {event::subsampled_discrete_gaussian{1.2}},
                                          {event::tree{3, 7}}};
  for (const auto& e : all) {
    INFO(e.name());
    for (double alpha = 1.05; alpha < 60; alpha *= 1.3)
      CHECK(renyi_divergence(e, alpha) <= renyi_divergence(e, alpha * 1.3) * (1 + 1e-10));
    const auto a = holding({e});
    CHECK(a.epsilon(1e-6).upper >= a.epsilon(1e-5).upper);
    CHECK(a.delta(a.epsilon(1e-6).upper).upper == Approx(1e-6).epsilon(1e-3));
  }
}

// By summation over the integers, in long double: shifts of whole numbers in two dimensions, both directions.
TEST_CASE("a sampled discrete Gaussian has the divergences of the continuous one at whole orders", "[slow]") {
  const auto enumerated = [](double s, int dx, int dy, double q, double alpha, bool added) {
    const int reach = static_cast<int>(40 * s) + 40;
    long double total = 0, sum = 0;
    for (int x = -reach; x <= reach; ++x)
      for (int y = -reach; y <= reach; ++y) {
        const auto at = [&](int a, int b) {
          return std::exp(-static_cast<long double>(a * a + b * b) / (2 * s * s));
        };
        const long double here = at(x, y), mixed = (1 - q) * here + q * at(x - dx, y - dy);
        total += here;
        if (here > 0 && mixed > 0)
          sum += added ? std::pow(here / mixed, alpha) * mixed : std::pow(mixed / here, alpha) * here;
      }
    return static_cast<double>(std::log(sum / total)) / (alpha - 1);
  };
  for (const double q : {0.05, 0.5, 1.0})
    for (const double s : {0.6, 1.0, 2.5}) {
      const double z = s / std::sqrt(5.0); // a shift of (2, 1)
      const privacy_event discrete{event::subsampled_discrete_gaussian{z, q}},
          continuous{event::subsampled_gaussian{z, q}};
      for (const double alpha : {2.0, 3.0, 5.0}) {
        INFO("rate " << q << ", deviation " << s << ", order " << alpha);
        const double said = renyi_divergence(discrete, alpha);
        CHECK(said == Approx(renyi_divergence(continuous, alpha)).epsilon(1e-12));
        CHECK(said == Approx(enumerated(s, 2, 1, q, alpha, false)).epsilon(1e-9));
        CHECK(said >= enumerated(s, 2, 1, q, alpha, true) * (1 - 1e-9));
        CHECK(said >= enumerated(s, 1, 1, q, alpha, false)); // a shorter shift
      }
      for (const double alpha : {1.3, 2.5, 4.01}) { // no less than the truth, whatever it is there
        const double said = renyi_divergence(discrete, alpha) * (1 + 1e-9);
        CHECK(said >= enumerated(s, 2, 1, q, alpha, false));
        CHECK(said >= enumerated(s, 2, 1, q, alpha, true));
      }
    }
}

TEST_CASE("between whole orders a sampled discrete Gaussian is never promised less than the continuous one",
          "[slow]") {
  for (const double rate : {1e-4, 0.01, 0.3})
    for (const double noise : {0.5, 1.0, 8.0})
      for (const std::uint64_t steps : {1u, 1000u, 100'000u})
        for (const double delta : {1e-5, 1e-12}) {
          const privacy_event discrete{event::subsampled_discrete_gaussian{noise, rate}, steps};
          const privacy_event continuous{event::subsampled_gaussian{noise, rate}, steps};
          const double whole = holding({discrete}).epsilon(delta).upper,
                       real = holding({continuous}).epsilon(delta).upper;
          INFO("rate " << rate << ", noise " << noise << ", steps " << steps);
          CHECK(whole >= real * (1 - 1e-6));
          // The best whole order is the best there is.
          std::vector<double> orders(600);
          std::iota(orders.begin(), orders.end(), 2.0);
          CHECK(whole <= holding({continuous}, rdp_accountant(orders)).epsilon(delta).upper * (1 + 1e-9));
        }
  // At rate 1 every order is known.
  CHECK(holding({{event::subsampled_discrete_gaussian{2}, 4}}).epsilon(1e-5).upper ==
        holding({{event::gaussian{2}, 4}}).epsilon(1e-5).upper);
  // n events are one, n times over.
  rdp_accountant each;
  for (int i = 0; i < 50; ++i) each.compose({event::subsampled_discrete_gaussian{1, 0.1}});
  CHECK(each.epsilon(1e-6).upper ==
        holding({{event::subsampled_discrete_gaussian{1, 0.1}, 50}}).epsilon(1e-6).upper);
  CHECK(each.delta(1).upper == holding({{event::subsampled_discrete_gaussian{1, 0.1}, 50}}).delta(1).upper);
}

TEST_CASE("the Renyi accountant refuses orders up to 1") {
  CHECK_THROWS_WITH(rdp_accountant({2.0, 1.0}), Contains("order 1"));
  CHECK_THROWS_WITH(rdp_accountant().divergence(0.5), Contains("more than 1"));
  CHECK_THROWS_WITH(rdp_accountant().epsilon(1), Contains("less than 1"));
}
