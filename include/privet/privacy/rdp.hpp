#pragma once
// Renyi differential privacy: an upper bound, at real orders.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/golden_section.hpp>
#include <privet/privacy/privacy_loss.hpp>
#include <privet/privacy/shuffle.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numbers>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace privet {

namespace detail {

/// log of the integral of exp(f) over [low, high] by the trapezium rule, which converges geometrically for
/// an analytic f that falls off at both ends. Steps are halved until two sums agree to 1e-13.
template <class F>
double log_integral(F f, double low, double high, double step) {
  const auto sum = [&](double first, double apart) {
    double top = -std::numeric_limits<double>::infinity(), total = 0;
    for (double x = first; x <= high; x += apart) {
      const double v = f(x);
      if (v > top) total *= std::exp(top - v), top = v;
      total += std::exp(v - top);
    }
    return top + std::log(total);
  };
  const auto add = [](double a, double b) {
    const double top = std::max(a, b);
    return top + std::log1p(std::exp(std::min(a, b) - top));
  };
  double all = sum(low, step), result = all + std::log(step);
  for (int i = 0; i < 12; ++i) {
    all = add(all, sum(low + step / 2, step));
    step /= 2;
    const double finer = all + std::log(step);
    const bool done = std::abs(finer - result) <= 1e-13 * std::max(1.0, std::abs(finer));
    result = finer;
    if (done) break;
  }
  return result;
}

/// What the Renyi divergences of a shuffle are computed from. High orders see far into the tails, so only
/// some 1e-290 of the mass counts as epsilon0.
inline clones::losses shuffle_losses(const event::shuffle& m) {
  require(m.users <= 1'000'000, fault::unsupported, "rdp_accountant: got a shuffle of ", m.users,
          " users, expected at most 1000000; pld_accountant takes more");
  return clones(m.epsilon0, m.users, 1e-290).law(1e-290);
}

/// Whether divergences of this event are known at whole orders only.
inline bool needs_whole_orders(const privacy_event& e) noexcept {
  const auto* m = std::get_if<event::subsampled_discrete_gaussian>(&e.mechanism);
  return m && m->rate < 1;
}

} // namespace detail

/// The Renyi divergence of order alpha > 1 that one use may have, the larger of both directions.
///
/// Formula   log E_Q (P/Q)^alpha / (alpha - 1)
/// Errors    N011 for a shuffle of more than 10^6 users or an epsilon0 above 16
/// Source    Gaussian, Laplace, randomised response: Mironov, arXiv:1702.07476, Table II and Proposition 5;
///           discrete Gaussian: Canonne, Kamath, Steinke, arXiv:2004.00010, Proposition 5;
///           sampled Gaussian: the integral of Mironov, Talwar, Zhang, arXiv:1908.10530, Theorem 4, where the
///           direction of removal is the larger (Theorem 5); no binomial series, so no sign is lost;
///           sampled discrete Gaussian: at whole orders the same, at others that of the next whole one, as
///           divergences rise with the order (docs/privacy/accountants.md);
///           replace-one: the pair of docs/privacy/accountants.md; a shuffle: the pair of `shuffle_delta`,
///           its losses spread as in `pld_accountant`
inline double renyi_divergence(const privacy_event& e, double alpha) {
  const auto of = [&]<class M>(const M& m) -> double {
    if constexpr (std::is_same_v<M, event::laplace>) {
      const double t = 1 / m.scale;
      return t + std::log(alpha / (2 * alpha - 1) +
                          (alpha - 1) / (2 * alpha - 1) * std::exp((1 - 2 * alpha) * t)) /
                     (alpha - 1);
    } else if constexpr (std::is_same_v<M, event::randomised_response>) {
      // sum p^a q^(1-a), over truth, the other's truth and the rest, divided by the truth's p^a q^(1-a)
      const double t = m.epsilon, others = m.answers - 1.0;
      return t + (std::log1p(std::exp((1 - 2 * alpha) * t) + (others - 1) * std::exp(-alpha * t)) -
                  std::log1p(others * std::exp(-t))) /
                     (alpha - 1);
    } else if constexpr (std::is_same_v<M, event::shuffle>) {
      return detail::shuffle_losses(m).renyi_divergence(m.epsilon0, alpha);
    } else if constexpr (std::is_same_v<M, event::discrete_gaussian>) {
      return alpha / (2 * m.noise_multiplier * m.noise_multiplier);
    } else if constexpr (std::is_same_v<M, event::subsampled_discrete_gaussian>) {
      const privacy_event continuous{event::subsampled_gaussian{m.noise_multiplier, m.rate}, 1, e.relation};
      return renyi_divergence(continuous, detail::needs_whole_orders(e) ? std::ceil(alpha) : alpha);
    } else {
      const double squared = e.gaussian_distance_squared();
      if (squared > 0) return alpha * squared / 2;
      if constexpr (std::is_same_v<M, event::subsampled_gaussian>) {
        const double s = m.noise_multiplier, v = s * s, c = 0.5 / v, q = m.rate;
        const bool replaced = e.relation == neighbours::replace_one;
        const auto integrand = [&](double x) {
          const double up = detail::log_mixture(q, x / v - c);
          const double base = -0.5 * x * x / v - 0.5 * std::log(2 * std::numbers::pi * v);
          return base + alpha * up - (replaced ? (alpha - 1) * detail::log_mixture(q, -x / v - c) : 0.0);
        };
        const double reach = s * std::sqrt(2 * (40 + alpha));
        const double high = std::max(alpha, 0.5 + v * std::log(1 / q)) + reach;
        return std::max(detail::log_integral(integrand, -1 - reach, high, 0.5 * std::min(s, 2 * v)), 0.0) /
               (alpha - 1);
      }
      return 0;
    }
  };
  return std::visit(of, e.mechanism);
}

/// epsilon from the Renyi divergence of all uses at one order (Canonne, Kamath, Steinke, Proposition 12).
///
/// Formula   divergence + log(1 - 1/alpha) - log(delta alpha) / (alpha - 1)
inline double renyi_epsilon(double divergence, double alpha, double delta) {
  return std::max(divergence + std::log1p(-1 / alpha) - (std::log(delta) + std::log(alpha)) / (alpha - 1),
                  0.0);
}

/// Renyi accountant: an upper bound, looser than that of `pld_accountant` by some 8 to 45 %, in
/// microseconds to milliseconds.
///
/// Formula   min over alpha > 1 of renyi_epsilon(sum of count divergence(alpha), alpha, delta)
/// Errors    N001 for delta or epsilon out of range, or an order that is not more than 1; N011 for a shuffle
///           of more than 10^6 users or an epsilon0 above 16
/// Limits    of a few rounds of very many shuffled users the bound is loose, up to several times: no tail is
///           known for the orders that it would need
/// Accuracy  quadrature to 1e-12; the result is raised by a share of 1e-10 for it
class rdp_accountant {
 public:
  /// Whether there is a theorem for this mechanism.
  template <class Mechanism>
  static constexpr bool knows = event::is_mechanism<Mechanism> || event::has_divergences_alone<Mechanism>;

  /// All real orders, or whole ones where an event is known at no others.
  rdp_accountant() = default;
  /// These orders only, as other libraries do.
  explicit rdp_accountant(std::vector<double> orders) : orders_(std::move(orders)) {
    for (const double a : orders_) check(a);
  }

  void compose(const privacy_event& e) {
    e.check();
    const auto* m = std::get_if<event::shuffle>(&e.mechanism);
    const auto same = [&](const shuffled& s) { return s.event == *m; };
    // Once for each, since it takes longer than a sum over it.
    if (m && std::ranges::none_of(shuffled_, same))
      shuffled_.push_back({*m, std::make_shared<const detail::clones::losses>(detail::shuffle_losses(*m))});
    events_.add(e);
  }
  const event_list& events() const noexcept { return events_; }

  double divergence(double alpha) const {
    check(alpha);
    double sum = 0;
    for (const auto& e : events_)
      if (const auto* m = std::get_if<event::shuffle>(&e.mechanism)) {
        const auto held = std::ranges::find(shuffled_, *m, &shuffled::event);
        sum += static_cast<double>(e.count) * held->losses->renyi_divergence(m->epsilon0, alpha);
      } else {
        sum += static_cast<double>(e.count) * renyi_divergence(e, alpha);
      }
    return sum;
  }

  privacy_bounds epsilon(double delta) const {
    detail::check_delta(delta);
    if (events_.empty()) return {0, 0, true};
    return detail::epsilon_at_distance(events_.distance(), delta, [&](double d) -> privacy_bounds {
      return {0, least([&](double a) { return renyi_epsilon(divergence(a), a, d); }) * (1 + 1e-10), false};
    });
  }
  privacy_bounds delta(double epsilon) const {
    detail::check_epsilon(epsilon);
    if (events_.empty()) return {0, 0, true};
    return detail::delta_at_distance(events_.distance(), epsilon, [&](double at) -> privacy_bounds {
      const double log_delta =
          least([&](double a) { return (a - 1) * (divergence(a) - at + std::log1p(-1 / a)) - std::log(a); });
      return {0, std::min(std::exp(log_delta + 1e-9 * (1 + std::abs(log_delta))), 1.0), false};
    });
  }

 private:
  static void check(double alpha) {
    require(alpha > 1 && std::isfinite(alpha), fault::argument, "rdp_accountant: got the order ", alpha,
            ", expected more than 1");
  }

  template <class F>
  double least(F f) const {
    if (!orders_.empty()) {
      double best = std::numeric_limits<double>::infinity();
      for (const double a : orders_) best = std::min(best, f(a));
      return best;
    }
    if (std::ranges::any_of(events_, detail::needs_whole_orders)) return least_whole(f);
    // In t = log(alpha - 1): the first valley while the order doubles, then the golden section in it.
    double t = std::log(0.01), step = std::numbers::ln2, best = f(1 + std::exp(t)), at = t;
    for (int worse = 0; worse < 4 && t < std::log(1e7);) {
      t += step;
      const double v = f(1 + std::exp(t));
      if (v < best)
        best = v, at = t, worse = 0;
      else
        ++worse;
    }
    const auto found =
        detail::golden_section([&](double u) { return f(1 + std::exp(u)); }, at - step, at + step, 36);
    return std::min(best, found.value);
  }

  /// The first valley while the order doubles, then by thirds.
  template <class F>
  static double least_whole(F f) {
    double at = 2, best = f(at);
    int worse = 0;
    for (double a = 4; worse < 4 && a < 1e7; a *= 2) {
      const double v = f(a);
      if (v < best)
        best = v, at = a, worse = 0;
      else
        ++worse;
    }
    double low = std::max(at / 2, 2.0), high = 2 * at;
    while (high - low > 3) {
      const double third = std::floor((high - low) / 3), left = low + third, right = high - third;
      if (f(left) < f(right))
        high = right;
      else
        low = left;
    }
    for (double a = low; a <= high; ++a) best = std::min(best, f(a));
    return best;
  }

  struct shuffled {
    privet::event::shuffle event;
    std::shared_ptr<const detail::clones::losses> losses;
  };

  std::vector<double> orders_;
  event_list events_;
  std::vector<shuffled> shuffled_;
};

} // namespace privet
