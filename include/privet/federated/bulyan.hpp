#pragma once

#include <privet/federated/krum.hpp>

namespace privet {

/// Krum chooses a part of the updates; then, for each weight, the mean of those that are closest to their median.
///
/// Formula   1. Take out the update that Krum prefers among the m that are left, by its m - attackers - 2 nearest (at
///           least one), until n - 2 attackers are chosen. 2. w[p] -= mean of the n - 4 attackers numbers u_i[p] of
///           the chosen that are closest to their median; of two as close, the smaller one
/// Requires  n >= 4 attackers + 3: a round that asks fewer clients (`least`) is N001 before anybody trains, and one in
///           which fewer arrive N009
/// Withstands  whatever `attackers` clients send, in every single weight as well: each number lies close to the median
///           of a majority of honest ones
/// Not       more attackers than stated; small shifts within what honest clients differ by; one party that speaks as
///           many clients
/// Law       the same bits for any order of arrival and for any numbering of the clients
/// Memory    as `krum`
/// Cost      O(n^2) distances, then O(n^3) additions, and O(n log(n)^2) comparisons a coordinate
/// Errors    as `coordinate_median`
/// Source    El Mhamdi, Guerraoui, Rouault, ICML 2018, section 4
/// Test      tests/federated/robust.test.cpp
struct bulyan {
  using trust = trusted;
  static constexpr bool linear = false;
  using state = detail::kept_updates;

  std::size_t attackers = 0; ///< that are reckoned with

  /// Says who runs the server.
  template <class Other>
  constexpr detail::entrusted<bulyan, Other> run_by(Other) const noexcept {
    return {*this};
  }

  /// The fewest clients of a round.
  constexpr std::size_t least() const noexcept { return 4 * attackers + 3; }

  state init(std::size_t parameters) const {
    detail::check_attackers(name, attackers);
    return state(parameters);
  }
  status absorb(state& s, const client_update& update) const { return s.add(name, update); }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round(name, weights.size(), s.parameters(), s.size() > 0); !ready)
      return ready;
    if (s.size() < least())
      return error::of(fault::message, name, ": ", s.size(), " updates arrived, ", attackers,
                       " attackers need at least ", least());
    const auto chosen = choose(s);
    const std::size_t kept = chosen.size() - 2 * attackers;
    std::vector<double> mean(weights.size());
    detail::for_sorted_coordinates(s, chosen, [&](std::size_t first, std::size_t count, auto rows) {
      for (std::size_t c = 0; c < count; ++c) {
        const double median = detail::median_of_column(rows, c);
        const auto at = [&](std::size_t k) { return static_cast<double>(rows[k][c]); };
        std::size_t from = 0; // the closest ones stand side by side
        while (from + kept < rows.size() && at(from + kept) - median < median - at(from)) ++from;
        double sum = 0;
        for (std::size_t k = from; k < from + kept; ++k) sum += at(k);
        mean[first + c] = sum / static_cast<double>(kept);
      }
    });
    return s.step(name, weights, mean);
  }

 private:
  static constexpr std::string_view name = "bulyan";

  std::vector<std::size_t> choose(const state& s) const {
    const detail::update_distances distances(s);
    std::vector<bool> gone(s.size());
    std::vector<std::size_t> chosen;
    for (std::size_t left = s.size(); left > 2 * attackers; --left) {
      const std::size_t closest = left > attackers + 3 ? left - attackers - 2 : 1;
      chosen.push_back(distances.ranked(gone, closest, 1).front());
      gone[chosen.back()] = true;
    }
    return chosen;
  }
};

} // namespace privet
