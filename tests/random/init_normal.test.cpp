#include "support/catch.hpp"

#include <privet/random/init_normal.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

using namespace privet;

namespace {

replayable_random known() { return replayable_random(0x0123456789ABCDEF, 0xFEDCBA9876543210); }

} // namespace

// Expected values: tests/oracles/random_words.py
TEST_CASE("initial weights are the same on every target") {
  const std::int32_t expected[] = {2070255, 1134875, 655673, 25111, 1596687, -1569067};
  auto source = known();
  for (const auto value : expected) {
    std::array<std::uint32_t, init_normal_words> words;
    source.fill(words);
    CHECK(init_normal(words) == value);
  }
  source = known();
  std::array<float, 6> floats;
  fill_init_normal(source, std::span<float>(floats), 0.25);
  source = known();
  std::array<double, 6> doubles;
  fill_init_normal(source, std::span<double>(doubles), 0.25);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(floats[i] == static_cast<float>(expected[i]) * static_cast<float>(0.25 * init_normal_step));
    CHECK(doubles[i] == expected[i] * (0.25 * init_normal_step));
  }
}

TEST_CASE("every count of an initial weight is odd, symmetric and exact as a float") {
  std::array<std::uint32_t, init_normal_words> none{}, all;
  all.fill(0xFFFFFFFF);
  STATIC_REQUIRE(init_normal(std::array<std::uint32_t, init_normal_words>{}) == -(240 * 65536 + 65535));
  CHECK(init_normal(none) == -init_normal(all));
  CHECK(init_normal(all) < 1 << 24);
  CHECK(init_normal(all) * init_normal_step < 15.6);
  CHECK(init_normal_step * 65536 * std::sqrt(240 + (1 - 0x1p-32) / 3) == Approx(1).epsilon(1e-15));
}

TEST_CASE("initial weights do not depend on how calls split them") {
  auto one = known(), two = known();
  std::vector<float> whole(300), pieces(300);
  fill_init_normal(one, std::span<float>(whole));
  for (std::size_t at = 0; at < 300; at += 7)
    fill_init_normal(two, std::span(pieces).subspan(at, std::min<std::size_t>(7, 300 - at)));
  CHECK(pieces == whole);
}

TEST_CASE("initial weights are normal") {
  // Fixed seed; moments within 4 of their standard deviations, Kolmogorov-Smirnov at 0.01 % plus the
  // documented 4e-4. A right generator fails one seed in 4000.
  constexpr std::size_t n = 1 << 18;
  replayable_random source(11);
  std::vector<double> x(n);
  fill_init_normal(source, std::span<double>(x));
  double sum = 0, squares = 0, fourths = 0, worst = 0;
  for (const double v : x) sum += v, squares += v * v, fourths += v * v * v * v;
  const double root = std::sqrt(static_cast<double>(n));
  CHECK(std::abs(sum / root) < 4);
  CHECK(std::abs((squares - n) / root) < 4 * std::sqrt(2.0));
  CHECK(std::abs((fourths - (3 - 2.0 / 240.0) * n) / root) < 4 * std::sqrt(96.0));
  std::sort(x.begin(), x.end());
  for (std::size_t i = 0; i < n; ++i)
    worst = std::max(
        worst, std::abs(0.5 * std::erfc(-x[i] / std::numbers::sqrt2) - (static_cast<double>(i) + 0.5) / n));
  CHECK(worst < 2.225 / root + 4e-4);
}

TEST_CASE("a standard deviation must be a number that is not negative") {
  auto source = known();
  std::array<float, 2> out;
  fill_init_normal(source, std::span<float>(out), 0);
  CHECK((out[0] == 0 && out[1] == 0));
  for (const double wrong : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK_THROWS_AS(fill_init_normal(source, std::span<float>(out), wrong), exception);
}
