#pragma once
// The privacy loss of many uses on a grid, once rounded so that no loss is too small and once so that
// none is too large. The proofs are in docs/privacy/accountants.md.

#include <privet/privacy/fft.hpp>
#include <privet/privacy/privacy_loss.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace privet::detail {

/// A tilted measure on the grid origin + i step: the mass of P at grid point s is
/// mass[i] exp(log_scale - tilt s). The sum of `mass` is 1 or, after cuts, less.
struct loss_lattice {
  double origin = 0, step = 0, log_scale = 0;
  std::vector<double> mass;
  double error = 0;    ///< the l1 norm of what cuts and earlier rounding may have changed in `mass`
  double flat = 0;     ///< what the last transform may have changed at each point,
  double flat_sum = 0; ///< and at all of them together
  double slack = 0;    ///< a change of the loss that rounding may have caused
  double infinite = 0; ///< mass of P whose loss was taken for infinite

  double at(std::size_t i) const noexcept { return origin + static_cast<double>(i) * step; }
  double last() const noexcept { return at(mass.size() - 1); }

  void normalise() {
    double sum = 0;
    for (const double m : mass) sum += m;
    if (sum <= 0) return;
    for (double& m : mass) m /= sum;
    log_scale += std::log(sum);
    error /= sum;
    flat /= sum;
    flat_sum /= sum;
  }
  double all_error() const noexcept { return error + flat_sum; }
  /// Mean and variance under the tilted measure.
  std::pair<double, double> moments() const {
    double mean = 0, variance = 0, sum = 0;
    for (std::size_t i = 0; i < mass.size(); ++i) sum += mass[i], mean += mass[i] * static_cast<double>(i);
    mean /= sum;
    for (std::size_t i = 0; i < mass.size(); ++i) {
      const double d = static_cast<double>(i) - mean;
      variance += mass[i] * d * d;
    }
    return {origin + mean * step, variance / sum * step * step};
  }
};

/// The same losses rounded both ways, on steps of one width.
struct loss_bounds {
  loss_lattice upper, lower;
  double tilt = 0;
};

/// A small piece of P: its tilted mass and the loss that the whole piece has after merging it.
struct loss_item {
  double mass, loss;
};

/// Rounds losses down: neighbouring items are merged so that the ratio P/Q of each group is at least that
/// of a grid point, which by data processing only lowers every delta. The grid passes through the heaviest
/// items, so a narrow peak loses nothing. Items rise in loss; their masses carry e^{tilt loss}.
inline loss_lattice merge(const std::vector<loss_item>& items, double step, double tilt) {
  constexpr double near = 1e-10; // a loss this share of a step beside a grid point counts as on it
  require(!items.empty(), fault::unsupported, "pld_accountant: no mass is left that a double can hold");
  std::size_t heaviest = 0;
  double all = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    all += items[i].mass;
    if (items[i].mass > items[heaviest].mass) heaviest = i;
  }
  // The first group has no remainder to round. It is the step at an end where the losses end abruptly, else
  // the heaviest item or, if that is one of many, all within half a step of it.
  std::size_t from = 0, to = items.size();
  double window = 0, other = 0;
  for (std::size_t i = 0; i < items.size() && items[i].loss < items.front().loss + step; ++i)
    window += items[i].mass, to = i + 1;
  for (std::size_t i = items.size(); i-- > 0 && items[i].loss > items.back().loss - step;)
    other += items[i].mass, from = i;
  const double abrupt = 0.05 * std::max(tilt, 1.0) * step * all;
  double centre = items[heaviest].loss;
  if (std::max(window, other) > abrupt) {
    const bool bottom = window > other;
    const auto& end = bottom ? items.front() : items.back();
    centre = end.loss;
    (bottom ? from : to) = bottom ? 0 : items.size();
    if (end.mass > 0.5 * std::max(window, other)) // a point mass
      bottom ? to = 1 : from = items.size() - 1;
  } else {
    window = 0, from = heaviest, to = heaviest + 1;
    for (std::size_t i = heaviest; i-- > 0 && items[i].loss >= centre - step / 2;)
      window += items[i].mass, from = i;
    for (std::size_t i = heaviest + 1; i < items.size() && items[i].loss < centre + step / 2; ++i)
      window += items[i].mass, to = i + 1;
    if (window <= items[heaviest].mass) from = heaviest, to = heaviest + 1;
  }
  double p = 0, q = 0; // relative to the centre
  for (std::size_t i = from; i < to; ++i) {
    const double y = items[i].loss - centre, m = items[i].mass * std::exp(-tilt * y);
    p += m;
    q -= m * std::expm1(-y);
  }
  loss_lattice out;
  out.step = step;
  const double origin = to - from == 1 ? centre : centre - std::log1p(-q / p);
  require(std::isfinite(origin), fault::unsupported, "pld_accountant: got losses up to ", items.back().loss,
          " on steps of ", step, ", expected ones whose exponential is a number");
  const auto floor_of = [&](double loss) {
    return static_cast<std::int64_t>(std::floor((loss - origin) / step + near));
  };
  const auto ceil_of = [&](double loss) {
    return static_cast<std::int64_t>(std::ceil((loss - origin) / step - near));
  };
  const auto point = [&](std::int64_t k) { return origin + static_cast<double>(k) * step; };
  const std::int64_t low = std::min(floor_of(items.front().loss), std::int64_t{0}),
                     high = std::max({ceil_of(items.back().loss), std::int64_t{0}, low + 1});
  out.origin = point(low);
  out.mass.assign(static_cast<std::size_t>(high - low + 1), 0.0);
  const auto group = [&](std::int64_t k) -> double& { return out.mass[static_cast<std::size_t>(k - low)]; };
  group(0) += p * std::exp(tilt * (origin - centre));
  out.slack = near * step;

  // Upwards: a group takes the items below its point, then items above until their surplus makes up.
  std::int64_t k = 0;
  double deficit = 0, pending = 0; // pending: what the group has below its point, were it rounded down
  for (std::size_t i = to; i < items.size(); ++i) {
    double rest = 1;
    if (items[i].mass <= 0) continue;
    if (deficit > 0) {
      const double y = items[i].loss - point(k);
      if (y >= 0) {
        const double m = items[i].mass * std::exp(-tilt * y), surplus = -m * std::expm1(-y);
        const double share = surplus > deficit ? deficit / surplus : 1;
        group(k) += share * m;
        deficit = share < 1 ? 0 : deficit - surplus;
        if (deficit <= 0) deficit = pending = 0;
        rest = 1 - share;
        if (rest <= 0) continue;
      }
    }
    if (deficit <= 0) k = std::max(ceil_of(items[i].loss), low + 1), deficit = pending = 0;
    const double y = items[i].loss - point(k), m = rest * items[i].mass * std::exp(-tilt * y);
    group(k) += m;
    if (y < -near * step) deficit += m * std::expm1(-y); // else it is on the grid point
    pending += m;
  }
  if (deficit > 0) { // nothing above to make up for these
    group(k) = std::max(group(k) - pending, 0.0);
    group(k - 1) += pending * std::exp(-tilt * step);
  }
  // Downwards: a group takes the items above its point, then as many below as their surplus lifts.
  double surplus = 0;
  k = 0;
  for (std::size_t i = from; i-- > 0;) {
    double rest = 1;
    if (items[i].mass <= 0) continue;
    if (surplus > 0) {
      const double y = items[i].loss - point(k);
      if (y < 0) {
        const double m = items[i].mass * std::exp(-tilt * y), missing = m * std::expm1(-y);
        const double share = missing > surplus ? surplus / missing : 1;
        group(k) += share * m;
        surplus = share < 1 ? 0 : surplus - missing;
        rest = 1 - share;
        if (rest <= 0) continue;
      }
    }
    if (surplus <= 0) k = floor_of(items[i].loss);
    const double y = items[i].loss - point(k), m = rest * items[i].mass * std::exp(-tilt * y);
    group(k) += m;
    if (y > near * step) surplus -= m * std::expm1(-y);
  }
  return out;
}

/// log E e^{l (L - end)} at either end for some l: what Chernoff needs to cut a composed measure.
class loss_tails {
 public:
  explicit loss_tails(const loss_lattice& a) : lowest_(a.origin), highest_(a.last()) {
    const auto [mean, variance] = a.moments();
    const double range = highest_ - lowest_;
    const double deviation = std::max(std::sqrt(variance), 1e-6 * a.step + 1e-12 * range);
    double l = 1e-4 / deviation;
    for (int i = 0; i < 30 && l * a.step < 60; ++i, l *= 1.7) {
      above_.push_back({l, sum(a, l, true)});
      below_.push_back({l, sum(a, l, false)});
    }
  }
  /// No more than e^-log_share of the mass of n copies lies above this.
  double high(double n, double log_share) const {
    double best = 0; // below n highest
    for (const auto& [l, k] : above_) best = std::max(best, -(n * k + log_share) / l);
    return n * highest_ - best;
  }
  double low(double n, double log_share) const {
    double best = 0;
    for (const auto& [l, k] : below_) best = std::max(best, -(n * k + log_share) / l);
    return n * lowest_ + best;
  }
  double width(double n, double log_share) const { return high(n, log_share) - low(n, log_share); }

 private:
  struct point {
    double l, k;
  };
  static double sum(const loss_lattice& a, double l, bool from_top) {
    const double ratio = std::exp(-l * a.step);
    const std::size_t n = a.mass.size();
    double factor = 1, total = 0;
    for (std::size_t i = 0; i < n && factor > 1e-24; ++i, factor *= ratio)
      total += factor * a.mass[from_top ? n - 1 - i : i];
    return std::log(factor > 1e-24 ? total : total + factor) + 1e-12;
  }
  double lowest_, highest_;
  std::vector<point> above_, below_;
};

/// Keeps the transforms of the sizes already met.
class fft_sizes {
 public:
  fft& of(std::size_t n) {
    for (auto& f : kept_)
      if (f->size() == n) return *f;
    kept_.push_back(std::make_unique<fft>(n));
    return *kept_.back();
  }

 private:
  std::vector<std::unique_ptr<fft>> kept_;
};

/// The sum of `n` losses of `a` and one of each in `more`; both bounds in one complex transform.
///
/// What lies beyond the window, at most e^-log_share, goes into `error`. Throws N011 when the window has more
/// than `most` points.
inline loss_bounds compose(const loss_bounds& a, double n, const loss_tails& above, const loss_tails& below,
                           const loss_bounds* more, double log_share, fft_sizes& sizes, std::size_t most) {
  const double step = a.upper.step;
  const auto window = [&](const loss_lattice& one, const loss_tails& tails, const loss_lattice* other) {
    double low = tails.low(n, log_share), high = tails.high(n, log_share), origin = n * one.origin;
    if (other) low += other->origin, high += other->last(), origin += other->origin;
    const double first = std::max(std::floor((low - origin) / step) - 1, 0.0);
    const double ends = n * static_cast<double>(one.mass.size() - 1) +
                        (other ? static_cast<double>(other->mass.size() - 1) : 0.0);
    return std::pair(first, std::min(std::ceil((high - origin) / step) + 1, ends));
  };
  const auto [upper_first, upper_last] = window(a.upper, above, more ? &more->upper : nullptr);
  const auto [lower_first, lower_last] = window(a.lower, below, more ? &more->lower : nullptr);
  const double needed = std::max(upper_last - upper_first, lower_last - lower_first) + 1;
  require(needed <= static_cast<double>(most), fault::unsupported,
          "pld_accountant: these losses need a grid of ", needed, " points, at most ", most, " are allowed");
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(static_cast<std::size_t>(needed), 4));
  fft& transform = sizes.of(size);
  const double eta = transform.error(), unit = 0.5 * std::numeric_limits<double>::epsilon();

  const auto spectrum = [&](const loss_bounds& x, std::vector<double>& re, std::vector<double>& im) {
    re.assign(size, 0.0);
    im.assign(size, 0.0);
    for (std::size_t i = 0; i < x.upper.mass.size(); ++i) re[i & (size - 1)] += x.upper.mass[i];
    for (std::size_t i = 0; i < x.lower.mass.size(); ++i) im[i & (size - 1)] += x.lower.mass[i];
    transform.forward(re, im);
  };
  std::vector<double> re, im, other_re, other_im;
  spectrum(a, re, im);
  if (more) spectrum(*more, other_re, other_im);

  // By squaring, z^n has a relative error of less than 3 n round-offs, and what is below 1e-40 is none.
  const auto count = static_cast<std::uint64_t>(n);
  const double nothing = std::pow(10.0, -80.0 / n);
  // Sums over both bounds of |z|^n and |z|^(n-1), and of their squares.
  double total = 0, total_before = 0, squares = 0, squares_before = 0;
  const auto power = [&](double& zr, double& zi) {
    const double norm = zr * zr + zi * zi;
    if (norm < nothing) {
      zr = zi = 0;
      return;
    }
    double br = zr, bi = zi, r = 1, i = 0;
    for (std::uint64_t e = count;;) {
      if (e & 1) {
        const double t = r * br - i * bi;
        i = r * bi + i * br;
        r = t;
      }
      e >>= 1;
      if (e == 0) break;
      const double t = br * br - bi * bi;
      bi = 2 * br * bi;
      br = t;
    }
    zr = r, zi = i;
    const double square = r * r + i * i, root = std::sqrt(square);
    total += root;
    total_before += root / std::sqrt(norm);
    squares += square;
    squares_before += square / norm;
  };
  for (std::size_t k = 0; k <= size / 2; ++k) {
    const std::size_t m = (size - k) & (size - 1);
    // The spectra of the two real arrays are the even and odd part of the packed one.
    double ur = 0.5 * (re[k] + re[m]), ui = 0.5 * (im[k] - im[m]), lr = 0.5 * (im[k] + im[m]),
           li = 0.5 * (re[m] - re[k]);
    power(ur, ui);
    power(lr, li);
    if (more) {
      const double vr = 0.5 * (other_re[k] + other_re[m]), vi = 0.5 * (other_im[k] - other_im[m]),
                   wr = 0.5 * (other_im[k] + other_im[m]), wi = 0.5 * (other_re[m] - other_re[k]);
      const double t = ur * vr - ui * vi, s = lr * wr - li * wi;
      ui = ur * vi + ui * vr, ur = t;
      li = lr * wi + li * wr, lr = s;
    }
    re[k] = ur - li, im[k] = ui + lr;
    re[m] = ur + li, im[m] = lr - ui;
  }
  transform.inverse(re, im);

  // An entry of a packed spectrum is off by 2 eta at most, its n-th power by n |z|^(n-1) times that, and a
  // point of the inverse by the mean of what the entries are off.
  const double share = 2.2 / static_cast<double>(size), own = 2 * n * eta,
               later = (3 * n + 3) * unit + (more ? 4 : 2) * eta;
  const double rounding = share * (own * total_before + later * total) + 1e-38;
  // The l1 norm over all points is at most the l2 norm of the spectrum.
  const double all_rounding = 1.1 * (own * std::sqrt(2 * squares_before) + later * std::sqrt(2 * squares)) +
                              1e-38 * static_cast<double>(size);
  loss_bounds out;
  out.tilt = a.tilt;
  const auto take = [&](const loss_lattice& one, const loss_lattice* other, double first, double last,
                        const std::vector<double>& values) {
    loss_lattice sum;
    sum.flat = rounding;
    sum.flat_sum = std::min(all_rounding, rounding * static_cast<double>(size));
    sum.step = step;
    sum.origin = n * one.origin + (other ? other->origin : 0) + first * step;
    sum.log_scale = n * one.log_scale + (other ? other->log_scale : 0);
    sum.error = 1.01 * (n * one.all_error() + (other ? other->all_error() : 0)) + 4 * std::exp(-log_share);
    sum.slack = n * one.slack + (other ? other->slack : 0);
    sum.infinite = n * one.infinite + (other ? other->infinite : 0);
    const auto points = static_cast<std::size_t>(last - first) + 1;
    const auto start = static_cast<std::size_t>(std::fmod(first, static_cast<double>(size)));
    sum.mass.resize(points);
    for (std::size_t i = 0; i < points; ++i) sum.mass[i] = std::max(values[(start + i) & (size - 1)], 0.0);
    return sum;
  };
  out.upper = take(a.upper, more ? &more->upper : nullptr, upper_first, upper_last, re);
  out.lower = take(a.lower, more ? &more->lower : nullptr, lower_first, lower_last, im);
  return out;
}

/// The same on steps `factor` times as wide.
inline loss_bounds coarsen(const loss_bounds& fine, std::size_t factor) {
  if (factor == 1) return fine;
  const double step = fine.upper.step, wide = step * static_cast<double>(factor), tilt = fine.tilt;
  loss_bounds out;
  out.tilt = tilt;

  // Upwards, connect the dots: each loss goes to both grid points around it, so that P and Q keep their mass.
  auto& up = out.upper;
  up = fine.upper;
  up.step = wide;
  up.mass.assign((fine.upper.mass.size() - 1) / factor + 2, 0.0);
  std::vector<double> to_upper(factor), to_lower(factor);
  double most = 1;
  for (std::size_t j = 0; j < factor; ++j) {
    const double y = step * static_cast<double>(j), share = std::expm1(-y) / std::expm1(-wide);
    to_upper[j] = share * std::exp(tilt * (wide - y));
    to_lower[j] = (1 - share) * std::exp(-tilt * y);
    most = std::max(most, to_upper[j] + to_lower[j]);
  }
  for (std::size_t i = 0, k = 0; i < fine.upper.mass.size(); ++k)
    for (std::size_t j = 0; j < factor && i < fine.upper.mass.size(); ++j, ++i) {
      up.mass[k] += to_lower[j] * fine.upper.mass[i];
      up.mass[k + 1] += to_upper[j] * fine.upper.mass[i];
    }
  up.error = most * fine.upper.all_error();
  up.flat = up.flat_sum = 0;
  up.normalise();

  std::vector<loss_item> items;
  items.reserve(fine.lower.mass.size());
  for (std::size_t i = 0; i < fine.lower.mass.size(); ++i)
    if (fine.lower.mass[i] > 0) items.push_back({fine.lower.mass[i], fine.lower.at(i)});
  auto& low = out.lower;
  low = merge(items, wide, tilt);
  low.log_scale = fine.lower.log_scale;
  low.slack += fine.lower.slack;
  // An error of the masses also moves the ratio of a group, by no more than a step's worth.
  low.error =
      fine.lower.all_error() * std::exp(2 * tilt * wide) * (1 + 6 * std::expm1(2 * wide) * (1 + tilt));
  low.infinite = fine.lower.infinite;
  low.normalise();
  return out;
}

} // namespace privet::detail
