#pragma once
// HMAC-SHA256 (RFC 2104, FIPS 198-1): who holds the key says that bytes are theirs.

#include <privet/core/sha256.hpp>
#include <privet/core/wipe.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace privet {

/// Whether both hold the same bytes, in a time that tells nothing but their lengths.
inline bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= std::to_integer<unsigned>(a[i] ^ b[i]);
#if defined(__GNUC__)
  asm volatile("" : "+r"(difference)); // so that no compiler leaves the loop early
#endif
  return difference == 0;
}

namespace detail {

inline constexpr std::size_t sha256_block_bytes = 64;

template <class T>
void wipe_object(T& object) noexcept {
  wipe(std::as_writable_bytes(std::span(&object, 1)));
}

/// The hash of the key's block, each byte changed by `pad`, and then of the message.
inline digest hmac_half(std::span<const std::byte, sha256_block_bytes> key, std::byte pad,
                        std::span<const std::byte> message) noexcept {
  std::array<std::byte, sha256_block_bytes> block;
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = key[i] ^ pad;
  sha256_stream stream;
  stream.update(block).update(message);
  const digest out = stream.finish();
  wipe(std::span(block));
  wipe_object(stream);
  return out;
}

/// A frame of its own, so that `wipe_stack` finds what SHA-256 leaves in its frames.
#if defined(__GNUC__)
[[gnu::noinline]]
#endif
inline digest
hmac_in_own_frame(std::span<const std::byte> key, std::span<const std::byte> message) noexcept {
  std::array<std::byte, sha256_block_bytes> block{};
  if (key.size() > block.size()) {
    digest hashed = sha256(key);
    std::ranges::copy(hashed, block.begin());
    wipe(std::span(hashed));
  } else {
    std::ranges::copy(key, block.begin());
  }
  digest inner = hmac_half(block, std::byte{0x36}, message);
  const digest tag = hmac_half(block, std::byte{0x5c}, inner);
  wipe(std::span(inner));
  wipe(std::span(block));
  return tag;
}

#if defined(__GNUC__)
[[gnu::noinline]]
#endif
inline void
wipe_stack() noexcept {
  std::array<std::byte, 4096> frame;
  wipe(std::span(frame));
}

} // namespace detail

/// The 32-byte tag of a message under a key of any length; 32 random bytes are the natural one.
///
/// Timing    depends on the two lengths only
/// Privacy   copies of the key that this makes are wiped
/// Source    RFC 2104; FIPS 198-1
/// Test      tests/core/hmac.test.cpp: RFC 4231
inline digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) noexcept {
  const digest tag = detail::hmac_in_own_frame(key, message);
  detail::wipe_stack();
  return tag;
}

} // namespace privet
