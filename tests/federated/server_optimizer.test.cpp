#include "support/strategies.hpp"

#include <privet/federated/server_optimizer.hpp>
#include <privet/optim/adagrad.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/yogi.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace privet;
using test::check_strategy;
namespace numbers = privet::test::strategies;

static_assert(Aggregator<decltype(server_optimizer(chain(adam{})))> &&
              Aggregator<decltype(server_optimizer(chain(sgd{})).run_by(curious{}))> &&
              decltype(server_optimizer(chain(yogi{})))::linear);

TEST_CASE("server optimisers equal NumPy over three rounds, in any order of arrival") {
  check_strategy(server_optimizer(chain(sgd{.learning_rate = 0.7, .momentum = 0.9})), numbers::momentum);
  check_strategy(server_optimizer(chain(adam{.learning_rate = 0.02, .beta2 = 0.99, .epsilon = 1e-3})),
                 numbers::adam);
  check_strategy(server_optimizer(chain(yogi{.learning_rate = 0.02, .beta2 = 0.99, .epsilon = 1e-3})),
                 numbers::yogi);
  check_strategy(server_optimizer(chain(adagrad{.learning_rate = 0.02, .epsilon = 1e-3})), numbers::adagrad);
}

TEST_CASE("plain descent at rate 1 is federated averaging") {
  const auto by_rule = test::strategy_rounds(server_optimizer(chain(sgd{.learning_rate = 1})), {0, 1, 2, 3});
  auto weights = test::strategy_start();
  for (std::size_t r = 0; r < 3; ++r) {
    auto state = fedavg{}.init(test::strategy_size);
    for (std::size_t c = 0; c < test::strategy_clients; ++c)
      REQUIRE(fedavg{}.absorb(state, test::strategy_update(r, c)));
    REQUIRE(fedavg{}.finish(state, weights));
    for (std::size_t i = 0; i < test::strategy_size; ++i) CHECK(std::abs(weights[i] - by_rule[r][i]) <= 1e-6);
  }
}

TEST_CASE("a round that comes to nothing leaves weights and optimiser alone") {
  const server_optimizer rule(chain(sgd{.learning_rate = 1e38, .momentum = 0.9}, cosine_rate{.steps = 10}));
  auto weights = test::strategy_start();
  const auto before = weights;
  auto memory = rule.remember(test::strategy_size);
  const auto message = [&](auto&& spoil) {
    auto state = rule.init(test::strategy_size);
    for (std::size_t c = 0; c < test::strategy_clients; ++c) {
      auto u = test::strategy_update(0, c);
      for (auto& x : u.shared) x *= 100;
      REQUIRE(rule.absorb(state, u));
    }
    spoil(state);
    const auto done = rule.finish(state, weights, memory);
    CHECK(weights == before);
    CHECK(memory.step == 0);
    CHECK(std::ranges::all_of(memory.slots, [](float x) { return x == 0; }));
    return done ? std::string() : done.error().message;
  };
  CHECK_THAT(message([](auto&) {}), Catch::Contains("the step 1 drives weights out of their range"));
  CHECK_THAT(message([&](auto& state) { state = rule.init(test::strategy_size); }),
             Catch::Contains("no update arrived"));
  memory = rule.remember(test::strategy_size - 1);
  CHECK_THAT(message([](auto&) {}), Catch::Contains("an optimiser of 20 parameters"));
  CHECK_THROWS_WITH(server_optimizer(chain(sgd{.learning_rate = -1})), Catch::Contains("sgd"));
}
