#pragma once
// What one party does of a step that several take together: the clipped sum over a Poisson batch of its own
// rows, as its share of a sum that is private.

#include <privet/core/labels.hpp>
#include <privet/core/result.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/data/poisson.hpp>
#include <privet/random/normal.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/step.hpp>
#include <privet/train/theorem.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// Stands in a training step where noise would be added, and keeps the sum: what it leaves moves no weight.
/// The step then guards its coins and adds up its chunks as for a mechanism.
struct kept_sum {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 1;
  static constexpr bool adds_noise = true;

  template <class T>
  void update(std::span<T> sum, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const auto kept = state.slot(0);
    for (std::size_t i = 0; i < sum.size(); ++i) kept[i] = std::exchange(sum[i], T{});
  }
};

/// The parts of a chain that makes a share: a bound, the sum, the noise. `Kept` stands for the noise where the sum
/// is made.
template <class Chain, class Kept = kept_sum>
struct share_parts {
  static constexpr bool fits = false, bound_adapts = false;
  using share = void;
  using sum = chain_of<sum_over_batch, Kept>; // stands in, so that the sentence is the only error
  template <class C>
  static sum sum_of(const C&) {
    return sum(sum_over_batch{}, Kept{});
  }
};
template <AdaptiveBound B, class Sum, Encoding Share, class Kept>
struct share_parts<chain_of<B, Sum, Share>, Kept> : share_parts<void, Kept> {
  static constexpr bool bound_adapts = true;
};
template <Bound B, class Sum, Encoding Share, class Kept>
  requires(!AdaptiveBound<B> && requires { requires Sum::adds_up; })
struct share_parts<chain_of<B, Sum, Share>, Kept> {
  static constexpr bool fits = true, bound_adapts = false;
  using share = Share;
  using sum = chain_of<B, Sum, Kept>;
  static sum sum_of(const chain_of<B, Sum, Share>& steps) {
    return sum(steps.bound(), steps.stages().template get<1>(), Kept{});
  }
};

/// What is common to all that make shares: the chain, and what it says of them.
template <class Chain, class Sampler, class Unit, class Kept>
class share_maker {
 protected:
  using parts = share_parts<Chain, Kept>;
  using event_type = typename event_kind<typename parts::share, Sampler>::type;
  static constexpr bool has_noise = NoiseShare<typename Chain::template label<raw<Unit>>>;

  share_maker(Chain steps, Sampler sampler) : chain_(std::move(steps)), sampler_(std::move(sampler)) {
    // Here, and not in the class: a class that fails one is no type any more for clang, which says so again.
    static_assert(
        has_noise,
        "[P001 no-guarantee] an office's part of a common step ends without a share of the noise: put "
        "clip_l2{..} and sum_over_batch{} before gaussian_share{..}. docs/errors/P001.md");
    static_assert(!has_noise || parts::fits || parts::bound_adapts,
                  "[P002 share-of-sum] an office's part of a common step is chain(clip_l2{..}, "
                  "sum_over_batch{}, gaussian_share{..}): the server divides the sum of all offices and runs "
                  "the optimiser. docs/errors/P002.md");
    static_assert(!parts::bound_adapts && !(parts::fits && std::is_void_v<event_type>),
                  "[P006 no-theorem] there is no theorem for a share of noise under this sampler or behind "
                  "this bound. Draw with poisson{..}, clip to a bound that stays. docs/errors/P006.md");
  }

  auto event(std::size_t units, const bounded_sum& sum) const {
    if constexpr (parts::fits) return chain_.encoding().event(sampler_, units, sum);
  }
  template <class Arch, class T>
  std::vector<std::int64_t> share_of(std::span<const T> sum) const {
    return chain_.encoding().template encode<Arch>(sum, chain_.first_bound());
  }

  Chain chain_;
  Sampler sampler_;

 public:
  const Chain& chain() const noexcept { return chain_; }
  static constexpr std::uint64_t steps_per_round() noexcept { return 1; }

  /// The step that the numbers of a share are counts of, and the shares of noise that are counted on.
  double grid() const {
    if constexpr (parts::fits) return chain_.encoding().step(chain_.first_bound());
    return 0;
  }
  std::uint64_t holders() const {
    if constexpr (parts::fits) return chain_.encoding().holders;
    return 0;
  }
};

} // namespace detail

/// Rounds over fixed rows, in each of which one batch is drawn and its clipped gradients become a share.
///
/// Formula   share(sum over the batch of clipped gradients at the weights given); the arithmetic of the sum
///           is that of `training_step`
/// Memory    none from round to round. Sample and noise are not public, and differ when a round is done
///           again: it is then paid for again
/// Privacy   of one row, add-remove, for the sum of the shares of all parties, by the event of the round
/// Errors    N001 for no rows, a rate that is none, or sums longer than a share holds
/// Test      tests/train/gradient_share.test.cpp
template <class Model, Loss LossType, class Chain, class Sampler, class T = float,
          class Arch = simd::default_arch>
class gradient_share : public detail::share_maker<Chain, Sampler, unit::example, detail::kept_sum> {
  using base = detail::share_maker<Chain, Sampler, unit::example, detail::kept_sum>;
  using base::chain_;
  using base::sampler_;
  using typename base::parts;

 public:
  gradient_share(const Model& model, LossType loss, Chain steps, Sampler sampler, std::size_t rows,
                 std::uint64_t seed)
      : base(std::move(steps), std::move(sampler)),
        step_(model, std::move(loss), parts::sum_of(chain_)),
        rows_(rows),
        seed_(seed),
        sample_(rows, sampler_.law()),
        state_(step_.init()) {
    if constexpr (parts::fits) chain_.encoding().check(sample_.most());
  }

  const Model& model() const noexcept { return step_.model(); }

  /// What a round does to one row of this party.
  auto event() const { return base::event(rows_, sum_of_one()); }
  /// What the share is told of the sum of one batch.
  bounded_sum sum_of_one() const { return step_.sum_of(sample_.most(), sampler_.expected_batch(rows_)); }

  /// The share of a round at these weights, once `pay(event)` has answered with success; otherwise nothing is
  /// drawn and its error is the answer. `p` keeps its values. Throws N003 unless there are as many rows and
  /// labels as stated before.
  template <class Pay>
  result<std::vector<std::int64_t>> run(parameters<T>& p, rows_view<T> rows,
                                        std::span<const std::int32_t> labels, std::uint64_t round,
                                        const Pay& pay) {
    require(rows.rows == rows_ && labels.size() == rows_ && rows.columns == model().in_width(), fault::shape,
            "a share of ", rows_, " rows, ", model().in_width(), " wide: got ", rows.rows, " rows, ",
            rows.columns, " wide, and ", labels.size(), " labels");
    std::vector<std::int64_t> share;
    if constexpr (parts::fits) { // the sentence is the only error
      check_labels(labels, model().out_width(), about_rows::nothing);
      if (auto paid = pay(event()); !paid) return paid.error();
      const std::span<T> sum(state_.slots);
      const detail::wiped_at_exit<T> wiped{sum};
      state_.step = round;
      auto&& coins = sampler_.coins(round);
      step_(p, state_, rows, labels.data(), sample_.draw(coins), sampler_.expected_batch(rows_), seed_);
      share = base::template share_of<Arch>(std::span<const T>(sum));
    }
    return share;
  }

 private:
  training_step<Model, LossType, typename parts::sum, T, Arch> step_;
  std::size_t rows_;
  std::uint64_t seed_;
  poisson_batches sample_;
  chain_state<T> state_;
};

} // namespace privet
