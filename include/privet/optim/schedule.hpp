#pragma once
// Learning-rate schedules: pointwise stages that stand after an optimiser and multiply its step
// by a factor of the step number, as torch's LambdaLR does to the rate.

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace privet {

/// The rate as it stands.
struct constant_rate {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  using after = rescaled<L>;

  static constexpr double factor(std::uint64_t) noexcept { return 1; }
};

/// Multiplies the rate by `gamma` after every `every` steps. Throws N001 when that is 0.
struct step_rate {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  using after = rescaled<L>;

  std::uint64_t every = 1;
  double gamma = 0.1;

  double factor(std::uint64_t step) const {
    require(every > 0, fault::argument, "step_rate: every 0 steps, needs at least 1");
    return std::pow(gamma, static_cast<double>(step / every));
  }
};

/// Half a cosine from 1 down to `floor` over `steps` steps, then `floor`.
/// Source    Loshchilov and Hutter, ICLR 2017, without restarts
struct cosine_rate {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  using after = rescaled<L>;

  std::uint64_t steps = 1;
  double floor = 0;

  double factor(std::uint64_t step) const {
    const double part = std::min(1.0, static_cast<double>(step) / static_cast<double>(steps));
    return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * part));
  }
};

/// A straight line from 1 / `steps` up to 1 over the first `steps` steps.
struct warm_up_rate {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  using after = rescaled<L>;

  std::uint64_t steps = 1;

  double factor(std::uint64_t step) const {
    return std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(steps));
  }
};

} // namespace privet
