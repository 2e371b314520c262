#pragma once
// Philox4x32-10: a counter in, four random words out. No state, so any block of a stream can be
// made on its own. Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.

#include <privet/simd/arch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

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

/// Words that `philox_batch` makes at once.
inline constexpr std::size_t philox_lanes = 32;
inline constexpr std::size_t philox_batch_words = philox_lanes * philox_block_words;

/// Blocks `first` .. `first + 31` of a stream: key = seed, counter = {block, stream}, low halves
/// first. Plain loops over lanes, which compilers turn into vectors.
template <class Arch = default_arch>
void philox_batch(std::uint64_t seed, std::uint64_t stream, std::uint64_t first,
                  std::span<std::uint32_t, philox_batch_words> out) noexcept {
  std::uint32_t a[philox_lanes], b[philox_lanes], c[philox_lanes], d[philox_lanes];
  for (std::size_t i = 0; i < philox_lanes; ++i) {
    a[i] = static_cast<std::uint32_t>(first + i);
    b[i] = static_cast<std::uint32_t>((first + i) >> 32);
    c[i] = static_cast<std::uint32_t>(stream);
    d[i] = static_cast<std::uint32_t>(stream >> 32);
  }
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < detail::philox_rounds; ++round) {
    for (std::size_t i = 0; i < philox_lanes; ++i) {
      const auto left = std::uint64_t{detail::philox_multipliers[0]} * a[i];
      const auto right = std::uint64_t{detail::philox_multipliers[1]} * c[i];
      a[i] = static_cast<std::uint32_t>(right >> 32) ^ b[i] ^ key0;
      b[i] = static_cast<std::uint32_t>(right);
      c[i] = static_cast<std::uint32_t>(left >> 32) ^ d[i] ^ key1;
      d[i] = static_cast<std::uint32_t>(left);
    }
    key0 += detail::philox_key_steps[0];
    key1 += detail::philox_key_steps[1];
  }
  for (std::size_t i = 0; i < philox_lanes; ++i) {
    std::uint32_t* block = out.data() + i * philox_block_words;
    block[0] = a[i], block[1] = b[i], block[2] = c[i], block[3] = d[i];
  }
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
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = last[i];
}

} // namespace privet::simd
