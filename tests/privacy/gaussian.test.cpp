#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
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

TEST_CASE("gaussian: exact noise leaves whole numbers of steps, 2^15 of them in a deviation") {
  const double z = 1.5, sensitivity = 0.25, step = z * sensitivity * 0x1p-15;
  auto x = test::normals<double>(3000, 2);
  const auto before = x;
  gaussian{z}.exact().release(std::span(x), z * sensitivity);
  for (const double v : x) CHECK(std::abs(v / step - std::round(v / step)) <= 0x1p-20);
  // A float holds 24 bits of the integer.
  for (const float v : noised(gaussian{z}.exact(), test::normals<float>(3000, 1), sensitivity))
    CHECK(std::abs(v / step - std::round(v / step)) <= std::abs(v / step) * 0x1p-24 + 1e-9);
  // The value is rounded to the nearest step: what comes out is it and the integers of the sampler.
  unsafe::replayable_noise source(7, "a test"), same(7, "a test");
  auto y = before;
  gaussian{z}.exact().drawn_from(source).release(std::span(y), z * sensitivity);
  std::vector<std::int64_t> noise(y.size());
  const discrete_gaussian sampler({std::uint64_t{1} << 30, 1});
  for (std::size_t i = 0; i < noise.size(); i += 2048)
    sampler.fill(same, std::span(noise).subspan(i, std::min<std::size_t>(2048, noise.size() - i)));
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(std::llround(y[i] / step) == std::llround(before[i] / step) + noise[i]);
}

TEST_CASE("gaussian: exact noise follows the normal law, from either end") {
  constexpr std::size_t n = 100'000;
  std::vector<double> x(n, 5.0);
  gaussian{1}.exact().release(std::span(x), 2);
  std::sort(x.begin(), x.end());
  double apart = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double below = std::erfc((5.0 - x[i]) / (2 * std::sqrt(2.0))) / 2;
    apart = std::max({apart, std::abs(below - static_cast<double>(i) / n),
                      std::abs(below - static_cast<double>(i + 1) / n)});
  }
  CHECK(apart < 0.0104 + 0x1p-16); // Massart: more than this in 2 of 10^9 runs; half a step of the law
}

TEST_CASE("gaussian: mean zero and the stated deviation, in every form") {
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
  check(gaussian{0.7}.exact());
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

TEST_CASE("gaussian: exact noise is another event, at no distance but what the sample is cut by") {
  const bounded_sum sum{.parameters = 10000, .rounding = 0.01};
  const poisson sampler{.rate = 0.02};
  const auto exact = gaussian{2}.exact();
  const auto e = exact.event(sampler, 500, sum);
  const auto m = std::get<event::subsampled_discrete_gaussian>(e.mechanism);
  CHECK(m.noise_multiplier == Approx(2 / (1 + 0.01 + 2 * 100 * 0x1p-15)).epsilon(1e-9));
  CHECK(m.rate >= 0.02);
  CHECK(e.distance == sampler.overflow(500));
  CHECK(exact.event(sum).distance == 0);
  CHECK(std::get<event::subsampled_discrete_gaussian>(exact.event(sum).mechanism).rate == 1);
  CHECK(exact.event(public_poisson{.rate = 0.02, .seed = 1}, 500, sum).relation == neighbours::zero_out);
  // Beside a count, whose integers are one vector with those of the gradient.
  const bounded_sum counted{.parameters = 1, .count_noise = 4};
  const double both =
      std::get<event::subsampled_discrete_gaussian>(exact.event(counted).mechanism).noise_multiplier;
  CHECK(both < 2);
  CHECK(both == Approx(2).epsilon(1e-3));
  const double asked = decltype(exact)::asked_for(1.5, sum);
  CHECK(std::get<event::subsampled_discrete_gaussian>(gaussian{asked}.exact().event(sum).mechanism)
            .noise_multiplier == Approx(1.5).epsilon(1e-9));
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
