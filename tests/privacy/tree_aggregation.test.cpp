#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/privacy/tree_aggregation.hpp>
#include <privet/random/system.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

using matrix = std::vector<std::vector<double>>;
using place = std::pair<std::size_t, std::size_t>; // the steps [first, last] of a node

/// The weights with which noises of nodes stand in the estimate of a node, by the definition.
std::map<place, double> weights_of(std::size_t first, std::size_t size, bool from_below) {
  if (!from_below || size == 1) return {{{first, first + size - 1}, 1.0}};
  // Inverse variances: one for the own, half of that of one half for both halves.
  auto left = weights_of(first, size / 2, true);
  const auto right = weights_of(first + size / 2, size / 2, true);
  left.insert(right.begin(), right.end());
  double below = 0;
  for (const auto& [at, w] : left) below += w * w;
  const double own = (1 / 1.0) / (1 / 1.0 + 1 / below);
  for (auto& [at, w] : left) w *= 1 - own;
  left[{first, first + size - 1}] = own;
  return left;
}
/// The same for the prefix sum of the first `t` steps.
std::map<place, double> weights_of_prefix(std::size_t t, bool from_below) {
  std::map<place, double> all;
  std::size_t first = 0;
  for (std::size_t size = std::bit_floor(t); size > 0; size /= 2)
    if (t & size) all.merge(weights_of(first, size, from_below)), first += size;
  return all;
}
/// Covariance of the noise of the prefix sums 1 .. steps, in variances of one node.
matrix covariance(std::size_t steps, bool from_below) {
  std::vector<std::map<place, double>> rows;
  for (std::size_t t = 1; t <= steps; ++t) rows.push_back(weights_of_prefix(t, from_below));
  matrix c(steps, std::vector<double>(steps));
  for (std::size_t s = 0; s < steps; ++s)
    for (std::size_t t = 0; t < steps; ++t)
      for (const auto& [at, w] : rows[s])
        if (const auto other = rows[t].find(at); other != rows[t].end()) c[s][t] += w * other->second;
  return c;
}
/// x' C^-1 x, by elimination.
double squared_distance(matrix c, std::vector<double> x) {
  const std::size_t n = x.size();
  double sum = 0;
  for (std::size_t k = 0; k < n; ++k) {
    sum += x[k] * x[k] / c[k][k];
    for (std::size_t i = k + 1; i < n; ++i) {
      const double f = c[i][k] / c[k][k];
      for (std::size_t j = k; j < n; ++j) c[i][j] -= f * c[k][j];
      x[i] -= f * x[k];
    }
  }
  return sum;
}

} // namespace

TEST_CASE("the noise of prefix sums has the covariance of its tree") {
  // 40,000 numbers know a covariance of c_st to sqrt((c_ss c_tt + c_st^2) / 40000); six of them are 2e-9.
  constexpr std::size_t steps = 13, d = 40'000;
  for (const bool from_below : {false, true}) {
    system_random source;
    tree_aggregation tree(
        {.noise_multiplier = 3, .sensitivity = 0.5, .steps = steps, .from_below = from_below}, d);
    const auto expected = covariance(steps, from_below);
    matrix noise;
    std::vector<double> x(d);
    for (std::size_t t = 0; t < steps; ++t) {
      for (std::size_t i = 0; i < d; ++i)
        x[i] = 0.01 * static_cast<double>(t) - 0.1 * static_cast<double>(i % 7);
      tree.add(std::span<const double>(x), source);
      noise.push_back(tree.prefix_sum());
      for (std::size_t i = 0; i < d; ++i) {
        double truth = 0;
        for (std::size_t s = 0; s <= t; ++s)
          truth += 0.01 * static_cast<double>(s) - 0.1 * static_cast<double>(i % 7);
        noise[t][i] = (noise[t][i] - truth) / 1.5;
      }
      CHECK(tree.step() == t + 1);
      CHECK(tree.variance() == Approx(expected[t][t] * 2.25).epsilon(1e-12));
    }
    for (std::size_t s = 0; s < steps; ++s) {
      double mean = 0;
      for (const double v : noise[s]) mean += v / d;
      CHECK(std::abs(mean) < 6 * std::sqrt(expected[s][s] / d));
      for (std::size_t t = 0; t <= s; ++t) {
        double sum = 0;
        for (std::size_t i = 0; i < d; ++i) sum += noise[s][i] * noise[t][i] / d;
        CAPTURE(from_below, s, t);
        CHECK(std::abs(sum - expected[s][t]) <
              6 * std::sqrt((expected[s][s] * expected[t][t] + expected[s][t] * expected[s][t]) / d));
      }
    }
  }
  // Seven steps in full: three nodes, of 1, 2 and 4 steps, with weights 1, 2/3 and 4/7.
  CHECK(covariance(7, false)[6][6] == Approx(3));
  CHECK(covariance(7, true)[6][6] == Approx(1 + 2.0 / 3 + 4.0 / 7));
}

TEST_CASE("a unit in one step moves as many nodes as the event says, and no more") {
  for (const std::size_t steps : {1u, 2u, 3u, 4u, 7u, 8u, 13u, 16u, 31u, 32u})
    for (const bool from_below : {false, true}) {
      CAPTURE(steps, from_below);
      std::set<place> nodes;
      for (std::size_t t = 1; t <= steps; ++t)
        for (const auto& [at, w] : weights_of_prefix(t, from_below)) nodes.insert(at);
      std::size_t most = 0;
      for (std::size_t s = 0; s < steps; ++s) {
        std::size_t moved = 0;
        for (const auto& [first, last] : nodes) moved += first <= s && s <= last;
        most = std::max(most, moved);
      }
      const tree_aggregation tree({.steps = steps, .from_below = from_below}, 1);
      const auto e = std::get<event::tree>(tree.event().mechanism);
      CHECK(e.height == most);
      // What all prefix sums tell of step s, by their covariance: they all move from s on.
      double worst = 0;
      for (std::size_t s = 0; s < steps; ++s) {
        std::vector<double> moved(steps);
        for (std::size_t t = s; t < steps; ++t) moved[t] = 1;
        worst = std::max(worst, squared_distance(covariance(steps, from_below), moved));
      }
      CHECK(worst <= e.height * (1 + 1e-9));
      if (!from_below) CHECK(worst >= e.height * (1 - 1e-9));
    }
}

TEST_CASE("prefix sums cannot be refuted, and are when a level is not counted", "[slow]") {
  // One unit in the first of four steps; along the direction in which the two laws differ most.
  for (const bool from_below : {false, true}) {
    system_random source;
    const auto along = [&](double first) {
      return [&, first] {
        tree_aggregation tree({.noise_multiplier = 2, .steps = 4, .from_below = from_below}, 1);
        double score = 0;
        const auto c = covariance(4, from_below);
        std::vector<double> sums, direction(4);
        for (int t = 0; t < 4; ++t) {
          const double x = t == 0 ? first : 0;
          tree.add(std::span<const double>(&x, 1), source);
          sums.push_back(tree.prefix_sum()[0]);
        }
        // x' C^-1 y by polarisation, x the move of all ones.
        std::vector<double> plus(4), minus(4);
        for (std::size_t t = 0; t < 4; ++t) plus[t] = 1 + sums[t], minus[t] = 1 - sums[t];
        score = (squared_distance(c, plus) - squared_distance(c, minus)) / 4;
        return score;
      };
    };
    const auto runs = test::run_both(60'000, along(1), along(0));
    for (const double epsilon : {0.2, 0.5, 1.0}) {
      const tree_aggregation tree({.noise_multiplier = 2, .steps = 4, .from_below = from_below}, 1);
      gaussian_accountant right, low;
      right.compose(tree.event());
      low.compose({event::tree{2, 1}});
      const double delta = right.delta(epsilon).upper, less = low.delta(epsilon).upper;
      const auto kept = test::refute({epsilon, delta}, runs);
      INFO(test::describe({epsilon, delta}, kept));
      CHECK_FALSE(kept.refuted);
      if (epsilon < 1) CHECK(test::refute({epsilon, less}, runs).refuted);
    }
  }
}

TEST_CASE("a tree counts itself, ends, and starts again") {
  system_random source;
  tree_aggregation tree({.noise_multiplier = 2, .sensitivity = 3, .steps = 5, .rounding = 0.01}, 4);
  const std::vector<float> x = {1, -2, 0, 5};
  for (int t = 0; t < 5; ++t) tree.add(std::span<const float>(x), source);
  CHECK_THROWS_WITH(tree.add(std::span<const float>(x), source),
                    Contains("[N007 leak] tree_aggregation: a step beyond the 5"));
  auto e = tree.event();
  CHECK(e.count == 1);
  CHECK(e.relation == neighbours::zero_out);
  CHECK(std::get<event::tree>(e.mechanism).height == 3);
  CHECK(std::get<event::tree>(e.mechanism).noise_multiplier ==
        Approx(2 / (1.01 + 2 * 2.02 / 0x1p20)).epsilon(1e-11));
  CHECK(e.distance == 40 * rounded_normal_distance);
  CHECK_NOTHROW(e.check());
  tree.restart();
  CHECK(tree.step() == 0);
  CHECK(tree.variance() == 0);
  CHECK(tree.prefix_sum() == std::vector<double>(4));
  tree.add(std::span<const float>(x), source);
  CHECK(tree.event().count == 2);
  CHECK(tree.event(10).count == 10);
  CHECK(tree.prefix_sum()[3] != 5); // once in 10^6

  // Leaves are whole steps of z s / 2^20, and a half; what is absurd is cut, and does not spoil the rest.
  tree_aggregation one({.steps = 1}, 4);
  const std::vector<double> odd = {0.1, std::nan(""), HUGE_VAL, -1e300};
  one.add(std::span<const double>(odd), source);
  const auto out = one.prefix_sum();
  for (const double v : out) CHECK(std::floor(v * 0x1p20) == v * 0x1p20 - 0.5);
  CHECK(std::abs(out[1]) < 14);
  CHECK(std::abs(out[2] - 0x1p24) < 14);
  CHECK(std::abs(out[3] + 0x1p24) < 14);

  static_assert(!std::is_copy_constructible_v<tree_aggregation>);
  const std::vector<double> short_one = {1};
  CHECK_THROWS_WITH(one.add(std::span<const double>(short_one), source),
                    Contains("got 1 numbers, expected 4"));
  CHECK_THROWS_WITH(tree_aggregation({.noise_multiplier = 0}, 1), Contains("noise multiplier 0"));
  CHECK_THROWS_WITH(tree_aggregation({.sensitivity = 0}, 1), Contains("sensitivity 0"));
  CHECK_THROWS_WITH(tree_aggregation({.steps = 0}, 1), Contains("0 steps"));
  CHECK_THROWS_WITH(tree_aggregation({.relation = neighbours::add_remove}, 1),
                    Contains("[N011 unsupported]"));
  CHECK((tree_aggregation({.relation = neighbours::replace_one}, 1).event().relation ==
         neighbours::replace_one));
  CHECK_THROWS_WITH(tree_aggregation({}, 0), Contains("no numbers"));
}
