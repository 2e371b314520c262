#pragma once
// What the clients of a run share and the server lacks: tags on their headers, and canaries.

#include <privet/core/bytes.hpp>
#include <privet/core/hmac.hpp>
#include <privet/core/sha256.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/secret_memory.hpp>
#include <privet/simd/arch.hpp>
#include <privet/simd/chacha20.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace privet {

/// 32 random bytes that every client of a federation holds and the server does not: the key authority draws
/// them and hands them out with the shares of the Paillier key.
class cohort_secret {
 public:
  static constexpr std::size_t size = 32;

  explicit cohort_secret(std::span<const std::byte, size> bytes) noexcept : bytes_(bytes) {}

  template <class Source>
  static cohort_secret draw(Source& source) {
    detail::check_key_source(source);
    detail::secret_array<std::byte, size> bytes;
    detail::fill_bytes(source, bytes.all());
    return cohort_secret(bytes.all());
  }

  /// To be kept at rest under a passphrase.
  std::span<const std::byte, size> bytes() const noexcept { return bytes_.all(); }

 private:
  detail::secret_array<std::byte, size> bytes_;
};

/// The keys of one run under one Paillier key, from the secret of its clients.
///
/// Formula   HKDF-Expand-SHA256(secret, label, fingerprint, SHA-256(run)), one block for each label: another
///           run or another Paillier key has other tags and other canaries
/// Privacy   whoever holds the secret makes the tags and canaries of every client: it keeps out the server, not
///           a client that is on the server's side (docs/crypto/cohort_key.md). Wiped when it goes
/// Timing    depends on public lengths only
/// Source    RFC 5869, section 2.3; RFC 8439, section 2.3
/// Test      tests/crypto/cohort_key.test.cpp
class cohort_key {
 public:
  /// `run` tells this run from every other under the same secret, such as its date and a random number.
  cohort_key(const cohort_secret& secret, const digest& key_fingerprint, std::string_view run)
      : fingerprint_(key_fingerprint) {
    digest tags = expand(secret, "privet header tag", run), canaries = expand(secret, "privet canary", run),
           boxes = expand(secret, "privet box", run);
    std::ranges::copy(tags, tag_key_.all().begin());
    std::ranges::copy(boxes, box_key_.all().begin());
    for (std::size_t i = 0; i < 8; ++i)
      canary_key_.all()[i] = load_little<std::uint32_t>(canaries.data() + 4 * i);
    wipe(std::span(tags));
    wipe(std::span(canaries));
    wipe(std::span(boxes));
  }

  /// Of the Paillier key that it belongs to.
  const digest& fingerprint() const noexcept { return fingerprint_; }

  /// The tag of a header, made only by those who hold the secret.
  digest tag(std::span<const std::byte> header) const noexcept { return hmac_sha256(tag_key_.get(), header); }

  /// The key of boxes (crypto/box.hpp) that this run's clients send each other.
  std::span<const std::byte, 32> box_key() const noexcept { return box_key_.all(); }

  /// Words 0, 1, ... of a client in a round: 64 bits each, to whoever lacks the key as good as drawn.
  ///
  /// Formula   the key stream of ChaCha20 under the nonce (round, client, 0), eight words of 64 bits a block
  template <class Arch = simd::default_arch>
  void canaries(std::uint32_t round, std::uint32_t client, std::span<std::uint64_t> out) const noexcept {
    static constexpr std::size_t per_block = simd::chacha20_block_words / 2, chunk = 64 * per_block;
    detail::secret_array<std::uint32_t, 2 * chunk> words;
    for (std::size_t at = 0; at < out.size(); at += chunk) {
      const auto piece = out.subspan(at, std::min(chunk, out.size() - at));
      // Never false: no client sends 2^35 ciphertexts.
      static_cast<void>(simd::chacha20_blocks<Arch>(canary_key_.get(),
                                                    static_cast<std::uint32_t>(at / per_block),
                                                    {round, client, 0}, words.all().first(2 * piece.size())));
      for (std::size_t i = 0; i < piece.size(); ++i)
        piece[i] = words.get()[2 * i] | std::uint64_t{words.get()[2 * i + 1]} << 32;
    }
  }

 private:
  digest expand(const cohort_secret& secret, std::string_view label, std::string_view run) const {
    byte_writer info;
    info.put(label).put(fingerprint_).put(sha256(run)).put(std::uint8_t{1});
    return hmac_sha256(secret.bytes(), info.view());
  }

  digest fingerprint_;
  detail::secret_array<std::byte, 32> tag_key_, box_key_;
  detail::secret_array<std::uint32_t, 8> canary_key_;
};

} // namespace privet
