#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

#include <cmath>
#include <vector>

using namespace privet;

namespace {

double multiplier_of(const privacy_event& e) {
  return std::get<event::subsampled_gaussian>(e.mechanism).noise_multiplier;
}

template <class Noise>
std::vector<float> noised(const Noise& noise, std::vector<float> x, double sensitivity) {
  update_context<float> context;
  context.sensitivity = sensitivity;
  noise.update(std::span(x), 0, state_slice<float>(nullptr, 0, x.size()), context);
  return x;
}

} // namespace

TEST_CASE("gaussian: a bounded value is released, whatever stands between") {
  using clipped = decltype(chain(clip_l2{}, average_over_batch{}, gaussian{}, sgd{}));
  CHECK(std::same_as<clipped::label<raw<unit::example>>, released<measure::zcdp, unit::example>>);
  unsafe::replayable_noise simulated(1, "a test");
  const auto known = chain(clip_l2{}, average_over_batch{}, gaussian{}.drawn_from(simulated), sgd{});
  CHECK_FALSE(Released<decltype(known)::label<raw<unit::example>>>);
  system_random secret;
  const auto own = chain(clip_l2{}, average_over_batch{}, gaussian{}.drawn_from(secret), sgd{});
  CHECK(Released<decltype(own)::label<raw<unit::example>>>);
}

TEST_CASE("gaussian: on the grid every value is a whole number of steps") {
  const double z = 1.5, sensitivity = 0.25, step = z * sensitivity * 0x1p-20;
  const auto x = noised(gaussian{z}, test::normals<float>(5000, 1), sensitivity);
  for (const float v : x) {
    const double steps = static_cast<double>(v) / static_cast<double>(static_cast<float>(step));
    // A float holds 24 bits of the integer, and its product with the step is rounded once.
    CHECK(std::abs(steps - std::round(steps)) <= std::abs(steps) * 0x1p-23);
  }
  // In floating point they are not: three in four would be off by more than an eighth of a step.
  const auto y = noised(gaussian{1.5}.in_floating_point(), std::vector<float>(5000, 0x1p-14f), 0.25);
  std::size_t off = 0;
  for (const float v : y)
    if (std::abs(v) < 0.01) {
      const double steps = v / step;
      off += std::abs(steps - std::round(steps)) > 0.125;
    }
  CHECK(off > 20);
}

TEST_CASE("gaussian: mean zero and the stated deviation, in both forms") {
  constexpr std::size_t n = 200000;
  const auto check = [&](const auto& noise) {
    const auto x = noised(noise, std::vector<float>(n, 3.0f), 2);
    double sum = 0, squares = 0;
    for (const float v : x) sum += v - 3.0, squares += (v - 3.0) * (v - 3.0);
    const double deviation = std::sqrt(squares / n);
    CHECK(std::abs(sum / n) < 6 * 1.4 / std::sqrt(n));             // 2e-9
    CHECK(std::abs(deviation / 1.4 - 1) < 6 / std::sqrt(2.0 * n)); // 2e-9
  };
  check(gaussian{0.7});
  check(gaussian{0.7}.in_floating_point());
}

TEST_CASE("gaussian: the event pays for rounding, the grid and the sampler's distance") {
  const bounded_sum sum{.parameters = 10000, .rounding = 0.01};
  const poisson sampler{.rate = 0.02};
  const auto e = gaussian{2}.event(sampler, 500, sum);
  CHECK(multiplier_of(e) == Approx(2 / (1 + 0.01 + 2 * 100 * 0x1p-20)).epsilon(1e-9));
  CHECK(std::get<event::subsampled_gaussian>(e.mechanism).rate >= 0.02);
  CHECK(e.distance >= 10000 * rounded_normal_distance);
  CHECK(e.relation == neighbours::add_remove);
  CHECK(multiplier_of(gaussian{2}.in_floating_point().event(sampler, 500, sum)) == Approx(2 / 1.01));
  // A capacity that is often met is a distance that no delta pays for.
  CHECK(gaussian{2}.event(poisson{.rate = 0.02, .capacity = 10}, 500, sum).distance > 0.1);
}

TEST_CASE("gaussian: the multiplier to ask for has the effect that was wanted") {
  for (const double effective : {0.3, 1.0, 20.0}) {
    const bounded_sum sum{.parameters = 1'000'000, .rounding = 0.03};
    const double asked = gaussian::asked_for(effective, sum);
    const double found = multiplier_of(gaussian{asked}.event(poisson{.rate = 0.1}, 100, sum));
    CHECK(found >= effective);
    CHECK(found == Approx(effective).epsilon(1e-9));
  }
  CHECK_THROWS_WITH(gaussian::asked_for(1e6, {.parameters = 1'000'000}), Catch::Contains("[N011"));
}

TEST_CASE("gaussian: numbers that make no sense are refused") {
  CHECK_THROWS_WITH(gaussian{-1}.check(), Catch::Contains("[N001") && Catch::Contains("-1"));
  CHECK_THROWS_WITH(gaussian{0}.check(), Catch::Contains("multiplier 0"));
  CHECK_THROWS_WITH(noised(gaussian{1}, {1, 2}, 0), Catch::Contains("nothing before it states a bound"));
  CHECK_THROWS_WITH(clip_l2{.bound = 0}.check(), Catch::Contains("[N001"));
  CHECK_THROWS_WITH(clip_l2{.bound = 1}.automatic(0).check(), Catch::Contains("stability 0"));
  CHECK_THROWS_WITH(unsafe::replayable_noise(1, ""), Catch::Contains("no reason"));
}
