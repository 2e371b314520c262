#pragma once
// What one holder of many persons' rows does of a round that several holders take together: the sum of its
// persons' clipped updates, as its share of a sum that is private.

#include <privet/train/gradient_share.hpp>
#include <privet/train/user_level_training.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// The same among persons, whose training draws no coins that noise must guard.
struct kept_sum_of_updates : kept_sum {
  static constexpr bool adds_noise = false;
};

} // namespace detail

/// Rounds in each of which one sample of persons trains and the sum of their clipped updates becomes a share:
/// DP-FedAvg of persons at several holders. `gradient_share` is the same for rows.
///
/// Formula   share(sum over the sample of clipped updates w - w_i); arithmetic as in `user_level_training`
/// Memory    none from round to round. Sample and noise are not public, and differ when a round is done
///           again: it is then paid for again
/// Privacy   of one person with all their rows, add-remove, for the sum of the shares of all holders, by the event
///           of the round. The numbers of persons are taken to be public
/// Errors    N001 for data that names no persons, a rate that is none, or sums longer than a share holds
/// Source    McMahan, Ramage, Talwar, Zhang, ICLR 2018, arXiv:1710.06963, algorithm 1; docs/privacy/noise_share.md
/// Test      tests/train/update_share.test.cpp
template <class Model, Loss LossType, class Local, class Chain, class Sampler, class T = float,
          class Arch = simd::default_arch>
class update_share : public detail::share_maker<Chain, Sampler, unit::user, detail::kept_sum_of_updates> {
  using base = detail::share_maker<Chain, Sampler, unit::user, detail::kept_sum_of_updates>;
  using base::chain_;
  using base::sampler_;
  using typename base::parts;

 public:
  /// `groups` names the person of each row.
  update_share(const Model& model, LossType loss, local_steps<Local> local, Chain steps, Sampler sampler,
               std::span<const std::int32_t> groups, std::uint64_t seed, std::size_t threads = 1)
      : base(std::move(steps), std::move(sampler)),
        training_(model, std::move(loss), std::move(local), parts::sum_of(chain_), sampler_, groups, seed,
                  threads) {
    if constexpr (parts::fits) chain_.encoding().check(sampler_.law().most(persons()));
  }

  const Model& model() const noexcept { return training_.model(); }
  std::size_t persons() const noexcept { return training_.persons(); }

  /// What a round does to one person of this holder.
  auto event() const { return base::event(persons(), sum_of_one()); }
  /// What the share is told of the sum of one sample.
  bounded_sum sum_of_one() const { return training_.sum_of_one(); }

  /// The share of a round at these weights, once `pay(event)` has answered with success; otherwise nothing is
  /// drawn and its error is the answer. `p` keeps its values. Throws N003 for other rows than were stated before.
  template <class Pay>
  result<std::vector<std::int64_t>> run(parameters<T>& p, rows_view<T> rows,
                                        std::span<const std::int32_t> labels, std::uint64_t round,
                                        const Pay& pay) {
    training_.check(rows, labels);
    std::vector<std::int64_t> share;
    if constexpr (parts::fits) { // the sentence is the only error
      if (auto paid = pay(event()); !paid) return paid.error();
      const std::span<T> sum(training_.state().slots);
      const detail::wiped_at_exit<T> wiped{sum};
      training_.resume(p, rows, labels, round);
      share = base::template share_of<Arch>(std::span<const T>(sum));
    }
    return share;
  }

 private:
  user_level_training<Model, LossType, Local, typename parts::sum, Sampler, T, Arch> training_;
};

} // namespace privet
