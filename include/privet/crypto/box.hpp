#pragma once
// Bytes on their way between holders of one key: XChaCha20-Poly1305.

#include <privet/core/result.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/sodium.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// A key that boxes are shut and opened with.
inline constexpr std::size_t box_key_bytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
/// By how much a box is longer than what lies in it: a random nonce in front, a tag behind.
inline constexpr std::size_t box_extra_bytes =
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;

/// Shuts bytes into a box. `context` says what it is for; it opens in no other, and is not sent with it.
///
/// Errors    N001 for a key of another size
/// Privacy   without the key a box tells its length, and cannot be changed; whoever has the key can make it
/// Source    draft-irtf-cfrg-xchacha; libsodium crypto_aead_xchacha20poly1305_ietf
/// Test      tests/crypto/box.test.cpp
template <class Source>
std::vector<std::byte> shut_box(std::span<const std::byte> key, std::span<const std::byte> context,
                                std::span<const std::byte> plain, Source& source) {
  static_assert(
      SecretRandomSource<Source>,
      "[P003 replayable-key] whoever can replay this source knows the nonce of every box to come: draw "
      "it from a system_random. docs/errors/P003.md");
  require(key.size() == box_key_bytes, fault::argument, "box: got a key of ", key.size(), " bytes, expected ",
          box_key_bytes);
  start_sodium();
  constexpr std::size_t nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  std::vector<std::byte> box(plain.size() + box_extra_bytes);
  detail::fill_bytes(source, std::span(box).first(nonce));
  ::crypto_aead_xchacha20poly1305_ietf_encrypt(
      detail::sodium_bytes(box.data() + nonce), nullptr, detail::sodium_bytes(plain.data()), plain.size(),
      detail::sodium_bytes(context.data()), context.size(), nullptr, detail::sodium_bytes(box.data()),
      detail::sodium_bytes(key.data()));
  return box;
}

/// What lies in a box.
///
/// Errors    N009 for a box of another key or context, changed or cut short; N001 thrown for a key of another
///           size
inline result<std::vector<std::byte>> open_box(std::span<const std::byte> key,
                                               std::span<const std::byte> context,
                                               std::span<const std::byte> box,
                                               std::string_view place = "box") {
  require(key.size() == box_key_bytes, fault::argument, "box: got a key of ", key.size(), " bytes, expected ",
          box_key_bytes);
  start_sodium();
  if (box.size() < box_extra_bytes)
    return error::of(fault::message, place, ": ", box.size(), " bytes, a box has at least ", box_extra_bytes);
  constexpr std::size_t nonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  std::vector<std::byte> plain(box.size() - box_extra_bytes);
  const auto shut = box.subspan(nonce);
  if (::crypto_aead_xchacha20poly1305_ietf_decrypt(
          detail::sodium_bytes(plain.data()), nullptr, nullptr, detail::sodium_bytes(shut.data()),
          shut.size(), detail::sodium_bytes(context.data()), context.size(), detail::sodium_bytes(box.data()),
          detail::sodium_bytes(key.data())) != 0)
    return error::of(fault::message, place, ": is of another key or for another purpose, or was changed");
  return plain;
}

} // namespace privet
