#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/core/fixed_point.hpp>
#include <privet/crypto/fixed_update.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

std::vector<std::int64_t> fixed(const packing& how, example_weight weight, std::span<const float> x) {
  std::vector<std::int64_t> out(x.size());
  static_cast<void>(to_fixed_update(how, weight, x, std::span(out)).value());
  return out;
}

} // namespace

TEST_CASE("fixed update: the integers are those of fixed_point for what a client sends") {
  for (const int bits : {1, 20, 24, 40, 45}) {
    const packing how{.slot_bits = 64, .clients = 4, .range = 32, .fraction_bits = bits};
    const fixed_point plain{.fraction_bits = bits, .whole_bits = 5};
    for (const example_weight weight : {example_weight{1, 1}, {1, 3}, {347, 1421}, {1, 7'000'003}}) {
      auto x = test::normals<float>(1003, 11);
      x[0] = 0, x[1] = -0.f, x[2] = 31.4f, x[3] = -31.4f, x[4] = 0x1p-149f;
      const auto q = fixed(how, weight, x);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const auto sent = static_cast<float>(weight.value() * static_cast<double>(x[i]));
        REQUIRE(q[i] == plain.encode(sent));
      }
    }
  }
}

TEST_CASE("fixed update: sums equal the fixed-point sum to the bit and that of floats to 2^-20") {
  constexpr std::size_t clients = 32, numbers = 517;
  const packing how{.clients = clients, .range = 4, .fraction_bits = 24};
  how.check();
  std::uint64_t all = 0;
  for (std::size_t c = 0; c < clients; ++c) all += 17 * c + 5;
  fixed_sum plain(numbers, {.fraction_bits = 24, .whole_bits = 2});
  std::vector<std::int64_t> sums(numbers);
  std::vector<double> floats(numbers), decoded(numbers);
  for (std::size_t c = 0; c < clients; ++c) {
    const example_weight weight{17 * c + 5, all};
    const auto x = test::normals<float>(numbers, 100 + c);
    std::vector<float> sent(numbers);
    for (std::size_t i = 0; i < numbers; ++i) {
      sent[i] = static_cast<float>(weight.value() * static_cast<double>(x[i]));
      floats[i] += static_cast<double>(sent[i]);
    }
    REQUIRE(plain.add(std::span<const float>(sent)));
    const auto q = fixed(how, weight, x), again = fixed(how, {1, 1}, sent); // scaled before or here
    REQUIRE(q == again);
    for (std::size_t i = 0; i < numbers; ++i) sums[i] += q[i];
  }
  from_fixed_update(how, std::span<const std::int64_t>(sums), std::span(decoded));
  for (std::size_t i = 0; i < numbers; ++i) {
    REQUIRE(decoded[i] == plain[i]);
    REQUIRE(std::abs(decoded[i] - floats[i]) <= 0x1p-20);
  }
}

TEST_CASE("fixed update: what lies beyond the range is cut, and counted") {
  const packing how{.slot_bits = 16, .range = 2, .fraction_bits = 4}; // -31 .. 31
  const std::vector<float> x{1.9375f, 2,     1.96f,    -2,       -1.9375f, 2000,
                             -2047,   1.94f, 0.03125f, 0.09375f, -0.03125f};
  std::vector<std::int64_t> q(x.size());
  const auto clipped = to_fixed_update(how, {}, x, std::span(q));
  REQUIRE(clipped);
  CHECK(*clipped == 6);
  CHECK(q == std::vector<std::int64_t>{31, 31, 31, -31, -31, 31, -31, 31, 0, 2, 0}); // ties to even
}

TEST_CASE("fixed update: a number that no training sends is refused by its index") {
  const packing how{.range = 1};
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  for (const std::size_t at : {0u, 5u, 63u, 200u})
    for (const float bad : {nan, -nan, infinity, -infinity, 1024.f, -1024.f, 3e38f}) {
      auto x = test::normals<float>(201, at + 1);
      x[at] = bad;
      std::vector<std::int64_t> q(x.size(), 7);
      const auto made = to_fixed_update(how, {}, x, std::span(q));
      REQUIRE_FALSE(made);
      CHECK(made.error().kind == fault::range);
      CHECK_THAT(made.error().message, Contains(concat("number ", at, " is ", bad, ", the range is 1")));
      CHECK(std::ranges::all_of(q, [](auto n) { return n == 0; })); // nothing is half accepted
    }
  std::vector<float> x{0.5f, 1023.9f};
  std::vector<std::int64_t> q(2);
  CHECK(to_fixed_update(how, {}, x, std::span(q)));
  x[1] = 4095;
  CHECK(to_fixed_update(how, {1, 4}, x, std::span(q))); // the weight counts
  x[1] = 4096;
  const auto made = to_fixed_update(how, {1, 4}, x, std::span(q));
  REQUIRE_FALSE(made);
  CHECK_THAT(made.error().message,
             Contains("number 1 is 4096 times 0.25, the range is 1 and a number beyond 1024"));
}

TEST_CASE("fixed update: rounding at random keeps the mean, and moves by less than a step") {
  const packing how{.range = 2, .fraction_bits = 4};
  for (const double fraction : {0.0, 0.125, 0.5, 0.9})
    for (const double whole : {-3.0, 0.0, 5.0}) {
      const double steps = whole + fraction;
      const std::vector<float> x(40'000, static_cast<float>(steps / 16));
      replayable_random source(77);
      std::vector<std::int64_t> q(x.size());
      REQUIRE(to_fixed_update(how, {}, x, std::span(q), round_at_random{source}));
      double sum = 0;
      for (const auto n : q) {
        const auto number = static_cast<double>(n);
        REQUIRE((number == whole || number == whole + 1));
        sum += number;
      }
      // Five deviations of a mean of coins: a false alarm in 2 million.
      CHECK(std::abs(sum / static_cast<double>(x.size()) - steps) <= 5 * 0.5 / 200);
      if (fraction == 0.0) CHECK(sum == whole * static_cast<double>(x.size()));
    }
}

TEST_CASE("fixed update: random rounding takes a word a number, the same on every architecture") {
  const packing how{.range = 1, .fraction_bits = 10};
  const auto x = test::normals<float>(1000, 3);
  std::vector<float> small(x);
  for (auto& v : small) v *= 0.2f;
  std::vector<std::int64_t> a(1000), b(1000), c(1000);
  replayable_random one(5), other(5), third(5);
  REQUIRE(to_fixed_update(how, {1, 3}, small, std::span(a), round_at_random{one}));
  REQUIRE(to_fixed_update<simd::scalar>(how, {1, 3}, small, std::span(b), round_at_random{other}));
  CHECK(a == b);
  std::vector<std::uint32_t> words(1000);
  third.fill(words);
  for (std::size_t i = 0; i < c.size(); ++i) {
    const double y =
        static_cast<double>(static_cast<float>(1.0 / 3.0 * static_cast<double>(small[i]))) * 1024;
    c[i] = static_cast<std::int64_t>(std::floor(y)) + (words[i] * 0x1p-32 < y - std::floor(y));
  }
  CHECK(a == c);
  system_random secret;
  CHECK(to_fixed_update(how, {1, 3}, small, std::span(a), round_at_random{secret}));
}

TEST_CASE("fixed update: clipping and random rounding stay within the range") {
  const packing how{.range = 1, .fraction_bits = 3};
  const std::vector<float> x(1000, 1.f), y(1000, -1.f);
  std::vector<std::int64_t> q(1000);
  replayable_random source(1);
  REQUIRE(to_fixed_update(how, {}, x, std::span(q), round_at_random{source}).value() == 1000);
  CHECK(std::ranges::all_of(q, [](auto n) { return n == 7; }));
  REQUIRE(to_fixed_update(how, {}, y, std::span(q), round_at_random{source}).value() == 1000);
  CHECK(std::ranges::all_of(q, [](auto n) { return n == -7; }));
}

TEST_CASE("fixed update: every length, on the default and the scalar architecture") {
  const packing how{.range = 1};
  for (std::size_t n = 0; n <= 67; ++n) {
    auto x = test::normals<float>(n + 1, n);
    for (auto& v : x) v *= 0.3f;
    const auto unaligned = std::span<const float>(x).subspan(1);
    std::vector<std::int64_t> a(n), b(n);
    REQUIRE(to_fixed_update(how, {2, 3}, unaligned, std::span(a)));
    REQUIRE(to_fixed_update<simd::scalar>(how, {2, 3}, unaligned, std::span(b)));
    REQUIRE(a == b);
  }
}

TEST_CASE("fixed update: mistakes of the caller are thrown") {
  std::vector<float> x(3);
  std::vector<std::int64_t> q(3), two(2);
  CHECK_THROWS_WITH(to_fixed_update({}, {}, x, std::span(two)), Contains("of 3 numbers: room for 2"));
  CHECK_THROWS_WITH(to_fixed_update({}, {0, 5}, x, std::span(q)), Contains("0 examples of 5"));
  CHECK_THROWS_WITH(to_fixed_update({}, {6, 5}, x, std::span(q)), Contains("6 examples of 5"));
  CHECK_THROWS_WITH(
      to_fixed_update({.slot_bits = 64, .range = 0x1p52, .fraction_bits = 0}, {}, x, std::span(q)),
      Contains("too wide for floats"));
  std::vector<double> d(2);
  CHECK_THROWS_WITH(from_fixed_update({}, std::span<const std::int64_t>(q), std::span(d)),
                    Contains("of 3 numbers: room for 2"));
  CHECK(to_fixed_update({.slot_bits = 64, .range = 0x1p51, .fraction_bits = 0}, {}, x, std::span(q)));
}

TEST_CASE("fixed update: the widest range for floats is exact") {
  const packing how{.slot_bits = 64, .range = 0x1p51, .fraction_bits = 0};
  const std::vector<float> x{0x1p51f, -0x1p51f, 0x1.fffffep50f, -0x1.fffffep50f, 3.5f, -2.5f};
  std::vector<std::int64_t> q(x.size());
  REQUIRE(to_fixed_update(how, {}, x, std::span(q)));
  const std::int64_t most = (std::int64_t{1} << 51) - 1, large = static_cast<std::int64_t>(0x1.fffffep50);
  CHECK(q == std::vector<std::int64_t>{most, -most, large, -large, 4, -2});
}
