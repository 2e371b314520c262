#pragma once
// Zero-concentrated differential privacy: one number that adds up.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/golden_section.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>
#include <variant>

namespace privet {

/// epsilon of rho-zCDP (Canonne, Kamath, Steinke, arXiv:2004.00010, Corollary 13).
///
/// Formula   min over alpha > 1 of alpha rho + log(1 - 1/alpha) - log(delta alpha) / (alpha - 1)
inline double zcdp_epsilon(double rho, double delta) {
  detail::check_delta(delta);
  require(rho >= 0 && std::isfinite(rho), fault::argument, "zcdp: got rho ", rho,
          ", expected a number of at least 0");
  if (rho == 0) return 0;
  const auto at = [&](double t) { // t = log(alpha - 1)
    const double less = std::exp(t), alpha = 1 + less;
    return alpha * rho + std::log(less / alpha) - (std::log(delta) + std::log(alpha)) / less;
  };
  // Near the minimum alpha - 1 is close to sqrt(log(1/delta) / rho).
  const double centre = 0.5 * std::log(-std::log(delta) / rho);
  return std::max(detail::golden_section(at, centre - 6, centre + 6, 60).value, 0.0) * (1 + 1e-13);
}

/// zCDP accountant: an upper bound that knows no amplification by sampling.
///
/// Formula   rho = sum of count rho_i; Gaussian and discrete Gaussian 1 / (2 noise_multiplier^2) in any
///           dimension, tree height times that, an epsilon-DP event epsilon^2 / 2 (Bun, Steinke,
///           arXiv:1605.02065, Propositions 1.4, 1.6)
/// Privacy   a sample counts as if every record were in it, which is sound and very loose for small rates
/// Errors    N001 for delta or epsilon out of range; N011 for a shuffle
class zcdp_accountant {
 public:
  /// Whether there is a theorem for this mechanism.
  template <class Mechanism>
  static constexpr bool knows =
      event::has_divergences_alone<Mechanism> ||
      (event::is_mechanism<Mechanism> && !std::is_same_v<Mechanism, event::shuffle>);

  void compose(const privacy_event& e) {
    require(!std::holds_alternative<event::shuffle>(e.mechanism), fault::unsupported, "zcdp_accountant: got ",
            e.name(), ", of which it knows no bound; pld_accountant takes it");
    events_.add(e);
  }
  const event_list& events() const noexcept { return events_; }

  double rho() const {
    double sum = 0;
    for (const auto& e : events_)
      sum += static_cast<double>(e.count) * std::visit([&](const auto& m) { return of(m, e); }, e.mechanism);
    return sum;
  }
  /// True when a sampled event was counted at rate 1.
  bool ignores_sampling() const {
    return std::ranges::any_of(events_, [](const privacy_event& e) {
      return std::visit(
          [](const auto& m) {
            if constexpr (requires { m.rate; }) return m.rate < 1;
            return false;
          },
          e.mechanism);
    });
  }

  privacy_bounds epsilon(double delta) const {
    return detail::epsilon_at_distance(events_.distance(), delta, [&](double d) -> privacy_bounds {
      return {0, zcdp_epsilon(rho(), d), false};
    });
  }

  /// The smallest delta whose epsilon is at most this.
  privacy_bounds delta(double epsilon) const {
    detail::check_epsilon(epsilon);
    const double all = rho();
    if (all == 0) return {0, 0, true};
    return detail::delta_at_distance(events_.distance(), epsilon, [&](double at) -> privacy_bounds {
      double good = 0, bad = -700; // logarithms of delta
      for (int i = 0; i < 80; ++i) {
        const double middle = (good + bad) / 2;
        (zcdp_epsilon(all, std::exp(std::min(middle, -1e-12))) <= at ? good : bad) = middle;
      }
      return {0, std::exp(good), false};
    });
  }

 private:
  static double of(const event::laplace& m, const privacy_event&) { return 0.5 / (m.scale * m.scale); }
  static double of(const event::randomised_response& m, const privacy_event&) {
    return 0.5 * m.epsilon * m.epsilon;
  }
  static double of(const event::discrete_gaussian& m, const privacy_event&) {
    return 0.5 / (m.noise_multiplier * m.noise_multiplier);
  }
  static double of(const event::subsampled_discrete_gaussian& m, const privacy_event&) {
    return 0.5 / (m.noise_multiplier * m.noise_multiplier);
  }
  static double of(const event::subsampled_gaussian& m, privacy_event e) {
    e.mechanism = event::subsampled_gaussian{m.noise_multiplier, 1};
    return 0.5 * e.gaussian_distance_squared();
  }
  template <class M>
  static double of(const M&, const privacy_event& e) {
    return 0.5 * e.gaussian_distance_squared();
  }

  event_list events_;
};

} // namespace privet
