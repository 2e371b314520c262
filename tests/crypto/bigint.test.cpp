#include "support/catch.hpp"

#include <privet/crypto/bigint.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/random/replayable.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

using namespace privet;

static_assert(std::is_same_v<decltype(bigint(1) + bigint(2)), bigint>, "operators return numbers");
static_assert(std::is_same_v<secret_bigint::backend_type::allocator_type,
                             wiping_allocator<boost::multiprecision::limb_type>>);

namespace {

template <class Big>
Big random_number(replayable_random& source, std::size_t words) {
  std::vector<std::uint64_t> drawn(words);
  fill_words(source, drawn);
  return from_words<Big>(drawn);
}

} // namespace

TEMPLATE_TEST_CASE("integers and their words", "", bigint, secret_bigint) {
  const std::array<std::uint64_t, 3> words{0x0123456789abcdef, 0xfedcba9876543210, 0};
  const auto x = from_words<TestType>(words);
  CHECK(x == TestType("0xfedcba98765432100123456789abcdef"));
  CHECK(bit_length(x) == 128);
  CHECK(to_words(x, 3) == std::vector<std::uint64_t>(words.begin(), words.end()));
  CHECK(to_words(x, 2) == std::vector<std::uint64_t>(words.begin(), words.begin() + 2));
  CHECK_THROWS_WITH(to_words(x, 1),
                    Catch::Contains("[N008 range]") && Catch::Contains("128 bits for 1 words"));
  CHECK_THROWS_WITH(to_words(TestType(-x), 3), Catch::Contains("negative"));
  CHECK(from_words<TestType>({}) == 0);
  CHECK(to_words(TestType(0), 2) == std::vector<std::uint64_t>{0, 0});
  CHECK(bit_length(TestType(0)) == 0);
  CHECK(bit_length(TestType(-8)) == 4);
  replayable_random source(1);
  for (std::size_t n = 1; n < 70; ++n) {
    const auto y = random_number<TestType>(source, n);
    CHECK(from_words<TestType>(to_words(y, n + 1)) == y);
  }
}

TEMPLATE_TEST_CASE("integers and their big-endian bytes", "", bigint, secret_bigint) {
  const std::array<std::byte, 9> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},   std::byte{5},
                                       std::byte{6}, std::byte{7}, std::byte{8}, std::byte{0xff}};
  const auto x = from_big_endian<TestType>(bytes);
  CHECK(x == TestType("0x0102030405060708ff"));
  std::array<std::byte, 11> wide;
  to_big_endian(x, wide);
  CHECK((wide[0] == std::byte{0} && wide[1] == std::byte{0} && wide[2] == std::byte{1} &&
         wide[10] == std::byte{0xff}));
  std::array<std::byte, 8> narrow;
  CHECK_THROWS_WITH(to_big_endian(x, narrow), Catch::Contains("65 bits for 8 bytes"));
  CHECK(from_big_endian<TestType>({}) == 0);
}

TEST_CASE("decimal numbers of untrusted text") {
  const std::string digits = "1234567890123456789012345678901234567890";
  CHECK(parse_decimal(digits, 40).value() == bigint(digits));
  CHECK(to_decimal(bigint(digits)) == digits);
  CHECK(parse_decimal("0", 1).value() == 0);
  CHECK(parse_decimal("1000000000000000000", 19).value() == bigint("1000000000000000000"));
  for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "01", "00", "1e5", "0x1", "12\n", "\xff"})
    CHECK(parse_decimal(wrong, 100).error().kind == fault::format);
  CHECK_FALSE(parse_decimal(digits, 39));
  replayable_random source(2);
  for (std::size_t n = 1; n < 40; n += 3) {
    const auto x = random_number<bigint>(source, n);
    CHECK(parse_decimal(x.str(), 1000).value() == x);
    CHECK(parse_decimal<secret_bigint>(x.str(), 1000).value() == secret_bigint(x));
  }
}

TEST_CASE("inverses modulo a number") {
  replayable_random source(3);
  for (int turn = 0; turn < 50; ++turn) {
    const auto n = random_number<bigint>(source, 5), a = random_number<bigint>(source, 6);
    const auto x = inverse_modulo(a, n);
    if (greatest_common_divisor(a, n) == 1) {
      CHECK((a * x) % n == 1);
      CHECK((x > 0 && x < n));
      CHECK((inverse_modulo(bigint(-a), n) + x) % n == 0);
    } else {
      CHECK(x == 0);
    }
  }
  CHECK(inverse_modulo(bigint(6), bigint(9)) == 0);
  CHECK(inverse_modulo(bigint(3), bigint(7)) == 5);
}

TEST_CASE("integer roots are the largest that fit") {
  replayable_random source(4);
  for (unsigned degree = 1; degree < 20; ++degree) {
    const auto root = random_number<bigint>(source, 2);
    const bigint power = boost::multiprecision::pow(root, degree);
    CHECK(integer_root(power, degree) == root);
    CHECK(integer_root(bigint(power - 1), degree) == root - 1);
    CHECK(integer_root(bigint(power + 1), degree) == (degree == 1 ? root + 1 : root));
  }
  for (int a = 0; a < 100; ++a) {
    const auto x = integer_root(bigint(a), 2);
    CHECK((x * x <= a && (x + 1) * (x + 1) > a));
  }
}
