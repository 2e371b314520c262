#pragma once
// Matrix products over the integers modulo 2^64, in which secret shares are added and multiplied.
// Sums wrap and may be split in any way: every form gives the same words. docs/simd/ring_gemm.md

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// Scalar reference: c += a b.   a (m, depth), b (depth, n), c (m, n); row-major and dense.
inline void ring_gemm_reference(std::size_t m, std::size_t n, std::size_t depth,
                                std::span<const std::uint64_t> a, std::span<const std::uint64_t> b,
                                std::span<std::uint64_t> c) noexcept {
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < depth; ++k) c[i * n + j] += a[i * depth + k] * b[k * n + j];
}

namespace detail::ring {

using word = std::uint64_t;

// What a target says: how lanes are multiplied and added. `left` and `right` are operands made ready,
// since each serves a row or a column of a tile; `sum` is what their products are added to. Without
// a multiplication of 64 bits, with a = a1 2^32 + a0:  a b = a0 b0 + 2^32 (a1 b0 + a0 b1).

/// One word at a time. Vectors of SSE2 need six instructions for two products, and are slower.
struct single {
  using vector = word;
  using left = word;
  using right = word;
  using sum = word;
  static constexpr std::size_t width = 1, rows = 4, columns = registers == 32 ? 4 : 2;
  static vector load(const word* from) noexcept { return *from; }
  static vector load(const word* from, std::size_t) noexcept { return *from; }
  static void store(word* to, vector v) noexcept { *to = v; }
  static void store(word* to, vector v, std::size_t) noexcept { *to = v; }
  static vector all(word x) noexcept { return x; }
  static left ready_left(vector v) noexcept { return v; }
  static right ready_right(vector v) noexcept { return v; }
  static sum zero() noexcept { return 0; }
  static sum add(sum s, left a, right b) noexcept { return s + a * b; }
  static vector total(sum s) noexcept { return s; }
  static vector plus(vector a, vector b) noexcept { return a + b; }
};

/// What is used in place of batches of so many words.
template <std::size_t Width>
struct in_place_of {
  using type = single;
};

#if defined(__AVX512F__) && defined(__AVX512DQ__)
struct avx512 {
  using vector = __m512i;
  using left = vector;
  using right = vector;
  using sum = vector;
  static constexpr std::size_t width = 8, rows = 6, columns = 4;
  static vector load(const word* from) noexcept { return _mm512_loadu_si512(from); }
  static vector load(const word* from, std::size_t n) noexcept {
    return _mm512_maskz_loadu_epi64(first(n), from);
  }
  static void store(word* to, vector v) noexcept { _mm512_storeu_si512(to, v); }
  static void store(word* to, vector v, std::size_t n) noexcept { _mm512_mask_storeu_epi64(to, first(n), v); }
  static vector all(word x) noexcept { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static left ready_left(vector v) noexcept { return v; }
  static right ready_right(vector v) noexcept { return v; }
  static sum zero() noexcept { return _mm512_setzero_si512(); }
  static sum add(sum s, left a, right b) noexcept { return _mm512_add_epi64(s, _mm512_mullo_epi64(a, b)); }
  static vector total(sum s) noexcept { return s; }
  static vector plus(vector a, vector b) noexcept { return _mm512_add_epi64(a, b); }

 private:
  static __mmask8 first(std::size_t n) noexcept { return static_cast<__mmask8>((1u << n) - 1); }
};
template <>
struct in_place_of<8> {
  using type = avx512;
};
#endif

#if defined(__AVX2__)
struct avx2 {
  using vector = __m256i;
  using left = vector;
  struct right {
    vector plain, swapped; ///< the halves of each word
  };
  struct sum {
    vector low, cross; ///< a0 b0; a1 b0 and a0 b1 in lanes of 32 bits
  };
  static constexpr std::size_t width = 4, rows = 2, columns = 2;
  static vector load(const word* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const vector*>(from));
  }
  static vector load(const word* from, std::size_t n) noexcept {
    return _mm256_maskload_epi64(reinterpret_cast<const long long*>(from), first(n));
  }
  static void store(word* to, vector v) noexcept { _mm256_storeu_si256(reinterpret_cast<vector*>(to), v); }
  static void store(word* to, vector v, std::size_t n) noexcept {
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(to), first(n), v);
  }
  static vector all(word x) noexcept { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static left ready_left(vector v) noexcept { return v; }
  static right ready_right(vector v) noexcept { return {v, _mm256_shuffle_epi32(v, 0xB1)}; }
  static sum zero() noexcept { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static sum add(sum s, left a, right b) noexcept {
    return {_mm256_add_epi64(s.low, _mm256_mul_epu32(a, b.plain)),
            _mm256_add_epi32(s.cross, _mm256_mullo_epi32(a, b.swapped))};
  }
  static vector total(sum s) noexcept {
    const vector both = _mm256_add_epi32(s.cross, _mm256_srli_epi64(s.cross, 32));
    return _mm256_add_epi64(s.low, _mm256_slli_epi64(both, 32));
  }
  static vector plus(vector a, vector b) noexcept { return _mm256_add_epi64(a, b); }

 private:
  static vector first(std::size_t n) noexcept {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(n)), _mm256_setr_epi64x(0, 1, 2, 3));
  }
};
template <>
struct in_place_of<4> {
  using type = avx2;
};
#endif

#if defined(__aarch64__)
struct neon64 {
  using vector = uint64x2_t;
  struct left {
    uint32x2_t low;
    uint32x4_t plain;
  };
  struct right {
    uint32x2_t low;
    uint32x4_t swapped; ///< the halves of each word
  };
  struct sum {
    uint64x2_t low;   ///< a0 b0
    uint32x4_t cross; ///< a1 b0 and a0 b1
  };
  static constexpr std::size_t width = 2, rows = 4, columns = 2;
  static vector load(const word* from) noexcept { return vld1q_u64(from); }
  static vector load(const word* from, std::size_t) noexcept {
    return vsetq_lane_u64(*from, vdupq_n_u64(0), 0);
  }
  static void store(word* to, vector v) noexcept { vst1q_u64(to, v); }
  static void store(word* to, vector v, std::size_t) noexcept { *to = vgetq_lane_u64(v, 0); }
  static vector all(word x) noexcept { return vdupq_n_u64(x); }
  static left ready_left(vector v) noexcept { return {vmovn_u64(v), vreinterpretq_u32_u64(v)}; }
  static right ready_right(vector v) noexcept {
    return {vmovn_u64(v), vrev64q_u32(vreinterpretq_u32_u64(v))};
  }
  static sum zero() noexcept { return {vdupq_n_u64(0), vdupq_n_u32(0)}; }
  static sum add(sum s, left a, right b) noexcept {
    return {vmlal_u32(s.low, a.low, b.low), vmlaq_u32(s.cross, a.plain, b.swapped)};
  }
  static vector total(sum s) noexcept {
    const vector cross = vreinterpretq_u64_u32(s.cross);
    return vaddq_u64(s.low, vshlq_n_u64(vaddq_u64(cross, vshrq_n_u64(cross, 32)), 32));
  }
  static vector plus(vector a, vector b) noexcept { return vaddq_u64(a, b); }
};
template <>
struct in_place_of<2> {
  using type = neon64;
};
#endif

template <class Lanes>
[[gnu::always_inline]] inline auto load(const word* from, all_lanes) noexcept {
  return Lanes::load(from);
}
template <class Lanes>
[[gnu::always_inline]] inline auto load(const word* from, some_lanes part) noexcept {
  return Lanes::load(from, part.count);
}
template <class Lanes>
[[gnu::always_inline]] inline void add_to(word* to, typename Lanes::vector v, all_lanes) noexcept {
  Lanes::store(to, Lanes::plus(Lanes::load(to), v));
}
template <class Lanes>
[[gnu::always_inline]] inline void add_to(word* to, typename Lanes::vector v, some_lanes part) noexcept {
  Lanes::store(to, Lanes::plus(Lanes::load(to, part.count), v), part.count);
}

/// Part of a product: `depth` columns of a and rows of b, and how far one row is from the next.
struct operands {
  std::size_t depth;
  const word* a;
  std::size_t a_row;
  const word* b;
  std::size_t b_row;
  word* c;
  std::size_t c_row;
};

/// `Rows` rows by `Columns` vectors of c, of which the last has `last` lanes.
template <class Lanes, std::size_t Rows, std::size_t Columns, class Last>
[[gnu::always_inline]] inline void tile(operands of, Last last) noexcept {
  constexpr std::size_t w = Lanes::width, end = Columns - 1;
  typename Lanes::sum sums[Rows][Columns];
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i) {
    PRIVET_UNROLL for (std::size_t v = 0; v < Columns; ++v) sums[i][v] = Lanes::zero();
  }
  do { // tested at the end: with a test before the loop, g++ keeps a copy of every sum in memory
    typename Lanes::right right[Columns];
    PRIVET_UNROLL for (std::size_t v = 0; v < end; ++v) {
      right[v] = Lanes::ready_right(Lanes::load(of.b + v * w));
    }
    right[end] = Lanes::ready_right(ring::load<Lanes>(of.b + end * w, last));
    const word* from = of.a;
    PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i, from += of.a_row) {
      const auto left = Lanes::ready_left(Lanes::all(*from));
      PRIVET_UNROLL for (std::size_t v = 0; v < Columns; ++v) {
        sums[i][v] = Lanes::add(sums[i][v], left, right[v]);
      }
    }
    ++of.a;
    of.b += of.b_row;
  } while (--of.depth != 0);
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i, of.c += of.c_row) {
    PRIVET_UNROLL for (std::size_t v = 0; v < end; ++v) {
      add_to<Lanes>(of.c + v * w, Lanes::total(sums[i][v]), all_lanes{});
    }
    add_to<Lanes>(of.c + end * w, Lanes::total(sums[i][end]), last);
  }
}

/// `rows` rows, between 1 and `Rows`.
template <class Lanes, std::size_t Rows, std::size_t Columns, class Last>
[[gnu::always_inline]] inline void some_rows(std::size_t rows, const operands& of, Last last) noexcept {
  if (rows == Rows)
    tile<Lanes, Rows, Columns>(of, last);
  else if constexpr (Rows > 1)
    some_rows<Lanes, Rows - 1, Columns>(rows, of, last);
}

/// All rows of `Columns` vectors.
template <class Lanes, std::size_t Columns, class Last>
[[gnu::noinline]] void panel(std::size_t m, operands of, Last last) noexcept {
  for (std::size_t i = 0; i < m; i += Lanes::rows) {
    some_rows<Lanes, Lanes::rows, Columns>(std::min(Lanes::rows, m - i), of, last);
    of.a += Lanes::rows * of.a_row;
    of.c += Lanes::rows * of.c_row;
  }
}

/// All rows of `columns` columns, `Columns` vectors at most.
template <class Lanes, std::size_t Columns>
void some_columns(std::size_t columns, std::size_t m, const operands& of) noexcept {
  constexpr std::size_t before = (Columns - 1) * Lanes::width;
  if (columns == Columns * Lanes::width)
    panel<Lanes, Columns>(m, of, all_lanes{});
  else if (columns > before)
    panel<Lanes, Columns>(m, of, some_lanes{columns - before});
  else if constexpr (Columns > 1)
    some_columns<Lanes, Columns - 1>(columns, m, of);
}

/// One column: the lanes run along the inner index.
template <class Lanes, std::size_t Rows>
[[gnu::always_inline]] inline void column(std::size_t depth, const word* a, const word* b, word* c) noexcept {
  constexpr std::size_t w = Lanes::width;
  typename Lanes::sum sums[Rows];
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i) sums[i] = Lanes::zero();
  const auto step = [&](std::size_t k, auto lanes) __attribute__((always_inline)) {
    const auto right = Lanes::ready_right(ring::load<Lanes>(b + k, lanes));
    PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i) {
      const auto left = Lanes::ready_left(ring::load<Lanes>(a + i * depth + k, lanes));
      sums[i] = Lanes::add(sums[i], left, right);
    }
  };
  std::size_t k = 0;
  for (; k + w <= depth; k += w) step(k, all_lanes{});
  if (k < depth) step(k, some_lanes{depth - k});
  PRIVET_UNROLL for (std::size_t i = 0; i < Rows; ++i) {
    word lanes[w];
    Lanes::store(lanes, Lanes::total(sums[i]));
    for (const word lane : lanes) c[i] += lane;
  }
}

/// One row: b is read in the order of memory, `Depth` rows side by side.
template <class Lanes, std::size_t Depth>
void row(std::size_t n, operands of) noexcept {
  for (; of.depth >= Depth; of.depth -= Depth, of.a += Depth, of.b += Depth * of.b_row) {
    typename Lanes::left left[Depth];
    PRIVET_UNROLL for (std::size_t k = 0; k < Depth; ++k) left[k] = Lanes::ready_left(Lanes::all(of.a[k]));
    const auto step = [&](std::size_t j, auto lanes) __attribute__((always_inline)) {
      auto sum = Lanes::zero();
      PRIVET_UNROLL for (std::size_t k = 0; k < Depth; ++k) {
        const auto right = Lanes::ready_right(ring::load<Lanes>(of.b + k * of.b_row + j, lanes));
        sum = Lanes::add(sum, left[k], right);
      }
      add_to<Lanes>(of.c + j, Lanes::total(sum), lanes);
    };
    std::size_t j = 0;
    for (; j + Lanes::width <= n; j += Lanes::width) step(j, all_lanes{});
    if (j < n) step(j, some_lanes{n - j});
  }
  if constexpr (Depth > 1) row<Lanes, 1>(n, of);
}

/// Rows of b that a pass over a takes.
inline constexpr std::size_t block = 128;

/// The general case. Many rows read b from a copy without gaps: rows of b that are a power of two apart
/// would push each other out of the cache.
template <class Lanes>
void product(std::size_t m, std::size_t n, operands of) noexcept {
  constexpr std::size_t wide = Lanes::width * Lanes::columns;
  const bool copy = m >= 4 * Lanes::rows && n > wide;
  alignas(64) word packed[block * wide];
  for (; of.depth > 0;) {
    operands part = of;
    part.depth = std::min(block, of.depth);
    for (std::size_t j = 0; j < n; j += wide) {
      const std::size_t columns = std::min(wide, n - j);
      part.b = of.b + j;
      part.c = of.c + j;
      part.b_row = of.b_row;
      if (copy) {
        for (std::size_t k = 0; k < part.depth; ++k)
          std::memcpy(packed + k * wide, part.b + k * of.b_row, columns * sizeof(word));
        part.b = packed;
        part.b_row = wide;
      }
      some_columns<Lanes, Lanes::columns>(columns, m, part);
    }
    of.depth -= part.depth;
    of.a += part.depth;
    of.b += part.depth * of.b_row;
  }
  if (copy) wipe(std::span(packed));
}

} // namespace detail::ring

/// c += a b modulo 2^64.   a (m, depth), b (depth, n), c (m, n); row-major and dense. The time depends
/// on the sizes alone.
template <class Arch = default_arch>
void ring_gemm(std::size_t m, std::size_t n, std::size_t depth, std::span<const std::uint64_t> a,
               std::span<const std::uint64_t> b, std::span<std::uint64_t> c) noexcept {
  using lanes = typename detail::ring::in_place_of<width<std::uint64_t, Arch>>::type;
  if (m == 0 || n == 0) return;
  if (n == 1) {
    std::size_t i = 0;
    for (; i + 4 <= m; i += 4)
      detail::ring::column<lanes, 4>(depth, a.data() + i * depth, b.data(), c.data() + i);
    for (; i < m; ++i) detail::ring::column<lanes, 1>(depth, a.data() + i * depth, b.data(), c.data() + i);
    return;
  }
  const detail::ring::operands of{depth, a.data(), depth, b.data(), n, c.data(), n};
  if (m == 1)
    detail::ring::row<lanes, 4>(n, of);
  else
    detail::ring::product<lanes>(m, n, of);
}

} // namespace privet::simd::inline PRIVET_ISA
