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

/// ChaCha20 with fast key erasure (Bernstein, 2017): the first 32 bytes of every refill become the
/// next key and are wiped from the buffer, as is each word once it is handed out. What was drawn
/// cannot be recovered from the state, and every key sees the counters 0 .. 15 only.
///
/// `Entropy` fills eight words or throws; a test puts known words there.
template <class Entropy>
class chacha20_rng {
 public:
  /// Blocks after which fresh entropy is mixed in unasked.
  static constexpr std::uint32_t blocks_per_seed = std::uint32_t{1} << 20;

  explicit chacha20_rng(Entropy entropy = {}) : entropy_(entropy), generation_(fork_generation()) {
    entropy_(key_);
  }
  chacha20_rng(const chacha20_rng&) = delete;
  chacha20_rng& operator=(const chacha20_rng&) = delete;
  ~chacha20_rng() { forget(); }

  /// Errors  whatever `Entropy` throws; the words not yet written are then unspecified
  template <class Arch = simd::default_arch>
  void fill(std::span<std::uint32_t> words) {
    leave_parent();
    while (!words.empty()) {
      if (used_ == ready_.size()) refill<Arch>();
      const auto fresh = std::span(ready_).subspan(used_, std::min(words.size(), ready_.size() - used_));
      std::copy(fresh.begin(), fresh.end(), words.begin());
      wipe(fresh);
      used_ += fresh.size();
      words = words.subspan(fresh.size());
    }
  }

  /// Mixes fresh entropy into the key and drops what was ready. An attacker who knew the state
  /// loses it; one who knows the entropy gains nothing. Call it every round.
  void reseed() {
    leave_parent();
    mix_entropy();
  }

 private:
  template <class Arch>
  void refill() {
    if (blocks_ == blocks_per_seed) mix_entropy();
    // Never false: a key is used for one call, which starts at counter zero.
    static_cast<void>(simd::chacha20_blocks<Arch>(key_, 0, {}, ready_));
    blocks_ += static_cast<std::uint32_t>(ready_.size() / simd::chacha20_block_words);
    const auto next_key = std::span(ready_).template first<8>();
    std::copy(next_key.begin(), next_key.end(), key_.begin());
    wipe(next_key);
    used_ = next_key.size();
  }

  void mix_entropy() {
    simd::chacha20_key fresh;
    entropy_(fresh);
    for (std::size_t i = 0; i < key_.size(); ++i) key_[i] ^= fresh[i];
    wipe(std::span(fresh));
    drop_ready();
  }

  /// A forked child shares nothing with its parent: the old key goes before a new one comes.
  void leave_parent() {
    const std::uint64_t now = fork_generation();
    if (generation_ == now) return;
    forget();
    entropy_(key_);
    generation_ = now;
  }

  void forget() noexcept {
    wipe(std::span(key_));
    drop_ready();
  }
  void drop_ready() noexcept {
    wipe(std::span(ready_));
    used_ = ready_.size();
    blocks_ = 0;
  }

  Entropy entropy_;
  std::uint64_t generation_;
  simd::chacha20_key key_{};
  alignas(64) std::array<std::uint32_t, 16 * simd::chacha20_block_words> ready_{};
  std::size_t used_ = ready_.size();
  std::uint32_t blocks_ = 0; // since entropy was last mixed in
};

} // namespace detail

/// The source of secrets: ChaCha20 keyed by the operating system.
///
/// Requires  one object per thread; a shared one needs a lock
/// Privacy   forgets what it handed out, renews its key from the system every 2^20 blocks and at
///           `reseed()`, cannot be copied, seeded or saved. A forked child wipes what it inherited
///           and starts from fresh entropy (see `fork_generation` for the limits).
/// Errors    N011 when the system has no entropy, from the constructor, `fill` and `reseed`
/// Test      tests/random/system.test.cpp
class system_random : private detail::chacha20_rng<detail::os_entropy> {
 public:
  static constexpr bool is_secret = true;
  system_random() = default;
  using chacha20_rng::fill;
  using chacha20_rng::reseed;
};

/// This thread's own source.
inline system_random& thread_system_random() {
  thread_local system_random source;
  return source;
}

} // namespace privet
