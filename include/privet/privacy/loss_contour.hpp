#pragma once
// The delta of many sampled Gaussians as one integral along a line of the complex plane, with a bound of all
// that the sum which stands for it adds or leaves out. The proofs are in docs/privacy/accountants.md.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/golden_section.hpp>
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

  /// Of one part, whose uses are few or whose losses nearly have an atom: the uses that are all in the core are
  /// left out of the integral, where their losses almost never come to epsilon. For epsilon and log delta near
  /// these; the tilt is found.
  static std::optional<loss_contour> around(const loss_part& part, bool for_epsilon, double epsilon,
                                            double log_delta, double tilt) {
    if (part.pair.rate() == 1 || part.pair.kind() == loss_pair::shape::added || !(epsilon > 0)) return {};
    constexpr double digits = 20, core_digits = 14;
    // The largest core whose losses almost never come to the epsilon that the outliers have.
    std::optional<core> found;
    double low = part.pair.where(epsilon / 4096), high = part.pair.where(epsilon), steep = 32 / epsilon,
           best_tilt = 0, expected = 0;
    for (int i = 0; i < 9; ++i) {
      const double last = 0.5 * (low + high);
      const auto border = tilted_sample::core(part, steep, steep, last).cut();
      const auto best = outlier_tilt(part, border, for_epsilon, for_epsilon ? log_delta : epsilon, tilt);
      const double least = best.value - (1 + std::log(3 * (1 + best.at))) / (for_epsilon ? best.at : 1),
                   e = for_epsilon ? std::min(least, epsilon) : epsilon,
                   log = for_epsilon ? log_delta : std::min(least, 0.0);
      const auto core = e > 0 ? best_core(part, last, e, log - core_digits) : std::nullopt;
      if (core) {
        low = last, found = core, steep = core->tilt, best_tilt = best.at, expected = log + 0.6 * best.at * e;
      } else {
        high = last;
      }
    }
    if (!found) return {};
    loss_contour out(0.6 * best_tilt);
    out.core_ = found;
    return found->tilt > 2 * out.tilt_ + 1 && out.divide(part, digits - expected)
               ? std::optional(std::move(out))
               : std::nullopt;
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
  static constexpr double unit = 0.5 * std::numeric_limits<double>::epsilon(), most_work = 1.5e7,
                          most_divided_work = 1e8;

  explicit loss_contour(double tilt) : tilt_(tilt) {}

  /// The border of the core, and over all uses log E e^{tilt L} there, from above.
  struct core {
    tilted_sample::border border;
    double tilt, log_mgf;
    double log_delta(double epsilon) const { return log_mgf - tilt * epsilon; } ///< Chernoff's bound
  };

  /// The core up to `last` by which Chernoff's bound is least; none where that is above `log_chance`.
  static std::optional<core> best_core(const loss_part& part, double last, double epsilon,
                                       double log_chance) {
    const auto at = [&](double log_tilt) {
      const double tilt = std::exp(log_tilt);
      const auto s = tilted_sample::core(part, tilt, tilt, last);
      if (!s.fits()) return core{s.cut(), tilt, std::numeric_limits<double>::infinity()};
      return core{s.cut(), tilt, s.count() * (s.log_mgf() + s.log_mgf_error() + s.doubt())};
    };
    const double least = std::log(-log_chance / epsilon);
    const auto best = golden_section([&](double l) { return at(l).log_delta(epsilon); }, least, least + 2, 4);
    return best.value <= log_chance ? std::optional(at(best.at)) : std::nullopt;
  }

  /// The tilt that makes Chernoff's bound of epsilon or log delta best over outcomes with an outlier, and that.
  static valley_floor outlier_tilt(const loss_part& part, tilted_sample::border from, bool for_epsilon,
                                   double given, double near) {
    const auto& rough = part.rough;
    const double dx = (part.pair.last() - part.pair.first()) / static_cast<double>(rough.size());
    std::vector<double> outside(rough.size());
    for (std::size_t i = 0; i < rough.size(); ++i)
      outside[i] = normal_above(from.at, part.pair.first() + (static_cast<double>(i) + 0.5) * dx, from.soft);
    const auto bound = [&](double log_tilt) {
      const double tilt = std::exp(log_tilt);
      double all = 0, out = 0;
      for (std::size_t i = 0; i < rough.size(); ++i) {
        const double m = rough[i].mass * std::exp(tilt * rough[i].loss);
        all += m, out += m * outside[i];
      }
      const double log = part.count * std::log(all) +
                         std::log(-std::expm1(part.count * std::log1p(-out / all))) - std::log(1 + tilt);
      return for_epsilon ? (log - given) / tilt : log - tilt * given;
    };
    const auto best = golden_section(bound, std::log(near / 100), std::log(3 * near), 16);
    return {std::exp(best.at), best.value};
  }

  /// a^n for a = core + outliers less core^n.
  struct power {
    double log_size, angle, error;
  };
  static power difference(const tilted_sample::value& core, const tilted_sample::value& out, double n) {
    const double size = std::hypot(core.re, core.im), extra = std::hypot(out.re, out.im),
                 x = (out.re * core.re + out.im * core.im) / (size * size),
                 y = (out.im * core.re - out.re * core.im) / (size * size), ratio = std::hypot(x, y);
    // (1 + x + i y)^n - 1
    const double log = n * (ratio < 0.5 ? 0.5 * std::log1p(2 * x + ratio * ratio)
                                        : std::log(std::hypot(1 + x, y))),
                 turn = n * std::atan2(y, 1 + x), half = std::sin(0.5 * turn);
    const double re = std::expm1(log) * std::cos(turn) - 2 * half * half, im = std::exp(log) * std::sin(turn);
    const double phase = std::atan2(core.im, core.re), log_core = std::log(size);
    // Rounding moves it as a share of `extra` moves that, and by its own share.
    const double most = size + core.error, slip = out.error + unit * (200 + 8 * std::log1p(ratio)) * extra,
                 rest = std::exp((n - 1) * std::log(most + extra + slip)),
                 spread = n * (extra + slip) * rest; // at least (most + extra)^n - most^n
    return {
        n * log_core + std::log(std::hypot(re, im)), n * phase + std::atan2(im, re),
        n * slip * rest + spread * ((n - 1) * core.error / (most + extra) +
                                    4 * unit * n * (1 + std::abs(log_core) + std::abs(phase)) + 100 * unit)};
  }

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

    set_width(deviation, digits, [&](double d) {
      double k = 0.5 * gauss * d * d;
      for (const auto& s : samples) k += s.count() * s.log_more(d);
      return k;
    });

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
    const double t = end(rest, affordable, deviation, digits);
    if (!affordable(t)) return false;

    const auto terms = static_cast<std::size_t>(std::lround(t / apart_));
    term_list list(terms);
    list.pushed = gauss * (tilt_ + 0.5);
    shift_ = list.pushed;
    log_mgf_ = 0.5 * gauss * tilt_ * (tilt_ + 1);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      auto& s = samples[i];
      if (s.most_t() < t) s = tilted_sample(*sources[i], tilt_, most_tilt, t);
      if (!s.fits()) return false;
      const double n = s.count();
      infinite_ += n * s.lost();
      log_mgf_ += n * s.log_mgf();
      log_doubt_ += n * s.log_mgf_error();
      list.first_doubt += n * s.doubt();
      shift_ += n * s.mean();
      list.pushed += n * std::abs(s.mean());
      const auto values = s.values(apart_, terms);
      for (std::size_t j = 0; j < terms; ++j) {
        const auto& f = values[j];
        const double size = std::hypot(f.re, f.im), log = std::log(size), phase = std::atan2(f.im, f.re);
        list.log_size[j] += n * log;
        list.log_most[j] += n * std::log(size + f.error);
        list.angle[j] += n * phase;
        list.doubt[j] += n * (std::log1p(f.error / size) + 4 * unit * (1 + std::abs(log) + std::abs(phase)));
      }
    }
    return close(list, std::exp(rest(t)), gauss, static_cast<double>(samples.size()));
  }

  /// The logarithm of each term's size, and what it, its angle in all, and the first term may be off by.
  struct term_list {
    explicit term_list(std::size_t n) : log_size(n), log_most(n), angle(n), doubt(n) {}
    std::vector<double> log_size, log_most, angle, doubt;
    double first = 1, first_doubt = 0, pushed = 0; // pushed: the sum of all |mean|
  };

  /// The sum has copies of delta a width apart: so far that they do not matter.
  template <class F>
  void set_width(double deviation, double digits, F log_more) {
    const auto place = [&](copies& c, double most, double sign) {
      double best = std::numeric_limits<double>::infinity(), d = std::min(most, 8 / deviation);
      for (int i = 0; i < 16; ++i, d /= 1.5) {
        const double k = log_more(sign * d), width = (k + digits) / d;
        if (width < best) best = width, c = {d, k};
        if (width > 1.5 * best) break;
      }
      return best;
    };
    width_ = std::max(place(above_, tilt_ + 1, 1), place(below_, tilt_, -1));
    apart_ = 2 * std::numbers::pi / width_;
  }
  /// A whole number of steps to where the rest is small; the last that was tried where that is not affordable.
  template <class F, class G>
  double end(F rest, G affordable, double deviation, double digits) const {
    double least = 0, t = 1 / deviation;
    for (; !(rest(t) <= -digits); least = t, t *= 2)
      if (!affordable(t)) return t;
    for (int i = 0; i < 12; ++i) {
      const double middle = 0.5 * (least + t);
      (rest(middle) <= -digits ? t : least) = middle;
    }
    return std::ceil(t / apart_) * apart_;
  }

  bool close(const term_list& list, double left_out, double gauss, double samples) {
    const std::size_t terms = list.angle.size();
    const double many = static_cast<double>(terms);
    log_doubt_ += (16 + samples) * unit * std::abs(log_mgf_) + 1e-13;

    // |product of a_i - product of b_i| <= product of (|b_i| + |a_i - b_i|) - product of |b_i|.
    re_.assign(terms + 1, 0.0), im_ = re_;
    re_[0] = 0.5 * list.first / (tilt_ * (tilt_ + 1));
    double all = re_[0], error = re_[0] * std::expm1(list.first_doubt + 8 * unit);
    for (std::size_t j = 1; j <= terms; ++j) {
      const double s = apart_ * static_cast<double>(j), squeeze = -0.5 * gauss * s * s;
      const double a = tilt_ * (tilt_ + 1) - s * s, b = s * (2 * tilt_ + 1),
                   root = std::hypot(a, b); // z (z + 1)
      const double length = std::exp(list.log_size[j - 1] + squeeze) / root,
                   phase = list.angle[j - 1] - std::atan2(b, a);
      re_[j] = length * std::cos(phase);
      im_[j] = length * std::sin(phase);
      all += length;
      const double off =
          list.doubt[j - 1] + unit * (24 + 16 * std::abs(squeeze) + (6 + samples) * s * list.pushed);
      error +=
          off < 0.1 ? length * std::expm1(off) : 3 * std::exp(list.log_most[j - 1] + squeeze + 1e-3) / root;
      error_by_epsilon_ += apart_ / std::numbers::pi * length * 4 * unit * s;
    }
    error_ = left_out + apart_ / std::numbers::pi * (error + all * unit * (many + 8));
    return std::isfinite(error_) && std::isfinite(log_mgf_);
  }

  /// The integral of all outcomes but those whose uses are all in the core. Outliers are in bands of rising loss,
  /// each of which matters only up to some t.
  bool divide(const loss_part& part, double digits) {
    const double most_tilt = 2 * tilt_ + 1, n = part.count, v = part.pair.noise() * part.pair.noise();
    std::vector<tilted_sample::border> borders = {core_->border};
    while (borders.size() < 24) {
      const double at = borders.back().at + 1.5 * v + 13 * borders.back().soft;
      if (at > part.pair.last()) break;
      const auto found = tilted_sample::core(part, tilt_, most_tilt, at).cut();
      borders.push_back({at, std::min(found.soft, 0.07 * v)});
    }
    const std::size_t bands = borders.size();
    const auto of = [&](std::size_t k, double t) {
      if (k == 0) return tilted_sample::core(part, tilt_, most_tilt, t, borders[0]);
      return tilted_sample::outliers(part, tilt_, most_tilt, t, borders[k - 1],
                                     k < bands ? std::optional(borders[k]) : std::nullopt);
    };
    std::vector<tilted_sample> samples;
    for (std::size_t k = 0; k <= bands; ++k) samples.push_back(of(k, 0));
    const double mean = samples[0].mean();
    double log = samples[0].log_mgf();
    for (std::size_t k = 1; k <= bands; ++k) log = log_sum(log, samples[k].log_mgf());
    if (std::ranges::any_of(samples, [](const auto& s) { return !s.fits(); })) return false;
    log_mgf_ = n * log;
    digits += log_mgf_ + std::log(3 * (1 + tilt_));

    // The size of E over those outcomes, from the logarithm of that of one use over each sample.
    const auto log_power = [&](auto size) {
      double out = size(samples[1]);
      for (std::size_t k = 2; k <= bands; ++k) out = log_sum(out, size(samples[k]));
      const double any = log_sum(out, size(samples[0]));
      return std::min(n * any, std::log(n) + out + (n - 1) * any);
    };
    set_width(0, digits, [&](double d) {
      return log_power(
          [&](const auto& s) { return s.log_mgf() - log + s.log_more(d) + d * (s.mean() - mean); });
    });
    const auto rest = [&](double t) {
      const double all = log_power([&](const auto& s) {
        return s.log_mgf() - log + (&s == samples.data() ? s.doubt() : s.log_fall(t));
      });
      return all - std::log(std::numbers::pi * t);
    };
    const auto affordable = [&](double t) { return 1000 * t / apart_ <= most_divided_work; };
    const double t = end(rest, affordable, tilt_ + 1, digits), left_out = std::exp(rest(t));
    if (!affordable(t)) return false;

    term_list list(static_cast<std::size_t>(std::lround(t / apart_)));
    std::vector<tilted_sample::value> inner(list.angle.size() + 1),
        outer(inner.size(), {0, 0, 1e-38 * static_cast<double>(bands)}); // where borders cross
    std::vector<std::size_t> many(bands + 1, list.angle.size());
    std::vector<double> left(bands + 1); // beyond so many terms
    double work = 0;
    for (std::size_t k = 0; k <= bands; ++k) {
      const double share = std::exp(samples[k].log_mgf() - log);
      const auto fall = [&](std::size_t j) { return samples[k].log_fall(apart_ * static_cast<double>(j)); };
      if (k > 0) {
        for (std::size_t least = 0; many[k] - least > 1 + many[k] / 16;) {
          const std::size_t middle = (least + many[k]) / 2;
          (std::log(n * share) + fall(middle) <= -digits - 3 ? many[k] : least) = middle;
        }
        left[k] = share * std::exp(fall(many[k]));
      }
      samples[k] = of(k, apart_ * static_cast<double>(many[k]));
      work += samples[k].points() * static_cast<double>(many[k]);
      if (!samples[k].fits() || work > most_divided_work) return false;
    }
    for (std::size_t k = 0; k <= bands; ++k) {
      const auto& s = samples[k];
      if (k > 0) infinite_ += n * s.lost();
      const auto values = s.values(apart_, many[k]);
      auto& to = k > 0 ? outer : inner;
      const double size = std::exp(s.log_mgf() - log),
                   off = s.log_mgf_error() + unit * (16 + 4 * std::abs(log));
      for (std::size_t j = 0; j < to.size(); ++j) {
        if (j > many[k]) {
          to[j].error += left[k];
          continue;
        }
        const double at = static_cast<double>(j) * apart_, turn = at * (s.mean() - mean), c = std::cos(turn),
                     d = std::sin(turn);
        const auto f = j > 0 ? values[j - 1] : tilted_sample::value{1, 0, s.doubt()};
        to[j].re += size * (f.re * c - f.im * d);
        to[j].im += size * (f.re * d + f.im * c);
        to[j].error += size * (f.error + off + 8 * unit * (std::abs(turn) + at * std::abs(mean)));
      }
    }
    shift_ = n * mean;
    list.pushed = n * std::abs(mean);
    for (std::size_t j = 0; j < inner.size(); ++j) {
      const power d = difference(inner[j], outer[j], n);
      const double size = std::exp(d.log_size), off = std::log1p(d.error / size);
      if (j == 0) {
        list.first = size, list.first_doubt = off;
        continue;
      }
      list.log_size[j - 1] = d.log_size;
      list.log_most[j - 1] = std::log(size + d.error);
      list.angle[j - 1] = d.angle;
      list.doubt[j - 1] = off;
    }
    return close(list, left_out, 0, 2);
  }
  static double log_sum(double a, double b) {
    return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
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
    return std::exp(s.log_scale + s.doubt) * (s.value + s.error) + infinite_ +
           (core_ ? std::exp(core_->log_delta(epsilon)) * (1 + 1e-9) : 0);
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
  std::optional<core> core_; // which the integral leaves out
  copies above_, below_;
  std::vector<double> re_, im_;
};

} // namespace privet::detail
