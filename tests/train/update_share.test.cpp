#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/update_share.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

const sequential model{dense<4, 3>{}};

auto steps_of(double noise_multiplier, std::uint32_t holders = 2, double bound = 0.05) {
  return chain(clip_l2{.bound = bound}, sum_over_batch{},
               gaussian_share{.noise_multiplier = noise_multiplier, .holders = holders});
}
const local_steps local{chain(average_over_batch{}, sgd{.learning_rate = 0.1}), 2, 4};
using share_of = update_share<std::remove_const_t<decltype(model)>, softmax_cross_entropy,
                              decltype(chain(average_over_batch{}, sgd{})), decltype(steps_of(1)), poisson>;

const auto free_of_charge = [](const privacy_event&) -> status { return nothing{}; };

/// Nine persons.
dataset<float> population() {
  auto data = test::rows_of(200, 4, 3, 5);
  data.groups.resize(data.rows());
  for (std::size_t r = 0; r < data.rows(); ++r) data.groups[r] = static_cast<std::int32_t>(r * r % 40) * 3;
  return data;
}

/// The sum of the clipped updates of all persons, by training that adds no noise.
std::vector<double> clipped_sum(const dataset<float>& data, const parameters<float>& at,
                                std::uint64_t round) {
  user_level_training training(model, softmax_cross_entropy{}, local,
                               chain(clip_l2{.bound = 0.05}, sum_over_batch{}, sgd{.learning_rate = 1}),
                               poisson{.rate = 1}, data.groups, 3);
  auto p = at;
  training.resume(p, data.view(), data.labels, round);
  std::vector<double> sum(p.trained().size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] = static_cast<double>(at.trained()[i]) - static_cast<double>(p.trained()[i]);
  return sum;
}

} // namespace

TEST_CASE("an update share is the sum of its persons' clipped updates, on any number of threads") {
  const auto data = population();
  auto p = initialise<float>(model, 3);
  const auto before = p;
  for (const std::size_t threads : {1u, 3u}) {
    share_of part(model, {}, local, steps_of(1e-3), {.rate = 1}, data.groups, 3, threads);
    for (const std::uint64_t round : {4u, 5u}) { // nothing of one round is left in the next
      const auto share = part.run(p, data.view(), data.labels, round, free_of_charge).value();
      CHECK(std::ranges::equal(p.trained(), before.trained())); // it learns nothing by itself
      const auto sum = clipped_sum(data, p, round);
      REQUIRE(share.size() == sum.size());
      double apart = 0, largest = 0;
      for (std::size_t i = 0; i < sum.size(); ++i) {
        apart = std::max(apart, std::abs(steps_of(1e-3).encoding().decode(share[i], 0.05) - sum[i]));
        largest = std::max(largest, std::abs(sum[i]));
      }
      CAPTURE(threads, round, apart, largest);
      CHECK(apart < 0.05 * 1e-3 / std::sqrt(2.0) * 6.5 + 2e-6);
      CHECK(largest > 0.2); // many bounds
    }
  }
}

TEST_CASE("an update share is paid for before anybody trains, by the event of the sum over persons") {
  const auto data = population();
  auto p = initialise<float>(model, 3);
  share_of part(model, {}, local, steps_of(2, 4), {.rate = 0.3}, data.groups, 3);
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
  CHECK(part.persons() == 9);
  CHECK(sum.parameters == 15);
  CHECK(sum.rounding > 0);
  CHECK(one.noise_multiplier == Approx(2 / (1 + sum.rounding + 2 * std::sqrt(15.0) / 0x1p21)).epsilon(1e-9));
  CHECK(one.rate == Approx(0.3));
  CHECK(asked->count == 1);
  CHECK(asked->distance >= 4 * 15 * rounded_normal_distance);

  bool paid = false;
  CHECK_THROWS_WITH(part.run(p, data.view(), std::span(data.labels).first(49), 0,
                             [&](const privacy_event&) -> status {
                               paid = true;
                               return nothing{};
                             }),
                    Contains("[N003 shape] user-level training of 200 rows"));
  CHECK_FALSE(paid);
  CHECK_THROWS_WITH((share_of(model, {}, local, steps_of(0), {.rate = 0.3}, data.groups, 3)),
                    Contains("noise multiplier 0"));
}

TEST_CASE("no number of a share is beyond its reach, which is not far beyond it") {
  const auto data = population();
  auto p = initialise<float>(model, 3);
  for (const double z : {1e-3, 0.5, 10.0}) {
    const auto steps = steps_of(z, 3);
    share_of part(model, {}, local, steps, {.rate = 1}, data.groups, 3);
    const auto share = part.run(p, data.view(), data.labels, 0, free_of_charge).value();
    const auto most = std::ranges::max(share, {}, [](std::int64_t x) { return std::abs(x); });
    CHECK(std::abs(most) <= steps.encoding().reach(part.persons()));
  }
  // All persons in one direction: the longest sum there is.
  const auto share = steps_of(1e-3, 3);
  const std::vector<double> sum{9 * 0.05, -9 * 0.05};
  for (const std::int64_t x : share.encoding().encode(std::span<const double>(sum), 0.05)) {
    CHECK(std::abs(x) <= share.encoding().reach(9));
    CHECK(2 * std::abs(x) > share.encoding().reach(9));
  }
}
