#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/tied.hpp>
#include <privet/train/personalise.hpp>
#include <privet/train/trainer.hpp>

#include <cmath>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

using net = sequential<dense<4, 12>, relu, dense<12, 3>>;
const net model{dense<4, 12>{}, relu{}, dense<12, 3>{}};
constexpr std::size_t head_at = 4 * 12 + 12;
const softmax_cross_entropy loss{.smoothing = 0.1};

parameters<float> shared_model() {
  trainer train{model, loss, chain(average_over_batch{}, sgd{.learning_rate = 0.1, .momentum = 0.9}),
                shuffled{16}, 3};
  train.fit(test::rows_of(300, 4, 3, 1), epochs{10});
  return train.parameters();
}

/// A person whose first two activities look like each other's.
dataset<float> unlike_others(std::size_t rows, std::uint64_t seed) {
  auto data = test::rows_of(rows, 4, 3, seed);
  for (auto& label : data.labels) label = label == 2 ? 2 : 1 - label;
  return data;
}

personal_model<float> made(const dataset<float>& own, const personal_recipe& recipe = {},
                           std::uint64_t seed = 1) {
  return personalise(model, loss, recipe, shared_model(), own, seed);
}

double accuracy(const parameters<float>& p, const dataset<float>& data) {
  return evaluate(model, p, data).confusion.accuracy();
}

double distance(const parameters<float>& a, const parameters<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.trained().size(); ++i) sum += std::pow(a.trained()[i] - b.trained()[i], 2);
  return std::sqrt(sum);
}

bool same(const parameters<float>& a, const parameters<float>& b) {
  return std::ranges::equal(a.trained(), b.trained());
}

} // namespace

TEST_CASE("personalise: one who is unlike the others gets a model that is better on new rows") {
  const auto result = made(unlike_others(60, 2));
  const auto fresh = unlike_others(300, 9);
  CHECK(result.personal);
  CHECK(result.gate.wins > 2 * result.gate.losses);
  CHECK(accuracy(result.weights, fresh) > accuracy(shared_model(), fresh) + 0.3);
}

TEST_CASE(
    "personalise: one who is like the others, and one with few rows, keep the shared model to the bit") {
  const auto like = made(test::rows_of(40, 4, 3, 5));
  CHECK(!like.personal);
  CHECK(same(like.weights, shared_model()));
  for (const std::size_t rows : {0u, 1u, 9u}) {
    const auto few = made(unlike_others(rows, 2));
    CHECK(!few.personal);
    CHECK(same(few.weights, shared_model()));
  }
  CHECK(made(unlike_others(10, 2), {.level = 1}).personal);
}

TEST_CASE("personalise: labels that are coins pass the gate no more often than its level says") {
  const auto shared = shared_model();
  std::size_t kept = 0;
  constexpr std::size_t people = 60;
  for (std::uint64_t person = 0; person < people; ++person) {
    auto own = test::rows_of(25, 4, 3, 100 + person);
    replayable_random coins(person, stream_id(purpose::synthetic_data));
    for (auto& label : own.labels) label = static_cast<std::int32_t>(uniform_below(coins, std::uint32_t{3}));
    const auto result = personalise(model, loss, {.how = {.steps = 60}, .level = 0.1}, shared, own, person);
    kept += result.personal;
  }
  CHECK(kept <= 12); // 6 expected at most; 12 or more by chance: 2 % for independent rows
}

TEST_CASE("personalise: the result is a function of the seed") {
  const auto own = unlike_others(30, 2);
  const auto once = made(own), again = made(own), other = made(own, {}, 2);
  CHECK(same(once.weights, again.weights));
  CHECK(once.steps == again.steps);
  CHECK(once.personal);
  CHECK(!same(once.weights, other.weights));
}

TEST_CASE("personalise: the parts move that are said to") {
  const auto shared = shared_model();
  const auto own = unlike_others(40, 2);
  const auto tuned = [&](tuned_part part) { return made(own, {.how = {.part = part}, .level = 1}).weights; };
  const auto body_moved = [&](const parameters<float>& p) {
    return !std::ranges::equal(p.trained().first(head_at), shared.trained().first(head_at));
  };
  const auto head = tuned(tuned_part::head);
  CHECK(!body_moved(head));
  CHECK(distance(head, shared) > 0.1);
  CHECK(accuracy(head, unlike_others(300, 9)) > accuracy(shared, unlike_others(300, 9)) + 0.2);
  const auto head_first = tuned(tuned_part::head_first), all = tuned(tuned_part::all);
  CHECK(body_moved(head_first));
  CHECK(body_moved(all));
  CHECK(!same(head_first, all));

  const auto alone = [&](const parameters<float>& from) {
    return personalise(model, loss, {.how = {.part = tuned_part::alone}, .level = 1}, from, own, 1).weights;
  };
  CHECK(same(alone(shared), alone(initialise(model, 77))));
  CHECK(accuracy(alone(shared), unlike_others(300, 9)) > 0.6);
}

TEST_CASE("fine-tuning: the more rows the shared weights count as, the nearer the weights stay") {
  const auto shared = shared_model();
  const auto own = unlike_others(40, 2);
  std::vector<std::uint32_t> all(40);
  std::iota(all.begin(), all.end(), 0u);
  const auto moved = [&](double prior) {
    fine_tuning<net, softmax_cross_entropy> run(model, loss, {.prior = prior}, shared, all, 1);
    run.run_to(200, own.view(), own.labels);
    return distance(run.weights(), shared);
  };
  CHECK(moved(3) < 0.9 * moved(0));
  CHECK(moved(30) < 0.6 * moved(3));
}

TEST_CASE("fine-tuning: stopping on the way changes nothing, and half the steps are the first half") {
  const auto shared = shared_model();
  const auto own = unlike_others(23, 2);
  const std::vector<std::uint32_t> some = {0, 3, 4, 8, 9, 11, 15, 20};
  fine_tuning<net, softmax_cross_entropy> whole(model, loss, {.batch = 3}, shared, some, 1),
      halves(model, loss, {.batch = 3}, shared, some, 1);
  whole.run_to(50, own.view(), own.labels);
  halves.run_to(20, own.view(), own.labels);
  halves.run_to(20, own.view(), own.labels);
  halves.run_to(50, own.view(), own.labels);
  CHECK(same(whole.weights(), halves.weights()));

  auto others = own; // rows that are not named play no part
  for (const std::size_t i : {1u, 2u, 22u}) row(others.features, i)[0] = 1e6f;
  fine_tuning<net, softmax_cross_entropy> same_rows(model, loss, {.batch = 3}, shared, some, 1);
  same_rows.run_to(50, others.view(), others.labels);
  CHECK(same(whole.weights(), same_rows.weights()));
}

TEST_CASE("the head of a model is its last layer with parameters") {
  const auto head = head_of(model);
  CHECK(head.first == head_at);
  CHECK(head.last == head_at + 12 * 3 + 3);
  CHECK_THROWS_WITH(
      head_of(tie(sequential{dense<4, 4>{}, relu{}, dense<4, 4>{}}, {0, 2})),
      "[N001 argument] head_of: layer 2, the last one with parameters, shares them with layer 0: a head "
      "has its own");
  const auto only = head_of(sequential{dense<4, 3>{}, relu{}});
  CHECK(only.first == 0);
  CHECK(only.last == 15);
}

TEST_CASE("paired counts: the chance of so many wins is the binomial tail") {
  CHECK(paired_counts{}.chance() == 1);
  CHECK(paired_counts{0, 3}.chance() == Approx(1));
  CHECK(paired_counts{1, 0}.chance() == Approx(0.5));
  CHECK(paired_counts{2, 0}.chance() == Approx(0.25));
  CHECK(paired_counts{3, 1}.chance() == Approx(5.0 / 16));
  CHECK(paired_counts{9, 1}.chance() == Approx(11.0 / 1024));
  CHECK(paired_counts{600, 400}.chance() == Approx(1.3642e-10).epsilon(1e-3));
}

TEST_CASE("personalise: numbers that make no sense and rows that are none of the model's are refused") {
  const auto own = unlike_others(20, 2);
  CHECK_THROWS_WITH(made(own, {.folds = 2}), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(made(own, {.checks = 0}), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(made(own, {.how = {.steps = 5}}), Catch::Contains("10 checks of 5 steps"));
  for (const double level : {0.0, -1.0, 1.5})
    CHECK_THROWS_WITH(made(own, {.level = level}), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(made(own, {.how = {.prior = -1}}), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(made(own, {.how = {.batch = 0}}), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(made(test::rows_of(20, 5, 3, 1)), Catch::Contains("[N003"));
  CHECK_THROWS_WITH(made(test::rows_of(20, 4, 4, 1)), Catch::Contains("[N006"));
  const sequential other{dense<4, 3>{}};
  CHECK_THROWS_WITH(personalise(model, loss, {}, initialise(other, 1), own, 1), Catch::Contains("[N003"));
  using tuning_of_net = fine_tuning<net, softmax_cross_entropy>;
  CHECK_THROWS_WITH(tuning_of_net(model, loss, {}, shared_model(), {}, 1), Catch::Contains("[N001"));
}
