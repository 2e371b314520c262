#include "fixtures/accounting.hpp"
#include "support/catch.hpp"

#include <privet/privacy/rdp.hpp>

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

TEST_CASE("the Renyi accountant refuses orders up to 1") {
  CHECK_THROWS_WITH(rdp_accountant({2.0, 1.0}), Contains("order 1"));
  CHECK_THROWS_WITH(rdp_accountant().divergence(0.5), Contains("more than 1"));
  CHECK_THROWS_WITH(rdp_accountant().epsilon(1), Contains("less than 1"));
}
