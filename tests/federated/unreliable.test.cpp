#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/unreliable.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

namespace {

/// Nine offices behind links of a world.
struct federation {
  explicit federation(const unreliable& world, std::size_t count = 9) {
    for (std::uint32_t id = 1; id <= count; ++id) {
      auto data = rows_for(id);
      const auto rows = data.rows();
      offices.push_back(test::honest(id, std::move(data), 5));
      inner.push_back(std::make_unique<in_process_link>(*offices.back()));
      outer.push_back(std::make_unique<unreliable_link>(*inner.back(), world, id, rows));
      ends.push_back(outer.back().get());
    }
  }
  static dataset<float> rows_for(std::uint32_t id) { return test::rows_of(5 + 3 * id, 5, 3, id); }

  std::vector<std::unique_ptr<participant>> offices;
  std::vector<std::unique_ptr<in_process_link>> inner;
  std::vector<std::unique_ptr<unreliable_link>> outer;
  std::vector<transport*> ends;
};

/// Answers every round with what it said in the first.
class stuck_link : public transport {
 public:
  explicit stuck_link(transport& inner) : inner_(&inner) {}
  status send(std::span<const std::byte> message) override {
    training_ = decode_message(message).value().kind == message_kind::train;
    return inner_->send(message);
  }
  result<std::vector<std::byte>> receive() override {
    if (training_ && !first_.empty()) return first_;
    auto reply = inner_->receive();
    if (training_) first_ = reply.value();
    return reply;
  }

 private:
  transport* inner_;
  bool training_ = false;
  std::vector<std::byte> first_;
};

std::vector<float> run(const unreliable& world, server_options options,
                       std::vector<round_report>* heard = nullptr, std::size_t count = 6) {
  federation all(world);
  aggregation_server server{fedavg{}, options};
  server.run(all.ends, network(test::model_of_tests), rounds{count}, [&](const round_report& r) {
    if (heard) heard->push_back(r);
  });
  return test::copy_weights(server.weights());
}

} // namespace

TEST_CASE("unreliable: a fate is as frequent as it is said to be, and a function of seed, round and client") {
  const unreliable world{.before = 0.1, .during = 0.15, .after = 0.2, .twice = 0.05, .seed = 3};
  std::map<fate, double> seen;
  constexpr int rounds = 2000, clients = 10;
  for (std::uint64_t r = 0; r < rounds; ++r)
    for (std::uint32_t c = 1; c <= clients; ++c) {
      const auto what = world.of(c, r, 1);
      CHECK(what == world.of(c, r, 100)); // without a deadline rows do not matter
      seen[what] += 1. / (rounds * clients);
    }
  // Six deviations of a share of 20,000 are at most 0.017.
  CHECK(std::abs(seen[fate::drops_before] - 0.1) < 0.017);
  CHECK(std::abs(seen[fate::drops_during] - 0.15) < 0.017);
  CHECK(std::abs(seen[fate::drops_after] - 0.2) < 0.017);
  CHECK(std::abs(seen[fate::twice] - 0.05) < 0.017);
  CHECK(seen[fate::late] == 0);
  auto other = world;
  other.seed = 4;
  std::size_t differ = 0;
  for (std::uint64_t r = 0; r < 100; ++r) differ += world.of(1, r, 1) != other.of(1, r, 1);
  CHECK(differ > 20);
}

TEST_CASE("unreliable: who has many rows or a slow device is late, in every round") {
  const unreliable world{.deadline = 10, .seconds_per_row = 0.1, .spread = 0.5};
  std::size_t late = 0;
  for (std::uint32_t c = 1; c <= 200; ++c) {
    const bool slow = world.seconds_of(c, 80) > 10;
    for (std::uint64_t r = 0; r < 5; ++r) CHECK((world.of(c, r, 80) == fate::late) == slow);
    CHECK(world.of(c, 0, 1) == fate::answers);
    CHECK(world.of(c, 0, 1'000'000) == fate::late);
    late += slow;
  }
  // P(0.5 z > log(10 / 8)) = 0.328; six deviations of 200 are 40.
  CHECK(std::abs(static_cast<double>(late) - 65.6) < 40);
}

TEST_CASE("unreliable: probabilities and times that are none are refused") {
  const auto refused = [](const unreliable& world) {
    try {
      world.check();
    } catch (const exception& why) {
      return std::string(why.what());
    }
    return std::string();
  };
  CHECK_THAT(refused({.before = -0.1}), Contains("-0.1"));
  CHECK_THAT(refused({.during = 0.6, .after = 0.6}), Contains("add up to 1.2"));
  CHECK_THAT(refused({.twice = std::numeric_limits<double>::quiet_NaN()}), Contains("nan"));
  CHECK_THAT(refused({.deadline = -1}), Contains("deadline -1"));
  CHECK(refused({.before = 0.5, .after = 0.5}).empty());
}

TEST_CASE("server: without failures a quorum changes nothing") {
  const auto plain = run({}, {.seed = 5});
  CHECK(run({}, {.quorum = 9, .seed = 5}) == plain);
  CHECK(run({}, {.quorum = 1, .seed = 5, .threads = 3}) == plain);
}

TEST_CASE("server: a round goes on without clients that drop, whenever they do, and names them") {
  const unreliable world{.before = 0.15, .during = 0.1, .after = 0.1, .seed = 1};
  std::vector<round_report> heard;
  const auto weights = run(world, {.quorum = 3, .seed = 5}, &heard);
  std::size_t missing = 0;
  for (const auto& r : heard) {
    REQUIRE(r.asked.size() == 9);
    std::size_t answered = 0;
    for (const auto& c : r.asked) {
      const auto what = world.of(c.id, r.round - 1, c.rows);
      CHECK(c.missing.empty() == (what == fate::answers));
      CHECK(c.rows == 5 + 3 * c.id);
      answered += c.missing.empty();
      if (!c.missing.empty()) CHECK_THAT(c.missing, Contains("client " + std::to_string(c.id)));
    }
    CHECK(r.clients == answered);
    missing += 9 - answered;
  }
  CHECK(missing > 5);
  CHECK(run(world, {.quorum = 3, .seed = 5, .threads = 4}) == weights); // on any number of threads
  // A client that is lost before it trains and one that is lost after count alike.
  CHECK(run({.before = 0.35, .seed = 1}, {.quorum = 3, .seed = 5}) ==
        run({.after = 0.35, .seed = 1}, {.quorum = 3, .seed = 5}));
}

TEST_CASE("server: an update that comes late or twice is passed over and counted") {
  std::vector<round_report> heard;
  // The offices of 5 + 3 id rows take 0.8 to 3.2 seconds: the last two are late.
  const unreliable slow{.deadline = 2.7, .seconds_per_row = 0.1};
  const auto without = run(slow, {.quorum = 1, .seed = 5}, &heard);
  for (const auto& r : heard) {
    CHECK(r.clients == 7);
    CHECK(r.late == (r.round == 1 ? 0 : 2));
  }
  federation all({});
  all.ends.resize(7);
  aggregation_server server{fedavg{}, {.standardise = false, .seed = 5}};
  aggregation_server same{fedavg{}, {.quorum = 1, .standardise = false, .seed = 5}};
  federation late(slow);
  server.run(all.ends, network(test::model_of_tests), rounds{6});
  same.run(late.ends, network(test::model_of_tests), rounds{6});
  for (std::size_t i = 0; i < server.weights().size(); ++i) // weights of other shares, rounded otherwise
    CHECK(std::abs(server.weights()[i] - same.weights()[i]) < 1e-5);

  heard.clear();
  const unreliable repeats{.twice = 0.5, .seed = 2};
  CHECK(run(repeats, {.quorum = 9, .seed = 5}, &heard) == run({}, {.seed = 5}));
  std::uint64_t passed = 0, said = 0;
  for (const auto& r : heard) passed += r.late;
  for (std::uint64_t r = 0; r + 1 < 6; ++r)
    for (std::uint32_t c = 1; c <= 9; ++c) said += repeats.of(c, r, 1) == fate::twice;
  CHECK(passed == said);
  CHECK(passed > 5);
}

TEST_CASE("server: a client that repeats itself for ever is not waited for") {
  federation all({});
  stuck_link stuck(*all.ends[3]);
  all.ends[3] = &stuck;
  aggregation_server server{fedavg{}, {.quorum = 8, .seed = 5}};
  server.open(all.ends, network(test::model_of_tests));
  CHECK(server.round(0).clients == 9);
  const auto report = server.round(1);
  CHECK(report.clients == 8);
  CHECK_THAT(report.asked[3].missing, Contains("client 4: 8 replies to earlier rounds and none to round 1"));
}

TEST_CASE("server: a round below its quorum fails, leaves the weights alone and can be tried again") {
  federation all({.before = 0.9, .seed = 1});
  aggregation_server server{fedavg{}, {.quorum = 8, .seed = 5}};
  server.open(all.ends, network(test::model_of_tests));
  const auto before = test::copy_weights(server.weights());
  CHECK_THROWS_WITH(server.round(0),
                    Contains("round 1: ") && Contains("of 9 clients have sent an update, the quorum is 8; "));
  CHECK(test::copy_weights(server.weights()) == before);

  federation none({.before = 1});
  aggregation_server nobody{fedavg{}, {.quorum = 1, .seed = 5}};
  nobody.open(none.ends, network(test::model_of_tests));
  CHECK_THROWS_WITH(nobody.round(0), Contains("0 of 9 clients"));

  aggregation_server large{fedavg{}, {.quorum = 10}};
  CHECK_THROWS_WITH(large.open(none.ends, network(test::model_of_tests)),
                    Contains("a quorum of 10 updates, a round asks 9 clients"));
  aggregation_server larger{fedavg{}, {.clients_per_round = 4, .quorum = 5}};
  CHECK_THROWS_WITH(larger.open(none.ends, network(test::model_of_tests)),
                    Contains("a quorum of 5 updates, a round asks 4 clients"));
}

TEST_CASE("server: with a quorum a client that sends nonsense is left out and named") {
  const auto with = [](auto change) {
    std::vector<std::unique_ptr<participant>> parties;
    std::vector<std::unique_ptr<in_process_link>> links;
    std::vector<transport*> ends;
    for (std::uint32_t id = 1; id <= 3; ++id) {
      auto one = test::honest(id, federation::rows_for(id), 5);
      if (id == 2)
        one = std::make_unique<test::altered>(std::move(one),
                                              [=](const message& m, std::vector<std::byte> reply) {
                                                if (m.kind != message_kind::train) return reply;
                                                auto back = decode_message(reply).value();
                                                auto u = decode_update(back).value();
                                                change(u);
                                                back.body = encode_update(u);
                                                return encode(back);
                                              });
      parties.push_back(std::move(one));
      links.push_back(std::make_unique<in_process_link>(*parties.back()));
      ends.push_back(links.back().get());
    }
    aggregation_server server{fedavg{}, {.quorum = 2, .seed = 5}};
    server.open(ends, network(test::model_of_tests));
    const auto report = server.round(0);
    CHECK(report.clients == 2);
    CHECK(report.asked[0].missing.empty());
    CHECK(report.asked[2].missing.empty());
    for (const float w : server.weights()) CHECK(std::isfinite(w));
    return report.asked[1].missing;
  };
  CHECK_THAT(with([](auto& u) { u.shared[3] = std::numeric_limits<float>::quiet_NaN(); }),
             Contains("number 3 is nan") && Contains("client 2"));
  CHECK_THAT(with([](auto& u) { u.shared.pop_back(); }),
             Contains("of 57 numbers: got 56") && Contains("client 2"));
  CHECK_THAT(with([](auto& u) { u.weight *= 2; }), Contains("client 2: weighs itself"));
}
