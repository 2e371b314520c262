#pragma once
// Philox4x32-10: a counter in, four random words out. No state, so any block of a stream can be
// made on its own. Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.

#include <privet/simd/arch.hpp>
#include <privet/simd/shuffle.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace privet::simd::inline PRIVET_ISA {

inline constexpr std::size_t philox_block_words = 4;

namespace detail {

inline constexpr std::uint32_t philox_multipliers[2] = {0xD2511F53, 0xCD9E8D57};
inline constexpr std::uint32_t philox_key_steps[2] = {0x9E3779B9, 0xBB67AE85};
inline constexpr int philox_rounds = 10;

} // namespace detail

/// One block: the reference that the many-block version is tested against.
constexpr std::array<std::uint32_t, 4> philox_block(std::array<std::uint32_t, 4> counter,
                                                    std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < detail::philox_rounds; ++round) {
    const auto left = std::uint64_t{detail::philox_multipliers[0]} * counter[0];
    const auto right = std::uint64_t{detail::philox_multipliers[1]} * counter[2];
    counter = {
        static_cast<std::uint32_t>(right >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(right),
        static_cast<std::uint32_t>(left >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(left)};
    key[0] += detail::philox_key_steps[0];
    key[1] += detail::philox_key_steps[1];
  }
  return counter;
}

namespace detail {

/// Lane-wise product of the low halves.
inline std::uint64_t multiply_low_halves(std::uint64_t a, std::uint32_t by) noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(a)} * by;
}
template <class Arch>
xsimd::batch<std::uint64_t, Arch> multiply_low_halves(const xsimd::batch<std::uint64_t, Arch>& a,
                                                      std::uint32_t by) noexcept {
  using word = xsimd::batch<std::uint64_t, Arch>;
#if defined(__AVX512F__)
  if constexpr (sizeof(word) == 64) return word(_mm512_mul_epu32(a, _mm512_set1_epi64(by)));
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(word) == 32) return word(_mm256_mul_epu32(a, _mm256_set1_epi64x(by)));
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(word) == 16) return word(_mm_mul_epu32(a, _mm_set1_epi64x(by)));
#endif
  std::uint64_t lanes[sizeof(word) / sizeof(std::uint64_t)];
  simd::store<Arch, std::uint64_t>(lanes, a);
  for (auto& lane : lanes) lane = multiply_low_halves(lane, by);
  return simd::load<Arch>(static_cast<const std::uint64_t*>(lanes));
}

template <class Word>
Word exclusive_or(const Word& a, const Word& b, const Word& c) noexcept {
#if defined(__AVX512F__)
  if constexpr (sizeof(Word) == 64) return Word(_mm512_ternarylogic_epi64(a, b, c, 0x96));
#endif
  return a ^ b ^ c;
}

/// Two low halves as one word, the first of them lower.
template <class Word>
Word join_low_halves(const Word& low, const Word& high) noexcept {
#if defined(__AVX512F__)
  if constexpr (sizeof(Word) == 64)
    return Word(_mm512_mask_shuffle_epi32(low, 0xAAAA, high, static_cast<_MM_PERM_ENUM>(0xA0)));
#endif
  return (low & Word(0xFFFFFFFF)) | (high << 32);
}

template <class Word>
void store_halves(std::uint32_t* to, const Word& words) noexcept {
  if constexpr (std::is_arithmetic_v<Word>) {
    to[0] = static_cast<std::uint32_t>(words);
    to[1] = static_cast<std::uint32_t>(words >> 32);
  } else {
    using arch = typename Word::arch_type;
    simd::store<arch, std::uint32_t>(to, std::bit_cast<batch<std::uint32_t, arch>>(words));
  }
}

/// Blocks `first` .. `first + Count * lanes - 1`, one in each lane of 64 bits. Upper halves are left
/// over from products and mean nothing.
template <class Arch, std::size_t Count>
void philox_group(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                  std::uint32_t* out) noexcept {
  using word = batch<std::uint64_t, Arch>;
  constexpr std::size_t lanes = width<std::uint64_t, Arch>;
  const auto all = [](std::uint64_t value) { return simd::broadcast<Arch>(value); };

  // Pairs of lanes hold blocks half a batch apart, and come to lie side by side when pairs of
  // words are zipped.
  std::uint64_t order[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) order[lane] = lane / 2 + lane % 2 * (lanes / 2);
  const word counter = simd::load<Arch>(static_cast<const std::uint64_t*>(order)) + all(first);
  word a[Count], b[Count], c[Count], d[Count];
  PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
    a[i] = counter + all(i * lanes);
    b[i] = a[i] >> 32;
    c[i] = all(stream);
    d[i] = all(stream >> 32);
  }
  word key0 = all(seed), key1 = all(seed >> 32);
  PRIVET_UNROLL for (int round = 0; round < philox_rounds; ++round) {
    PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
      const word left = multiply_low_halves(a[i], philox_multipliers[0]),
                 right = multiply_low_halves(c[i], philox_multipliers[1]);
      a[i] = exclusive_or<word>(right >> 32, b[i], key0);
      b[i] = right;
      c[i] = exclusive_or<word>(left >> 32, d[i], key1);
      d[i] = left;
    }
    key0 = key0 + all(philox_key_steps[0]);
    key1 = key1 + all(philox_key_steps[1]);
  }
  PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
    word lower = join_low_halves(a[i], b[i]), upper = join_low_halves(c[i], d[i]);
    simd::zip_pairs(lower, upper);
    store_halves(out + i * lanes * philox_block_words, lower);
    store_halves(out + i * lanes * philox_block_words + 2 * lanes, upper);
  }
}

#if defined(__aarch64__)
/// Blocks `first` .. `first + 4 * Count - 1`, one in each lane of 32 bits: this target multiplies
/// four lanes into two registers, parts their halves, and stores four registers interleaved.
template <std::size_t Count>
void philox_neon(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::uint32_t* out) noexcept {
  uint32x4_t a[Count], b[Count], c[Count], d[Count];
  PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
    std::uint32_t low[4], high[4];
    for (std::size_t lane = 0; lane < 4; ++lane) {
      const std::uint64_t block = first + 4 * i + lane;
      low[lane] = static_cast<std::uint32_t>(block);
      high[lane] = static_cast<std::uint32_t>(block >> 32);
    }
    a[i] = vld1q_u32(low), b[i] = vld1q_u32(high);
    c[i] = vdupq_n_u32(static_cast<std::uint32_t>(stream));
    d[i] = vdupq_n_u32(static_cast<std::uint32_t>(stream >> 32));
  }
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  const auto multiply = [](uint32x4_t x, std::uint32_t by, uint32x4_t& low, uint32x4_t& high) {
    const auto lower = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(x), vdup_n_u32(by))),
               upper = vreinterpretq_u32_u64(vmull_high_u32(x, vdupq_n_u32(by)));
    low = vuzp1q_u32(lower, upper), high = vuzp2q_u32(lower, upper);
  };
  PRIVET_UNROLL for (int round = 0; round < philox_rounds; ++round) {
    PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
      uint32x4_t low_left, high_left, low_right, high_right;
      multiply(a[i], philox_multipliers[0], low_left, high_left);
      multiply(c[i], philox_multipliers[1], low_right, high_right);
      a[i] = veorq_u32(veorq_u32(high_right, b[i]), vdupq_n_u32(key0));
      c[i] = veorq_u32(veorq_u32(high_left, d[i]), vdupq_n_u32(key1));
      b[i] = low_right, d[i] = low_left;
    }
    key0 += philox_key_steps[0];
    key1 += philox_key_steps[1];
  }
  PRIVET_UNROLL for (std::size_t i = 0; i < Count; ++i) {
    vst4q_u32(out + 16 * i, (uint32x4x4_t{{a[i], b[i], c[i], d[i]}}));
  }
}
#endif

} // namespace detail

/// Words that `philox_batch` makes at once: 32 blocks.
inline constexpr std::size_t philox_lanes = 32;
inline constexpr std::size_t philox_batch_words = philox_lanes * philox_block_words;

/// Blocks `first` .. `first + 31` of a stream: key = seed, counter = {block, stream}, low halves
/// first.
template <class Arch = default_arch>
void philox_batch(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                  std::span<std::uint32_t, philox_batch_words> out) noexcept {
  constexpr std::size_t count = 4; // chains of multiplications side by side
#if defined(__aarch64__)
  if constexpr (sizeof(batch<std::uint32_t, Arch>) == 16) {
    for (std::size_t i = 0; i < philox_lanes; i += 4 * count)
      detail::philox_neon<count>(seed, stream, first + i, out.data() + i * philox_block_words);
    return;
  }
#endif
  constexpr std::size_t blocks = count * width<std::uint64_t, Arch>;
  static_assert(philox_lanes % blocks == 0);
  for (std::size_t i = 0; i < philox_lanes; i += blocks)
    detail::philox_group<Arch, count>(seed, stream, first + i, out.data() + i * philox_block_words);
}

/// Blocks `first`, `first + 1`, ... until `out` is full; the last block may be cut.
template <class Arch = default_arch>
void philox_blocks(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                   std::span<std::uint32_t> out) noexcept {
  for (; out.size() >= philox_batch_words; first += philox_lanes) {
    philox_batch<Arch>(seed, stream, first, out.template first<philox_batch_words>());
    out = out.subspan(philox_batch_words);
  }
  if (out.empty()) return;
  std::uint32_t last[philox_batch_words];
  philox_batch<Arch>(seed, stream, first, last);
  std::memcpy(out.data(), last, out.size_bytes());
}

} // namespace privet::simd::inline PRIVET_ISA
