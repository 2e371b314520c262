#pragma once

#include <privet/core/fixed_point.hpp>
#include <privet/federated/trust.hpp>
#include <privet/federated/update.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace privet {

namespace detail {

/// What an aggregator is sent: an update, unless it names something else.
template <class A>
struct sent_to {
  using type = client_update;
};
template <class A>
  requires requires { typename A::update; }
struct sent_to<A> {
  using type = typename A::update;
};

/// What it keeps from round to round: nothing, unless it says how that is made.
struct no_memory {};
template <class A>
struct memory_of {
  using type = no_memory;
};
template <class A>
  requires requires(const A aggregator) { aggregator.remember(std::size_t{}); }
struct memory_of<A> {
  using type = decltype(std::declval<const A&>().remember(std::size_t{}));
};

/// Errors: N009 for a weight outside (0, 1].
inline status check_weight(std::string_view rule, const client_update& u) {
  if (u.weight > 0 && u.weight <= 1) return nothing{};
  return error::of(fault::message, rule, ": client ", u.sender, " has weight ", u.weight,
                   ", expected 0 < weight <= 1");
}
/// Errors: N003 for weights of another size, N009 when nothing arrived.
inline status check_round(std::string_view rule, std::size_t weights, std::size_t parameters,
                          bool something_arrived) {
  if (weights != parameters)
    return error::of(fault::shape, rule, ": ", weights, " weights, the updates have ", parameters);
  if (!something_arrived) return error::of(fault::message, rule, ": no update arrived in this round");
  return nothing{};
}

/// weights -= sum(i) / arrived, in double precision.
template <class Sum>
void average_step(std::span<float> weights, double arrived, const Sum& sum) {
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(static_cast<double>(weights[i]) - sum(i) / arrived);
}

} // namespace detail

/// Turns what clients send in one round into one step of the global weights.
///
///   trust              who runs it (federated/trust.hpp)
///   linear             whether it only needs the weighted sum
///   init(n)            state of a round, for n parameters
///   absorb(state, u)   takes one update; N003, N008 as values
///   finish(state, w)   weights -= the aggregate; the state is empty again; N003, N009 as values
/// and, where it says so,
///   update, reply, decode(message)   the type of u, the kind of message it comes in, how that is read; without
///                      them, `client_update`
///   remember(n)        makes what it keeps from round to round, such as an optimiser's state; then it has
///                      check(memory, n), and finish(state, w, memory), which leaves weights and memory alone
///                      when it fails
///   sent(memory)       numbers that clients are sent behind the weights
///   least()            the fewest clients that a round may ask
/// Law       a linear one gives the same bits for any order of arrival, in O(parameters) memory
template <class A>
concept Aggregator =
    requires(const A aggregator, std::size_t n, const typename detail::sent_to<A>::type& update,
             std::span<float> weights, typename detail::memory_of<A>::type& memory) {
      typename A::trust;
      { A::linear } -> std::convertible_to<bool>;
      requires requires(decltype(aggregator.init(n))& state) {
        { aggregator.absorb(state, update) } -> std::same_as<status>;
        requires(std::same_as<typename detail::memory_of<A>::type, detail::no_memory> && requires {
                  { aggregator.finish(state, weights) } -> std::same_as<status>;
                }) || requires {
          { aggregator.finish(state, weights, memory) } -> std::same_as<status>;
          { aggregator.check(memory, n) } -> std::same_as<status>;
        };
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

  /// Of the sum of updates. Encrypted federations have a coarser one (federated/encrypted_update.hpp).
  fixed_point encoding{};

  struct state {
    fixed_sum updates;
    fixed_sum weight{1};
  };

  /// Says who runs the server: `fedavg{}.run_by(curious{})`.
  template <class Other>
  constexpr federated_average<Other> run_by(Other) const noexcept {
    return {encoding};
  }

  state init(std::size_t parameters) const { return {fixed_sum(parameters, encoding)}; }

  status absorb(state& s, const client_update& update) const {
    if (auto good = detail::check_weight("fedavg", update); !good) return good;
    if (auto added = s.updates.add(std::span<const float>(update.shared)); !added) return added;
    return s.weight.add(std::span<const double>(&update.weight, 1));
  }

  status finish(state& s, std::span<float> weights) const {
    const double arrived = s.weight[0];
    if (auto ready = detail::check_round("fedavg", weights.size(), s.updates.size(), arrived > 0); !ready)
      return ready;
    detail::average_step(weights, arrived, [&](std::size_t i) { return s.updates[i]; });
    s.updates.reset();
    s.weight.reset();
    return nothing{};
  }
};
using fedavg = federated_average<>;

} // namespace privet
