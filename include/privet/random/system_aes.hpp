#pragma once
// The source of secrets for processors with AES instructions.

#include <privet/random/system.hpp>
#include <privet/simd/aes_ctr.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

namespace detail {

/// AES-128 in counter mode: half of the seed is the key, half the first of 514 counters, so keys
/// hardly ever encrypt the same block and a guess at one key tests no other. The last two blocks
/// are the next seed.
struct aes128_stream {
  using target = simd::aes_default;
  static constexpr std::size_t written = 512 * simd::aes_block_words, handed_out = written;

  /// Fills `out` and replaces the seed by the next one.
  template <class Target>
  static void make(stream_seed& seed, std::span<std::uint32_t, written> out) noexcept {
    simd::aes128_key key;
    std::copy_n(seed.begin(), key.size(), key.begin());
    simd::aes_counter first = {seed[4] | std::uint64_t{seed[5]} << 32,
                               seed[6] | std::uint64_t{seed[7]} << 32};
    const simd::aes128_ctr<Target> stream(key);
    wipe(std::span(key));
    stream.blocks(first, out);
    stream.blocks(first + written / simd::aes_block_words, seed);
    wipe(std::span(&first, 1));
  }
};

} // namespace detail

/// The source of secrets for processors with AES instructions: AES-128 in counter mode, keyed by the
/// operating system.
///
/// Requires  one object per thread; a shared one needs a lock
/// Privacy   as `system_random`, with 128 bits of security instead of 256 (docs/random/sources.md)
/// Cost      less than ChaCha20 only where `simd::aes_in_hardware`; elsewhere several times as much,
///           still in constant time
/// Errors    N011 when the system has no entropy, from the constructor, `fill` and `reseed`
/// Test      tests/random/system.test.cpp, tests/random/system_aes.test.cpp
class system_random_aes : private detail::fast_key_erasure_rng<detail::aes128_stream, detail::os_entropy> {
 public:
  static constexpr bool is_secret = true;
  system_random_aes() = default;
  using fast_key_erasure_rng::fill;
  using fast_key_erasure_rng::reseed;
};

} // namespace privet
