#pragma once
// What a client does in a private round: some Poisson batches of its own rows, paid for before the first.

#include <privet/core/result.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/data/poisson.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/step.hpp>
#include <privet/train/theorem.hpp>

#include <algorithm>
#include <utility>

namespace privet {

/// Rounds of private local training over fixed rows, each of `batches` batches.
///
/// Memory    the optimiser's state starts from zero in every round, but the step number goes on. What a
///           round starts from and what it ends with are public; its noise and its sample are not, and differ
///           when it is done again: it is then paid for again
/// Privacy   of one row, add-remove, for the parameters after the round, by the event of the round: made by
///           the sampler and the chain, `batches` times
template <class Model, Loss LossType, class Chain, class Sampler, class T = float,
          class Arch = simd::default_arch>
class private_local_training {
  static_assert(
      Released<typename Chain::template label<raw<unit::example>>>,
      "[P001 no-guarantee] a private round ends with a chain that adds no noise: put clip_l2{..} before "
      "average_over_batch{} and gaussian{..} behind it. docs/errors/P001.md");
  static_assert(detail::has_theorem<detail::any_accountant, Sampler>(static_cast<const Chain*>(nullptr)),
                "[P006 no-theorem] there is no theorem for this mechanism under this sampler. Draw with "
                "poisson{..}. docs/errors/P006.md");

 public:
  /// Throws N001 for no rows, no batches, or a rate that is none.
  private_local_training(const Model& model, LossType loss, Chain steps, Sampler sampler, std::size_t batches,
                         std::size_t rows, std::uint64_t seed)
      : step_(model, std::move(loss), std::move(steps)),
        sampler_(std::move(sampler)),
        batches_(batches),
        rows_(rows),
        seed_(seed),
        sample_(rows, sampler_.law()),
        state_(step_.init()) {
    require(batches > 0, fault::argument, "private local training of 0 batches, needs at least 1");
  }

  const Model& model() const noexcept { return step_.model(); }
  std::uint64_t steps_per_round() const noexcept { return batches_; }

  /// What a round does to one row.
  auto event() const {
    auto all = step_.chain().mechanism().event(sampler_, rows_, sum_of_one());
    all.count = batches_;
    return all;
  }
  /// What the mechanism is told of the sum of one batch.
  bounded_sum sum_of_one() const { return step_.sum_of(sample_.most(), sampler_.expected_batch(rows_)); }

  /// Trains `p` in place, once `pay(event)` has answered with success; otherwise nothing is drawn and its
  /// error is the answer. Throws N003 unless there are as many rows and labels as stated before.
  template <class Pay>
  status run(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t round,
             const Pay& pay) {
    require(rows.rows == rows_ && labels.size() == rows_ && rows.columns == model().in_width(), fault::shape,
            "local training of ", rows_, " rows, ", model().in_width(), " wide: got ", rows.rows, " rows, ",
            rows.columns, " wide, and ", labels.size(), " labels");
    check_labels(labels, model().out_width(), about_rows::nothing);
    if (auto paid = pay(event()); !paid) return paid;
    if constexpr (Chain::anchored) { // to what the round begins with, which was released
      anchor_.assign(p.trained().begin(), p.trained().end());
      step_.anchor(anchor_);
    }
    std::ranges::fill(state_.slots, T{});
    state_.bound = step_.chain().first_bound();
    state_.step = round * batches_;
    auto&& coins = sampler_.coins(state_.step);
    for (std::size_t b = 0; b < batches_; ++b)
      step_(p, state_, rows, labels.data(), sample_.draw(coins), sampler_.expected_batch(rows_), seed_);
    return nothing{};
  }

 private:
  training_step<Model, LossType, Chain, T, Arch> step_;
  Sampler sampler_;
  std::size_t batches_, rows_;
  std::uint64_t seed_;
  poisson_batches sample_;
  chain_state<T> state_;
  aligned_vector<T> anchor_; ///< a copy: the weights move
};

} // namespace privet
