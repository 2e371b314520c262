#pragma once
// What a client does with the weights it was sent: some epochs over its own rows.

#include <privet/core/rows_view.hpp>
#include <privet/data/sampler.hpp>
#include <privet/train/step.hpp>

#include <utility>

namespace privet {

/// The seed of a client's dropout and the like: a multiple of an odd constant keeps clients apart from each other.
constexpr std::uint64_t client_coins(std::uint64_t seed, std::uint32_t client) noexcept {
  return seed ^ (std::uint64_t{client} + 1) * 0x9E3779B97F4A7C15u;
}

/// Rounds of local training over fixed rows, each `epochs` long.
///
/// Memory    the optimiser's state starts from zero in every round, but the step number goes on,
///           so that a schedule runs over the whole federation. A round is therefore a function
///           of (weights, rows, seed, client, round): it can be done again after a crash.
/// Anchor    of a chain that pulls towards one (optim/proximal.hpp): the weights that a round begins with,
///           so that `chain(average_over_batch{}, proximal{.strength = mu}, sgd{..})` is FedProx
template <class Model, Loss LossType, class Chain, class T = float, class Arch = simd::default_arch>
class local_training {
 public:
  struct outcome {
    std::uint64_t steps = 0;
    double loss = 0; ///< mean over the rows of all epochs
  };

  /// Throws N001 for no rows, no epochs or an empty batch.
  local_training(const Model& model, LossType loss, Chain steps, std::size_t epochs, std::size_t batch,
                 std::size_t rows, std::uint64_t seed, std::uint32_t client)
      : step_(model, loss, steps),
        epochs_(epochs),
        seed_(seed),
        client_(client),
        batches_(rows, batch, seed, stream_id(purpose::batches, 0, client)),
        state_(step_.init()),
        anchor_(Chain::anchored ? state_.parameters : 0) {
    require(epochs > 0, fault::argument, "local training of 0 epochs, needs at least 1");
  }

  std::uint64_t steps_per_round() const noexcept { return epochs_ * batches_.size(); }
  const Model& model() const noexcept { return step_.model(); }

  /// Trains `p` in place. Throws N003 unless there are as many rows and labels as stated before.
  outcome run(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels,
              std::uint64_t round) {
    begin(round);
    return resume(p, rows, labels, round);
  }

  /// The same for other weights than those that the chain pulls towards: the personal weights of Ditto
  /// beside the anchor that the server sent.
  outcome run_towards(std::span<const T> anchor, parameters<T>& p, rows_view<T> rows,
                      std::span<const std::int32_t> labels, std::uint64_t round)
    requires(Chain::anchored)
  {
    begin(round);
    step_.anchor(anchor);
    return epochs(p, rows, labels, round);
  }

  /// The same as `run`, but the optimiser's state goes on from the round before.
  outcome resume(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels,
                 std::uint64_t round) {
    if constexpr (Chain::anchored) {
      require(p.trained().size() == anchor_.size(), fault::shape, "local training of ", anchor_.size(),
              " parameters, got ", p.trained().size());
      std::ranges::copy(p.trained(), anchor_.begin());
      step_.anchor(anchor_);
    }
    return epochs(p, rows, labels, round);
  }

 private:
  void begin(std::uint64_t round) {
    std::ranges::fill(state_.slots, T{});
    state_.bound = step_.chain().first_bound();
    state_.step = round * steps_per_round();
  }

  outcome epochs(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels,
                 std::uint64_t round) {
    const std::size_t expected = batches_.order().size();
    require(rows.rows == expected && labels.size() == expected && rows.columns == model().in_width(),
            fault::shape, "local training of ", expected, " rows, ", model().in_width(), " wide: got ",
            rows.rows, " rows, ", rows.columns, " wide, and ", labels.size(), " labels");
    const std::uint64_t coins = client_coins(seed_, client_);
    outcome result;
    for (std::size_t e = 0; e < epochs_; ++e) {
      batches_.start(round * epochs_ + e);
      for (std::size_t b = 0; b < batches_.size(); ++b)
        result.loss += step_(p, state_, rows, labels.data(), batches_[b],
                             static_cast<double>(batches_[b].size()), coins);
    }
    result.steps = steps_per_round();
    result.loss /= static_cast<double>(rows.rows * epochs_);
    return result;
  }

  training_step<Model, LossType, Chain, T, Arch> step_;
  std::size_t epochs_;
  std::uint64_t seed_;
  std::uint32_t client_;
  shuffled_batches batches_;
  chain_state<T> state_;
  aligned_vector<T> anchor_; ///< a copy: `p` moves
};

} // namespace privet
