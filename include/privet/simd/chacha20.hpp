#pragma once
// The ChaCha20 block function of RFC 8439: a 256-bit key, a 96-bit nonce and a 32-bit counter in,
// sixteen words of key stream out. Constant time: additions, rotations and exclusive-ors only.

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>
#include <privet/simd/shuffle.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace privet::simd::inline PRIVET_ISA {

using chacha20_key = std::array<std::uint32_t, 8>;
using chacha20_nonce = std::array<std::uint32_t, 3>;

inline constexpr std::size_t chacha20_block_words = 16;

namespace detail {

inline constexpr std::uint32_t chacha20_constants[4] = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574};

template <int Bits>
constexpr std::uint32_t rotate_left(std::uint32_t x) noexcept {
  return (x << Bits) | (x >> (32 - Bits));
}
template <int Bits, class Arch>
xsimd::batch<std::uint32_t, Arch> rotate_left(const xsimd::batch<std::uint32_t, Arch>& x) noexcept {
  using word [[maybe_unused]] = xsimd::batch<std::uint32_t, Arch>;
#if defined(__AVX512F__)
  if constexpr (sizeof(word) == 64) return word(_mm512_rol_epi32(x, Bits));
#endif
#if defined(__AVX512VL__)
  if constexpr (sizeof(word) == 32) return word(_mm256_rol_epi32(x, Bits));
  if constexpr (sizeof(word) == 16) return word(_mm_rol_epi32(x, Bits));
#endif
#if defined(__AVX2__) // whole bytes move in one step
  if constexpr (sizeof(word) == 32 && Bits % 8 == 0) {
    constexpr auto bytes = [](char lane) { // of lane + 3, lane + 2, lane + 1 and lane
      const auto at = [&](int i) { return static_cast<int>(lane + (i + 4 - Bits / 8) % 4); };
      return at(3) << 24 | at(2) << 16 | at(1) << 8 | at(0);
    };
    return word(_mm256_shuffle_epi8(x, _mm256_setr_epi32(bytes(0), bytes(4), bytes(8), bytes(12), bytes(0),
                                                         bytes(4), bytes(8), bytes(12))));
  }
#endif
#if defined(__aarch64__)
  if constexpr (sizeof(word) == 16 && Bits == 16)
    return word(vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32(x))));
  if constexpr (sizeof(word) == 16) return word(vsriq_n_u32(vshlq_n_u32(x, Bits), x, 32 - Bits));
#endif
  return (x << Bits) | (x >> (32 - Bits));
}

/// A quarter of four quarter rounds: a += b, d = (d ^ a) <<< Bits in each column of rows A, B and D,
/// or with `Turn` = 1 in each diagonal. The quarter rounds go side by side, and so do `Sets` states,
/// because each is a chain of twelve dependent operations that would keep a processor waiting.
template <int Bits, std::size_t A, std::size_t B, std::size_t D, std::size_t Turn, class Word,
          std::size_t Sets>
[[gnu::always_inline]] inline constexpr void chacha20_step(Word (&x)[Sets][16]) noexcept {
  PRIVET_UNROLL for (std::size_t i = 0; i < 4; ++i) {
    constexpr auto at = [](std::size_t row, std::size_t column) {
      return 4 * row + (column + row * Turn) % 4;
    };
    PRIVET_UNROLL for (std::size_t set = 0; set < Sets; ++set) {
      Word &a = x[set][at(A, i)], &b = x[set][at(B, i)], &d = x[set][at(D, i)];
      a = a + b;
      d = detail::rotate_left<Bits>(d ^ a);
    }
  }
}

/// Columns, then diagonals, ten times. A word is a number, or a batch of as many blocks as lanes.
template <class Word, std::size_t Sets>
[[gnu::always_inline]] inline constexpr void chacha20_rounds(Word (&x)[Sets][16]) noexcept {
  for (int twice = 0; twice < 10; ++twice) {
    chacha20_step<16, 0, 1, 3, 0>(x);
    chacha20_step<12, 2, 3, 1, 0>(x);
    chacha20_step<8, 0, 1, 3, 0>(x);
    chacha20_step<7, 2, 3, 1, 0>(x);
    chacha20_step<16, 0, 1, 3, 1>(x);
    chacha20_step<12, 2, 3, 1, 1>(x);
    chacha20_step<8, 0, 1, 3, 1>(x);
    chacha20_step<7, 2, 3, 1, 1>(x);
#if defined(__GNUC__) && !defined(__clang__) // or GCC stores and loads the states here
    if constexpr (!std::is_arithmetic_v<Word> && registers >= 16 * Sets)
      PRIVET_UNROLL for (std::size_t i = 0; i < 16 * Sets; ++i) x[i / 16][i % 16] =
          simd::held(x[i / 16][i % 16]);
#endif
  }
}

/// Word i of the state before the rounds, the counter left at zero.
constexpr std::uint32_t chacha20_start(const std::array<std::uint32_t, 8>& key,
                                       const std::array<std::uint32_t, 3>& nonce, std::size_t i) noexcept {
  return i < 4 ? chacha20_constants[i] : i < 12 ? key[i - 4] : i == 12 ? 0 : nonce[i - 13];
}

/// Sets * lanes blocks from `first` on. What it keeps of the key is in registers.
template <class Arch, std::size_t Sets>
void chacha20_sets(const std::array<std::uint32_t, 8>& key, std::uint32_t first,
                   const std::array<std::uint32_t, 3>& nonce, std::uint32_t* out) noexcept {
  using word = batch<std::uint32_t, Arch>;
  constexpr std::size_t lanes = width<std::uint32_t, Arch>;
  std::uint32_t numbers[lanes];
  for (std::size_t i = 0; i < lanes; ++i) numbers[i] = static_cast<std::uint32_t>(i);
  const word counter = simd::load<Arch>(numbers) + simd::broadcast<Arch>(first);
  const auto start = [&](std::size_t set, std::size_t i) {
    if (i == 12) return word(counter + simd::broadcast<Arch>(static_cast<std::uint32_t>(set * lanes)));
    return word(simd::broadcast<Arch>(chacha20_start(key, nonce, i)));
  };
  word x[Sets][16];
  PRIVET_UNROLL for (std::size_t i = 0; i < 16 * Sets; ++i) x[i / 16][i % 16] = start(i / 16, i % 16);
  chacha20_rounds(x);
  PRIVET_UNROLL for (std::size_t set = 0; set < Sets; ++set) {
    PRIVET_UNROLL for (std::size_t i = 0; i < 16; ++i) x[set][i] = x[set][i] + start(set, i);
    simd::store_blocks<Arch>(out + set * lanes * 16, x[set]);
  }
}

} // namespace detail

/// One block: the reference that the many-block version is tested against.
constexpr std::array<std::uint32_t, 16> chacha20_block(const chacha20_key& key, std::uint32_t counter,
                                                       const chacha20_nonce& nonce) noexcept {
  std::array<std::uint32_t, 16> start{}, out{};
  for (std::size_t i = 0; i < 16; ++i) start[i] = detail::chacha20_start(key, nonce, i);
  start[12] = counter;
  std::uint32_t x[1][16] = {};
  for (std::size_t i = 0; i < 16; ++i) x[0][i] = start[i];
  detail::chacha20_rounds(x);
  for (std::size_t i = 0; i < 16; ++i) out[i] = x[0][i] + start[i];
  return out;
}

/// Blocks `first`, `first + 1`, ... until `out` is full (the last block may be cut), one block in
/// each vector lane. False, and nothing written, if the 32-bit counter would wrap.
template <class Arch = default_arch>
[[nodiscard]] bool chacha20_blocks(const chacha20_key& key, std::uint32_t first, const chacha20_nonce& nonce,
                                   std::span<std::uint32_t> out) noexcept {
  constexpr std::size_t lanes = width<std::uint32_t, Arch>, set = 16 * lanes;
  constexpr std::size_t sets = lanes > 1 ? 2 : 1;

  const std::uint64_t blocks = out.size() / 16 + (out.size() % 16 != 0);
  if (blocks > (std::uint64_t{1} << 32) - first) return false;

  for (; out.size() >= sets * set; out = out.subspan(sets * set), first += sets * lanes)
    detail::chacha20_sets<Arch, sets>(key, first, nonce, out.data());
  for (; sets > 1 && out.size() >= set; out = out.subspan(set), first += lanes)
    detail::chacha20_sets<Arch, 1>(key, first, nonce, out.data());
  if (out.empty()) return true;
  std::uint32_t last[set];
  detail::chacha20_sets<Arch, 1>(key, first, nonce, last);
  std::memcpy(out.data(), last, out.size_bytes());
  wipe(std::span(last));
  return true;
}

} // namespace privet::simd::inline PRIVET_ISA
