#pragma once
// What each target says of its lanes for Montgomery products (montgomery_tiles.hpp).

#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace privet::simd::inline PRIVET_ISA {

// `add_low(sum, a, b)` adds products of two digits, or with `halves` the low digit of them, and `add_high`
// the high one. `widest` is the most bits of a digit; `fits` says whether the sums of a product of so many
// digits stay below 2^64: two products of digits in each of 2 `limbs` columns, and a carry.

/// One number at a time, in digits of up to 62 bits: sums of 128 bits then have room for all products of a
/// column, and no carry is looked for after each.
struct montgomery_words {
  __extension__ typedef unsigned __int128 sum;
  using vector = std::uint64_t;
  using operand = std::uint64_t;
  static constexpr std::size_t width = 1, side = 2, split = ~std::size_t{0};
  static constexpr double lookup_cost = 0.4;
  static constexpr bool halves = false;
  static constexpr unsigned widest = 62;
  static constexpr bool fits(unsigned digit, std::size_t limbs) noexcept {
    return 2 * limbs + 1 < std::size_t{1} << std::min(128 - 2 * digit, 63u);
  }

  static sum zero() noexcept { return 0; }
  static vector all(std::uint64_t x) noexcept { return x; }
  static vector load(const std::uint64_t* from) noexcept { return *from; }
  static void store(std::uint64_t* to, vector v) noexcept { *to = v; }
  static operand ready(vector v) noexcept { return v; }
  static operand ready(sum s) noexcept { return static_cast<operand>(s); }
  static operand ready_all(std::uint64_t x) noexcept { return x; }
  static sum add(sum a, sum b) noexcept { return a + b; }
  static vector both(sum a, vector b) noexcept { return static_cast<vector>(a) & b; }
  static sum shift_right(sum s, unsigned bits) noexcept { return s >> bits; }
  static sum add_low(sum s, operand a, operand b) noexcept { return s + static_cast<sum>(a) * b; }
  /// All ones or zero, of which the compiler knows nothing.
  static vector equal(vector a, vector b) noexcept {
    const vector differ = a ^ b;
    vector mask = ((differ | (0 - differ)) >> 63) - 1;
    asm("" : "+r"(mask));
    return mask;
  }
  static vector add_where(vector found, vector where, vector v) noexcept { return found | (where & v); }
};

/// Products of 32 bits: digits of up to 28, whose products leave room in 64 bits for many of them.
struct montgomery_digits_of_28 {
  static constexpr bool halves = false;
  static constexpr unsigned widest = 28;
  static constexpr std::size_t side = 4, split = 12;
  static constexpr bool fits(unsigned digit, std::size_t limbs) noexcept {
    return 2 * limbs + 1 < std::size_t{1} << (64 - 2 * digit);
  }
};

#if defined(__AVX2__)
/// Four lanes of 32 bit products.
struct montgomery_avx2 : montgomery_digits_of_28 {
  using vector = __m256i;
  using sum = vector;
  using operand = vector;
  static constexpr std::size_t width = 4;
  static constexpr double lookup_cost = 0.4;

  static vector zero() noexcept { return _mm256_setzero_si256(); }
  static vector all(std::uint64_t x) noexcept { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static vector load(const std::uint64_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const vector*>(from));
  }
  static void store(std::uint64_t* to, vector v) noexcept {
    _mm256_storeu_si256(reinterpret_cast<vector*>(to), v);
  }
  static operand ready(vector v) noexcept { return v; }
  static operand ready_all(std::uint64_t x) noexcept { return all(x); }
  static vector add(vector a, vector b) noexcept { return _mm256_add_epi64(a, b); }
  static vector subtract(vector a, vector b) noexcept { return _mm256_sub_epi64(a, b); }
  static vector both(vector a, vector b) noexcept { return _mm256_and_si256(a, b); }
  static vector shift_right(vector v, unsigned bits) noexcept {
    return _mm256_srl_epi64(v, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  static vector add_low(sum s, operand a, operand b) noexcept {
    return _mm256_add_epi64(s, _mm256_mul_epu32(a, b));
  }
  static vector equal(vector a, vector b) noexcept { return _mm256_cmpeq_epi64(a, b); }
  static vector add_where(vector found, vector where, vector v) noexcept {
    return _mm256_or_si256(found, _mm256_and_si256(where, v));
  }
};
#endif

#if defined(__aarch64__)
/// Two lanes of 32 bit products.
struct montgomery_neon : montgomery_digits_of_28 {
  using vector = uint64x2_t;
  using sum = vector;
  using operand = uint32x2_t;
  static constexpr std::size_t width = 2;
  static constexpr double lookup_cost = 0.4;

  static vector zero() noexcept { return vdupq_n_u64(0); }
  static vector all(std::uint64_t x) noexcept { return vdupq_n_u64(x); }
  static vector load(const std::uint64_t* from) noexcept { return vld1q_u64(from); }
  static void store(std::uint64_t* to, vector v) noexcept { vst1q_u64(to, v); }
  static operand ready(vector v) noexcept { return vmovn_u64(v); }
  static operand ready_all(std::uint64_t x) noexcept { return vdup_n_u32(static_cast<std::uint32_t>(x)); }
  static vector add(vector a, vector b) noexcept { return vaddq_u64(a, b); }
  static vector subtract(vector a, vector b) noexcept { return vsubq_u64(a, b); }
  static vector both(vector a, vector b) noexcept { return vandq_u64(a, b); }
  static vector shift_right(vector v, unsigned bits) noexcept {
    return vshlq_u64(v, vdupq_n_s64(-static_cast<std::int64_t>(bits)));
  }
  static vector add_low(sum s, operand a, operand b) noexcept { return vmlal_u32(s, a, b); }
  static vector equal(vector a, vector b) noexcept { return vceqq_u64(a, b); }
  static vector add_where(vector found, vector where, vector v) noexcept {
    return vorrq_u64(found, vandq_u64(where, v));
  }
};
#endif

#if defined(__AVX512F__)
struct montgomery_avx512_vectors {
  using vector = __m512i;
  using sum = vector;
  using operand = vector;
  static constexpr std::size_t width = 8;
  static constexpr double lookup_cost = 0.4;

  static vector zero() noexcept { return _mm512_setzero_si512(); }
  static vector all(std::uint64_t x) noexcept { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static vector load(const std::uint64_t* from) noexcept { return _mm512_loadu_si512(from); }
  static void store(std::uint64_t* to, vector v) noexcept { _mm512_storeu_si512(to, v); }
  static operand ready(vector v) noexcept { return v; }
  static operand ready_all(std::uint64_t x) noexcept { return all(x); }
  static vector add(vector a, vector b) noexcept { return _mm512_add_epi64(a, b); }
  static vector subtract(vector a, vector b) noexcept { return _mm512_sub_epi64(a, b); }
  static vector both(vector a, vector b) noexcept { return _mm512_and_si512(a, b); }
  static vector shift_right(vector v, unsigned bits) noexcept {
    return _mm512_srl_epi64(v, _mm_cvtsi32_si128(static_cast<int>(bits)));
  }
  static __mmask8 equal(vector a, vector b) noexcept { return _mm512_cmpeq_epi64_mask(a, b); }
  static vector add_where(vector found, __mmask8 where, vector v) noexcept {
    return _mm512_mask_mov_epi64(found, where, v);
  }

  /// The entries of 16 numbers that lie in a row, `digits` modulo 16.
  static vector pick_of_16(const std::uint64_t* table, vector digits) noexcept {
    return _mm512_permutex2var_epi64(load(table), digits, load(table + 8));
  }
};

/// Eight lanes of 32 bit products.
struct montgomery_avx512 : montgomery_avx512_vectors, montgomery_digits_of_28 {
  static vector add_low(sum s, operand a, operand b) noexcept {
    return _mm512_add_epi64(s, _mm512_mul_epu32(a, b));
  }
};
#endif

#if defined(__AVX512IFMA__)
/// Eight lanes of 52 bit products, in halves.
struct montgomery_ifma : montgomery_avx512_vectors {
  static constexpr bool halves = true;
  static constexpr unsigned widest = 52;
  static constexpr std::size_t side = 4, split = ~std::size_t{0};
  static constexpr bool fits(unsigned, std::size_t limbs) noexcept { return limbs < 1000; }

  static vector add_low(sum s, operand a, operand b) noexcept { return _mm512_madd52lo_epu64(s, a, b); }
  static vector add_high(sum s, operand a, operand b) noexcept { return _mm512_madd52hi_epu64(s, a, b); }
};
#endif

} // namespace privet::simd::inline PRIVET_ISA
