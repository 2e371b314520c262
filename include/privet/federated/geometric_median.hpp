#pragma once

#include <privet/federated/fedavg.hpp>
#include <privet/federated/kept_updates.hpp>

namespace privet {

/// The point whose distances to the clients' updates, weighted by examples, have the least sum, as a few smoothed
/// Weiszfeld steps find it (RFA).
///
/// Formula   v <- sum_i b_i u_i / sum_i b_i, b_i = a_i / max(smoothing, |v - u_i|), from v = 0, the weights sent out;
///           then w -= v. u_i = weights received - weights after training, a_i = examples of i / examples of all
/// Requires  iterations >= 1, smoothing > 0 and finite, else N001
/// Withstands  whatever clients with less than half of the examples send; a far one pulls as little as a near one
/// Not       clients that claim rows they do not have: the weights are theirs to announce; small shifts within what
///           honest clients differ by. Too few iterations leave a part of an outlier's pull
/// Law       the same bits for any order of arrival; another numbering of the clients moves no more than rounding
/// Memory    every update, 4 bytes for each client and parameter, and 8 bytes a parameter
/// Cost      iterations + 1 passes over the updates
/// Errors    as `coordinate_median`
/// Source    Pillutla, Kakade, Harchaoui, IEEE Transactions on Signal Processing 70, 2022, arXiv:1912.13445
/// Test      tests/federated/robust.test.cpp
struct geometric_median {
  using trust = trusted;
  static constexpr bool linear = false;
  using state = detail::kept_updates;

  std::size_t iterations = 8;
  double smoothing = 1e-6; ///< the least distance that is divided by

  /// Says who runs the server.
  template <class Other>
  constexpr detail::entrusted<geometric_median, Other> run_by(Other) const noexcept {
    return {*this};
  }

  state init(std::size_t parameters) const {
    require(iterations >= 1, fault::argument, name, ": 0 iterations, expected at least 1");
    require(smoothing > 0 && std::isfinite(smoothing), fault::argument, name, ": smoothing is ", smoothing,
            ", expected a finite number above 0");
    return state(parameters);
  }
  status absorb(state& s, const client_update& update) const { return s.add(name, update); }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round(name, weights.size(), s.parameters(), s.size() > 0); !ready)
      return ready;
    std::vector<double> v(weights.size()), part(s.size()), squares(s.size());
    measure(s, v, part, squares);
    for (std::size_t t = 0; t < iterations; ++t) {
      double all = 0;
      for (std::size_t i = 0; i < s.size(); ++i)
        all += part[i] = s.weight(i) / std::max(smoothing, std::sqrt(squares[i]));
      for (auto& b : part) b /= all;
      measure(s, v, part, squares);
    }
    return s.step(name, weights, v);
  }

 private:
  static constexpr std::string_view name = "geometric median";

  /// v = sum_i part_i u_i and squares_i = |v - u_i|^2, in one pass over the updates.
  static void measure(const state& s, std::span<double> v, std::span<const double> part,
                      std::span<double> squares) {
    constexpr std::size_t at_once = 1024;
    std::ranges::fill(squares, 0);
    for (std::size_t first = 0; first < v.size(); first += at_once) {
      const std::span<double> block = v.subspan(first, std::min(at_once, v.size() - first));
      std::ranges::fill(block, 0);
      for (std::size_t i = 0; i < s.size(); ++i) {
        const float* const u = s[i].data() + first;
        for (std::size_t c = 0; c < block.size(); ++c) block[c] += part[i] * static_cast<double>(u[c]);
      }
      for (std::size_t i = 0; i < s.size(); ++i)
        squares[i] += detail::squared_distance(block.data(), s[i].data() + first, block.size());
    }
  }
};

} // namespace privet
