#include "fixtures/discrete_gaussian.hpp"
#include "support/catch.hpp"

#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace privet;

namespace {

double number(ratio x) { return static_cast<double>(x.numerator) / static_cast<double>(x.denominator); }

template <class Sampler>
std::vector<std::int64_t> draw(const Sampler& sampler, std::size_t n, std::uint64_t seed) {
  replayable_random source(seed);
  std::vector<std::int64_t> out(n);
  sampler.fill(source, out);
  return out;
}

/// Chi-square against exp(-x^2 / 2 sigma^2), in groups of neighbours of which 100 or more are expected.
/// Whether a right sampler shows more at most once in 10^6 (Wilson, Hilferty, 1931).
bool fits(const std::vector<std::int64_t>& drawn, double variance) {
  const auto end = static_cast<std::int64_t>(9 * std::sqrt(variance)) + 3;
  const std::int64_t group = static_cast<std::int64_t>(std::sqrt(variance) / 20) + 1;
  const auto weight = [&](std::int64_t x) {
    return std::exp(-static_cast<double>(x) * static_cast<double>(x) / (2 * variance));
  };
  double total = 0;
  for (auto x = -end; x <= end; ++x) total += weight(x);
  std::vector<double> counted(static_cast<std::size_t>(2 * end / group) + 1), expected(counted.size());
  const auto cell = [&](std::int64_t x) { return static_cast<std::size_t>((x + end) / group); };
  for (auto x = -end; x <= end; ++x)
    expected[cell(x)] += weight(x) / total * static_cast<double>(drawn.size());
  for (const auto x : drawn) {
    REQUIRE(std::abs(x) <= end); // beyond 9 deviations: once in 10^12
    counted[cell(x)] += 1;
  }
  double sum = 0, seen = 0, wanted = 0, left = static_cast<double>(drawn.size());
  int cells = 0;
  for (std::size_t i = 0; i < counted.size(); ++i) {
    seen += counted[i], wanted += expected[i];
    if (wanted < 100 || left - wanted < 100) continue;
    sum += (seen - wanted) * (seen - wanted) / wanted;
    left -= wanted;
    seen = wanted = 0;
    ++cells;
  }
  sum += (seen - wanted) * (seen - wanted) / wanted;
  const double v = 2.0 / (9 * cells);
  CAPTURE(sum, cells);
  CHECK(cells >= 2);
  return sum < cells * std::pow(1 - v + 4.753 * std::sqrt(v), 3);
}

template <class Make>
void refused(Make make) {
  try {
    make();
    FAIL("accepted");
  } catch (const exception& e) {
    CHECK(e.kind() == fault::argument);
  }
}

} // namespace

TEST_CASE("the exact discrete Gaussian has its law, by small and by large numbers") {
  // Fixed seed. The second of two equal variances is too long for 32 bits and goes the other way.
  const std::uint64_t long_part = 1'000'003;
  for (const auto variance :
       {ratio{1, 4}, ratio{1, 1}, ratio{2, 1}, ratio{3, 2}, ratio{100, 1}, ratio{4096, 1},
        ratio{2 * long_part, long_part}, ratio{100 * long_part, long_part}, ratio{1'000'000, 1},
        ratio{(std::uint64_t{1} << 46) + 5, std::uint64_t{1} << 40}}) {
    CAPTURE(variance.numerator, variance.denominator);
    CHECK(fits(draw(discrete_gaussian(variance), 1 << 18, 1), number(variance)));
  }
}

TEST_CASE("the exact discrete Gaussian from sigma 0.001 to 10^6") {
  for (const auto x : draw(discrete_gaussian({1, 1'000'000}), 2000, 2)) REQUIRE(x == 0); // else: exp(-500000)
  constexpr std::size_t n = 1 << 16;
  const auto large = draw(discrete_gaussian({1'000'000'000'000, 1}), n, 3);
  double mean = 0, square = 0;
  for (const auto x : large) {
    mean += static_cast<double>(x) * 1e-6;
    square += static_cast<double>(x) * static_cast<double>(x) * 1e-12;
  }
  CHECK(std::abs(mean) < 4.9 * std::sqrt(static_cast<double>(n))); // once in 10^6 each
  CHECK(std::abs(square - n) < 4.9 * std::sqrt(2.0 * n));
}

TEST_CASE("the exact sampler gives the same numbers for a variance in lower and in higher terms") {
  // Coins differ in nothing but how the digits of one fraction are found.
  const std::uint64_t times = 1 << 20;
  CHECK(draw(discrete_gaussian({50, 3}), 20000, 4) ==
        draw(discrete_gaussian({50 * times, 3 * times}), 20000, 4));
}

// Truth: tests/oracles/discrete_gaussian.py, 400 bits.
TEST_CASE("the table holds the exact distribution") {
  std::size_t at = 0;
  for (const auto& [n, d, size, places] : test::discrete_gaussian::cases) {
    const discrete_gaussian_table table({n, d});
    CAPTURE(n, d);
    REQUIRE(table.size() == size);
    double total = 0; // twice the total variation is at most the sum of the errors of neighbours
    for (std::uint64_t i = 0; i < places; ++i, ++at) {
      const auto& [place, high, low] = test::discrete_gaussian::points[at];
      const auto truth = detail::uint128{high} << 64 | low, got = table.entry(place);
      const auto error = got > truth ? got - truth : truth - got;
      REQUIRE(error < 1 << 16); // of 2^-127
      total += static_cast<double>(static_cast<std::uint64_t>(error)) * 0x1p-127;
    }
    if (places == size) CHECK(2 * total < discrete_gaussian_table::distance);
    for (std::size_t i = 1; i < table.size(); ++i) REQUIRE(table.entry(i) <= table.entry(i - 1));
  }
}

TEST_CASE("the table's numbers have the law, and are the same on every target") {
  for (const auto variance : {ratio{1, 4}, ratio{10, 1}, ratio{4096, 1}}) {
    const discrete_gaussian_table table(variance);
    const auto drawn = draw(table, 1 << 17, 5);
    CAPTURE(variance.numerator, variance.denominator);
    CHECK(fits(drawn, number(variance)));
    for (std::size_t n = 0; n <= 67; ++n) {
      replayable_random source(n), same(n);
      std::vector<std::int64_t> vectors(n), scalars(n);
      table.fill(source, std::span(vectors));
      table.fill<simd::scalar>(same, std::span(scalars));
      REQUIRE(vectors == scalars);
      REQUIRE(source.state().position == 4 * n); // always four words
    }
    replayable_random source(6), same(6);
    std::vector<std::int64_t> vectors(3001), scalars(3001);
    table.fill(source, std::span(vectors));
    table.fill<simd::scalar>(same, std::span(scalars));
    CHECK(vectors == scalars);
  }
}

namespace {
/// Four words that are one number of 127 bits and a sign.
struct fixed_number {
  detail::uint128 number;
  bool negative;
  void fill(std::span<std::uint32_t> out) {
    const std::uint64_t high = static_cast<std::uint64_t>(number >> 64) | std::uint64_t{negative} << 63,
                        low = static_cast<std::uint64_t>(number);
    const std::size_t n = out.size() / 4; // the upper halves come first
    for (std::size_t i = 0; i < 2 * n; ++i) {
      const std::uint64_t half = i < n ? high : low;
      out[2 * i] = static_cast<std::uint32_t>(half);
      out[2 * i + 1] = static_cast<std::uint32_t>(half >> 32);
    }
  }
};
} // namespace

TEMPLATE_TEST_CASE("every entry of the table is compared to its last bit", "", simd::default_arch,
                   simd::scalar) {
  const discrete_gaussian_table table({10, 3});
  // The last few are equal.
  for (std::size_t i = 0; i + 1 < table.size() && table.entry(i) - table.entry(i + 1) > 1; ++i)
    for (const bool negative : {false, true}) {
      const auto got = [&](detail::uint128 number) {
        fixed_number source{number, negative};
        std::int64_t out[33];
        table.fill<TestType>(source, std::span<std::int64_t>(out));
        for (const auto x : out) REQUIRE(x == out[0]);
        return negative ? -out[0] : out[0];
      };
      REQUIRE(got(table.entry(i)) == static_cast<std::int64_t>(i));
      REQUIRE(got(table.entry(i) - 1) == static_cast<std::int64_t>(i) + 1);
    }
}

TEST_CASE("a variance that is not positive or does not fit is refused") {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  for (const auto bad : {ratio{0, 1}, ratio{1, 0}, ratio{0, 0}, ratio{most, 1}, ratio{1, most},
                         ratio{most, most}, ratio{std::uint64_t{1} << 52, 1}}) {
    refused([&] { discrete_gaussian{bad}; });
    refused([&] { discrete_gaussian_table{bad}; });
  }
  refused([] { discrete_gaussian_table({16385, 1}); });
  CHECK(discrete_gaussian_table({16384, 1}).size() == 1639);
  CHECK(discrete_gaussian({(std::uint64_t{1} << 51), 1}).variance().denominator == 1);
}

TEST_CASE("discrete Gaussians of a system source are fresh") {
  system_random source;
  std::vector<std::int64_t> a(1000), b(1000);
  discrete_gaussian({100, 1}).fill(source, a);
  discrete_gaussian({100, 1}).fill(source, b);
  CHECK(a != b);
  discrete_gaussian_table({100, 1}).fill(source, std::span(a));
  discrete_gaussian_table({100, 1}).fill(source, std::span(b));
  CHECK(a != b);
}
