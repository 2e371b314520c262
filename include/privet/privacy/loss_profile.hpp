#pragma once
// What a composed loss says about epsilon and delta.

#include <privet/privacy/loss_lattice.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace privet::detail {

/// sup over y >= 0 of e^{-tilt y} (1 - e^{-y}).
inline double worst_weight(double tilt) {
  return tilt <= 0 ? 1 : std::exp(-tilt * std::log1p(1 / tilt)) / (1 + tilt);
}

/// delta as a function of epsilon for a composed loss, from above or below.
class loss_profile {
 public:
  loss_profile(const loss_lattice& losses, double tilt, bool upper)
      : l_(losses),
        tilt_(tilt),
        upper_(upper),
        slack_(l_.slack + 1e-15 * std::max(std::abs(l_.origin), l_.last())) {
    const double worst = worst_weight(tilt),
                 spread = tilt > 0 ? 1 / (l_.step * tilt * (1 + tilt)) + worst : 1e300;
    blur_ = (upper ? 1 : -1) * (worst * l_.error + std::min(l_.flat * spread, worst * l_.flat_sum));
    double sum = blur_ + l_.log_scale;
    for (const double m : l_.mass) sum += m;
    sane_ = std::isfinite(sum);
  }

  double delta(double epsilon) const {
    if (!sane_) return upper_ ? 1 : 0;
    epsilon += upper_ ? -slack_ : slack_;
    double sum = 0;
    for (std::size_t i = l_.mass.size(); i-- > 0 && l_.at(i) > epsilon;) {
      const double y = l_.at(i) - epsilon;
      sum -= l_.mass[i] * std::exp(-tilt_ * y) * std::expm1(-y);
    }
    const double d = std::exp(l_.log_scale - tilt_ * epsilon) * (sum + blur_);
    return upper_ ? std::min(d * (1 + 1e-12) + l_.infinite, 1.0) : std::max(d * (1 - 1e-12), 0.0);
  }

  /// Above: an epsilon whose delta is at most this. Below: one whose delta is at least this, or 0.
  double epsilon(double delta) const {
    const double target = (delta - (upper_ ? l_.infinite : 0)) * (upper_ ? 1 - 1e-12 : 1 + 1e-12);
    if (!(target > 0) || !sane_) return upper_ ? std::numeric_limits<double>::infinity() : 0;
    // Just above grid point i: a = sum f e^{-tilt y}, b = the same with tilt + 1, d = a - b.
    const double r = std::exp(-tilt_ * l_.step), once = -std::expm1(-l_.step);
    double b = 0, d = 0;
    const auto log_target = std::log(target) - l_.log_scale;
    const auto holds = [&](double sum, double epsilon) { // delta(epsilon) <= target
      return sum + blur_ <= 0 || std::log(sum + blur_) - tilt_ * epsilon <= log_target;
    };
    std::size_t i = l_.mass.size();
    while (i > 0) {
      const double next_d = i == l_.mass.size() ? 0 : r * (d + b * once);
      if (!holds(next_d, l_.at(i - 1))) break;
      b = l_.mass[i - 1] + (i == l_.mass.size() ? 0 : b * r * (1 - once));
      d = next_d;
      --i;
    }
    double beyond = 0; // above the last grid point only errors are left
    if (i == l_.mass.size()) {
      beyond = 64 * l_.step;
      if (!upper_) return 0;
      if (!holds(0, l_.last() + beyond)) return std::numeric_limits<double>::infinity();
    }
    // Between this grid point and the one below, or 0, the sum is known at every epsilon.
    const double top = i == l_.mass.size() ? l_.last() : l_.at(i);
    const auto sum_at = [&](double epsilon) {
      const double y = std::max(top - epsilon, 0.0);
      return (d - b * std::expm1(-y)) * std::exp(-tilt_ * y);
    };
    double good = top + beyond, bad = i == 0 ? std::min(0.0, l_.origin) : l_.at(i - 1);
    if (i == 0 && holds(sum_at(bad), bad)) return upper_ ? std::max(bad + slack_, 0.0) : 0;
    for (int k = 0; k < 60; ++k) {
      const double middle = (good + bad) / 2;
      (holds(sum_at(middle), middle) ? good : bad) = middle;
    }
    return upper_ ? std::max(good + slack_, 0.0) : std::max(bad - slack_, 0.0);
  }

 private:
  const loss_lattice& l_;
  double tilt_;
  bool upper_;
  double slack_, blur_;
  bool sane_; ///< no overflow on the way
};

} // namespace privet::detail
