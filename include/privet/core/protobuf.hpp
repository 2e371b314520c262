#pragma once
// The wire format of Protocol Buffers, written: as much as a message of known fields needs.

#include <privet/core/bytes.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// Appends the fields of a message: `out.number(1, 150)`, `out.message(7, [&] { out.text(2, "inner"); })`.
///
/// Ensures  the shortest form of every number, fields in the order of the calls, repeated numbers one by one
/// Cost     one buffer; the content of a message inside moves by the bytes of its length once
/// Source   the encoding as published at protobuf.dev, "Encoding"
/// Test     tests/core/protobuf.test.cpp
class protobuf_writer {
 public:
  /// int32, int64, uint32, uint64, bool and enum; a negative number takes ten bytes.
  template <std::integral N>
  void number(std::uint32_t field, N value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
  }
  void number(std::uint32_t field, float value) {
    key(field, 5);
    for (auto bits = std::bit_cast<std::uint32_t>(value), i = 0u; i < 4; ++i, bits >>= 8) byte(bits & 0xff);
  }
  void text(std::uint32_t field, std::string_view value) { bytes(field, bytes_of(value)); }
  void bytes(std::uint32_t field, std::span<const std::byte> value) {
    key(field, 2);
    varint(value.size());
    out_.insert(out_.end(), value.begin(), value.end());
  }
  /// What `fill()` writes, as a message inside this one.
  template <class F>
  void message(std::uint32_t field, F&& fill) {
    key(field, 2);
    const std::size_t start = out_.size();
    std::forward<F>(fill)();
    std::byte length[10];
    std::size_t count = 0;
    for (std::uint64_t left = out_.size() - start; count == 0 || left > 0; left >>= 7)
      length[count++] = static_cast<std::byte>((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    out_.insert(out_.begin() + static_cast<std::ptrdiff_t>(start), length, length + count);
  }

  std::size_t size() const noexcept { return out_.size(); }
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  std::vector<std::byte> take() && { return std::move(out_); }

 private:
  void byte(std::uint64_t value) { out_.push_back(static_cast<std::byte>(value)); }
  void varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7) byte((value & 0x7f) | 0x80);
    byte(value);
  }
  void key(std::uint32_t field, unsigned type) { varint(std::uint64_t{field} << 3 | type); }

  std::vector<std::byte> out_;
};

} // namespace privet
