#pragma once
// Random words that nobody can draw again: noise, keys, masks, secret samples.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/fork_generation.hpp>
#include <privet/simd/chacha20.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif
#else
#error "privet/random/system.hpp needs getentropy() and pthread_atfork(): Linux, macOS or a BSD"
#endif

namespace privet {

namespace detail {

/// Fresh words from the operating system, which waits until its own pool is seeded.
struct os_entropy {
  void operator()(std::span<std::uint32_t, 8> out) const {
    if (::getentropy(out.data(), out.size_bytes()) != 0)
      fail(fault::unsupported, "system_random: getentropy gave no entropy (errno ", errno,
           "); refusing to make secrets without it");
  }
};

/// What a key stream starts from.
using stream_seed = std::array<std::uint32_t, 8>;

/// ChaCha20 (RFC 8439): the seed is the key, the nonce zero. A key sees the counters 0 .. 63 only;
/// the last 32 bytes become the next key and are handed out to nobody.
struct chacha20_stream {
  using target = simd::default_arch;
  static constexpr std::size_t written = 64 * simd::chacha20_block_words, handed_out = written - 8;

  /// Fills `out` and replaces the seed by the next one.
  template <class Target>
  static void make(stream_seed& seed, std::span<std::uint32_t, written> out) noexcept {
    // Never false: the counter starts at zero.
    static_cast<void>(simd::chacha20_blocks<Target>(seed, 0, {}, out));
    const auto next = out.template last<8>();
    std::copy(next.begin(), next.end(), seed.begin());
    wipe(next);
  }
};

/// A key stream with fast key erasure (Bernstein, 2017): every seed makes one run of words and the
/// next seed, which takes its place. Whatever leaves is wiped behind, so what was drawn cannot be
/// recovered from the state.
///
/// `Entropy` fills eight words or throws; a test puts known words there.
template <class Stream, class Entropy>
class fast_key_erasure_rng {
 public:
  /// Seeds after which fresh entropy is mixed in unasked: 64 MiB.
  static constexpr std::uint32_t seeds_per_entropy = (std::uint32_t{1} << 24) / Stream::written;

  explicit fast_key_erasure_rng(Entropy entropy = {}) : entropy_(entropy), generation_(fork_generation()) {
    entropy_(seed_);
  }
  fast_key_erasure_rng(const fast_key_erasure_rng&) = delete;
  fast_key_erasure_rng& operator=(const fast_key_erasure_rng&) = delete;
  ~fast_key_erasure_rng() { forget(); }

  /// Errors  whatever `Entropy` throws; the words not yet written are then unspecified
  template <class Target = typename Stream::target>
  void fill(std::span<std::uint32_t> words) {
    leave_parent();
    while (!words.empty()) {
      if (used_ == Stream::handed_out) {
        if (words.size() >= Stream::written) { // straight to where they are wanted
          refill<Target>(words.template first<Stream::written>());
          words = words.subspan(Stream::handed_out);
          continue;
        }
        refill<Target>(ready_);
        used_ = 0;
      }
      const auto fresh = std::span(ready_).subspan(used_, std::min(words.size(), Stream::handed_out - used_));
      std::copy(fresh.begin(), fresh.end(), words.begin());
      wipe(fresh);
      used_ += fresh.size();
      words = words.subspan(fresh.size());
    }
  }

  /// Mixes fresh entropy into the seed and drops what was ready. An attacker who knew the state
  /// loses it; one who knows the entropy gains nothing. Call it every round.
  void reseed() {
    leave_parent();
    mix_entropy();
  }

 private:
  template <class Target>
  void refill(std::span<std::uint32_t, Stream::written> out) {
    if (seeds_ == seeds_per_entropy) mix_entropy();
    Stream::template make<Target>(seed_, out);
    ++seeds_;
  }

  void mix_entropy() {
    stream_seed fresh;
    entropy_(fresh);
    for (std::size_t i = 0; i < seed_.size(); ++i) seed_[i] ^= fresh[i];
    wipe(std::span(fresh));
    drop_ready();
  }

  /// A forked child shares nothing with its parent: the old seed goes before a new one comes.
  void leave_parent() {
    const std::uint64_t now = fork_generation();
    if (generation_ == now) return;
    forget();
    entropy_(seed_);
    generation_ = now;
  }

  void forget() noexcept {
    wipe(std::span(seed_));
    drop_ready();
  }
  void drop_ready() noexcept {
    wipe(std::span(ready_));
    used_ = Stream::handed_out;
    seeds_ = 0;
  }

  Entropy entropy_;
  std::uint64_t generation_;
  stream_seed seed_{};
  alignas(64) std::array<std::uint32_t, Stream::written> ready_{}; // wiped up to `used_`
  std::size_t used_ = Stream::handed_out;
  std::uint32_t seeds_ = 0; // since entropy was last mixed in
};

} // namespace detail

/// The source of secrets: ChaCha20 keyed by the operating system.
///
/// Requires  one object per thread; a shared one needs a lock
/// Privacy   forgets what it handed out, mixes in fresh entropy every 64 MiB and at `reseed()`,
///           cannot be copied, seeded or saved. A forked child wipes what it inherited and starts
///           from fresh entropy (see `fork_generation` for the limits).
/// Errors    N011 when the system has no entropy, from the constructor, `fill` and `reseed`
/// Test      tests/random/system.test.cpp
class system_random : private detail::fast_key_erasure_rng<detail::chacha20_stream, detail::os_entropy> {
 public:
  static constexpr bool is_secret = true;
  system_random() = default;
  using fast_key_erasure_rng::fill;
  using fast_key_erasure_rng::reseed;
};

/// This thread's own source.
inline system_random& thread_system_random() {
  thread_local system_random source;
  return source;
}

} // namespace privet
