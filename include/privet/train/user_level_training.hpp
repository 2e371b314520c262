#pragma once
// What one holder of many persons' rows does in a round that protects whole persons: a sample of them trains,
// each from the same weights, and one clipped update of each goes into the next weights.

#include <privet/core/parallel.hpp>
#include <privet/core/result.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/data/poisson.hpp>
#include <privet/data/rows_by_group.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/step.hpp>
#include <privet/train/theorem.hpp>
#include <privet/train/update_average.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// What a person's own device would run in a round: an optimiser chain over its rows.
template <class Chain>
struct local_steps {
  Chain steps;
  std::size_t epochs = 1;
  std::size_t batch = 32;
};
template <class Chain>
local_steps(Chain, std::size_t, std::size_t) -> local_steps<Chain>;

/// Rounds of federated averaging over the persons of one holder, such as the wearers of an office or a
/// simulated population; with a chain that bounds and adds noise it is DP-FedAvg.
///
/// Sample    every person is drawn with the sampler's rate; each drawn one starts from the weights as they
///           are, with fresh optimiser state, and trains on their own rows, in an order that is a function of
///           (seed, sample, person); then `update_average` moves the weights once. A round is one sample or
///           several
/// Seed      the same result on any number of threads, but for what is secret: sample and noise
/// Memory    a model, a tape and a sum for each thread; between rounds the state of the chain
/// Privacy   of one person with all their rows, add-remove, for the weights after every round. The number of
///           persons is taken to be public; numbers of rows are not, nor who was drawn
/// Errors    P001, P002, P006, P011 at compile time; N001 for data that names no persons
/// Source    McMahan, Ramage, Talwar, Zhang, ICLR 2018, arXiv:1710.06963, algorithm 1
/// Test      tests/train/user_level_training.test.cpp
template <class Model, Loss LossType, class Local, class Steps, class Sampler = poisson, class T = float,
          class Arch = simd::default_arch>
class user_level_training {
  using average = update_average<Steps, T, Arch>;
  using local_step = training_step<Model, LossType, Local, T, Arch>;

 public:
  static constexpr bool is_private = Released<typename Steps::template label<raw<unit::user>>>;
  static_assert(!Local::anchored, "the local training of a person states no anchor: leave proximal{..} out");
  static_assert(Steps::mechanisms == 0 ||
                    detail::has_theorem<detail::any_accountant, Sampler>(static_cast<const Steps*>(nullptr)),
                "[P006 no-theorem] there is no theorem for this mechanism under this sampler. Draw with "
                "poisson{..}. docs/errors/P006.md");

  /// `groups` names the person of each row; a round trains so many samples of persons, one after another.
  user_level_training(const Model& model, LossType loss, local_steps<Local> local, Steps steps,
                      Sampler sampler, std::span<const std::int32_t> groups, std::uint64_t seed,
                      std::size_t threads = 1, std::size_t samples = 1)
      : model_(model),
        local_(std::move(local)),
        sampler_(std::move(sampler)),
        persons_(groups),
        samples_(samples),
        seed_(seed),
        sample_(persons_.size(), sampler_.law()),
        average_(std::move(steps), model.sizes().shared + model.sizes().local),
        state_(average_.init()) {
    require(local_.epochs > 0 && local_.batch > 0 && threads > 0 && samples > 0, fault::argument,
            "user-level training of ", samples, " samples in a round, ", local_.epochs,
            " epochs with batches of ", local_.batch, " on ", threads, " threads, needs at least 1 of each");
    for (std::size_t t = 0; t < threads; ++t) {
      workers_.push_back(std::make_unique<worker>(model_, loss, local_, persons_.longest()));
      parts_.push_back(average_.make_part());
    }
  }

  const Model& model() const noexcept { return model_; }
  std::size_t persons() const noexcept { return persons_.size(); }
  std::uint64_t steps_per_round() const noexcept { return samples_; }
  /// What the chain remembers between rounds: a process that goes on where another stopped puts it back.
  const chain_state<T>& state() const noexcept { return state_; }
  chain_state<T>& state() noexcept { return state_; }

  /// What a round does to one person.
  auto event() const
    requires(Steps::mechanisms == 1)
  {
    auto all = average_.chain().mechanism().event(sampler_, persons(), sum_of_one());
    all.count = samples_;
    return all;
  }
  bounded_sum sum_of_one() const {
    return average_.sum_of(sample_.most(), sampler_.expected_batch(persons()));
  }

  /// One round of `p` in place, once `pay(event)` has answered with success; otherwise nothing is drawn and
  /// its error is the answer. The chain's memory goes on from the round before. Throws N003 for other rows
  /// than were stated before.
  template <class Pay>
  status resume(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels,
                std::uint64_t round, const Pay& pay) {
    check(rows, labels);
    if constexpr (Steps::mechanisms == 1)
      if (auto paid = pay(event()); !paid) return paid;
    steps(p, rows, labels, round);
    return nothing{};
  }
  /// The same, from a chain without memory of other rounds: it can be done again after a crash.
  template <class Pay>
  status run(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t round,
             const Pay& pay) {
    std::ranges::fill(state_.slots, T{});
    state_.bound = average_.chain().first_bound();
    return resume(p, rows, labels, round, pay);
  }
  /// Where nothing is private, nobody pays.
  void resume(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t round)
    requires(Steps::mechanisms == 0)
  {
    check(rows, labels);
    steps(p, rows, labels, round);
  }

  /// Throws N003 for other rows than were stated before, N001 for labels that are none.
  void check(rows_view<T> rows, std::span<const std::int32_t> labels) const {
    require(rows.rows == labels.size() && rows.columns == model_.in_width() && rows.rows == persons_.rows(),
            fault::shape, "user-level training of ", persons_.rows(), " rows, ", model_.in_width(),
            " wide: got ", rows.rows, " rows, ", rows.columns, " wide, and ", labels.size(), " labels");
    check_labels(labels, model_.out_width(), about_rows::nothing);
  }

 private:
  /// All that one thread needs.
  struct worker {
    local_step step;
    parameters<T> weights;
    chain_state<T> state;
    std::vector<std::uint32_t> order;

    worker(const Model& model, const LossType& loss, const local_steps<Local>& local, std::size_t most_rows)
        : step(model, loss, local.steps, std::min(local.batch, most_rows)),
          weights(model.template make_parameters<T>()),
          state(step.init()),
          order(most_rows) {}
  };

  void steps(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t round) {
    auto&& coins = sampler_.coins(round);
    for (std::size_t i = 0; i < samples_; ++i)
      step(p, rows, labels, round * samples_ + i, sample_.draw(coins));
  }

  void step(parameters<T>& p, rows_view<T> rows, std::span<const std::int32_t> labels, std::uint64_t step,
            std::span<const std::uint32_t> drawn) {
    state_.step = step;
    for (auto& part : parts_) part.clear(); // of a round that an exception ended
    // Each thread takes every so many'th; the sums are of integers, so it does not matter who adds what.
    for_each_parallel(workers_.size(), workers_.size(), [&](std::size_t t) {
      for (std::size_t i = t; i < drawn.size(); i += workers_.size())
        train(*workers_[t], parts_[t], p, rows, labels, drawn[i], step);
    });
    average_.apply(state_, parts_, sampler_.expected_batch(persons()), p.trained());
  }

  void train(worker& w, typename average::part& into, const parameters<T>& sent, rows_view<T> rows,
             std::span<const std::int32_t> labels, std::uint32_t person, std::uint64_t step) const {
    const auto own = persons_[person];
    std::ranges::copy(sent.trained(), w.weights.trained().begin());
    // Fresh for every person: what one left behind would reach the next unpaid.
    std::ranges::fill(w.state.slots, T{});
    w.state.bound = w.step.chain().first_bound();
    w.state.step = step * local_.epochs * ((own.size() - 1) / local_.batch + 1);
    // By the number of the person, not by their place: one person more moves nobody else's draws.
    const auto name = static_cast<std::uint32_t>(persons_.number(person));
    const auto order = std::span(w.order).first(own.size());
    replayable_random source(seed_, stream_id(purpose::batches, step, name));
    for (std::size_t e = 0; e < local_.epochs; ++e) {
      std::ranges::copy(own, order.begin());
      shuffle(source, order);
      for (std::size_t first = 0; first < order.size(); first += local_.batch) {
        const auto batch = order.subspan(first, std::min(local_.batch, order.size() - first));
        w.step(w.weights, w.state, rows, labels.data(), batch, static_cast<double>(batch.size()),
               seed_ ^ (std::uint64_t{name} + 1) * 0x9E3779B97F4A7C15u);
      }
    }
    average_.add(into, state_, sent.trained(), w.weights.trained(), own.size());
  }

  Model model_;
  local_steps<Local> local_;
  Sampler sampler_;
  rows_by_group persons_;
  std::size_t samples_;
  std::uint64_t seed_;
  poisson_batches sample_;
  average average_;
  chain_state<T> state_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<typename average::part> parts_;
};

} // namespace privet
