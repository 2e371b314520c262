#pragma once
// One training step: a batch of rows becomes one update of the parameters.

#include <privet/core/chain.hpp>
#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/loss.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/system.hpp>
#include <privet/simd/denormals.hpp>
#include <privet/simd/elementwise.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
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

/// weights -= what the pointwise stages make of `step` times `scale`, on one piece of both. `step` is spent.
/// A last stage that can descend by itself does, in one pass.
template <class Arch, class Chain, class T>
void descend(const Chain& steps, std::span<T> step, std::size_t offset, chain_state<T>& state,
             const update_context<T>& context, double scale, std::span<T> weights) {
  bool descended = false;
  const double rest = steps.template update_up_to_scale<Arch>(
      step, offset, state, context, scale, [&]<class Stage>(const Stage& stage, double behind) {
        if constexpr (requires { stage.template descend<Arch>(step, behind, context, weights); }) {
          stage.template descend<Arch>(step, behind, context, weights);
          descended = true;
        }
        return descended;
      });
  if (!descended) simd::axpy<Arch>(static_cast<T>(-rest), std::span<const T>(step), weights);
}

} // namespace detail

/// Runs batches of any size through a model in chunks that stay in cache, and applies a chain to
/// the sum of their gradients. Allocates when it is made, never in a step.
///
/// Chunk     320 rows unless stated; fewer, whole blocks of 16, where those behind the first would take more than
///           256 MiB; always 320 of a model that normalises over them
/// Sum       per-example gradients are added in batch order, those of dense layers whatever the chunk size
/// Fusion    a batch that fits in one chunk never has its gradient in memory as a whole: plain
///           descent happens in the registers that hold the sum, other chains run on pieces in L1
/// Bounds    when the chain has one, each example is scaled by its coefficient, from its exact
///           gradient norm; one whose norm is not finite is masked by a select
/// Noise     once, whatever the number of chunks, on the sum divided by the expected batch; an empty batch
///           is a step like any other
/// Privacy   the loss that a step returns is not private: a private run shows it to nobody. Under noise
///           dropout draws from the operating system, not from the seed
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
  static_assert(
      Chain::bounds <= 1,
      "[P002 two-bounds] a training step bounds each example once: the second bound would see norms "
      "from before the first. Keep the smaller. docs/errors/P002.md");
  static_assert(
      Chain::mechanisms <= 1,
      "[P002 two-mechanisms] a training step adds noise once: of two the accountant would count one. "
      "Keep the one that the budget needs. docs/errors/P002.md");
  static_assert(
      Chain::bounds == 0 || !Model::mixes_in_training,
      "[P007 mixed-examples] a layer mixes the examples of a batch in training, so no gradient belongs "
      "to one example and clipping bounds nothing: freeze it or take group_norm. docs/errors/P007.md");

 public:
  using target = typename LossType::template target<T>;
  using model_type = Model;
  using loss_type = LossType;
  using chain_type = Steps;
  using value_type = T;
  using arch_type = Arch;

  training_step(const Model& model, LossType loss, Steps steps)
      : training_step(model, std::move(loss), std::move(steps), usual_chunk(model)) {}
  training_step(const Model& model, LossType loss, Steps steps, std::size_t chunk)
      : model_(model),
        loss_(std::move(loss)),
        chain_(std::move(steps)),
        memory_(model_.template make_tape<T>(chunk)),
        inputs_(chunk * model_.in_width()),
        targets_(chunk * loss_.targets_per_row(model_.out_width())),
        gradient_(model_.sizes().shared + model_.sizes().local),
        losses_(chunk),
        coefficients_(chunk * (Chain::bounds_by_layer ? model_.parametric_layers() : 1)),
        piece_(std::min(gradient_.size(), std::max(model_.piece_size(), piece_in_cache))),
        room_(Chain::mechanisms > 0 ? piece_ : 0) {
    require(chunk > 0, fault::argument, "training_step: chunks of 0 rows");
  }

  /// Rows at a time, where nobody states them.
  static std::size_t usual_chunk(const Model& model) {
    constexpr std::size_t most = 320;
    return Model::mixes_in_training ? most : model.template rows_within<T>(usual_tape_bytes, most);
  }

  const Model& model() const noexcept { return model_; }
  const Chain& chain() const noexcept { return chain_; }
  /// Widths of the rows that a step is handed, and of what the model says of each.
  std::size_t in_width() const { return model_.in_width(); }
  std::size_t out_width() const { return model_.out_width(); }
  std::size_t targets_per_row() const { return loss_.targets_per_row(model_.out_width()); }
  chain_state<T> init() const { return chain_.template init<T>(gradient_.size()); }

  /// The weights that a stage of the chain pulls towards, as many as are trained: read in every step from now
  /// on, never copied.
  void anchor(std::span<const T> weights)
    requires(Chain::anchored)
  {
    anchor_ = weights;
  }

  /// What the mechanism of the chain must know of the sums of batches of up to `most_rows` rows.
  ///
  /// Proof     docs/privacy/training.md: the error of norms, of sums of partial sums no longer than their
  ///           number of rows, in each of two neighbours
  bounded_sum sum_of(std::size_t most_rows, double expected_batch) const {
    const double u = std::numeric_limits<T>::epsilon() / 2, rows = static_cast<double>(most_rows),
                 whole = std::min(rows, static_cast<double>(memory_.capacity())),
                 part = std::min(rows, static_cast<double>(part_of_many()));
    const double sums = std::max(whole * (whole + 7), rows * (part + rows / std::max(part, 1.0) + 6));
    const double norms = static_cast<double>(model_.longest_norm()) / 2 + 8;
    return {gradient_.size(), u * (sums + norms) * 1.001, count_deviation(expected_batch)};
  }

  /// Updates `p` from the rows that `batch` names and returns the sum of their losses before the
  /// update. The gradient is divided by `expected_batch`. Throws N003 for rows, parameters or a
  /// state of another width than the model's, and for the state of another chain; N001 for a chain that
  /// pulls towards an anchor that was not stated.
  double operator()(parameters<T>& p, chain_state<T>& state, rows_view<T> data, const target* targets,
                    std::span<const std::uint32_t> batch, double expected_batch, std::uint64_t seed = 0) {
    const simd::flush_denormals quick;
    require(data.columns == in_width(), fault::shape, "the model reads rows ", in_width(), " wide, got ",
            data.columns);
    const double scale = start(p, state, expected_batch, seed);
    const auto simple = chain_.scaling(state.step);
    double loss = 0;
    if (batch.size() <= memory_.capacity()) {
      loss = deltas(p, state.step, data, targets, batch, 0, seed);
      if (simple)
        model_.template descend<Arch>(batch.size(), rows_, memory_, static_cast<T>(scale * *simple),
                                      std::span<T>(gradient_), p.trained());
      else
        model_.template piecewise<Arch>(
            batch.size(), rows_, memory_, std::span<T>(gradient_).first(piece_),
            [&](std::size_t offset, std::span<T> piece) { apply(p, state, offset, piece, scale); });
    } else {
      std::ranges::fill(gradient_, T{});
      for (std::size_t first = 0; first < batch.size(); first += part_of_many()) {
        const auto part = batch.subspan(first, std::min(part_of_many(), batch.size() - first));
        loss += deltas(p, state.step, data, targets, part, first, seed);
        if constexpr (Chain::mechanisms > 0) // a sum of sums
          model_.template piecewise<Arch>(
              part.size(), rows_, memory_, std::span<T>(room_), [&](std::size_t offset, std::span<T> piece) {
                simd::axpy<Arch>(T{1}, std::span<const T>(piece),
                                 std::span<T>(gradient_).subspan(offset, piece.size()));
              });
        else
          model_.template accumulate<Arch>(part.size(), rows_, memory_, std::span<T>(gradient_));
      }
      if (simple)
        simd::axpy<Arch>(static_cast<T>(-scale * *simple), std::span<const T>(gradient_), p.trained());
      else
        apply_sum(p, state, scale);
    }
    end(state, expected_batch);
    return loss;
  }

 protected:
  /// Before the first row: refuses as a step does, draws a seed that is to be secret, returns what the sum is scaled
  /// by when it is whole.
  double start(const parameters<T>& p, const chain_state<T>& state, double expected_batch,
               [[maybe_unused]] std::uint64_t& seed) {
    check(p, state);
    double scale = 1;
    chain_.stages().for_each([&]<class S>(const S& stage) {
      if constexpr (Reduction<S>) scale = stage.scale(expected_batch);
    });
    // Coins that belong to places in the batch: a row more would move the rows behind it to other coins, and
    // so move more than one gradient, were they the same for both neighbours.
    if constexpr (Chain::mechanisms > 0) seed = detail::draw64(thread_system_random());
    bound_ = Chain::bound_adapts ? state.bound : chain_.first_bound();
    reduction_ = scale;
    within_ = 0;
    context_ = {.step = state.step, .expected_batch = expected_batch, .sensitivity = scale * bound_};
    if constexpr (Chain::bound_adapts && Chain::mechanisms > 0)
      context_.noise_factor = chain_.mechanism().factor_beside(count_deviation(expected_batch));
    return Chain::bounds > 0 ? 1 : scale; // the coefficients of the examples hold it
  }

  /// Forward and backward over rows. Leaves their deltas on the tape and returns the sum of their losses.
  double deltas_of_rows(const parameters<T>& p, std::size_t rows, const T* x, const target* targets,
                        const layer_context& context) {
    const std::span<const T> weights = p.trained();
    const std::size_t last = model_.depth() - 1;
    model_.template forward<Arch>(weights, rows, x, memory_, context);
    loss_.template evaluate<Arch>(rows, model_.out_width(), static_cast<const T*>(memory_.output(last)),
                                  targets, losses_.data(), memory_.delta(last));
    model_.template backward<Arch>(weights, rows, x, memory_, context);
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += static_cast<double>(losses_[r]);
    return sum;
  }

  /// Turns squared norms, layer by layer of so many examples where the bound is by layer, into coefficients.
  void make_coefficients(std::size_t rows, std::span<T> coefficients) {
    const auto& stage = chain_.bound();
    [[maybe_unused]] const std::size_t layers = Chain::bounds_by_layer ? model_.parametric_layers() : 1;
    for (std::size_t r = 0; r < rows; ++r) {
      bool finite = true;
      for (std::size_t i = r; i < coefficients.size(); i += rows)
        finite = finite & std::isfinite(coefficients[i]);
      for (std::size_t i = r; i < coefficients.size(); i += rows) {
        const T squared = coefficients[i];
        T c;
        if constexpr (Chain::bounds_by_layer) {
          c = stage.coefficient(squared, layers);
        } else if constexpr (Chain::bound_adapts) {
          c = stage.coefficient(squared, bound_);
          within_ += (static_cast<double>(squared) <= bound_ * bound_) - 0.5;
        } else {
          c = stage.coefficient(squared);
        }
        coefficients[i] = finite ? c * static_cast<T>(reduction_) : T{};
      }
    }
  }

  /// Reduction, pointwise stages and the update itself, on `gradient_` as a whole.
  void apply_sum(parameters<T>& p, chain_state<T>& state, double scale) {
    for (std::size_t offset = 0; offset < gradient_.size(); offset += piece_)
      apply(p, state, offset,
            std::span<T>(gradient_).subspan(offset, std::min(piece_, gradient_.size() - offset)), scale);
  }

  /// Counts the step and moves an adaptive bound, by the count that the mechanism releases; without a mechanism by
  /// the count.
  void end(chain_state<T>& state, [[maybe_unused]] double expected_batch) {
    if constexpr (Chain::bound_adapts) {
      double count = within_;
      if constexpr (Chain::mechanisms > 0)
        count = chain_.mechanism().release(count, count_deviation(expected_batch));
      state.bound = chain_.bound().next(state.bound, count, expected_batch);
    }
    ++state.step;
  }

  double count_deviation(double expected_batch) const {
    if constexpr (Chain::bound_adapts) return chain_.bound().count_deviation(expected_batch);
    return 0;
  }

 private:
  /// Throws as a step does.
  void check(const parameters<T>& p, const chain_state<T>& state) const {
    require(p.trained().size() == gradient_.size(), fault::shape, "the model has ", gradient_.size(),
            " parameters, got ", p.trained().size());
    require(state.parameters == gradient_.size(), fault::shape, "the model has ", gradient_.size(),
            " parameters, the state is for ", state.parameters);
    require(state.slots.size() == Chain::slots * gradient_.size(), fault::shape, "the chain keeps ",
            Chain::slots, " numbers for each of ", gradient_.size(), " parameters, the state holds ",
            state.slots.size(), ": it is another chain's");
    if constexpr (Chain::anchored)
      require(anchor_.size() == gradient_.size(), fault::argument, "training_step: the chain pulls ",
              gradient_.size(), " parameters to an anchor, and that has ", anchor_.size(),
              ": state it by anchor(..)");
  }

  /// Scalars of gradient that a chain works on at a time: with the weights and two slots, an L1.
  static constexpr std::size_t piece_in_cache = 2048;

  /// Rows at a time of a batch that fills more than one chunk. Under noise, sums of about as many rows as there
  /// are sums: less rounding to account for.
  std::size_t part_of_many() const noexcept {
    return Chain::mechanisms > 0 ? (memory_.capacity() + 2) / 3 : memory_.capacity();
  }

  /// Forward and backward over the rows that `batch` names, the first of which is number `first` of
  /// the whole batch. Leaves their deltas on the tape and returns the sum of their losses.
  double deltas(const parameters<T>& p, std::uint64_t step, rows_view<T> data, const target* targets,
                std::span<const std::uint32_t> batch, std::size_t first, std::uint64_t seed) {
    targets = gather(data, targets, batch);
    const double sum = deltas_of_rows(p, batch.size(), rows_, targets,
                                      {mode::training, seed, step, static_cast<std::uint32_t>(first)});
    if constexpr (Chain::bounds > 0) bound(batch.size());
    return sum;
  }

  /// Points `rows_` at the rows of the batch and returns their targets: copies, unless they lie one
  /// after another. Rows that may be masked are always copies.
  const target* gather(rows_view<T> data, const target* targets, std::span<const std::uint32_t> batch) {
    const std::size_t width = data.columns, per_row = loss_.targets_per_row(model_.out_width());
    if (Chain::bounds == 0 && !batch.empty()) {
      std::uint32_t jumps = 0;
      for (std::size_t r = 1; r < batch.size(); ++r) jumps |= batch[r] - batch[r - 1] - 1;
      if (jumps == 0) {
        rows_ = data.data + batch[0] * width;
        return targets + batch[0] * per_row;
      }
    }
    for (std::size_t r = 0; r < batch.size(); ++r) {
      std::memcpy(inputs_.data() + r * width, data.data + batch[r] * width, width * sizeof(T));
      std::memcpy(targets_.data() + r * per_row, targets + batch[r] * per_row, per_row * sizeof(target));
    }
    rows_ = inputs_.data();
    return targets_.data();
  }

  void bound(std::size_t rows) {
    const std::size_t layers = Chain::bounds_by_layer ? model_.parametric_layers() : 1;
    const std::span<T> coefficients = std::span<T>(coefficients_).first(rows * layers);
    model_.template squared_norms<Arch, Chain::bounds_by_layer>(rows, inputs_.data(), memory_, coefficients);
    make_coefficients(rows, coefficients);
    model_.template weigh<Arch, Chain::bounds_by_layer>(rows, inputs_.data(), memory_,
                                                        std::span<const T>(coefficients));
  }

  /// Reduction, pointwise stages and the update itself, on one piece of the gradient.
  void apply(parameters<T>& p, chain_state<T>& state, std::size_t offset, std::span<T> piece, double scale) {
    const std::span<T> weights = p.trained().subspan(offset, piece.size());
    context_.parameters = weights;
    if constexpr (Chain::anchored) context_.anchor = anchor_.subspan(offset, piece.size());
    detail::descend<Arch>(chain_, piece, offset, state, context_, scale, weights);
  }

  Model model_;
  LossType loss_;
  Chain chain_;

 protected:
  tape<T> memory_;
  aligned_vector<T> inputs_;
  std::vector<target> targets_;
  aligned_vector<T> gradient_; ///< the sum over chunks, or room for a piece of it

 private:
  std::vector<T> losses_, coefficients_;
  std::size_t piece_;
  aligned_vector<T> room_; ///< a piece, where the gradient is needed beside it
  update_context<T> context_;
  std::span<const T> anchor_;                     ///< of a chain that pulls towards one
  double bound_ = 0, within_ = 0, reduction_ = 1; ///< of this step: the bound, its count, the divisor
  const T* rows_ = nullptr;                       ///< the rows of the chunk at hand
};

template <class Model, class LossType, class Chain>
training_step(const Model&, LossType, Chain) -> training_step<Model, LossType, Chain>;
template <class Model, class LossType, class Chain>
training_step(const Model&, LossType, Chain, std::size_t) -> training_step<Model, LossType, Chain>;

} // namespace privet
