#pragma once
// Sums over spans. Lanes first, then the lanes of one batch: the order depends on the
// length and the architecture alone.

#include <privet/simd/arch.hpp>

#include <cstddef>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// Sum of squares of a span.
template <class Arch = default_arch, class T>
T sum_squares(std::span<const T> x) {
  auto sum = simd::broadcast<Arch>(T{});
  for_each_batch<Arch, T>(x.size(), [&](std::size_t i, auto n) {
    const auto v = simd::load_lanes<Arch>(x.data() + i, n);
    sum = simd::fma(v, v, sum);
  });
  return simd::reduce_add(sum);
}

} // namespace privet::simd::inline PRIVET_ISA
