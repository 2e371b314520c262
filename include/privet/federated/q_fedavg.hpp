#pragma once
// Averaging that listens more to clients with a larger loss.

#include <privet/federated/fedavg.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace privet {

/// q-FedAvg: fairness among clients. Each counts by its loss to the power q, whatever its number of examples.
///
/// Formula   w -= sum_i F_i^q d_i / sum_i (q F_i^(q-1) L |d_i|^2 + F_i^q),  d_i = w - w_i, F_i its loss, L = 1 / the
///           clients' learning rate; q = 0: the plain mean of clients
/// Requires  losses that clients tell: none comes from a private one. F_i is the mean over the client's training in the
///           round, which stands for its loss at w
/// Ensures   the same bits for any order of arrival
/// Errors    N003, N008 as `federated_average`; N001 for q or L out of range; N009 for no update and for a loss that
///           is negative or not finite
/// Memory    O(parameters)
/// Source    Li, Sanjabi, Beirami, Smith, ICLR 2020, arXiv:1905.10497, algorithm 2
/// Test      tests/federated/fednova.test.cpp
template <class Trust = trusted>
struct q_fair_average {
  using trust = Trust;
  static constexpr bool linear = false; ///< counts a client by its loss and the norm of its update

  double q = 1;
  double lipschitz = 10; ///< L

  struct state {
    fixed_sum updates;
    fixed_sum divisor{1};
    std::size_t clients = 0;
  };

  /// Says who runs the server.
  template <class Other>
  constexpr q_fair_average<Other> run_by(Other) const noexcept {
    return {q, lipschitz};
  }

  state init(std::size_t parameters) const {
    require(q >= 0 && q <= 100 && lipschitz > 0 && std::isfinite(lipschitz), fault::argument, "q-fedavg: q ",
            q, " and L ", lipschitz, ", expected 0 <= q <= 100 and L > 0");
    return {fixed_sum(parameters)};
  }

  status absorb(state& s, const client_update& update) const {
    if (auto good = detail::check_weight("q-fedavg", update); !good) return good;
    if (!(update.loss >= 0 && std::isfinite(update.loss)))
      return error::of(fault::message, "q-fedavg: client ", update.sender, " has the loss ", update.loss,
                       ", expected a number of 0 or more");
    const double loss = update.loss + 1e-10, counts = std::pow(loss, q);
    std::vector<double> each(update.shared.begin(), update.shared.end());
    double squares = 0;
    for (auto& x : each) {
      x /= update.weight;
      squares += x * x;
      x *= counts;
    }
    const double divisor = q * std::pow(loss, q - 1) * lipschitz * squares + counts;
    if (auto good = s.updates.check(std::span<const double>(each)); !good)
      return good; // in both sums or in none
    if (auto added = s.divisor.add(std::span<const double>(&divisor, 1)); !added) return added;
    ++s.clients;
    return s.updates.add(std::span<const double>(each));
  }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round("q-fedavg", weights.size(), s.updates.size(), s.clients > 0); !ready)
      return ready;
    // Losses so small that their powers vanish in the sum: nothing is left to step by.
    if (const double divisor = s.divisor[0]; divisor > 0)
      detail::average_step(weights, divisor, [&](std::size_t i) { return s.updates[i]; });
    s = init(weights.size());
    return nothing{};
  }
};
using q_fedavg = q_fair_average<>;

} // namespace privet
