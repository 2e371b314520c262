#pragma once
// Little-endian numbers in untrusted bytes: every codec reads and writes through these.

#include <privet/core/result.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

/// A number of fixed width that travels as little-endian bytes.
template <class T>
concept Wire = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

/// The number in the first `sizeof(T)` bytes. Precondition: there are as many.
template <Wire T>
T load_little(const std::byte* from) noexcept {
  std::array<std::byte, sizeof(T)> raw;
  std::memcpy(raw.data(), from, sizeof(T));
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<T>(raw);
}

/// Writes the `sizeof(T)` bytes of a number.
template <Wire T>
void store_little(T number, std::byte* to) noexcept {
  auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(number);
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  std::memcpy(to, raw.data(), sizeof(T));
}

/// The same memory, seen as bytes or as text.
inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}
inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Text from outside, fit for an error message: one line, no control characters, not endless.
inline std::string printable(std::string_view text, std::size_t longest = 64) {
  std::string out(text.substr(0, longest));
  std::ranges::replace_if(
      out, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return text.size() > longest ? out + "..." : out;
}
inline std::string in_quotes(std::string_view text) { return concat('\'', printable(text), '\''); }

/// Reads untrusted bytes from front to back. Every call checks; a failed one moves nothing.
class byte_reader {
 public:
  /// `place` names the source in errors and must outlive the reader.
  explicit byte_reader(std::span<const std::byte> bytes, std::string_view place = "bytes")
      : bytes_(bytes), place_(place) {}

  std::size_t offset() const noexcept { return offset_; }
  std::size_t left() const noexcept { return bytes_.size() - offset_; }

  /// The next number.
  template <Wire T>
  result<T> take() {
    const auto raw = take_bytes(sizeof(T));
    if (!raw) return raw.error();
    return load_little<T>(raw->data());
  }

  /// The next `count` bytes, as a view into the source.
  result<std::span<const std::byte>> take_bytes(std::size_t count) {
    if (count > left())
      return error::of(fault::format, place_, ": cut short at byte ", offset_, ": ", left(), " left, ", count,
                       " needed");
    const auto piece = bytes_.subspan(offset_, count);
    offset_ += count;
    return piece;
  }

  /// An error unless everything was read.
  status expect_end() const {
    if (left() != 0)
      return error::of(fault::format, place_, ": ", left(), " bytes left over at byte ", offset_);
    return nothing{};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view place_;
  std::size_t offset_ = 0;
};

/// Builds a byte string front to back.
class byte_writer {
 public:
  template <Wire T>
  byte_writer& put(T number) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    store_little(number, bytes_.data() + at);
    return *this;
  }
  byte_writer& put(std::span<const std::byte> piece) {
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return *this;
  }
  byte_writer& put(std::string_view text) { return put(bytes_of(text)); }

  void reserve(std::size_t count) { bytes_.reserve(count); }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> view() const noexcept { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

} // namespace privet
