#include "fixtures/scaffold.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/scaffold.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

static_assert(Aggregator<scaffold> && scaffold::linear);

namespace {

namespace known = test::scaffold_run;

const sequential linear{dense<4, 3>{}};

std::size_t place(std::size_t k, std::size_t j) { return test::place_of(linear, 0, k, j); }
std::vector<dataset<float>> data_sets() { return test::data_sets_of(known::rows, known::x, known::y); }
std::vector<float> first_weights() { return test::weights_of(linear, known::start); }

/// Batches of all rows: an epoch is a step.
const scaffold_recipe<> recipe{.learning_rate = 0.5, .epochs = 4, .batch = 100};

} // namespace

TEST_CASE("SCAFFOLD equals NumPy over three rounds, weights and control variates, on any number of threads") {
  std::vector<std::vector<float>> bits;
  for (const std::size_t threads : {1u, 3u}) {
    const offices three{linear, data_sets(), recipe, 5};
    aggregation_server server{scaffold{}, {.standardise = false, .threads = threads}};
    server.open(three.links(), three.model(), first_weights());
    for (std::size_t r = 0; r < 3; ++r) {
      server.round(r);
      for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t j = 0; j < 5; ++j) {
          CAPTURE(r, k, j);
          CHECK(std::abs(server.weights()[place(k, j)] - known::after[r][k][j]) <= 1e-6);
          CHECK(std::abs(server.aggregator_memory()[place(k, j)] - known::control[r][k][j]) <= 1e-6);
        }
    }
    bits.push_back(test::copy_weights(server.weights()));
  }
  CHECK(bits[0] == bits[1]);
}

TEST_CASE("SCAFFOLD: the first round is that of federated averaging") {
  const auto after_one = [](auto aggregator, const auto& how) {
    const offices four{test::model_of_tests, test::four_data_sets(), how, 5};
    aggregation_server server{aggregator, {.seed = 5}};
    server.run(four, in_process{}, rounds{1});
    return test::copy_weights(server.weights());
  };
  const auto controlled =
      after_one(scaffold{}, scaffold_recipe<>{.learning_rate = 0.1, .epochs = 2, .batch = 4});
  const auto plain = after_one(fedavg{}, local_sgd{.learning_rate = 0.1, .epochs = 2, .batch = 4});
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(std::abs(controlled[i] - plain[i]) <= 1e-6);
}

namespace {

/// An office that has the model, and the orders it gets.
struct conversation {
  scaffold_recipe<> how{.learning_rate = 0.1, .epochs = 2, .batch = 4};
  office<scaffold_recipe<>> one{1, test::four_data_sets()[0], how, 5};
  std::uint64_t hash = 0;
  std::vector<float> weights = test::copy_weights(initialise<float>(test::model_of_tests, 1).shared());
  std::vector<float> control = std::vector<float>(weights.size());

  conversation() {
    ask(message_kind::agree, 0, {});
    ask(message_kind::architecture, 0, test::copy(bytes_of(json_text(describe(test::model_of_tests)))));
  }
  message ask(message_kind kind, std::uint32_t round, std::vector<std::byte> body) {
    auto reply = decode_message(one.answer(encode({kind, hash, round, 0, std::move(body)}))).value();
    if (reply.kind != message_kind::refusal) hash = reply.schema_hash;
    return reply;
  }
  message train(std::uint32_t round) {
    return ask(message_kind::train, round, encode_order(9, weights, control));
  }
};

} // namespace

TEST_CASE("SCAFFOLD: a client that is asked for a round again gives the same answer") {
  conversation with;
  const auto first = with.train(0).body, second = with.train(1).body;
  CHECK(with.train(1).body == second);
  CHECK(first != second);
  CHECK(with.train(2).body != second);
  CHECK(with.train(0).body == first); // round 0 begins anew
}

TEST_CASE(
    "SCAFFOLD: on a schedule the control variate is the gradient still, whatever the rate of the round") {
  const auto after = [](const scaffold_recipe<>& how, std::size_t round) {
    const offices one{test::model_of_tests, {test::four_data_sets()[0]}, how, 5};
    aggregation_server server{scaffold{}, {.seed = 5}};
    server.open(one.links(), one.model());
    const auto before = test::copy_weights(server.weights());
    server.round(round);
    auto moved = test::copy_weights(server.weights());
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] -= before[i];
    return std::pair{moved, server.aggregator_memory()};
  };
  scaffold_recipe<> how{.learning_rate = 0.1, .epochs = 1, .batch = 1000}; // one step a round
  const auto [far, gradient] = after(how, 0);
  how.schedule = {.steps = 4};
  const auto [near, same] = after(how, 2); // at half of the rate
  const auto [stayed, unknown] = after(how, 4);
  for (std::size_t i = 0; i < far.size(); ++i) {
    CHECK(std::abs(near[i] - far[i] / 2) <= 1e-6);
    CHECK(std::abs(same[i] - gradient[i]) <= 1e-5);
    CHECK(stayed[i] == 0);
    CHECK(unknown[i] == 0);
  }
}

TEST_CASE("SCAFFOLD: a run that is taken up goes on to the same bits") {
  const auto start = [](aggregation_server<scaffold>& server, const offices& all) {
    server.open(all.links(), all.model());
    server.round(0);
    server.round(1);
  };
  const scaffold_recipe<> how{.learning_rate = 0.1, .epochs = 2, .batch = 4};
  const offices four{test::model_of_tests, test::four_data_sets(), how, 5};
  aggregation_server whole{scaffold{}, {.seed = 5}};
  start(whole, four);

  std::vector<std::vector<float>> memories;
  for (std::size_t i = 0; i < four.size(); ++i) {
    const auto kept = four.member(i).memory();
    memories.emplace_back(kept.begin(), kept.end());
  }
  CHECK(memories[0].size() == whole.weights().size());
  const offices again{test::model_of_tests, test::four_data_sets(), how, 5};
  for (std::size_t i = 0; i < memories.size(); ++i) again.member(i).restore(memories[i]);
  aggregation_server second{scaffold{}, {.seed = 5}};
  second.open(again.links(), again.model(), test::copy_weights(whole.weights()), whole.scaling());
  second.restore_aggregator(whole.aggregator_memory());
  whole.round(2);
  second.round(2);
  CHECK(std::ranges::equal(second.weights(), whole.weights()));

  auto wrong = whole.aggregator_memory();
  wrong.pop_back();
  CHECK_THROWS_WITH(second.restore_aggregator(wrong),
                    Contains("a control variate of 56 numbers, the model has 57"));
  CHECK_THROWS_WITH(scaffold{.rate = 0}.init(3), Contains("scaffold: rate 0"));
  CHECK_THROWS_WITH(scaffold{.asked = 2}.init(3), Contains("part asked 2"));
}

TEST_CASE("SCAFFOLD: a round that diverges leaves the client's control variate as it was") {
  conversation with;
  REQUIRE(with.train(0).kind == message_kind::update);
  const auto kept = test::copy_weights(with.one.memory());
  const auto good = std::exchange(with.weights, std::vector<float>(kept.size(), 3e38F));
  std::ranges::fill(with.control, 3e38F);
  CHECK(with.train(1).kind == message_kind::refusal);
  CHECK(test::copy_weights(with.one.memory()) == kept);
  with.weights = good;
  std::ranges::fill(with.control, 0.0F);
  CHECK(with.train(2).kind == message_kind::update);
}

TEST_CASE("SCAFFOLD: its clients refuse a server that averages, and its server clients that do") {
  const offices controlled{test::model_of_tests, test::four_data_sets(), recipe, 5};
  aggregation_server plain;
  CHECK_THROWS_WITH(plain.run(controlled, in_process{}, rounds{1}), Contains("got 57 weights"));
  const offices four{test::model_of_tests, test::four_data_sets(), test::local_of_tests, 5};
  aggregation_server server{scaffold{}};
  CHECK_THROWS_WITH(server.run(four, in_process{}, rounds{1}), Contains("got 114 weights"));
}
