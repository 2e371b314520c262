#pragma once
// The delta of many sampled Gaussians as one integral along a line of the complex plane, with a bound of all
// that the sum which stands for it adds or leaves out. The proofs are in docs/privacy/accountants.md.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/tilted_sample.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <optional>
#include <utility>
#include <vector>

namespace privet::detail {

/// delta as a function of epsilon, for uses whose losses have a smooth density.
///
/// Formula   delta(epsilon) = 1 / (2 pi i) integral over Re z = tilt of E e^{z (L_1 + ... + L_n - epsilon)} / (z (z + 1))
class loss_contour {
 public:
  static bool takes(const std::vector<loss_part>& parts) {
    return std::ranges::all_of(parts, [](const loss_part& p) { return p.pair.noise() > 0; });
  }

  /// What is left out of the sum is near e^-digits of the largest; none where the sum would be too long.
  static std::optional<loss_contour> along(const std::vector<loss_part>& parts, double tilt, double digits) {
    loss_contour out(tilt);
    return out.set(parts, digits) ? std::optional(std::move(out)) : std::nullopt;
  }

  privacy_bounds delta(double epsilon) const { return {lower(epsilon), upper(epsilon), true}; }
  /// `start` is a first guess.
  privacy_bounds epsilon(double delta, double start) const {
    if (upper(0) <= delta) return {0, 0, true};
    const double above = settle([&](double e) { return uncapped(e) / delta; }, start, 1),
                 below = settle([&](double e) { return lower(e) / delta; },
                                std::isfinite(above) ? above : start, -1);
    return {std::isfinite(below) ? below : 0, above, true};
  }

 private:
  static constexpr double unit = 0.5 * std::numeric_limits<double>::epsilon(), most_work = 1.5e7;

  explicit loss_contour(double tilt) : tilt_(tilt) {}

  bool set(const std::vector<loss_part>& parts, double digits) {
    constexpr double pi = std::numbers::pi;
    const double most_tilt = 2 * tilt_ + 1;
    double gauss = 0, variance = 0; // gauss: of Gaussian queries, log E e^{z L} = gauss z (z + 1) / 2
    std::vector<tilted_sample> samples;
    std::vector<const loss_part*> sources;
    for (const auto& p : parts) {
      if (p.pair.rate() == 1) {
        const double distance = p.pair.kind() == loss_pair::shape::replaced ? 2 : 1;
        gauss += p.count * distance * distance / (p.pair.noise() * p.pair.noise());
        continue;
      }
      samples.emplace_back(p, tilt_, most_tilt, 0);
      sources.push_back(&p);
      if (!samples.back().fits()) return false;
      variance += p.count * samples.back().variance();
    }
    variance += gauss;
    const double deviation = std::sqrt(variance);
    digits += std::log(3 * (1 + tilt_) * (1 + tilt_ * deviation));

    // The sum has copies of delta a width apart: so far that they do not matter.
    const auto place = [&](copies& c, double most, double sign) {
      double best = std::numeric_limits<double>::infinity(), d = std::min(most, 8 / deviation);
      for (int i = 0; i < 16; ++i, d /= 1.5) {
        double k = 0.5 * gauss * d * d;
        for (const auto& s : samples) k += s.count() * s.log_more(sign * d);
        const double width = (k + digits) / d;
        if (width < best) best = width, c = {d, k};
        if (width > 1.5 * best) break;
      }
      return best;
    };
    width_ = std::max(place(above_, tilt_ + 1, 1), place(below_, tilt_, -1));
    apart_ = 2 * pi / width_;

    // And ends where, by the slowest decay that is possible, nothing is left.
    const auto rest = [&](double t) {
      double log = -0.5 * gauss * t * t - std::log(pi * t);
      for (const auto& s : samples) log += s.count() * s.log_decay(t);
      return log;
    };
    const auto affordable = [&](double t) {
      double points = 1;
      for (const auto& s : samples) points += s.points_for(t);
      return points * t / apart_ <= most_work;
    };
    double least = 0, t = 1 / deviation;
    for (; !(rest(t) <= -digits); least = t, t *= 2)
      if (!affordable(t)) return false;
    for (int i = 0; i < 12; ++i) {
      const double middle = 0.5 * (least + t);
      (rest(middle) <= -digits ? t : least) = middle;
    }
    const double many = std::ceil(t / apart_);
    t = many * apart_;
    if (!affordable(t)) return false;

    const auto terms = static_cast<std::size_t>(many);
    std::vector<double> log_size(terms), log_most(terms), angle(terms), doubt(terms);
    double pushed = gauss * (tilt_ + 0.5), first_doubt = 0; // pushed: the sum of all |mean|
    shift_ = pushed;
    log_mgf_ = 0.5 * gauss * tilt_ * (tilt_ + 1);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      auto& s = samples[i];
      if (s.most_t() < t) s = tilted_sample(*sources[i], tilt_, most_tilt, t);
      if (!s.fits()) return false;
      const double n = s.count();
      infinite_ += n * s.lost();
      log_mgf_ += n * s.log_mgf();
      log_doubt_ += n * s.log_mgf_error();
      first_doubt += n * s.doubt();
      shift_ += n * s.mean();
      pushed += n * std::abs(s.mean());
      const auto values = s.values(apart_, terms);
      for (std::size_t j = 0; j < terms; ++j) {
        const auto& f = values[j];
        const double size = std::hypot(f.re, f.im), log = std::log(size), phase = std::atan2(f.im, f.re);
        log_size[j] += n * log;
        log_most[j] += n * std::log(size + f.error);
        angle[j] += n * phase;
        doubt[j] += n * (std::log1p(f.error / size) + 4 * unit * (1 + std::abs(log) + std::abs(phase)));
      }
    }
    log_doubt_ += (16 + static_cast<double>(samples.size())) * unit * std::abs(log_mgf_) + 1e-13;

    // |product of a_i - product of b_i| <= product of (|b_i| + |a_i - b_i|) - product of |b_i|.
    re_.assign(terms + 1, 0.0), im_ = re_;
    re_[0] = 0.5 / (tilt_ * (tilt_ + 1));
    double all = re_[0], error = re_[0] * std::expm1(first_doubt + 8 * unit);
    for (std::size_t j = 1; j <= terms; ++j) {
      const double s = apart_ * static_cast<double>(j), squeeze = -0.5 * gauss * s * s;
      const double a = tilt_ * (tilt_ + 1) - s * s, b = s * (2 * tilt_ + 1),
                   root = std::hypot(a, b); // z (z + 1)
      const double length = std::exp(log_size[j - 1] + squeeze) / root,
                   phase = angle[j - 1] - std::atan2(b, a);
      re_[j] = length * std::cos(phase);
      im_[j] = length * std::sin(phase);
      all += length;
      const double off = doubt[j - 1] + unit * (24 + 16 * std::abs(squeeze) +
                                                (6 + static_cast<double>(samples.size())) * s * pushed);
      error += off < 0.1 ? length * std::expm1(off) : 3 * std::exp(log_most[j - 1] + squeeze + 1e-3) / root;
      error_by_epsilon_ += apart_ / pi * length * 4 * unit * s;
    }
    error_ = std::exp(rest(t)) + apart_ / pi * (error + all * unit * (many + 8));
    return std::isfinite(error_) && std::isfinite(log_mgf_);
  }

  /// The sum at epsilon over e^{log_scale}, and the bound of its errors.
  struct sum {
    double value, error, log_scale, doubt;
  };
  sum at(double epsilon) const {
    double value = re_[0];
    for (std::size_t j = 1; j < re_.size(); ++j) {
      const double a = apart_ * static_cast<double>(j) * (shift_ - epsilon);
      value += re_[j] * std::cos(a) - im_[j] * std::sin(a);
    }
    return {value * apart_ / std::numbers::pi, error_ + std::abs(epsilon) * error_by_epsilon_,
            log_mgf_ - tilt_ * epsilon, log_doubt_ + 1e-15 * tilt_ * std::abs(epsilon)};
  }
  double upper(double epsilon) const { return std::min(uncapped(epsilon), 1.0); }
  /// The same where it passes 1 and bounds nothing: it still falls with epsilon.
  double uncapped(double epsilon) const {
    const auto s = at(epsilon);
    return std::exp(s.log_scale + s.doubt) * (s.value + s.error) + infinite_;
  }
  /// Without the copies: Chernoff's bound of each, at a larger tilt and at a smaller one.
  double lower(double epsilon) const {
    const auto s = at(epsilon);
    const auto of = [&](const copies& c, double way) {
      return std::exp(c.log_mgf + c.tilt * (way - width_)) / -std::expm1(-c.tilt * width_) * (1 + 1e-9);
    };
    const double rest = s.value - s.error - of(above_, shift_ - epsilon) - of(below_, epsilon - shift_);
    return std::max(std::exp(s.log_scale - s.doubt) * rest, 0.0);
  }

  /// Where a falling function is 1, on the side given: there it is at most 1, or at least 1.
  template <class F>
  double settle(F ratio, double x, double side) const {
    double slope = -tilt_, f = std::log(ratio(x));
    for (int i = 0; i < 40; ++i) {
      const double next = std::max(x - f / slope, 0.5 * x), g = std::log(ratio(next));
      if (!std::isfinite(g)) break;
      if (g != f) slope = std::min((g - f) / (next - x), -0.1 * tilt_);
      const bool done = std::abs(next - x) <= 1e-13 * next;
      x = next, f = g;
      if (done) break;
    }
    for (double share = 1e-12; share < 0.1; share *= 4)
      if (const double e = x * (1 + side * share); side > 0 ? ratio(e) <= 1 : ratio(e) >= 1) return e;
    return std::numeric_limits<double>::infinity();
  }

  struct copies {
    double tilt = 0, log_mgf = 0;
  };

  double tilt_, log_mgf_ = 0, log_doubt_ = 0, shift_ = 0, infinite_ = 0, width_ = 0, apart_ = 0, error_ = 0,
                error_by_epsilon_ = 0;
  copies above_, below_;
  std::vector<double> re_, im_;
};

} // namespace privet::detail
