#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/local_training.hpp>

#include <algorithm>

using namespace privet;

namespace {

const sequential model{dense<4, 8>{}, relu{}, dropout{0.2}, dense<8, 3>{}};
const auto steps =
    chain(average_over_batch{}, sgd{.learning_rate = 0.1, .momentum = 0.9}, cosine_rate{.steps = 200});
using training = local_training<decltype(sequential{dense<4, 8>{}, relu{}, dropout{0.2}, dense<8, 3>{}}),
                                softmax_cross_entropy, std::remove_const_t<decltype(steps)>>;

training made(std::uint64_t seed = 5, std::uint32_t client = 1, std::size_t rows = 23) {
  return training(model, softmax_cross_entropy{}, steps, 2, 5, rows, seed, client);
}

std::vector<float> weights_after(training& t, const dataset<float>& data, std::uint64_t round) {
  auto p = initialise(model, 3);
  t.run(p, data.view(), data.labels, round);
  return {p.shared().begin(), p.shared().end()};
}

} // namespace

TEST_CASE("local training: a round is a function of the round alone, whatever ran before") {
  const auto data = test::rows_of(23, 4, 3, 1);
  auto fresh = made(), busy = made();
  const auto expected = weights_after(fresh, data, 4);
  for (const std::uint64_t before : {0u, 9u, 4u, 2u}) (void)weights_after(busy, data, before);
  CHECK(weights_after(busy, data, 4) == expected);
  CHECK(weights_after(busy, data, 4) == expected); // once more, as after a crash
  CHECK(weights_after(busy, data, 5) != expected);
}

TEST_CASE("local training: the seed and the client decide the coins") {
  const auto data = test::rows_of(23, 4, 3, 1);
  auto one = made(5, 1), same = made(5, 1), other_seed = made(6, 1), other_client = made(5, 2);
  const auto expected = weights_after(one, data, 0);
  CHECK(weights_after(same, data, 0) == expected);
  CHECK(weights_after(other_seed, data, 0) != expected);
  CHECK(weights_after(other_client, data, 0) != expected);
}

TEST_CASE("local training: two resumed rounds of a chain with memory are one round of twice the length") {
  const auto data = test::rows_of(23, 4, 3, 1);
  auto halves = made();
  auto p = initialise(model, 3), q = initialise(model, 3);
  halves.run(p, data.view(), data.labels, 0);
  halves.resume(p, data.view(), data.labels, 1);
  training whole(model, softmax_cross_entropy{}, steps, 4, 5, 23, 5, 1);
  whole.run(q, data.view(), data.labels, 0);
  CHECK(std::ranges::equal(p.shared(), q.shared()));
}

TEST_CASE("local training: steps and the mean loss are counted, and the loss falls") {
  const auto data = test::rows_of(23, 4, 3, 1);
  auto t = made();
  CHECK(t.steps_per_round() == 2 * 5); // 23 rows in batches of 5
  auto p = initialise(model, 3);
  const auto first = t.run(p, data.view(), data.labels, 0);
  CHECK(first.steps == 10);
  CHECK(first.loss > 0);
  CHECK(first.loss < 5);
  for (int i = 0; i < 3; ++i) CHECK(t.run(p, data.view(), data.labels, 0).loss < first.loss);
}

TEST_CASE("local training: no rows, no epochs, an empty batch and other rows than stated are refused") {
  CHECK_THROWS_AS(training(model, {}, steps, 2, 5, 0, 0, 1), exception);
  CHECK_THROWS_AS(training(model, {}, steps, 0, 5, 9, 0, 1), exception);
  CHECK_THROWS_AS(training(model, {}, steps, 2, 0, 9, 0, 1), exception);
  const auto data = test::rows_of(22, 4, 3, 1), wide = test::rows_of(23, 5, 3, 1);
  auto t = made();
  auto p = initialise(model, 3);
  CHECK_THROWS_AS(t.run(p, data.view(), data.labels, 0), exception);
  CHECK_THROWS_AS(t.run(p, wide.view(), wide.labels, 0), exception);
  CHECK_THROWS_AS(t.run(p, test::rows_of(23, 4, 3, 1).view(), data.labels, 0), exception);
}
