#include "support/catch.hpp"

#include <privet/random/discrete_laplace.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <vector>

using namespace privet;

namespace {

/// Chi-square against the law on first, first + 1, ...; cells with fewer than 100 expected are joined to
/// their neighbour, and the last takes all that is left. Whether a right sampler shows more at most once
/// in 10^6 (Wilson, Hilferty, 1931).
template <class Law>
bool fits(const std::vector<std::int64_t>& drawn, std::int64_t first, std::int64_t last, Law law) {
  std::vector<double> histogram(static_cast<std::size_t>(last - first + 1));
  for (const auto x : drawn)
    if (x >= first && x <= last) histogram[static_cast<std::size_t>(x - first)] += 1;
  const double n = static_cast<double>(drawn.size());
  double sum = 0, seen = 0, wanted = 0, left_seen = n, left_wanted = n;
  int cells = 0;
  const auto close = [&] {
    sum += (seen - wanted) * (seen - wanted) / wanted;
    left_seen -= seen, left_wanted -= wanted;
    seen = wanted = 0;
    ++cells;
  };
  for (auto x = first; x <= last; ++x) {
    seen += histogram[static_cast<std::size_t>(x - first)];
    wanted += n * law(x);
    if (wanted >= 100 && left_wanted - wanted >= 100) close();
  }
  seen = left_seen, wanted = left_wanted;
  close();
  const double degrees = cells - 1, v = 2 / (9 * degrees);
  CAPTURE(sum, degrees);
  CHECK(degrees >= 1);
  return sum < degrees * std::pow(1 - v + 4.753 * std::sqrt(v), 3);
}

constexpr ratio scales[] = {{1, 1}, {10, 1},   {1, 3},
                            {7, 3}, {1000, 1}, {(std::uint64_t{1} << 40) - 1, std::uint64_t{1} << 36}};

double number(ratio x) { return static_cast<double>(x.numerator) / static_cast<double>(x.denominator); }

} // namespace

TEST_CASE("geometric counts have their law") {
  for (const auto scale : scales) {
    replayable_random source(1);
    std::vector<std::int64_t> drawn(1 << 19);
    geometric(scale).fill(source, drawn);
    const double r = std::exp(-1 / number(scale)), none = -std::expm1(-1 / number(scale));
    CAPTURE(scale.numerator, scale.denominator);
    CHECK(fits(drawn, 0, static_cast<std::int64_t>(20 * number(scale)) + 5,
               [&](std::int64_t k) { return none * std::pow(r, static_cast<double>(k)); }));
  }
}

TEST_CASE("discrete Laplace numbers have their law, zero and both signs") {
  for (const auto scale : scales) {
    replayable_random source(2);
    std::vector<std::int64_t> drawn(1 << 19);
    discrete_laplace(scale).fill(source, drawn);
    const double r = std::exp(-1 / number(scale)), zero = std::tanh(0.5 / number(scale));
    const auto end = static_cast<std::int64_t>(20 * number(scale)) + 5;
    CAPTURE(scale.numerator, scale.denominator);
    CHECK(fits(drawn, -end, end,
               [&](std::int64_t x) { return zero * std::pow(r, std::abs(static_cast<double>(x))); }));
  }
}

TEST_CASE("extreme scales give the numbers that they must") {
  system_random source;
  std::vector<std::int64_t> drawn(1000);
  discrete_laplace({1, 1000}).fill(source, drawn); // anything else: below once in 10^400
  for (const auto x : drawn) CHECK(x == 0);
  const std::uint64_t large = std::uint64_t{1} << 40;
  discrete_laplace({large, 1}).fill(source, drawn);
  double sum = 0;
  for (const auto x : drawn) sum += std::abs(static_cast<double>(x));
  CHECK(std::abs(sum / 1000 / static_cast<double>(large) - 1) < 4.9 / std::sqrt(1000.0)); // once in 10^6
}

TEST_CASE("a scale that is not positive or too large is refused") {
  const std::uint64_t large = (std::uint64_t{1} << 40) + 1;
  for (const auto bad : {ratio{0, 1}, ratio{1, 0}, ratio{large, 1}, ratio{1, large}}) {
    CHECK_THROWS_AS(geometric(bad), exception);
    try {
      discrete_laplace{bad};
      FAIL("accepted");
    } catch (const exception& e) {
      CHECK(e.kind() == fault::argument);
    }
  }
}
