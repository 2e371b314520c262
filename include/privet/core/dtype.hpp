#pragma once
// What the elements of a stored array are, for the file formats to agree on.

#include <privet/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace privet {

/// Element types of files, in the order of the safetensors reference, which sorts tensors by it.
enum class dtype : unsigned char {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  f64,
  i64,
  u64
};

/// Bytes of one element.
constexpr std::size_t size_of(dtype type) noexcept {
  return type <= dtype::f8_e4m3 ? 1 : type <= dtype::bf16 ? 2 : type <= dtype::f32 ? 4 : 8;
}

inline constexpr std::string_view dtype_names[] = {"BOOL", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
                                                   "I16",  "U16", "F16", "BF16",    "I32",
                                                   "U32",  "F32", "F64", "I64",     "U64"};

constexpr std::string_view name_of(dtype type) noexcept { return dtype_names[static_cast<unsigned>(type)]; }

constexpr std::optional<dtype> dtype_named(std::string_view name) noexcept {
  for (unsigned i = 0; i < std::size(dtype_names); ++i)
    if (dtype_names[i] == name) return static_cast<dtype>(i);
  return std::nullopt;
}

/// A C++ type that the elements of a file may be read as.
template <class T>
concept Stored =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::uint8_t> ||
    std::same_as<T, std::int8_t> || std::same_as<T, std::uint16_t> || std::same_as<T, std::int16_t> ||
    std::same_as<T, std::uint32_t> || std::same_as<T, std::int32_t> || std::same_as<T, std::uint64_t> ||
    std::same_as<T, std::int64_t>;

template <Stored T>
constexpr dtype dtype_of() noexcept {
  if constexpr (std::floating_point<T>)
    return sizeof(T) == 4 ? dtype::f32 : dtype::f64;
  else if constexpr (sizeof(T) == 1)
    return std::is_signed_v<T> ? dtype::i8 : dtype::u8;
  else if constexpr (sizeof(T) == 2)
    return std::is_signed_v<T> ? dtype::i16 : dtype::u16;
  else if constexpr (sizeof(T) == 4)
    return std::is_signed_v<T> ? dtype::i32 : dtype::u32;
  else
    return std::is_signed_v<T> ? dtype::i64 : dtype::u64;
}

/// Bytes of an array; none when the product overflows.
constexpr std::optional<std::size_t> byte_count(dtype type, std::span<const std::size_t> shape) noexcept {
  std::size_t bytes = size_of(type);
  for (const std::size_t extent : shape) {
    if (extent != 0 && bytes > static_cast<std::size_t>(-1) / extent) return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

/// `(3, 4)`, for error texts.
inline std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i == 0 ? "" : ", ", shape[i]);
  return text + ")";
}

} // namespace privet
