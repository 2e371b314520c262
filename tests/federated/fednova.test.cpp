#include "support/strategies.hpp"

#include <privet/federated/fednova.hpp>
#include <privet/federated/q_fedavg.hpp>

#include <limits>
#include <vector>

using namespace privet;
using Catch::Contains;
namespace numbers = privet::test::strategies;

static_assert(Aggregator<fednova> && !fednova::linear && Aggregator<q_fedavg> && !q_fedavg::linear);

TEST_CASE("FedNova equals NumPy over three rounds, with momentum and without") {
  test::check_strategy(fednova{}, numbers::nova);
  test::check_strategy(fednova{.momentum = 0.9}, numbers::nova_momentum);
}

TEST_CASE("FedNova among clients of as many steps is federated averaging") {
  auto nova = test::strategy_start(), plain = nova;
  auto a = fednova{}.init(nova.size());
  auto b = fedavg{}.init(nova.size());
  for (std::size_t c = 0; c < test::strategy_clients; ++c) {
    auto u = test::strategy_update(0, c);
    u.steps = 7;
    REQUIRE(fednova{}.absorb(a, u));
    REQUIRE(fedavg{}.absorb(b, u));
  }
  REQUIRE(fednova{}.finish(a, nova));
  REQUIRE(fedavg{}.finish(b, plain));
  for (std::size_t i = 0; i < nova.size(); ++i) CHECK(std::abs(nova[i] - plain[i]) <= 1e-6);
}

TEST_CASE("q-FedAvg equals NumPy over three rounds, and is the mean of clients for q = 0") {
  test::check_strategy(q_fedavg{.q = 1, .lipschitz = 10}, numbers::fair);
  test::check_strategy(q_fedavg{.q = 5, .lipschitz = 2}, numbers::very_fair);
  auto weights = test::strategy_start();
  const auto before = weights;
  const q_fedavg mean{.q = 0};
  auto state = mean.init(weights.size());
  for (std::size_t c = 0; c < test::strategy_clients; ++c)
    REQUIRE(mean.absorb(state, test::strategy_update(0, c)));
  REQUIRE(mean.finish(state, weights));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    double sum = 0;
    for (const auto& update : numbers::updates[0]) sum += update[i];
    CHECK(std::abs(before[i] - sum / test::strategy_clients - weights[i]) <= 1e-6);
  }
}

TEST_CASE("FedNova and q-FedAvg refuse what has no meaning, and take nothing of it") {
  const auto refused = [](const auto& rule, const client_update& u) {
    auto weights = test::strategy_start(), expected = weights;
    auto state = rule.init(weights.size()), clean = state;
    REQUIRE(rule.absorb(state, test::strategy_update(0, 0)));
    REQUIRE(rule.absorb(clean, test::strategy_update(0, 0)));
    const auto taken = rule.absorb(state, u);
    REQUIRE_FALSE(taken);
    REQUIRE(rule.finish(state, weights));
    REQUIRE(rule.finish(clean, expected));
    CHECK(weights == expected);
    return taken.error().message;
  };
  auto u = test::strategy_update(0, 1);
  u.steps = 0;
  CHECK_THAT(refused(fednova{}, u), Contains("client 2 took 0 steps"));
  u = test::strategy_update(0, 1);
  u.weight = 0;
  CHECK_THAT(refused(fednova{}, u), Contains("client 2 has weight 0"));
  CHECK_THAT(refused(q_fedavg{}, u), Contains("client 2 has weight 0"));
  u = test::strategy_update(0, 1);
  u.loss = std::numeric_limits<double>::quiet_NaN();
  CHECK_THAT(refused(q_fedavg{}, u), Contains("client 2 has the loss"));
  u = test::strategy_update(0, 1);
  u.loss = 5e6; // the divisor is too large where the update is not
  CHECK_THAT(refused(q_fedavg{}, u), Contains("fixed-point sum"));
  u = test::strategy_update(0, 1);
  u.shared[3] = std::numeric_limits<float>::infinity();
  CHECK_THAT(refused(fednova{}, u), Contains("number 3"));
  CHECK_THAT(refused(q_fedavg{}, u), Contains("number 3"));
  u.shared.pop_back();
  CHECK_THAT(refused(fednova{}, u), Contains("got 20"));

  std::vector<float> weights(4);
  auto none = fednova{}.init(4);
  CHECK_THAT(fednova{}.finish(none, weights).error().message, Contains("no update arrived"));
  auto nobody = q_fedavg{}.init(4);
  CHECK_THAT(q_fedavg{}.finish(nobody, weights).error().message, Contains("no update arrived"));
  CHECK_THROWS_WITH(fednova{.momentum = 1}.init(4), Contains("momentum 1"));
  CHECK_THROWS_WITH(q_fedavg{.q = -1}.init(4), Contains("q -1"));
}
