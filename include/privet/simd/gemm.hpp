#pragma once
// Matrix products in the three forms a network needs. Every output element is one chain of
// fused multiply-adds in the order of the inner index, whatever the tile, the tail or the row
// count: static and run-time sizes, one row or many, give the same bits on one architecture.
//
// A register tile of 6 rows by 2 or 4 vectors keeps enough accumulators in flight to hide the
// latency of the multiply-add; the weights stream unpacked from L1/L2 (docs/simd/gemm.md).

#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace privet::simd::inline PRIVET_ISA {

/// Scalar reference: c[i][j] = start[i][j] + sum over k of a[i][k] b[k][j], k ascending, fused.
/// `a` is read with two strides, so its transpose costs nothing.
template <class T>
void gemm_reference(std::size_t m, std::size_t n, std::size_t depth, const T* a, std::size_t a_row,
                    std::size_t a_col, const T* b, std::size_t b_row, std::size_t b_col, T* c,
                    std::size_t c_row) {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      T sum = c[i * c_row + j];
      for (std::size_t k = 0; k < depth; ++k)
        sum = std::fma(a[i * a_row + k * a_col], b[k * b_row + j * b_col], sum);
      c[i * c_row + j] = sum;
    }
}

namespace detail {

inline constexpr std::size_t tile_rows = 6;
inline constexpr std::size_t tile_vectors = registers == 32 ? 4 : 2;

/// One register tile: `Rows` rows by `Vectors` batches, the last batch `tail` lanes wide.
/// The accumulators start from c, or from one row of it when `start_row` is 0.
template <class Arch, std::size_t Rows, std::size_t Vectors, class T>
inline void tile(std::size_t depth, const T* a, std::size_t a_row, std::size_t a_col, const T* b,
                 std::size_t b_row, const T* start, std::size_t start_row, T* c, std::size_t c_row,
                 std::size_t tail) {
  constexpr std::size_t w = width<T, Arch>;
  batch<T, Arch> sum[Rows][Vectors];
  const bool whole = tail == w;
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t v = 0; v < Vectors; ++v)
      sum[r][v] = v + 1 < Vectors || whole ? simd::load<Arch>(start + r * start_row + v * w)
                                           : simd::load_partial<Arch>(start + r * start_row + v * w, tail);
  const auto run = [&](auto last) {
    for (std::size_t k = 0; k < depth; ++k) {
      batch<T, Arch> right[Vectors];
      for (std::size_t v = 0; v + 1 < Vectors; ++v) right[v] = simd::load<Arch>(b + v * w);
      right[Vectors - 1] = last(b + (Vectors - 1) * w);
      for (std::size_t r = 0; r < Rows; ++r) {
        const auto left = simd::broadcast<Arch>(a[r * a_row]);
        for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = simd::fma(left, right[v], sum[r][v]);
      }
      a += a_col;
      b += b_row;
    }
  };
  if (whole)
    run([](const T* p) { return simd::load<Arch>(p); });
  else
    run([tail](const T* p) { return simd::load_partial<Arch>(p, tail); });
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t v = 0; v < Vectors; ++v)
      if (v + 1 < Vectors || whole)
        simd::store<Arch, T>(c + r * c_row + v * w, sum[r][v]);
      else
        simd::store_partial<Arch, T>(c + r * c_row + v * w, sum[r][v], tail);
}

/// All rows of one column panel of `Vectors` batches.
template <class Arch, std::size_t Vectors, class T>
void panel(std::size_t m, std::size_t depth, const T* a, std::size_t a_row, std::size_t a_col, const T* b,
           std::size_t b_row, const T* start, std::size_t start_row, T* c, std::size_t c_row,
           std::size_t tail) {
  std::size_t i = 0;
  const auto rows = [&]<std::size_t R>(std::integral_constant<std::size_t, R>) {
    tile<Arch, R, Vectors>(depth, a + i * a_row, a_row, a_col, b, b_row, start + i * start_row, start_row,
                           c + i * c_row, c_row, tail);
    i += R;
  };
  while (i + tile_rows <= m) rows(std::integral_constant<std::size_t, tile_rows>{});
  switch (m - i) {
    case 5:
      rows(std::integral_constant<std::size_t, 5>{});
      break;
    case 4:
      rows(std::integral_constant<std::size_t, 4>{});
      break;
    case 3:
      rows(std::integral_constant<std::size_t, 3>{});
      break;
    case 2:
      rows(std::integral_constant<std::size_t, 2>{});
      break;
    case 1:
      rows(std::integral_constant<std::size_t, 1>{});
      break;
    default:
      break;
  }
}

/// Picks the panel kernel for `columns` (1 .. tile_vectors * width) columns.
template <class Arch, class T>
void panel_of(std::size_t columns, std::size_t m, std::size_t depth, const T* a, std::size_t a_row,
              std::size_t a_col, const T* b, std::size_t b_row, const T* start, std::size_t start_row, T* c,
              std::size_t c_row) {
  constexpr std::size_t w = width<T, Arch>;
  const std::size_t vectors = (columns + w - 1) / w;
  const std::size_t tail = columns - (vectors - 1) * w;
  const auto call = [&]<std::size_t V>(std::integral_constant<std::size_t, V>) {
    panel<Arch, V>(m, depth, a, a_row, a_col, b, b_row, start, start_row, c, c_row, tail);
  };
  if constexpr (tile_vectors == 4) {
    if (vectors == 4) return call(std::integral_constant<std::size_t, 4>{});
    if (vectors == 3) return call(std::integral_constant<std::size_t, 3>{});
  }
  if (vectors == 2) return call(std::integral_constant<std::size_t, 2>{});
  call(std::integral_constant<std::size_t, 1>{});
}

/// c = start + a b with b row-major and `a` strided.
template <class Arch, class T>
void product(std::size_t m, std::size_t n, std::size_t depth, const T* a, std::size_t a_row,
             std::size_t a_col, const T* b, std::size_t b_row, const T* start, std::size_t start_row, T* c,
             std::size_t c_row) {
  constexpr std::size_t step = tile_vectors * width<T, Arch>;
  for (std::size_t j = 0; j < n; j += step)
    panel_of<Arch>(std::min(step, n - j), m, depth, a, a_row, a_col, b + j, b_row, start + j, start_row,
                   c + j, c_row);
}

} // namespace detail

/// y = x w + bias.   x (m, depth), w (depth, n), bias (n), y (m, n); all row-major and dense.
template <class Arch = default_arch, class T>
void affine(std::size_t m, std::size_t n, std::size_t depth, const T* x, const T* w, const T* bias, T* y) {
  detail::product<Arch>(m, n, depth, x, depth, std::size_t{1}, w, n, bias, std::size_t{0}, y, n);
}

/// g += x^T d.   x (rows, m), d (rows, n), g (m, n): the weight gradient of a dense layer.
template <class Arch = default_arch, class T>
void accumulate_outer(std::size_t rows, std::size_t m, std::size_t n, const T* x, const T* d, T* g) {
  detail::product<Arch>(m, n, rows, x, std::size_t{1}, m, d, n, g, n, g, n);
}

/// y = d w^T.   d (m, depth), w (n, depth), y (m, n): the input gradient of a dense layer.
/// Transposes w block by block into a buffer on the stack, so that the lanes run along n.
template <class Arch = default_arch, class T>
void times_transposed(std::size_t m, std::size_t n, std::size_t depth, const T* d, const T* w, T* y) {
  constexpr std::size_t step = detail::tile_vectors * width<T, Arch>;
  constexpr std::size_t block = 64; // at most 64 x 64 floats: 16 KiB, half of a small L1
  alignas(64) T packed[block * step];
  for (std::size_t i = 0; i < m * n; ++i) y[i] = T{};
  for (std::size_t j = 0; j < n; j += step) {
    const std::size_t columns = std::min(step, n - j);
    for (std::size_t k = 0; k < depth; k += block) {
      const std::size_t deep = std::min(block, depth - k);
      for (std::size_t column = 0; column < columns; ++column)
        for (std::size_t inner = 0; inner < deep; ++inner)
          packed[inner * step + column] = w[(j + column) * depth + k + inner];
      detail::panel_of<Arch>(columns, m, deep, d + k, depth, std::size_t{1}, packed, step, y + j, n, y + j,
                             n);
    }
  }
}

} // namespace privet::simd
