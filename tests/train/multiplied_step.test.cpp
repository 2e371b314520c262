#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/multiplied_step.hpp>

#include <cmath>
#include <limits>
#include <numeric>

using namespace privet;

namespace {

constexpr image_shape shape{1, 6, 6};
const sequential model{conv2d<image{1, 6, 6}, 2, window{3, 3}>{}, tanh_layer{}, flatten{}, dense<32, 3>{}};
const augmentation change(shape, {.flip = 0.5, .padding = 2, .brightness = 0.5});
constexpr std::size_t many = 9, copies = 4;

/// Pictures of noise, each stronger than the one before, so that a bound holds for some and not for others.
template <class T = double>
std::vector<T> pictures() {
  auto x = test::normals<T>(many * 36, 5);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::abs(x[i]) * static_cast<T>(i / 36 + 1) / T(20);
  return x;
}
const std::vector<std::int32_t> labels{0, 1, 2, 0, 1, 2, 0, 1, 2};

std::vector<std::uint32_t> all_rows(std::size_t count = many) {
  std::vector<std::uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0u);
  return rows;
}

/// What a step takes from the weights at a learning rate of 1.
template <class Step, class T>
std::vector<T> taken(Step& step, const std::vector<T>& x, std::span<const std::uint32_t> batch,
                     double expected) {
  auto p = initialise<T>(step.model(), 1);
  const std::vector<T> before(p.trained().begin(), p.trained().end());
  auto state = step.init();
  step(p, state, rows_view<T>{x.data(), x.size() / 36, 36}, labels.data(), batch, expected, 7);
  std::vector<T> out;
  for (std::size_t i = 0; i < before.size(); ++i) out.push_back(before[i] - p.trained()[i]);
  return out;
}

template <class Steps, class T = double>
auto made(const Steps& steps, std::size_t k = copies) {
  return multiplied_step<decltype(model), softmax_cross_entropy, Steps, T>(model, softmax_cross_entropy{},
                                                                           steps, change, k);
}

/// The mean of the gradients of an example's copies, by plain steps on copies that are made here.
std::vector<double> mean_gradient(const std::vector<double>& x, std::uint32_t row, std::size_t k) {
  const auto plain = chain(average_over_batch{}, sgd{.learning_rate = 1});
  training_step<decltype(model), softmax_cross_entropy, decltype(plain), double> step(
      model, softmax_cross_entropy{}, plain);
  std::vector<double> rows(k * 36);
  const std::vector<std::uint32_t> one{row};
  change(rows_view<double>{x.data(), many, 36}, std::span(one), 7, 0, std::span(rows), k);
  auto p = initialise<double>(model, 1);
  const std::vector<double> before(p.trained().begin(), p.trained().end());
  auto state = step.init();
  const std::vector<std::int32_t> same(k, labels[row]);
  step(p, state, rows_view<double>{rows.data(), k, 36}, same.data(), all_rows(k), static_cast<double>(k));
  std::vector<double> out;
  for (std::size_t i = 0; i < before.size(); ++i) out.push_back(before[i] - p.trained()[i]);
  return out;
}

double length(const std::vector<double>& v, std::size_t from = 0, std::size_t to = std::size_t(-1)) {
  double sum = 0;
  for (std::size_t i = from; i < std::min(to, v.size()); ++i) sum += v[i] * v[i];
  return std::sqrt(sum);
}

double furthest(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

} // namespace

TEST_CASE("multiplied_step: what is bounded is the mean over the copies of an example") {
  const auto x = pictures();
  std::vector<double> norms;
  for (std::uint32_t r = 0; r < many; ++r) norms.push_back(length(mean_gradient(x, r, copies)));
  const double bound = (*std::ranges::min_element(norms) + *std::ranges::max_element(norms)) / 2;

  std::vector<double> expected(model.make_parameters<double>().trained().size()), each = expected;
  int clipped = 0;
  for (std::uint32_t r = 0; r < many; ++r) {
    const auto g = mean_gradient(x, r, copies);
    clipped += norms[r] > bound;
    for (std::size_t i = 0; i < g.size(); ++i) expected[i] += g[i] * std::min(1.0, bound / norms[r]) / 5;
  }
  CHECK(clipped > 0);
  CHECK(clipped < static_cast<int>(many));
  auto step = made(chain(clip_l2{.bound = bound}, average_over_batch{}, sgd{.learning_rate = 1}));
  CHECK(furthest(taken(step, x, all_rows(), 5), expected) < 1e-12);

  // By layer: the two layers with parameters, of 20 and 99 numbers.
  std::ranges::fill(expected, 0);
  for (std::uint32_t r = 0; r < many; ++r) {
    const auto g = mean_gradient(x, r, copies);
    const double share = bound / std::sqrt(2.0), first = length(g, 0, 20), second = length(g, 20);
    for (std::size_t i = 0; i < g.size(); ++i)
      expected[i] += g[i] * std::min(1.0, share / (i < 20 ? first : second)) / 5;
  }
  auto by_layer =
      made(chain(clip_l2{.bound = bound}.by_layer(), average_over_batch{}, sgd{.learning_rate = 1}));
  CHECK(furthest(taken(by_layer, x, all_rows(), 5), expected) < 1e-12);

  // Without a bound: the mean over examples of means over copies.
  std::ranges::fill(expected, 0);
  for (std::uint32_t r = 0; r < many; ++r) {
    const auto g = mean_gradient(x, r, copies);
    for (std::size_t i = 0; i < g.size(); ++i) expected[i] += g[i] / 5;
  }
  auto plain = made(chain(average_over_batch{}, sgd{.learning_rate = 1}));
  CHECK(furthest(taken(plain, x, all_rows(), 5), expected) < 1e-12);
}

TEST_CASE("multiplied_step: one copy that nothing changes is an ordinary private step") {
  const auto x = pictures<double>();
  const auto steps = chain(clip_l2{.bound = 0.5}, average_over_batch{}, sgd{.learning_rate = 1});
  multiplied_step<decltype(model), softmax_cross_entropy, decltype(steps), double> one(
      model, softmax_cross_entropy{}, steps, augmentation(shape, {}), 1);
  training_step<decltype(model), softmax_cross_entropy, decltype(steps), double> plain(
      model, softmax_cross_entropy{}, steps);
  CHECK(furthest(taken(one, x, all_rows(), many), taken(plain, x, all_rows(), many)) < 1e-12);
  // More than one part, and a batch of none.
  std::vector<std::uint32_t> long_batch;
  for (std::uint32_t i = 0; i < 200; ++i) long_batch.push_back(i * 5 % many);
  CHECK(furthest(taken(one, x, long_batch, 200), taken(plain, x, long_batch, 200)) < 1e-12);
  CHECK(length(taken(one, x, {}, 200)) == 0);
}

TEST_CASE("multiplied_step: an example more or less moves the sum by at most the bound, whatever it is") {
  auto x = pictures();
  constexpr double bound = 0.25;
  const auto flat = chain(clip_l2{.bound = bound}, average_over_batch{}, sgd{.learning_rate = 1});
  const auto layered =
      chain(clip_l2{.bound = bound}.by_layer(), average_over_batch{}, sgd{.learning_rate = 1});
  const auto check = [&](auto step) {
    const auto whole = all_rows();
    for (std::size_t left_out = 0; left_out < many; ++left_out) {
      auto fewer = whole;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(left_out));
      auto with = taken(step, x, whole, 1);
      const auto without = taken(step, x, fewer, 1);
      for (std::size_t i = 0; i < with.size(); ++i) with[i] -= without[i];
      CHECK(length(with) <= bound * (1 + step.sum_of(many, 1).rounding) + 1e-12);
      CHECK(length(with) > bound / 100);
    }
  };
  for (std::size_t i = 0; i < 36; ++i) x[4 * 36 + i] *= 1e6; // one that would outweigh all others
  check(made(flat));
  check(made(layered));
  check(made(flat, 1));

  // One that is no number leaves no trace.
  auto step = made(flat);
  auto fewer = all_rows();
  fewer.erase(fewer.begin() + 4);
  const auto without = taken(step, x, fewer, 1);
  x[4 * 36 + 17] = std::numeric_limits<double>::quiet_NaN();
  CHECK(taken(step, x, all_rows(), 1) == without);
  auto by_layer = made(layered);
  for (const double d : taken(by_layer, x, all_rows(), 1)) REQUIRE(std::isfinite(d));
}

TEST_CASE("multiplied_step: its event is that of one copy, and its coins are secret under noise") {
  const auto private_steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                                   sgd{.learning_rate = 0.1});
  const auto sampler = poisson{.rate = 0.1};
  const auto epsilon = [&](std::size_t k) {
    const auto step = made<decltype(private_steps), float>(private_steps, k);
    auto event = step.chain().mechanism().event(sampler, 1000, step.sum_of(sampler.most(1000), 100));
    event.count = 50;
    pld_accountant accountant;
    accountant.compose(event);
    return accountant.epsilon(1e-5).upper;
  };
  CHECK(epsilon(1) == epsilon(16));
  CHECK(epsilon(1) > 0.1);

  auto step = made<decltype(private_steps), float>(private_steps);
  const auto x = pictures<float>();
  CHECK(taken(step, x, all_rows(), many) != taken(step, x, all_rows(), many));
}

TEST_CASE("multiplied_step refuses shapes that do not fit") {
  const auto steps = chain(average_over_batch{}, sgd{});
  CHECK_THROWS_AS(made(steps, 0), exception);
  const augmentation smaller(shape, {.height = 5});
  CHECK_THROWS_AS((multiplied_step<decltype(model), softmax_cross_entropy, decltype(steps), double>(
                      model, softmax_cross_entropy{}, steps, smaller, 2)),
                  exception);
  auto step = made(steps);
  auto p = model.make_parameters<double>();
  auto state = step.init();
  const std::vector<double> x(35);
  CHECK_THROWS_AS(step(p, state, rows_view<double>{x.data(), 1, 35}, labels.data(), all_rows(1), 1),
                  exception);
}
