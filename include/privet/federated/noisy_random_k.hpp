#pragma once

#include <privet/core/chain.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Releases numbers whose places public coins draw, as `random_k` does: clipped together, with Gaussian noise on each.
///
/// Formula   y = the k numbers;  sent = y min(1, bound / |y|) + N(0, (noise_multiplier bound)^2 I)
/// Privacy   of whoever's update it is, zero-out: a Gaussian query of sensitivity `bound`, whatever k is: numbers that
///           are not sent take no part of the bound and get no noise. Places depend on (seed, client, round) only
/// Bytes     4 k
/// Errors    N001 for a fraction outside (0, 1], a bound or a multiplier out of range
/// Source    Konecny and others, arXiv:1610.05492 (random mask); noise: `gaussian`
/// Test      tests/federated/selective_sgd.test.cpp
struct noisy_random_k {
  static constexpr stage_role role = stage_role::encoding;
  static constexpr bool releases = true;

  double fraction = 0.1;
  double bound = 1;
  double noise_multiplier = 1;

  void check() const {
    random_k{.fraction = fraction}.check();
    clip_l2{bound}.check();
    gaussian{noise_multiplier}.check();
  }

  template <class Arch = simd::default_arch>
  result<encoded_numbers> encode(std::span<const float> x, const upload_context& who) const {
    check();
    auto sent = random_k{.fraction = fraction}.template encode<Arch>(x, who);
    if (!sent) return sent;
    std::vector<double> y(sent->values.begin(), sent->values.end());
    double squares = 0;
    for (const double v : y) squares += v * v;
    const double factor = squares > 0 ? std::min(1.0, bound / std::sqrt(squares)) : 1;
    for (double& v : y) v *= factor;
    gaussian{noise_multiplier}.release(std::span<double>(y), noise_multiplier * bound);
    std::ranges::transform(y, sent->values.begin(), [](double v) { return static_cast<float>(v); });
    return sent;
  }

  /// Of one upload of so many numbers.
  std::vector<privacy_event> events(std::size_t parameters) const {
    check();
    const std::size_t k = detail::part_of(parameters, fraction, 0);
    // Squares, their sum and the product are rounded.
    const double rounding = static_cast<double>(k + 8) * 0x1p-52;
    auto e = gaussian{noise_multiplier}.event(bounded_sum{.parameters = k, .rounding = rounding});
    e.relation = neighbours::zero_out;
    return {e};
  }
};

} // namespace privet
