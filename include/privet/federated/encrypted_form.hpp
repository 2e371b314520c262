#pragma once
// What an office of an encrypted federation makes of its answers, and of the sum of everybody's: for each
// aggregator, the form in which numbers travel and the step that the sum is good for.

#include <privet/core/fixed_point.hpp>
#include <privet/core/result.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/fixed_update.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/words.hpp>
#include <privet/federated/encrypted_update.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Integers on their way into ciphertexts, or out of them.
using secret_integers = wiped_vector<std::int64_t>;

/// One for each aggregator that only needs a sum:
///
///   reply                      the kind of message that the office behind this one answers a round with
///   least()                    the fewest clients in a sum, as far as the aggregator has a say
///   packing_for(bits, n, all)  how the numbers of this sum are packed, by what everybody knows
///   write<Arch>(m, how, out)   the numbers of an answer as integers; how many were cut to the range
///   remember(n)                what an office keeps from round to round
///   apply(...)                 one step of the weights by the sum; the mean loss, or 0
template <class A>
class encrypted_form;

/// Federated averaging: weighted updates in fixed point, and the loss behind them.
///
/// Ensures   the step that `federated_average` takes at a server that sees updates, to the bit, when its encoding
///           is that of the packing
template <class Trust>
class encrypted_form<federated_average<Trust>> {
 public:
  /// What the loss of a batch is divided by to travel with the weights.
  static constexpr double loss_unit = 256;
  static constexpr message_kind reply = message_kind::update;
  using memory = detail::no_memory;

  explicit encrypted_form(federated_average<Trust>) {}

  static constexpr std::size_t least() noexcept { return 1; }
  static memory remember(std::size_t) { return {}; }
  static packing packing_for(std::size_t key_bits, std::uint32_t clients, std::span<const sum_member>) {
    return update_packing(key_bits, clients);
  }

  template <class Arch>
  static result<std::size_t> write(const message& m, const packing& how, secret_integers& out) {
    auto update = decode_update(m);
    if (!update) return update.error();
    update->shared.push_back(static_cast<float>(update->weight * std::min(update->loss / loss_unit, 4.0)));
    out.resize(update->shared.size());
    auto cut = to_fixed_update<Arch>(how, example_weight{}, update->shared, std::span(out));
    wipe(std::span(update->shared));
    return cut;
  }

  static result<double> apply(std::span<const std::int64_t> sums, const packing& how,
                              std::span<const sum_member> members, std::span<float> weights, memory&) {
    if (sums.size() != weights.size() + 1)
      return error::of(fault::shape, "fedavg: ", sums.size(), " sums for ", weights.size(),
                       " weights and a loss");
    const auto rows = static_cast<double>(rows_of(members));
    fixed_sum weight(1);
    for (const auto& one : members) {
      const double share = static_cast<double>(one.rows) / rows;
      if (auto added = weight.add(std::span<const double>(&share, 1)); !added) return added.error();
    }
    const double arrived = weight[0], step = how.step();
    detail::average_step(weights, arrived,
                         [&](std::size_t i) { return static_cast<double>(sums[i]) * step; });
    return static_cast<double>(sums.back()) * step / arrived * loss_unit;
  }
};

/// The same with an optimiser, which steps at every office.
template <class Steps, class Trust, class StepArch>
class encrypted_form<server_optimizer<Steps, Trust, StepArch>>
    : public encrypted_form<federated_average<Trust>> {
  using average = encrypted_form<federated_average<Trust>>;

 public:
  using memory = chain_state<float>;

  explicit encrypted_form(server_optimizer<Steps, Trust, StepArch> steps)
      : average(federated_average<Trust>{}), steps_(std::move(steps)) {}

  memory remember(std::size_t parameters) const { return steps_.remember(parameters); }

  result<double> apply(std::span<const std::int64_t> sums, const packing& how,
                       std::span<const sum_member> members, std::span<float> weights, memory& kept) const {
    double loss = 0;
    const auto stepped = steps_.step(weights, kept, [&](std::span<float> from_zero) -> status {
      typename average::memory none;
      const auto applied = average::apply(sums, how, members, from_zero, none);
      if (!applied) return applied.error();
      loss = *applied;
      return nothing{};
    });
    if (!stepped) return stepped.error();
    return loss;
  }

 private:
  server_optimizer<Steps, Trust, StepArch> steps_;
};

/// Shares of a common noise: integers as they are, so the sum that is opened is the one that `shared_sum` adds up
/// in clear, and the optimiser steps at every office.
///
/// Privacy   what is opened, to the offices, is one Gaussian query of the rows, or persons, of all. Every office knows
///           the noise of its own share, so a sum is of one office more than `holders` at least; if offices
///           collude, count as many holders less
template <class Upload, class Steps, class Trust, class SumArch>
class encrypted_form<shared_sum<Upload, Steps, Trust, SumArch>> {
  using sum = shared_sum<Upload, Steps, Trust, SumArch>;

 public:
  static constexpr message_kind reply = message_kind::share;
  using memory = chain_state<float>;

  explicit encrypted_form(sum adds) : sum_(std::move(adds)) {}

  std::size_t least() const noexcept { return sum_.least() + 1; }
  memory remember(std::size_t parameters) const { return sum_.remember(parameters); }

  /// Slots as wide as the share of the largest client may need: nothing is cut.
  packing packing_for(std::size_t key_bits, std::uint32_t clients,
                      std::span<const sum_member> members) const {
    std::int64_t reach = 0;
    for (const auto& m : members) reach = std::max(reach, sum_.reach(m.rows));
    packing how{.key_bits = key_bits,
                .clients = clients,
                .range = static_cast<double>(std::bit_ceil(static_cast<std::uint64_t>(reach))) + 1,
                .fraction_bits = 0};
    how.slot_bits = how.value_bits() + how.guard_bits();
    how.check();
    return how;
  }

  template <class Arch>
  result<std::size_t> write(const message& m, const packing& how, secret_integers& out) const {
    auto share = decode_share(m);
    if (!share) return share.error();
    if (auto fits = sum_.check(*share); !fits) return fits.error();
    for (const std::int64_t x : share->shared)
      if (x > how.most() || x < -how.most())
        return error::of(fault::range, "shared sum: a number of ", x, " steps, the packing holds ",
                         how.most());
    out.assign(share->shared.begin(), share->shared.end());
    wipe(std::span(share->shared));
    return std::size_t{0};
  }

  result<double> apply(std::span<const std::int64_t> sums, const packing&,
                       std::span<const sum_member> members, std::span<float> weights, memory& kept) const {
    if (sums.size() != weights.size())
      return error::of(fault::shape, "shared sum: ", sums.size(), " sums for ", weights.size(), " weights");
    auto all = sum_.init(0);
    all.sums.assign(sums.begin(), sums.end());
    for (const auto& m : members) all.senders.push_back(m.client), all.examples += m.rows;
    if (auto done = sum_.finish(all, weights, kept); !done) return done.error();
    return 0.0;
  }

 private:
  sum sum_;
};

} // namespace privet
