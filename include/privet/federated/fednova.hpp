#pragma once
// Federated averaging among clients that take different numbers of local steps.

#include <privet/federated/fedavg.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace privet {

/// FedNova: each client's update is divided by how far its local steps reach, so that the fixed point is that of
/// the common loss, not that of clients with many steps.
///
/// Formula   w -= t_eff sum_i p_i (w - w_i) / t_i,  p_i = n_i / N,  t_eff = sum_i p_i t_i; t_i the sum of the weights
///           that local gradients have in w - w_i: for s steps of descent with momentum m
///           (s - m (1 - m^s) / (1 - m)) / (1 - m), without momentum s
/// Requires  clients that descend at one constant rate, with the momentum given here and fresh optimiser state
/// Ensures   the same bits for any order of arrival
/// Errors    as `federated_average`; N009 for a client that took no step
/// Memory    O(parameters)
/// Source    Wang, Liu, Liang, Joshi, Poor, NeurIPS 2020, arXiv:2007.07481, section 4
/// Test      tests/federated/fednova.test.cpp
template <class Trust = trusted>
struct fednova_average {
  using trust = Trust;
  static constexpr bool linear =
      false; ///< divides each update by its own number, which encrypted ones hide from it

  double momentum = 0; ///< of the clients

  struct state {
    fixed_sum updates;
    fixed_sum weights{2}; ///< sums of p_i and of p_i t_i
  };

  /// Says who runs the server.
  template <class Other>
  constexpr fednova_average<Other> run_by(Other) const noexcept {
    return {momentum};
  }

  state init(std::size_t parameters) const {
    require(momentum >= 0 && momentum < 1, fault::argument, "fednova: momentum ", momentum,
            ", expected 0 <= momentum < 1");
    return {fixed_sum(parameters)};
  }

  status absorb(state& s, const client_update& update) const {
    if (auto good = detail::check_weight("fednova", update); !good) return good;
    if (update.steps == 0 || update.steps > (1u << 22))
      return error::of(fault::message, "fednova: client ", update.sender, " took ", update.steps,
                       " steps, expected 1 to 2^22");
    const double reach = reach_of(static_cast<double>(update.steps));
    std::vector<double> each(update.shared.begin(), update.shared.end());
    for (auto& x : each) x /= reach;
    if (auto added = s.updates.add(std::span<const double>(each)); !added) return added;
    const double weights[] = {update.weight, update.weight * reach};
    return s.weights.add(std::span<const double>(weights));
  }

  status finish(state& s, std::span<float> weights) const {
    const double arrived = s.weights[0], reach = s.weights[1];
    if (auto ready = detail::check_round("fednova", weights.size(), s.updates.size(), arrived > 0); !ready)
      return ready;
    detail::average_step(weights, arrived, [&](std::size_t i) { return s.updates[i] * (reach / arrived); });
    s.updates.reset();
    s.weights.reset();
    return nothing{};
  }

 private:
  double reach_of(double steps) const {
    return (steps - momentum * (1 - std::pow(momentum, steps)) / (1 - momentum)) / (1 - momentum);
  }
};
using fednova = fednova_average<>;

} // namespace privet
