#pragma once
// Bounds on what one unit adds to a sum: gradients clipped in the l2 norm.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace privet {

namespace detail {
inline void check_bound(const char* who, double bound) {
  require(bound >= 1e-20 && bound <= 1e20, fault::argument, who, ": got the bound ", bound,
          ", expected 1e-20 to 1e20");
}

/// min(1, bound / norm); 1 for a norm of zero.
template <class T>
T clip_to(double bound, T squared_norm) {
  return std::min(T{1}, static_cast<T>(bound) / std::sqrt(squared_norm));
}

/// The label behind a clip in l2: one unit more or less moves a sum by at most the bound and its rounding
/// (docs/privacy/training.md).
template <Label L>
using clipped = bounded<norm::l2, typename L::unit>;
} // namespace detail

struct clip_l2_by_layer;
struct clip_l2_automatic;
struct clip_l2_adaptive;

/// Scales the gradient of each unit down to an l2 norm of at most `bound`, over all parameters together.
///
/// Formula   g min(1, bound / |g|)
/// Privacy   a unit whose norm is not finite counts as zero, by a select: nobody hears of it
/// Source    Abadi and others, CCS 2016, arXiv:1607.00133, algorithm 1
struct clip_l2 {
  static constexpr stage_role role = stage_role::bound;
  template <Label L>
  static constexpr bool fits = Raw<L>;
  template <Label L>
  using after = detail::clipped<L>;

  double bound = 1;

  void check() const { detail::check_bound("clip_l2", bound); }
  double sensitivity() const noexcept { return bound; }
  template <class T>
  T coefficient(T squared_norm) const {
    return detail::clip_to(bound, squared_norm);
  }

  /// The same bound in all, shared by the layers.
  clip_l2_by_layer by_layer() const noexcept;
  /// Every gradient is brought to nearly this norm, however short it is.
  clip_l2_automatic automatic(double stability = 0.01) const noexcept;
  /// The bound follows a quantile of the norms, by noisy counts.
  clip_l2_adaptive adaptive() const noexcept;
};

/// Clips the gradient of each layer by itself, to bound / sqrt(layers): the norm over all layers is then at
/// most `bound`. Layers are those with parameters.
///
/// Source    McMahan and others, ICLR 2018, arXiv:1710.06963, section 3.1
struct clip_l2_by_layer {
  static constexpr stage_role role = stage_role::bound;
  template <Label L>
  static constexpr bool fits = Raw<L>;
  template <Label L>
  using after = detail::clipped<L>;
  static constexpr bool by_layer = true;
  double bound = 1;

  void check() const { detail::check_bound("clip_l2_by_layer", bound); }
  double sensitivity() const noexcept { return bound; }
  template <class T>
  T coefficient(T squared_norm, std::size_t layers) const {
    return detail::clip_to(bound / std::sqrt(static_cast<double>(layers)), squared_norm);
  }
};

/// Normalises instead of clipping: the bound and the learning rate are then one number to choose, not two.
///
/// Formula   g bound / (|g| + stability)
/// Source    Bu, Wang, Zha, Karypis, NeurIPS 2023, arXiv:2206.07136 (AUTO-S)
struct clip_l2_automatic {
  static constexpr stage_role role = stage_role::bound;
  template <Label L>
  static constexpr bool fits = Raw<L>;
  template <Label L>
  using after = detail::clipped<L>;
  double bound = 1;
  double stability = 0.01;

  void check() const {
    detail::check_bound("clip_l2_automatic", bound);
    require(stability >= 1e-10 && stability <= 1e10 && bound <= 1e10, fault::argument,
            "clip_l2_automatic: got the stability ", stability, " and the bound ", bound,
            ", expected 1e-10 to 1e10 and a bound of at most 1e10");
  }
  double sensitivity() const noexcept { return bound; }
  template <class T>
  T coefficient(T squared_norm) const {
    return static_cast<T>(bound) / (std::sqrt(squared_norm) + static_cast<T>(stability));
  }
};

/// Clips to a bound that follows the `quantile` of the norms: after each step, by a noisy count of those
/// within it.
///
/// Formula   bound *= exp(-rate (share - quantile)),
///           share = 1/2 + (sum of (within - 1/2) + N(0, count_noise^2)) / expected batch
/// Privacy   one unit moves the count by 1/2. It is paid for by more noise on the gradients, so that both
///           together spend what the mechanism's multiplier z says: theirs is
///           (z^-2 - (2 count_noise)^-2)^(-1/2)
/// Source    Andrew, Thakkar, McMahan, Ramaswamy, NeurIPS 2021, arXiv:1905.03871, theorem 1
struct clip_l2_adaptive {
  static constexpr stage_role role = stage_role::bound;
  template <Label L>
  static constexpr bool fits = Raw<L>;
  template <Label L>
  using after = detail::clipped<L>;
  static constexpr bool adapts = true;
  double bound = 0.1; ///< the first
  double quantile = 0.5;
  double rate = 0.2;
  double count_noise = 0; ///< a deviation, in units; 0 means a twentieth of the expected batch

  void check() const {
    detail::check_bound("clip_l2_adaptive", bound);
    require(quantile >= 0 && quantile <= 1 && rate > 0 && std::isfinite(rate) && count_noise >= 0,
            fault::argument, "clip_l2_adaptive: got quantile ", quantile, ", rate ", rate, ", count noise ",
            count_noise, ", expected 0 <= quantile <= 1, rate > 0, count noise >= 0");
  }
  double sensitivity() const noexcept { return bound; }
  template <class T>
  T coefficient(T squared_norm, double now) const {
    return detail::clip_to(now, squared_norm);
  }
  double count_deviation(double expected_batch) const noexcept {
    return count_noise > 0 ? count_noise : expected_batch / 20;
  }
  /// The next bound, from the noisy sum of (within - 1/2).
  double next(double now, double noisy_sum, double expected_batch) const {
    const double share = 0.5 + noisy_sum / expected_batch;
    return std::clamp(now * std::exp(-rate * (share - quantile)), 1e-20, 1e20);
  }
};

inline clip_l2_by_layer clip_l2::by_layer() const noexcept { return {.bound = bound}; }
inline clip_l2_automatic clip_l2::automatic(double stability) const noexcept {
  return {.bound = bound, .stability = stability};
}
inline clip_l2_adaptive clip_l2::adaptive() const noexcept { return {.bound = bound}; }

} // namespace privet
