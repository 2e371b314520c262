#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/federated/fedavg.hpp>

#include <algorithm>
#include <limits>

using namespace privet;

static_assert(Aggregator<fedavg> && Aggregator<federated_average<curious>> && fedavg::linear);

namespace {

struct archetype { // offers exactly what an aggregator is asked for
  using trust = trusted;
  static constexpr bool linear = false;
  struct state {};
  state init(std::size_t) const { return {}; }
  status absorb(state&, const client_update&) const { return nothing{}; }
  status finish(state&, std::span<float>) const { return nothing{}; }
};
struct near_miss : archetype { // does not say what went wrong
  void finish(state&, std::span<float>) const {}
};
static_assert(Aggregator<archetype> && !Aggregator<near_miss>);

struct keeper : archetype { // and one that keeps something from round to round
  static int remember(std::size_t) { return 0; }
  static status check(int, std::size_t) { return nothing{}; }
  static status finish(state&, std::span<float>, int&) { return nothing{}; }
};
struct forgetful : archetype { // would never be handed what it keeps
  static int remember(std::size_t) { return 0; }
};
static_assert(Aggregator<keeper> && !Aggregator<forgetful>);

/// A round of clients with these row counts: the weights they reached, and what they send.
struct made_round {
  std::vector<double> share;
  std::vector<std::vector<float>> reached;
  std::vector<client_update> updates;
  std::vector<float> start;
};

made_round round_of(const std::vector<std::uint64_t>& rows, std::size_t parameters, std::uint64_t seed) {
  made_round r;
  std::uint64_t all = 0;
  for (const auto n : rows) all += n;
  r.start = test::normals<float>(parameters, seed);
  for (auto& w : r.start) w *= 0x1p-8f; // so that the last bit of a float is below 1e-9
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto end = test::normals<float>(parameters, seed + 1 + i);
    client_update u;
    u.sender = static_cast<std::uint32_t>(i + 1);
    u.examples = rows[i];
    u.weight = static_cast<double>(rows[i]) / static_cast<double>(all);
    for (std::size_t p = 0; p < parameters; ++p) {
      end[p] = r.start[p] + end[p] * 0x1p-8f;
      u.shared.push_back(static_cast<float>(u.weight * (static_cast<double>(r.start[p]) - end[p])));
    }
    r.share.push_back(u.weight);
    r.reached.push_back(std::move(end));
    r.updates.push_back(std::move(u));
  }
  return r;
}

std::vector<float> averaged(const made_round& r, std::span<const std::size_t> order) {
  auto weights = r.start;
  auto state = fedavg{}.init(weights.size());
  for (const auto i : order) REQUIRE(fedavg{}.absorb(state, r.updates[i]));
  REQUIRE(fedavg{}.finish(state, weights));
  return weights;
}

std::vector<std::size_t> upwards(std::size_t n) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  return order;
}

} // namespace

TEST_CASE("fedavg: the result is the mean of the clients' weights, by examples, to 1e-9") {
  const auto r = round_of({10, 200, 35, 1}, 300, 1);
  const auto weights = averaged(r, upwards(4));
  for (std::size_t p = 0; p < 300; ++p) {
    double mean = 0;
    for (std::size_t i = 0; i < 4; ++i) mean += r.share[i] * r.reached[i][p];
    REQUIRE(std::abs(weights[p] - mean) < 1e-9);
  }
}

TEST_CASE("fedavg: any order of arrival gives the same bits, with one client or a thousand") {
  for (const std::size_t clients : {1u, 5u, 1000u}) {
    std::vector<std::uint64_t> rows;
    for (std::size_t i = 0; i < clients; ++i) rows.push_back(1 + i % 7);
    const auto r = round_of(rows, 20, 2);
    auto order = upwards(clients);
    const auto expected = averaged(r, order);
    for (std::size_t p = 0; p < 20; ++p) {
      double mean = 0;
      for (std::size_t i = 0; i < clients; ++i) mean += r.share[i] * r.reached[i][p];
      CHECK(std::abs(expected[p] - mean) < 1e-9);
    }
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      replayable_random source(seed);
      shuffle(source, std::span(order));
      CHECK(averaged(r, order) == expected);
    }
  }
}

TEST_CASE("fedavg: when a part of the clients arrives, the mean is over that part") {
  const auto r = round_of({10, 30, 60}, 50, 3);
  const std::vector<std::size_t> two{2, 0};
  const auto weights = averaged(r, two);
  for (std::size_t p = 0; p < 50; ++p)
    CHECK(std::abs(weights[p] - (60. * r.reached[2][p] + 10. * r.reached[0][p]) / 70) < 1e-9);
}

TEST_CASE("fedavg: a finished state is empty again") {
  const auto r = round_of({4, 4}, 10, 4);
  auto state = fedavg{}.init(10);
  auto once = r.start, twice = r.start;
  for (auto* weights : {&once, &twice}) {
    for (const auto& u : r.updates) REQUIRE(fedavg{}.absorb(state, u));
    REQUIRE(fedavg{}.finish(state, *weights));
  }
  CHECK(once == twice);
  CHECK_FALSE(fedavg{}.finish(state, once)); // nothing arrived
  CHECK(once == twice);
}

TEST_CASE("fedavg: an update that is wrong is refused and leaves no trace") {
  const auto r = round_of({4, 4}, 10, 5);
  auto weights = r.start;
  auto state = fedavg{}.init(10);
  REQUIRE(fedavg{}.absorb(state, r.updates[0]));
  const auto refused = [&](auto change) {
    auto u = r.updates[1];
    change(u);
    const auto absorbed = fedavg{}.absorb(state, u);
    REQUIRE_FALSE(absorbed);
    return absorbed.error().kind;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(refused([](auto& u) { u.shared.pop_back(); }) == fault::shape);
  CHECK(refused([](auto& u) { u.shared.clear(); }) == fault::shape);
  CHECK(refused([&](auto& u) { u.shared[9] = nan; }) == fault::range);
  CHECK(refused([](auto& u) { u.shared[9] = 1e30f; }) == fault::range);
  for (const double weight : {0., -0.5, 1.5, double{nan}, double{std::numeric_limits<float>::infinity()}})
    CHECK(refused([&](auto& u) { u.weight = weight; }) == fault::message);
  REQUIRE(fedavg{}.absorb(state, r.updates[1]));
  std::vector<float> longer(11);
  CHECK_FALSE(fedavg{}.finish(state, longer));
  REQUIRE(fedavg{}.finish(state, weights));
  CHECK(weights == averaged(r, upwards(2)));
}
