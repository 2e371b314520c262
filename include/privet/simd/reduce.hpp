#pragma once
// Sums over spans. Lanes first, then the lanes of one batch: the order depends on the
// length and the architecture alone.

#include <privet/simd/arch.hpp>
#include <privet/simd/transpose.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

namespace detail {

/// The sums of squares that each lane meets.
template <class Arch, class T, class Size>
batch<T, Arch> squares_by_lane(const T* x, Size size) noexcept {
  auto sum = simd::broadcast<Arch>(T{});
  for_each_batch<Arch, T>(size, [&](std::size_t i, auto n) {
    const auto v = simd::load_lanes<Arch>(x + i, n);
    sum = simd::fma(v, v, sum);
  });
  return sum;
}

/// Sums of squares of as many rows as a batch has lanes, one in each lane; the last row stands for those
/// after it. Each is summed in one order, wherever in the batch it stands.
template <class Arch, class T, class Width>
batch<T, Arch> squares_of_rows(const T* x, Width width, std::size_t rows) noexcept {
  if constexpr (std::same_as<Arch, scalar>) {
    return squares_by_lane<Arch>(x, width);
  } else {
    constexpr std::size_t lanes = simd::width<T, Arch>;
    batch<T, Arch> sums[lanes];
    for (std::size_t r = 0; r < lanes; ++r) // a row at a time: memory is read in its own order
      sums[r] = squares_by_lane<Arch>(x + (r < rows ? r : rows - 1) * width, width);
    return simd::reduce_each<Arch, T>(sums);
  }
}

} // namespace detail

/// Sum of squares of a span.
template <class Arch = default_arch, class T>
T sum_squares(std::span<const T> x) {
  return simd::reduce_add(detail::squares_by_lane<Arch>(x.data(), x.size()));
}

/// norms[r] += (|x_r|^2 + 1) |y_r|^2 for each of the rows: the squared norm of the outer product of x_r and
/// y_r beside y_r itself. x (rows, in), y (rows, out).
///
/// Ensures  never less than it by more than rounding: squares of y that underflow count as if they did not,
///          or a large x beside a tiny y would have a norm of zero
template <class Arch = default_arch, class T, class In, class Out>
void add_outer_squares(std::size_t rows, In in, const T* x, Out out, const T* y, T* norms) noexcept {
  constexpr std::size_t lanes = width<T, Arch>;
  const auto one = simd::broadcast<Arch>(T{1}),
             least = simd::broadcast<Arch>(static_cast<T>(static_cast<std::size_t>(out)) *
                                           std::numeric_limits<T>::min());
  for (std::size_t r = 0; r < rows; r += lanes) {
    const std::size_t left = rows - r;
    const auto squares = detail::squares_of_rows<Arch>(x + r * in, in, left) + one,
               others = detail::squares_of_rows<Arch>(y + r * out, out, left) + least;
    const auto add = [&](auto n) {
      simd::store_lanes<Arch, T>(norms + r, simd::fma(squares, others, simd::load_lanes<Arch>(norms + r, n)),
                                 n);
    };
    if (left < lanes)
      add(some_lanes{left});
    else
      add(all_lanes{});
  }
}

} // namespace privet::simd::inline PRIVET_ISA
