#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/train/gradient_share.hpp>
#include <privet/train/initialise.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

const sequential model{dense<5, 8>{}, relu{}, dense<8, 3>{}};

auto steps_of(double noise_multiplier, std::uint32_t holders = 2, double bound = 0.3) {
  return chain(clip_l2{.bound = bound}, sum_over_batch{},
               gaussian_share{.noise_multiplier = noise_multiplier, .holders = holders});
}
using steps = decltype(steps_of(1));
template <class T = float>
using share_of =
    gradient_share<std::remove_const_t<decltype(model)>, softmax_cross_entropy, steps, poisson, T>;

const auto free_of_charge = [](const privacy_event&) -> status { return nothing{}; };

/// The sum of the clipped gradients of all rows, in double precision.
std::vector<double> clipped_sum(const dataset<float>& data, const parameters<float>& at, double bound) {
  training_step<std::remove_const_t<decltype(model)>, softmax_cross_entropy,
                decltype(chain(clip_l2{}, sum_over_batch{}, sgd{})), double>
      step(model, {}, chain(clip_l2{.bound = bound}, sum_over_batch{}, sgd{.learning_rate = 1}));
  auto p = model.make_parameters<double>();
  std::ranges::copy(at.trained(), p.trained().begin());
  const std::vector<double> before(p.trained().begin(), p.trained().end());
  std::vector<double> rows(as_span(data.features).begin(), as_span(data.features).end());
  std::vector<std::uint32_t> batch(data.rows());
  for (std::uint32_t i = 0; i < batch.size(); ++i) batch[i] = i;
  auto state = step.init();
  step(p, state, {rows.data(), data.rows(), data.columns()}, data.labels.data(), batch, 1);
  std::vector<double> sum(before.size());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = before[i] - p.trained()[i];
  return sum;
}

} // namespace

TEST_CASE("a gradient share is the clipped sum of its rows, in batches of one chunk and of several") {
  for (const std::size_t rows : {1u, 100u, 128u, 129u, 700u}) {
    const auto data = test::rows_of(rows, 5, 3, rows);
    auto p = initialise<float>(model, 3);
    const auto before = p;
    share_of<> part(model, {}, steps_of(1e-3), {.rate = 1}, rows, 1);
    const auto share = part.run(p, data.view(), data.labels, 0, free_of_charge).value();
    CHECK(std::ranges::equal(p.trained(), before.trained())); // it learns nothing by itself
    const auto sum = clipped_sum(data, p, 0.3);
    REQUIRE(share.size() == sum.size());
    double apart = 0, largest = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      apart = std::max(apart, std::abs(steps_of(1e-3).encoding().decode(share[i], 0.3) - sum[i]));
      largest = std::max(largest, std::abs(sum[i]));
    }
    CAPTURE(rows, apart, largest);
    CHECK(apart < 0.3 * 1e-3 / std::sqrt(2.0) * 6 + 1e-6 * static_cast<double>(rows)); // 75 normals
    CHECK(largest > 0.02);
  }
}

TEST_CASE("a gradient share is drawn anew in each round, each row with its rate") {
  const auto data = test::rows_of(50, 5, 3, 1);
  auto p = initialise<float>(model, 3);
  share_of<> part(model, {}, steps_of(1e-3), {.rate = 0.3}, 50, 1);
  const auto sum = clipped_sum(data, p, 0.3);
  std::vector<double> mean(sum.size());
  constexpr int rounds = 4000;
  for (int r = 0; r < rounds; ++r) {
    const auto share = part.run(p, data.view(), data.labels, 0, free_of_charge).value();
    for (std::size_t i = 0; i < sum.size(); ++i)
      mean[i] += steps_of(1e-3).encoding().decode(share[i], 0.3) / rounds;
  }
  // One number of a batch varies by at most sqrt(50 q (1 - q)) bounds.
  const double deviation = 0.3 * std::sqrt(50 * 0.3 * 0.7 / rounds);
  for (std::size_t i = 0; i < sum.size(); ++i) CHECK(std::abs(mean[i] - 0.3 * sum[i]) < 6 * deviation);
}

TEST_CASE("a gradient share is paid for before anything is drawn, by the event of the sum") {
  const auto data = test::rows_of(50, 5, 3, 1);
  auto p = initialise<float>(model, 3);
  share_of<> part(model, {}, steps_of(2, 4), {.rate = 0.3}, 50, 1);
  std::optional<privacy_event> asked;
  const auto refused = part.run(p, data.view(), data.labels, 0, [&](const privacy_event& e) -> status {
    asked = e;
    return error::of(fault::state, "the budget is spent");
  });
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Contains("budget is spent"));
  REQUIRE(asked);
  const auto one = std::get<event::subsampled_gaussian>(asked->mechanism);
  const auto sum = part.sum_of_one();
  CHECK(sum.parameters == 75);
  CHECK(sum.rounding > 0);
  CHECK(one.noise_multiplier == Approx(2 / (1 + sum.rounding + 2 * std::sqrt(75.0) / 0x1p21)).epsilon(1e-9));
  CHECK(asked->count == 1);
  CHECK(asked->distance >= 4 * 75 * rounded_normal_distance);

  CHECK_THROWS_WITH(part.run(p, data.view(), std::span(data.labels).first(49), 0, free_of_charge),
                    Contains("[N003 shape] a share of 50 rows"));
  CHECK_THROWS_WITH((share_of<>(model, {}, steps_of(1), {.rate = 0.3}, 0, 1)), Contains("0 rows"));
  CHECK_THROWS_WITH((share_of<>(model, {}, steps_of(0), {.rate = 0.3}, 50, 1)),
                    Contains("noise multiplier 0"));
}

TEST_CASE("a row that no number holds is in no gradient share") {
  auto data = test::rows_of(20, 5, 3, 1);
  auto p = initialise<float>(model, 3);
  const auto without = [&] {
    share_of<> part(model, {}, steps_of(1e-3), {.rate = 1}, 20, 1);
    return part.run(p, data.view(), data.labels, 0, free_of_charge).value();
  };
  row(data.features, 7)[2] = 3e38f;
  const auto masked = without();
  std::ranges::fill(row(data.features, 7), 0.f);
  const auto zero = without();
  // The row of zeros has a gradient of at most the bound, the other none.
  double apart = 0;
  for (std::size_t i = 0; i < zero.size(); ++i)
    apart = std::max(apart, std::abs(steps_of(1e-3).encoding().decode(zero[i] - masked[i], 0.3)));
  CHECK(apart < 0.31);
  CHECK(apart > 0.05);
}
