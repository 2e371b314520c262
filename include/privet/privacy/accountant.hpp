#pragma once
// What every accountant offers, and the form of its answers.

#include <privet/core/error.hpp>
#include <privet/privacy/event.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>

namespace privet {

/// The truth lies in [lower, upper]. An accountant without a lower bound has `two_sided` false and the
/// trivial lower bound 0.
struct privacy_bounds {
  double lower = 0;
  double upper = std::numeric_limits<double>::infinity();
  bool two_sided = false;

  /// How much larger than the truth the upper bound may be, as a share of it.
  double looseness() const noexcept { return upper > 0 ? (upper - lower) / upper : 0; }
};

/// Laws  n events count as one composed n times; epsilon falls with delta; upper is never below the truth
template <class A>
concept Accountant = requires(A accountant, const A& constant, const privacy_event& e) {
  accountant.compose(e);
  { constant.epsilon(0.5) } -> std::same_as<privacy_bounds>;
  { constant.delta(0.5) } -> std::same_as<privacy_bounds>;
  { constant.events() } -> std::convertible_to<const event_list&>;
};

namespace detail {

inline void check_delta(double delta) {
  require(delta > 0 && delta < 1, fault::argument, "accountant: got delta ", delta,
          ", expected more than 0 and less than 1");
}
inline void check_epsilon(double epsilon) {
  require(epsilon >= 0 && std::isfinite(epsilon), fault::argument, "accountant: got epsilon ", epsilon,
          ", expected a number of at least 0");
}

/// epsilon of mechanisms that lie within `distance` in total variation of those that `of` bounds.
///
/// Fact      if M is (epsilon, d)-private and M' within D of M on every input, M' is
///           (epsilon, d + D (1 + e^epsilon))-private; and M is that close to M' as well
template <class F>
privacy_bounds epsilon_at_distance(double distance, double delta, F of) {
  if (distance == 0) return of(delta);
  privacy_bounds found = of(delta);
  double spent = 0; // by the distance
  for (int i = 0;; ++i) {
    const double needed = distance * (1 + std::exp(found.upper)) * (1 + 1e-9);
    if (needed <= spent) break;
    spent = 1.001 * needed;
    require(i < 20 && spent < delta, fault::unsupported, "accountant: noise of finite precision takes ",
            needed, " of delta ", delta, "; a larger delta or fewer steps are needed");
    found.upper = of(delta - spent).upper;
  }
  const double above = delta + distance * (1 + std::exp(found.lower));
  found.lower = found.two_sided && above < 1 ? of(above).lower : 0;
  return found;
}
template <class F>
privacy_bounds delta_at_distance(double distance, double epsilon, F of) {
  privacy_bounds found = of(epsilon);
  if (distance == 0) return found; // e^epsilon may be infinite
  const double moved = distance * (1 + std::exp(epsilon)) * (1 + 1e-9);
  return {std::max(found.lower - moved, 0.0), std::min(found.upper + moved, 1.0), found.two_sided};
}

} // namespace detail
} // namespace privet
