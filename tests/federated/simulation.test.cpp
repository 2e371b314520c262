#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/fednova.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/simulation.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

using namespace privet;

namespace {

/// Parts of very different sizes, in no order, and a data set that has rows of nobody.
struct world_of_tests {
  explicit world_of_tests(std::size_t clients = 12) : data(test::rows_of(600, 5, 3, 1)), parts(clients) {
    std::uint32_t next = 599;
    for (std::uint32_t k = 0; k < clients; ++k)
      for (std::uint32_t r = 0; r < 1 + (k * 17) % 41; ++r) parts[k].push_back(next--);
  }
  dataset<float> data;
  partition parts;
};

struct outcome {
  std::vector<float> weights;
  std::vector<round_report> reports;
};

/// The same federation by messages between offices.
template <class Model, class Recipe, class A>
outcome by_messages(const Model& model, const world_of_tests& w, const Recipe& recipe, const A& rule,
                    const simulation_options& o, std::size_t count) {
  const offices all{model, split_by(w.data, w.parts), recipe, o.seed};
  std::vector<std::unique_ptr<unreliable_link>> links;
  std::vector<transport*> ends;
  for (auto* inner : all.links()) {
    const auto id = static_cast<std::uint32_t>(links.size() + 1);
    links.push_back(std::make_unique<unreliable_link>(*inner, o.world, id, w.parts[id - 1].size()));
    ends.push_back(links.back().get());
  }
  aggregation_server server{rule,
                            {.clients_per_round = o.clients_per_round,
                             .quorum = o.quorum,
                             .standardise = false,
                             .seed = o.seed,
                             .threads = o.threads}};
  outcome out;
  server.run(ends, all.model(), rounds{count}, [&](const auto& r) { out.reports.push_back(r); });
  out.weights = test::copy_weights(server.weights());
  return out;
}

template <class Model, class Recipe, class A>
outcome simulated(const Model& model, const world_of_tests& w, const Recipe& recipe, const A& rule,
                  const simulation_options& o, std::size_t count) {
  simulation s{model, w.data, virtual_clients::of(w.parts), recipe, rule, o};
  outcome out;
  s.run(rounds{count}, [&](const auto& r) { out.reports.push_back(r); });
  out.weights = test::copy_weights(s.weights());
  return out;
}

void check_equal(const outcome& one, const outcome& other) {
  CHECK(one.weights == other.weights);
  REQUIRE(one.reports.size() == other.reports.size());
  for (std::size_t r = 0; r < one.reports.size(); ++r) {
    const auto &a = one.reports[r], &b = other.reports[r];
    CHECK(a.round == b.round);
    CHECK(a.clients == b.clients);
    CHECK(a.loss == b.loss);
    REQUIRE(a.asked.size() == b.asked.size());
    for (std::size_t k = 0; k < a.asked.size(); ++k) {
      CHECK(a.asked[k].id == b.asked[k].id);
      CHECK(a.asked[k].rows == b.asked[k].rows);
      CHECK(a.asked[k].steps == b.asked[k].steps);
      CHECK(a.asked[k].loss == b.asked[k].loss);
      CHECK(a.asked[k].missing.empty() == b.asked[k].missing.empty());
    }
  }
}

/// Both ways give the same, on one thread and on three.
template <class Model, class Recipe, class A = fedavg>
void check_same(const Model& model, const Recipe& recipe, const A& rule = {}, simulation_options o = {},
                std::size_t count = 3) {
  const world_of_tests w;
  o.seed = 7;
  const auto expected = by_messages(model, w, recipe, rule, o, count);
  for (const std::size_t threads : {1u, 3u}) {
    o.threads = threads;
    check_equal(simulated(model, w, recipe, rule, o, count), expected);
  }
}

const auto recipe_of_tests = test::local_of_tests.recipe();
const network net{test::model_of_tests};

/// A simulation of clients that all hold `rows` rows of a small data set.
template <class A = fedavg>
auto small(std::size_t clients, simulation_options o = {}, A rule = {}) {
  static const auto data = test::rows_of(50, 5, 3, 2);
  return simulation{net, data, virtual_clients::drawn(clients, 4, 50, 3), recipe_of_tests, rule, o};
}

} // namespace

TEST_CASE("simulation: offices that send messages reach the same weights and losses, to the bit") {
  check_same(net, recipe_of_tests);
  check_same(net, recipe_of_tests, fedavg{}, {.clients_per_round = 5}, 6);
  // widths in its types here, at run time in the offices
  check_same(sequential{dense<5, 6>{}, relu{}, dropout{0.3}, dense<6, 3>{}}, recipe_of_tests);
  check_same(net,
             local_recipe{chain(average_over_batch{}, adam{.learning_rate = 0.02}, cosine_rate{.steps = 100}),
                          3, 7});
}

TEST_CASE("simulation: the same under every rule") {
  check_same(net, recipe_of_tests, server_optimizer(chain(adam{.learning_rate = 0.02, .epsilon = 1e-3})),
             {.clients_per_round = 5}, 6);
  check_same(net, recipe_of_tests, fednova{.momentum = 0.5});
  check_same(net, recipe_of_tests, coordinate_median{});
  check_same(net, recipe_of_tests, krum{.attackers = 1, .keep = 2}, {.clients_per_round = 6});
  check_same(net, recipe_of_tests, fedavg{.encoding = {.fraction_bits = 24, .whole_bits = 6}});
}

TEST_CASE("simulation: the same when clients drop out, come late and answer twice") {
  const unreliable world{
      .before = 0.1, .during = 0.1, .after = 0.1, .twice = 0.1, .deadline = 3, .seconds_per_row = 0.1};
  check_same(net, recipe_of_tests, fedavg{}, {.clients_per_round = 8, .quorum = 2, .world = world}, 8);

  auto s =
      small(40, {.quorum = 1, .fate_of = [](std::uint32_t client, std::uint64_t round, std::uint64_t rows) {
                   CHECK(rows == 4);
                   return (client + round) % 4 == 0 ? fate::drops_during : fate::answers;
                 }});
  const auto report = s.round(2);
  CHECK(report.clients == 30);
  CHECK(report.asked[1].missing == "in training");
  CHECK(report.asked[2].missing.empty());
}

TEST_CASE("simulation: clients of one row beside one of many, on any number of threads") {
  world_of_tests w(1);
  w.data = test::rows_of(20000, 5, 3, 3);
  w.parts.assign(60, {});
  for (std::uint32_t r = 0; r < 20000; ++r) w.parts[r < 59 ? r : 59].push_back(r);
  const local_recipe recipe = local_sgd{.learning_rate = 0.05, .batch = 500}.recipe(); // more than one chunk
  const auto expected = by_messages(net, w, recipe, fedavg{}, {.seed = 1}, 2);
  for (const std::size_t threads : {1u, 2u, 5u})
    check_equal(simulated(net, w, recipe, fedavg{}, {.seed = 1, .threads = threads}, 2), expected);
}

TEST_CASE("simulation: a million clients, of whom a few are asked, learn one model") {
  const auto data = standardiser::fit(test::rows_of(900, 5, 3, 4)).apply(test::rows_of(900, 5, 3, 4));
  const auto local = local_sgd{.learning_rate = 0.3, .batch = 10}.recipe();
  simulation s{net,   data,     virtual_clients::drawn(1'000'000, 10, 900, 1),
               local, fedavg{}, {.clients_per_round = 200, .seed = 5, .threads = 2}};
  std::uint32_t largest = 0;
  s.run(rounds{8}, [&](const round_report& r) {
    CHECK(r.clients == 200);
    for (const auto& one : r.asked) largest = std::max(largest, one.id);
  });
  CHECK(largest > 900'000);
  CHECK(largest <= 1'000'000);
  CHECK(evaluate(net, s.weights_for(net), data).confusion.accuracy() > 0.8);
}

TEST_CASE("simulation: a run is taken up again") {
  const server_optimizer rule(chain(adam{.learning_rate = 0.02}));
  const simulation_options o{.clients_per_round = 9, .seed = 2};
  auto whole = small(40, o, rule), first = small(40, o, rule), second = small(40, o, rule);
  whole.run(rounds{5});
  first.run(rounds{3});
  second.restore(first.weights());
  second.restore_aggregator(first.aggregator_memory());
  for (const std::size_t r : {3u, 4u}) second.round(r);
  CHECK(test::copy_weights(second.weights()) == test::copy_weights(whole.weights()));
  CHECK_THROWS_WITH(second.restore(std::vector<float>(3)),
                    Catch::Contains("a start from 3 weights, the model has 57"));
  CHECK_THROWS_WITH(second.restore_aggregator(rule.remember(3)), Catch::Contains("N003"));
}

TEST_CASE("simulation: a round that comes to nothing leaves the weights alone") {
  const auto all_lost = [](auto...) { return fate::drops_after; };
  auto s = small(9, {.quorum = 3, .fate_of = all_lost});
  const auto before = test::copy_weights(s.weights());
  CHECK_THROWS_WITH(s.round(0),
                    Catch::Contains("round 1: 0 of 9 clients have sent an update, the quorum is 3; "
                                    "client 1: after training"));
  auto all_needed =
      small(9, {.fate_of = [](auto id, auto...) { return id == 4 ? fate::late : fate::answers; }});
  CHECK_THROWS_WITH(all_needed.round(0),
                    Catch::Contains("8 of 9 clients") && Catch::Contains("client 4: late"));
  CHECK(test::copy_weights(s.weights()) == before);
}

TEST_CASE("simulation: a client that diverges ends the run, or is left out where a quorum is stated") {
  world_of_tests w(4);
  for (const auto row : w.parts[2]) privet::row(w.data.features, row)[1] = 3e38f; // finite, but not for long
  const auto run = [&](simulation_options o) {
    simulation s{net, w.data, virtual_clients::of(w.parts), recipe_of_tests, fedavg{}, o};
    return s.round(0).asked;
  };
  CHECK_THROWS_WITH(run({}), Catch::Contains("client 3: training diverged"));
  CHECK_THROWS_WITH(run({.threads = 3}), Catch::Contains("client 3: training diverged"));
  const auto asked = run({.quorum = 3, .threads = 2});
  CHECK_THAT(asked[2].missing, Catch::Contains("client 3: training diverged"));
  CHECK(asked[1].missing.empty());
  CHECK_THROWS_WITH(run({.quorum = 4}), Catch::Contains("3 of 4 clients"));
}

TEST_CASE("simulation: what cannot be simulated is refused by name") {
  const auto message = [](auto&& f) {
    try {
      f();
    } catch (const exception& why) {
      return std::string(why.what());
    }
    return std::string("nothing");
  };
  const auto refused = [&](std::size_t clients, simulation_options o) {
    return message([&] { small(clients, o); });
  };
  CHECK_THAT(refused(0, {}), Catch::Contains("N001") && Catch::Contains("0 clients"));
  CHECK_THAT(refused(9, {.clients_per_round = 10}), Catch::Contains("10 clients per round of 9"));
  CHECK_THAT(refused(9, {.clients_per_round = 4, .quorum = 5}), Catch::Contains("a quorum of 5 updates"));
  CHECK_THAT(refused(9, {.threads = 0}), Catch::Contains("0 threads"));
  CHECK_THAT(refused(9, {.world = {.before = 0.7, .after = 0.7}}), Catch::Contains("add up to 1.4"));
  CHECK_THAT(message([] { small(4, {}, krum{.attackers = 1}).round(0); }),
             Catch::Contains("needs at least 5"));
  CHECK_THAT(message([] { virtual_clients::drawn(4, 1, 0); }), Catch::Contains("a data set of 0 rows"));
  CHECK_THAT(message([] { small(4).run(rounds{0}); }), Catch::Contains("0 rounds"));

  const auto data = test::rows_of(50, 5, 3, 2);
  const auto with = [&](const auto& model, const auto& recipe, virtual_clients clients) {
    return message([&] { simulation{model, data, clients, recipe}.round(0); });
  };
  const auto fill = [](std::uint32_t client, std::span<std::uint32_t> out) {
    std::ranges::fill(out, 9 * client);
  };
  const auto rows = [](std::uint32_t client) { return std::size_t{client < 3}; };
  CHECK_THAT(with(net, recipe_of_tests, {6, [](auto) { return 2; }, fill}),
             Catch::Contains("client 6: row 54 of a data set with 50 rows"));
  CHECK_THAT(with(net, recipe_of_tests, {6, rows, fill}), Catch::Contains("client 3 has 0 rows"));
  CHECK_THAT(with(net, local_sgd{.epochs = 0}.recipe(), {2, rows, fill}), Catch::Contains("0 epochs"));
  CHECK_THAT(with(net, local_sgd{.batch = 0}.recipe(), {2, rows, fill}), Catch::Contains("batches of 0"));
  CHECK_THAT(with(network(sequential{dense<4, 3>{}}), recipe_of_tests, {2, rows, fill}),
             Catch::Contains("N003"));
  CHECK(with(net, recipe_of_tests, {2, rows, fill}) == "nothing");
}

TEST_CASE("simulation: a thread's partial sum is that of fixed_sum, whatever the numbers") {
  for (const fixed_point encoding : {fixed_point{}, fixed_point{.fraction_bits = 24, .whole_bits = 6},
                                     fixed_point{.fraction_bits = 45, .whole_bits = 30}}) {
    constexpr std::size_t size = 37;
    fixed_sum expected(size, encoding), sum(size, encoding), weight(1, encoding);
    detail::exact_partial_sum partial(size, encoding);
    const auto hand_on = [&] {
      partial.hand_on([&](std::span<const double> sums, std::span<const double> weights) {
        REQUIRE(sum.add(sums));
        REQUIRE(weight.add(weights));
      });
    };
    const double unit = std::ldexp(1.0, -encoding.fraction_bits);
    std::size_t refused = 0, full = 0;
    for (int n = 0; n < 400; ++n) {
      auto values = test::normals<float>(size, static_cast<std::uint64_t>(n));
      for (std::size_t i = 0; i < size; ++i) values[i] *= static_cast<float>(std::ldexp(1.0, n % 11 - 6));
      values[0] = static_cast<float>(unit * (n + 0.5)), values[1] = -values[0]; // ties
      values[2] = 0, values[3] = std::numeric_limits<float>::denorm_min();
      const double largest = detail::largest_magnitude(values);
      if (!partial.takes(largest)) {
        ++refused;
        continue;
      }
      if (!partial.has_room(largest)) ++full, hand_on();
      partial.add(values, 0.3, largest);
      REQUIRE(expected.add(std::span<const float>(values)));
    }
    hand_on();
    hand_on(); // nothing more
    for (std::size_t i = 0; i < size; ++i) CHECK(sum[i] == expected[i]);
    CHECK(refused < 200);
    CHECK((encoding.fraction_bits == 40 || full + refused > 0));
  }
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const detail::exact_partial_sum partial(1, fixed_point{});
  CHECK_FALSE(partial.takes(detail::largest_magnitude(std::vector{1.0f, nan, 2.0f})));
  CHECK_FALSE(partial.takes(detail::largest_magnitude(std::vector{-infinity, 1.0f})));
  CHECK_FALSE(partial.takes(2000));
  CHECK(detail::largest_magnitude(std::vector{1.0f, -3.0f, 2.0f}) == 3);
}
