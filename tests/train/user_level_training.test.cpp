#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/local_training.hpp>
#include <privet/train/user_level_training.hpp>

#include <cmath>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

const sequential model{dense<4, 3>{}};
const sgd whole{.learning_rate = 1};

local_steps<decltype(chain(average_over_batch{}, sgd{}))> local(std::size_t epochs, std::size_t batch) {
  return {chain(average_over_batch{}, sgd{.learning_rate = 0.1}), epochs, batch};
}
/// 40 persons of 1 to 9 rows.
dataset<float> population() {
  auto data = test::rows_of(200, 4, 3, 5);
  data.groups.resize(data.rows());
  for (std::size_t r = 0; r < data.rows(); ++r) data.groups[r] = static_cast<std::int32_t>(r * r % 40) * 3;
  return data;
}
std::vector<float> weights_of(const parameters<float>& p) { return {p.trained().begin(), p.trained().end()}; }

/// The rows of the persons that `keep` keeps.
template <class Keep>
dataset<float> persons_of(const dataset<float>& data, Keep keep) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t r = 0; r < data.rows(); ++r)
    if (keep(data.groups[r])) rows.push_back(r);
  return data.select(rows);
}
/// What one round of everybody adds to the weights, times the number of persons.
template <class Local>
std::vector<double> update_of(const dataset<float>& data, const Local& local, std::size_t threads = 1) {
  user_level_training training(model, softmax_cross_entropy{}, local,
                               chain(clip_l2{.bound = 100}, average_over_batch{}, whole), poisson{.rate = 1},
                               data.groups, 3, threads);
  auto p = initialise<float>(model, 1);
  const auto before = weights_of(p);
  training.resume(p, data.view(), data.labels, 4);
  std::vector<double> sum(before.size());
  for (std::size_t k = 0; k < sum.size(); ++k)
    sum[k] = (static_cast<double>(before[k]) - p.trained()[k]) * static_cast<double>(training.persons());
  return sum;
}

const auto free_of_charge = [](const privacy_event&) -> status { return nothing{}; };

} // namespace

TEST_CASE("with everybody in the sample it is federated averaging by hand") {
  const auto data = population();
  const rows_by_group persons(data.groups);
  user_level_training training(model, softmax_cross_entropy{}, local(2, 1000),
                               chain(average_by_examples{}, whole), poisson{.rate = 1}, data.groups, 3);
  auto p = initialise<float>(model, 1);
  const auto before = weights_of(p);
  training.resume(p, data.view(), data.labels, 0);

  // One batch holds all rows of a person, so their order is only rounding.
  std::vector<double> sum(before.size());
  for (std::size_t i = 0; i < persons.size(); ++i) {
    const auto own = data.select(std::vector<std::uint32_t>(persons[i].begin(), persons[i].end()));
    training_step step(model, softmax_cross_entropy{},
                       chain(average_over_batch{}, sgd{.learning_rate = 0.1}));
    auto q = initialise<float>(model, 1);
    auto state = step.init();
    std::vector<std::uint32_t> all(own.rows());
    std::iota(all.begin(), all.end(), 0u);
    for (int e = 0; e < 2; ++e)
      step(q, state, own.view(), own.labels.data(), all, static_cast<double>(own.rows()));
    for (std::size_t k = 0; k < sum.size(); ++k)
      sum[k] += static_cast<double>(own.rows()) * (static_cast<double>(before[k]) - q.trained()[k]);
  }
  for (std::size_t k = 0; k < sum.size(); ++k)
    CHECK(p.trained()[k] == Approx(before[k] - sum[k] / static_cast<double>(data.rows())).margin(1e-6));
}

TEST_CASE("any number of threads gives the same bits") {
  const auto data = population();
  const auto run = [&](std::size_t threads) {
    user_level_training training(model, softmax_cross_entropy{}, local(3, 2),
                                 chain(clip_l2{.bound = 0.1}, average_over_batch{}, whole),
                                 poisson{.rate = 1}, data.groups, 3, threads);
    auto p = initialise<float>(model, 1);
    for (std::uint64_t round = 0; round < 3; ++round) training.resume(p, data.view(), data.labels, round);
    return weights_of(p);
  };
  CHECK(run(1) == run(3));
}

TEST_CASE("a person's draws do not depend on who else is there") {
  const auto data = population();
  const auto all = update_of(data, local(2, 2)),
             without = update_of(persons_of(data, [](int g) { return g != 12; }), local(2, 2)),
             alone = update_of(persons_of(data, [](int g) { return g == 12; }), local(2, 2));
  for (std::size_t k = 0; k < all.size(); ++k) CHECK(all[k] - without[k] == Approx(alone[k]).margin(2e-5));
}

TEST_CASE("nothing of one person's training reaches the next person's") {
  const auto data = population();
  // A bound that adapts is memory: with it the others' updates would depend on who came before.
  const auto own = chain(clip_l2{.bound = 0.01}.adaptive(), average_over_batch{}, sgd{.learning_rate = 0.1});
  const local_steps steps{own, 5, 1};
  const auto all = update_of(data, steps), spread = update_of(data, steps, 3),
             without = update_of(persons_of(data, [](int g) { return g != 0; }), steps),
             alone = update_of(persons_of(data, [](int g) { return g == 0; }), steps);
  CHECK(all == spread);
  for (std::size_t k = 0; k < all.size(); ++k) CHECK(all[k] - without[k] == Approx(alone[k]).margin(2e-5));
}

TEST_CASE("a label that is no output is refused before anybody pays, and not told") {
  auto data = population();
  data.labels[17] = 3;
  user_level_training training(model, softmax_cross_entropy{}, local(1, 4),
                               chain(clip_l2{.bound = 0.1}, average_over_batch{}, gaussian{1.3}, whole),
                               poisson{.rate = 0.25}, data.groups, 3);
  auto p = initialise<float>(model, 1);
  bool paid = false;
  const auto pay = [&](const privacy_event&) -> status {
    paid = true;
    return nothing{};
  };
  CHECK_THROWS_WITH(training.resume(p, data.view(), data.labels, 0, pay),
                    Catch::Contains("[N006") && !Catch::Contains("17"));
  CHECK_FALSE(paid);
}

TEST_CASE("it states its event, and pays before anything is drawn") {
  const auto data = population();
  user_level_training training(model, softmax_cross_entropy{}, local(1, 4),
                               chain(clip_l2{.bound = 0.1}, average_over_batch{}, gaussian{1.3}, whole),
                               poisson{.rate = 0.25}, data.groups, 3);
  const auto said = training.event();
  const auto& event = std::get<event::subsampled_gaussian>(said.mechanism);
  CHECK(event.noise_multiplier == Approx(1.3).epsilon(1e-3));
  CHECK(event.noise_multiplier < 1.3);
  CHECK(event.rate >= 0.25);
  CHECK(said.count == 1);
  CHECK(said.relation == neighbours::add_remove);

  auto p = initialise<float>(model, 1);
  const auto before = weights_of(p);
  const auto refused = training.run(p, data.view(), data.labels, 0, [](const privacy_event&) -> status {
    return error::of(fault::state, "nothing left");
  });
  CHECK_FALSE(refused);
  CHECK(weights_of(p) == before);
  REQUIRE(training.run(p, data.view(), data.labels, 0, free_of_charge));
  CHECK(weights_of(p) != before);
}

TEST_CASE("other rows than those it was made for, and data without persons, are refused") {
  const auto data = population();
  user_level_training training(model, softmax_cross_entropy{}, local(1, 4),
                               chain(average_by_examples{}, whole), poisson{.rate = 1}, data.groups, 3);
  auto p = initialise<float>(model, 1);
  const auto fewer = test::rows_of(100, 4, 3, 5);
  CHECK_THROWS_WITH(training.resume(p, fewer.view(), fewer.labels, 0), Catch::Contains("[N003"));
  CHECK_THROWS_WITH(
      (user_level_training(model, softmax_cross_entropy{}, local(1, 4), chain(average_by_examples{}, whole),
                           poisson{.rate = 1}, std::span<const std::int32_t>(), 3)),
      Catch::Contains("[N001"));
}

TEST_CASE("user-level training goes on where another object stopped, with its momentum") {
  const auto data = population();
  const auto make = [&] {
    return user_level_training(model, softmax_cross_entropy{}, local(1, 4),
                               chain(average_over_batch{}, sgd{.learning_rate = 1, .momentum = 0.9}),
                               poisson{.rate = 1}, data.groups, 3);
  };
  auto uncut = make(), first = make(), second = make();
  auto p = initialise<float>(model, 1), q = p, forgetful = p;
  for (std::uint64_t round : {0u, 1u}) uncut.resume(p, data.view(), data.labels, round);
  first.resume(q, data.view(), data.labels, 0);
  forgetful = q;
  make().resume(forgetful, data.view(), data.labels, 1);
  second.state() = first.state();
  second.resume(q, data.view(), data.labels, 1);
  CHECK(weights_of(q) == weights_of(p));
  CHECK(weights_of(forgetful) != weights_of(p));
}
