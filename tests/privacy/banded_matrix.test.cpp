#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/banded_matrix.hpp>
#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

using matrix = std::vector<std::vector<double>>;

/// C of so many steps, by the definition.
matrix toeplitz(std::vector<double> bands, std::size_t steps) {
  double squares = 0;
  for (const double x : bands) squares += x * x;
  matrix c(steps, std::vector<double>(steps));
  for (std::size_t t = 0; t < steps; ++t)
    for (std::size_t j = 0; j < bands.size() && j <= t; ++j) c[t][t - j] = bands[j] / std::sqrt(squares);
  return c;
}
/// C x.
std::vector<double> times(const matrix& c, const std::vector<double>& x) {
  std::vector<double> out(x.size());
  for (std::size_t t = 0; t < x.size(); ++t)
    for (std::size_t s = 0; s < x.size(); ++s) out[t] += c[t][s] * x[s];
  return out;
}
/// C^-1, by forward substitution for each column.
matrix inverse(const matrix& c) {
  const std::size_t n = c.size();
  matrix out(n, std::vector<double>(n));
  for (std::size_t s = 0; s < n; ++s)
    for (std::size_t t = s; t < n; ++t) {
      double sum = t == s ? 1 : 0;
      for (std::size_t r = s; r < t; ++r) sum -= c[t][r] * out[r][s];
      out[t][s] = sum / c[t][t];
    }
  return out;
}
double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

} // namespace

TEST_CASE("the noise of a banded matrix is that of its inverse") {
  // 40,000 numbers know a covariance of c_st to sqrt((c_ss c_tt + c_st^2) / 40000); six of them are 2e-9.
  constexpr std::size_t steps = 11, d = 40'000;
  for (const auto& bands :
       {std::vector<double>{2}, std::vector<double>{3, 1.5}, square_root_bands(4), square_root_bands(11)}) {
    system_random source;
    banded_matrix m(
        {.noise_multiplier = 3, .sensitivity = 0.5, .steps = steps, .separation = 11, .bands = bands}, d);
    const auto back = inverse(toeplitz(bands, steps));
    matrix noise;
    std::vector<double> sum(d);
    for (std::size_t t = 0; t < steps; ++t) {
      std::vector<double> x(d), before;
      for (std::size_t i = 0; i < d; ++i)
        x[i] = 0.3 * static_cast<double>(t) - 0.1 * static_cast<double>(i % 7);
      before = x;
      m.release(std::span<double>(x), source);
      for (std::size_t i = 0; i < d; ++i) {
        x[i] = (x[i] - before[i]) / 1.5;
        sum[i] += x[i];
      }
      noise.push_back(x);
      const double variance = dot(sum, sum) / d, expected = m.prefix_variance(t + 1) / 2.25;
      CHECK(variance == Approx(expected).epsilon(6 * std::sqrt(2.0 / d)));
    }
    CHECK(m.step() == steps);
    for (std::size_t s = 0; s < steps; ++s)
      for (std::size_t t = 0; t <= s; ++t) {
        const double expected = dot(back[s], back[t]);
        CAPTURE(bands.size(), s, t);
        CHECK(std::abs(dot(noise[s], noise[t]) / d - expected) <
              6 * std::sqrt((dot(back[s], back[s]) * dot(back[t], back[t]) + expected * expected) / d));
      }
  }
}

TEST_CASE("no unit moves a banded matrix by more than the root of its participations") {
  constexpr std::size_t steps = 12;
  for (const std::size_t bands : {1u, 2u, 4u, 5u})
    for (const std::size_t separation : {bands, bands + 1}) {
      const auto c = toeplitz(square_root_bands(bands), steps);
      double worst = 0;
      for (unsigned pattern = 1; pattern < 1u << steps; ++pattern) {
        // Vectors of a unit may point anywhere: along one line is the worst, with any signs.
        std::vector<double> plus(steps), mixed(steps);
        bool allowed = true;
        std::size_t last = steps, count = 0;
        for (std::size_t t = 0; t < steps; ++t)
          if (pattern >> t & 1) {
            allowed = allowed && (last == steps || t - last >= separation);
            last = t, plus[t] = 1, mixed[t] = count++ % 2 ? -1 : 1;
          }
        if (!allowed) continue;
        for (const auto& x : {plus, mixed}) {
          const auto moved = times(c, x);
          worst = std::max(worst, dot(moved, moved));
        }
      }
      const banded_matrix m({.noise_multiplier = 2,
                             .steps = steps,
                             .separation = separation,
                             .bands = square_root_bands(bands)},
                            1);
      CAPTURE(bands, separation, worst);
      CHECK(worst <= static_cast<double>(m.participations()) * (1 + 1e-12));
      CHECK(worst > static_cast<double>(m.participations()) - 1);
      const auto e = m.event();
      CHECK(std::get<event::gaussian>(e.mechanism).noise_multiplier <= 2 / std::sqrt(worst));
      CHECK(std::get<event::gaussian>(e.mechanism).noise_multiplier >=
            2 / std::sqrt(static_cast<double>(m.participations())) * (1 - 1e-4));
    }
}

TEST_CASE("more bands make sums of a single pass more accurate") {
  double before = 1e300;
  for (const std::size_t bands : {1u, 2u, 8u, 32u, 64u}) {
    const banded_matrix m({.steps = 500, .separation = 500, .bands = square_root_bands(bands)}, 1);
    double mean = 0;
    for (std::uint64_t t = 1; t <= 500; t += 10) mean += m.prefix_variance(t) / 50;
    CHECK(mean < before);
    before = mean;
  }
  const auto c = square_root_bands(5); // of 1 / sqrt(1 - x)
  CHECK(c == std::vector<double>{1, 1.0 / 2, 3.0 / 8, 5.0 / 16, 35.0 / 128});
  CHECK(banded_matrix({.noise_multiplier = 3, .sensitivity = 2, .steps = 9, .separation = 9}, 1)
            .prefix_variance(9) == Approx(9 * 36).epsilon(1e-12)); // one band: independent noise
}

TEST_CASE("a banded matrix cannot be refuted, and is when a participation is not counted", "[slow]") {
  // A unit in steps 1 and 3 of four, two bands; along the direction in which the two laws differ most.
  system_random source;
  const banded_terms terms{.noise_multiplier = 2, .steps = 4, .separation = 2, .bands = square_root_bands(2)};
  const auto c = toeplitz(terms.bands, 4);
  const auto moved = times(c, {1, 0, 1, 0});
  const auto along = [&](double there) {
    return [&, there] {
      banded_matrix m(terms, 1);
      std::vector<double> out;
      for (int t = 0; t < 4; ++t) {
        out.push_back(t % 2 == 0 ? there : 0);
        m.release(std::span<double>(&out.back(), 1), source);
      }
      return dot(times(c, out), moved);
    };
  };
  const auto runs = test::run_both(200'000, along(1), along(0));
  for (const double epsilon : {0.2, 0.5, 1.0}) {
    const banded_matrix m(terms, 1);
    gaussian_accountant right, low;
    right.compose(m.event());
    low.compose({event::gaussian{2}});
    const double delta = right.delta(epsilon).upper, less = low.delta(epsilon).upper;
    const auto kept = test::refute({epsilon, delta}, runs);
    INFO(test::describe({epsilon, delta}, kept));
    CHECK_FALSE(kept.refuted);
    if (epsilon < 1) CHECK(test::refute({epsilon, less}, runs).refuted);
  }
}

TEST_CASE("a banded matrix ends and refuses what makes no sense") {
  system_random source;
  banded_matrix m({.noise_multiplier = 2,
                   .sensitivity = 3,
                   .steps = 5,
                   .separation = 3,
                   .bands = {4, 3, 1},
                   .rounding = 0.01},
                  4);
  CHECK(m.participations() == 2);
  std::vector<float> x = {1, -2, HUGE_VALF, std::nanf("")};
  for (int t = 0; t < 5; ++t) {
    auto out = x;
    m.release(std::span<float>(out), source);
    for (const float v : out) CHECK(std::isfinite(v));
  }
  CHECK_THROWS_WITH(m.release(std::span<float>(x), source),
                    Contains("[N007 leak] banded_matrix: a step beyond the 5"));
  const auto e = m.event();
  CHECK(e.relation == neighbours::zero_out);
  CHECK(e.count == 1);
  CHECK(e.distance == 20 * rounded_normal_distance);
  CHECK(std::get<event::gaussian>(e.mechanism).noise_multiplier ==
        Approx(2 / (std::sqrt(2.0) * 1.01 + 2.4 * std::sqrt(24.0) / 0x1p20)).epsilon(1e-11));
  static_assert(!std::is_copy_constructible_v<banded_matrix>);

  std::vector<float> short_one = {1};
  banded_matrix one({.steps = 1}, 2);
  CHECK_THROWS_WITH(one.release(std::span<float>(short_one), source), Contains("got 1 numbers, expected 2"));
  CHECK_THROWS_WITH(banded_matrix({.noise_multiplier = 0}, 1), Contains("noise multiplier 0"));
  CHECK_THROWS_WITH(banded_matrix({.sensitivity = 0}, 1), Contains("sensitivity 0"));
  CHECK_THROWS_WITH(banded_matrix({.steps = 0}, 1), Contains("0 steps"));
  CHECK_THROWS_WITH(banded_matrix({.steps = 9, .separation = 2, .bands = {3, 2, 1}}, 1),
                    Contains("separation of 2"));
  for (const auto& bands :
       {std::vector<double>{}, std::vector<double>{1, 2}, std::vector<double>{1, 0},
        std::vector<double>{1, -1}, std::vector<double>{std::nan("")}, std::vector<double>(65, 1.0)})
    CHECK_THROWS_WITH(banded_matrix({.steps = 100, .separation = 100, .bands = bands}, 1),
                      Contains("bands, expected 1 to 64"));
  CHECK_THROWS_WITH(banded_matrix({.relation = neighbours::add_remove}, 1), Contains("[N011 unsupported]"));
  CHECK(
      (banded_matrix({.relation = neighbours::replace_one}, 1).event().relation == neighbours::replace_one));
  CHECK_THROWS_WITH(banded_matrix({}, 0), Contains("no numbers"));
}
