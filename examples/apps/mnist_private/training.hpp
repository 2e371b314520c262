#pragma once
// One private training run: the noise for its budget, the training, what was spent.

#include "digits.hpp"

#include <privet/core/rows_view.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/multiplied_step.hpp>
#include <privet/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace apps {

struct private_recipe {
  std::size_t epochs = 1;
  double sample_rate = 0.01, clip = 1, learning_rate = 1, momentum = 0.9;
  double averaged = 0.5;       ///< share of the epochs, the last ones, whose weights are averaged
  std::size_t copies = 1;      ///< views of an image in a step, under one bound
  std::size_t shift = 2;       ///< pixels that a view may be moved, each way
  std::size_t steps = 0;       ///< in all; 0: epochs of 1 / rate steps, rounded
  double noise_multiplier = 0; ///< 0: as the budget needs

  privet::poisson sampler() const { return {.rate = sample_rate}; }
  std::size_t all_steps() const {
    return steps > 0 ? steps : epochs * static_cast<std::size_t>(std::max(std::round(1 / sample_rate), 1.0));
  }
  auto chain_of(double noise) const {
    using namespace privet;
    return chain(clip_l2{.bound = clip}, average_over_batch{}, gaussian{.noise_multiplier = noise},
                 sgd{.learning_rate = learning_rate, .momentum = momentum});
  }
};

/// A step that sees each image as it is.
template <class Model>
auto step_of(const Model& model, const private_recipe& r, double noise) {
  return privet::training_step(model, privet::softmax_cross_entropy{}, r.chain_of(noise));
}

/// A step that sees each image several times, moved at random.
template <class Model>
auto step_of_views(const Model& model, const private_recipe& r, double noise) {
  using namespace privet;
  augmentation moved({1, digit_side, digit_side}, {.padding = r.shift, .border = image_border::edge});
  return multiplied_step(model, softmax_cross_entropy{}, r.chain_of(noise), std::move(moved), r.copies);
}

/// The noise multiplier with which all steps over so many rows keep within the budget.
template <class Step>
double noise_for(const Step& step, const private_recipe& r, std::size_t rows, double epsilon,
                 privet::delta d) {
  using namespace privet;
  const poisson sampler = r.sampler();
  sampler.check();
  const bounded_sum sum = step.sum_of(sampler.most(rows), sampler.expected_batch(rows));
  privacy_event all = gaussian{.noise_multiplier = 1}.event(sampler, rows, sum);
  all.count = r.all_steps();
  return gaussian::asked_for(noise_multiplier_for(all, epsilon, d.value), sum);
}

struct private_outcome {
  privet::privacy_bounds spent;
  double accuracy = 0;
};

/// Trains and evaluates on other rows the mean of the weights after each of the last epochs: every one of them
/// is released, so their mean costs nothing and holds less noise.
template <class Step>
private_outcome train_privately(Step step, const private_recipe& r, privet::delta d, std::uint64_t seed,
                                privet::labelled_rows<float> rows, privet::labelled_rows<float> test) {
  using namespace privet;
  trainer train(std::move(step), r.sampler(), pld_accountant{}, seed);
  const auto weights = train.parameters().trained();
  if (train.model().parametric_layers() == 1) std::ranges::fill(weights, 0.0f); // no symmetry to break
  const auto averaged = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::ceil(r.averaged * static_cast<double>(r.epochs))), 1, r.epochs);
  const std::size_t steps = r.all_steps();
  std::vector<double> sum(weights.size());
  for (std::size_t e = 0; e < r.epochs; ++e) {
    train.fit(rows, draws{steps * (e + 1) / r.epochs - steps * e / r.epochs});
    if (e + averaged < r.epochs) continue;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(weights[i]);
  }
  for (std::size_t i = 0; i < sum.size(); ++i) {
    weights[i] = static_cast<float>(sum[i] / static_cast<double>(averaged));
    require(std::isfinite(weights[i]), fault::range,
            "mnist_private: a weight is no finite number: the noise is too large for this learning rate");
  }
  return {train.spent(d), train.evaluate(test).confusion.accuracy()};
}

} // namespace apps
