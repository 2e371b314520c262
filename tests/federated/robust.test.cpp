#include "fixtures/robust.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"
#include "support/numbers.hpp"
#include "support/refused.hpp"

#include <privet/federated/bulyan.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/trimmed_mean.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace privet;
using Catch::Contains;
namespace known = test::robust;

namespace {

template <class A>
using curious_one = decltype(A{}.run_by(curious{}));
template <class A>
constexpr bool fits =
    Aggregator<A> && Aggregator<curious_one<A>> && !A::linear && !curious_one<A>::linear &&
    std::same_as<typename A::trust, trusted> && std::same_as<typename curious_one<A>::trust, curious> &&
    std::same_as<typename curious_one<curious_one<A>>::trust, curious>;
static_assert(fits<coordinate_median<>> && fits<trimmed_mean> && fits<geometric_median> && fits<krum> &&
              fits<bulyan> && fits<norm_bound>);
static_assert(krum{.attackers = 4}.run_by(curious{}).attackers == 4);

using many = std::vector<std::vector<float>>;

/// What clients 1, 2, .. send that learnt these updates from so many rows.
std::vector<client_update> sent(const many& updates, std::vector<std::uint64_t> rows = {}) {
  rows.resize(updates.size(), 10);
  const auto all = static_cast<double>(std::accumulate(rows.begin(), rows.end(), std::uint64_t{}));
  std::vector<client_update> out;
  for (std::size_t i = 0; i < updates.size(); ++i) {
    client_update u;
    u.sender = static_cast<std::uint32_t>(i + 1);
    u.examples = rows[i];
    u.weight = static_cast<double>(rows[i]) / all;
    for (const float x : updates[i])
      u.shared.push_back(static_cast<float>(u.weight * static_cast<double>(x)));
    out.push_back(std::move(u));
  }
  return out;
}

template <class A>
std::vector<float> stepped(const A& rule, std::vector<float> weights,
                           const std::vector<client_update>& round) {
  auto state = rule.init(weights.size());
  for (const auto& u : round) REQUIRE(rule.absorb(state, u));
  REQUIRE(rule.finish(state, weights));
  return weights;
}

/// The aggregate itself.
template <class A>
std::vector<float> aggregate(const A& rule, const many& updates) {
  auto weights = stepped(rule, std::vector<float>(updates[0].size()), sent(updates));
  for (auto& w : weights) w = -w + 0.0F;
  return weights;
}

/// Clients that mean the same, more or less.
many like_minded(std::size_t clients, std::size_t parameters, std::uint64_t seed) {
  const auto way = test::normals<float>(parameters, seed);
  many updates;
  for (std::size_t i = 0; i < clients; ++i) {
    updates.push_back(test::normals<float>(parameters, seed + 1 + i));
    for (std::size_t p = 0; p < parameters; ++p) updates[i][p] = way[p] + 0.25F * updates[i][p];
  }
  return updates;
}

double distance(std::span<const float> x, std::span<const float> y) {
  double sum = 0;
  for (std::size_t p = 0; p < x.size(); ++p)
    sum += std::pow(static_cast<double>(x[p]) - static_cast<double>(y[p]), 2);
  return std::sqrt(sum);
}

std::vector<float> mean_of(const many& updates) {
  std::vector<float> mean(updates[0].size());
  for (const auto& u : updates)
    for (std::size_t p = 0; p < mean.size(); ++p) mean[p] += u[p] / static_cast<float>(updates.size());
  return mean;
}

/// f(name, rule) for one of each that eleven clients are enough for.
template <class F>
void for_each_rule(F&& f) {
  f("coordinate median", coordinate_median{});
  f("trimmed mean", trimmed_mean{.fraction = 0.2});
  f("geometric median", geometric_median{});
  f("krum", krum{.attackers = 2});
  f("krum", krum{.attackers = 2, .keep = 5});
  f("bulyan", bulyan{.attackers = 2});
  f("norm bound", norm_bound{.bound = 8});
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN(),
                infinite = std::numeric_limits<float>::infinity(),
                greatest = std::numeric_limits<float>::max();

} // namespace

TEST_CASE("robust: every rule equals the NumPy reference over three rounds, two of them poisoned") {
  const auto compare = [](const char* name, const auto& rule, const auto& expected) {
    INFO(name);
    std::vector<float> weights(std::begin(known::start), std::end(known::start));
    const std::vector<std::uint64_t> rows(std::begin(known::examples), std::end(known::examples));
    auto state = rule.init(weights.size());
    for (std::size_t r = 0; r < std::size(known::steps); ++r) {
      many updates;
      for (const auto& client : known::steps[r]) {
        updates.emplace_back();
        for (const auto step : client) updates.back().push_back(static_cast<float>(step) / 1024);
      }
      for (const auto& u : sent(updates, rows)) REQUIRE(rule.absorb(state, u));
      REQUIRE(rule.finish(state, weights)); // and the state is empty again
      double worst = 0;
      for (std::size_t p = 0; p < weights.size(); ++p)
        worst =
            std::max(worst, std::abs(static_cast<double>(weights[p]) - static_cast<double>(expected[r][p])));
      CHECK(worst < 1e-6);
    }
  };
  compare("coordinate median", coordinate_median{}, known::coordinate_median);
  compare("trimmed mean", trimmed_mean{.fraction = known::fraction}, known::trimmed_mean);
  compare("geometric median",
          geometric_median{.iterations = known::iterations, .smoothing = known::smoothing},
          known::geometric_median);
  compare("krum", krum{.attackers = known::attackers}, known::krum);
  compare("multi-krum", krum{.attackers = known::attackers, .keep = known::keep}, known::multi_krum);
  compare("bulyan", bulyan{.attackers = known::attackers}, known::bulyan);
  compare("norm bound", norm_bound{.bound = known::bound}, known::norm_bound);
}

TEST_CASE("robust: any order of arrival gives the same bits, and clients may be numbered anyhow") {
  const auto updates = like_minded(11, 150, 1);
  const auto start = test::normals<float>(150, 99);
  for_each_rule([&](const std::string& name, const auto& rule) {
    INFO(name);
    const auto in_order = sent(updates, {10, 200, 35, 1, 7, 90, 44, 3, 60, 18, 27});
    const auto expected = stepped(rule, start, in_order);
    auto round = in_order;
    auto equal_rows = sent(updates);
    const auto unnumbered = stepped(rule, start, equal_rows);
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      replayable_random source(seed);
      shuffle(source, std::span(round));
      CHECK(stepped(rule, start, round) == expected);

      shuffle(source, std::span(equal_rows));
      for (std::size_t i = 0; i < equal_rows.size(); ++i)
        equal_rows[i].sender = static_cast<std::uint32_t>(i + 1);
      const auto numbered = stepped(rule, start, equal_rows);
      if (name == "geometric median")
        CHECK(distance(numbered, unnumbered) < 1e-5);
      else
        CHECK(numbered == unnumbered);
    }
  });
}

TEST_CASE("robust: the numbers of clients do not decide between equal scores") {
  // The two that are closest to each other have the same score; the one with the smaller first number is taken.
  const many updates{{5, 5}, {1, 2}, {1, 1}};
  for (std::vector<std::size_t> order{0, 1, 2};;) {
    const many now{updates[order[0]], updates[order[1]], updates[order[2]]};
    CHECK(aggregate(krum{}, now) == std::vector<float>{1, 1});
    if (!std::ranges::next_permutation(order).found) break;
  }
}

TEST_CASE("robust: small rounds come out as by hand") {
  CHECK(aggregate(coordinate_median{}, {{1, 8}, {2, -4}, {10, 2}, {4, 0}}) == std::vector<float>{3, 1});
  CHECK(aggregate(coordinate_median{}, {{1, 8}, {2, -4}, {10, 2}}) == std::vector<float>{2, 2});
  CHECK(aggregate(trimmed_mean{.fraction = 0.25}, {{1, 8}, {2, -4}, {10, 2}, {4, 0}}) ==
        std::vector<float>{3, 1});
  CHECK(aggregate(trimmed_mean{.fraction = 0.24}, {{1, 8}, {2, -4}, {9, 4}, {4, 0}}) ==
        std::vector<float>{4, 2});
  CHECK(trimmed_mean{.fraction = 0.29}.cut(100) == 29); // 0.29 * 100 < 29
  CHECK(trimmed_mean{.fraction = 0.1}.cut(9) == 0);
  CHECK(trimmed_mean{.fraction = 0.5 - 1e-12}.cut(2) == 0); // somebody has to be left
  CHECK(aggregate(krum{.attackers = 1}, {{0}, {1}, {2}, {4}, {100}}) == std::vector<float>{1});
  CHECK(aggregate(krum{.attackers = 1, .keep = 2}, {{0}, {1}, {3}, {8}, {100}}) == std::vector<float>{0.5F});
  // 3, 4, 2, 1, 0 are chosen in the end: the mean of the three closest to 2
  CHECK(aggregate(bulyan{.attackers = 1}, {{0}, {1}, {2}, {3}, {4}, {-90}, {90}}) == std::vector<float>{2});
  CHECK(aggregate(bulyan{}, {{0, 1}, {3, 1}, {6, 4}}) ==
        std::vector<float>{3, 2}); // nobody is suspected: the mean
  CHECK(aggregate(norm_bound{.bound = 5}, {{6, 8}, {0, 0}}) == std::vector<float>{1.5F, 2});
}

TEST_CASE("robust: one client is its own median, to the bit") {
  const auto update = test::normals<float>(130, 5), start = test::normals<float>(130, 6);
  auto expected = start;
  for (std::size_t p = 0; p < 130; ++p) expected[p] -= update[p];
  CHECK(stepped(coordinate_median{}, start, sent({update})) == expected);
  CHECK(stepped(trimmed_mean{}, start, sent({update})) == expected);
  CHECK(stepped(geometric_median{}, start, sent({update})) == expected);
}

TEST_CASE("robust: a poisoned client moves the mean far and robust rules little") {
  auto updates = like_minded(11, 150, 7);
  const auto honest = mean_of(many(updates.begin(), updates.end() - 1));
  for (auto& x : updates.back()) x *= -100;
  const double size = distance(honest, std::vector<float>(150));
  CHECK(distance(aggregate(fedavg{}, updates), honest) > 8 * size);
  CHECK(distance(aggregate(coordinate_median{}, updates), honest) < 0.2 * size);
  CHECK(distance(aggregate(trimmed_mean{}, updates), honest) < 0.2 * size);
  CHECK(distance(aggregate(geometric_median{}, updates), honest) < 0.2 * size);
  CHECK(distance(aggregate(krum{.attackers = 1}, updates), honest) < 0.3 * size); // it is one of them
  CHECK(distance(aggregate(krum{.attackers = 1, .keep = 8}, updates), honest) < 0.1 * size);
  CHECK(distance(aggregate(bulyan{.attackers = 1}, updates), honest) < 0.2 * size);
  CHECK(distance(aggregate(norm_bound{.bound = size}, updates), honest) < 2 * size / 11 + 0.1 * size);
}

TEST_CASE("robust: bulyan withstands a change of one weight that krum lets through") {
  // Honest clients differ by about 1 in each of 400 weights; the attacker is better in all but one of them.
  auto updates = like_minded(11, 400, 8);
  for (auto& u : updates)
    for (auto& x : u) x *= 4;
  updates.back() = mean_of(many(updates.begin(), updates.end() - 1));
  const float honest = updates.back()[17];
  updates.back()[17] += 15;
  CHECK(aggregate(krum{.attackers = 2}, updates)[17] - honest == Approx(15).margin(1e-3));
  CHECK(std::abs(aggregate(bulyan{.attackers = 2}, updates)[17] - honest) < 1.5);
}

TEST_CASE("geometric median: many steps reach the point where the weighted pulls of all clients cancel") {
  const auto updates = like_minded(6, 40, 9);
  const std::vector<std::uint64_t> rows{10, 40, 35, 1, 27, 33};
  const auto round = sent(updates, rows);
  const auto v = stepped(geometric_median{.iterations = 500}, std::vector<float>(40), round); // minus it
  std::vector<double> pull(40);
  for (std::size_t i = 0; i < 6; ++i) {
    auto minus = updates[i];
    for (auto& x : minus) x = -x;
    for (std::size_t p = 0; p < 40; ++p)
      pull[p] += round[i].weight * static_cast<double>(minus[p] - v[p]) / distance(minus, v);
  }
  for (const double x : pull) CHECK(std::abs(x) < 1e-6);
}

TEST_CASE("norm bound: updates within the bound are averaged as fedavg does, to the bit") {
  const auto start = test::normals<float>(90, 20);
  const auto round = sent(like_minded(5, 90, 10), {3, 50, 8, 8, 21});
  CHECK(stepped(norm_bound{.bound = 1000}, start, round) == stepped(fedavg{}, start, round));
  CHECK(stepped(norm_bound{.bound = 1}, start, round) != stepped(fedavg{}, start, round));
}

TEST_CASE("robust: columns of any height are sorted") {
  for (std::size_t n = 0; n < 70; ++n) {
    const auto numbers = test::normals<float>(n * detail::coordinates_at_once, n);
    std::vector<detail::coordinates> rows(n);
    for (std::size_t k = 0; k < n; ++k)
      std::copy_n(numbers.begin() + static_cast<std::ptrdiff_t>(k * rows[k].size()), rows[k].size(),
                  rows[k].begin());
    auto expected = rows;
    detail::sort_columns(rows);
    for (std::size_t c = 0; c < detail::coordinates_at_once; ++c) {
      std::vector<float> column;
      for (const auto& row : expected) column.push_back(row[c]);
      std::ranges::sort(column);
      for (std::size_t k = 0; k < n; ++k) expected[k][c] = column[k];
    }
    CHECK(rows == expected);
  }
}

TEST_CASE("robust: an update that is wrong is refused by name and leaves no trace") {
  const auto updates = like_minded(12, 70, 11);
  const auto round = sent(updates);
  const std::vector<client_update> eleven(round.begin(), round.end() - 1);
  for_each_rule([&](const std::string& name, const auto& rule) {
    INFO(name);
    auto state = rule.init(70);
    for (const auto& u : eleven) REQUIRE(rule.absorb(state, u));
    const auto said = [&](fault kind, auto change) {
      auto u = round.back();
      change(u);
      return test::refused(rule.absorb(state, u), kind);
    };
    CHECK(said(fault::shape, [](auto& u) { u.shared.pop_back(); }) ==
          "[N003 shape] " + name + " of 70 numbers: client 12 has sent 69");
    CHECK(said(fault::shape, [](auto& u) { u.shared.clear(); }) ==
          "[N003 shape] " + name + " of 70 numbers: client 12 has sent 0");
    CHECK(said(fault::range, [](auto& u) {
            u.shared[69] = not_a_number;
          }).starts_with("[N008 range] " + name + ": client 12, number 69 is nan"));
    CHECK(said(fault::range, [](auto& u) {
            u.shared[3] = -infinite;
          }).starts_with("[N008 range] " + name + ": client 12, number 3 is -inf"));
    CHECK(said(fault::range, [](auto& u) {
            u.shared[0] = greatest;
          }).starts_with("[N008 range] " + name + ": client 12, number 0 is 3.4028235e+38 at weight 0.08"));
    CHECK(said(fault::message, [](auto& u) { u.sender = 4; }) ==
          "[N009 message] " + name + ": client 4 has sent its update already");
    for (const double weight :
         {0., -0.5, 1.5, static_cast<double>(not_a_number), static_cast<double>(infinite)})
      CHECK(said(fault::message, [&](auto& u) {
              u.weight = weight;
            }).starts_with("[N009 message] " + name + ": client 12 has weight "));

    std::vector<float> weights(70), longer(71);
    CHECK(test::refused(rule.finish(state, longer), fault::shape) ==
          "[N003 shape] " + name + ": 71 weights, the updates have 70");
    REQUIRE(rule.finish(state, weights));
    CHECK(weights == stepped(rule, std::vector<float>(70), eleven));

    const auto before = weights; // the state is empty now
    CHECK(test::refused(rule.finish(state, weights), fault::message) ==
          "[N009 message] " + name + ": no update arrived in this round");
    CHECK(weights == before);
  });
}

TEST_CASE("robust: weights that no float holds are refused, and nothing changes") {
  std::vector<float> weights{1, -greatest};
  const auto kept = weights;
  coordinate_median rule;
  auto state = rule.init(2);
  REQUIRE(rule.absorb(state, sent({{1, greatest}})[0]));
  CHECK(test::refused(rule.finish(state, weights), fault::range)
            .starts_with("[N008 range] coordinate median: weight 1 would become -6.8"));
  CHECK(weights == kept);
}

TEST_CASE("robust: krum and bulyan need more clients than attackers, by their theorems") {
  const auto arrive = [](const auto& rule, std::size_t clients) {
    auto state = rule.init(3);
    std::vector<float> weights(3);
    for (const auto& u : sent(like_minded(clients, 3, 12))) REQUIRE(rule.absorb(state, u));
    const auto done = rule.finish(state, weights);
    return done ? std::string() : test::refused(done, fault::message);
  };
  CHECK(arrive(krum{.attackers = 2}, 7).empty());
  CHECK(arrive(krum{.attackers = 2}, 6) ==
        "[N009 message] krum: 6 updates arrived, 2 attackers and 1 to keep need at least 7");
  CHECK(arrive(krum{.attackers = 2, .keep = 4}, 8).empty());
  CHECK(arrive(krum{.attackers = 2, .keep = 5}, 8) ==
        "[N009 message] krum: 8 updates arrived, 2 attackers and 5 to keep need at least 9");
  CHECK(arrive(bulyan{.attackers = 2}, 11).empty());
  CHECK(arrive(bulyan{.attackers = 2}, 10) ==
        "[N009 message] bulyan: 10 updates arrived, 2 attackers need at least 11");
}

TEST_CASE("robust: settings that no rule has are the caller's mistake") {
  const auto refused = [](const auto& rule) {
    std::string said;
    try {
      (void)rule.init(3);
    } catch (const exception& e) {
      CHECK(e.kind() == fault::argument);
      said = e.what();
    }
    return said;
  };
  for (const double fraction : {0.5, -0.1, static_cast<double>(not_a_number)})
    CHECK_THAT(refused(trimmed_mean{.fraction = fraction}), Contains("expected 0 <= fraction < 0.5"));
  CHECK(refused(trimmed_mean{.fraction = 0}).empty());
  CHECK(refused(geometric_median{.iterations = 0}) ==
        "[N001 argument] geometric median: 0 iterations, expected at least 1");
  for (const double smoothing : {0., -1., static_cast<double>(not_a_number), static_cast<double>(infinite)})
    CHECK_THAT(refused(geometric_median{.smoothing = smoothing}), Contains("smoothing is"));
  CHECK_THAT(refused(krum{.keep = 0}), Contains("keeps 0 updates"));
  const auto endless = static_cast<std::size_t>(-1);
  CHECK_THAT(refused(krum{.keep = endless}), Contains("expected at least 1"));
  CHECK_THAT(refused(krum{.attackers = endless}), Contains("at most 2^32 clients"));
  CHECK_THAT(refused(bulyan{.attackers = endless}), Contains("at most 2^32 clients"));
  for (const double bound : {0., -1., 0x1p22, static_cast<double>(not_a_number)})
    CHECK_THAT(refused(norm_bound{.bound = bound}), Contains("bound is"));
}

TEST_CASE("robust: a server runs them, with the same bits for any number of threads") {
  const auto trained = [&](const auto& rule, std::size_t threads) {
    const offices four{test::model_of_tests, test::four_data_sets(), test::local_of_tests, 3};
    aggregation_server server(rule, {.seed = 4});
    server.run(four, in_process{.threads = threads}, rounds{2});
    return test::copy_weights(server.weights());
  };
  const auto once = trained(coordinate_median{}, 1);
  CHECK(trained(coordinate_median{}, 3) == once);
  CHECK(trained(fedavg{}, 1) != once);
  CHECK_THROWS_WITH(trained(krum{.attackers = 1}, 1),
                    Contains("a round of 4 clients, this aggregator needs at least 5"));
}
