#pragma once
// The distribution of the privacy loss, composed by Fourier transforms, with a bound from either side.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/privacy/golden_section.hpp>
#include <privet/privacy/loss_contour.hpp>
#include <privet/privacy/loss_part.hpp>
#include <privet/privacy/loss_profile.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

namespace privet {

namespace detail {

/// All uses of all parts, composed.
class loss_composition {
 public:
  std::size_t most_points = std::size_t{1} << 23;

  /// `allowed` bounds the sum of count step^2 over all uses: the variance that rounding to the grid adds.
  loss_bounds run(const std::vector<loss_part>& parts, double tilt, double allowed) {
    double unit = 0, heaviest = 0;
    for (const auto& p : parts) {
      const double own = p.count * p.at(tilt).variance;
      if (p.pair.unit() > 0 && own > heaviest) heaviest = own, unit = p.pair.unit();
    }
    if (parts.size() == 1) {
      const auto& only = parts.front();
      if (!only.pair.continuous() && reach(only, tilt) / unit < 0x1p20) // exact: every loss is on the grid
        return reduce(only, unit / std::ceil(unit * tilt), tilt, 0);
      const double wanted = std::sqrt(allowed / only.count);
      return reduce(only, unit > 0 ? aligned(parts, unit, wanted) : wanted, tilt, allowed);
    }
    allowed /= static_cast<double>(parts.size());
    const double finest = std::sqrt(later * allowed);
    const double common = unit > 0 ? aligned(parts, unit, finest) : finest;
    std::optional<loss_bounds> sum;
    for (const auto& p : parts) {
      double step = common;
      while (step > std::sqrt(allowed / p.count)) step /= 2;
      loss_bounds own = reduce(p, step, tilt, allowed, common);
      own = coarsen(own, static_cast<std::size_t>(std::lround(common / own.upper.step)));
      if (sum)
        own = compose(own, 1, loss_tails(own.upper), loss_tails(own.lower), &*sum, log_share(1), sizes_,
                      most_points);
      sum = std::move(own);
    }
    return *sum;
  }

 private:
  static constexpr double later = 0.2; // the share of `allowed` for wider steps, where points are few

  /// Cuts so that all of them together are 3e-12 of the tilted mass.
  static double log_share(double groups) { return 28 + std::log(groups); }

  static double reach(const loss_part& p, double tilt) {
    return 20 * std::sqrt(p.count * p.at(tilt).variance) + 2 * (p.rough.back().loss - p.rough.front().loss);
  }

  /// A step of at most `wanted` that divides `unit`, or is divided by it, and, as nearly as can be, the
  /// losses of all atoms.
  static double aligned(const std::vector<loss_part>& parts, double unit, double wanted) {
    const double least = std::max(std::ceil(unit / wanted), 1.0);
    if (wanted >= unit) return unit * std::floor(wanted / unit); // as dense as a density
    double best = least, cost = std::numeric_limits<double>::infinity();
    for (double m = least; m < 2 * least + 16; ++m) {
      double sum = 0;
      for (const auto& p : parts)
        for (const double a : {p.pair.unit(), p.pair.shift()}) {
          const double steps = a * m / unit + 1e-9;
          sum += p.count * (steps - std::floor(steps)) / m;
        }
      if (sum < cost * 0.99) best = m, cost = sum;
      if (sum < 1e-6) break;
    }
    return unit / best;
  }

  /// All uses of one part: composed in groups on a fine grid, then groups of groups on a wider one.
  loss_bounds reduce(const loss_part& part, double step, double tilt, double allowed,
                     double widest = std::numeric_limits<double>::infinity()) {
    loss_bounds one = discretise(part, step, tilt, most_points);
    std::optional<loss_bounds> rest;
    for (double n = part.count;;) {
      const loss_tails above(one.upper), below(one.lower);
      const auto points = [&](double uses) {
        return above.width(uses, log_share(n / uses)) / one.upper.step;
      };
      double group = n;
      const double target =
          std::max(0x1p14, static_cast<double>(std::bit_ceil(static_cast<std::size_t>(1.3 * points(1)))));
      for (double room = target; allowed > 0 && 2 * room < points(n); room *= 2) {
        double few = 1, many = n;
        while (many - few > 1) {
          const double middle = std::floor((few + many) / 2);
          (points(middle) > room ? many : few) = middle;
        }
        if (few < 64 || 2 * few > n) continue; // too few to be worth a level
        group = few;
        break;
      }
      if (group == n)
        return n == 1 && !rest ? one
                               : compose(one, n, above, below, rest ? &*rest : nullptr, log_share(1), sizes_,
                                         most_points);
      for (double g = group; g > group / 2 && g >= 2; --g) // leave nothing over if possible
        if (std::fmod(n, g) == 0) {
          group = g;
          break;
        }
      const double over = std::fmod(n, group), groups = (n - over) / group;
      if (over > 0)
        rest = compose(one, over, above, below, rest ? &*rest : nullptr, log_share(1), sizes_, most_points);
      one = compose(one, group, above, below, nullptr, log_share(groups), sizes_, most_points);
      std::size_t factor = 1;
      const double limit = std::min(std::sqrt(later * allowed / groups), widest * 1.001);
      while (one.upper.step * static_cast<double>(2 * factor) <= limit) factor *= 2;
      one = coarsen(one, factor);
      if (rest) rest = coarsen(*rest, factor);
      n = groups;
    }
  }

  fft_sizes sizes_;
};

} // namespace detail

/// Composes the distributions of the privacy loss and bounds epsilon and delta from both sides.
///
/// Formula   delta(epsilon) = E_P [(1 - e^{epsilon - L_1 - ... - L_n})_+], the larger of both directions
/// Densities sampled Gaussians alone: an inversion integral along Re z = tilt, both bounds at once
/// Above     else connect the dots (Doroshenko and others, PoPETs 2022, arXiv:2207.04380)
/// Below     and neighbouring outcomes merged: data processing
/// Errors    N001 for a delta outside (0, 1) or a negative epsilon; N011 for losses that no grid holds
/// Cost      refines until upper - lower is at most `tolerance` of epsilon or delta, or a few times
/// Privacy   bounds of cut tails and of the transform's rounding are in the result:
///           docs/privacy/accountants.md
class pld_accountant {
 public:
  /// Whether there is a theorem for this mechanism.
  template <class Mechanism>
  static constexpr bool knows = event::is_mechanism<Mechanism>;

  double tolerance = 1e-5; ///< how far apart, as a share, the bounds may stay

  void compose(const privacy_event& e) { events_.add(e); }
  const event_list& events() const noexcept { return events_; }

  privacy_bounds epsilon(double delta) const {
    detail::check_delta(delta);
    return detail::epsilon_at_distance(events_.distance(), delta, [&](double d) { return solve(true, d); });
  }
  privacy_bounds delta(double epsilon) const {
    detail::check_epsilon(epsilon);
    return detail::delta_at_distance(events_.distance(), epsilon, [&](double e) { return solve(false, e); });
  }

 private:
  std::vector<detail::loss_part> parts(bool added, double cut) const {
    std::vector<detail::loss_part> out;
    double uses = 1;
    for (const auto& e : events_) uses += static_cast<double>(e.count);
    const double above = std::max(cut * 1e-6 / uses, 1e-290), below = 1e-11 / uses;
    const double distance = events_.gaussian_distance_squared();
    if (distance > 0) out.emplace_back(detail::loss_pair(std::sqrt(distance), above, below), 1.0);
    for (const auto& e : events_) {
      if (e.gaussian_distance_squared() == 0)
        out.emplace_back(detail::loss_pair(e, added, above, below), static_cast<double>(e.count));
    }
    return out;
  }

  /// The tilt that makes Chernoff's bound tightest, and that bound.
  struct chernoff {
    double tilt, bound;
  };
  static chernoff best_tilt(const std::vector<detail::loss_part>& parts, bool for_epsilon, double given) {
    const auto bound = [&](double log_tilt) {
      const double tilt = std::exp(log_tilt);
      double sum = std::log(detail::worst_weight(tilt));
      for (const auto& p : parts) sum += p.count * p.at(tilt).log_mgf;
      return for_epsilon ? (sum - std::log(given)) / tilt : sum - tilt * given;
    };
    // Losses that are all bounded make ever larger tilts better, but not by anything that matters.
    double most = 1e7, widest = 0;
    bool bounded = true;
    for (const auto& p : parts) {
      bounded = bounded && p.pair.bounded();
      widest = std::max(widest, p.at(0).variance);
    }
    if (bounded && widest > 0) most = 60 / std::sqrt(widest);
    const double high = std::log(most);
    const auto best = detail::golden_section(bound, std::min(std::log(1e-3), high - 1), high, 26);
    return {std::exp(best.at), best.value};
  }

  privacy_bounds solve(bool for_epsilon, double given) const {
    if (events_.empty()) return {0, 0, true};
    bool symmetric = true, only_gaussian = true;
    for (const auto& e : events_) {
      symmetric = symmetric && detail::loss_pair::symmetric(e);
      only_gaussian = only_gaussian && e.gaussian_distance_squared() > 0;
    }
    if (only_gaussian) {
      const double distance = std::sqrt(events_.gaussian_distance_squared());
      return for_epsilon ? gaussian_epsilon(distance, given) : gaussian_delta(distance, given);
    }
    detail::loss_composition composition;
    privacy_bounds total{0, 0, true};
    for (const bool added : {false, true}) {
      if (added && symmetric) break;
      const privacy_bounds one = solve(composition, added, total.lower, for_epsilon, given);
      total.lower = std::max(total.lower, one.lower);
      total.upper = std::max(total.upper, one.upper);
    }
    return total;
  }

  /// One direction; `known` is a lower bound already, below which no accuracy is needed.
  privacy_bounds solve(detail::loss_composition& composition, bool added, double known, bool for_epsilon,
                       double given) const {
    double cut = given;
    if (!for_epsilon)
      cut = 1e-4 * std::exp(std::clamp(best_tilt(parts(added, 1e-30), false, given).bound, -600.0, 0.0));
    auto all = parts(added, cut);
    while (!for_epsilon) {                      // no loss is above this, save the mass that was cut
      double most = 0, planned = 0, beyond = 0; // planned: where a tilt is looked for
      bool bounded = true;
      for (const auto& p : all) {
        most += p.count * p.highest(), beyond += p.count * p.pair.above();
        planned += p.count * p.rough.back().loss;
        bounded = bounded && p.pair.bounded();
      }
      const bool last = bounded || cut < 1e-40;
      if (planned > given || (last && most > given)) break;
      if (last) return {0, beyond, true};
      cut *= 1e-6; // delta is far below Chernoff's bound
      all = parts(added, cut);
    }
    if (for_epsilon && added && known > 0) { // losses that cannot come to what is known
      double most = 0;
      for (const auto& p : all)
        most += p.pair.kind() == detail::loss_pair::shape::added && p.pair.rate() < 1
                    ? -p.count * std::log1p(-p.pair.rate()) * (1 + 1e-12)
                    : std::numeric_limits<double>::infinity();
      if (most <= known) return {0, most, true};
    }
    const chernoff best = best_tilt(all, for_epsilon, given);
    double tilt = 0.95 * best.tilt;
    privacy_bounds found{0, std::numeric_limits<double>::infinity(), true};
    // Losses with a density: one integral, without a grid, first with as many digits as are mostly enough.
    for (const double digits : {18.0, 30.0}) {
      if (!detail::loss_contour::takes(all)) break;
      const auto contour = detail::loss_contour::along(all, tilt, digits);
      if (!contour) break;
      const auto one = for_epsilon ? contour->epsilon(given, best.bound) : contour->delta(given);
      if (std::isfinite(one.upper) && one.upper - std::max(one.lower, known) <= tolerance * one.upper)
        return one;
      found = {std::max(found.lower, one.lower), std::min(found.upper, one.upper), true};
    }
    if (all.size() == 1 && detail::loss_contour::takes(all)) { // few uses, or a sum with nearly an atom
      const auto deep =
          for_epsilon ? all : parts(added, 1e-8 * cut); // delta may be far below Chernoff's bound
      double start = for_epsilon ? best.bound : given, last = std::numeric_limits<double>::infinity();
      while (const auto contour = detail::loss_contour::around(
                 deep[0], for_epsilon, start, for_epsilon ? std::log(given) : best.bound, best.tilt)) {
        const auto one = for_epsilon ? contour->epsilon(given, best.bound) : contour->delta(given);
        found = {std::max(found.lower, one.lower), std::min(found.upper, one.upper), true};
        const double gap = found.upper - std::max(found.lower, known);
        if (gap <= tolerance * found.upper) return found;
        if (!for_epsilon || !(gap < 0.5 * last)) break;
        start = found.upper, last = gap; // with a smaller core
      }
    }
    // Rounding to the grid moves epsilon by (tilt + 1) / 8 times the sum of count step^2, delta by tilt times
    // that, as a share of itself.
    // Where the other direction is known to be larger, it is enough to show that.
    const double scale = for_epsilon ? std::max(best.bound, 1e-12) : 1 / tilt;
    double off = 0.5 * tolerance * scale;
    if (for_epsilon && known > best.bound) off = std::max(off, 0.3 * (known - best.bound));
    if (!for_epsilon && std::log(known) > best.bound)
      off = std::max(off, 0.3 * std::min(std::log(known) - best.bound, 1.0) / tilt);
    double allowed = 8 / (tilt + 1) * off;
    double last = std::numeric_limits<double>::infinity();
    const int most = std::isfinite(found.upper) ? 1 : 3; // after the integral it is rounding that counts
    for (int pass = 0, refined = 0; pass < 6 && refined < most; ++pass) {
      try {
        const auto losses = composition.run(all, tilt, allowed);
        const detail::loss_profile above(losses.upper, tilt, true), below(losses.lower, tilt, false);
        found.upper = std::min(found.upper, for_epsilon ? above.epsilon(given) : above.delta(given));
        found.lower = std::max(found.lower, for_epsilon ? below.epsilon(given) : below.delta(given));
      } catch (const exception&) {
        if (std::isfinite(found.upper)) break; // too fine a grid: what is known stays true
        if (pass == 5) throw;
        allowed *= 20;
        continue;
      }
      if (!std::isfinite(found.upper)) { // rounding errors as large as delta: a smaller tilt has less of them
        tilt *= 0.7;
        continue;
      }
      ++refined;
      const double gap = found.upper - std::max(found.lower, known), goal = tolerance * found.upper;
      if (gap <= goal || gap > 0.7 * last) break; // done, or rounding errors rule
      last = gap;
      allowed *= std::clamp(0.6 * goal / gap, 0.1, 0.5);
    }
    require(found.upper >= found.lower && std::isfinite(found.upper), fault::unsupported,
            "pld_accountant: rounding errors are larger than delta, got ", found.lower, " to ", found.upper,
            "; rdp_accountant has a bound");
    return found;
  }

  event_list events_;
};

} // namespace privet
