#pragma once

#include <privet/federated/fedavg.hpp>
#include <privet/federated/kept_updates.hpp>

namespace privet {

/// For each weight, the mean of the clients' updates without the smallest and the largest ones.
///
/// Formula   w[p] -= mean of u_i[p] without the k smallest and the k largest, k = floor(fraction n), u_i = weights
///           received - weights after training; every client counts once
/// Requires  0 <= fraction < 0.5, else N001. The floor forgives the last digits of a decimal fraction: 0.29 of 100 are
///           29. Of fewer than 1 / fraction clients none is cut, and the mean withstands nobody
/// Withstands  whatever k clients send
/// Not       more than k; small shifts within what honest clients differ by; one party that speaks as many clients
/// Law       the same bits for any order of arrival and for any numbering of the clients
/// Memory    every update, 4 bytes for each client and parameter
/// Cost      O(n log(n)^2) comparisons a coordinate, in vectors
/// Errors    as `coordinate_median`
/// Source    Yin, Chen, Ramchandran, Bartlett, ICML 2018, definition 2
/// Test      tests/federated/robust.test.cpp
struct trimmed_mean {
  using trust = trusted;
  static constexpr bool linear = false;
  using state = detail::kept_updates;

  double fraction = 0.1; ///< of the clients, cut at either end

  /// Says who runs the server.
  template <class Other>
  constexpr detail::entrusted<trimmed_mean, Other> run_by(Other) const noexcept {
    return {*this};
  }

  /// How many of n clients are cut at either end.
  std::size_t cut(std::size_t n) const noexcept {
    const auto k = static_cast<std::size_t>(std::floor(fraction * static_cast<double>(n) + 1e-9));
    return n == 0 ? 0 : std::min(k, (n - 1) / 2);
  }

  state init(std::size_t parameters) const {
    require(fraction >= 0 && fraction < 0.5, fault::argument, name, ": fraction is ", fraction,
            ", expected 0 <= fraction < 0.5");
    return state(parameters);
  }
  status absorb(state& s, const client_update& update) const { return s.add(name, update); }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round(name, weights.size(), s.parameters(), s.size() > 0); !ready)
      return ready;
    const std::size_t k = cut(s.size()), kept = s.size() - 2 * k;
    std::vector<double> mean(weights.size());
    detail::for_sorted_coordinates(s, [&](std::size_t first, std::size_t count, auto rows) {
      for (const auto& row : rows.subspan(k, kept))
        for (std::size_t c = 0; c < count; ++c) mean[first + c] += static_cast<double>(row[c]);
    });
    for (auto& m : mean) m /= static_cast<double>(kept);
    return s.step(name, weights, mean);
  }

 private:
  static constexpr std::string_view name = "trimmed mean";
};

} // namespace privet
