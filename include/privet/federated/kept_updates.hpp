#pragma once
// What the robust aggregators share: the updates of a round, checked and in the order of their senders.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/update.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::detail {

/// A rule that somebody else runs: `krum{..}.run_by(curious{})`.
template <class Rule, class Trust>
struct entrusted : Rule {
  using trust = Trust;
  template <class Other>
  constexpr entrusted<Rule, Other> run_by(Other) const noexcept {
    return {static_cast<const Rule&>(*this)};
  }
};

/// Errors    N009 for a weight outside (0, 1], N003 for another length, N008 for a number of shared / weight that no
///           float holds, NaN among them
inline status check_update(std::string_view rule, const client_update& u, std::size_t parameters) {
  if (auto good = check_weight(rule, u); !good) return good;
  if (u.shared.size() != parameters)
    return error::of(fault::shape, rule, " of ", parameters, " numbers: client ", u.sender, " has sent ",
                     u.shared.size());
  for (std::size_t i = 0; i < parameters; ++i)
    if (!(std::abs(static_cast<double>(u.shared[i]) / u.weight) <= std::numeric_limits<float>::max()))
      return error::of(fault::range, rule, ": client ", u.sender, ", number ", i, " is ", u.shared[i],
                       " at weight ", u.weight, ", expected a quotient that a float holds");
  return nothing{};
}

/// The same, and that these clients, in order, have not sent one before; returns where this one belongs.
/// Errors    N009 for a second update of a client
template <class Senders, class Sender>
result<std::size_t> check_sender(std::string_view rule, const Senders& known, std::uint32_t sender,
                                 Sender id) {
  const auto place = std::ranges::lower_bound(known, sender, {}, id);
  if (place != known.end() && id(*place) == sender)
    return error::of(fault::message, rule, ": client ", sender, " has sent its update already");
  return static_cast<std::size_t>(place - known.begin());
}

/// The updates (weights received - weights after training) of one round, in the order of their senders, whatever
/// the order of arrival.
///
/// Memory    every update: clients x parameters floats
class kept_updates {
 public:
  explicit kept_updates(std::size_t parameters) : parameters_(parameters) {}

  std::size_t size() const noexcept { return kept_.size(); }
  std::size_t parameters() const noexcept { return parameters_; }
  const std::vector<float>& operator[](std::size_t i) const noexcept { return kept_[i].update; }
  double weight(std::size_t i) const noexcept { return kept_[i].weight; }

  status add(std::string_view rule, const client_update& u) {
    if (auto fits = check_update(rule, u, parameters_); !fits) return fits;
    const auto place = check_sender(rule, kept_, u.sender, [](const one& k) { return k.sender; });
    if (!place) return place.error();
    one k{u.sender, u.weight, std::vector<float>(parameters_)};
    for (std::size_t i = 0; i < parameters_; ++i) // + 0: equal numbers get equal bits
      k.update[i] = static_cast<float>(static_cast<double>(u.shared[i]) / u.weight) + 0.0F;
    kept_.insert(kept_.begin() + static_cast<std::ptrdiff_t>(*place), std::move(k));
    return nothing{};
  }

  /// weights -= aggregate, and nothing is kept any more; N008 for a weight that no float holds, then nothing changes.
  status step(std::string_view rule, std::span<float> weights, std::span<const double> aggregate) {
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (!(std::abs(weights[i] - aggregate[i]) <= std::numeric_limits<float>::max()))
        return error::of(fault::range, rule, ": weight ", i, " would become ", weights[i] - aggregate[i],
                         ", which no float holds");
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = static_cast<float>(weights[i] - aggregate[i]);
    kept_.clear();
    return nothing{};
  }

 private:
  struct one {
    std::uint32_t sender;
    double weight;
    std::vector<float> update;
  };
  std::size_t parameters_;
  std::vector<one> kept_;
};

/// |x - y|^2 in double precision.
template <class T>
double squared_distance(const T* x, const float* y, std::size_t n) noexcept {
  double lanes[8]{}; // of their own, so that a compiler may use vectors
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t l = 0; l < 8; ++l) {
      const double d = static_cast<double>(x[i + l]) - static_cast<double>(y[i + l]);
      lanes[l] += d * d;
    }
  for (; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    lanes[0] += d * d;
  }
  return std::accumulate(std::begin(lanes), std::end(lanes), 0.0);
}

/// The same coordinates of one update; those of all updates stay in a cache while they are worked on.
inline constexpr std::size_t coordinates_at_once = 64;
using coordinates = std::array<float, coordinates_at_once>;

/// Puts the smaller of each pair into x.
inline void exchange(float* __restrict x, float* __restrict y) noexcept {
  for (std::size_t c = 0; c < coordinates_at_once; ++c) {
    const float a = x[c], b = y[c];
    x[c] = b < a ? b : a;
    y[c] = b > a ? b : a;
  }
}

/// Sorts each column, upwards, all of them at once: which pairs are compared does not depend on the numbers.
///
/// Source    Knuth, The Art of Computer Programming 3, algorithm 5.2.2M (Batcher's merge exchange)
inline void sort_columns(std::span<coordinates> rows) noexcept {
  const std::size_t n = rows.size();
  std::size_t top = 1;
  while (2 * top < n) top *= 2;
  for (std::size_t p = n < 2 ? 0 : top; p > 0; p /= 2)
    for (std::size_t q = top, r = 0, d = p;; d = q - p, q /= 2, r = p) {
      for (std::size_t i = 0; i + d < n; ++i)
        if ((i & p) == r) exchange(rows[i].data(), rows[i + d].data());
      if (q == p) break;
    }
}

/// f(first, count, rows) for every block of coordinates, in order: rows[k][c] is the k-th smallest number that the
/// chosen updates have at coordinate first + c, c < count.
template <class F>
void for_sorted_coordinates(const kept_updates& updates, std::span<const std::size_t> chosen, F&& f) {
  std::vector<coordinates> rows(chosen.size());
  for (std::size_t first = 0; first < updates.parameters(); first += coordinates_at_once) {
    const std::size_t count = std::min(coordinates_at_once, updates.parameters() - first);
    for (std::size_t k = 0; k < chosen.size(); ++k)
      std::copy_n(updates[chosen[k]].data() + first, count, rows[k].data());
    sort_columns(rows);
    f(first, count, std::span<const coordinates>(rows));
  }
}

/// The same for all of the updates.
template <class F>
void for_sorted_coordinates(const kept_updates& updates, F&& f) {
  std::vector<std::size_t> all(updates.size());
  std::iota(all.begin(), all.end(), std::size_t{});
  for_sorted_coordinates(updates, all, f);
}

/// Of column c of sorted rows: the middle one, or the mean of the two middle ones.
inline double median_of_column(std::span<const coordinates> rows, std::size_t c) noexcept {
  return (static_cast<double>(rows[(rows.size() - 1) / 2][c]) +
          static_cast<double>(rows[rows.size() / 2][c])) /
         2;
}

} // namespace privet::detail
