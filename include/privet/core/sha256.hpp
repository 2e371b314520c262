#pragma once
// SHA-256, for fingerprints of schemas, descriptions and data. Not meant for secret input: it
// does not wipe its state.

#include <privet/core/bytes.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace privet {

using digest = std::array<std::byte, 32>;

/// SHA-256 in pieces (FIPS 180-4, section 6.2): how the input is split does not matter.
class sha256_stream {
 public:
  sha256_stream& update(std::span<const std::byte> bytes) noexcept {
    length_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), block_.size() - filled_);
      std::ranges::copy(bytes.first(count), block_.begin() + static_cast<std::ptrdiff_t>(filled_));
      bytes = bytes.subspan(count);
      filled_ += count;
      if (filled_ == block_.size()) compress();
    }
    return *this;
  }

  /// The digest of everything so far; the stream itself may go on.
  digest finish() const noexcept {
    sha256_stream last = *this;
    const std::uint64_t bits = length_ * 8;
    last.pad(std::byte{0x80});
    while (last.filled_ != 56) last.pad(std::byte{0});
    for (int shift = 56; shift >= 0; shift -= 8) last.pad(static_cast<std::byte>(bits >> shift));
    digest out;
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::byte>(last.state_[i / 4] >> (24 - 8 * (i % 4)));
    return out;
  }

 private:
  void pad(std::byte b) noexcept {
    block_[filled_++] = b;
    if (filled_ == block_.size()) compress();
  }

  void compress() noexcept {
    constexpr std::array<std::uint32_t, 64> k{
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    using std::rotr;
    std::array<std::uint32_t, 64> w;
    for (std::size_t t = 0; t < 16; ++t) {
      w[t] = 0;
      for (std::size_t b = 0; b < 4; ++b)
        w[t] = w[t] << 8 | std::to_integer<std::uint32_t>(block_[4 * t + b]);
    }
    for (std::size_t t = 16; t < 64; ++t) {
      const std::uint32_t x = w[t - 15], y = w[t - 2];
      w[t] =
          w[t - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) + w[t - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (std::size_t t = 0; t < 64; ++t) {
      const std::uint32_t t1 =
          h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + k[t] + w[t];
      const std::uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const std::array<std::uint32_t, 8> round{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state_[i] += round[i];
    filled_ = 0;
  }

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t length_ = 0; // bytes
};

inline digest sha256(std::span<const std::byte> bytes) noexcept {
  return sha256_stream{}.update(bytes).finish();
}
inline digest sha256(std::string_view text) noexcept { return sha256(bytes_of(text)); }

/// Lower-case hexadecimal, two characters per byte.
inline std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(b >> 4)];
    text += "0123456789abcdef"[std::to_integer<unsigned>(b & std::byte{15})];
  }
  return text;
}

} // namespace privet
