#pragma once
// Weights that others stored in 16 bits: IEEE half precision and bfloat16, read as float.

#include <privet/core/safetensors.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace privet {

/// The number of a bfloat16: the upper half of a float. Exact.
constexpr float from_bfloat16(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// The number of an IEEE 754 binary16. Exact, subnormal numbers, infinities and NaN as such.
constexpr float from_half(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu,
                      fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24f; // subnormal, or zero
  return sign ? -small : small;
}

/// Copies the elements of a tensor of F16, BF16, F32 or F64 to `out`; F64 is rounded to float if `out` is.
/// Errors  N003: another number of elements; a type that is no floating-point number of these
/// Test    tests/core/half.test.cpp
template <std::floating_point T>
status copy_numbers(const tensor_entry& entry, std::span<T> out) {
  if (out.size() != entry.data.size() / size_of(entry.type))
    return error::of(fault::shape, "tensor ", in_quotes(entry.name), ": ",
                     entry.data.size() / size_of(entry.type), " elements ", shape_text(entry.shape),
                     ", expected ", out.size());
  const auto each = [&]<class Stored>(Stored, auto&& number) {
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<T>(number(load_little<Stored>(entry.data.data() + i * sizeof(Stored))));
    return status(nothing{});
  };
  const auto same = [](auto x) { return x; };
  switch (entry.type) {
    case dtype::f16:
      return each(std::uint16_t{}, from_half);
    case dtype::bf16:
      return each(std::uint16_t{}, from_bfloat16);
    case dtype::f32:
      return each(float{}, same);
    case dtype::f64: // what no float holds becomes infinite
      return each(double{}, [](double x) {
        constexpr double most = static_cast<double>(std::numeric_limits<T>::max()), beyond = HUGE_VAL;
        return x > most ? beyond : x < -most ? -beyond : x;
      });
    default:
      break;
  }
  return error::of(fault::shape, "tensor ", in_quotes(entry.name), ": ", name_of(entry.type),
                   ", expected F16, BF16, F32 or F64");
}

} // namespace privet
