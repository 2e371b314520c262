#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/shared_noise.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/privacy/pld.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

const sequential model{dense<4, 3>{}};

struct receipt {
  privacy_event event;
  std::string what;
};

auto upload_of(double noise_multiplier, std::uint32_t holders, double bound = 1) {
  return chain(clip_l2{.bound = bound}, sum_over_batch{},
               gaussian_share{.noise_multiplier = noise_multiplier, .holders = holders});
}

/// Payments are written down, and refused from the `most`-th on.
payment into(std::vector<receipt>& paid, std::size_t most = 1000) {
  return [&paid, most](const privacy_event& e, std::string_view what) -> status {
    if (paid.size() >= most) return error::of(fault::state, "the budget is spent");
    paid.push_back({e, std::string(what)});
    return nothing{};
  };
}

std::vector<dataset<float>> three_data_sets() {
  return {test::rows_of(40, 4, 3, 1), test::rows_of(75, 4, 3, 2), test::rows_of(12, 4, 3, 3)};
}

/// The rows of all in one place.
dataset<float> pooled(const std::vector<dataset<float>>& parts) {
  dataset<float> all = parts[0];
  std::size_t rows = 0;
  for (const auto& p : parts) rows += p.rows();
  all.features = make_matrix<float>(rows, all.columns());
  all.labels.clear();
  for (std::size_t at = 0; const auto& p : parts)
    for (std::size_t r = 0; r < p.rows(); ++r, ++at) {
      std::ranges::copy(row(p.features, r), row(all.features, at).begin());
      all.labels.push_back(p.labels[r]);
    }
  return all;
}

/// What an office of this sum would send.
template <class Sum>
client_share share_of(const Sum& sum, std::uint32_t sender, std::vector<std::int64_t> numbers,
                      std::uint64_t rows = 10) {
  return {sender, 0, rows, 1, std::move(numbers), sum.grid(), sum.least()};
}

auto sum_of(std::uint32_t holders) {
  return shared_sum{upload_of(1, holders), poisson{.rate = 0.5},
                    chain(sgd{.learning_rate = 0.5, .momentum = 0.9}, cosine_rate{.steps = 10})};
}
static_assert(Aggregator<decltype(sum_of(1))> && decltype(sum_of(1))::linear);

} // namespace

TEST_CASE("shared noise: with hardly any, offices take the steps that all rows in one place would") {
  // At rate 1 a round is a full batch, so that training in one place with the same stages walks the same way.
  const auto parts = three_data_sets();
  const auto all = pooled(parts);
  std::vector<std::uint32_t> batch(all.rows());
  for (std::uint32_t i = 0; i < batch.size(); ++i) batch[i] = i;
  const auto check = [&](double tolerance, auto... stages) {
    const auto upload = upload_of(1e-3, 3, 0.5);
    std::vector<receipt> paid;
    const offices three{model, parts, shared_noise_recipe{upload, poisson{.rate = 1}, into(paid)}, 3};
    aggregation_server server(shared_sum{upload, poisson{.rate = 1}, chain(stages...)},
                              {.standardise = false, .seed = 5});
    server.open(three.links(), three.model());
    auto weights = server.weights_for(model);
    const auto start = test::copy_weights(server.weights());
    training_step central(model, softmax_cross_entropy{},
                          chain(clip_l2{.bound = 0.5}, average_over_batch{}, stages...));
    auto state = central.init();
    double moved = 0, apart = 0;
    for (std::size_t r = 0; r < 5; ++r) {
      const auto report = server.round(r);
      CHECK(report.loss == 0); // nobody pays for one, so none is sent
      CHECK(report.clients == 3);
      central(weights, state, all.view(), all.labels.data(), batch, static_cast<double>(all.rows()));
      for (std::size_t i = 0; i < start.size(); ++i) {
        apart = std::max(apart, std::abs(double{report.weights[i]} - double{weights.shared()[i]}));
        moved = std::max(moved, std::abs(double{report.weights[i]} - double{start[i]}));
      }
    }
    CAPTURE(apart, moved);
    CHECK(apart < tolerance);
    CHECK(moved > 1000 * tolerance);
    CHECK(server.aggregator_memory().step == 5);
    CHECK(paid.size() == 15);
  };
  // The noise on a mean of 127 rows has the deviation 0.5 * 1e-3 / 127, a step multiplies it by the rate.
  check(1e-4, sgd{.learning_rate = 0.5, .momentum = 0.9}, cosine_rate{.steps = 8});
  check(1e-4, sgd{.learning_rate = 2});
}

TEST_CASE("shared noise: any order of arrival gives the same bits") {
  const auto sum = sum_of(2);
  std::vector<client_share> shares;
  replayable_random source(3);
  for (std::uint32_t k = 1; k <= 6; ++k) {
    std::vector<std::int64_t> numbers(20);
    for (auto& x : numbers)
      x = static_cast<std::int64_t>(uniform_below(source, std::uint64_t{1} << 40)) - (1ll << 39);
    numbers[0] = k % 2 ? gaussian_share::most : -gaussian_share::most; // far beyond what a float holds
    shares.push_back(share_of(sum, k, numbers, 3 * k));
  }
  const auto weights_after = [&] {
    std::vector<float> weights(20, 0.25f);
    auto memory = sum.remember(20);
    for (int round = 0; round < 3; ++round) {
      auto state = sum.init(20);
      for (const auto& one : shares) REQUIRE(sum.absorb(state, one));
      REQUIRE(sum.finish(state, weights, memory));
    }
    return weights;
  };
  const auto expected = weights_after();
  for (int t = 0; t < 10; ++t) {
    shuffle(source, std::span(shares));
    CHECK(weights_after() == expected);
  }
}

TEST_CASE("shared noise: what is opened is the sum of the integers, on the grid, by the expected batch") {
  const shared_sum sum{upload_of(2, 4, 0.5), poisson{.rate = 0.25}, chain(sgd{.learning_rate = 1})};
  auto state = sum.init(3);
  auto memory = sum.remember(3);
  std::vector<float> weights{1, 2, 3};
  for (std::uint32_t k = 1; k <= 4; ++k)
    REQUIRE(sum.absorb(state, share_of(sum, k, {1 << 20, -(5 << 20), 0}, 4 * k)));
  REQUIRE(sum.finish(state, weights, memory));
  // A step is 0.5 * 2 / 2 / 2^20 and the batch 0.25 * 40: the numbers are 4 * 0.5 / 10 and -20 * 0.5 / 10.
  CHECK(weights == std::vector<float>{0.8f, 3, 3});
  CHECK(memory.step == 1);
  CHECK_FALSE(sum.finish(state, weights, memory)); // it is empty again
}

TEST_CASE("shared noise: a share that is missing, repeated or none leaves everything as it was") {
  const auto sum = sum_of(3);
  auto memory = sum.remember(2);
  std::vector<float> weights{1, 2};
  auto state = sum.init(2);
  const auto kind = [](const status& s) {
    REQUIRE_FALSE(s);
    return s.error().kind;
  };
  REQUIRE(sum.absorb(state, share_of(sum, 1, {5, 5})));
  REQUIRE(sum.absorb(state, share_of(sum, 2, {5, 5})));
  CHECK(kind(sum.absorb(state, share_of(sum, 2, {5, 5}))) == fault::message);
  CHECK(kind(sum.absorb(state, share_of(sum, 3, {5}))) == fault::shape);
  CHECK(kind(sum.absorb(state, share_of(sum, 3, {5, 5}, 0))) == fault::message);
  CHECK(kind(sum.absorb(state, share_of(sum, 3, {5, gaussian_share::most + 1}))) == fault::range);
  CHECK(kind(sum.absorb(state, share_of(sum, 3, {5, std::numeric_limits<std::int64_t>::min()}))) ==
        fault::range);
  auto twice = share_of(sum, 3, {5, 5});
  twice.steps = 2;
  CHECK(kind(sum.absorb(state, twice)) == fault::message);
  auto other = share_of(sum, 3, {5, 5});
  other.holders = 100; // it paid for less noise than arrives
  CHECK(kind(sum.absorb(state, other)) == fault::message);
  other = share_of(sum, 3, {5, 5});
  other.grid *= 2;
  CHECK(kind(sum.absorb(state, other)) == fault::message);
  const auto missing = sum.finish(state, weights, memory);
  CHECK(kind(missing) == fault::message);
  CHECK_THAT(missing.error().message, Contains("2 shares arrived, the noise of 3"));
  CHECK((weights == std::vector<float>{1, 2} && memory.step == 0));
  REQUIRE(sum.absorb(state, share_of(sum, 3, {5, 5})));
  auto wrong = sum.remember(3);
  CHECK(kind(sum.finish(state, weights, wrong)) == fault::shape);
  REQUIRE(sum.finish(state, weights, memory));
  CHECK(memory.step == 1);
  CHECK(weights[0] < 1);

  // Two of three are counted on: one may be missing, and the rest is divided by the rows that are there.
  const auto two = sum_of(2);
  auto rest = two.init(2);
  REQUIRE(two.absorb(rest, share_of(two, 1, {5, 5})));
  REQUIRE(two.absorb(rest, share_of(two, 3, {5, 5})));
  CHECK(two.finish(rest, weights, memory));

  // Weights that leave the range of floats are nobody's weights.
  const shared_sum wild{upload_of(1, 1, 1e20), poisson{.rate = 1}, chain(sgd{.learning_rate = 1e38})};
  auto far = wild.init(2);
  auto fresh = wild.remember(2);
  REQUIRE(wild.absorb(far, share_of(wild, 1, {1 << 30, 1})));
  CHECK(kind(wild.finish(far, weights, fresh)) == fault::range);
  CHECK(fresh.step == 0);
}

TEST_CASE("shared noise: every office pays for its moments and each round before it answers") {
  const auto parts = three_data_sets();
  const auto upload = upload_of(1.5, 3);
  std::vector<receipt> paid;
  const shared_noise_recipe recipe{upload, poisson{.rate = 0.25}, into(paid, 11),
                                   std::optional(private_moments{.noise_multiplier = 10, .bound = 6})};
  const offices three{model, parts, recipe, 3};
  aggregation_server server(shared_sum{upload, poisson{.rate = 0.25}, chain(sgd{.learning_rate = 0.5})},
                            {.standardise = true, .least_deviation = 0.5});
  server.open(three.links(), three.model());
  REQUIRE(paid.size() == 3);
  CHECK(paid[0].what == "moments of the columns");
  for (std::size_t r = 0; r < 2; ++r) {
    server.round(r);
    REQUIRE(paid.size() == 3 * (r + 2));
  }
  CHECK(paid.back().what == "round 2");
  const auto& spent = paid.back().event;
  const auto one = std::get<event::subsampled_gaussian>(spent.mechanism);
  CHECK(one.noise_multiplier < 1.5);
  CHECK(one.noise_multiplier > 1.49);
  CHECK(one.rate >= 0.25);
  CHECK(spent.count == 1);
  CHECK(spent.relation == neighbours::add_remove);
  CHECK(spent.distance >= 3 * 15 * rounded_normal_distance);

  // The last office has no money left: the round comes to nothing.
  const auto before = test::copy_weights(server.weights());
  CHECK_THROWS_WITH(server.round(2), Contains("client 3") && Contains("budget is spent"));
  CHECK(std::ranges::equal(server.weights(), before));
  CHECK(server.aggregator_memory().step == 2);
}

TEST_CASE("shared noise: a round of fewer offices than are counted on is not even asked for") {
  const auto parts = three_data_sets();
  const auto upload = upload_of(1, 3);
  std::vector<receipt> paid;
  const offices three{model, parts, shared_noise_recipe{upload, poisson{.rate = 0.5}, into(paid)}, 3};
  const shared_sum sum{upload, poisson{.rate = 0.5}, chain(sgd{.learning_rate = 0.5})};
  aggregation_server server(sum, {.clients_per_round = 2, .standardise = false});
  server.open(three.links(), three.model());
  CHECK_THROWS_WITH(server.round(0), Contains("a round of 2 clients, this aggregator needs at least 3"));
  CHECK(paid.empty());

  // A server that averages gets no update, one that adds shares no clear weights.
  aggregation_server averaging(fedavg{}, {.standardise = false});
  averaging.open(three.links(), three.model());
  CHECK_THROWS_WITH(averaging.round(0), Contains("answered kind 16") && Contains("expected kind 12"));
  const offices clear{model, parts, local_sgd{}, 3};
  aggregation_server adding(sum, {.standardise = false});
  adding.open(clear.links(), clear.model());
  CHECK_THROWS_WITH(adding.round(0), Contains("answered kind 12") && Contains("expected kind 16"));
}

TEST_CASE("shared noise: a peer that changes its share is found out or believed, never fatal") {
  const auto parts = three_data_sets();
  const auto upload = upload_of(1, 3);
  std::vector<receipt> paid;
  const auto round_with = [&](std::function<void(client_share&)> change) {
    offices all(model);
    for (std::uint32_t k = 1; k <= 3; ++k) {
      const shared_noise_recipe recipe{upload, poisson{.rate = 0.5}, into(paid)};
      auto one = std::make_unique<office<std::remove_const_t<decltype(recipe)>>>(k, parts[k - 1], recipe, 3);
      if (k != 2) {
        all.add(std::move(one));
        continue;
      }
      all.add(std::make_unique<test::altered>(std::move(one),
                                              [=](const message& request, std::vector<std::byte> reply) {
                                                if (request.kind != message_kind::train) return reply;
                                                auto m = decode_message(reply).value();
                                                auto share = decode_share(m).value();
                                                change(share);
                                                m.body = encode_share(share);
                                                return encode(m);
                                              }));
    }
    aggregation_server server(shared_sum{upload, poisson{.rate = 0.5}, chain(sgd{.learning_rate = 0.5})},
                              {.standardise = false});
    server.open(all.links(), all.model());
    server.round(0);
  };
  round_with([](client_share&) {});
  CHECK_THROWS_WITH(round_with([](client_share& s) { s.shared.pop_back(); }),
                    Contains("[N003") && Contains("client 2"));
  CHECK_THROWS_WITH(round_with([](client_share& s) { s.examples += 1; }),
                    Contains("client 2: trained on 76 rows"));
  CHECK_THROWS_WITH(
      round_with([](client_share& s) { s.shared[0] = std::numeric_limits<std::int64_t>::max(); }),
      Contains("[N008") && Contains("client 2"));
}

TEST_CASE("shared noise: an optimiser that was put back goes on as if nothing had happened") {
  const auto sum = shared_sum{upload_of(1, 1), poisson{.rate = 0.5}, chain(adam{.learning_rate = 0.1})};
  const auto parts = three_data_sets();
  std::vector<receipt> paid;
  const offices one{
      model, {parts[0]}, shared_noise_recipe{upload_of(1, 1), poisson{.rate = 0.5}, into(paid)}, 3};
  aggregation_server first(sum, {.standardise = false});
  first.open(one.links(), one.model());
  first.round(0), first.round(1);
  const auto kept = first.aggregator_memory();
  CHECK(kept.step == 2);
  CHECK(kept.slots.size() == 2 * 15);
  aggregation_server second(sum, {.standardise = false});
  second.open(one.links(), one.model(), first.weights());
  CHECK(second.aggregator_memory().step == 0);
  second.restore_aggregator(kept);
  CHECK(second.aggregator_memory().slots == kept.slots);
  second.round(2);
  CHECK(second.aggregator_memory().step == 3);
  auto other = kept;
  other.slots.pop_back();
  CHECK_THROWS_WITH(second.restore_aggregator(other), Contains("[N003"));
}

TEST_CASE("shared noise: offices learn together what one noise allows, and less than that is spent") {
  std::vector<dataset<float>> rows;
  for (std::uint64_t k = 1; k <= 4; ++k) rows.push_back(test::rows_of(150, 4, 3, k));
  const auto upload = upload_of(1.5, 4);
  std::vector<receipt> paid;
  const offices four{model, rows, shared_noise_recipe{upload, poisson{.rate = 0.2}, into(paid)}, 3};
  aggregation_server server(
      shared_sum{upload, poisson{.rate = 0.2},
                 chain(sgd{.learning_rate = 0.5, .momentum = 0.9}, cosine_rate{.steps = 60})},
      {.standardise = false});
  server.run(four, in_process{.threads = 1}, rounds{60});
  const auto test = test::rows_of(600, 4, 3, 9);
  CHECK(evaluate(model, server.weights_for(model), test).confusion.accuracy() > 0.75); // chance is 1/3
  pld_accountant each, ideal;
  for (std::size_t i = 0; i < paid.size(); i += 4) each.compose(paid[i].event);
  ideal.compose({event::subsampled_gaussian{1.5, 0.2}, 60});
  CHECK(each.epsilon(1e-5).upper >= ideal.epsilon(1e-5).lower);
  CHECK(each.epsilon(1e-5).upper <= 1.02 * ideal.epsilon(1e-5).upper);
}
