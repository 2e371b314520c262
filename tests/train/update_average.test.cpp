#include "support/catch.hpp"

#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/update_average.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace privet;

namespace {

using vector = std::vector<float>;
const sgd whole{.learning_rate = 1};

vector draw(std::uint64_t seed, std::size_t size, float scale = 1) {
  replayable_random source(seed);
  vector x(size);
  for (auto& v : x) v = scale * (2 * uniform01(source) - 1);
  return x;
}
double length(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}
std::vector<double> difference(const vector& a, const vector& b) {
  std::vector<double> out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = static_cast<double>(a[i]) - b[i];
  return out;
}

} // namespace

TEST_CASE("the average of clipped updates is what a plain loop says") {
  constexpr std::size_t size = 5000, persons = 7;
  constexpr double bound = 10, expected = 6.5;
  update_average average(chain(clip_l2{.bound = bound}, average_over_batch{}, whole), size);
  auto state = average.init();
  auto part = average.make_part();
  const vector sent = draw(1, size);
  std::vector<double> sum(size);
  for (std::size_t k = 0; k < persons; ++k) {
    const vector trained = draw(2 + k, size, k < 3 ? 1.f : 1e-3f);
    average.add(part, state, sent, trained, 10 + k);
    const auto v = difference(sent, trained);
    const double c = std::min(1.0, bound / length(v));
    for (std::size_t i = 0; i < size; ++i) sum[i] += c * v[i];
  }
  vector weights = sent;
  average.apply(state, {&part, 1}, expected, std::span(weights));
  CHECK(state.step == 1);
  for (std::size_t i = 0; i < size; ++i)
    REQUIRE(weights[i] == Approx(static_cast<double>(sent[i]) - sum[i] / expected).margin(1e-6));
}

TEST_CASE("updates may come in any order and in parts, to the same bits") {
  constexpr std::size_t size = 300, persons = 12;
  update_average average(chain(clip_l2{.bound = 2}, average_over_batch{}, whole), size);
  const vector sent = draw(1, size);
  const auto run = [&](bool backwards, std::size_t parts) {
    auto state = average.init();
    std::vector<decltype(average)::part> sums(parts, average.make_part());
    for (std::size_t k = 0; k < persons; ++k) {
      const std::size_t who = backwards ? persons - 1 - k : k;
      average.add(sums[k % parts], state, sent, draw(100 + who, size), 1);
    }
    vector weights = sent;
    average.apply(state, sums, 10, std::span(weights));
    return weights;
  };
  const auto once = run(false, 1);
  CHECK(run(true, 1) == once);
  CHECK(run(false, 5) == once);
}

TEST_CASE("one person moves the sum by the bound, with any weight they claim") {
  constexpr std::size_t size = 64;
  const vector sent = draw(1, size), far = draw(2, size, 1e6f);
  const auto moved = [&](const auto& reduction, std::size_t examples) {
    update_average average(chain(clip_l2{.bound = 0.5}, reduction, whole), size);
    auto state = average.init();
    auto part = average.make_part();
    average.add(part, state, sent, far, examples);
    vector weights = sent;
    average.apply(state, {&part, 1}, 10, std::span(weights));
    return length(difference(weights, sent));
  };
  CHECK(moved(average_over_batch{}, 1'000'000) == Approx(0.5 / 10).epsilon(1e-5));
  CHECK(moved(average_by_examples::capped(100, 0.5), 1'000'000) == Approx(0.5 / 5).epsilon(1e-5));
  CHECK(moved(average_by_examples::capped(100, 0.5), 20) == Approx(0.2 * 0.5 / 5).epsilon(1e-5));
}

TEST_CASE("without privacy examples are weights, and the divisor is their sum") {
  update_average average(chain(average_by_examples{}, whole), 2);
  auto state = average.init();
  auto part = average.make_part();
  average.add(part, state, vector{1, 1}, vector{0, 3}, 30);
  average.add(part, state, vector{1, 1}, vector{5, 1}, 10);
  vector weights{1, 1};
  average.apply(state, {&part, 1}, 1, std::span(weights));
  CHECK(weights[0] == Approx(1 - (30. * 1 + 10. * -4) / 40));
  CHECK(weights[1] == Approx(1 - (30. * -2 + 10. * 0) / 40));
  CHECK_THROWS_WITH(average.add(part, state, vector{1, 1}, vector{1e20f, 0}, 1), Catch::Contains("[N008"));
}

TEST_CASE("weights by examples beside a bound add up however large they are") {
  update_average average(chain(clip_l2{.bound = 1}, average_by_examples{}, whole), 1);
  auto state = average.init();
  auto part = average.make_part();
  for (int k = 0; k < 900; ++k) average.add(part, state, vector{0}, vector{-1}, 100'000);
  vector weights{0};
  average.apply(state, {&part, 1}, 1, std::span(weights));
  CHECK(weights[0] == Approx(-1));
  CHECK_THROWS_WITH(average.add(part, state, vector{0}, vector{1}, std::size_t{1} << 22),
                    Catch::Contains("[N011"));
}

TEST_CASE("an update that is no number counts as zero, to the bit") {
  constexpr std::size_t size = 16;
  update_average average(chain(clip_l2{}, average_over_batch{}, whole), size);
  auto state = average.init();
  const vector sent = draw(1, size);
  const auto run = [&](const vector* odd) {
    auto part = average.make_part();
    average.add(part, state, sent, draw(2, size), 1);
    if (odd) average.add(part, state, sent, *odd, 1);
    vector weights = sent;
    average.apply(state, {&part, 1}, 2, std::span(weights));
    return weights;
  };
  vector odd = draw(3, size);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    odd[7] = bad;
    CHECK(run(&odd) == run(nullptr));
  }
}

TEST_CASE("an adaptive bound follows its quantile") {
  constexpr std::size_t size = 50;
  update_average average(
      chain(clip_l2_adaptive{.bound = 1, .quantile = 0.5, .rate = 0.3}, average_over_batch{}, whole), size);
  auto state = average.init();
  const vector sent(size, 0.f);
  for (std::size_t round = 0; round < 60; ++round) {
    auto part = average.make_part();
    for (std::size_t k = 0; k < 9; ++k) { // norms 1 to 9
      vector trained(size, 0.f);
      trained[0] = static_cast<float>(k + 1);
      average.add(part, state, sent, trained, 1);
    }
    vector weights = sent;
    average.apply(state, {&part, 1}, 9, std::span(weights));
  }
  CHECK(state.bound > 4);
  CHECK(state.bound < 6);
}

TEST_CASE("a sum of other sizes, or of too many persons, is refused") {
  update_average average(chain(clip_l2{}, average_over_batch{}, gaussian{}, whole), 4);
  auto state = average.init();
  auto part = average.make_part();
  CHECK_THROWS_WITH(average.add(part, state, vector(4), vector(3), 1), Catch::Contains("[N003"));
  vector weights(5);
  CHECK_THROWS_WITH(average.apply(state, {&part, 1}, 1, std::span(weights)), Catch::Contains("[N003"));
  CHECK_THROWS_WITH(average.sum_of(std::size_t{1} << 22, 1), Catch::Contains("[N011"));
  CHECK(average.sum_of(100, 50).rounding < 1e-4);
  CHECK(average.sum_of(100, 50).parameters == 4);
}
