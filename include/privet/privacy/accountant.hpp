#pragma once
// What every accountant offers, and the form of its answers.

#include <privet/core/error.hpp>
#include <privet/privacy/event.hpp>

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

} // namespace detail
} // namespace privet
