#pragma once
// What mechanisms of pure epsilon have in common: the door of their noise, a grid whose step is a power of
// two, and the event of whatever is epsilon-private without a delta.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/privacy/event.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace privet {

/// The event of any epsilon-private mechanism with delta 0.
///
/// Privacy  replace-one: binary randomised response, which every epsilon-private mechanism is a
///          post-processing of (Kairouz, Oh, Viswanath, arXiv:1311.0776). Other relations:
///          Laplace noise of scale 1 / (2 log((1 + e^epsilon) / 2)), which dominates that response
///          (docs/privacy/laplace.md); it counts epsilon^2 / 4 more than epsilon, at most
/// Errors   N001 unless 0 < epsilon <= 500
/// Test     tests/privacy/laplace.test.cpp
inline privacy_event pure_event(double epsilon, neighbours relation) {
  require(epsilon > 0 && epsilon <= 500, fault::argument, "pure_event: got epsilon ", epsilon,
          ", expected more than 0 and at most 500");
  privacy_event e{event::randomised_response{epsilon, 2}, 1, relation};
  if (relation != neighbours::replace_one)
    e.mechanism = event::laplace{(1 - 1e-14) / (2 * std::log1p(std::expm1(epsilon) / 2))};
  e.check();
  return e;
}

namespace detail {

/// The door of every mechanism that draws from a source it is given.
template <class Source>
constexpr void check_secret_noise() noexcept {
  static_assert(SecretRandomSource<Source>,
                "[P003 replayable-noise] whoever can replay this noise subtracts it: draw from a "
                "system_random. docs/errors/P003.md");
}

/// Numbers as whole steps of 2^exponent, rounded down. Scaling by a power of two is exact, so the floor is
/// that of the number itself, and two numbers a distance s apart are at most ceil(s / step) steps apart.
struct power_of_two_grid {
  int exponent = 0;

  /// A step between 2^-31 and 2^-30 of x.
  static power_of_two_grid below(double x) noexcept { return {std::ilogb(x) - 30}; }

  double step() const noexcept { return std::ldexp(1.0, exponent); }
  /// Cut at 2^61 steps, which brings no two numbers further apart; NaN counts as 0.
  std::int64_t floor(double x) const noexcept {
    const double steps = std::floor(std::ldexp(x, -exponent));
    return std::isnan(steps) ? 0 : static_cast<std::int64_t>(std::clamp(steps, -0x1p61, 0x1p61));
  }
  double value(std::int64_t steps) const noexcept { return std::ldexp(static_cast<double>(steps), exponent); }
  /// How many steps numbers may be apart that are within `distance`.
  std::uint64_t steps_in(double distance) const noexcept {
    return static_cast<std::uint64_t>(std::ceil(std::ldexp(distance, -exponent)));
  }
};

/// The least scale t, a whole number of steps, that makes `steps` / t at most `epsilon`; or one more.
inline std::uint64_t scale_for(std::string_view who, double steps, double epsilon) {
  const double scale = std::floor(steps / epsilon * (1 + 0x1p-50)) + 1;
  require(scale <= 0x1p40, fault::unsupported, who, ": noise of ", scale,
          " steps of its grid is more than the sampler's 2^40; a larger epsilon or fewer numbers are needed");
  return static_cast<std::uint64_t>(scale);
}

inline void check_pure(std::string_view who, double epsilon, double sensitivity) {
  require(epsilon >= 1e-6 && epsilon <= 64, fault::argument, who, ": got epsilon ", epsilon,
          ", expected 1e-6 to 64");
  require(sensitivity >= 1e-100 && sensitivity <= 1e100, fault::argument, who, ": got the sensitivity ",
          sensitivity, ", expected 1e-100 to 1e100");
}

} // namespace detail
} // namespace privet
