#include "support/catch.hpp"

#include <privet/random/exact_coins.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <vector>

using namespace privet;

namespace {

/// Words from a list, one at a time.
struct listed_words {
  std::vector<std::uint32_t> words;
  std::size_t used = 0;
  std::uint32_t next() { return words.at(used++); }
};

/// Whether so many ones of n coins are as likely as once in 10^6 if one comes with probability p.
bool plausible(std::size_t ones, std::size_t n, double p) {
  const double size = static_cast<double>(n);
  return std::abs(static_cast<double>(ones) - size * p) <= 4.9 * std::sqrt(size * p * (1 - p)) + 1e-9 * size;
}

} // namespace

TEST_CASE("a coin of a rational number decides as the exact comparison, however many words it takes") {
  replayable_random source(1);
  std::size_t long_ones = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t q = 1 + uniform_below(source, 1 << 20), p = uniform_below(source, q),
                        k = 1 + uniform_below(source, 1000);
    // A first word next to x / k, so that a second is often needed, and a third if that is equal too.
    const auto fraction = detail::uint128{p} << 96;
    const auto digits = fraction / (detail::uint128{q} * k); // of x / k, 96
    std::uint32_t words[3];
    for (int w = 0; w < 3; ++w) words[w] = static_cast<std::uint32_t>(digits >> (64 - 32 * w));
    const auto changed = uniform_below(source, 3);
    words[changed] += static_cast<std::uint32_t>(uniform_below(source, 3)) - 1;
    for (auto w = changed + 1; w < 3; ++w) words[w] = detail::draw32(source);

    const auto decide = [&](auto x) {
      listed_words from{{words[0], words[1], words[2], 0x80000000, 0x80000000}};
      const std::uint64_t first = x.next();
      const bool below = detail::part_of(from, first, x, k);
      long_ones += from.used > 1;
      // What it had seen: the words as an interval, against x / k.
      if (from.used <= 2) {
        detail::uint128 seen = 0;
        for (std::size_t w = 0; w < from.used; ++w) seen = seen << 32 | words[w];
        const auto x_over_k = detail::uint128{p} << (32 * from.used), unit = detail::uint128{q} * k;
        if (below)
          REQUIRE((seen + 1) * unit <= x_over_k);
        else
          REQUIRE(seen * unit >= x_over_k);
      }
      return below;
    };
    const bool small = decide(detail::digits_of_small(p, q));
    REQUIRE(small == decide(detail::digits_of_large(p, q)));
  }
  CHECK(long_ones > 20000);
}

TEST_CASE("digits of a fraction are those of the division") {
  replayable_random source(2);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t q = 1 + (detail::draw64(source) >> (1 + i % 63)), p = uniform_below(source, q);
    detail::digits_of_large digits(p, q);
    const std::uint64_t first = digits.next(), second = digits.next();
    REQUIRE((first << 32 | second) == static_cast<std::uint64_t>((detail::uint128{p} << 64) / q));
    if (q >> 32 == 0) {
      detail::digits_of_small same(p, q);
      REQUIRE(same.next() == first);
      REQUIRE(same.next() == second);
    }
    // The same fraction, enlarged beyond 64 bits.
    const auto up = detail::uint128{1} << (i % 62 + 1);
    detail::digits_of_large enlarged(p * up, q * up);
    REQUIRE(enlarged.next() == first);
    REQUIRE(enlarged.next() == second);
  }
}

TEST_CASE("a coin of exp(-x) shows 1 so often") {
  // Fixed seed; each line fails once in 10^6 seeds.
  constexpr std::size_t n = 1 << 18;
  replayable_random source(3);
  const ratio all[] = {{0, 1},
                       {1, 1},
                       {1, 2},
                       {1, 1000000},
                       {999, 1000},
                       {7, 2},
                       {25, 3},
                       {5, 4},
                       {(std::uint64_t{1} << 62) + 1, (std::uint64_t{1} << 62) + 3},
                       {1, (std::uint64_t{1} << 63) - 1}};
  for (const auto x : all) {
    std::size_t ones = 0;
    for (std::size_t i = 0; i < n; ++i) ones += bernoulli_exp(source, x);
    const double p = std::exp(-static_cast<double>(x.numerator) / static_cast<double>(x.denominator));
    CAPTURE(x.numerator, x.denominator, ones);
    CHECK(plausible(ones, n, p));
  }
}

TEST_CASE("the coin of exp(-1) by one word is that of its three coins") {
  // Each first word decides alone: false from 1/2 on, true from 1/6 on.
  const auto show = [](std::vector<std::uint32_t> words, std::size_t used) {
    listed_words from{std::move(words)};
    const bool one = detail::exp_of_minus_one(from);
    CHECK(from.used == used);
    return one;
  };
  CHECK_FALSE(show({0xFFFFFFFF}, 1));
  CHECK_FALSE(show({0x80000000}, 1));
  CHECK(show({0x7FFFFFFF}, 1));
  CHECK(show({0x2AAAAAAB}, 1));
  // 2^32 / 6 = 0x2AAAAAAA + 2/3: a third of that word is above.
  CHECK(show({0x2AAAAAAA, 0x10000000}, 2));
  CHECK_FALSE(show({0x2AAAAAAA, 0x90000000, 0x90000000}, 3)); // below, and then no coin of 1/4
  CHECK_FALSE(show({0x2AAAAAA9, 0x40000001}, 2));
  CHECK(show({0, 0x3FFFFFFF, 0x40000001}, 3)); // 1/4, but not 1/5
}

TEST_CASE("a word buffer hands out the words of its source in order, and bits from the lowest on") {
  replayable_random a(4), b(4);
  detail::word_buffer<replayable_random> words(a, 20);
  std::uint32_t expected[61];
  b.fill(expected);
  for (std::size_t i = 0; i < 60; ++i) REQUIRE(words.next() == expected[i]);
  for (int bit = 0; bit < 32; ++bit) REQUIRE(words.bit() == ((expected[60] >> bit & 1) != 0));
}

TEST_CASE("a coin of exp(-x) refuses a denominator that it cannot divide by") {
  system_random source;
  for (const auto bad : {std::uint64_t{0}, std::uint64_t{1} << 63}) {
    try {
      static_cast<void>(bernoulli_exp(source, {1, bad}));
      FAIL("accepted");
    } catch (const exception& e) {
      CHECK(e.kind() == fault::argument);
    }
  }
}
