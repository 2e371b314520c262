#pragma once

#include <privet/core/fixed_point.hpp>
#include <privet/federated/trust.hpp>
#include <privet/federated/update.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace privet {

/// Turns the updates of one round into one step of the global weights.
///
///   trust              who runs it (federated/trust.hpp)
///   linear             whether it only needs the weighted sum
///   init(n)            state for n parameters
///   absorb(state, u)   takes one update; N003, N008 as values
///   finish(state, w)   weights -= the aggregate; the state is empty again; N003, N009 as values
/// Law       a linear one gives the same bits for any order of arrival, in O(parameters) memory
template <class A>
concept Aggregator =
    requires(const A aggregator, std::size_t n, const client_update& update, std::span<float> weights) {
      typename A::trust;
      { A::linear } -> std::convertible_to<bool>;
      requires requires(decltype(aggregator.init(n))& state) {
        { aggregator.absorb(state, update) } -> std::same_as<status>;
        { aggregator.finish(state, weights) } -> std::same_as<status>;
      };
    };

/// Federated averaging: the mean of the clients' weights, by examples.
///
/// Formula   w -= sum_i (n_i / N) (w - w_i) / sum_i (n_i / N); clients send their term already
///           scaled, so the server adds in fixed point and divides by the part that arrived
/// Source    McMahan et al., AISTATS 2017, algorithm 1
template <class Trust = trusted>
struct federated_average {
  using trust = Trust;
  static constexpr bool linear = true;

  struct state {
    fixed_sum updates;
    fixed_sum weight{1};
  };

  /// Says who runs the server: `fedavg{}.run_by(curious{})`.
  template <class Other>
  constexpr federated_average<Other> run_by(Other) const noexcept {
    return {};
  }

  state init(std::size_t parameters) const { return {fixed_sum(parameters)}; }

  status absorb(state& s, const client_update& update) const {
    if (!(update.weight > 0 && update.weight <= 1))
      return error::of(fault::message, "fedavg: client ", update.sender, " has weight ", update.weight,
                       ", expected 0 < weight <= 1");
    if (auto added = s.updates.add(std::span<const float>(update.shared)); !added) return added;
    return s.weight.add(std::span<const double>(&update.weight, 1));
  }

  status finish(state& s, std::span<float> weights) const {
    if (weights.size() != s.updates.size())
      return error::of(fault::shape, "fedavg: ", weights.size(), " weights, the updates have ",
                       s.updates.size());
    const double arrived = s.weight[0];
    if (!(arrived > 0)) return error::of(fault::message, "fedavg: no update arrived in this round");
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(static_cast<double>(weights[i]) - s.updates[i] / arrived);
    s.updates.reset();
    s.weight.reset();
    return nothing{};
  }
};
using fedavg = federated_average<>;

} // namespace privet
