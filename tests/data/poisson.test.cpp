#include "support/catch.hpp"

#include <privet/data/poisson.hpp>

#include <algorithm>
#include <cmath>
#include <set>

using namespace privet;

TEST_CASE("poisson: every row is drawn as often as its rate says, and pairs independently") {
  constexpr std::size_t rows = 40, draws = 20000;
  for (const double rate : {0.003, 0.1, 0.5, 0.97}) {
    system_random coins;
    poisson_batches sample(rows, {.rate = rate, .capacity = rows});
    std::vector<double> single(rows);
    double neighbours = 0;
    for (std::size_t i = 0; i < draws; ++i) {
      const auto batch = sample.draw(coins);
      CHECK(std::ranges::is_sorted(batch));
      for (std::size_t k = 0; k < batch.size(); ++k) {
        ++single[batch[k]];
        neighbours += k > 0 && batch[k] == batch[k - 1] + 1;
      }
    }
    // False alarm: 6 deviations of 41 counts at four rates, below 4e-7.
    const double spread = 6 * std::sqrt(draws * rate * (1 - rate)) + 6;
    for (const double count : single) CHECK(std::abs(count - draws * rate) < spread);
    const double pairs = draws * (rows - 1.0) * rate * rate;
    CHECK(std::abs(neighbours - pairs) < 6 * std::sqrt(pairs * (1 + 2 * rate)) + 6);
  }
}

TEST_CASE("poisson: a rate of 1 draws every row, a tiny one mostly none") {
  system_random coins;
  poisson_batches all(7, {.rate = 1});
  CHECK(all.draw(coins).size() == 7);
  poisson_batches none(7, {.rate = 1e-12});
  CHECK(none.draw(coins).empty()); // but for one time in 10^11
  CHECK(none.most() < 7);
}

TEST_CASE(
    "poisson: the capacity is met by fewer than one batch in 2^60, and its tail bounds the binomial's") {
  const poisson sampler{.rate = 0.01};
  const std::size_t most = sampler.most(7000);
  CHECK(most > 70);
  CHECK(most < 200);
  CHECK(sampler.overflow(7000) <= 0x1p-60);
  // Against the exact tail of Binomial(20, 0.3) above 10, 0.0171...: scipy.stats.binom.sf(10, 20, .3)
  CHECK(detail::binomial_tail(20, 0.3, 10) >= 0.0171448);
  CHECK(detail::binomial_tail(20, 0.3, 10) < 0.1);
  CHECK(detail::binomial_tail(20, 0.3, 20) == 0);
  CHECK(detail::binomial_tail(20, 0.3, 4) == 1);
}

TEST_CASE("poisson: a batch that is cut keeps each of the drawn rows equally often") {
  constexpr std::size_t rows = 10, draws = 20000;
  system_random coins;
  poisson_batches sample(rows, {.rate = 0.4, .capacity = 4});
  std::vector<double> count(rows);
  for (std::size_t i = 0; i < draws; ++i) {
    const auto batch = sample.draw(coins);
    REQUIRE(batch.size() <= 4);
    CHECK(std::set<std::uint32_t>(batch.begin(), batch.end()).size() == batch.size());
    for (const auto row : batch) ++count[row];
  }
  const auto [least, greatest] = std::ranges::minmax(count);
  CHECK(greatest - least < 10 * std::sqrt(draws * 0.25)); // 7 deviations of a difference: 1e-10
}

TEST_CASE("poisson: public coins repeat, secret ones do not") {
  const public_poisson known{.rate = 0.5, .seed = 7};
  poisson_batches a(100, known.law()), b(100, known.law());
  auto one = known.coins(3), two = known.coins(3), three = known.coins(4);
  const auto first = a.draw(one);
  const std::vector<std::uint32_t> kept(first.begin(), first.end());
  CHECK(std::ranges::equal(kept, b.draw(two)));
  CHECK_FALSE(std::ranges::equal(kept, b.draw(three)));
  system_random coins;
  CHECK_FALSE(std::ranges::equal(kept, b.draw(coins)));
}

TEST_CASE("poisson: numbers that make no sense are refused") {
  CHECK_THROWS_WITH(poisson_batches(10, poisson{.rate = 0}),
                    Catch::Contains("[N001") && Catch::Contains("rate 0"));
  CHECK_THROWS_WITH(poisson_batches(10, poisson{.rate = 1.5}), Catch::Contains("1.5"));
  CHECK_THROWS_WITH(poisson_batches(0, poisson{.rate = 0.5}), Catch::Contains("0 rows"));
  CHECK_THROWS_WITH(poisson_batches(10, poisson{.rate = 0.5, .capacity = 3}),
                    Catch::Contains("capacity of 3") && Catch::Contains("5 are drawn"));
}
