#include "support/catch.hpp"

#include <privet/data/partition.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>
#include <functional>
#include <set>

using namespace privet;

namespace {

/// 600, 300, 200, 100, 60 and 40 rows of the labels 0 to 5, interleaved.
std::vector<std::int32_t> uneven_labels() {
  std::vector<std::int32_t> labels;
  const int counts[] = {600, 300, 200, 100, 60, 40};
  for (int i = 0; i < 600; ++i)
    for (std::int32_t label = 0; label < 6; ++label)
      if (i < counts[label]) labels.push_back(label);
  return labels;
}

std::vector<std::int32_t> people() { // person p has 10 + p rows
  std::vector<std::int32_t> groups;
  for (int i = 0; i < 40; ++i)
    for (std::int32_t p = 0; p < 30; ++p)
      if (i < 10 + p) groups.push_back(100 - p);
  return groups;
}

/// Rows of every label in every office.
std::vector<std::vector<int>> counts(const partition& offices, const std::vector<std::int32_t>& labels) {
  std::vector<std::vector<int>> table(offices.size(), std::vector<int>(6));
  for (std::size_t k = 0; k < offices.size(); ++k)
    for (const auto i : offices[k]) ++table[k][static_cast<std::size_t>(labels[i])];
  return table;
}

void check_complete(const partition& offices, std::size_t rows) {
  std::vector<int> seen(rows);
  for (const auto& list : offices) {
    CHECK_FALSE(list.empty());
    CHECK(std::is_sorted(list.begin(), list.end()));
    for (const auto i : list) ++seen.at(i);
  }
  CHECK(std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(rows));
}

const auto labels = uneven_labels();
const auto groups = people();

} // namespace

TEST_CASE("every partition deals out every row exactly once and repeats with its seed") {
  const std::vector<std::function<partition(std::size_t, std::uint64_t)>> ways{
      [](std::size_t k, std::uint64_t) { return partition_by_group(groups, k); },
      [](std::size_t k, std::uint64_t) { return partition_stratified(labels, k); },
      [](std::size_t k, std::uint64_t s) {
        return partition_majority_label(labels, k, 0.7, replayable_random(s));
      },
      [](std::size_t k, std::uint64_t s) {
        return partition_pick_two(labels, std::max<std::size_t>(k, 3), replayable_random(s));
      },
      [](std::size_t k, std::uint64_t s) {
        return partition_dirichlet(labels, k, 0.3, replayable_random(s));
      },
      [](std::size_t k, std::uint64_t s) {
        return partition_power_law(labels.size(), k, 1.5, replayable_random(s));
      }};
  for (std::size_t way = 0; way < ways.size(); ++way)
    for (const std::size_t offices : {1u, 2u, 4u, 7u, 13u})
      for (const std::uint64_t seed : {1u, 2u}) {
        INFO("way " << way << ", offices " << offices << ", seed " << seed);
        const auto p = ways[way](offices, seed);
        check_complete(p, way == 0 ? groups.size() : labels.size());
        CHECK(p == ways[way](offices, seed));
        if (way >= 2 && offices > 1) CHECK(p != ways[way](offices, seed + 10));
      }
}

TEST_CASE("a person's rows stay together and offices are balanced") {
  const auto offices = partition_by_group(groups, 4);
  std::vector<std::set<std::int32_t>> who(4);
  for (std::size_t k = 0; k < 4; ++k) {
    for (const auto i : offices[k]) who[k].insert(groups[i]);
    CHECK(std::abs(static_cast<int>(offices[k].size()) - static_cast<int>(groups.size() / 4)) <= 10);
  }
  CHECK(who[0].size() + who[1].size() + who[2].size() + who[3].size() == 30);
}

TEST_CASE("a stratified office is the label-sorted rows modulo the number of offices") {
  const std::vector<std::int32_t> y{1, 0, 1, 0, 0, 1, 1}; // sorted by label: 1 3 4 | 0 2 5 6
  CHECK(partition_stratified(y, 2) == partition{{1, 2, 4, 6}, {0, 3, 5}});
  for (const auto& office : counts(partition_stratified(labels, 4), labels))
    for (std::size_t c = 0; c < 6; ++c)
      CHECK(std::abs(office[c] - counts(partition_stratified(labels, 1), labels)[0][c] / 4) <= 1);
}

TEST_CASE("an office holds the stated share of the label it favours") {
  const auto table = counts(partition_majority_label(labels, 4, 0.7, replayable_random(1)), labels);
  CHECK(table[0][0] == 420);
  CHECK(table[1][1] == 210);
  CHECK(table[2][2] == 140);
  CHECK(table[3][3] == 70);
  for (const std::size_t k : {1u, 2u, 3u}) CHECK(table[k][0] == 60);
  for (std::size_t k = 0; k < 4; ++k) CHECK(table[k][4] == 15); // nobody's favourite
  const auto pure = counts(partition_majority_label(labels, 6, 1, replayable_random(1)), labels);
  for (std::size_t k = 0; k < 6; ++k)
    for (std::size_t c = 0; c < 6; ++c) CHECK((pure[k][c] > 0) == (k == c));
}

TEST_CASE("an office that picks two holds exactly two labels") {
  std::set<std::vector<std::vector<bool>>> seen;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    for (const std::size_t offices : {3u, 4u, 5u, 10u}) {
      const auto table = counts(partition_pick_two(labels, offices, replayable_random(seed)), labels);
      std::vector<std::vector<bool>> has;
      for (const auto& office : table) {
        CHECK(std::count_if(office.begin(), office.end(), [](int n) { return n > 0; }) == 2);
        has.emplace_back();
        for (const int n : office) has.back().push_back(n > 0);
      }
      seen.insert(has);
    }
  CHECK(seen.size() > 100);
  // Five labels: a lap ends within an office, which must not get the same label twice.
  const std::vector<std::int32_t> five{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4};
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    for (const auto& office : counts(partition_pick_two(five, 5, replayable_random(seed)), five))
      CHECK(std::count_if(office.begin(), office.end(), [](int n) { return n > 0; }) == 2);
}

TEST_CASE("dirichlet shares have the mean and variance of the distribution") {
  // 20000 draws of 4 shares. The mean of one share has deviation below 0.0031, its variance a
  // relative error below 2.5 %; limits of 5 deviations: false alarm below 1e-5, and the seed is fixed.
  for (const double alpha : {0.05, 0.3, 1., 10.}) {
    replayable_random source(42);
    double sum = 0, squares = 0;
    const int draws = 20000;
    for (int i = 0; i < draws; ++i) {
      const auto totals = detail::dirichlet_totals(source, 4, alpha);
      CHECK(totals.back() == 1);
      const double share = totals[2] - totals[1];
      sum += share;
      squares += share * share;
    }
    const double mean = sum / draws, variance = squares / draws - mean * mean;
    CHECK(mean == Approx(0.25).margin(0.016));
    CHECK(variance == Approx(0.25 * 0.75 / (4 * alpha + 1)).epsilon(0.125));
  }
}

TEST_CASE("a small alpha is unequal, a large one fair, a tiny one survives") {
  const auto largest_share = [](double alpha) {
    const auto table = counts(partition_dirichlet(labels, 4, alpha, replayable_random(5)), labels);
    double sum = 0;
    for (std::size_t c = 0; c < 6; ++c) {
      double most = 0, all = 0;
      for (const auto& office : table) most = std::max<double>(most, office[c]), all += office[c];
      sum += most / all;
    }
    return sum / 6;
  };
  CHECK(largest_share(0.05) > 0.75);
  CHECK(largest_share(1000) < 0.3);
  const auto totals = [] {
    replayable_random source(1);
    return detail::dirichlet_totals(source, 5, 1e-5);
  }();
  for (const double t : totals) CHECK((t >= 0 && t <= 1));
}

TEST_CASE("power law sizes fall by the stated exponent") {
  const auto offices = partition_power_law(100004, 4, 1, replayable_random(1));
  const double total = 1 + 1 / 2. + 1 / 3. + 1 / 4.;
  for (std::size_t k = 0; k < 4; ++k)
    CHECK(std::abs(static_cast<double>(offices[k].size()) - 1 - 1e5 / (static_cast<double>(k + 1) * total)) <=
          1);
  for (const auto& office : partition_power_law(20, 10, 3, replayable_random(1))) CHECK_FALSE(office.empty());
  for (const auto& office : partition_power_law(40, 4, 0, replayable_random(1))) CHECK(office.size() == 10);
}

TEST_CASE("an office that would be empty is an error") {
  const std::vector<std::int32_t> three{0, 1, 2}, one_person{5, 5, 5}, one_label{2, 2, 2}, bad{0, -1};
  CHECK_THROWS_AS(partition_stratified(three, 0), exception);
  CHECK_THROWS_AS(partition_stratified(three, 4), exception);
  CHECK_THROWS_AS(partition_stratified({}, 1), exception);
  CHECK_THROWS_AS(partition_stratified(bad, 1), exception);
  CHECK_THROWS_WITH(partition_by_group(one_person, 2),
                    "[N001 argument] partition_by_group: 2 offices for 1 groups, some would be empty");
  CHECK_THROWS_AS(partition_pick_two(one_label, 2, replayable_random(1)), exception);
  CHECK_THROWS_AS(partition_pick_two(labels, 2, replayable_random(1)), exception); // six labels, four picks
  CHECK_THROWS_AS(partition_majority_label(one_label, 2, 1.5, replayable_random(1)), exception);
  CHECK_THROWS_AS(partition_dirichlet(labels, 4, 0, replayable_random(1)), exception);
  CHECK_THROWS_WITH(partition_dirichlet(one_label, 3, 1e-6, replayable_random(1)),
                    Catch::Contains("each left one of 3 offices empty"));
  CHECK_THROWS_AS(partition_power_law(3, 4, 1, replayable_random(1)), exception);
  CHECK_THROWS_AS(partition_power_law(3, 2, -1, replayable_random(1)), exception);
}
