#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

double phi(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }

/// The delta of a Gaussian query of this multiplier at this epsilon (Balle, Wang, arXiv:1805.06530).
double gaussian_delta(double noise_multiplier, double epsilon) {
  const double mu = 1 / noise_multiplier;
  return phi(mu / 2 - epsilon / mu) - std::exp(epsilon) * phi(-mu / 2 - epsilon / mu);
}

} // namespace

TEST_CASE("a Gaussian share ends a chain and is no release") {
  const auto upload = chain(clip_l2{.bound = 2}, sum_over_batch{}, gaussian_share{});
  using chain_type = decltype(upload);
  static_assert(
      std::same_as<chain_type::label<raw<unit::example>>, noise_share<measure::zcdp, unit::example>>);
  static_assert(chain_type::mechanisms == 0 && chain_type::encodings == 1 && chain_type::reductions == 1);
  CHECK(upload.init<float>(3).bound == 2); // checks the stages
}

TEST_CASE("a Gaussian share is the vector on the grid and the noise that was drawn") {
  const gaussian_share share{.noise_multiplier = 0.5, .holders = 4};
  const double h = share.step(3);
  CHECK(h == 3 * 0.5 / 2 / 0x1p20);
  constexpr std::size_t d = 10'000; // more than one fill
  std::vector<float> x(d);
  for (std::size_t i = 0; i < d; ++i) x[i] = 10 * std::sin(static_cast<float>(i));
  x[1] = std::numeric_limits<float>::quiet_NaN();
  x[2] = std::numeric_limits<float>::max(), x[3] = -std::numeric_limits<float>::infinity();
  unsafe::replayable_noise source(7, "to subtract it"), again(7, "to subtract it");
  auto integers = share.encode(std::span<const float>(x), 3, source);
  std::vector<std::int32_t> noise(d);
  fill_rounded_normal(again, std::span(noise));
  for (std::size_t i = 0; i < d; ++i) integers[i] -= noise[i];
  CHECK(integers[1] == 1);
  CHECK(integers[2] == (std::int64_t{1} << 52) + 1);
  CHECK(integers[3] == 1 - (std::int64_t{1} << 52));
  for (std::size_t i = 4; i < d; ++i) {
    const double steps = static_cast<double>(x[i]) / h;
    if (std::abs(static_cast<double>(integers[i]) - steps - 0.5) > 0.5 + 1e-6)
      FAIL("number " << i << ": " << integers[i] << " for " << steps);
  }
  CHECK(share.decode(int128{1} << 70, 3) == 0x1p70 * h); // sums of shares are no share
}

TEST_CASE("the law of a sum of rounded normals is the rounding of one normal and uniforms") {
  // The proof's bound, where noise is so coarse that something is left to bound.
  const auto cell = [](double s, double from) { return phi((from + 1) / s) - phi(from / s); };
  constexpr int reach = 60;
  for (const double s : {0.4, 0.6, 0.8, 1.0, 1.3, 2.0}) {
    const auto at = [&](int k) { return cell(s, k); };
    double two_apart = 0, three_apart = 0;
    std::vector<double> two(4 * reach);
    for (int k = -2 * reach; k < 2 * reach; ++k)
      for (int j = -reach; j < reach; ++j) two[static_cast<std::size_t>(k + 2 * reach)] += at(j) * at(k - j);
    for (int k = -12; k <= 10; ++k) {
      double three = 0;
      for (int j = -reach; j < reach; ++j) three += at(j) * two[static_cast<std::size_t>(k - j + 2 * reach)];
      // One uniform, and the sum of two: floor(N - V) and floor(N - V - V'), by the midpoint rule.
      double one_uniform = 0, two_uniforms = 0;
      constexpr int points = 2000;
      for (int i = 0; i < points; ++i) {
        const double v = (i + 0.5) / points;
        one_uniform += cell(std::sqrt(2.0) * s, k + v) / points;
        two_uniforms +=
            (v * cell(std::sqrt(3.0) * s, k + v) + (1 - v) * cell(std::sqrt(3.0) * s, k + 1 + v)) / points;
      }
      two_apart = std::max(two_apart, std::abs(two[static_cast<std::size_t>(k + 2 * reach)] - one_uniform));
      three_apart = std::max(three_apart, std::abs(three - two_uniforms));
    }
    const double alias = 9 * std::exp(-s * s * std::acos(-1.0) * std::acos(-1.0) / 2);
    CAPTURE(s, two_apart, three_apart, alias);
    CHECK(two_apart <= 2 * alias + 1e-7);
    CHECK(three_apart <= 3 * alias + 1e-7);
    if (s <= 0.4) CHECK(two_apart >= 1e-3); // not idle
  }
}

TEST_CASE("the sum of Gaussian shares has the noise of one Gaussian") {
  constexpr std::size_t d = 400'000;
  const gaussian_share share{.noise_multiplier = 1.5, .holders = 4};
  std::vector<std::int64_t> sum(d);
  for (int holder = 0; holder < 4; ++holder) {
    const std::vector<float> x(d, static_cast<float>(holder) - 1); // -1, 0, 1, 2
    const auto integers = share.encode(std::span<const float>(x), 2);
    for (std::size_t i = 0; i < d; ++i) sum[i] += integers[i];
  }
  double mean = 0, squares = 0, fourths = 0;
  std::vector<std::uint64_t> cells(64), low(64);
  std::vector<double> probabilities(64), same(64, 1 / 64.0);
  for (std::size_t i = 0; i < d; ++i) {
    const double x = (share.decode(sum[i], 2) - 2) / (1.5 * 2);
    mean += x / d, squares += x * x / d, fourths += x * x * x * x / d;
    ++cells[static_cast<std::size_t>(std::clamp(std::floor(8 * x), -32.0, 31.0) + 32)];
    ++low[static_cast<std::size_t>(sum[i] & 63)];
  }
  for (int k = -32; k < 32; ++k)
    probabilities[static_cast<std::size_t>(k + 32)] =
        (k == 31 ? 1 : phi((k + 1) / 8.0)) - (k == -32 ? 0 : phi(k / 8.0));
  // Five deviations of each: alarms once in a million.
  CHECK(std::abs(mean) < 5 / std::sqrt(double{d}));
  CHECK(std::abs(squares - 1) < 5 * std::sqrt(2.0 / d));
  CHECK(std::abs(fourths - 3) < 5 * std::sqrt(96.0 / d));
  CHECK_FALSE(test::compare_counts(cells, probabilities).refuted());
  CHECK_FALSE(test::compare_counts(low, same).refuted()); // low bits tell nothing
}

TEST_CASE("a sum of Gaussian shares is as private as it says, and not with a share or noise missing") {
  system_random source;
  const gaussian_share share{.noise_multiplier = 0.5, .holders = 4};
  const double z =
      std::get<event::gaussian>(share.event(bounded_sum{.parameters = 2}).mechanism).noise_multiplier;
  const test::privacy_claim claim{1, gaussian_delta(z, 1)};
  const auto runs = [&](const gaussian_share& made, int arrived) {
    const auto sum = [&, arrived](bool there) {
      const std::array<double, 2> none{}, unit{there ? 0.6 : 0.0, there ? 0.8 : 0.0};
      double first = 0, second = 0;
      for (int k = 0; k < arrived; ++k) {
        const auto one = made.encode(std::span<const double>(k == 0 ? unit : none), 1.0, source);
        first += static_cast<double>(one[0]), second += static_cast<double>(one[1]);
      }
      return 0.6 * first + 0.8 * second; // the direction in which they differ
    };
    return test::run_both(
        40'000, [&] { return sum(true); }, [&] { return sum(false); });
  };
  test::check_kept(claim, runs(share, 4));
  test::check_refuted(claim, runs(share, 3));
  test::check_refuted(claim, runs({.noise_multiplier = 0.7 * 0.5, .holders = 4}, 4));
  // Of six offices two may stay away, or know their own noise, if four are counted on; and none of four.
  test::check_kept(claim, runs({.noise_multiplier = 0.5, .holders = 3}, 3));
  test::check_refuted(claim, runs({.noise_multiplier = 0.5, .holders = 5}, 4));
}

TEST_CASE("Gaussian shares say what their sum spends, and what they cannot") {
  const gaussian_share share{.noise_multiplier = 2, .holders = 4};
  const bounded_sum sum{.parameters = 10'000, .rounding = 0.01};
  const poisson sampler{.rate = 0.1};
  const auto e = share.event(sampler, 1000, sum);
  const auto one = std::get<event::subsampled_gaussian>(e.mechanism);
  // The grid of four shares is twice as fine as that of one.
  CHECK(one.noise_multiplier == Approx(2 / (1.01 + 2 * 100 / 0x1p21)).epsilon(1e-9));
  CHECK(one.noise_multiplier <= 2 / (1.01 + 2 * 100 / 0x1p21));
  CHECK(one.rate >= 0.1);
  CHECK(e.relation == neighbours::add_remove);
  CHECK(e.count == 1);
  CHECK(e.distance >= 4 * 10'000 * rounded_normal_distance + sampler.overflow(1000));
  CHECK(e.distance <= 1.01 * (4 * 10'000 * rounded_normal_distance + sampler.overflow(1000)));

  const gaussian_share asked{.noise_multiplier = share.asked_for(2, sum), .holders = 4};
  const double back = std::get<event::gaussian>(asked.event(sum).mechanism).noise_multiplier;
  CHECK(back >= 2);
  CHECK(back == Approx(2).epsilon(1e-9));

  CHECK_THROWS_WITH(share.event({.parameters = 1, .count_noise = 1}), Contains("no share of noise for it"));
  CHECK_THROWS_WITH((gaussian_share{.noise_multiplier = 1e-4}.check()), Contains("noise multiplier 1e-04"));
  CHECK_THROWS_WITH((gaussian_share{.holders = 0}.check()), Contains("0 holders"));
  CHECK_THROWS_WITH(
      (gaussian_share{.noise_multiplier = 1e-3, .holders = 1u << 20}.check(std::size_t{1} << 21)),
      Contains("a share holds"));
  share.check(std::size_t{1} << 30);
  const std::vector<double> x(3);
  CHECK_THROWS_WITH(share.encode(std::span<const double>(x), 0.0), Contains("states a bound"));
}
