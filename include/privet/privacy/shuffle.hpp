#pragma once
// What anonymity in a crowd adds to local privacy.

#include <privet/privacy/accountant.hpp>
#include <privet/privacy/special_functions.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace privet {

namespace detail {

/// The pair of Feldman, McMillan, Talwar: P = (A + D, C - A + 1 - D), Q the same with D and 1 - D exchanged;
/// C ~ Bin(n - 1, e^-epsilon0), A ~ Bin(C, 1/2), D ~ Bern(e^epsilon0 / (1 + e^epsilon0)).
///
/// With m = C + 1, a the first number, s = tanh(epsilon0 / 2) and x = s (2a - m) / m, P is (1 + x) mu and Q
/// (1 - x) mu, where mu takes m as C + 1 and then a from m fair coins. Exchanging the numbers exchanges P
/// and Q, so both directions are the same.
class clones {
 public:
  /// Values of C that are less likely than the likeliest by a factor `least` are left out.
  clones(double epsilon0, std::uint64_t users, double least = 1e-40)
      : epsilon0_(epsilon0), users_(static_cast<double>(users)), bias_(std::tanh(epsilon0 / 2)) {
    // The weights of C, from the likeliest outwards; each way they only fall.
    const double n = users_ - 1, share = std::exp(-epsilon0), odds = share / -std::expm1(-epsilon0),
                 mode = std::min(std::floor(users_ * share), n);
    std::vector<double> down;
    double last_up = 1, last_down = 1, all = 0;
    for (double c = mode; c > 0 && last_down > least; --c)
      down.push_back(last_down *= c / ((n - c + 1) * odds));
    first_ = mode - static_cast<double>(down.size());
    weights_.assign(down.rbegin(), down.rend());
    weights_.push_back(1);
    for (double c = mode; c < n && last_up > least; ++c)
      weights_.push_back(last_up *= (n - c) / (c + 1) * odds);
    for (const double w : weights_) all += w;
    for (double& w : weights_) w /= all;
    // What was left out is no more than this many times the last weight.
    beyond_ = ((first_ > 0 ? last_down * first_ : 0) + (last() < n ? last_up * (n - last()) : 0)) / all;
  }

  /// delta from both sides. For one c, with E = e^epsilon, e = e^epsilon0, B = Pr[Bin(c, 1/2) = a - 1],
  /// S = Pr[Bin(c, 1/2) >= a] and a the first number at which P > E Q, it is
  /// (e - E) / (e + 1) B - (E - 1) S.
  privacy_bounds delta(double epsilon) const {
    if (epsilon >= epsilon0_) return {0, 0, true};
    const double gain = -std::expm1(epsilon - epsilon0_) / (1 + std::exp(-epsilon0_)),
                 cost = std::expm1(epsilon),
                 // the share 1 - a / m at which P = E Q, without cancellation
        rest = std::expm1(epsilon - epsilon0_) / std::expm1(-epsilon0_) / (std::exp(epsilon) + 1);
    double sum = 0, size = 0, most_steps = 0, at = 0, exactly = 0, since = 0, b = 0, s = 0;
    const double recurrences = std::max(64.0, std::sqrt(last()));
    bool known = false;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const double c = first_ + static_cast<double>(i), wanted = c + 2 - std::ceil(rest * (c + 1));
      if (known && ++since < recurrences && wanted <= at + 1) {
        s += 0.5 * b; // from c - 1 to c coins
        b *= c / (2 * (c + 1 - at));
        if (wanted > at) {
          b *= (c - at + 1) / at;
          s = std::max(s - b, 0.0);
          ++at;
        }
        known = s > exactly / 4;
      } else {
        known = false;
      }
      if (!known) {
        at = wanted;
        most_steps = std::max(most_steps, sum_from(c, at, b, s));
        exactly = s;
        since = 0;
        known = s > 0;
      }
      const double w = weights_[i];
      sum += w * (gain * b - cost * s);
      size += w * (gain * b + cost * s);
    }
    // Every step of a recurrence rounds at most six times; those of S at four times its last size at most.
    // An a that rounding puts on the wrong side counts by no more, since P is nearly E Q there.
    const double rounding =
        0x1p-53 * (6 * static_cast<double>(weights_.size()) + 6 * most_steps + 24 * recurrences + 1000) *
            size +
        1e-280;
    return {std::max(sum - rounding, 0.0), std::min(sum + rounding + beyond_, 1.0), true};
  }

  /// The law of the loss 2 artanh(x) under P on some thousand values.
  struct losses {
    struct atom {
      double mass, loss;
    };
    std::vector<atom> spread; ///< outcomes put on the two values around them, P and Q kept: dominates
    std::vector<atom> merged; ///< outcomes between two values merged, P and Q kept: is dominated
    double lost = 0;          ///< mass of P that is in neither
    double error = 0;         ///< share by which rounding may have changed a mass
    double slack = 0;         ///< what rounding may have changed a loss by

    /// At least the Renyi divergence of order alpha > 1: that of `spread`, and the losses of what is lost are
    /// epsilon0 at most.
    double renyi_divergence(double epsilon0, double alpha) const {
      const double top = (alpha - 1) * epsilon0; // no loss is larger
      double sum = lost;
      for (const auto& a : spread) sum += a.mass * (1 + error) * std::exp((alpha - 1) * a.loss - top);
      return std::max((top + std::log(sum)) / (alpha - 1) + slack, 0.0);
    }
  };
  /// Loses about `cut` of the mass. Throws N011 for more than 10^8 users or an epsilon0 above 16, where 1 - x
  /// has few digits left.
  losses law(double cut) const {
    require(epsilon0_ <= 16, fault::unsupported, "shuffle: got epsilon0 ", epsilon0_,
            ", expected at most 16 where its loss is composed");
    require(users_ <= 1e8, fault::unsupported, "shuffle: got ", users_,
            " users, expected at most 1e8 where its loss is composed");
    constexpr std::size_t cells = 1 << 14;
    losses out;
    out.lost = beyond_;
    out.slack = 0x1p-49 * std::exp(epsilon0_); // x is off by a few 2^-53, its loss by that over 1 - x
    std::size_t low = 0, high = weights_.size();
    for (double dropped = 0; low + 1 < high && dropped + weights_[low] <= cut / 8; ++low)
      out.lost += weights_[low], dropped += weights_[low];
    for (double dropped = 0; low + 1 < high && dropped + weights_[high - 1] <= cut / 8; --high)
      out.lost += weights_[high - 1], dropped += weights_[high - 1];
    // Hoeffding: no more than exp(-2 h^2 / m) of m coins is h above m / 2.
    const double log_share = std::log(16 / cut);
    const auto reach = [&](double m) { return std::min(std::sqrt(m * log_share / 2), m / 2); };
    const double fewest = first_ + static_cast<double>(low) + 1,
                 width = bias_ * 2 * reach(fewest) / fewest / cells;
    std::vector<double> mass(cells), more(cells); // of mu over x > 0, and what it has above its cell's start
    double furthest = 0;
    for (std::size_t i = low; i < high; ++i) {
      const double m = first_ + static_cast<double>(i) + 1, h = reach(m), w = weights_[i],
                   scale = bias_ / (m * width);
      double a = std::ceil(m / 2), b = central_binomial(m) * w;
      furthest = std::max(furthest, h);
      if (2 * a == m) { // x = 0 belongs to both sides
        mass[0] += 0.5 * b;
        b *= (m - a) / (a + 1);
        ++a;
      }
      for (; a <= m / 2 + h; ++a) {
        const double place = (2 * a - m) * scale;
        const auto cell = std::min(static_cast<std::size_t>(place), cells - 1);
        mass[cell] += b;
        more[cell] += b * (place - static_cast<double>(cell));
        b *= (m - a) / (a + 1);
      }
      if (h < m / 2) out.lost += w * cut / 4; // P is at most 2 mu above and mu below
    }
    out.error = 0x1p-53 * (6 * static_cast<double>(weights_.size()) + 6 * furthest + 200);

    std::vector<double> at(cells + 1);
    for (std::size_t i = 0; i < cells; ++i) {
      more[i] = std::min(more[i], mass[i]);
      at[i] += mass[i] - more[i];
      at[i + 1] += more[i];
    }
    const auto put = [](std::vector<losses::atom>& where, double mu, double x) {
      if (mu > 0) where.push_back({mu * (1 + x), 2 * std::atanh(x)});
    };
    const auto value = [&](double place) { return std::min(place * width, bias_); };
    const auto middle = [&](std::size_t i) { return value(static_cast<double>(i) + more[i] / mass[i]); };
    for (std::size_t i = cells; i > 0; --i) put(out.spread, at[i], -value(static_cast<double>(i)));
    put(out.spread, 2 * at[0], 0);
    for (std::size_t i = 1; i <= cells; ++i) put(out.spread, at[i], value(static_cast<double>(i)));
    for (std::size_t i = cells; i-- > 0;)
      if (mass[i] > 0) put(out.merged, mass[i], -middle(i));
    for (std::size_t i = 0; i < cells; ++i)
      if (mass[i] > 0) put(out.merged, mass[i], middle(i));
    return out;
  }

 private:
  double last() const noexcept { return first_ + static_cast<double>(weights_.size()) - 1; }

  /// b = Pr[Bin(c, 1/2) = a - 1] and s = Pr[Bin(c, 1/2) >= a], for a above the middle, from positive terms
  /// alone. Returns how many.
  static double sum_from(double c, double a, double& b, double& s) {
    double k = std::floor(c / 2), steps = 0;
    if (const double h = a - 1 - c / 2; 2 * h * h > 670 * c) { // Hoeffding: below 1e-290
      b = s = 0;
      return steps;
    }
    b = central_binomial(c);
    for (; k < a - 1; ++k, ++steps) b *= (c - k) / (k + 1);
    s = 0;
    double term = b;
    for (; k < c; ++k, ++steps) {
      const double ratio = (c - k) / (k + 1);
      term *= ratio;
      s += term;
      if (term < 1e-18 * s * (1 - ratio)) break; // the rest is a geometric sum at most
    }
    return steps;
  }

  double epsilon0_, users_, bias_, first_ = 0, beyond_ = 0;
  std::vector<double> weights_;
};

inline void check_shuffle(double epsilon0, std::uint64_t users) {
  privacy_event{event::shuffle{epsilon0, users}, 1, neighbours::replace_one}.check();
}

} // namespace detail

/// delta of one report each of so many users, every report epsilon0-local, when a shuffler hides who sent
/// which. The upper bound is a guarantee for any local randomisers, also adaptive ones; between the bounds is
/// the delta of the pair that the theorem compares with, which a given randomiser may stay below.
///
/// Formula   the hockey-stick divergence of (A + D, C - A + 1 - D) and (A + 1 - D, C - A + D) at e^epsilon
/// Privacy   replace-one of one user's value. `users` counts those whose reports are honest: those of
///           colluders hide nobody. Sums of positive terms; what they may have lost is added above
/// Errors    N001: epsilon0 not in (0, 32], users not in 1 to 10^9, a negative epsilon
/// Cost      some milliseconds for 10^6 users
/// Source    Feldman, McMillan, Talwar, "Hiding among the clones", arXiv:2012.12803, Theorem 3.1
/// Test      tests/privacy/shuffle.test.cpp
inline privacy_bounds shuffle_delta(double epsilon0, std::uint64_t users, double epsilon) {
  detail::check_shuffle(epsilon0, users);
  detail::check_epsilon(epsilon);
  return detail::clones(epsilon0, users).delta(epsilon);
}

/// epsilon of the same.
inline privacy_bounds shuffle_epsilon(double epsilon0, std::uint64_t users, double delta) {
  detail::check_shuffle(epsilon0, users);
  detail::check_delta(delta);
  const detail::clones pair(epsilon0, users);
  // The largest epsilon known to be too small, or the smallest known to be large enough.
  const auto solve = [&](auto enough, double bad, double good) {
    if (enough(bad)) return std::pair(bad, bad);
    for (int i = 0; i < 100 && good - bad > 1e-13 * good; ++i) {
      const double middle = (good + bad) / 2;
      (enough(middle) ? good : bad) = middle;
    }
    return std::pair(bad, good);
  };
  const double upper = solve([&](double e) { return pair.delta(e).upper <= delta; }, 0, epsilon0).second;
  const auto low_enough = [&](double e) { return pair.delta(e).lower <= delta; };
  const double near = upper * (1 - 1e-6);
  const double lower =
      low_enough(near) ? solve(low_enough, 0, near).first : solve(low_enough, near, upper).first;
  return {lower, upper, true};
}

} // namespace privet
