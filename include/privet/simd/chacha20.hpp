#pragma once
// The ChaCha20 block function of RFC 8439: a 256-bit key, a 96-bit nonce and a 32-bit counter in,
// sixteen words of key stream out. Constant time: additions, rotations and exclusive-ors only.

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

using chacha20_key = std::array<std::uint32_t, 8>;
using chacha20_nonce = std::array<std::uint32_t, 3>;

inline constexpr std::size_t chacha20_block_words = 16;

namespace detail {

inline constexpr std::uint32_t chacha20_constants[4] = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574};

template <int Bits, class Word>
constexpr Word rotate_left(Word x) noexcept {
  return (x << Bits) | (x >> (32 - Bits));
}

template <class Word>
constexpr void quarter_round(Word& a, Word& b, Word& c, Word& d) noexcept {
  a = a + b, d = detail::rotate_left<16>(d ^ a);
  c = c + d, b = detail::rotate_left<12>(b ^ c);
  a = a + b, d = detail::rotate_left<8>(d ^ a);
  c = c + d, b = detail::rotate_left<7>(b ^ c);
}

/// Columns, then diagonals, ten times. A word is a number, or a batch of as many blocks as lanes.
template <class Word>
constexpr void chacha20_rounds(Word (&x)[16]) noexcept {
  for (int twice = 0; twice < 10; ++twice) {
    quarter_round(x[0], x[4], x[8], x[12]);
    quarter_round(x[1], x[5], x[9], x[13]);
    quarter_round(x[2], x[6], x[10], x[14]);
    quarter_round(x[3], x[7], x[11], x[15]);
    quarter_round(x[0], x[5], x[10], x[15]);
    quarter_round(x[1], x[6], x[11], x[12]);
    quarter_round(x[2], x[7], x[8], x[13]);
    quarter_round(x[3], x[4], x[9], x[14]);
  }
}

} // namespace detail

/// One block: the reference that the many-block version is tested against.
constexpr std::array<std::uint32_t, 16> chacha20_block(const chacha20_key& key, std::uint32_t counter,
                                                       const chacha20_nonce& nonce) noexcept {
  std::uint32_t start[16] = {};
  for (std::size_t i = 0; i < 4; ++i) start[i] = detail::chacha20_constants[i];
  for (std::size_t i = 0; i < 8; ++i) start[4 + i] = key[i];
  start[12] = counter;
  for (std::size_t i = 0; i < 3; ++i) start[13 + i] = nonce[i];

  std::uint32_t x[16] = {};
  for (std::size_t i = 0; i < 16; ++i) x[i] = start[i];
  detail::chacha20_rounds(x);

  std::array<std::uint32_t, 16> out{};
  for (std::size_t i = 0; i < 16; ++i) out[i] = x[i] + start[i];
  return out;
}

/// Blocks `first`, `first + 1`, ... until `out` is full (the last block may be cut), one block in
/// each vector lane. False, and nothing written, if the 32-bit counter would wrap.
template <class Arch = default_arch>
[[nodiscard]] bool chacha20_blocks(const chacha20_key& key, std::uint32_t first, const chacha20_nonce& nonce,
                                   std::span<std::uint32_t> out) noexcept {
  constexpr std::size_t lanes = width<std::uint32_t, Arch>;
  using word = batch<std::uint32_t, Arch>;

  const std::uint64_t blocks = out.size() / 16 + (out.size() % 16 != 0);
  if (blocks > (std::uint64_t{1} << 32) - first) return false;

  std::uint32_t staged[16][lanes];
  word start[16], x[16];
  for (; !out.empty(); first += static_cast<std::uint32_t>(lanes)) {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      staged[0][lane] = first + static_cast<std::uint32_t>(lane);
    for (std::size_t i = 0; i < 4; ++i) start[i] = broadcast<Arch>(detail::chacha20_constants[i]);
    for (std::size_t i = 0; i < 8; ++i) start[4 + i] = broadcast<Arch>(key[i]);
    start[12] = load<Arch>(staged[0]);
    for (std::size_t i = 0; i < 3; ++i) start[13 + i] = broadcast<Arch>(nonce[i]);

    for (std::size_t i = 0; i < 16; ++i) x[i] = start[i];
    detail::chacha20_rounds(x);
    for (std::size_t i = 0; i < 16; ++i) simd::store<Arch, std::uint32_t>(staged[i], x[i] + start[i]);

    const std::size_t count = out.size() < 16 * lanes ? out.size() : 16 * lanes;
    for (std::size_t lane = 0; lane < count / 16; ++lane)
      for (std::size_t i = 0; i < 16; ++i) out[lane * 16 + i] = staged[i][lane];
    for (std::size_t i = count / 16 * 16; i < count; ++i) out[i] = staged[i % 16][i / 16];
    out = out.subspan(count);
  }
  wipe(std::span<word>(start)); // the key
  wipe(std::span<word>(x));
  wipe(std::span(&staged[0][0], 16 * lanes));
  return true;
}

} // namespace privet::simd
