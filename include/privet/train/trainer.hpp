#pragma once
// A model, its parameters and the loop over batches.

#include <privet/core/rows_view.hpp>
#include <privet/data/sampler.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <functional>
#include <optional>

namespace privet {

/// How many times to go through the data.
struct epochs {
  std::size_t count = 1;
};

/// Every row once per epoch in an order drawn from the seed; the last batch holds what is left.
struct shuffled {
  std::size_t batch = 32;
};

/// What an observer hears after each epoch.
struct epoch_report {
  std::size_t epoch; ///< 1 for the first
  double loss;       ///< mean over the rows, each before its own update
};
using epoch_observer = std::function<void(const epoch_report&)>;

/// Trains one model: `trainer{model, softmax_cross_entropy{}, chain(average_over_batch{}, adam{})}`.
///
/// Seed      first weights, batch order and dropout are functions of it; `fit` continues where the
///           last one stopped, so two times ten epochs equal twenty
template <class Model, Loss LossType, class Chain, class T = float, class Arch = simd::default_arch>
class trainer {
 public:
  using target = typename LossType::template target<T>;

  trainer(const Model& model, LossType loss, Chain steps, shuffled order = {}, std::uint64_t seed = 0)
      : step_(model, loss, steps),
        order_(order),
        seed_(seed),
        parameters_(initialise<T>(model, seed)),
        state_(step_.init()) {}

  /// Throws as `check_rows`, N001 for no rows.
  template <LabelledRows<T> Data>
  void fit(const Data& data, epochs count, const epoch_observer& observe = {}) {
    static_assert(std::same_as<target, std::int32_t>,
                  "this loss compares rows with numbers, not with a class: "
                  "call fit(rows, targets, epochs)");
    fit(rows_view<T>(data.view()), std::span<const target>(data.labels), count, observe);
  }

  /// For losses whose targets are scalars: `targets` holds `targets_per_row` of them for each row.
  void fit(rows_view<T> rows, std::span<const target> targets, epochs count,
           const epoch_observer& observe = {}) {
    require(targets.size() == rows.rows * step_.targets_per_row(), fault::shape, rows.rows, " rows with ",
            targets.size(), " targets, expected ", step_.targets_per_row(), " for each");
    if constexpr (std::same_as<target, std::int32_t>)
      check_rows(model(), rows, targets);
    else
      require(rows.columns == model().in_width(), fault::shape, "the model reads rows ", model().in_width(),
              " wide, got ", rows.columns);
    shuffled_batches batches(rows.rows, order_.batch, seed_, stream_id(purpose::batches));
    for (std::size_t i = 0; i < count.count; ++i) {
      batches.start(epoch_++);
      double loss = 0;
      for (std::size_t b = 0; b < batches.size(); ++b)
        loss += step_(parameters_, state_, rows, targets.data(), batches[b],
                      static_cast<double>(batches[b].size()), seed_);
      if (observe) observe({epoch_, loss / static_cast<double>(rows.rows)});
    }
  }

  std::vector<std::int32_t> predict(rows_view<T> rows) const {
    return privet::predict<Arch>(model(), parameters_, rows);
  }
  template <LabelledRows<T> Data>
  privet::evaluation evaluate(const Data& data) const {
    return privet::evaluate<Arch>(model(), parameters_, data);
  }

  const Model& model() const noexcept { return step_.model(); }
  privet::parameters<T>& parameters() noexcept { return parameters_; }
  const privet::parameters<T>& parameters() const noexcept { return parameters_; }

 private:
  training_step<Model, LossType, Chain, T, Arch> step_;
  shuffled order_;
  std::uint64_t seed_;
  privet::parameters<T> parameters_;
  chain_state<T> state_;
  std::size_t epoch_ = 0;
};

template <class Model, class LossType, class Chain>
trainer(const Model&, LossType, Chain) -> trainer<Model, LossType, Chain>;
template <class Model, class LossType, class Chain>
trainer(const Model&, LossType, Chain, shuffled) -> trainer<Model, LossType, Chain>;
template <class Model, class LossType, class Chain>
trainer(const Model&, LossType, Chain, shuffled, std::uint64_t) -> trainer<Model, LossType, Chain>;

} // namespace privet
