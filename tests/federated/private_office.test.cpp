#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/federated/fedavg.hpp>
#include <privet/federated/offices.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/ledger.hpp>
#include <privet/privacy/pld.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace privet;

namespace {

const sequential model{dense<4, 3>{}};

struct receipt {
  privacy_event event;
  std::string what;
};

/// The recipe of these tests, whose payments are written down, and refused from the `most`-th on.
auto recipe_of(std::vector<receipt>& paid, std::size_t most = 1000) {
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                           sgd{.learning_rate = 0.5});
  return private_recipe<std::remove_const_t<decltype(steps)>>{
      steps,
      {.rate = 0.2},
      5,
      [&paid, most](const privacy_event& e, std::string_view what) -> status {
        if (paid.size() >= most) return error::of(fault::state, "the budget is spent");
        paid.push_back({e, std::string(what)});
        return nothing{};
      },
      private_moments{.noise_multiplier = 10, .bound = 6}};
}

} // namespace

TEST_CASE("a private office pays for its moments once and for every round, before it answers") {
  std::vector<receipt> paid;
  const offices one{model, {test::rows_of(400, 4, 3, 1)}, recipe_of(paid), 3};
  aggregation_server server(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  server.open(one.links(), one.model());
  REQUIRE(paid.size() == 1);
  CHECK(paid[0].what == "moments of the columns");
  CHECK(std::holds_alternative<event::gaussian>(paid[0].event.mechanism));
  for (std::size_t r = 0; r < 3; ++r) {
    const auto report = server.round(r);
    REQUIRE(paid.size() == r + 2);
    CHECK(paid.back().what == concat("round ", r + 1));
    CHECK(paid.back().event.count == 5);
    CHECK(std::get<event::subsampled_gaussian>(paid.back().event.mechanism).rate >= 0.2);
    CHECK(report.loss == 0); // nobody pays for one, so none is sent
  }
  server.round(1); // the same round again is new noise, and is paid for again
  CHECK(paid.size() == 5);

  // Taken up again, with the scaling that was agreed on: nothing is asked that was paid for.
  aggregation_server again(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  const offices same{model, {test::rows_of(400, 4, 3, 1)}, recipe_of(paid), 3};
  again.open(same.links(), same.model(), server.weights(), server.scaling());
  CHECK(paid.size() == 5);
  CHECK(again.round(3).weights.size() == 15);
}

TEST_CASE("a private office whose payment is refused trains nothing and sends nothing") {
  std::vector<receipt> paid;
  const offices one{model, {test::rows_of(400, 4, 3, 1)}, recipe_of(paid, 2), 3};
  aggregation_server server(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  server.open(one.links(), one.model());
  server.round(0);
  const std::vector<float> before(server.weights().begin(), server.weights().end());
  CHECK_THROWS_WITH(server.round(1), Catch::Contains("client 1") && Catch::Contains("budget is spent"));
  CHECK(std::ranges::equal(server.weights(), before));

  std::vector<receipt> none;
  const offices poor{model, {test::rows_of(400, 4, 3, 1)}, recipe_of(none, 0), 3};
  CHECK_THROWS_WITH(server.open(poor.links(), poor.model()), Catch::Contains("budget is spent"));
}

TEST_CASE("a private office without a budget for moments gives none out") {
  std::vector<receipt> paid;
  auto recipe = recipe_of(paid);
  recipe.scaling.reset();
  const offices one{model, {test::rows_of(40, 4, 3, 1)}, recipe, 3};
  aggregation_server asking(fedavg{}, {.standardise = true});
  CHECK_THROWS_WITH(asking.open(one.links(), one.model()), Catch::Contains("public constants"));
  const offices another{model, {test::rows_of(40, 4, 3, 1)}, recipe, 3};
  aggregation_server content(fedavg{}, {.standardise = false});
  content.open(another.links(), another.model());
  CHECK(paid.empty());
  content.round(0);
  CHECK(paid.size() == 1);
}

TEST_CASE("missing values stop a private office where it is made, not in an answer") {
  std::vector<receipt> paid;
  auto rows = test::rows_of(40, 4, 3, 1);
  row(rows.features, 7)[2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH((offices{model, {rows}, recipe_of(paid), 3}),
                    Catch::Contains("[N007") && Catch::Contains("missing or not finite"));
}

TEST_CASE("private offices learn from each other, and spend what their ledgers say") {
  std::vector<dataset<float>> rows{test::rows_of(900, 4, 3, 1), test::rows_of(900, 4, 3, 2)};
  std::vector<receipt> paid;
  auto recipe = recipe_of(paid);
  recipe.batches = 20;
  const offices two{model, rows, recipe, 3};
  aggregation_server server(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  server.run(two, in_process{.threads = 1}, rounds{5});
  const auto test = standardiser::from(server.scaling()).apply(test::rows_of(600, 4, 3, 9));
  CHECK(evaluate(model, server.weights_for(model), test).confusion.accuracy() > 0.75); // chance is 1/3

  pld_accountant each;
  for (std::size_t i = 0; i < paid.size(); i += 2)
    each.compose(paid[i].event); // every other one is an office's
  pld_accountant ideal;
  ideal.compose({event::subsampled_gaussian{1, 0.2}, 100});
  CHECK(each.epsilon(1e-5).upper >= ideal.epsilon(1e-5).lower);
  CHECK(each.epsilon(1e-5).upper <= 1.1 * ideal.epsilon(1e-5).upper);
}

TEST_CASE("an office that protects persons counts persons, pays for a person and learns") {
  const auto with_persons = [](std::uint64_t seed) {
    auto data = test::rows_of(6000, 4, 3, seed);
    data.groups.resize(data.rows());
    for (std::size_t r = 0; r < data.rows(); ++r) data.groups[r] = static_cast<std::int32_t>(r % 700);
    return data;
  };
  std::vector<receipt> paid;
  const payment pay = [&paid](const privacy_event& e, std::string_view what) -> status {
    paid.push_back({e, std::string(what)});
    return nothing{};
  };
  const auto own = chain(average_over_batch{}, sgd{.learning_rate = 0.2});
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 2},
                           sgd{.learning_rate = 1});
  const user_recipe<std::remove_const_t<decltype(own)>, std::remove_const_t<decltype(steps)>> recipe{
      {own, 2, 5}, steps, {.rate = 0.3}, 3, pay, private_moments{.noise_multiplier = 10, .bound = 6}};
  const offices two{model, {with_persons(1), with_persons(2)}, recipe, 3};
  aggregation_server server(fedavg{}, {.standardise = true, .least_deviation = 0.5});
  server.run(two, in_process{.threads = 1}, rounds{10});
  REQUIRE(paid.size() == 2 + 20);
  CHECK(paid[2].what == "round 1");
  const auto& what = std::get<event::subsampled_gaussian>(paid[2].event.mechanism);
  CHECK(what.noise_multiplier == Approx(2).epsilon(1e-3));
  CHECK(what.rate >= 0.3);
  CHECK(paid[2].event.count == 3);
  const auto test = standardiser::from(server.scaling()).apply(test::rows_of(600, 4, 3, 9));
  CHECK(evaluate(model, server.weights_for(model), test).confusion.accuracy() > 0.7); // chance is 1/3
}
