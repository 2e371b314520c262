#pragma once

#include <privet/federated/fedavg.hpp>
#include <privet/federated/kept_updates.hpp>

namespace privet {

namespace detail {

/// How far updates are from each other, nearest first.
class update_distances {
 public:
  explicit update_distances(const kept_updates& updates) : updates_(&updates), nearest_(updates.size()) {
    constexpr std::size_t at_once = 1024; // coordinates of all updates stay in a cache
    const std::size_t n = updates.size();
    std::vector<double> squares(n * n);
    for (std::size_t first = 0; first < updates.parameters(); first += at_once) {
      const std::size_t count = std::min(at_once, updates.parameters() - first);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j)
          squares[i * n + j] += squared_distance(updates[i].data() + first, updates[j].data() + first, count);
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        if (i != j) nearest_[i].emplace_back(squares[std::min(i, j) * n + std::max(i, j)], j);
      std::ranges::sort(nearest_[i]);
    }
  }

  /// Krum's score of update i: the sum of the squared distances to the `closest` nearest that are not gone.
  double score(std::size_t i, const std::vector<bool>& gone, std::size_t closest) const {
    double sum = 0;
    for (auto near = nearest_[i].begin(); closest > 0 && near != nearest_[i].end(); ++near)
      if (!gone[near->second]) {
        sum += near->first;
        --closest;
      }
    return sum;
  }

  /// The updates that are not gone, the least score first. Of equal scores the update decides whose first number that
  /// differs is less, so that it does not matter how clients are numbered.
  std::vector<std::size_t> ranked(const std::vector<bool>& gone, std::size_t closest,
                                  std::size_t wanted) const {
    std::vector<std::pair<double, std::size_t>> left;
    for (std::size_t i = 0; i < nearest_.size(); ++i)
      if (!gone[i]) left.emplace_back(score(i, gone, closest), i);
    std::ranges::partial_sort(
        left, left.begin() + static_cast<std::ptrdiff_t>(wanted), [&](const auto& a, const auto& b) {
          if (a.first != b.first) return a.first < b.first;
          return std::ranges::lexicographical_compare((*updates_)[a.second], (*updates_)[b.second]);
        });
    std::vector<std::size_t> best;
    for (std::size_t k = 0; k < wanted; ++k) best.push_back(left[k].second);
    return best;
  }

 private:
  const kept_updates* updates_;
  std::vector<std::vector<std::pair<double, std::size_t>>> nearest_;
};

/// Clients are numbered in 32 bits; so sums with a number of attackers do not wrap around.
inline void check_attackers(std::string_view rule, std::size_t attackers) {
  require(attackers <= std::numeric_limits<std::uint32_t>::max(), fault::argument, rule, ": ", attackers,
          " attackers, there are at most 2^32 clients");
}

} // namespace detail

/// The update that lies closest to its neighbours, or the mean of the few that do (Multi-Krum).
///
/// Formula   score(i) = sum of |u_i - u_j|^2 over the n - attackers - 2 updates u_j nearest to u_i; w -= mean of the
///           `keep` updates of least score, u_i = weights received - weights after training; every client counts once
/// Requires  n >= 2 attackers + 3 and 1 <= keep <= n - attackers - 2. keep = 0 is N001; a round that asks fewer
///           clients (`least`) is N001 before anybody trains, and one in which fewer arrive N009
/// Withstands  whatever `attackers` clients send, as far as that keeps the result near the honest ones: by the norm of
///           the whole update
/// Not       an attacker that hides a large change of few weights in the distance that honest clients have in so many
///           (`bulyan`); more attackers than stated. keep = 1 learns from one client a round
/// Privacy   none by itself: with keep = 1 the new weights are one client's own, and every client is sent them
/// Law       the same bits for any order of arrival and for any numbering of the clients
/// Memory    every update, 4 bytes for each client and parameter, and 24 n^2 bytes
/// Cost      O(n^2) distances
/// Errors    as `coordinate_median`
/// Source    Blanchard, El Mhamdi, Guerraoui, Stainer, NeurIPS 2017; the limit of keep: Damaskinos, El Mhamdi,
///           Guerraoui, Guirguis, Rouault, MLSys 2019 (AggregaThor)
/// Test      tests/federated/robust.test.cpp
struct krum {
  using trust = trusted;
  static constexpr bool linear = false;
  using state = detail::kept_updates;

  std::size_t attackers = 0; ///< that are reckoned with
  std::size_t keep = 1;      ///< updates that are averaged

  /// Says who runs the server.
  template <class Other>
  constexpr detail::entrusted<krum, Other> run_by(Other) const noexcept {
    return {*this};
  }

  /// The fewest clients of a round.
  constexpr std::size_t least() const noexcept { return std::max(2 * attackers + 3, attackers + 2 + keep); }

  state init(std::size_t parameters) const {
    detail::check_attackers(name, attackers);
    require(keep >= 1 && keep <= std::numeric_limits<std::uint32_t>::max(), fault::argument, name, ": keeps ",
            keep, " updates, expected at least 1 and at most 2^32");
    return state(parameters);
  }
  status absorb(state& s, const client_update& update) const { return s.add(name, update); }

  status finish(state& s, std::span<float> weights) const {
    if (auto ready = detail::check_round(name, weights.size(), s.parameters(), s.size() > 0); !ready)
      return ready;
    if (s.size() < least())
      return error::of(fault::message, name, ": ", s.size(), " updates arrived, ", attackers,
                       " attackers and ", keep, " to keep need at least ", least());
    const auto best =
        detail::update_distances(s).ranked(std::vector<bool>(s.size()), s.size() - attackers - 2, keep);
    std::vector<double> mean(weights.size());
    for (const auto i : best)
      for (std::size_t p = 0; p < mean.size(); ++p) mean[p] += static_cast<double>(s[i][p]);
    for (auto& m : mean) m /= static_cast<double>(keep);
    return s.step(name, weights, mean);
  }

 private:
  static constexpr std::string_view name = "krum";
};

} // namespace privet
