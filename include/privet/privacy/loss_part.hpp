#pragma once
// Some uses of one event, put on a grid of losses.

#include <privet/privacy/loss_lattice.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace privet::detail {

/// Some uses of one dominating pair, and a rough picture of its loss to plan by.
struct loss_part {
  loss_pair pair;
  double count;
  std::vector<loss_item> rough; // masses of P, by rising loss

  loss_part(loss_pair p, double uses) : pair(std::move(p)), count(uses) {
    constexpr std::size_t points = 1500;
    const auto& atoms = pair.atoms();
    rough.reserve(points + atoms.size());
    for (const auto& a : atoms)
      if (!pair.continuous() || a.loss < 0) rough.push_back({a.mass, a.loss});
    if (!pair.continuous()) return;
    const double dx = (pair.last() - pair.first()) / points;
    for (std::size_t i = 0; i < points; ++i) {
      const double x = pair.first() + (static_cast<double>(i) + 0.5) * dx;
      rough.push_back({pair.density(x) * dx, pair.loss(x)});
    }
    for (const auto& a : atoms)
      if (a.loss >= 0) rough.push_back({a.mass, a.loss});
  }

  double highest() const {
    return std::max(rough.back().loss, pair.continuous() ? pair.loss(pair.last()) : rough.back().loss);
  }

  /// log E e^{tilt L}, and mean and variance of L under the tilted measure.
  struct tilted {
    double log_mgf, mean, variance;
  };
  tilted at(double tilt) const {
    double top = -std::numeric_limits<double>::infinity();
    for (const auto& r : rough) top = std::max(top, tilt * r.loss);
    double sum = 0, mean = 0, square = 0;
    for (const auto& r : rough) {
      const double m = r.mass * std::exp(tilt * r.loss - top);
      sum += m, mean += m * r.loss, square += m * r.loss * r.loss;
    }
    mean /= sum;
    return {top + std::log(sum), mean, std::max(square / sum - mean * mean, 0.0)};
  }
};

/// One use on the grid, from integrals over pieces of x that lie between grid points.
inline loss_bounds discretise(const loss_part& part, double step, double tilt, std::size_t most) {
  const loss_pair& pair = part.pair;
  const double reference = part.at(tilt).log_mgf;
  const auto tilted = [&](double mass, double loss) { return mass * std::exp(tilt * loss - reference); };

  std::vector<double> below; // tilted mass up to each rough item
  below.reserve(part.rough.size());
  double all = 0;
  for (const auto& r : part.rough) below.push_back(all += tilted(r.mass, r.loss));
  const auto share_below = [&](double loss) {
    const auto i = std::ranges::upper_bound(part.rough, loss, {}, &loss_item::loss) - part.rough.begin();
    return i == 0 ? 0 : below[static_cast<std::size_t>(i) - 1] / all;
  };

  double origin = pair.shift();
  if (pair.atoms().empty()) { // through the ratio P/Q of the heaviest step
    double p = 0, best = 0;
    std::size_t first = 0, last = 0;
    for (std::size_t from = 0, to = 0; to < part.rough.size(); ++to) {
      p += part.rough[to].mass;
      for (; part.rough[from].loss < part.rough[to].loss - step; ++from) p -= part.rough[from].mass;
      if (p > best) best = p, first = from, last = to;
    }
    double mass = 0, gain = 0;
    for (std::size_t i = first; i <= last; ++i) {
      mass += part.rough[i].mass;
      gain -= part.rough[i].mass * std::expm1(part.rough[last].loss - part.rough[i].loss);
    }
    origin = part.rough[last].loss - std::log1p(-gain / mass);
  }
  const double lowest = std::min(part.rough.front().loss, pair.continuous() ? pair.loss(pair.first()) : 0.0),
               highest = part.highest();
  constexpr double near = 1e-10;
  const double low = std::floor((lowest - origin) / step + near),
               high = std::ceil((highest - origin) / step) + 1;
  require(high - low < static_cast<double>(4 * most), fault::unsupported,
          "pld_accountant: one loss needs a grid of ", high - low, " points, at most ", 4 * most,
          " are allowed");
  origin += low * step;
  const auto points = static_cast<std::size_t>(high - low) + 1;
  const auto at = [&](std::size_t k) { return origin + static_cast<double>(k) * step; };

  loss_bounds out;
  out.tilt = tilt;
  auto& up = out.upper;
  up.step = step;
  up.origin = origin;
  up.log_scale = reference;
  up.mass.assign(points, 0.0);
  std::vector<loss_item> items;
  const auto spread = [&](double mass, double gain, std::size_t k, std::size_t width) {
    const double wide = static_cast<double>(width) * step, share = mass > 0 ? gain / -std::expm1(-wide) : 0;
    up.mass[k] += tilted(std::max(mass - share, 0.0), at(k));
    up.mass[k + width] += tilted(share, at(k + width));
  };
  const auto put = [&](double mass, double loss, double gain, std::size_t k, std::size_t width) {
    spread(mass, gain, k, width);
    items.push_back({tilted(mass, loss), loss});
  };
  const bool apart = &pair.atoms() != &pair.atoms_below();
  const auto put_atom = [&](const loss_pair::atom& a) {
    const auto k = static_cast<std::size_t>(std::max(std::floor((a.loss - origin) / step + near), 0.0));
    double y = std::max(a.loss - at(k), 0.0);
    if (y < near * step) y = 0;
    spread(a.mass, -a.mass * std::expm1(-y), k, 1);
    if (!apart) items.push_back({tilted(a.mass, a.loss), a.loss});
  };

  for (const auto& a : pair.atoms())
    if (!pair.continuous() || a.loss < 0) put_atom(a);
  if (pair.continuous()) {
    constexpr double node[] = {0.33998104358485626, 0.86113631159405258}, // Gauss-Legendre, 4 points
        weight[] = {0.65214515486254614, 0.34785484513745386};
    double start = pair.first();
    for (std::size_t k = 0, width = 1; k + 1 < points; k += width) {
      // Wide steps in the tails, where there is little to spread.
      const double tail = 1 - share_below(at(k));
      for (width = 4096; width > 1; width /= 2) {
        if (k + width >= points || static_cast<double>(width) * step > 0.5) continue;
        const double mass = std::min(tail, share_below(at(k + width)));
        if (mass * static_cast<double>(width * width) <= 1e-3) break;
      }
      const double end = k + width + 1 < points ? pair.where(at(k + width)) : pair.last();
      if (!(end > start)) continue;
      const double pieces = std::max(4.0, std::ceil((end - start) / pair.smooth()));
      const double half = (end - start) / pieces / 2;
      for (double i = 0; i < pieces; ++i) {
        const double middle = start + (2 * i + 1) * half;
        double mass = 0, gain = 0;
        for (int j = 0; j < 4; ++j) {
          const double x = middle + (j & 1 ? half : -half) * node[j / 2];
          const double m = weight[j / 2] * half * pair.density(x);
          mass += m;
          gain -= m * std::expm1(at(k) - pair.loss(x));
        }
        if (mass <= 0) continue;
        gain = std::clamp(gain, 0.0, -mass * std::expm1(-static_cast<double>(width) * step));
        put(mass, at(k) + std::min(-std::log1p(-gain / mass), 30.0), gain, k, width);
      }
      start = end;
    }
    for (const auto& a : pair.atoms())
      if (a.loss >= 0) put_atom(a);
  }
  if (apart)
    for (const auto& a : pair.atoms_below()) items.push_back({tilted(a.mass, a.loss), a.loss});
  up.mass[0] += tilted(pair.below(), at(0));
  up.infinite = pair.above();
  up.slack = near * step + pair.slack();
  up.error = pair.error();
  up.normalise();
  auto& down = out.lower;
  down = merge(items, step, tilt);
  down.log_scale = reference;
  down.slack += pair.slack();
  down.error = pair.error();
  down.normalise();
  return out;
}

} // namespace privet::detail
