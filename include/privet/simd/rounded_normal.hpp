#pragma once
// Words to integers floor(2^20 x) of a standard normal x, one word each, in place. Nearly all of the
// law is a mixture of uniform cells, drawn exactly by an alias table; the kernel reports the few
// numbers that belong to the residual. The argument: docs/random/rounded_normal.md.

#include <privet/simd/arch.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

namespace detail::rounded_gaussian {

__extension__ typedef unsigned __int128 uint128;

// A magnitude j is a cell of 2^12 and a place in it. The body has the cells 0 .. 1022; the last
// outcome stands for everything that the body leaves.
inline constexpr int place_bits = 12, cell_bits = 10, coin_bits = 9;
inline constexpr std::uint32_t residual = (1u << cell_bits) - 1; // the outcome, and the first cell beyond

/// Upper half of a product of fractions of 2^128; too small by less than three.
constexpr uint128 multiply_high(uint128 a, uint128 b) noexcept {
  const auto low = [](uint128 x) { return uint128{static_cast<std::uint64_t>(x)}; };
  const uint128 middle = low(a) * (b >> 64), other = (a >> 64) * low(b);
  return (a >> 64) * (b >> 64) + (middle >> 64) + (other >> 64);
}

/// 2^128 / k! for k = 2, 3, ...
inline constexpr auto reciprocal_factorials = [] {
  std::array<uint128, 28> c{};
  c[0] = uint128{1} << 127;
  for (unsigned k = 1; k < c.size(); ++k) c[k] = c[k - 1] / (k + 2);
  return c;
}();

/// exp(-256 y), both in units of 2^-128, to within 2^-116.
///
/// Requires  y < 0.34
constexpr uint128 exp_of_minus_256(uint128 y) noexcept {
  uint128 sum = reciprocal_factorials.back();
  for (std::size_t k = reciprocal_factorials.size() - 1; k-- > 0;)
    sum = reciprocal_factorials[k] - multiply_high(y, sum);
  sum = ~uint128{0} - multiply_high(y, sum);
  uint128 power = ~uint128{0} - multiply_high(y, sum);
  for (int i = 0; i < 8; ++i) power = multiply_high(power, power);
  return power;
}

/// The density 2 phi(x) of |x|, in units of 2^-128, to within 2^-116.
///
/// Requires  x in units of 2^-73, at most 13
constexpr uint128 folded_density(uint128 x) noexcept {
  const std::uint64_t low = static_cast<std::uint64_t>(x), high = static_cast<std::uint64_t>(x >> 64);
  const uint128 y = // x^2 / 512 below 0.34
      (uint128{high * high} << 101) + (uint128{high} * low << 38) + (uint128{low} * low >> 27);
  constexpr uint128 root = uint128{0xCC42299EA1B28468} << 64 | 0x7E59E2805D5C717F; // 2 / sqrt(2 pi)
  return multiply_high(exp_of_minus_256(y), root);
}

/// The upper half of `folded_density` at the start of a cell.
constexpr std::uint64_t density_at_cell(std::uint32_t cell) noexcept {
  return static_cast<std::uint64_t>(folded_density(uint128{cell} << 65) >> 64);
}

/// The density of the body in a cell, in units of 2^-64, from that of |x| where the cell ends: the
/// largest multiple of 2^-11 that is not above. One such step is one unit of the alias table.
constexpr std::uint64_t body_density(std::uint64_t at_end) noexcept { return at_end >> 53 << 53; }

/// Walker's alias table with integer weights (Vose's construction), exact: column i is drawn with
/// probability 1 / N and stands for itself when a coin of `unit` sides shows less than threshold[i],
/// otherwise for alias[i].
///
/// Requires  the weights sum to N * unit
template <std::size_t N>
struct alias_table {
  std::array<std::uint32_t, N> threshold, alias;

  constexpr alias_table(std::array<std::uint32_t, N> weight, std::uint64_t unit) noexcept
      : threshold{}, alias{} {
    std::array<std::uint32_t, N> order{}; // those below a unit from the front, the others from the back
    std::size_t small = 0, large = N;
    const auto sort = [&](std::uint32_t i) { order[weight[i] < unit ? small++ : --large] = i; };
    for (std::uint32_t i = 0; i < N; ++i) sort(i);
    while (small > 0) {
      const std::uint32_t i = order[--small], from = order[large++];
      threshold[i] = weight[i];
      alias[i] = from;
      weight[from] -= static_cast<std::uint32_t>(unit - weight[i]);
      sort(from);
    }
    for (; large < N; ++large) alias[order[large]] = order[large]; // exactly a unit: itself either way
  }
};

/// The weights of the body's outcomes, in units of 2^-19.
inline std::array<std::uint32_t, residual + 1> body_weights() noexcept {
  std::array<std::uint32_t, residual + 1> weights;
  weights[residual] = 1u << (cell_bits + coin_bits);
  for (std::uint32_t h = 0; h < residual; ++h) {
    weights[h] = static_cast<std::uint32_t>(density_at_cell(h + 1) >> 53);
    weights[residual] -= weights[h];
  }
  return weights;
}

/// What the kernel looks up: for each sign and cell the threshold of the coin in the upper 9 bits, and
/// the difference to the alias where the cell is in a word.
struct body_table {
  alignas(64) std::array<std::uint32_t, 2 << cell_bits> entries;

  body_table() noexcept {
    const alias_table<residual + 1> table(body_weights(), 1u << coin_bits);
    for (std::uint32_t h = 0; h <= residual; ++h)
      entries[h] = entries[2 * residual + 1 - h] =
          table.threshold[h] << (32 - coin_bits) | (table.alias[h] ^ h) << place_bits;
  }
};
inline const body_table& body() noexcept {
  static const body_table table;
  return table;
}

inline constexpr std::uint32_t coin_ones = (1u << (32 - coin_bits)) - 1, entry_ones = (2u << cell_bits) - 1;
inline constexpr std::int32_t first_beyond = std::int32_t{residual} << place_bits;

/// From the top: a coin of 9 bits, a sign, a cell of 10 bits and a place of 12; the complement of a
/// number changes sign, cell and place together.
inline std::int32_t draw(std::uint32_t word, const std::uint32_t* entries) noexcept {
  const std::uint32_t entry = entries[word >> place_bits & entry_ones];
  // No comparison that a compiler might make a branch of: all ones where the coin shows less.
  const auto less = static_cast<std::uint32_t>((std::uint64_t{word | coin_ones} - entry) >> 32);
  const std::uint32_t drawn = word ^ (entry & ~less);
  return static_cast<std::int32_t>(drawn << coin_bits) >> coin_bits;
}
inline bool is_residual(std::int32_t k) noexcept { return k >= first_beyond || k < -first_beyond; }

/// Vectors that can look up many entries at once.
template <std::size_t Bytes>
struct gathering {
  static constexpr bool available = false;
};

#if defined(__AVX512F__)
template <>
struct gathering<64> {
  static constexpr bool available = true;
  static constexpr std::size_t lanes = 16;
  /// Draws in place; the bits of the lanes that belong to the residual.
  static unsigned draw(std::int32_t* at, const std::uint32_t* entries) noexcept {
    const auto all = [](std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); };
    const __m512i word = _mm512_loadu_si512(at);
    const __m512i number = _mm512_and_si512(_mm512_srli_epi32(word, place_bits), all(entry_ones));
#if defined(__clang__) // it would make the mask of ones from a register that the last comparison writes
    unsigned every = 0xFFFF;
    asm("" : "+r"(every));
    const __m512i entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), static_cast<__mmask16>(every),
                                                      number, entries, 4);
#else
    const __m512i entry = _mm512_i32gather_epi32(number, entries, 4);
#endif
    const __mmask16 other = _mm512_cmpge_epu32_mask(_mm512_or_si512(word, all(coin_ones)), entry);
    const __m512i drawn = _mm512_mask_xor_epi32(word, other, word, entry);
    const __m512i k = _mm512_srai_epi32(_mm512_slli_epi32(drawn, coin_bits), coin_bits);
    _mm512_storeu_si512(at, k);
    return _mm512_cmpge_epu32_mask(_mm512_add_epi32(k, all(first_beyond)), all(2 * first_beyond));
  }
};
#endif

#if defined(__AVX2__)
template <>
struct gathering<32> {
  static constexpr bool available = true;
  static constexpr std::size_t lanes = 8;
  static unsigned draw(std::int32_t* at, const std::uint32_t* entries) noexcept {
    const auto all = [](std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); };
    const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i number = _mm256_and_si256(_mm256_srli_epi32(word, place_bits), all(entry_ones));
    const __m256i entry = _mm256_i32gather_epi32(reinterpret_cast<const int*>(entries), number, 4);
    const __m256i coin = _mm256_or_si256(word, all(coin_ones));
    const __m256i other = _mm256_cmpeq_epi32(_mm256_max_epu32(coin, entry), coin);
    const __m256i drawn = _mm256_xor_si256(word, _mm256_and_si256(entry, other));
    const __m256i k = _mm256_srai_epi32(_mm256_slli_epi32(drawn, coin_bits), coin_bits);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), k);
    const __m256i out = _mm256_or_si256(_mm256_cmpgt_epi32(k, all(first_beyond - 1)),
                                        _mm256_cmpgt_epi32(all(0u - first_beyond), k));
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(out)));
  }
};
#endif

} // namespace detail::rounded_gaussian

/// Draws many numbers at most at once: their places fit 16 bits.
inline constexpr std::size_t rounded_normals_most = 65536;

/// Turns uniform words, stored as integers, into draws of floor(2^20 x) in place, but for those whose
/// place is written to `late`: of these only the sign is right, the magnitude has to be drawn from the
/// residual of the law. Returns how many; about one in 384.
///
/// Requires  late.size() >= words.size() <= rounded_normals_most
/// Ensures   the same words give the same integers on every target
/// Privacy   the table look-ups depend on the noise: 8 KiB, which stay in the first cache
template <class Arch = default_arch>
std::size_t rounded_normals(std::span<std::int32_t> words, std::span<std::uint16_t> late) noexcept {
  using namespace detail::rounded_gaussian;
  using vectors = gathering<std::same_as<Arch, scalar> ? 0 : sizeof(batch<std::int32_t, Arch>)>;
  const std::uint32_t* entries = body().entries.data();
  std::size_t i = 0, count = 0;
  if constexpr (vectors::available) {
    for (; i + vectors::lanes <= words.size(); i += vectors::lanes) {
      unsigned beyond = vectors::draw(words.data() + i, entries);
      for (; beyond != 0; beyond &= beyond - 1)
        late[count++] = static_cast<std::uint16_t>(i + static_cast<std::size_t>(__builtin_ctz(beyond)));
    }
  }
  for (; i < words.size(); ++i) {
    words[i] = draw(static_cast<std::uint32_t>(words[i]), entries);
    if (is_residual(words[i])) late[count++] = static_cast<std::uint16_t>(i);
  }
  return count;
}

} // namespace privet::simd::inline PRIVET_ISA
