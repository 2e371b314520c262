#pragma once

#include <privet/federated/fedavg.hpp>
#include <privet/federated/kept_updates.hpp>

namespace privet {

/// For each weight, the median of the clients' updates; the mean of the two middle ones where their number is even.
///
/// Formula   w[p] -= median_i u_i[p], u_i = weights received - weights after training; every client counts once
/// Withstands  whatever fewer than half of the clients send: each number then lies between two honest ones
/// Not       small shifts within what honest clients differ by; one party that speaks as many clients. Where clients
///           hold different data, what only a minority has learnt is lost
/// Privacy   none by itself: for an odd number of clients each number is one client's own
/// Law       the same bits for any order of arrival and for any numbering of the clients
/// Memory    every update, 4 bytes for each client and parameter
/// Cost      O(n log(n)^2) comparisons a coordinate, in vectors
/// Errors    N009 for a second update of a client, a weight outside (0, 1], or a round in which none arrived; N003 for
///           sizes; N008 for numbers that are not finite and weights that would not be. Weights are then as before
/// Source    Yin, Chen, Ramchandran, Bartlett, ICML 2018, definition 1
/// Test      tests/federated/robust.test.cpp
template <class Trust = trusted>
struct coordinate_median {
  using trust = Trust;
  static constexpr bool linear = false;
  using state = detail::kept_updates;

  /// Says who runs the server.
  template <class Other>
  constexpr coordinate_median<Other> run_by(Other) const noexcept {
    return {};
  }

  state init(std::size_t parameters) const { return state(parameters); }
  status absorb(state& s, const client_update& update) const { return s.add(name, update); }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round(name, weights.size(), s.parameters(), s.size() > 0); !ready)
      return ready;
    std::vector<double> median(weights.size());
    detail::for_sorted_coordinates(s, [&](std::size_t first, std::size_t count, auto rows) {
      for (std::size_t c = 0; c < count; ++c) median[first + c] = detail::median_of_column(rows, c);
    });
    return s.step(name, weights, median);
  }

 private:
  static constexpr std::string_view name = "coordinate median";
};

} // namespace privet
