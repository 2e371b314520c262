#pragma once
// Ed25519 signing keys of offices and of the key authority, and what is signed with them.

#include <privet/core/bytes.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/sodium.hpp>

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// What a signature is for. A signature made for one purpose never verifies for another.
struct signing_purpose {
  std::string_view name; ///< 1 to 255 bytes, one word for each kind of message
};

namespace purposes {
inline constexpr signing_purpose key_certificate{"paillier-public-key"}; ///< by the key authority
inline constexpr signing_purpose enrolment{"enrolled-offices"};          ///< by the key authority
inline constexpr signing_purpose encrypted_update{"encrypted-update"};   ///< by an office, once a round
} // namespace purposes

/// 64 bytes that only the holder of the signing key could make for these bytes and this purpose.
struct signature {
  std::array<std::byte, crypto_sign_ed25519_BYTES> bytes{};
  friend bool operator==(const signature&, const signature&) = default;
};

/// The public half of a signing key: what others know an office by.
struct verifying_key {
  std::array<std::byte, crypto_sign_ed25519_PUBLICKEYBYTES> bytes{};
  friend auto operator<=>(const verifying_key&, const verifying_key&) = default;

  /// For error messages and reports.
  std::string text() const { return hex(bytes); }
};

namespace detail {

/// "privet signature 1", the length and name of the purpose, then the message: no two pairs of purpose and
/// message make the same bytes.
inline std::vector<std::byte> message_to_sign(signing_purpose purpose, std::span<const std::byte> message) {
  require(!purpose.name.empty() && purpose.name.size() <= 255, fault::argument,
          "signing_purpose: got a name of ", purpose.name.size(), " bytes, expected 1 to 255");
  byte_writer out;
  out.reserve(20 + purpose.name.size() + message.size());
  out.put("privet signature 1")
      .put(static_cast<std::uint8_t>(purpose.name.size()))
      .put(purpose.name)
      .put(message);
  return std::move(out).take();
}

} // namespace detail

/// An enrolled Ed25519 signing key (RFC 8032). Can be moved, not copied; wipes itself.
///
/// Cost    tens of microseconds to sign and to verify; a signed message is copied once
/// Timing  libsodium's Ed25519: constant-time in the key
/// Source  RFC 8032, section 5.1; libsodium crypto_sign
/// Test    tests/crypto/signing.test.cpp
class signing_key {
 public:
  /// A fresh key.
  template <class Source>
  static signing_key generate(Source& source) {
    static_assert(SecretRandomSource<Source>,
                  "[P003 replayable-key] whoever can replay this source owns the key: draw it from a "
                  "system_random. docs/errors/P003.md");
    secret_bytes seed(seed_size);
    detail::fill_bytes(source, seed.bytes());
    return signing_key(seed.bytes());
  }

  static constexpr std::size_t seed_size = crypto_sign_ed25519_SEEDBYTES;

  /// The key that has this seed, as `seed()` gave it.
  ///
  /// Errors  N001 unless there are `seed_size` bytes
  explicit signing_key(std::span<const std::byte> seed) {
    require(seed.size() == seed_size, fault::argument, "signing_key: got a seed of ", seed.size(),
            " bytes, expected ", seed_size);
    start_sodium();
    secret_ = secret_bytes(crypto_sign_ed25519_SECRETKEYBYTES);
    ::crypto_sign_ed25519_seed_keypair(detail::sodium_bytes(public_.bytes.data()),
                                       detail::sodium_bytes(secret_.data()),
                                       detail::sodium_bytes(seed.data()));
  }

  const verifying_key& public_key() const noexcept { return public_; }

  /// The secret itself, for `save_sealed`; empty once the key was moved away.
  std::span<const std::byte> seed() const noexcept {
    return secret_.bytes().first(std::min(secret_.size(), seed_size));
  }

  /// Errors  N001: a purpose without a name, a key that was moved away
  signature sign(signing_purpose purpose, std::span<const std::byte> message) const {
    require(!secret_.empty(), fault::argument, "signing_key: this key was moved away");
    const auto whole = detail::message_to_sign(purpose, message);
    signature made;
    ::crypto_sign_ed25519_detached(detail::sodium_bytes(made.bytes.data()), nullptr,
                                   detail::sodium_bytes(whole.data()), whole.size(),
                                   detail::sodium_bytes(secret_.data()));
    return made;
  }

 private:
  secret_bytes secret_;
  verifying_key public_;
};

/// Whether the holder of `key` signed these bytes for this purpose.
///
/// Errors  N009 naming the place, the purpose and the key: changed bytes, another key, another purpose, a
///         key of small order or a signature that is not canonical. Throws N001 for a purpose without a name.
inline status verify(const verifying_key& key, signing_purpose purpose, std::span<const std::byte> message,
                     const signature& made, std::string_view place = "signature") {
  start_sodium();
  const auto whole = detail::message_to_sign(purpose, message);
  if (::crypto_sign_ed25519_verify_detached(detail::sodium_bytes(made.bytes.data()),
                                            detail::sodium_bytes(whole.data()), whole.size(),
                                            detail::sodium_bytes(key.bytes.data())) != 0)
    return error::of(fault::message, place, ": the signature for ", in_quotes(purpose.name),
                     " is not of the key ", key.text());
  return nothing{};
}

} // namespace privet
