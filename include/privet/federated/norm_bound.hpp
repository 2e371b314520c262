#pragma once

#include <privet/federated/fedavg.hpp>
#include <privet/federated/kept_updates.hpp>

namespace privet {

/// Federated averaging of updates that are clipped to an l2 norm first.
///
/// Formula   w -= sum_i a_i min(1, bound / |u_i|) u_i / sum_i a_i, u_i = weights received - weights after training,
///           a_i = examples of i / examples of all
/// Requires  0 < bound < 2^22, else N001
/// Withstands  size: clients with the part q of the examples move the mean by at most 2 q bound from that of the others
/// Not       direction: what stays within the bound is believed, round after round; nor claimed rows
/// Law       the same bits for any order of arrival: the sum is one of fixed-point integers, as of `fedavg`
/// Memory    O(parameters), and 4 bytes for each client: an update is added and forgotten
/// Errors    as `coordinate_median`
/// Source    Sun, Kairouz, Suresh, McMahan, arXiv:1911.07963
/// Test      tests/federated/robust.test.cpp
struct norm_bound {
  using trust = trusted;
  /// It streams, yet the server has to read each update to clip it, which it cannot do with sealed ones.
  static constexpr bool linear = false;

  double bound = 1; ///< l2 norm of an update

  struct state {
    fixed_sum updates;
    fixed_sum weight{1};
    std::vector<std::uint32_t> senders; ///< in order
  };

  /// Says who runs the server.
  template <class Other>
  constexpr detail::entrusted<norm_bound, Other> run_by(Other) const noexcept {
    return {*this};
  }

  state init(std::size_t parameters) const {
    require(bound > 0 && bound < fixed_point{}.limit(), fault::argument, name, ": bound is ", bound,
            ", expected above 0 and below ", fixed_point{}.limit());
    return {fixed_sum(parameters), fixed_sum(1), {}};
  }

  status absorb(state& s, const client_update& update) const {
    if (auto fits = detail::check_update(name, update, s.updates.size()); !fits) return fits;
    const auto place =
        detail::check_sender(name, s.senders, update.sender, [](std::uint32_t id) { return id; });
    if (!place) return place.error();
    std::vector<double> clipped(update.shared.begin(), update.shared.end());
    double squares = 0;
    for (const double x : clipped) squares += x * x;
    const double norm = std::sqrt(squares) / update.weight;
    if (norm > bound)
      for (auto& x : clipped) x *= bound / norm;
    if (auto added = s.updates.add(std::span<const double>(clipped)); !added) return added;
    s.senders.insert(s.senders.begin() + static_cast<std::ptrdiff_t>(*place), update.sender);
    return s.weight.add(std::span<const double>(&update.weight, 1));
  }

  status finish(state& s, std::span<float> weights) const {
    const double arrived = s.weight[0]; // zero as well if all of it is less than the sum resolves
    if (auto ready = detail::check_round(name, weights.size(), s.updates.size(), arrived > 0); !ready)
      return ready;
    detail::average_step(weights, arrived, [&](std::size_t i) { return s.updates[i]; });
    s = init(weights.size());
    return nothing{};
  }

 private:
  static constexpr std::string_view name = "norm bound";
};

} // namespace privet
