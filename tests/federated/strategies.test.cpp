// What every strategy keeps to, whatever its rule.

#include "support/catch.hpp"
#include "support/numbers.hpp"
#include "support/rows.hpp"

#include <privet/federated/bulyan.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/fednova.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/q_fedavg.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/trimmed_mean.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/adagrad.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/yogi.hpp>
#include <privet/random/distributions.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/local_training.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t size = 33;

/// A round of clients of one to a hundred thousand rows; their numbers are no part of what they learned.
std::vector<client_update> round_of(std::size_t clients, std::uint64_t seed) {
  replayable_random source(seed);
  std::vector<client_update> all(clients);
  std::uint64_t rows = 0;
  for (std::size_t c = 0; c < clients; ++c) {
    auto& u = all[c];
    u.sender = static_cast<std::uint32_t>(c + 1);
    u.examples = static_cast<std::uint64_t>(std::pow(10.0, 5 * uniform01<double>(source)));
    u.steps = 1 + uniform_below(source, 40);
    u.loss = 0.1 + uniform01<double>(source);
    u.shared = test::normals<float>(size, seed + 100 + c);
    rows += u.examples;
  }
  for (auto& u : all) {
    u.weight = static_cast<double>(u.examples) / static_cast<double>(rows);
    for (auto& x : u.shared) x = static_cast<float>(u.weight * static_cast<double>(x));
  }
  return all;
}

/// Weights and what is kept from round to round.
template <class A>
struct run {
  explicit run(const A& aggregator) : rule(aggregator) {
    weights = test::normals<float>(size, 1);
    if constexpr (remembers) memory = rule.remember(size);
  }
  static constexpr bool remembers = requires(const A& a) { a.remember(std::size_t{}); };

  template <class State>
  status finish(State& state) {
    if constexpr (remembers)
      return rule.finish(state, weights, memory);
    else
      return rule.finish(state, weights);
  }
  status round(const std::vector<client_update>& updates) {
    auto state = rule.init(size);
    for (const auto& u : updates)
      if (auto taken = rule.absorb(state, u); !taken) return taken;
    return finish(state);
  }

  A rule;
  std::vector<float> weights;
  typename detail::memory_of<A>::type memory{};
};

/// f(name, strategy) for each that eleven clients are enough for.
template <class F>
void for_each_strategy(F&& f) {
  f("fedavg", fedavg{});
  f("FedAvgM", server_optimizer{chain(sgd{.learning_rate = 1, .momentum = 0.9})});
  f("FedAdam", server_optimizer{chain(adam{.learning_rate = 0.01, .epsilon = 1e-3})});
  f("FedYogi", server_optimizer{chain(yogi{.learning_rate = 0.01})});
  f("FedAdagrad", server_optimizer{chain(adagrad{.learning_rate = 0.01})});
  f("FedNova", fednova{});
  f("q-FedAvg", q_fedavg{});
  f("coordinate median", coordinate_median{});
  f("trimmed mean", trimmed_mean{.fraction = 0.2});
  f("geometric median", geometric_median{});
  f("krum", krum{.attackers = 2});
  f("multi-krum", krum{.attackers = 2, .keep = 5});
  f("bulyan", bulyan{.attackers = 2});
  f("norm bound", norm_bound{});
}

/// check(weights, weights) of each strategy after each of three rounds, and after the same with change(updates, round).
template <class Change, class Check>
void for_each_changed(Change&& change, Check&& check) {
  for_each_strategy([&](const char* name, const auto& strategy) {
    INFO(name);
    run one(strategy), other(strategy);
    for (std::uint64_t r = 0; r < 3; ++r) {
      auto updates = round_of(11, 7 + r);
      REQUIRE(one.round(updates));
      change(updates, r);
      REQUIRE(other.round(updates));
      check(one.weights, other.weights);
    }
  });
}

/// f(name, strategy) for those that do with one client what it did.
template <class F>
void for_each_that_follows_one(F&& f) {
  f("fedavg", fedavg{});
  f("FedAvgM, first round", server_optimizer{chain(sgd{.learning_rate = 1, .momentum = 0.9})});
  f("FedNova", fednova{.momentum = 0.5});
  f("q-FedAvg", q_fedavg{.q = 0});
  f("coordinate median", coordinate_median{});
  f("trimmed mean", trimmed_mean{.fraction = 0.2});
  f("geometric median", geometric_median{});
  f("norm bound", norm_bound{.bound = 1e6});
}

} // namespace

TEST_CASE("strategies: any order of arrival gives the same bits, round after round") {
  for_each_changed(
      [](std::vector<client_update>& updates, std::uint64_t r) {
        replayable_random source(20 + r);
        shuffle(source, std::span(updates));
      },
      [](const auto& one, const auto& other) { CHECK(one == other); });
}

TEST_CASE("strategies: what clients are called is nothing to the result") {
  for_each_changed(
      [](std::vector<client_update>& updates, std::uint64_t r) {
        std::vector<std::uint32_t> names(updates.size());
        replayable_random source(30 + r);
        permutation(source, names);
        for (std::size_t c = 0; c < updates.size(); ++c) updates[c].sender = 1 + 5 * names[c];
      },
      // Means that go through the clients by number are rounded in another order.
      [](const auto& one, const auto& other) {
        for (std::size_t i = 0; i < size; ++i) CHECK(std::abs(one[i] - other[i]) <= 1e-6F);
      });
}

TEST_CASE("strategies: one client is local training") {
  const sequential model{dense<10, 3>{}}; // 33 weights
  const auto data = test::rows_of(40, 10, 3, 5);
  const auto start = initialise<float>(model, 3);
  auto trained = start;
  local_training local{model,
                       softmax_cross_entropy{},
                       chain(average_over_batch{}, sgd{.learning_rate = 0.1, .momentum = 0.5}),
                       2,
                       8,
                       40,
                       7,
                       1};
  const auto done = local.run(trained, data.view(), data.labels, 0);
  client_update u{
      .sender = 1, .examples = 40, .steps = done.steps, .weight = 1, .loss = done.loss, .shared = {}};
  for (std::size_t i = 0; i < size; ++i)
    u.shared.push_back(std::as_const(start).shared()[i] - std::as_const(trained).shared()[i]);
  for_each_that_follows_one([&](const char* name, const auto& strategy) {
    INFO(name);
    run one(strategy);
    one.weights.assign(start.shared().begin(), start.shared().end());
    REQUIRE(one.round({u}));
    for (std::size_t i = 0; i < size; ++i)
      CHECK(std::abs(one.weights[i] - std::as_const(trained).shared()[i]) <= 1e-6F);
  });
}

TEST_CASE("strategies: a round of no survivors is an error, and nothing has moved") {
  for_each_strategy([](const char* name, const auto& strategy) {
    INFO(name);
    run one(strategy), other(strategy);
    const auto before = one.weights;
    const auto none = one.round({});
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == fault::message);
    CHECK(one.weights == before);
    const auto updates = round_of(11, 7); // and the next is as if it had not been
    REQUIRE(one.round(updates));
    REQUIRE(other.round(updates));
    CHECK(one.weights == other.weights);
  });
}

TEST_CASE(
    "strategies: an update that is not finite, of another size or of no weight is refused, and leaves no "
    "trace") {
  for_each_strategy([](const char* name, const auto& strategy) {
    INFO(name);
    const auto good = round_of(11, 7);
    run expected(strategy), one(strategy);
    REQUIRE(expected.round(good));
    auto state = one.rule.init(size);
    const auto refused = [&](fault kind, const auto& spoil) {
      client_update u = good[3];
      u.sender = 99;
      spoil(u);
      const auto taken = one.rule.absorb(state, u);
      REQUIRE_FALSE(taken);
      CHECK(taken.error().kind == kind);
    };
    const auto bad = [&] {
      for (const float x : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        refused(fault::range, [&](client_update& u) { u.shared[20] = x; });
      refused(fault::shape, [](client_update& u) { u.shared.pop_back(); });
      refused(fault::shape, [](client_update& u) { u.shared.push_back(0); });
      refused(fault::message, [](client_update& u) { u.weight = 0; });
      refused(fault::message, [](client_update& u) { u.weight = 2; });
      refused(fault::message, [](client_update& u) { u.weight = std::numeric_limits<double>::quiet_NaN(); });
    };
    for (const auto& u : good) {
      bad();
      REQUIRE(one.rule.absorb(state, u));
    }
    bad();
    REQUIRE(one.finish(state));
    CHECK(one.weights == expected.weights);
  });
}

TEST_CASE("strategies: of an encoded update too, with places that are twice there or beyond the last") {
  const decoded_uploads server{coordinate_median{}};
  const auto upload = [](std::uint32_t sender, std::vector<std::uint32_t> places, float value) {
    encoded_update u{.sender = sender,
                     .weight = 0.5,
                     .numbers = {.parameters = size, .holds = support::listed, .places = std::move(places)}};
    u.numbers.values.assign(u.numbers.places.size(), value);
    return u;
  };
  auto state = server.init(size);
  const auto refused = [&](std::vector<std::uint32_t> places, float value = 1) {
    const auto taken = server.absorb(state, upload(9, std::move(places), value));
    REQUIRE_FALSE(taken);
    return taken.error().message;
  };
  CHECK(refused({3, 3}) == "[N009 message] encoded update: place 3 is there twice");
  CHECK(refused({3, 33}) == "[N009 message] encoded update: place 1 is 33, beyond 33 numbers");
  CHECK(refused({4, 3}) == "[N009 message] encoded update: place 3 comes after 4");
  CHECK(refused({4}, std::numeric_limits<float>::infinity()) ==
        "[N009 message] encoded update: number 0 is inf");
  std::vector<float> weights(size);
  REQUIRE(server.absorb(state, upload(1, {3, 32}, 1)));
  REQUIRE(server.finish(state, weights));
  for (std::size_t i = 0; i < size; ++i) CHECK(weights[i] == (i == 3 || i == 32 ? -1 : 0));
}
