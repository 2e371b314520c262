#include "support/catch.hpp"

#include <privet/core/half.hpp>
#include <privet/core/sha256.hpp>

#include <array>
#include <cmath>
#include <string>
#include <vector>

using namespace privet;

namespace {

template <class T>
std::vector<std::byte> little(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) store_little(values[i], bytes.data() + i * sizeof(T));
  return bytes;
}

/// A tensor after a way through a file.
template <class T>
std::vector<T> read_back(dtype type, const std::vector<std::byte>& data, std::size_t count) {
  const tensor_entry entry{"w", type, {count}, data};
  const auto file = read_safetensors(write_safetensors(std::span(&entry, 1))).value();
  std::vector<T> out(count);
  (void)copy_numbers(*file.find("w"), std::span(out)).value();
  return out;
}

} // namespace

TEST_CASE("half: every number of 16 bits is numpy's float") {
  // numpy 1.24: f = np.arange(65536, dtype="u2").view("f2").astype("f4"); f[~np.isnan(f)].tobytes()
  std::vector<float> numbers;
  std::size_t nans = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float x = from_half(static_cast<std::uint16_t>(bits));
    if (std::isnan(x))
      ++nans;
    else
      numbers.push_back(x);
  }
  CHECK(nans == 2046);
  CHECK(hex(sha256(little(numbers))) == "680bbc22915f61aa1bbfc7265bc3882a6aa42d299bfd2c571807196e5544de2e");
  static_assert(from_half(0x3c00) == 1 && from_half(0xc000) == -2 && from_half(0x7bff) == 65504);
  static_assert(from_half(0x0001) == 0x1p-24f && from_half(0x03ff) == 1023 * 0x1p-24f);
  CHECK(std::signbit(from_half(0x8000)));
  CHECK(std::isinf(from_half(0xfc00)));
}

TEST_CASE("half: a bfloat16 is the upper half of a float") {
  static_assert(from_bfloat16(0x3f80) == 1 && from_bfloat16(0xc000) == -2);
  for (const float x : {0.f, -0.f, 1.5f, -3.25f, 0x1p-130f, 0x1.7ep120f}) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    CHECK(std::bit_cast<std::uint32_t>(from_bfloat16(static_cast<std::uint16_t>(bits >> 16))) == bits);
  }
  CHECK(std::isnan(from_bfloat16(0x7fc0)));
}

TEST_CASE("half: tensors of every width are read as float or double") {
  const std::vector<float> wanted{0.5f, -2, 3.5f};
  CHECK(read_back<float>(dtype::f16, little<std::uint16_t>({0x3800, 0xc000, 0x4300}), 3) == wanted);
  CHECK(read_back<float>(dtype::bf16, little<std::uint16_t>({0x3f00, 0xc000, 0x4060}), 3) == wanted);
  CHECK(read_back<float>(dtype::f32, little<float>(wanted), 3) == wanted);
  CHECK(read_back<float>(dtype::f64, little<double>({0.5, -2, 3.5}), 3) == wanted);
  CHECK(read_back<float>(dtype::f64, little<double>({1e300, -1e300, 3e38}), 3) ==
        std::vector<float>{HUGE_VALF, -HUGE_VALF, 3e38f});
  CHECK(read_back<double>(dtype::f16, little<std::uint16_t>({0x3800}), 1) == std::vector<double>{0.5});
  CHECK(read_back<double>(dtype::f64, little<double>({0.1}), 1) == std::vector<double>{0.1});
}

TEST_CASE("half: another number of elements and another kind of number are errors with both sides") {
  const auto halves = little<std::uint16_t>({0x3800, 0xc000});
  std::vector<float> three(3), two(2);
  CHECK(copy_numbers(tensor_entry{"conv1.weight", dtype::f16, {1, 2}, halves}, std::span(three))
            .error()
            .message == "[N003 shape] tensor 'conv1.weight': 2 elements (1, 2), expected 3");
  CHECK(copy_numbers(tensor_entry{"steps", dtype::i16, {2}, halves}, std::span(two)).error().message ==
        "[N003 shape] tensor 'steps': I16, expected F16, BF16, F32 or F64");
}
