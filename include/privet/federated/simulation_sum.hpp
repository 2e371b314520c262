#pragma once
// Partial sums of a thread, equal to the bit to the fixed-point sums that they are part of.

#include <privet/core/fixed_point.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet::detail {

/// Sums of numbers that are rounded as `fixed_sum` rounds them. Such numbers are integers of one unit, and a double
/// holds those exactly up to 2^53: a thread adds up its clients in doubles and hands on what `fixed_sum` would have.
class exact_partial_sum {
 public:
  exact_partial_sum(std::size_t size, fixed_point encoding) : exact_partial_sum(size, encoding, encoding) {}
  /// Weights, each at most 1 and all together too, may have an encoding of their own.
  exact_partial_sum(std::size_t size, fixed_point encoding, fixed_point of_weights)
      : sums_(size),
        unit_(std::ldexp(1.0, -encoding.fraction_bits)),
        shift_(std::ldexp(1.5, 52 - encoding.fraction_bits)), // the spacing of doubles beside it is one unit
        shift_of_weights_(std::ldexp(1.5, 52 - of_weights.fraction_bits)),
        most_each_(std::min(std::ldexp(1.0, 50 - encoding.fraction_bits), encoding.limit())),
        most_(std::min(std::ldexp(1.0, 52 - encoding.fraction_bits), encoding.limit())) {}

  /// Whether numbers up to this magnitude can be added, and whether without handing on before. False for NaN.
  bool takes(double largest) const noexcept { return largest < most_each_; }
  bool has_room(double largest) const noexcept { return reach_ + largest + unit_ < most_; }

  /// Precondition: `takes` and `has_room`.
  void add(std::span<const float> values, double weight, double largest) noexcept {
    double* const sums = sums_.data();
    const double shift = shift_;
    for (std::size_t i = 0; i < values.size(); ++i)
      sums[i] += (static_cast<double>(values[i]) + shift) - shift;
    weight_ += (weight + shift_of_weights_) - shift_of_weights_;
    reach_ += largest + unit_;
  }

  /// What was added, to `f(sums, weight)`; then it starts again.
  template <class F>
  void hand_on(F&& f) {
    if (reach_ > 0) f(std::span<const double>(sums_), std::span<const double>(&weight_, 1));
    clear();
  }
  void clear() {
    if (reach_ > 0) std::ranges::fill(sums_, 0.0);
    weight_ = reach_ = 0;
  }

 private:
  std::vector<double> sums_;
  double unit_, shift_, shift_of_weights_, most_each_, most_;
  double weight_ = 0;
  double reach_ = 0; ///< no sum is larger in magnitude
};

/// The largest magnitude; not finite if one is not.
inline float largest_magnitude(std::span<const float> values) noexcept {
  std::uint32_t top = 0; // bits of magnitudes are in the order of magnitudes, and NaN comes last
  for (const float x : values) top = std::max(top, std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFu);
  return std::bit_cast<float>(top);
}

} // namespace privet::detail
