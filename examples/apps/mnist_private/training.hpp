#pragma once
// One private training run: the noise for its budget, the training, what was spent.

#include <privet/core/rows_view.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace apps {

struct private_recipe {
  std::size_t epochs = 1;
  double sample_rate = 0.01, clip = 1, learning_rate = 1, momentum = 0.9;

  privet::poisson sampler() const { return {.rate = sample_rate}; }
  /// As the trainer counts them.
  std::size_t steps() const {
    return epochs * static_cast<std::size_t>(std::max(std::round(1 / sample_rate), 1.0));
  }
  auto chain_with(double noise_multiplier) const {
    using namespace privet;
    return chain(clip_l2{.bound = clip}, average_over_batch{}, gaussian{.noise_multiplier = noise_multiplier},
                 sgd{.learning_rate = learning_rate, .momentum = momentum});
  }
};

/// The noise multiplier with which the whole run over so many rows keeps within the budget.
template <class Model>
double noise_for(const Model& model, const private_recipe& r, std::size_t rows, double epsilon,
                 privet::delta d) {
  using namespace privet;
  const poisson sampler = r.sampler();
  sampler.check();
  const training_step step(model, softmax_cross_entropy{}, r.chain_with(1));
  const bounded_sum sum = step.sum_of(sampler.most(rows), sampler.expected_batch(rows));
  privacy_event all = gaussian{.noise_multiplier = 1}.event(sampler, rows, sum);
  all.count = r.steps();
  return gaussian::asked_for(noise_multiplier_for(all, epsilon, d.value), sum);
}

struct private_outcome {
  privet::privacy_bounds spent;
  double accuracy = 0;
};

/// Trains on the rows and evaluates on others the mean of the weights after each epoch of the second half:
/// every one of them is released, so their mean costs nothing and holds less noise.
template <class Model>
private_outcome train_privately(const Model& model, const private_recipe& r, double noise_multiplier,
                                privet::delta d, std::uint64_t seed, privet::labelled_rows<float> rows,
                                privet::labelled_rows<float> test) {
  using namespace privet;
  trainer train{model,       softmax_cross_entropy{}, r.chain_with(noise_multiplier),
                r.sampler(), pld_accountant{},        seed};
  const auto weights = train.parameters().trained();
  if (model.parametric_layers() == 1) std::ranges::fill(weights, 0.0f); // no symmetry to break
  const std::size_t averaged = (r.epochs + 1) / 2;
  std::vector<double> sum(weights.size());
  train.fit(rows, epochs{r.epochs}, [&](const epoch_report& now) {
    if (now.epoch + averaged <= r.epochs) return;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(weights[i]);
  });
  for (std::size_t i = 0; i < sum.size(); ++i)
    weights[i] = static_cast<float>(sum[i] / static_cast<double>(averaged));
  return {train.spent(d), train.evaluate(test).confusion.accuracy()};
}

} // namespace apps
