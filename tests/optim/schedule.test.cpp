#include "support/descent.hpp"

#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Schedule<constant_rate> && Schedule<step_rate> && Schedule<cosine_rate> &&
              Schedule<warm_up_rate>);
static_assert(decltype(chain(adam{}, warm_up_rate{}, cosine_rate{}))::slots == adam::slots);

namespace {

constexpr sgd heavy{.learning_rate = 0.05, .momentum = 0.9};

template <class Factor>
void check_rates(Factor factor, const double (&expected)[test::descent_steps]) {
  for (std::size_t step = 0; step < test::descent_steps; ++step)
    CHECK(factor(step) == Approx(expected[step]).epsilon(1e-14));
}

} // namespace

TEST_CASE("a step schedule equals torch's StepLR") {
  const step_rate rate{.every = 3, .gamma = 0.5};
  check_rates([&](auto step) { return rate.factor(step); }, torch::step_rates);
  test::equals_torch(chain(heavy, rate), torch::step_f32, torch::step_f64);
}

TEST_CASE("a cosine schedule equals torch's CosineAnnealingLR") {
  const cosine_rate rate{.steps = 9, .floor = 0.125};
  check_rates([&](auto step) { return rate.factor(step); }, torch::cosine_rates);
  test::equals_torch(chain(heavy, rate), torch::cosine_f32, torch::cosine_f64);
}

TEST_CASE("a cosine schedule stays on its floor once it is there") {
  const cosine_rate rate{.steps = 9, .floor = 0.125};
  for (const std::uint64_t step : {9u, 10u, 18u, 1000u}) CHECK(rate.factor(step) == Approx(0.125).epsilon(1e-15));
}

TEST_CASE("a warm-up equals torch's LambdaLR") {
  const warm_up_rate rate{.steps = 4};
  check_rates([&](auto step) { return rate.factor(step); }, torch::warm_up_rates);
  test::equals_torch(chain(adam{.learning_rate = 0.02}, rate), torch::warm_up_f32, torch::warm_up_f64);
}

TEST_CASE("two schedules after one optimiser multiply as torch's ChainedScheduler does") {
  const warm_up_rate rise{.steps = 4};
  const cosine_rate fall{.steps = 12};
  check_rates([&](auto step) { return rise.factor(step) * fall.factor(step); }, torch::warm_up_cosine_rates);
  test::equals_torch(chain(adamw{.learning_rate = 0.02, .weight_decay = 0.1}, rise, fall),
                     torch::warm_up_cosine_f32, torch::warm_up_cosine_f64);
}

TEST_CASE("a constant schedule changes no bit") {
  test::descent<float, decltype(chain(heavy))> without(chain(heavy));
  test::descent<float, decltype(chain(heavy, constant_rate{}))> with(chain(heavy, constant_rate{}));
  for (std::size_t step = 0; step < test::descent_steps; ++step) without.step(), with.step();
  CHECK(with.w == without.w);
}

TEST_CASE("schedules run slice by slice and continue from a copied state") {
  test::obeys_laws_in_float_and_double(chain(heavy, step_rate{.every = 3, .gamma = 0.5}));
  test::obeys_laws_in_float_and_double(chain(heavy, warm_up_rate{.steps = 4}, cosine_rate{.steps = 12}));
}

TEST_CASE("a step schedule refuses to act every zero steps") {
  CHECK_THROWS_AS(step_rate{.every = 0}.factor(1), exception);
  const auto steps = chain(heavy, step_rate{.every = 0});
  auto state = steps.init<float>(1);
  float g = 1;
  CHECK_THROWS_AS(steps.update(std::span(&g, 1), 0, state, update_context<float>{}), exception);
}
