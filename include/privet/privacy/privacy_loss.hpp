#pragma once
// The privacy loss of one event: L = log P/Q under P, for a pair (P, Q) that dominates it.
// Which theorem says so: docs/privacy/accountants.md.

#include <privet/privacy/event.hpp>
#include <privet/privacy/shuffle.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

namespace privet::detail {

/// log(1 - rate + rate e^z), without overflow or cancellation.
inline double log_mixture(double rate, double z) {
  if (rate == 1) return z;
  return z > 30 ? z + std::log(rate + (1 - rate) * std::exp(-z)) : std::log1p(rate * std::expm1(z));
}

/// The mass of N(mean, deviation^2) above x.
inline double normal_above(double x, double mean, double deviation) {
  return 0.5 * std::erfc((x - mean) / (deviation * std::numbers::sqrt2));
}

/// A dominating pair: a density in x with loss rising in x, on [first, last], and point masses.
class loss_pair {
 public:
  using atom = clones::losses::atom;
  /// Added or removed: which of the neighbours is P. Symmetric pairs have one direction.
  enum class shape { removed, added, replaced, laplace, atoms, clones };

  /// Beyond [first, last] lie at most `above` of the mass upwards and `below` downwards.
  loss_pair(const privacy_event& e, bool added, double above, double below) : above_(above), below_(below) {
    std::visit([&](const auto& m) { set(m, e.relation, added); }, e.mechanism);
  }
  /// One Gaussian query whose sensitivity is `distance` times its noise.
  loss_pair(double distance, double above, double below) : above_(above), below_(below) {
    set(event::subsampled_gaussian{1 / distance, 1}, neighbours::add_remove, false);
  }

  static bool symmetric(const privacy_event& e) {
    return !std::holds_alternative<event::subsampled_gaussian>(e.mechanism) ||
           e.relation == neighbours::replace_one;
  }

  const std::vector<atom>& atoms() const noexcept { return atoms_; } ///< by rising loss
  /// Atoms of a pair that this one dominates, for bounds from below; the same where the atoms are exact.
  const std::vector<atom>& atoms_below() const noexcept { return merged_.empty() ? atoms_ : merged_; }
  /// Share by which rounding may have changed a mass.
  double error() const noexcept { return error_; }
  /// What rounding may have changed a loss by.
  double slack() const noexcept { return slack_; }
  bool continuous() const noexcept { return shape_ != shape::atoms && shape_ != shape::clones; }
  double first() const noexcept { return first_; }
  double last() const noexcept { return last_; }
  /// An interval of x no longer than this is smooth to the quadrature.
  double smooth() const noexcept { return smooth_; }
  /// No outcome at all has an arbitrarily large loss.
  bool bounded() const noexcept { return above_ == 0 || shape_ == shape::added || shape_ == shape::clones; }
  double above() const noexcept { return above_; }
  double below() const noexcept { return below_; }
  /// Losses of atoms are whole multiples of this, up to a common shift; 0 without atoms.
  double unit() const noexcept { return unit_; }
  double shift() const noexcept { return shift_; }
  /// Of a sampled Gaussian, else noise 0.
  shape kind() const noexcept { return shape_; }
  double noise() const noexcept { return continuous() && shape_ != shape::laplace ? s_ : 0; }
  double rate() const noexcept { return rate_; }

  double density(double x) const {
    const double z = x / s_, c = 0.5 / (s_ * s_);
    switch (shape_) {
      case shape::removed:
      case shape::replaced:
        return phi(z, log_mixture(rate_, x / (s_ * s_) - c));
      case shape::added:
        return phi(z, 0);
      case shape::laplace:
        return 0.5 * std::exp(x / s_) / s_;
      default:
        return 0;
    }
  }
  double loss(double x) const {
    const double y = x / (s_ * s_), c = 0.5 / (s_ * s_);
    switch (shape_) {
      case shape::removed:
        return log_mixture(rate_, y - c);
      case shape::added:
        return -log_mixture(rate_, -y - c);
      case shape::replaced:
        if (std::abs(y) > 30) return log_mixture(rate_, y - c) - log_mixture(rate_, -y - c);
        return std::log1p(2 * rate_ * std::exp(-c) * std::sinh(y) / (1 + rate_ * std::expm1(-y - c)));
      case shape::laplace:
        return (1 + 2 * x) / s_;
      default:
        return 0;
    }
  }
  /// The x of this loss, cut to [first, last].
  double where(double loss) const {
    const double v = s_ * s_, c = 0.5 / v;
    double x = 0;
    if (shape_ == shape::removed) {
      x = rate_ == 1 ? v * loss + 0.5 : inside(loss) ? v * log1p_ratio(loss) + 0.5 : first_;
    } else if (shape_ == shape::added) {
      x = rate_ == 1 ? v * loss - 0.5 : inside(-loss) ? -v * log1p_ratio(-loss) - 0.5 : last_;
    } else if (shape_ == shape::replaced) {
      // sinh(u) = (1 - rate) / rate e^c sinh(loss / 2) with u = x / v - loss / 2.
      const double half = std::abs(loss) / 2;
      const double log_sinh =
          half > 1 ? half + std::log1p(-std::exp(-2 * half)) - std::numbers::ln2 : std::log(std::sinh(half));
      const double log_z = rate_ == 1 ? -std::numeric_limits<double>::infinity()
                                      : std::log((1 - rate_) / rate_) + c + log_sinh;
      const double u = log_z > 300 ? log_z + std::numbers::ln2 : std::asinh(std::exp(log_z));
      x = std::copysign(v * (half + u), loss);
    } else {
      x = (loss * s_ - 1) / 2;
    }
    return std::clamp(x, first_, last_);
  }

 private:
  double phi(double z, double log_factor) const {
    return std::exp(-0.5 * z * z + log_factor) / (s_ * std::sqrt(2 * std::numbers::pi));
  }
  bool inside(double loss) const { return std::expm1(loss) > -rate_; }
  double log1p_ratio(double loss) const {
    return loss > 500 ? loss - std::log(rate_) : std::log1p(std::expm1(loss) / rate_);
  }

  void set(const event::gaussian& m, neighbours, bool) {
    set(event::subsampled_gaussian{m.noise_multiplier, 1}, neighbours::add_remove, false);
  }
  void set(const event::tree& m, neighbours, bool) {
    set(event::subsampled_gaussian{m.noise_multiplier / std::sqrt(m.height), 1}, neighbours::add_remove,
        false);
  }
  void set(const event::subsampled_gaussian& m, neighbours relation, bool added) {
    s_ = m.noise_multiplier;
    rate_ = m.rate;
    shape_ = relation == neighbours::replace_one ? shape::replaced : added ? shape::added : shape::removed;
    smooth_ = 0.1 * (rate_ == 1 ? s_ : std::min(s_, 2 * s_ * s_));
    const double shifted = shape_ == shape::added ? 0 : rate_;
    const auto beyond = [&](double x) { // mass above x
      return (1 - shifted) * normal_above(x, 0, s_) + shifted * normal_above(x, 1, s_);
    };
    const auto before = [&](double x) {
      return (1 - shifted) * normal_above(-x, 0, s_) + shifted * normal_above(-x, -1, s_);
    };
    const auto cut = [&](auto mass, double inner, double outer, double target) {
      for (int i = 0; i < 60; ++i) {
        const double middle = (inner + outer) / 2;
        (mass(middle) > target ? inner : outer) = middle;
      }
      return outer;
    };
    last_ = cut(beyond, 0, 1 + 38 * s_, above_);
    first_ = cut(before, 1, -38 * s_, below_);
  }
  void set(const event::laplace& m, neighbours, bool) {
    s_ = m.scale;
    shape_ = shape::laplace;
    first_ = -1, last_ = 0;
    smooth_ = s_;
    unit_ = 1 / s_;
    above_ = below_ = 0;
    atoms_ = {{0.5 * std::exp(-1 / s_), -1 / s_}, {0.5, 1 / s_}};
  }
  void set(const event::randomised_response& m, neighbours, bool) {
    shape_ = shape::atoms;
    unit_ = m.epsilon;
    above_ = below_ = 0;
    const double others = m.answers - 1, lie = std::exp(-m.epsilon) / (1 + others * std::exp(-m.epsilon));
    atoms_ = {{lie, -m.epsilon}};
    if (m.answers > 2) atoms_.push_back({(others - 1) * lie, 0});
    atoms_.push_back({1 / (1 + others * std::exp(-m.epsilon)), m.epsilon});
    if (m.answers == 2) unit_ = 2 * m.epsilon, shift_ = m.epsilon;
  }
  void set(const event::shuffle& m, neighbours, bool) {
    shape_ = shape::clones;
    auto law = clones(m.epsilon0, m.users).law(above_);
    atoms_ = std::move(law.spread), merged_ = std::move(law.merged);
    above_ = law.lost, below_ = 0, error_ = law.error, slack_ = law.slack;
  }
  void set(const event::subsampled_discrete_gaussian& m, neighbours, bool) {
    fail(fault::unsupported, "pld_accountant: got ", m.name,
         ", of which only Renyi divergences are known; rdp_accountant takes it, and a ledger with a Renyi "
         "filter");
  }
  void set(const event::discrete_gaussian& m, neighbours, bool) {
    shape_ = shape::atoms;
    const double v = m.noise_multiplier * m.noise_multiplier;
    unit_ = 1 / v, shift_ = 0.5 / v;
    // The mass beyond k >= 1 is below that of a normal beyond k - 1, over the normaliser, which is at least
    // both 1 and sqrt(2 pi v).
    const auto reach = [&](double target) {
      double k = 1;
      const double more = std::max(1.0, std::sqrt(2 * std::numbers::pi * v));
      while (std::sqrt(2 * std::numbers::pi * v) / more * normal_above(k, 0, m.noise_multiplier) > target)
        k += std::max(1.0, std::floor(m.noise_multiplier / 16));
      return k;
    };
    const double low = -reach(below_), high = reach(above_),
                 all = std::max(reach(1e-18), std::max(-low, high));
    double normaliser = 0;
    for (double x = all; x >= 1; --x) normaliser += 2 * std::exp(-0.5 * x * x / v);
    normaliser += 1;
    for (double x = low; x <= high; ++x)
      atoms_.push_back({std::exp(-0.5 * x * x / v) / normaliser, (1 + 2 * x) / (2 * v)});
  }

  shape shape_ = shape::removed;
  double s_ = 1, rate_ = 1, first_ = 0, last_ = 0, smooth_ = 1, above_, below_, unit_ = 0, shift_ = 0,
         error_ = 4e-16, slack_ = 0;
  std::vector<atom> atoms_, merged_;
};

} // namespace privet::detail
