#include "support/catch.hpp"

#include <privet/core/dtype.hpp>

#include <cstdint>
#include <limits>
#include <vector>

using namespace privet;

static_assert(dtype_of<float>() == dtype::f32 && dtype_of<double>() == dtype::f64);
static_assert(dtype_of<std::uint8_t>() == dtype::u8 && dtype_of<std::int16_t>() == dtype::i16);
static_assert(dtype_of<std::uint32_t>() == dtype::u32 && dtype_of<std::int64_t>() == dtype::i64);
static_assert(Stored<float> && !Stored<long double> && !Stored<bool> && !Stored<char>);

TEST_CASE("dtype: names are those of safetensors, and lead back") {
  for (const auto name : dtype_names) {
    const auto type = dtype_named(name);
    REQUIRE(type);
    CHECK(name_of(*type) == name);
  }
  CHECK(dtype_named("F16") == dtype::f16);
  CHECK_FALSE(dtype_named("f16"));
  CHECK_FALSE(dtype_named(""));
  CHECK_FALSE(dtype_named("F128"));
}

TEST_CASE("dtype: elements have the size of what they are read as") {
  const auto check = []<class T>(T) { CHECK(size_of(dtype_of<T>()) == sizeof(T)); };
  check(float{}), check(double{}), check(std::uint8_t{}), check(std::int8_t{}), check(std::uint16_t{});
  check(std::int16_t{}), check(std::uint32_t{}), check(std::int32_t{}), check(std::uint64_t{}),
      check(std::int64_t{});
  CHECK(size_of(dtype::boolean) == 1);
  CHECK(size_of(dtype::f8_e4m3) == 1);
  CHECK(size_of(dtype::bf16) == 2);
}

TEST_CASE("dtype: bytes of an array are counted, or do not fit") {
  using shape = std::vector<std::size_t>;
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  CHECK(byte_count(dtype::f32, shape{}) == 4);
  CHECK(byte_count(dtype::f64, shape{3, 5}) == 120);
  CHECK(byte_count(dtype::f64, shape{3, 0, 5}) == 0);
  CHECK(byte_count(dtype::u8, shape{most}) == most);
  CHECK_FALSE(byte_count(dtype::u16, shape{most}));
  CHECK_FALSE(byte_count(dtype::u8, shape{most / 2, 3}));
  CHECK(shape_text(shape{3, 4}) == "(3, 4)");
  CHECK(shape_text(shape{}) == "()");
}
