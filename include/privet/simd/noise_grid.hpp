#pragma once
// Numbers put on a grid, and integer noise added to them there.

#include <privet/simd/arch.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// x = (floor(x per_step) + noise + 1) step. The 1 is what two floors, this one and that of the noise, are
/// low by on average.
///
/// Requires  noise as long as x, |noise| < 2^24 - 1; per_step is 1 / step as nearly as T has it
/// Ensures   the result follows from the integer floor(x per_step) + noise alone: both are numbers that T
///           holds exactly, and rounding a sum is a function of the sum
template <class Arch = default_arch, std::floating_point T>
void add_on_grid(std::span<T> x, T per_step, T step, std::span<const std::int32_t> noise) noexcept {
  std::size_t i = 0;
  if constexpr (std::same_as<T, float> && !std::same_as<Arch, scalar>) {
    using floats = batch<float, Arch>;
    for (constexpr std::size_t lanes = width<float, Arch>; i + lanes <= x.size(); i += lanes) {
      const floats whole = xsimd::floor(floats(simd::load<Arch>(x.data() + i) * floats(per_step)));
      const auto more = simd::load<Arch>(noise.data() + i) + 1;
      // Held, so that no compiler fuses a product with a sum and spares its rounding.
      const floats sum = simd::held(floats(whole + xsimd::to_float(more)));
      simd::store<Arch, float>(x.data() + i, floats(sum * floats(step)));
    }
  }
  for (; i < x.size(); ++i) {
    const T sum = std::floor(x[i] * per_step) + static_cast<T>(noise[i] + 1);
    x[i] = sum * step;
  }
}

} // namespace privet::simd::inline PRIVET_ISA
