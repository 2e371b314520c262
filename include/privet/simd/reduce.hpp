#pragma once
// Sums over spans and rows. Lanes first, then the lanes of one batch: the order depends on the
// length and the architecture alone.

#include <privet/simd/arch.hpp>

#include <cstddef>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// Sum of squares of a span.
template <class Arch = default_arch, class T>
T sum_squares(std::span<const T> x) {
  auto sum = simd::broadcast<Arch>(T{});
  for_each_batch<Arch, T>(x.size(), [&](std::size_t i, std::size_t n) {
    const auto v = simd::load_lanes<Arch>(x.data() + i, n);
    sum = simd::fma(v, v, sum);
  });
  return simd::reduce_add(sum);
}

/// to[j] += sum over rows of x[i][j], rows ascending.
template <class Arch = default_arch, class T>
void add_columns(std::size_t rows, std::size_t columns, const T* x, T* to) {
  for_each_batch<Arch, T>(columns, [&](std::size_t j, std::size_t n) {
    auto sum = simd::load_lanes<Arch>(to + j, n);
    for (std::size_t i = 0; i < rows; ++i) sum = sum + simd::load_lanes<Arch>(x + i * columns + j, n);
    simd::store_lanes<Arch, T>(to + j, sum, n);
  });
}

} // namespace privet::simd
