#include "fixtures/asynchronous.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/asynchronous_server.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/top_k.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

namespace {

namespace known = test::asynchronous_run;

const sequential linear{dense<4, 3>{}};

std::size_t place(std::size_t k, std::size_t j) { return test::place_of(linear, 0, k, j); }
std::vector<dataset<float>> data_sets() { return test::data_sets_of(known::rows, known::x, known::y); }
std::vector<float> first_weights() { return test::weights_of(linear, known::start); }

/// Batches of all rows: an epoch is a step.
const local_sgd local{.learning_rate = 0.5, .epochs = 3, .batch = 100};

asynchronous_options known_options(std::size_t threads = 1) {
  return {.at_once = 3,
          .buffer = 4,
          .seconds = [](std::uint32_t client, std::uint64_t task,
                        std::uint64_t) { return known::seconds[client - 1][task]; },
          .standardise = false,
          .seed = 7,
          .threads = threads};
}

template <class A, class Recipe>
void check_steps(const A& aggregator, const asynchronous_options& options, const Recipe& recipe,
                 const float (&after)[3][3][5]) {
  const offices five{linear, data_sets(), recipe, 5};
  asynchronous_server server{aggregator, options};
  server.open(five.links(), five.model(), first_weights());
  for (std::size_t r = 0; r < 3; ++r) {
    const auto report = server.step();
    REQUIRE(report.asked.size() == 4);
    CHECK(report.round == r + 1);
    CHECK(report.clients == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(report.asked[i].id == known::who[4 * r + i]);
      CHECK(report.staleness[i] == known::ages[4 * r + i]);
      CHECK(report.asked[i].steps == 3);
    }
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t j = 0; j < 5; ++j) {
        CAPTURE(r, k, j);
        CHECK(std::abs(server.weights()[place(k, j)] - after[r][k][j]) <= 1e-6);
      }
  }
}

/// Four offices behind a server; one of them may speak otherwise.
struct four {
  explicit four(std::uint32_t wrong = 0, test::altered::change_function change = {}) {
    auto data = test::four_data_sets();
    for (std::uint32_t k = 0; k < 4; ++k) {
      auto one = test::honest(k + 1, std::move(data[k]), 7);
      if (k + 1 == wrong) one = std::make_unique<test::altered>(std::move(one), change);
      clients.add(std::move(one));
    }
  }
  offices clients{test::model_of_tests};
};

std::vector<float> weights_after(const asynchronous_options& options, std::size_t steps) {
  const four f;
  asynchronous_server server{fedavg{}, options};
  server.run(f.clients, in_process{options.threads}, rounds{steps});
  return test::copy_weights(server.weights());
}

} // namespace

TEST_CASE("asynchronous server: three steps equal NumPy's FedBuff") {
  check_steps(fedavg{}, known_options(), local.recipe(), known::after);
  check_steps(fedavg{}, known_options(3), local.recipe(), known::after);
  check_steps(decoded_uploads{}, known_options(),
              encoded_uploads{local.recipe(), chain(top_k{.fraction = 1})}, known::after);
  check_steps(server_optimizer{chain(sgd{.learning_rate = 0.5, .momentum = 0.75})}, known_options(),
              local.recipe(), known::with_momentum);
  auto by_rows = known_options();
  by_rows.by_rows = true;
  check_steps(fedavg{}, by_rows, local.recipe(), known::by_rows);
}

TEST_CASE(
    "asynchronous server: the same seed gives the same bits on any number of threads, another one others") {
  const asynchronous_options options{.at_once = 3, .buffer = 2, .seed = 7};
  auto threads = options, seed = options, clock = options;
  threads.threads = 3;
  seed.seed = 8;
  clock.seconds = [](auto, auto, std::uint64_t rows) { return static_cast<double>(rows); };
  const auto weights = weights_after(options, 12);
  CHECK(weights_after(threads, 12) == weights);
  CHECK(weights_after(seed, 12) != weights);
  CHECK(weights_after(clock, 12) != weights);
}

TEST_CASE("asynchronous server: who is fast has more updates, who is slow has old ones") {
  const four f;
  asynchronous_server server{
      fedavg{},
      {.buffer = 3,
       .seconds = [](auto, auto, std::uint64_t rows) { return static_cast<double>(rows); },
       .seed = 7}};
  server.open(f.clients.links(), f.clients.model());
  std::vector<std::size_t> updates(5), oldest(5);
  double before = 0;
  for (std::size_t r = 0; r < 20; ++r) {
    const auto report = server.step();
    CHECK(report.seconds >= before);
    before = report.seconds;
    for (std::size_t i = 0; i < report.asked.size(); ++i) {
      const auto id = report.asked[i].id;
      ++updates[id];
      oldest[id] = std::max<std::size_t>(oldest[id], report.staleness[i]);
    }
  }
  // Rows: 9, 30, 4, 17, and all of them are always under way.
  CHECK(updates[3] > updates[1]);
  CHECK(updates[1] > updates[4]);
  CHECK(updates[4] > updates[2]);
  CHECK(oldest[2] > oldest[4]);
  CHECK(oldest[4] > oldest[3]);
}

TEST_CASE("asynchronous server: one client, one at a time, is federated averaging of one") {
  const auto run = [](auto& server) {
    offices one{test::model_of_tests};
    one.add(test::honest(1, test::four_data_sets()[1], 7));
    server.run(one, in_process{}, rounds{4});
    return test::copy_weights(server.weights());
  };
  asynchronous_server asynchronous{fedavg{}, {.buffer = 1, .seed = 7}};
  aggregation_server synchronous{fedavg{}, {.seed = 7}};
  CHECK(run(asynchronous) == run(synchronous));
}

TEST_CASE(
    "asynchronous server: a buffer of all clients, all of them as fast, is a round of federated averaging") {
  const four f, g;
  asynchronous_server server{
      fedavg{}, {.buffer = 4, .by_rows = true, .seconds = [](auto, auto, auto) { return 1.0; }, .seed = 7}};
  server.open(f.clients.links(), f.clients.model());
  const auto report = server.step();
  CHECK(report.staleness == std::vector<std::uint64_t>{0, 0, 0, 0});
  aggregation_server synchronous{fedavg{}, {.seed = 7}};
  synchronous.run(g.clients, in_process{}, rounds{1});
  for (std::size_t i = 0; i < 57; ++i)
    CHECK(std::abs(server.weights()[i] - synchronous.weights()[i]) <= 1e-6);
}

TEST_CASE("asynchronous server: one after the other, in order or in laps drawn anew") {
  const four f;
  const auto order_of = [&](turns order, std::uint64_t seed) {
    asynchronous_server server{fedavg{}, {.order = order, .buffer = 1, .standardise = false, .seed = seed}};
    server.open(f.clients.links(), f.clients.model());
    std::vector<std::uint32_t> who;
    for (std::size_t r = 0; r < 12; ++r) {
      const auto report = server.step();
      who.push_back(report.asked.at(0).id);
      CHECK(report.staleness == std::vector<std::uint64_t>{0});
    }
    return who;
  };
  CHECK(order_of(turns::round_robin, 1) == std::vector<std::uint32_t>{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4});
  const auto who = order_of(turns::random, 3);
  CHECK(order_of(turns::random, 3) == who);
  CHECK(order_of(turns::random, 4) != who);
  for (std::ptrdiff_t lap = 0; lap < 3; ++lap) {
    std::vector<std::uint32_t> sorted(who.begin() + 4 * lap, who.begin() + 4 * (lap + 1));
    std::ranges::sort(sorted);
    CHECK(sorted == std::vector<std::uint32_t>{1, 2, 3, 4});
  }
}

TEST_CASE("asynchronous server: a live one takes updates as they come") {
  // One after the other they come in the order in which they were asked, so that the result is the same.
  const asynchronous_options in_turn{.order = turns::random, .buffer = 3, .seed = 7};
  auto live = in_turn;
  live.live = true;
  CHECK(weights_after(live, 6) == weights_after(in_turn, 6));

  const auto spoil = [](const message& request, std::vector<std::byte> reply) {
    if (request.kind == message_kind::train) reply.pop_back();
    return reply;
  };
  const four f(3, spoil);
  asynchronous_server server{fedavg{},
                             {.buffer = 4, .failures = 1, .live = true, .standardise = false, .seed = 7}};
  for (int again = 0; again < 2; ++again) {
    server.open(f.clients.links(), f.clients.model());
    double first = 0, last = 0;
    std::vector<std::size_t> updates(5);
    for (std::size_t r = 0; r < 60; ++r) {
      const auto report = server.step();
      CHECK(report.clients == 4);
      (r == 0 ? first : last) = report.loss;
      for (const auto& one : report.asked) {
        CHECK(one.missing.empty() == (one.id != 3));
        ++updates[one.id];
      }
    }
    CHECK(last < first);
    for (const std::size_t id : {1u, 2u, 4u}) CHECK(updates[id] > 0);
  } // and who is still under way is waited for

  // When `run` is over, so is the work of the clients, and somebody else may ask them.
  server.run(f.clients, in_process{}, rounds{2});
  aggregation_server plain{fedavg{}, {.quorum = 3, .standardise = false, .seed = 7}};
  plain.open(f.clients.links(), f.clients.model());
  CHECK(plain.round(0).clients == 3);
}

TEST_CASE("asynchronous server: clients that fail and updates that are too old are left out, and named") {
  const auto spoil = [](const message& request, std::vector<std::byte> reply) {
    if (request.kind != message_kind::train || request.round % 2 == 0) return reply;
    auto m = decode_message(reply).value();
    store_little(std::nanf(""), m.body.data() + 32);
    return encode(m);
  };
  {
    const four f(3, spoil);
    asynchronous_server server{fedavg{}, {.buffer = 4, .seed = 7}};
    server.open(f.clients.links(), f.clients.model());
    std::vector<float> before;
    const auto until_it_fails = [&] {
      for (std::size_t r = 0; r < 20; ++r) {
        before = test::copy_weights(server.weights());
        server.step();
      }
    };
    CHECK_THROWS_WITH(until_it_fails(), Contains("update: number 0 is nan (client 3)"));
    CHECK(test::copy_weights(server.weights()) == before);
  }
  const four f(3, spoil);
  asynchronous_server server{fedavg{}, {.buffer = 4, .most_stale = 1, .failures = 9, .seed = 7}};
  server.open(f.clients.links(), f.clients.model());
  std::size_t failed = 0, old = 0;
  for (std::size_t r = 0; r < 40; ++r) {
    const auto report = server.step();
    CHECK(report.clients == 4);
    std::size_t missing = 0;
    for (std::size_t i = 0; i < report.asked.size(); ++i) {
      const auto& one = report.asked[i];
      if (one.missing.empty()) {
        CHECK(report.staleness[i] <= 1);
        continue;
      }
      ++missing;
      if (one.missing.starts_with("its update is ")) {
        CHECK(report.staleness[i] > 1);
        ++old;
      } else {
        CHECK(one.id == 3);
        ++failed;
      }
    }
    CHECK(report.asked.size() == 4 + missing);
  }
  CHECK(failed > 0);
  CHECK(old > 0);
}

TEST_CASE(
    "asynchronous server: an update of another size, schema or share ends the run and names the client") {
  const auto refusal = [](const auto& change) {
    const four f(2, [&](const message& request, std::vector<std::byte> reply) {
      if (request.kind != message_kind::train) return reply;
      auto m = decode_message(reply).value();
      change(m);
      return encode(m);
    });
    asynchronous_server server{fedavg{}, {.buffer = 8, .seed = 7}};
    try {
      server.run(f.clients, in_process{}, rounds{4});
    } catch (const exception& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(refusal([](message& m) { m.body.resize(m.body.size() - 4); }) ==
        "[N003 shape] client 2: its update has 56 numbers, the model has 57");
  CHECK(refusal([](message& m) { ++m.schema_hash; }) ==
        "[N005 schema] client 2: its update is for another schema");
  CHECK(refusal([](message& m) { store_little(0.5, m.body.data() + 16); }) ==
        "[N009 message] client 2: trained on 30 rows, of weight 0.5, it had announced 30, of weight 1");
  CHECK(refusal([](message& m) {
          m.kind = message_kind::encoded_update;
        }).starts_with("[N009 message] client 2: answered kind 26"));
}

TEST_CASE("asynchronous server: numbers that make no sense are refused") {
  const four f;
  const auto refusal = [&](asynchronous_options options) {
    options.standardise = false;
    asynchronous_server server{fedavg{}, std::move(options)};
    try {
      server.open(f.clients.links(), f.clients.model());
      server.step();
    } catch (const exception& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(refusal({.at_once = 5}) == "[N001 argument] asynchronous_server: 5 clients at once of 4");
  CHECK(refusal({.order = turns::random, .at_once = 2}) ==
        "[N001 argument] asynchronous_server: 2 clients at once, in an order of one after the other");
  CHECK(refusal({.buffer = 0}) ==
        "[N001 argument] asynchronous_server: a buffer of 0 updates, needs at least 1");
  CHECK(refusal({.staleness = -1}) ==
        "[N001 argument] asynchronous_server: staleness -1, expected a finite number from 0");
  CHECK(refusal({.download = {.fraction = 0}}) ==
        "[N001 argument] partial_download: fraction 0, expected 0 < fraction <= 1, or a count");
  CHECK(refusal({.download = {.decay = 2}}) ==
        "[N001 argument] partial_download: decay 2, expected 0 <= decay <= 1");
  CHECK(refusal({.seconds = [](auto, auto, auto) { return -1.0; }}).starts_with("[N001 argument] client "));
  CHECK(refusal({.threads = 0}) == "[N001 argument] asynchronous_server: 0 threads, needs at least 1");
  asynchronous_server server;
  CHECK_THROWS_WITH(server.step(), "[N010 state] asynchronous_server: step before open");
  CHECK_THROWS_WITH(server.run(f.clients, in_process{}, rounds{0}),
                    "[N001 argument] a federation of 0 rounds, needs at least 1");
}
