#pragma once
// Matrix products in the forms a network needs. Every output element is one chain of fused
// multiply-adds in the order of the inner index, whatever the tile, the tail or the row count; only
// the narrow form (fewer outputs than `narrow`) splits the inner index over the lanes instead. So
// static and run-time sizes, one row or many, give the same bits on one architecture.
//
// A register tile of rows by vectors keeps enough accumulators in flight to hide the latency of
// the multiply-add; the weights stream unpacked from L1 and L2 (docs/simd/gemm.md). Sizes may be
// numbers or `size_constant`s, which leave out the tiles that a shape does not need.

#include <privet/simd/transpose.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace privet::simd::inline PRIVET_ISA {

/// Scalar reference: c[i][j] = start[i][j] + sum over k of a[i][k] b[k][j], k ascending, fused.
/// `a` and `b` are read with two strides each, so a transpose costs nothing.
template <class T>
void gemm_reference(std::size_t m, std::size_t n, std::size_t depth, const T* a, std::size_t a_row,
                    std::size_t a_col, const T* b, std::size_t b_row, std::size_t b_col, T* c,
                    std::size_t c_row) {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      T sum = c[i * c_row + j];
      for (std::size_t k = 0; k < depth; ++k)
        sum = simd::fma(a[i * a_row + k * a_col], b[k * b_row + j * b_col], sum);
      c[i * c_row + j] = sum;
    }
}

/// Layers with fewer outputs than this hold their weights by output, so that the inputs are the
/// long side, and run along the lanes. One number for every target: it decides the order of
/// parameters in memory.
inline constexpr std::size_t narrow = 16;

namespace detail {

/// Sizes that the compiler knows leave the others out.
template <class N>
inline constexpr std::size_t known = 0;
template <std::size_t N>
inline constexpr std::size_t known<size_constant<N>> = N;

/// A size as it is, if it is a constant; else as std::size_t.
template <class N>
constexpr auto size_of(N n) noexcept {
  if constexpr (known<N> != 0)
    return n;
  else
    return static_cast<std::size_t>(n);
}

/// Vectors side by side in a tile.
inline constexpr std::size_t tile_vectors = registers == 32 ? 4 : 2;
/// Rows of a tile. Six would fit where five are usual, but leave few registers to run ahead with.
struct heights {
  std::size_t usual, most;
};
constexpr heights tile_heights(std::size_t vectors) noexcept {
  if (vectors == 1) return {8, 8};
  return {registers == 32 ? 5u : 6u, 6};
}
/// Of the next tile: as usual, and the last rows in one tile or two nearly equal ones.
constexpr std::size_t next_height(std::size_t rows_left, heights h) noexcept {
  if (rows_left > 2 * h.usual) return h.usual;
  return rows_left > h.most ? (rows_left + 1) / 2 : rows_left;
}
/// One row alone needs as many vectors as hide the latency.
inline constexpr std::size_t row_vectors = 8;

/// A strided matrix that is read scalar by scalar.
template <class T>
struct scalars {
  const T* data;
  std::size_t row, column;
};

/// One register tile at c: `Rows` rows by `Vectors` batches, of which the last has `Last` lanes.
///
/// start(at, v, lanes)   the accumulator's first value, of the v-th vector of a row
/// finish(at, sum, lanes)  what becomes of it; `at` is its place in c
template <class Arch, std::size_t Rows, std::size_t Vectors, class T, class N, class Last, class Start,
          class Finish>
[[gnu::always_inline]] inline void tile(std::size_t depth, scalars<T> a, const T* b, std::size_t b_row, T* c,
                                        N c_row, Last last, const Start& start, const Finish& finish) {
  constexpr std::size_t w = width<T, Arch>;
  batch<T, Arch> sum[Rows][Vectors];
  T* at = c;
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i, at += c_row) {
    PRIVET_UNROLL for (std::size_t v = 0; v + 1 < Vectors; ++v) sum[i][v] = start(at + v * w, v, all_lanes{});
    sum[i][Vectors - 1] = start(at + (Vectors - 1) * w, Vectors - 1, last);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    if constexpr (Rows == 1) { // each vector of b is used once: the multiply-add reads it
      const auto left = simd::broadcast<Arch>(*a.data);
      PRIVET_UNROLL for (std::size_t v = 0; v + 1 < Vectors; ++v) sum[0][v] =
          simd::fma(left, simd::load<Arch>(b + v * w), sum[0][v]);
      sum[0][Vectors - 1] =
          simd::fma(left, simd::load_lanes<Arch>(b + (Vectors - 1) * w, last), sum[0][Vectors - 1]);
    } else {
      batch<T, Arch> right[Vectors];
      PRIVET_UNROLL for (std::size_t v = 0; v + 1 < Vectors; ++v) right[v] =
          simd::held(simd::load<Arch>(b + v * w));
      right[Vectors - 1] = simd::held(simd::load_lanes<Arch>(b + (Vectors - 1) * w, last));
      const T* from = a.data;
      PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i, from += a.row) {
        const auto left = simd::broadcast<Arch>(*from);
        PRIVET_UNROLL for (std::size_t v = 0; v < Vectors; ++v) sum[i][v] =
            simd::fma(left, right[v], sum[i][v]);
      }
    }
    a.data += a.column;
    b += b_row;
  }
  at = c;
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i, at += c_row) {
    PRIVET_UNROLL for (std::size_t v = 0; v + 1 < Vectors; ++v) finish(at + v * w, sum[i][v], all_lanes{});
    finish(at + (Vectors - 1) * w, sum[i][Vectors - 1], last);
  }
}

/// A size cut into parts of nearly one size, none above `most`.
struct parts {
  std::size_t count, smallest, largest;
};
constexpr parts cut(std::size_t size, std::size_t most) noexcept {
  const std::size_t count = (size + most - 1) / most;
  if (count == 0) return {0, 1, most};
  return {count, size / count, size / count + (size % count != 0)};
}
/// The tiles of `M` rows, all that may occur for a run-time number.
template <class M>
constexpr heights occurring_heights(heights h) noexcept {
  heights found{known<M> != 0 ? h.most : 1, known<M> != 0 ? 1 : h.most}; // least and most
  for (std::size_t left = known<M>; left > 0;) {
    const std::size_t rows = next_height(left, h);
    found = {std::min(found.usual, rows), std::max(found.most, rows)};
    left -= rows;
  }
  return found;
}
/// The parts that occur for `N`, all that may for a run-time size.
template <class N>
constexpr parts occurring(std::size_t most) noexcept {
  if constexpr (known<N> != 0) return cut(known<N>, most);
  return {0, 1, most};
}

/// `rows` rows of one panel, between `Least` and `Rows`.
template <class Arch, std::size_t Vectors, std::size_t Rows, std::size_t Least, class T, class N, class Last,
          class Start, class Finish>
[[gnu::always_inline]] inline void some_rows(std::size_t rows, std::size_t depth, scalars<T> a, const T* b,
                                             std::size_t b_row, T* c, N c_row, Last last, const Start& start,
                                             const Finish& finish) {
  if (rows == Rows)
    tile<Arch, Rows, Vectors>(depth, a, b, b_row, c, c_row, last, start, finish);
  else if constexpr (Rows > Least)
    some_rows<Arch, Vectors, Rows - 1, Least>(rows, depth, a, b, b_row, c, c_row, last, start, finish);
}

/// `Vectors` batches of columns, all rows.
template <class Arch, std::size_t Vectors, class M, class T, class N, class Last, class Start, class Finish>
[[gnu::noinline]] void panel(M m, std::size_t depth, const scalars<T>& rows_of_a, const T* b,
                             std::size_t b_row, T* c, N c_row, Last last, const Start& first,
                             const Finish& end) {
  // Copies of one's own: by value they would come over the stack, in pieces that no load can be
  // forwarded from, so each call would wait until all stores of the one before are in the cache.
  scalars<T> a = rows_of_a;
  const Start start = first;
  const Finish finish = end;
  constexpr heights tiles = tile_heights(Vectors), sizes = occurring_heights<M>(tiles);
  for (std::size_t left = m; left > 0;) {
    const std::size_t rows = next_height(left, tiles);
    some_rows<Arch, Vectors, sizes.most, sizes.usual>(rows, depth, a, b, b_row, c, c_row, last, start,
                                                      finish);
    a.data += rows * a.row;
    c += rows * c_row;
    left -= rows;
  }
}

/// `vectors` batches of columns, between `Least` and `Vectors`; the last has `lanes` lanes.
template <class Arch, std::size_t Vectors, std::size_t Least, class M, class T, class N, class Start,
          class Finish>
void panel_of(std::size_t vectors, std::size_t lanes, M m, std::size_t depth, const scalars<T>& a, const T* b,
              std::size_t b_row, T* c, N c_row, const Start& start, const Finish& finish) {
  constexpr std::size_t w = width<T, Arch>;
  if (vectors < Vectors) {
    if constexpr (Vectors > Least)
      panel_of<Arch, Vectors - 1, Least>(vectors, lanes, m, depth, a, b, b_row, c, c_row, start, finish);
    return;
  }
  if constexpr (known<N> == 0 || known<N> % w != 0)
    if (lanes < w)
      return panel<Arch, Vectors>(m, depth, a, b, b_row, c, c_row, some_lanes{lanes}, start, finish);
  panel<Arch, Vectors>(m, depth, a, b, b_row, c, c_row, all_lanes{}, start, finish);
}

/// finish(start + a b), panel by panel.   a (m, depth) strided, b (depth, n) row-major, c (m, n).
/// `start(j)` makes what a tile asks for its first values from column j on.
template <class Arch, class M, class N, class T, class Start, class Finish>
void product(M m, N n, std::size_t depth, const scalars<T>& a, const T* b, T* c, const Start& start,
             const Finish& finish) {
  constexpr std::size_t w = width<T, Arch>;
  constexpr std::size_t most = std::is_same_v<M, size_constant<1>> ? row_vectors : tile_vectors;
  constexpr parts sizes = occurring<size_constant<(known<N> + w - 1) / w>>(most);
  const parts panels = cut((n + w - 1) / w, most);
  std::size_t j = 0;
  for (std::size_t p = 0, larger = (n + w - 1) / w - panels.count * panels.smallest; p < panels.count; ++p) {
    const std::size_t vectors = panels.smallest + (p < larger),
                      lanes = std::min(w, n - j - (vectors - 1) * w);
    panel_of<Arch, sizes.largest, sizes.smallest>(vectors, lanes, m, depth, a, b + j, n, c + j, n, start(j),
                                                  finish);
    j += vectors * w;
  }
}

template <class Arch, class T>
inline constexpr auto as_sum = [](T * at, const auto& sum, auto lanes) __attribute__((always_inline)) {
  simd::store_lanes<Arch, T>(at, sum, lanes);
};

} // namespace detail

/// y = finish(x w + bias).   x (m, depth), w (depth, n), bias (n), y (m, n); row-major and dense.
/// `finish` maps batches of y on their way to memory: an activation costs no pass of its own.
template <class Arch = default_arch, class M, class N, class K, class T, class F = as_it_is>
void affine(M m, N n, K depth, const T* x, const T* w, const T* bias, T* y, const F& finish = {}) {
  const auto start = [bias](std::size_t j) {
    return [from = bias + j](T*, auto v, auto lanes) __attribute__((always_inline)) {
      return simd::load_lanes<Arch>(from + v * width<T, Arch>, lanes);
    };
  };
  const auto store = [finish](T * at, const auto& sum, auto lanes) __attribute__((always_inline)) {
    simd::store_lanes<Arch, T>(at, finish(sum), lanes);
  };
  const auto inner = static_cast<std::size_t>(depth);
  const detail::scalars<T> left{x, inner, 1};
  if (m != 1)
    return detail::product<Arch>(detail::size_of(m), detail::size_of(n), inner, left, w, y, start, store);
  // One row has panels of its own; one set of them is enough for all activations.
  detail::product<Arch>(size_constant<1>{}, detail::size_of(n), inner, left, w, y, start,
                        detail::as_sum<Arch, T>);
  if constexpr (!std::is_same_v<F, as_it_is>)
    simd::for_each_batch<Arch, T>(n, [&](std::size_t j, auto lanes) {
      simd::store_lanes<Arch, T>(y + j, finish(simd::load_lanes<Arch>(static_cast<const T*>(y + j), lanes)),
                                 lanes);
    });
}

namespace detail {

/// Rows and outputs of a tile of the narrow form.
inline constexpr std::size_t narrow_rows = registers == 32 ? 4 : 2;
inline constexpr std::size_t narrow_columns = 6;
/// Rows between two reductions.
inline constexpr std::size_t narrow_block = 16;

/// sums[r * n + j] = lane-wise sums of x[r] . w[j] for `Rows` rows and `Columns` outputs.
template <class Arch, std::size_t Rows, std::size_t Columns, class N, class K, class T>
[[gnu::always_inline]] inline void dot_tile(N n, K depth, const T* x, const T* w, batch<T, Arch>* sums) {
  constexpr std::size_t wide = width<T, Arch>;
  batch<T, Arch> sum[Rows][Columns];
  PRIVET_UNROLL for (std::size_t r = 0; r < Rows; ++r) PRIVET_UNROLL for (std::size_t j = 0; j < Columns; ++j)
      sum[r][j] = simd::broadcast<Arch>(T{});
  const auto step = [&](std::size_t k, auto lanes) __attribute__((always_inline)) {
    batch<T, Arch> left[Rows];
    PRIVET_UNROLL for (std::size_t r = 0; r < Rows; ++r) {
      left[r] = simd::held(simd::load_lanes<Arch>(x + r * depth + k, lanes));
    }
    PRIVET_UNROLL for (std::size_t j = 0; j < Columns; ++j) {
      const auto right = simd::held(simd::load_lanes<Arch>(w + j * depth + k, lanes));
      PRIVET_UNROLL for (std::size_t r = 0; r < Rows; ++r) sum[r][j] = simd::fma(left[r], right, sum[r][j]);
    }
  };
  std::size_t k = 0;
  for (; k + wide <= depth; k += wide) step(k, all_lanes{});
  if (k < depth) step(k, some_lanes{depth - k});
  PRIVET_UNROLL for (std::size_t r = 0; r < Rows; ++r) PRIVET_UNROLL for (std::size_t j = 0; j < Columns; ++j)
      sums[r * n + j] = sum[r][j];
}

/// Splits rows and outputs into tiles.
template <class Arch, std::size_t Columns, class N, class K, class T>
void dot_rows(std::size_t rows, N n, K depth, const T* x, const T* w, batch<T, Arch>* sums) {
  const auto some = [&]<std::size_t R>(size_constant<R>) {
    for (; rows >= R; rows -= R, x += R * depth, sums += R * n)
      dot_tile<Arch, R, Columns>(n, depth, x, w, sums);
  };
  some(size_constant<narrow_rows>{});
  if constexpr (narrow_rows > 2) some(size_constant<2>{});
  some(size_constant<1>{});
}
template <class Arch, std::size_t Columns, std::size_t Least, class N, class K, class T>
void dot_columns(std::size_t columns, std::size_t rows, N n, K depth, const T* x, const T* w,
                 batch<T, Arch>* sums) {
  if (columns == Columns)
    dot_rows<Arch, Columns>(rows, n, depth, x, w, sums);
  else if constexpr (Columns > Least)
    dot_columns<Arch, Columns - 1, Least>(columns, rows, n, depth, x, w, sums);
}

template <class Arch, class N, class K, class T, class F>
void narrow_affine(std::size_t m, N n, K depth, const T* x, const T* w, const T* bias, T* y,
                   const F& finish) {
  constexpr std::size_t wide = width<T, Arch>, most = known<N> ? known<N> : narrow - 1;
  static_assert(most < narrow);
  batch<T, Arch> sums[(narrow_block + 1) * most + wide]; // the tree may read past the last
  alignas(64) T starts[narrow_block * most + wide];
  const std::size_t block = std::min(m, narrow_block);
  for (std::size_t i = 0; i < block; ++i)
    for (std::size_t j = 0; j < n; ++j) starts[i * n + j] = bias[j];
  simd::store<Arch, T>(starts + block * n, simd::broadcast<Arch>(T{}));
  constexpr parts sizes = occurring<N>(narrow_columns);
  const parts tiles = cut(n, narrow_columns);
  for (std::size_t first = 0; first < m; first += block) {
    const std::size_t rows = std::min(block, m - first), outputs = rows * n;
    std::size_t j = 0;
    for (std::size_t t = 0, larger = n - tiles.count * tiles.smallest; t < tiles.count; ++t) {
      const std::size_t columns = tiles.smallest + (t < larger);
      dot_columns<Arch, sizes.largest, sizes.smallest>(columns, rows, n, depth, x + first * depth,
                                                       w + j * depth, sums + j);
      j += columns;
    }
    for (std::size_t o = outputs; o % wide != 0; ++o) sums[o] = simd::broadcast<Arch>(T{});
    T* const to = y + first * n;
    for (std::size_t o = 0; o < outputs; o += wide) {
      batch<T, Arch> lanes[wide];
      PRIVET_UNROLL for (std::size_t i = 0; i < wide; ++i) lanes[i] = sums[o + i];
      const auto z = simd::reduce_each<Arch, T>(lanes) + simd::load<Arch>(starts + o);
      if (o + wide <= outputs)
        simd::store<Arch, T>(to + o, finish(z));
      else
        simd::store_partial<Arch, T>(to + o, finish(z), outputs - o);
    }
  }
}

} // namespace detail

/// y = finish(x w^T + bias) for fewer outputs than `narrow`.   x (m, k), w (n, k), bias (n), y (m, n).
/// The lanes run along the inputs: each output is a sum per lane, then over the lanes.
template <class Arch = default_arch, class N, class K, class T, class F = as_it_is>
void affine_by_output(std::size_t m, N n, K depth, const T* x, const T* w, const T* bias, T* y,
                      const F& finish = {}) {
  detail::narrow_affine<Arch>(m, detail::size_of(n), detail::size_of(depth), x, w, bias, y, finish);
}

namespace detail {

template <class Arch, class T>
inline constexpr auto from_zero = [](std::size_t) {
  return [](T*, auto, auto) __attribute__((always_inline)) { return simd::broadcast<Arch>(T{}); };
};

} // namespace detail

/// What an outer product does with its sums.
///
///   write      g = sum
///   add        g = g + sum, the sum starting from g
///   subtract   g = g - scale sum, the sum never in memory: the last step of gradient descent
struct write {};
struct add {};
template <class T>
struct subtract {
  T scale;
};

namespace detail {

template <class Arch, class M, class N, class T>
void outer_product(std::size_t rows, M m, N n, scalars<T> x, const T* d, T* g, write) {
  detail::product<Arch>(m, n, rows, x, d, g, from_zero<Arch, T>, as_sum<Arch, T>);
}
template <class Arch, class M, class N, class T>
void outer_product(std::size_t rows, M m, N n, scalars<T> x, const T* d, T* g, add) {
  const auto start = [](std::size_t) {
    return [](T * at, auto, auto lanes) __attribute__((always_inline)) {
      return simd::load_lanes<Arch>(at, lanes);
    };
  };
  detail::product<Arch>(m, n, rows, x, d, g, start, as_sum<Arch, T>);
}
template <class Arch, class M, class N, class T>
void outer_product(std::size_t rows, M m, N n, scalars<T> x, const T* d, T* g, subtract<T> by) {
  const auto start = [](std::size_t) {
    return [](T * at, auto, auto) __attribute__((always_inline)) {
      __builtin_prefetch(at, 1); // needed only when the sum is done
      return simd::broadcast<Arch>(T{});
    };
  };
  const auto finish = [minus = simd::broadcast<Arch>(-by.scale)](T * at, const auto& sum, auto lanes)
      __attribute__((always_inline)) {
    simd::store_lanes<Arch, T>(at, simd::fma(minus, sum, simd::load_lanes<Arch>(at, lanes)), lanes);
  };
  detail::product<Arch>(m, n, rows, x, d, g, start, finish);
}

} // namespace detail

/// g = x^T d, g += x^T d or g -= scale x^T d.   x (rows, m) with `x_row` scalars from one row to the
/// next, d (rows, n), g (m, n): the weight gradient of a dense layer.
template <class Arch = default_arch, class M, class N, class T, class How>
void outer(std::size_t rows, M m, N n, const T* x, std::size_t x_row, const T* d, T* g, How how) {
  detail::outer_product<Arch>(rows, detail::size_of(m), detail::size_of(n), detail::scalars<T>{x, 1, x_row},
                              d, g, how);
}

/// The same with ones for x: the sums of the columns of d, rows ascending. For biases.
template <class Arch = default_arch, class N, class T, class How>
void sum_rows(std::size_t rows, N n, const T* d, T* g, How how) {
  constexpr T one = 1;
  detail::outer_product<Arch>(rows, size_constant<1>{}, detail::size_of(n), detail::scalars<T>{&one, 0, 0}, d,
                              g, how);
}

/// dx = finish(d w, y).   d (m, n), w (n, k), y and dx (m, k): the input gradient of a layer that
/// holds its weights by output. `finish` maps batches of dx beside those of y, the layer's input.
template <class Arch = default_arch, class N, class K, class T, class F>
void back_by_output(std::size_t m, N n, K k, const T* d, const T* w, const T* y, T* dx, const F& finish) {
  const auto store = [ finish, y, dx ](T * at, const auto& sum, auto lanes) __attribute__((always_inline)) {
    simd::store_lanes<Arch, T>(at, finish(sum, simd::load_lanes<Arch>(y + (at - dx), lanes)), lanes);
  };
  const auto inner = static_cast<std::size_t>(n);
  detail::product<Arch>(m, detail::size_of(k), inner, detail::scalars<T>{d, inner, 1}, w, dx,
                        detail::from_zero<Arch, T>, store);
}

/// Rows that `back_by_input` works on at a time.
inline constexpr std::size_t back_rows = 64;

/// Scalars of scratch that `back_by_input` needs for `m` rows of `n` deltas.
constexpr std::size_t back_scratch(std::size_t m, std::size_t n) noexcept {
  const std::size_t rows = std::min((m + narrow - 1) / narrow * narrow, back_rows);
  return rows * (n + narrow);
}

/// dx = finish(d w^T, y).   d (m, n), w (k, n), y and dx (m, k): the input gradient of a layer that
/// holds its weights by input. The rows of the batch run along the lanes: d is transposed once, w
/// is read where it lies, and dx is turned back on its way to memory.
template <class Arch = default_arch, class T, class F>
void back_by_input(std::size_t m, std::size_t n, std::size_t k, const T* d, const T* w, const T* y, T* dx,
                   T* scratch, const F& finish) {
  constexpr std::size_t wide = width<T, Arch>;
  static_assert(narrow % wide == 0);
  for (std::size_t first = 0; first < m; first += back_rows) {
    const std::size_t rows = std::min(back_rows, m - first);
    const std::size_t across = (rows + wide - 1) / wide * wide; // whole batches; the last may hold zeros
    T* const turned = scratch;                                  // (n, across)
    T* const block = scratch + n * across;                      // (narrow, across)
    simd::turn<Arch>(rows, n, d + first * n, turned, across);
    for (std::size_t i = 0; i < k; i += narrow) {
      const std::size_t high = std::min(narrow, k - i);
      detail::product<Arch>(high, across, n, detail::scalars<T>{w + i * n, n, 1}, turned, block,
                            detail::from_zero<Arch, T>, detail::as_sum<Arch, T>);
      const T* const beside = y + first * k + i;
      simd::turn_back<Arch>(high, rows, block, across, dx + first * k + i, k,
                            [&](const auto& v, std::size_t at, auto lanes) {
                              return finish(v, simd::load_lanes<Arch>(beside + at, lanes));
                            });
    }
  }
}

} // namespace privet::simd::inline PRIVET_ISA
