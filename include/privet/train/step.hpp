#pragma once
// One training step: a batch of rows becomes one update of the parameters.

#include <privet/core/chain.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/loss.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/simd/denormals.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace privet {

namespace detail {

template <class C>
concept ChainOfStages = requires { C::reductions, C::bounds, C::encodings; };

/// Stands in for what is no chain, so that the sentence about it is the only error.
struct neutral_chain : chain_of<average_over_batch> {
  template <class T>
  explicit neutral_chain(const T&) : chain_of(average_over_batch{}) {}
};
template <class C>
using chain_or_neutral = std::conditional_t<ChainOfStages<C>, C, neutral_chain>;

} // namespace detail

/// Runs batches of any size through a model in chunks that stay in cache, and applies a chain to
/// the sum of their gradients. Allocates when it is made, never in a step.
///
/// Sum       per-example gradients are added in batch order whatever the chunk size
/// Bounds    when the chain has one, each example is scaled by its coefficient, from its exact
///           gradient norm; one whose norm is not finite is masked by a select
template <class Model, Loss LossType, class Steps, class T = float, class Arch = simd::default_arch>
class training_step {
  using Chain = detail::chain_or_neutral<Steps>;
  static_assert(detail::ChainOfStages<Steps>,
                "[P002 no-chain] a training step runs a chain of stages and was given something else, such "
                "as an optimiser by "
                "itself: write chain(average_over_batch{}, sgd{..}). docs/errors/P002.md");
  static_assert(Chain::reductions == 1,
                "[P002 no-reduction] a training step needs to know how a batch becomes one gradient: put "
                "average_over_batch{} before the optimiser in chain(...). docs/errors/P002.md");
  static_assert(Chain::encodings == 0,
                "[P002 encoding-in-step] an encoding turns an update into a message: it belongs in "
                "an upload chain, not in a training step. docs/errors/P002.md");

 public:
  using target = typename LossType::template target<T>;

  training_step(const Model& model, LossType loss, Steps steps, std::size_t chunk = 128)
      : model_(model),
        loss_(std::move(loss)),
        chain_(std::move(steps)),
        memory_(model_.template make_tape<T>(chunk)),
        inputs_(chunk * model_.in_width()),
        targets_(chunk * loss_.targets_per_row(model_.out_width())),
        losses_(chunk),
        coefficients_(chunk),
        gradient_(model_.sizes().shared + model_.sizes().local) {
    require(chunk > 0, fault::argument, "training_step: chunks of 0 rows");
  }

  const Model& model() const noexcept { return model_; }
  const Chain& chain() const noexcept { return chain_; }
  std::size_t targets_per_row() const { return loss_.targets_per_row(model_.out_width()); }
  chain_state<T> init() const { return chain_.template init<T>(gradient_.size()); }

  /// Updates `p` from the rows that `batch` names and returns the sum of their losses before the
  /// update. The gradient is divided by `expected_batch`. Throws N003 for rows, parameters or a
  /// state of another width than the model's, and for the state of another chain.
  double operator()(parameters<T>& p, chain_state<T>& state, rows_view<T> data, const target* targets,
                    std::span<const std::uint32_t> batch, double expected_batch, std::uint64_t seed = 0) {
    const simd::flush_denormals quick;
    require(data.columns == model_.in_width(), fault::shape, "the model reads rows ", model_.in_width(),
            " wide, got ", data.columns);
    require(p.trained().size() == gradient_.size(), fault::shape, "the model has ", gradient_.size(),
            " parameters, got ", p.trained().size());
    require(state.parameters == gradient_.size(), fault::shape, "the model has ", gradient_.size(),
            " parameters, the state is for ", state.parameters);
    require(state.slots.size() == Chain::slots * gradient_.size(), fault::shape, "the chain keeps ",
            Chain::slots, " numbers for each of ", gradient_.size(), " parameters, the state holds ",
            state.slots.size(), ": it is another chain's");
    std::ranges::fill(gradient_, T{});
    double loss = 0;
    for (std::size_t first = 0; first < batch.size(); first += memory_.capacity())
      loss += chunk(p, state.step, data, targets, batch, first, seed);
    descend(p, state, expected_batch);
    return loss;
  }

  /// The sum of gradients of the last step, before the chain. For tests and inspection.
  std::span<const T> gradient() const noexcept { return gradient_; }

 private:
  double chunk(const parameters<T>& p, std::uint64_t step, rows_view<T> data, const target* targets,
               std::span<const std::uint32_t> batch, std::size_t first, std::uint64_t seed) {
    const std::size_t rows = std::min(memory_.capacity(), batch.size() - first);
    gather(data, targets, batch.subspan(first, rows));
    const layer_context context{mode::training, seed, step, static_cast<std::uint32_t>(first)};
    const std::span<const T> weights = p.trained();
    const std::size_t last = model_.depth() - 1;
    model_.template forward<Arch>(weights, rows, inputs_.data(), memory_, context);
    loss_.template evaluate<Arch>(rows, model_.out_width(), static_cast<const T*>(memory_.output(last)),
                                  static_cast<const target*>(targets_.data()), losses_.data(),
                                  memory_.delta(last));
    model_.template backward<Arch>(weights, rows, inputs_.data(), memory_, context);
    if constexpr (Chain::bounds > 0) bound(rows);
    model_.template accumulate<Arch>(rows, inputs_.data(), memory_, std::span<T>(gradient_));
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += losses_[r];
    return sum;
  }

  void gather(rows_view<T> data, const target* targets, std::span<const std::uint32_t> batch) {
    const std::size_t width = data.columns, per_row = loss_.targets_per_row(model_.out_width());
    for (std::size_t r = 0; r < batch.size(); ++r) {
      std::memcpy(inputs_.data() + r * width, data.data + batch[r] * width, width * sizeof(T));
      std::memcpy(targets_.data() + r * per_row, targets + batch[r] * per_row, per_row * sizeof(target));
    }
  }

  void bound(std::size_t rows) {
    const std::span<T> coefficients = std::span<T>(coefficients_).first(rows);
    model_.template squared_norms<Arch>(rows, inputs_.data(), memory_, coefficients);
    for (auto& c : coefficients) {
      const T norm = c;
      T product = T{1};
      chain_.stages().for_each([&]<class S>(const S& stage) {
        if constexpr (Bound<S>) product *= stage.coefficient(norm);
      });
      c = std::isfinite(norm) ? product : T{};
    }
    model_.template weigh<Arch>(rows, inputs_.data(), memory_, std::span<const T>(coefficients));
  }

  /// Reduction, pointwise stages and the update itself, slice by slice so that each stays in L1.
  void descend(parameters<T>& p, chain_state<T>& state, double expected_batch) {
    double scale = 1;
    chain_.stages().for_each([&]<class S>(const S& stage) {
      if constexpr (Reduction<S>) scale = stage.scale(expected_batch);
    });
    const T factor = static_cast<T>(scale);
    const std::span<T> weights = p.trained();
    constexpr std::size_t slice = 2048;
    for (std::size_t offset = 0; offset < weights.size(); offset += slice) {
      const std::size_t n = std::min(slice, weights.size() - offset);
      const std::span<T> step = std::span<T>(gradient_).subspan(offset, n), w = weights.subspan(offset, n);
      std::array<T, slice> update;
      for (std::size_t i = 0; i < n; ++i) update[i] = step[i] * factor;
      chain_.update(std::span<T>(update).first(n), offset, state,
                    update_context<T>{state.step, w, expected_batch});
      for (std::size_t i = 0; i < n; ++i) w[i] -= update[i];
    }
    ++state.step;
  }

  Model model_;
  LossType loss_;
  Chain chain_;
  tape<T> memory_;
  aligned_vector<T> inputs_;
  std::vector<target> targets_;
  std::vector<T> losses_, coefficients_;
  aligned_vector<T> gradient_;
};

template <class Model, class LossType, class Chain>
training_step(const Model&, LossType, Chain) -> training_step<Model, LossType, Chain>;
template <class Model, class LossType, class Chain>
training_step(const Model&, LossType, Chain, std::size_t) -> training_step<Model, LossType, Chain>;

} // namespace privet
