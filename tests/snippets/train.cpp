// The code of docs/train and docs/optim.

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/rmsprop.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/local_training.hpp>
#include <privet/train/predictor.hpp>
#include <privet/train/trainer.hpp>

#include <cstdio>

namespace {

using namespace privet;

/// Every tenth step is ten times as long.
struct tenth_step {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0; // it remembers nothing
  template <Label L>
  using after = rescaled<L>; // a bound does not survive it

  double factor(std::uint64_t step) const { return step % 10 == 9 ? 10 : 1; }
};
static_assert(Schedule<tenth_step>);

std::size_t optimisers() {
  const auto plain = chain(average_over_batch{}, sgd{.learning_rate = 0.05, .momentum = 0.9});
  const auto decayed =
      chain(average_over_batch{}, weight_decay{.rate = 1e-3}, rmsprop{.learning_rate = 1e-3});
  const auto scheduled = chain(average_over_batch{}, adamw{.learning_rate = 1e-3, .weight_decay = 0.01},
                               warm_up_rate{.steps = 100}, cosine_rate{.steps = 2000, .floor = 0.1});
  return decltype(plain)::slots + decltype(decayed)::slots + decltype(scheduled)::slots;
}

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

double fit(const labelled_rows<float>& rows, const labelled_rows<float>& test) {
  trainer train{model, softmax_cross_entropy{}, chain(average_over_batch{}, adam{.learning_rate = 1e-3}),
                shuffled{.batch = 64}, 7};
  train.fit(rows, epochs{20}, [](const epoch_report& r) { std::printf("%zu: %.3f\n", r.epoch, r.loss); });
  return train.evaluate(test).confusion.accuracy();
}

privacy_bounds fit_privately(const labelled_rows<float>& rows) {
  auto steps = chain(clip_l2{.bound = 1.0}, average_over_batch{}, gaussian{.noise_multiplier = 1.1},
                     adam{.learning_rate = 1e-3});
  auto train = trainer{model, softmax_cross_entropy{}, steps, poisson{.rate = 0.01}, pld_accountant{}};
  train.fit(rows, epochs{20});
  const privacy_bounds epsilon = train.spent(delta{1e-5});
  return epsilon;
}

std::int32_t answer(const parameters<>& p, std::span<const float> row) {
  predictor classify(model, p);
  const std::int32_t label = classify(row); // or classify.scores(row)
  return label;
}

double step_by_hand(rows_view<float> rows, std::span<const std::int32_t> labels,
                    std::span<const std::uint32_t> batch) {
  training_step step{model, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{.learning_rate = 0.05})};
  parameters<> p = initialise(model, 7);
  auto state = step.init();
  const double loss = step(p, state, rows, labels.data(), batch, 64); // the sum over the batch; divides by 64
  return loss;
}

void score(const parameters<>& p, const labelled_rows<float>& test) {
  const evaluation e = evaluate(model, p, test);
  std::printf("%.1f %% right, macro F1 %.3f, %.3f nats\n", 100 * e.confusion.accuracy(),
              e.confusion.macro_f1(), e.log_loss);
  for (std::size_t c = 0; c < e.confusion.classes(); ++c)
    std::printf("class %zu: found %.2f, right when named %.2f\n", c, e.confusion.recall(c),
                e.confusion.precision(c));
}

} // namespace

double train_pages(const labelled_rows<float>& rows, std::span<const std::uint32_t> batch) {
  score(initialise(model, 1), rows);
  static_cast<void>(answer(initialise(model, 1), std::span<const float>(rows.rows.data, 43)));
  return fit_privately(rows).upper + fit(rows, rows) + step_by_hand(rows.rows, rows.labels, batch) +
         static_cast<double>(optimisers());
}
