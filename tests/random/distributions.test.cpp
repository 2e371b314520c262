#include "support/catch.hpp"

#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <vector>

using namespace privet;

namespace {

replayable_random known() { return replayable_random(0x0123456789ABCDEF, 0xFEDCBA9876543210); }

/// Hands out chosen words and fails when there are none left.
struct script {
  std::deque<std::uint32_t> words;
  void fill(std::span<std::uint32_t> out) {
    for (auto& word : out) {
      REQUIRE_FALSE(words.empty());
      word = words.front();
      words.pop_front();
    }
  }
};

template <class F>
auto several(std::size_t n, F draw) {
  std::vector<decltype(draw())> out;
  while (out.size() < n) out.push_back(draw());
  return out;
}

} // namespace

// Expected values: tests/oracles/random_words.py
TEST_CASE("uniform, integer, coin and permutation draws are the same on every target") {
  SECTION("uniform01 in float") {
    auto source = known();
    CHECK(several(4, [&] { return uniform01(source); }) ==
          std::vector{0x1.5de55ap-1f, 0x1.ed36b2p-1f, 0x1.e75a2p-3f, 0x1.136caep-1f});
  }
  SECTION("uniform01 in double") {
    auto source = known();
    CHECK(
        several(4, [&] { return uniform01<double>(source); }) ==
        std::vector{0x1.ed36b2a15de55p-1, 0x1.136cae7479d68p-1, 0x1.19c7f617b0aacp-2, 0x1.2ddfb1d9d37b2p-2});
  }
  SECTION("uniform_below a small bound") {
    auto source = known();
    CHECK(several(16, [&] { return uniform_below(source, 10); }) ==
          std::vector<std::uint64_t>{9, 5, 2, 2, 7, 2, 8, 1, 8, 2, 7, 5, 9, 6, 4, 6});
  }
  SECTION("uniform_below a bound that rejects half of the words") {
    auto source = known();
    CHECK(several(8, [&] { return uniform_below(source, (std::uint64_t{1} << 63) + 1); }) ==
          std::vector<std::uint64_t>{4961607368299618938u, 2538058503328979407u, 1461018241477178411u,
                                     2635346549488821901u, 6664743189828356330u, 5613971832147228483u,
                                     4016113759893453589u, 6378783785064146501u});
  }
  SECTION("bernoulli") {
    auto source = known();
    CHECK(several(24, [&] { return int{bernoulli(source, 0.3)}; }) ==
          std::vector{0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0});
  }
  SECTION("permutation") {
    auto source = known();
    std::array<std::uint32_t, 12> order;
    permutation(source, order);
    CHECK(order == std::array<std::uint32_t, 12>{8, 6, 4, 3, 0, 7, 1, 10, 9, 2, 5, 11});
  }
}

TEST_CASE("uniform01 reaches zero and stays below one") {
  const std::uint32_t ones = 0xFFFFFFFF;
  script source{{0, ones, 0, 0, ones, ones}};
  CHECK(uniform01<float>(source) == 0.0f);
  CHECK(uniform01<float>(source) == 1.0f - 0x1p-24f);
  CHECK(uniform01<double>(source) == 0.0);
  CHECK(uniform01<double>(source) == 1.0 - 0x1p-53);
}

TEST_CASE("uniform_below draws two words per attempt and rejects exactly the surplus") {
  // 2^64 = 3 k + 1: of all 64-bit words one, zero, is surplus.
  script source{{0, 0, 1, 0, 0xFFFFFFFF, 0xFFFFFFFF}};
  CHECK(uniform_below(source, 3) == 0);
  CHECK(source.words.size() == 2);
  CHECK(uniform_below(source, 3) == 2);
  script one{{7, 7}};
  CHECK(uniform_below(one, 1) == 0);
  script widest{{5, 6}};
  CHECK(uniform_below(widest, ~std::uint64_t{0}) == 0x600000004u);
  CHECK_THROWS_AS(uniform_below(one, 0), exception);
}

TEST_CASE("uniform_below is even") {
  // Chi-square with 9 degrees of freedom, fixed seed; a right generator fails one seed in 1000.
  replayable_random source(1);
  constexpr int draws = 100000;
  std::array<int, 10> count{};
  for (int i = 0; i < draws; ++i) ++count[uniform_below(source, 10)];
  double chi_square = 0;
  for (const int c : count) chi_square += (c - draws / 10.0) * (c - draws / 10.0) / (draws / 10.0);
  CHECK(chi_square < 27.88);
}

TEST_CASE("bernoulli compares with the exact threshold and always draws two words") {
  SECTION("certain and impossible") {
    script source{{0, 0, 0xFFFFFFFF, 0xFFFFFFFF}};
    CHECK_FALSE(bernoulli(source, 0));
    CHECK(bernoulli(source, 1));
    CHECK(source.words.empty());
  }
  SECTION("one half splits at the top bit") {
    script source{{0xFFFFFFFF, 0x7FFFFFFF, 0, 0x80000000}};
    CHECK(bernoulli(source, 0.5));
    CHECK_FALSE(bernoulli(source, 0.5));
  }
  SECTION("the smallest step is 2^-64") {
    script source{{0, 0, 1, 0, 0, 0}};
    CHECK(bernoulli(source, 0x1p-64));
    CHECK_FALSE(bernoulli(source, 0x1p-64));
    CHECK_FALSE(bernoulli(source, 0x1p-65));
  }
  SECTION("no probability") {
    auto source = known();
    for (const double p : {-0.1, 1.0000001, std::nan(""), std::numeric_limits<double>::infinity()})
      CHECK_THROWS_AS(bernoulli(source, p), exception);
  }
  SECTION("the frequency fits") {
    // Four standard deviations, fixed seed; a right generator fails one seed in 15000.
    replayable_random source(2);
    int heads = 0;
    for (int i = 0; i < 100000; ++i) heads += bernoulli(source, 0.01);
    CHECK(std::abs(heads - 1000) < 4 * std::sqrt(990.0));
  }
}

TEST_CASE("a permutation holds every number once and every order is equally likely") {
  replayable_random source(3);
  for (std::uint32_t n = 0; n < 50; ++n) {
    std::vector<std::uint32_t> order(n);
    permutation(source, order);
    std::sort(order.begin(), order.end());
    for (std::uint32_t i = 0; i < n; ++i) REQUIRE(order[i] == i);
  }
  // Chi-square with 23 degrees of freedom, fixed seed; a right shuffle fails one seed in 1000.
  std::array<int, 256> count{};
  for (int i = 0; i < 24000; ++i) {
    std::array<std::uint32_t, 4> order;
    permutation(source, order);
    ++count[order[0] | order[1] << 2 | order[2] << 4 | order[3] << 6];
  }
  double chi_square = 0;
  int orders = 0;
  for (const int c : count)
    if (c) ++orders, chi_square += (c - 1000.0) * (c - 1000.0) / 1000.0;
  CHECK(orders == 24);
  CHECK(chi_square < 49.73);
}
