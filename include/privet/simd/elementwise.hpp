#pragma once
// Vectors added and scaled, element by element.

#include <privet/simd/arch.hpp>

#include <cstddef>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// y += a x, fused. Both of one length.
template <class Arch = default_arch, class T>
void axpy(T a, std::span<const T> x, std::span<T> y) noexcept {
  const auto factor = simd::broadcast<Arch>(a);
  for_each_batch<Arch, T>(x.size(), [&](std::size_t i, auto lanes) {
    const auto sum = simd::fma(factor, simd::load_lanes<Arch>(x.data() + i, lanes),
                               simd::load_lanes<Arch>(y.data() + i, lanes));
    simd::store_lanes<Arch, T>(y.data() + i, sum, lanes);
  });
}

/// x *= a.
template <class Arch = default_arch, class T>
void scale(T a, std::span<T> x) noexcept {
  const auto factor = simd::broadcast<Arch>(a);
  for_each_batch<Arch, T>(x.size(), [&](std::size_t i, auto lanes) {
    simd::store_lanes<Arch, T>(x.data() + i, simd::load_lanes<Arch>(x.data() + i, lanes) * factor, lanes);
  });
}

/// Row r of x (rows, width) times a[r].
template <class Arch = default_arch, class T>
void scale_rows(std::size_t rows, std::size_t width, const T* a, T* x) noexcept {
  if (width < simd::width<T, Arch>) { // what is read next are single numbers, which masked stores hold up
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < width; ++i) x[r * width + i] *= a[r];
    return;
  }
  for (std::size_t r = 0; r < rows; ++r) simd::scale<Arch>(a[r], std::span<T>(x + r * width, width));
}

} // namespace privet::simd::inline PRIVET_ISA
