#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/random/replayable.hpp>
#include <privet/random/skellam.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace privet;
using Catch::Contains;

// Each comparison with a law raises a false alarm with probability at most 1e-6.

namespace {

constexpr ratio variances[] = {{1, 10},     {1, 1}, {8, 3}, {200, 1}, {(1 << 30) - 1, (1 << 14) - 1},
                               {1 << 17, 1}};

double number(ratio x) { return static_cast<double>(x.numerator) / static_cast<double>(x.denominator); }
long double poisson_probability(long double mean, int k) {
  return std::exp(-mean + static_cast<long double>(k) * std::log(mean) -
                  std::lgamma(static_cast<long double>(k) + 1));
}

} // namespace

TEST_CASE("the table of a Skellam law is that of Poisson counts of half the variance") {
  for (const auto v : variances) {
    const skellam_table table(v);
    const long double mean = number(v) / 2;
    const int low = std::max(0, static_cast<int>(mean - 9 * std::sqrt(mean)) - 2),
              high = static_cast<int>(mean + 9 * std::sqrt(mean)) + 10;
    CAPTURE(v.numerator, v.denominator);
    long double up_to = 0;
    for (int k = low; k <= high; ++k) {
      // Around the end of k's interval, the answer is k before and k + 1 after.
      up_to += poisson_probability(mean, k);
      const auto at = [](long double p) {
        return static_cast<detail::uint128>(std::clamp(p, 0.0L, 1 - 0x1p-63L) * 0x1p127L);
      };
      constexpr long double slack = 1e-13L; // of lgamma and the sum
      if (up_to > 1e-6L) CHECK(table.count_at(at(up_to - slack * (1 + mean))) <= k);
      if (up_to < 1 - 1e-6L) CHECK(table.count_at(at(up_to + slack * (1 + mean))) > k);
    }
  }
}

TEST_CASE("Skellam numbers have their law") {
  for (const auto v : {ratio{1, 10}, ratio{1, 1}, ratio{8, 3}, ratio{200, 1}}) {
    const long double mean = number(v) / 2;
    const int reach = static_cast<int>(8 * std::sqrt(number(v))) + 8,
              most = reach + static_cast<int>(4 * mean) + 60;
    std::vector<double> law;
    for (int x = -reach; x <= reach; ++x) {
      long double p = 0;
      for (int k = std::max(0, -x); k <= most; ++k)
        p += poisson_probability(mean, k) * poisson_probability(mean, k + x);
      law.push_back(static_cast<double>(p));
    }
    system_random source;
    std::vector<std::int64_t> drawn(200'000);
    skellam_table(v).fill(source, drawn);
    std::vector<std::uint64_t> counts(law.size());
    for (const auto x : drawn)
      ++counts[static_cast<std::size_t>(std::clamp<std::int64_t>(x + reach, 0, 2 * reach))];
    const auto found = test::compare_counts(counts, law);
    CAPTURE(v.numerator, v.denominator, found.measured, found.limit);
    CHECK_FALSE(found.refuted());
  }
}

TEST_CASE("the largest variance is what it should be, and words give the same numbers again") {
  const skellam_table table({1 << 17, 1});
  replayable_random source(3), again(3);
  std::vector<std::int64_t> drawn(100'000), repeated(100'000);
  table.fill(source, drawn);
  table.fill(again, repeated);
  CHECK(drawn == repeated);
  double sum = 0, squares = 0;
  for (const auto x : drawn) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  CHECK(std::abs(sum / 1e5) < 5 * std::sqrt(0x1p17 / 1e5));
  CHECK(squares / 1e5 / 0x1p17 == Approx(1).margin(5 * std::sqrt(2 / 1e5)));
}

TEST_CASE("a variance that no table holds is refused") {
  for (const auto bad :
       {ratio{0, 1}, ratio{1, 0}, ratio{1 << 30, 1 << 13}, ratio{1, 1 << 14}, ratio{(1 << 17) + 1, 1}})
    CHECK_THROWS_WITH(skellam_table(bad), Contains("skellam_table: variance is"));
}
