#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/random/replayable.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/quantise.hpp>

#include <algorithm>
#include <cmath>

using namespace privet;
using simd::quantise_grid;

namespace {

std::vector<std::uint32_t> words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> out(n);
  replayable_random(seed).fill(out);
  return out;
}

/// Where x lies on the grid: the one rounded product, then exact numbers.
double place(float x, quantise_grid grid) {
  const volatile float per_unit = static_cast<float>(grid.most) / grid.bound;
  const volatile float steps = std::abs(x) * per_unit;
  return std::min(static_cast<double>(steps), static_cast<double>(grid.most));
}

/// In double, by the definition.
std::int32_t oracle(float x, quantise_grid grid, std::uint32_t word) {
  if (std::isnan(x)) return 0;
  const double at = place(x, grid), whole = std::floor(at);
  const double q = whole + (std::floor(word / 2.0) < std::floor((at - whole) * 0x1p31));
  return static_cast<std::int32_t>(std::signbit(x) ? -q : q);
}
std::int32_t oracle(float x, quantise_grid grid) {
  if (std::isnan(x)) return 0;
  const double q = std::floor(place(x, grid) + 0.5);
  return static_cast<std::int32_t>(std::signbit(x) ? -q : q);
}

template <class Arch, class Int>
void check(std::size_t n, quantise_grid grid) {
  INFO("n " << n << ", bound " << grid.bound << ", most " << grid.most << ", " << sizeof(Int) << " bytes");
  auto numbers = test::mixed<float>(n, n);
  for (auto& x : numbers) x *= grid.bound;
  test::guarded<float> x(numbers);
  test::guarded<std::uint32_t> lots(words(n, n));
  test::guarded<Int> out{std::vector<Int>(n)};
  std::vector<Int> at_random, nearest;
  std::size_t outside = 0;
  for (std::size_t i = 0; i < n; ++i) {
    at_random.push_back(static_cast<Int>(oracle(numbers[i], grid, lots.data()[i])));
    nearest.push_back(static_cast<Int>(oracle(numbers[i], grid)));
    outside += !(std::abs(numbers[i]) <= grid.bound);
  }
  const std::span<const float> from(x.data(), n);
  const std::span<Int> to(out.data(), n);
  REQUIRE(simd::quantise<Arch>(from, grid, std::span<const std::uint32_t>(lots.data(), n), to) == outside);
  REQUIRE(out.values() == at_random);
  REQUIRE(simd::quantise<Arch>(from, grid, to) == outside);
  REQUIRE(out.values() == nearest);
  REQUIRE(out.intact());

  test::guarded<float> back{std::vector<float>(n)};
  simd::dequantise<Arch>(std::span<const Int>(to), grid, std::span(back.data(), n));
  for (std::size_t i = 0; i < n; ++i)
    REQUIRE(back.data()[i] == static_cast<float>(nearest[i]) * (grid.bound / static_cast<float>(grid.most)));
  REQUIRE(back.intact());
}

template <class Arch>
void check_all(std::size_t n) {
  check<Arch, std::int8_t>(n, quantise_grid::of_bits(8, 1.f));
  check<Arch, std::int8_t>(n, {.bound = 0.37f, .most = 1});
  check<Arch, std::int8_t>(n, {.bound = 3.f, .most = 7});
  check<Arch, std::int16_t>(n, quantise_grid::of_bits(16, 0.1f));
  check<Arch, std::int16_t>(n, {.bound = 0x1p64f, .most = 1000});
  check<Arch, std::int32_t>(n, quantise_grid::of_bits(25, 2.5f));
  check<Arch, std::int32_t>(n, {.bound = 0x1p-64f, .most = 1 << 24});
}

} // namespace

TEST_CASE("quantise equals its definition in double at every small size") {
  for (std::size_t n = 0; n <= 67; ++n) {
    check_all<simd::default_arch>(n);
    check_all<simd::scalar>(n);
  }
  for (const std::size_t n : {127u, 128u, 129u, 200u, 1000u}) check_all<simd::default_arch>(n);
}

TEST_CASE("quantise_reference goes up for exactly the share of words that the fraction is") {
  const quantise_grid grid{.bound = 1, .most = 127};
  for (const float x : {0.001f, 0.3f, 0.5f, -0.77f, 0.9999f, 1e-9f, 0x1p-38f}) {
    const double at = place(x, grid), whole = std::floor(at);
    const auto up = static_cast<std::uint32_t>((at - whole) * 0x1p31); // words 0 .. 2 up - 1
    INFO("x " << x << ", words up " << up);
    const auto size = [&](std::uint32_t word) { return std::abs(simd::quantise_reference(x, grid, word)); };
    CHECK(size(2 * up) == static_cast<int>(whole));
    CHECK(size(0xFFFFFFFF) == static_cast<int>(whole));
    if (up > 0) CHECK(size(2 * up - 1) == static_cast<int>(whole) + 1);
    CHECK(std::abs(2.0 * up / 0x1p32 - (at - whole)) <= 0x1p-31);
  }
}

// Each mean is within 5.5 of its standard deviations with a confidence of 1 - 4e-8, all 60 of them
// with 1 - 3e-6.
TEST_CASE("quantised at random, numbers keep their expectation") {
  constexpr std::size_t draws = 1 << 17;
  const auto check_mean = [&]<class Int>(Int, quantise_grid grid, std::uint64_t seed) {
    const auto lots = words(draws, seed);
    std::vector<Int> q(draws);
    for (int i = 0; i < 20; ++i) {
      const auto x = grid.bound * std::sin(static_cast<float>(i) * 1.7f + 0.1f);
      const std::vector<float> same(draws, x);
      CHECK(simd::quantise(same, grid, lots, std::span(q)) == 0);
      std::vector<float> back(draws);
      simd::dequantise(std::span<const Int>(q), grid, back);
      double sum = 0;
      for (const float v : back) sum += v;
      const double at = place(x, grid), up = at - std::floor(at), step = grid.bound / double(grid.most);
      const double deviation = step * std::sqrt(up * (1 - up) / draws);
      INFO("x " << x << ", mean " << sum / draws << ", deviation " << deviation);
      CHECK(std::abs(sum / draws - x) <= 5.5 * deviation + 0x1p-22 * std::abs(x) + 0x1p-31 * step);
    }
  };
  check_mean(std::int8_t{}, quantise_grid::of_bits(8, 0.5f), 1);
  check_mean(std::int8_t{}, quantise_grid{.bound = 2, .most = 1}, 2);
  check_mean(std::int16_t{}, quantise_grid::of_bits(16, 7.f), 3);
}

TEST_CASE("rounding to the nearest gives every level back, and halves go away from zero") {
  for (const quantise_grid grid :
       {quantise_grid{1.f, 127}, quantise_grid{0.37f, 32767}, quantise_grid{1e9f, 3}}) {
    std::vector<std::int32_t> levels, found;
    for (std::int32_t q = -grid.most; q <= grid.most; ++q) levels.push_back(q);
    std::vector<float> x(levels.size());
    found.resize(levels.size());
    simd::dequantise(std::span<const std::int32_t>(levels), grid, x);
    CHECK(simd::quantise(x, grid, std::span(found)) == 0);
    CHECK(found == levels);
  }
  std::vector<std::int8_t> q(6);
  const std::vector<float> halves = {0.5f, -0.5f, 1.5f, -2.5f, 0.49999997f, 3.5f};
  simd::quantise(halves, {.bound = 4, .most = 4}, std::span(q));
  CHECK(q == std::vector<std::int8_t>{1, -1, 2, -3, 0, 4});
}

TEST_CASE("what lies beyond the bound is cut and counted; NaN becomes zero") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(100, 0.25f);
  const std::vector<float> odd = {1, -1, 1.0000001f, -1.5f, inf, -inf, nan, -nan, 3e38f, 0};
  std::ranges::copy(odd, x.begin() + 30);
  std::vector<std::int8_t> q(x.size());
  const auto ones = std::vector<std::uint32_t>(x.size(), 0xFFFFFFFF);
  const std::vector<std::int8_t> expected = {127, -127, 127, -127, 127, -127, 0, 0, 127, 0};
  CHECK(simd::quantise(x, quantise_grid::of_bits(8, 1), ones, std::span(q)) == 7);
  CHECK(std::vector<std::int8_t>(q.begin() + 30, q.begin() + 40) == expected);
  CHECK(simd::quantise(x, quantise_grid::of_bits(8, 1), std::span(q)) == 7);
  CHECK(std::vector<std::int8_t>(q.begin() + 30, q.begin() + 40) == expected);
}

TEST_CASE("the same words give the same integers on every target, and where denormals are flushed") {
  constexpr std::size_t n = 10000;
  const auto lots = words(n, 11), numbers = words(n, 12);
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) { // some beyond the bound, some denormal
    const auto v = static_cast<float>(static_cast<std::int32_t>(numbers[i]));
    x[i] = i % 9 ? v * 0x1.1p-31f : v * 0x1p-80f * 0x1p-80f;
  }
  const auto digest = [&](quantise_grid grid) {
    std::vector<std::int16_t> q(n);
    std::uint64_t sum = simd::quantise(x, grid, lots, std::span(q));
    for (const auto v : q) sum = (sum ^ static_cast<std::uint16_t>(v)) * 0x100000001B3;
    return sum;
  };
  const auto check_digests = [&] {
    CHECK(digest({.bound = 1, .most = 127}) == 0xCA74D3FF8C957AB7u);
    CHECK(digest({.bound = 0.7f, .most = 32767}) == 0x706ED06E6A4EC20Au);
  };
  check_digests();
  const simd::flush_denormals quick;
  check_digests();
}
