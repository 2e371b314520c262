#pragma once
// Rounds of given updates, and what NumPy makes of them.

#include "fixtures/strategies.hpp"
#include "support/catch.hpp"

#include <privet/federated/fedavg.hpp>

#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace privet::test {

namespace numbers = privet::test::strategies;

inline constexpr std::size_t strategy_clients = std::size(numbers::rows),
                             strategy_size = std::size(numbers::start);

inline std::vector<float> strategy_start() { return {std::begin(numbers::start), std::end(numbers::start)}; }

inline client_update strategy_update(std::size_t round, std::size_t client) {
  const double all = std::accumulate(std::begin(numbers::rows), std::end(numbers::rows), 0.0);
  client_update u;
  u.sender = static_cast<std::uint32_t>(client + 1);
  u.examples = numbers::rows[client];
  u.steps = numbers::steps[round][client];
  u.loss = numbers::losses[round][client];
  u.weight = numbers::rows[client] / all;
  for (const float x : numbers::updates[round][client]) u.shared.push_back(static_cast<float>(u.weight * x));
  return u;
}

/// The weights after each round, when clients answer in this order.
template <class A>
std::vector<std::vector<float>> strategy_rounds(const A& aggregator, const std::vector<std::size_t>& order) {
  auto weights = strategy_start();
  [[maybe_unused]] auto memory = [&] {
    if constexpr (requires { aggregator.remember(strategy_size); })
      return aggregator.remember(strategy_size);
    else
      return 0;
  }();
  std::vector<std::vector<float>> after;
  for (std::size_t r = 0; r < std::size(numbers::updates); ++r) {
    auto state = aggregator.init(strategy_size);
    for (const auto client : order) REQUIRE(aggregator.absorb(state, strategy_update(r, client)));
    if constexpr (requires { aggregator.finish(state, weights, memory); })
      REQUIRE(aggregator.finish(state, weights, memory));
    else
      REQUIRE(aggregator.finish(state, weights));
    after.push_back(weights);
  }
  return after;
}

/// Equal to NumPy to 1e-6, and to itself to the bit when clients answer in another order.
template <class A>
void check_strategy(const A& aggregator, const float (&expected)[3][strategy_size]) {
  const auto after = strategy_rounds(aggregator, {0, 1, 2, 3});
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t i = 0; i < strategy_size; ++i) {
      CAPTURE(r, i);
      CHECK(std::abs(after[r][i] - expected[r][i]) <= 1e-6);
    }
  CHECK(strategy_rounds(aggregator, {3, 1, 0, 2}) == after);
}

} // namespace privet::test
