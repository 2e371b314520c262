#pragma once
// Training that begins with weights of somebody else, on a few rows, and may be watched.

#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/data/sampler.hpp>
#include <privet/optim/moving_part.hpp>
#include <privet/optim/proximal.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// What moves away from the shared weights.
enum class tuned_part {
  all,        ///< every layer
  head,       ///< the last layer with parameters
  head_first, ///< the last one in the first half of the steps, then every layer
  alone       ///< every layer, from first weights of its own: the shared ones play no part
};

/// How weights are tuned to a few rows: stochastic gradient descent with momentum and a cosine rate, pulled to
/// where it began (L2-SP).
///
/// Pull      `prior` / rows times the distance: the shared weights count as so many rows, whatever the number
///           of one's own. Of `alone` it pulls to zero, which is weight decay
/// Errors    N001 for numbers that make no sense, when the training begins
struct tuning {
  tuned_part part = tuned_part::all;
  double prior = 3;
  double learning_rate = 0.1;
  double momentum = 0.9;
  std::size_t steps = 200;
  std::size_t batch = 16;
};

/// Where the last layer with parameters lies among those that are trained. Throws N001 where there is none, or it shares
/// them with an earlier layer.
template <class Model>
moving_part head_of(const Model& model) {
  const auto tensors = model.tensors();
  require(!tensors.empty(), fault::argument, "head_of: the model has no parameters");
  std::size_t last = 0, index = 0;
  model.layers().for_each([&]<class L>(const L&) {
    if constexpr (ParametricLayer<L>) last = index;
    ++index;
  });
  require(model.origin(last) == last, fault::argument, "head_of: layer ", last,
          ", the last one with parameters, shares them with layer ", model.origin(last),
          ": a head has its own");
  const auto layer = [](const named_tensor& t) { return t.name.substr(0, t.name.find('.')); };
  moving_part head{.first = tensors.back().offset, .last = tensors.back().offset};
  for (const auto& t : tensors)
    if (layer(t) == layer(tensors.back())) {
      head.first = std::min(head.first, t.offset);
      head.last = std::max(head.last, t.offset + t.size);
    }
  return head;
}

/// Tunes weights to some of the rows of one device. Allocates when it is made, never in a step.
///
/// Seed      batches, dropout and the first weights of `alone` are functions of it
template <class Model, Loss LossType, class T = float, class Arch = simd::default_arch>
class fine_tuning {
 public:
  /// On the rows that `which` names. Throws N001 for none of them and for a recipe that makes no sense, N003
  /// for weights of another model. `shared` and `which` must outlive it.
  fine_tuning(const Model& model, LossType loss, const tuning& how, const parameters<T>& shared,
              std::span<const std::uint32_t> which, std::uint64_t seed)
      : how_(checked(how, which.size())),
        which_(which),
        seed_(seed),
        weights_(how.part == tuned_part::alone ? privet::initialise<T>(model, seed) : shared),
        zero_(how.part == tuned_part::alone ? weights_.trained().size() : 0),
        batches_(which.size(), how.batch, seed, stream_id(purpose::batches)),
        rows_(std::min(how.batch, which.size())),
        step_(model, std::move(loss), steps_of(model, how, which.size()), rows_.size()),
        state_(step_.init()) {
    require(shared.trained().size() == state_.parameters, fault::shape, "fine-tuning: the model has ",
            state_.parameters, " parameters, the shared weights ", shared.trained().size());
    step_.anchor(zero_.empty() ? shared.trained() : std::span<const T>(zero_));
  }

  /// Goes on until so many steps are done in all.
  void run_to(std::size_t steps, rows_view<T> rows, std::span<const std::int32_t> labels) {
    for (; state_.step < steps; ++next_) {
      if (next_ == batches_.size()) {
        next_ = 0;
        batches_.start(++epoch_);
      }
      const auto batch = batches_[next_];
      std::ranges::transform(batch, rows_.begin(), [&](std::uint32_t i) { return which_[i]; });
      step_(weights_, state_, rows, labels.data(), std::span<const std::uint32_t>(rows_).first(batch.size()),
            static_cast<double>(batch.size()), seed_);
    }
  }

  const parameters<T>& weights() const noexcept { return weights_; }
  parameters<T> take() && { return std::move(weights_); }

 private:
  static const tuning& checked(const tuning& how, std::size_t rows) {
    require(rows > 0, fault::argument, "fine-tuning on 0 rows, needs at least 1");
    require(how.steps > 0 && how.batch > 0, fault::argument, "fine-tuning of ", how.steps,
            " steps with batches of ", how.batch, ", both must be positive");
    require(how.prior >= 0 && std::isfinite(how.prior), fault::argument, "fine-tuning: a prior of ",
            how.prior, " rows, expected a finite number from 0");
    return how;
  }

  static auto steps_of(const Model& model, const tuning& how, std::size_t rows) {
    moving_part part{.steps = 0};
    if (how.part == tuned_part::head || how.part == tuned_part::head_first) {
      part = head_of(model);
      if (how.part == tuned_part::head_first) part.steps = how.steps / 2;
    }
    return chain(average_over_batch{}, proximal{.strength = how.prior / static_cast<double>(rows)}, part,
                 sgd{.learning_rate = how.learning_rate, .momentum = how.momentum},
                 cosine_rate{.steps = how.steps});
  }
  using Chain = decltype(steps_of(std::declval<const Model&>(), tuning{}, 1));

  tuning how_;
  std::span<const std::uint32_t> which_;
  std::uint64_t seed_;
  parameters<T> weights_;
  aligned_vector<T> zero_;
  shuffled_batches batches_;
  std::size_t next_ = 0;
  std::uint64_t epoch_ = 0;
  std::vector<std::uint32_t> rows_; ///< of the batch at hand
  training_step<Model, LossType, Chain, T, Arch> step_;
  chain_state<T> state_;
};

} // namespace privet
