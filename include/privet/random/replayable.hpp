#pragma once
// Random words that can be drawn again: simulations, initialisation, shuffles, tests.

#include <privet/core/error.hpp>
#include <privet/simd/philox.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// What a stream is drawn for. Values from 128 on are free for programs built on the library.
enum class purpose : std::uint8_t {
  general = 0,
  initialisation = 1,
  partitioning = 2,
  split = 3,
  client_sampling = 4,
  batches = 5,
  dropout = 6,
  synthetic_data = 7,
  simulated_noise = 8,
  simulated_failures = 9,
  simulated_attacks = 10,
  upload_masks = 11,
  upload_rounding = 12
};

/// Packs purpose (8 bits), round (24 bits) and client (32 bits) into a stream number, so that no
/// two draws of a run share a stream.
///
/// Errors  N001 when `round` is 2^24 or more, or `client` is 2^32 or more
constexpr std::uint64_t stream_id(purpose what, std::uint64_t round = 0, std::uint64_t client = 0) {
  if (round >> 24) fail(fault::argument, "stream_id: round is ", round, ", must be below 16777216");
  if (client >> 32) fail(fault::argument, "stream_id: client is ", client, ", must be below 4294967296");
  return std::uint64_t{static_cast<std::uint8_t>(what)} << 56 | round << 32 | client;
}

/// A `RandomSource` that replays: word i of (seed, stream) is the same on every target, however
/// the calls to `fill` split it. Philox4x32-10, key = seed, counter = {block, stream}.
///
/// Requires  a stream is used for at most 2^64 words, after which it starts again
/// Privacy   none: whoever knows the seed knows every word. Noise and keys need `system_random`.
/// Test      tests/random/replayable.test.cpp
class replayable_random {
 public:
  /// All there is to know about a source; written to checkpoints.
  struct saved {
    std::uint64_t seed = 0, stream = 0;
    std::uint64_t position = 0; ///< words drawn so far
    bool operator==(const saved&) const = default;
  };

  explicit replayable_random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : at_{seed, stream, 0} {}
  explicit replayable_random(const saved& state) noexcept : at_(state) {}

  template <class Arch = simd::default_arch>
  void fill(std::span<std::uint32_t> words) noexcept {
    while (!words.empty()) {
      const std::size_t offset = at_.position % ahead_.size();
      const std::uint64_t block = (at_.position - offset) / simd::philox_block_words;
      std::size_t count = words.size();
      if (offset == 0 && count >= ahead_.size()) {
        count -= count % ahead_.size();
        simd::philox_blocks<Arch>(at_.seed, at_.stream, block, words.first(count));
      } else {
        if (offset == 0 || stale_) simd::philox_batch<Arch>(at_.seed, at_.stream, block, ahead_);
        stale_ = false;
        count = std::min(count, ahead_.size() - offset);
        for (std::size_t i = 0; i < count; ++i) words[i] = ahead_[offset + i];
      }
      at_.position += count;
      words = words.subspan(count);
    }
  }

  /// Passes over `words` words at constant cost.
  void skip(std::uint64_t words) noexcept {
    at_.position += words;
    stale_ = true;
  }

  const saved& state() const noexcept { return at_; }

 private:
  saved at_;
  bool stale_ = true;
  std::array<std::uint32_t, simd::philox_batch_words> ahead_{}; // the batch that holds `position`
};

} // namespace privet
