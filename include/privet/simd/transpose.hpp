#pragma once
// Squares of lanes turned about their diagonal, and the sums that come out of half-turned ones.
// Both are the perfect shuffle: interleave vector i with vector i + W/2, log2(W) times.

#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>

namespace privet::simd::inline PRIVET_ISA {

/// What a kernel does with each finished batch, in registers, on its way to memory: nothing.
struct as_it_is {
  template <class B, class... Where>
  const B& operator()(const B& v, const Where&...) const noexcept {
    return v;
  }
};

namespace detail {

template <class B>
struct interleaved {
  B low, high;
};

/// low = a0 b0 a1 b1 ... of the lower halves, high = the same of the upper halves; with batches of
/// 32 bytes, in each 16 bytes (xsimd's own differ in this from version to version).
template <class Arch, class T>
[[gnu::always_inline]] inline interleaved<batch<T, Arch>> interleave(const batch<T, Arch>& a,
                                                                     const batch<T, Arch>& b) noexcept {
  using B [[maybe_unused]] = batch<T, Arch>;
#if defined(__AVX512F__)
  if constexpr (sizeof(B) == 64 && std::same_as<T, float>) {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    return {B(_mm512_permutex2var_ps(a, low, b)), B(_mm512_permutex2var_ps(a, high, b))};
  } else if constexpr (sizeof(B) == 64 && std::same_as<T, double>) {
    const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i high = _mm512_add_epi64(low, _mm512_set1_epi64(4));
    return {B(_mm512_permutex2var_pd(a, low, b)), B(_mm512_permutex2var_pd(a, high, b))};
  } else
#endif
#if defined(__AVX__)
      if constexpr (sizeof(B) == 32 && std::same_as<T, float>)
    return {B(_mm256_unpacklo_ps(a, b)), B(_mm256_unpackhi_ps(a, b))};
  else if constexpr (sizeof(B) == 32 && std::same_as<T, double>)
    return {B(_mm256_unpacklo_pd(a, b)), B(_mm256_unpackhi_pd(a, b))};
  else
#endif
    return {xsimd::zip_lo(a, b), xsimd::zip_hi(a, b)};
}

/// Whether lanes have to cross the middle in a step of its own: few instructions of AVX do that.
template <class Arch, class T>
inline constexpr bool in_halves = sizeof(batch<T, Arch>) == 32;

/// low = the lower halves of a and b, high = the upper halves, of 32 bytes.
template <class Arch, class T>
[[gnu::always_inline]] inline interleaved<batch<T, Arch>> swap_halves(const batch<T, Arch>& a,
                                                                      const batch<T, Arch>& b) noexcept {
  using B [[maybe_unused]] = batch<T, Arch>;
#if defined(__AVX__)
  if constexpr (std::same_as<T, float>)
    return {B(_mm256_permute2f128_ps(__m256(a), __m256(b), 0x20)),
            B(_mm256_permute2f128_ps(__m256(a), __m256(b), 0x31))};
  else
    return {B(_mm256_permute2f128_pd(__m256d(a), __m256d(b), 0x20)),
            B(_mm256_permute2f128_pd(__m256d(a), __m256d(b), 0x31))};
#else
  return {a, b};
#endif
}

/// The perfect shuffle of `Count` vectors, log2(Count) times.
template <class Arch, class T, std::size_t Count, std::size_t Stage = 1>
[[gnu::always_inline]] inline void shuffle_square(batch<T, Arch>* v) noexcept {
  if constexpr (Stage < Count) {
    batch<T, Arch> next[Count];
    PRIVET_UNROLL for (std::size_t i = 0; i < Count / 2; ++i) {
      const auto [low, high] = interleave<Arch, T>(v[i], v[i + Count / 2]);
      next[2 * i] = low;
      next[2 * i + 1] = high;
    }
    PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) v[i] = next[i];
    shuffle_square<Arch, T, Count, Stage * 2>(v);
  }
}

} // namespace detail

/// v[i][j] becomes v[j][i], for as many vectors as they have lanes.
template <class Arch, class T>
[[gnu::always_inline]] inline void transpose(batch<T, Arch>* v) noexcept {
  constexpr std::size_t w = width<T, Arch>;
  if constexpr (detail::in_halves<Arch, T>) {
    PRIVET_UNROLL for (std::size_t i = 0; i < w / 2; ++i) {
      const auto [low, high] = detail::swap_halves<Arch, T>(v[i], v[i + w / 2]);
      v[i] = low;
      v[i + w / 2] = high;
    }
    detail::shuffle_square<Arch, T, w / 2>(v);
    detail::shuffle_square<Arch, T, w / 2>(v + w / 2);
  } else {
    detail::shuffle_square<Arch, T, w>(v);
  }
}

/// Lane j of the result is the sum of the lanes of v[j]. Clobbers `v`.
template <class Arch, class T, std::size_t Count = width<T, Arch>>
[[gnu::always_inline]] inline batch<T, Arch> reduce_each(batch<T, Arch>* v) noexcept {
  if constexpr (Count == 1) {
    return v[0];
  } else {
    PRIVET_UNROLL for (std::size_t i = 0; i < Count / 2; ++i) {
      if constexpr (detail::in_halves<Arch, T> && Count == width<T, Arch>) {
        const auto [low, high] = detail::swap_halves<Arch, T>(v[i], v[i + Count / 2]);
        v[i] = low + high;
      } else {
        const auto [low, high] = detail::interleave<Arch, T>(v[i], v[i + Count / 2]);
        v[i] = low + high;
      }
    }
    return simd::reduce_each<Arch, T, Count / 2>(v);
  }
}

/// to (columns, to_row) = from (rows, columns) transposed, the rest of each row of `to` zero;
/// `to_row` is a multiple of the lanes.
template <class Arch, class T>
void turn(std::size_t rows, std::size_t columns, const T* from, T* to, std::size_t to_row) {
  constexpr std::size_t w = width<T, Arch>;
  for (std::size_t j = 0; j < columns; j += w)
    for (std::size_t i = 0; i < to_row; i += w) {
      const std::size_t some = std::min(w, columns - j);
      batch<T, Arch> v[w];
      PRIVET_UNROLL for (std::size_t r = 0; r < w; ++r) {
        const T* const at = from + (i + r) * columns + j;
        v[r] = i + r >= rows ? simd::broadcast<Arch>(T{})
               : some == w   ? simd::load<Arch>(at)
                             : simd::load_partial<Arch>(at, some);
      }
      simd::transpose<Arch, T>(v);
      PRIVET_UNROLL for (std::size_t r = 0; r < w; ++r) if (r < some)
          simd::store<Arch, T>(to + (j + r) * to_row + i, v[r]);
    }
}

/// to (rows, columns) = from (columns, from_row) transposed; `to` has `to_row` columns, `from_row`
/// is a multiple of the lanes. `finish(value, at, lanes)` maps batches on their way to `to + at`.
template <class Arch, class T, class F = as_it_is>
void turn_back(std::size_t columns, std::size_t rows, const T* from, std::size_t from_row, T* to,
               std::size_t to_row, const F& finish = {}) {
  constexpr std::size_t w = width<T, Arch>;
  for (std::size_t j = 0; j < columns; j += w)
    for (std::size_t i = 0; i < rows; i += w) {
      const std::size_t some = std::min(w, columns - j), count = std::min(w, rows - i);
      batch<T, Arch> v[w];
      PRIVET_UNROLL for (std::size_t r = 0; r < w; ++r) v[r] =
          r < some ? simd::load<Arch>(from + (j + r) * from_row + i) : simd::broadcast<Arch>(T{});
      simd::transpose<Arch, T>(v);
      const auto put = [&](auto lanes) __attribute__((always_inline)) {
        PRIVET_UNROLL for (std::size_t r = 0; r < w; ++r) {
          const std::size_t at = (i + r) * to_row + j;
          if (r < count) simd::store_lanes<Arch, T>(to + at, finish(v[r], at, lanes), lanes);
        }
      };
      if (some == w)
        put(all_lanes{});
      else
        put(some_lanes{some});
    }
}

} // namespace privet::simd::inline PRIVET_ISA
