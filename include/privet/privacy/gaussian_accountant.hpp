#pragma once
// The exact guarantee of the Gaussian mechanism.

#include <privet/privacy/accountant.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace privet {

namespace detail {

/// 1 / (t + 2 / (t + 3 / ...)), for t >= 3.
inline double mills_fraction(double t) {
  double c = 0;
  for (int k = 200; k >= 1; --k) c = k / (t + c);
  return c;
}
/// Mills' ratio R(t) = (1 - Phi(t)) / phi(t) for t > -3, relative accuracy near 1e-15.
inline double mills_ratio(double t) {
  if (t < 3)
    return std::sqrt(std::numbers::pi / 2) * std::exp(0.5 * t * t) * std::erfc(t / std::numbers::sqrt2);
  return 1 / (t + mills_fraction(t));
}
/// 1 - t R(t), as accurate.
inline double mills_rest(double t) {
  if (t < 3) return 1 - t * mills_ratio(t);
  const double c = mills_fraction(t);
  return c / (t + c);
}

/// log delta(epsilon) of two unit normals `distance` apart:
/// delta = phi(a) (R(a) - R(b)), a = epsilon / distance - distance / 2, b = a + distance.
inline double log_gaussian_delta(double distance, double epsilon) {
  const double a = epsilon / distance - distance / 2, b = epsilon / distance + distance / 2;
  const double log_phi = -0.5 * a * a - 0.5 * std::log(2 * std::numbers::pi);
  if (distance < 0.5) { // R(a) - R(b) = integral of 1 - t R(t), which does not cancel
    constexpr double node[] = {0.18343464249564980, 0.52553240991632899, 0.79666647741362674,
                               0.96028985649753623},
                     weight[] = {0.36268378337836198, 0.31370664587788729, 0.22238103445337447,
                                 0.10122853629037626};
    double sum = 0;
    for (int i = 0; i < 4; ++i)
      for (const double side : {-1.0, 1.0})
        sum += weight[i] * mills_rest(epsilon / distance + side * node[i] * distance / 2);
    return log_phi + std::log(sum * distance / 2);
  }
  if (a > 0) return log_phi + std::log(mills_ratio(a) - mills_ratio(b));
  return std::log(0.5 * std::erfc(a / std::numbers::sqrt2) - std::exp(log_phi) * mills_ratio(b));
}

/// What rounding may have done to that logarithm.
inline double log_gaussian_delta_error(double distance, double epsilon) {
  const double b = epsilon / distance + distance / 2;
  return 1e-12 + 1e-15 * b * (std::abs(epsilon / distance - distance / 2) + 1);
}

} // namespace detail

/// delta of a Gaussian query whose sensitivity is `distance` times its noise.
inline privacy_bounds gaussian_delta(double distance, double epsilon) {
  const double d = detail::log_gaussian_delta(distance, epsilon),
               error = detail::log_gaussian_delta_error(distance, epsilon);
  return {std::exp(d - error), std::min(std::exp(d + error), 1.0), true};
}

/// epsilon of a Gaussian query whose sensitivity is `distance` times its noise.
inline privacy_bounds gaussian_epsilon(double distance, double delta) {
  const double target = std::log(delta);
  const auto solve = [&](double sign) {
    const auto holds = [&](double e) {
      return detail::log_gaussian_delta(distance, e) + sign * detail::log_gaussian_delta_error(distance, e) <=
             target;
    };
    if (holds(0)) return std::pair(0.0, 0.0);
    double bad = 0, good = 0.5 * distance * distance + distance * std::sqrt(-2 * target) * 1.0000001 + 1e-300;
    for (int i = 0; i < 200 && good - bad > 1e-15 * good; ++i) {
      const double middle = (good + bad) / 2;
      (holds(middle) ? good : bad) = middle;
    }
    return std::pair(bad, good);
  };
  return {solve(-1).first, solve(1).second, true};
}

/// The exact accountant of Gaussian and tree events (Balle, Wang, ICML 2018, arXiv:1805.06530, Theorem 8).
///
/// Formula   delta = Phi(m/2 - epsilon/m) - e^epsilon Phi(-m/2 - epsilon/m),
///           m^2 = sum of count sensitivity^2 / noise_multiplier^2
/// Errors    N011 for an event that is not Gaussian or that samples; N001 for delta or epsilon out of range
class gaussian_accountant {
 public:
  template <class Mechanism>
  static constexpr bool knows =
      std::same_as<Mechanism, event::gaussian> || std::same_as<Mechanism, event::tree>;

  void compose(const privacy_event& e) {
    e.check();
    require(e.gaussian_distance_squared() > 0, fault::unsupported, "gaussian_accountant: got ", e.name(),
            ", expected gaussian or tree without sampling; pld_accountant takes it");
    events_.add(e);
  }
  const event_list& events() const noexcept { return events_; }

  privacy_bounds epsilon(double delta) const {
    detail::check_delta(delta);
    if (events_.empty()) return {0, 0, true};
    return detail::epsilon_at_distance(events_.distance(), delta, [&](double d) {
      return gaussian_epsilon(std::sqrt(events_.gaussian_distance_squared()), d);
    });
  }
  privacy_bounds delta(double epsilon) const {
    detail::check_epsilon(epsilon);
    if (events_.empty()) return {0, 0, true};
    return detail::delta_at_distance(events_.distance(), epsilon, [&](double e) {
      return gaussian_delta(std::sqrt(events_.gaussian_distance_squared()), e);
    });
  }

 private:
  event_list events_;
};

} // namespace privet
