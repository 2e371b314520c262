#pragma once
// A sampled Gaussian on nodes of x, under a tilt. The proofs are in docs/privacy/accountants.md.

#include <privet/privacy/loss_part.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>
#include <vector>

namespace privet::detail {

/// The masses of one sampled Gaussian times e^{tilt loss}, on evenly spaced nodes of x. Sums over them stand
/// for integrals, with a relative error that falls exponentially with the number of nodes.
///
/// Outcomes far above survive with the probability that a narrow normal at the cut is above them; the others,
/// `lost` of the mass, count as an infinite loss. So the integrand is smooth everywhere.
class tilted_sample {
 public:
  /// The probability that N(at, soft^2) is above x.
  struct border {
    double at, soft;
  };
  /// For E e^{z L} with Re z up to `most_tilt` and |Im z| up to `most_t`.
  tilted_sample(const loss_part& part, double tilt, double most_tilt, double most_t)
      : tilted_sample(part, tilt, most_tilt, most_t, part.pair.last()) {}
  /// The core: survivors of a cut at about `last`, by a border that is found.
  static tilted_sample core(const loss_part& part, double tilt, double most_tilt, double last) {
    return {part, tilt, most_tilt, 0, last, true};
  }
  static tilted_sample core(const loss_part& part, double tilt, double most_tilt, double most_t, border to) {
    return {part, tilt, most_tilt, most_t, 0, true, to};
  }
  /// Outliers: what survives this border, or all that do, but does not survive the one below.
  static tilted_sample outliers(const loss_part& part, double tilt, double most_tilt, double most_t,
                                border from, std::optional<border> to) {
    return {part, tilt, most_tilt, most_t, part.pair.last(), false, to, from};
  }

 private:
  tilted_sample(const loss_part& part, double tilt, double most_tilt, double most_t, double wanted,
                bool core = false, std::optional<border> to = {}, std::optional<border> from = {})
      : count_(part.count),
        tilt_(tilt),
        s_(part.pair.noise()),
        v_(s_ * s_),
        rate_(part.pair.rate()),
        added_(part.pair.kind() == loss_pair::shape::added),
        replaced_(part.pair.kind() == loss_pair::shape::replaced),
        core_(core),
        from_(from) {
    // Losses that sink as fast as others rise would turn as fast: they end, at a price in `doubt`, at a border.
    if (core_ && replaced_) from_ = {-core_reach * s_, std::min(0.05 * v_, 0.1 * s_)};
    double last = s_ * std::sqrt(reach * reach - 2 * most_tilt * std::log1p(-rate_));
    if (to)
      cut_ = to->at, soft_ = to->soft, last = cut_ + softs * soft_;
    else if (!added_)
      last = place_cut(wanted, replaced_ ? 1 + 2 * most_tilt : 1 + most_tilt);
    most_points_ = (core_ || from_) && most_t == 0 ? 0x1p12 : 0x1p16; // the former are for plans
    place_nodes(last, most_tilt, most_t);
    if (!fits()) return;
    weigh();
    // Beyond the nodes, as a share: below, and above, where the masses fall at least as e^{-9 x / soft}.
    if (core_) // no loss below 0 is positive
      before_ = (from_ ? normal_above(-from_->at, 0, std::hypot(s_, from_->soft))
                       : normal_above(core_reach, 0, 1)) *
                std::exp(-log_mgf_) * 1.01;
    else if (from_) // no loss there is larger than the first node's, and no more than this share is outliers
      before_ = std::exp(tilt * (loss_.front() + mean_) - log_mgf_) *
                normal_above(from_->at, x_.front(), from_->soft) * 1.01;
    else
      before_ = 3 * normal_above(reach, 0, 1) * std::exp(-std::min(log_mgf_, 0.0));
    double tails = before_;
    if (!added_) {
      const double end = 0.5 * soft_ / step_ * weight_.back();
      tails += end_ = end;
      beyond_ = end * std::exp((most_tilt - tilt) * std::max(loss_.back(), 0.0));
    }
    doubt_ +=
        2.1 * std::exp(-aliases()) + tails + unit * (3 * (points_ / block + block / lanes + lanes) + 40);
    if (!from_ && !core_) find_layers(added_ ? last : cut_ - 4 * soft_);
  }

 public:
  double count() const noexcept { return count_; }
  double points() const noexcept { return points_; }
  bool fits() const noexcept { return points_ <= most_points_; }
  /// The largest |Im z| that these nodes hold for, and how many would hold for another.
  double most_t() const noexcept {
    return std::min(holds_to_, (2 * std::numbers::pi / step_ - least_) / turns_);
  }
  double points_for(double t) const noexcept {
    return points_ * std::max(1.0, (least_ + turns_ * t) * step_ / (2 * std::numbers::pi));
  }

  border cut() const noexcept { return {cut_, soft_}; }
  double lost() const noexcept { return lost_; }
  double mean() const noexcept { return mean_; } ///< of the loss L, under the tilt, as the variance
  double variance() const noexcept { return variance_; }
  double log_mgf() const noexcept { return log_mgf_; } ///< log E e^{tilt L}
  double log_mgf_error() const noexcept { return unit * (2 * std::abs(top_) + 3 * std::abs(log_mgf_) + 8); }
  /// What the sum for E e^{i t (L - mean)} may be off by, save for what grows with t.
  double doubt() const noexcept { return doubt_; }

  /// Bounds log |E e^{i t L}| over outliers, for this and every larger t: the line of x moves into the complex
  /// plane, where |e^{i t L}| falls.
  double log_fall(double t) const {
    double best = 1;
    double a = std::min(0.5 * std::numbers::pi * v_, std::sqrt(80 / curved_));
    for (int k = 0; k < 12; ++k, a /= 1.4) {
      const double sine = std::sin(a / v_), cosine = std::cos(a / v_);
      double sum = before_, falls = 1;
      for (std::size_t i = 0; i < x_.size(); ++i) {
        const double x = x_[i], z = std::max((from_->at - x) / from_->soft, 0.0),
                     ratio = rate_ * std::exp((x - 0.5) / v_);
        falls = std::exp(-t * std::atan2(ratio * sine, 1 - rate_ + ratio * cosine));
        // What rises from one node to the next rises at most so fast.
        const double slope =
            std::max(-x, 0.0) / v_ + (1 + tilt_) * steep_[i] * std::exp(step_ / v_) + (z + 1) / from_->soft;
        sum += weight_[i] * std::exp(slope * step_) * falls;
      }
      best = std::min(best, (sum + end_ * falls) * std::exp(curved_ * a * a) * (1 + 1e-6));
    }
    return std::log(best);
  }

  /// log E e^{more (L - mean)} from above, for tilt + more from 0 to the largest.
  double log_more(double more) const {
    double sum = 0;
    for (std::size_t i = 0; i < weight_.size(); ++i) sum += weight_[i] * std::exp(more * loss_[i]);
    if (from_ && !core_) sum += before_ * std::exp(more * loss_.front());
    return std::log(sum + (more > 0 ? beyond_ : 0)) + 1e-9 / count_ + doubt_ +
           std::abs(more) * most_loss_doubt_;
  }
  /// Bounds log |E e^{i t L}| for this and every larger t.
  double log_decay(double t) const {
    double less = 0;
    for (const auto& l : layers_) { // the largest |sin u / u| from u on
      const double u = 0.5 * t * l.width, wave = u < 1e-4  ? 1
                                                 : u < 2.5 ? std::sin(u) / u
                                                           : std::min(0.25, 1 / u);
      less += l.height * l.width * (1 - wave);
    }
    return std::log1p(-std::min(less, 0.99));
  }

  struct value {
    double re, im, error;
  };
  /// E e^{i t (L - mean)} for t = apart, 2 apart, ..., each from the last by one turn.
  std::vector<value> values(double apart, std::size_t many) const {
    const std::size_t n = (weight_.size() + block - 1) / block * block;
    std::vector<double> re(weight_), im(n), cos(n), sin(n);
    re.resize(n);
    for (std::size_t i = 0; i < weight_.size(); ++i) {
      cos[i] = std::cos(apart * loss_[i]);
      sin[i] = std::sin(apart * loss_[i]);
    }
    std::vector<value> out(many);
    for (std::size_t j = 0; j < many; ++j) {
      auto& f = out[j];
      f = {0, 0, doubt_ + static_cast<double>(j + 1) * (6 * unit + apart * loss_doubt_)};
      for (std::size_t k = 0; k < n; k += block) {
        std::array<double, lanes> real{}, imaginary{};
        for (std::size_t i = k; i < k + block; i += lanes)
          for (std::size_t l = 0; l < lanes; ++l) {
            const double x = re[i + l], y = im[i + l], c = cos[i + l], s = sin[i + l];
            re[i + l] = x * c - y * s;
            im[i + l] = x * s + y * c;
            real[l] += re[i + l];
            imaginary[l] += im[i + l];
          }
        f.re += std::accumulate(real.begin(), real.end(), 0.0);
        f.im += std::accumulate(imaginary.begin(), imaginary.end(), 0.0);
      }
    }
    return out;
  }

 private:
  static constexpr double unit = 0.5 * std::numeric_limits<double>::epsilon(), reach = 9.5, softs = 13,
                          core_reach = 7.7;
  static constexpr std::size_t lanes = 16, block = 256; // of a sum, whose errors grow with the longest chain

  double aliases() const { return 36 + std::log(count_); } ///< minus the logarithm of what they are to add

  /// Where the last node is to be. The cut is so soft that beyond `softs` widths the tilted masses fall, however
  /// steeply the tilt makes them rise: at u above it by rise share / v, where the share of the sampled grows by
  /// e^{u / v} at most.
  double place_cut(double wanted, double rise) {
    const double c = 0.5 / v_;
    for (soft_ = s_ / 4;; soft_ *= 0.75) {
      cut_ = wanted * std::hypot(s_, soft_) / s_;
      const double far = softs * soft_, z = cut_ / v_;
      double share = rate_ * std::exp(z - c - log_mixture(rate_, z - c));
      if (replaced_) share += rate_ * std::exp(-z - c - log_mixture(rate_, -z - c));
      const double full = -v_ * std::log(share); // where the share is 1
      const bool first = 4 * soft_ * rise * std::min(1.0, share * std::exp(far / v_)) <= softs * v_,
                 then = full <= far || 4 * soft_ * soft_ * rise <= full * v_;
      if ((first && then) || soft_ < 1e-12 * s_) break;
    }
    const double blurred = std::hypot(s_, soft_);
    lost_ =
        ((1 - rate_) * normal_above(cut_, 0, blurred) + rate_ * normal_above(cut_, 1, blurred)) * (1 + 1e-9);
    return cut_ + softs * soft_;
  }

  double sampled_share(double x) const {
    const double z = (x - 0.5) / v_;
    return rate_ * std::exp(z - log_mixture(rate_, z));
  }

  /// The step that makes e^-aliases() of all aliases, by the analytic continuation to |Im x| <= a.
  void place_nodes(double last, double most_tilt, double most_t) {
    curved_ = 0.5 / v_ + (added_ ? 0 : 0.5 / (soft_ * soft_)) +
              (added_ || replaced_ ? 0.1405 * most_tilt / (v_ * v_) : 0) +
              (from_ ? 0.5 / (from_->soft * from_->soft) : 0);
    const double most = std::min(std::sqrt(aliases() / curved_), 0.5 * std::numbers::pi * v_);
    first_ = from_ ? from_->at - softs * from_->soft : core_ ? -core_reach * s_ : -reach * s_ - 1;
    const auto place = [&](double a, double turns) {
      least_ = aliases() / a + curved_ * a;
      turns_ = turns;
    };
    place(most, (replaced_ ? 2 : 1) / v_);
    if (!added_ && most_t > 0) { // the phase turns no faster than the largest share of the sampled, over v
      const double wide = least_ + most_t * turns_;
      double share = 0, a = most;
      const auto limit = [&](double x, double fall,
                             double further) { // at the nodes' end, and where the share is 1
        const double own = sampled_share(x), full = std::max(0.0, -v_ * std::log(own));
        a = std::min(a, v_ * v_ / (5 * most_t) * std::min(fall / own, fall + full * further));
        share += own > 0.5 ? 1 : own;
      };
      limit(last, softs / soft_, 1 / (soft_ * soft_));
      if (replaced_)
        limit(-first_, from_ ? softs / from_->soft : -first_ / v_,
              from_ ? 1 / (from_->soft * from_->soft) : 1 / v_);
      place(a, share / v_);
      if (least_ + most_t * turns_ < wide)
        holds_to_ = most_t;
      else
        place(most, (replaced_ ? 2 : 1) / v_);
    }
    step_ = std::min({2 * std::numbers::pi / (least_ + most_t * turns_), s_ / 8, v_ / 2});
    int exponent = 0;
    step_ = std::floor(std::frexp(step_, &exponent) * 1024); // few digits, so that every node is exact
    step_ = std::ldexp(step_, exponent - 10);
    first_ = std::floor(first_ / step_);
    points_ = std::ceil(last / step_) - first_ + 1;
  }

  void weigh() {
    const double c = 0.5 / v_;
    const auto points = static_cast<std::size_t>(points_);
    x_.resize(points), loss_.resize(points), weight_.resize(points), steep_.resize(points);
    std::vector<double> doubt(points), loss_doubt(points);
    top_ = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < points; ++i) {
      const double x = (first_ + static_cast<double>(i)) * step_, y = x / v_, square = 0.5 * x * y;
      x_[i] = x;
      const auto mixture = [&](double z) {
        const double l = log_mixture(rate_, z), share = 1 - (1 - rate_) * std::exp(-l);
        loss_doubt[i] += unit * (3 * share * (std::abs(y) + c) + 6 * std::abs(std::expm1(-l)) +
                                 2 * std::abs(l) + (z > 30 ? 6 * z : 0));
        steep_[i] += rate_ * std::exp(z - l) / v_;
        return l;
      };
      double own = 0; // the density is e^own times a normal one around 0
      if (added_) {
        loss_[i] = -mixture(-y - c);
      } else {
        own = loss_[i] = mixture(y - c);
        if (replaced_) loss_[i] -= mixture(-y - c);
      }
      double& w = weight_[i];
      w = own + tilt_ * loss_[i] - square;
      doubt[i] = unit * (8 + 5 * square + 2 * std::abs(w)) + (tilt_ + 1) * loss_doubt[i];
      const auto survive = [&](double beyond) {
        const double kept = std::log(0.5 * std::erfc(beyond)),
                     slope = beyond > 0 ? 2 * beyond + 2 : 1.2 * std::exp(-beyond * beyond);
        w += kept;
        doubt[i] += unit * (16 + 2 * std::abs(kept) + 4 * slope * std::abs(beyond));
      };
      if (const double beyond = (x - cut_) / (soft_ * std::numbers::sqrt2); !added_ && beyond > -7) {
        survive(beyond);
      }
      if (from_) survive((from_->at - x) / (from_->soft * std::numbers::sqrt2));
      top_ = std::max(top_, w);
    }
    double sum = 0; // in chains as short as those of `values`
    for (std::size_t i = 0; i < points;) {
      double whole = 0;
      for (const std::size_t last = std::min(i + block, points); i < last;) {
        double part = 0;
        for (const std::size_t end = std::min(i + lanes, last); i < end; ++i)
          part += weight_[i] = std::exp(weight_[i] - top_);
        whole += part;
      }
      sum += whole;
    }
    log_mgf_ = top_ + std::log(sum * (step_ / (s_ * std::sqrt(2 * std::numbers::pi))));
    for (std::size_t i = 0; i < points; ++i) {
      weight_[i] /= sum;
      mean_ += weight_[i] * loss_[i];
      doubt_ += weight_[i] * doubt[i];
      const double own = loss_doubt[i] + 3 * unit * std::abs(loss_[i]);
      loss_doubt_ += weight_[i] * own;
      most_loss_doubt_ = std::max(most_loss_doubt_, own);
    }
    loss_doubt_ += 3 * unit * std::abs(mean_);
    most_loss_doubt_ += 3 * unit * std::abs(mean_);
    for (std::size_t i = 0; i < points; ++i) {
      loss_[i] -= mean_;
      variance_ += weight_[i] * loss_[i] * loss_[i];
    }
  }

  /// The density of the loss is at least a sum of constants on intervals, each in the next.
  void find_layers(double end) {
    std::vector<double> level; // the least density near each node: its logarithm has a bounded slope
    for (std::size_t i = 0; i < x_.size() && x_[i] <= end; ++i) {
      const double slope =
          (std::abs(x_[i]) + step_ + 1) / v_ + (tilt_ + 2) * steep_[i] * std::exp(step_ / v_);
      level.push_back(0.99 * weight_[i] / (step_ * steep_[i]) * std::exp(-0.5 * slope * step_));
    }
    const std::size_t n = level.size();
    if (n < 3) return;
    const auto heaviest = std::max_element(weight_.begin(), weight_.begin() + static_cast<std::ptrdiff_t>(n));
    std::size_t from = static_cast<std::size_t>(heaviest - weight_.begin()), to = from;
    double least = level[from], mark = least;
    const auto close = [&] { layers_.push_back({loss_[to] - loss_[from], least}); };
    while (from > 0 || to + 1 < n) {
      const bool up = from == 0 || (to + 1 < n && level[to + 1] >= level[from - 1]);
      const double next = level[up ? to + 1 : from - 1];
      if (next < 0.95 * mark) close(), mark = next;
      up ? ++to : --from;
      least = std::min(least, next);
    }
    close();
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) layers_[i].height -= layers_[i + 1].height;
  }

  struct layer {
    double width, height;
  };

  double count_, tilt_, s_, v_, rate_;
  bool added_, replaced_, core_;
  double cut_ = 0, soft_ = 1, lost_ = 0, first_ = 0, step_ = 0, points_ = 0, most_points_ = 0, least_ = 0,
         turns_ = 0, top_ = 0, mean_ = 0, variance_ = 0, log_mgf_ = 0, doubt_ = 0, loss_doubt_ = 0,
         most_loss_doubt_ = 0, beyond_ = 0, before_ = 0, end_ = 0, curved_ = 0,
         holds_to_ = std::numeric_limits<double>::infinity();
  std::optional<border> from_;
  std::vector<double> x_, loss_, weight_, steep_; // loss_ less its mean
  std::vector<layer> layers_;
};

} // namespace privet::detail
