#include "support/big_numbers.hpp"
#include "support/catch.hpp"

#include <privet/crypto/fixed_base.hpp>

using namespace privet;
using test::big_words, test::number_at;

namespace {

template <class Arch>
void check(std::size_t modulus_bits, std::size_t exponent_bits, unsigned width, std::size_t count) {
  INFO(modulus_bits << " bits, exponents of " << exponent_bits << ", windows of " << width << ", " << count
                    << " numbers, " << simd::montgomery<Arch>::lanes << " lanes");
  const auto n = test::random_modulus(modulus_bits, modulus_bits), word = test::random_words(n.size(), 2);
  const modulus<Arch> m(n);
  const auto base = m.enter(word);
  const auto table =
      width == 0 ? fixed_base<Arch>(m, base, exponent_bits) : fixed_base<Arch>(m, base, exponent_bits, width);
  REQUIRE(table.exponent_bits() == exponent_bits);
  const std::size_t each = (exponent_bits + 63) / 64;
  auto exponents = test::random_words(each * count, 3);
  for (std::size_t w = 0; w < each; ++w) { // 0, 1, all ones; bits above the exponent do not count
    exponents[w] = 0;
    if (count > 1) exponents[each + w] = w == 0;
    if (count > 2) exponents[2 * each + w] = ~std::uint64_t{0};
  }
  residues<Arch> out;
  for (int twice = 0; twice < 2; ++twice) { // the second time with room that is there
    table.power_each(exponents, out);
    big_words found(count * n.size());
    m.leave(out, found);
    const bigint mask = (bigint(1) << static_cast<unsigned>(exponent_bits)) - 1;
    for (std::size_t i = 0; i < count; ++i)
      REQUIRE(number_at(found, n.size(), i) ==
              power_modulo(from_words(word), bigint(number_at(exponents, each, i) & mask), from_words(n)));
  }
}

} // namespace

TEST_CASE("powers of a fixed base are those of big integers, on every kernel") {
  for (unsigned width = 0; width <= 8; ++width)
    test::for_each_arithmetic([&]<class Arch>() {
      check<Arch>(256, 131, width, 11);
      check<Arch>(1024, 64, width, 3);
      check<Arch>(512, width + 1, width, 1);
    });
  test::for_each_arithmetic([&]<class Arch>() { check<Arch>(128, 70, 5, 150); }); // more than one pass
}

TEST_CASE("powers of a fixed base of 4096 bits are those of big integers", "[slow]") {
  test::for_each_arithmetic([&]<class Arch>() { check<Arch>(4096, 1024, 0, 9); });
}

TEST_CASE("tables of a fixed base stay within the cache they are made for") {
  const auto n = test::random_modulus(4096, 1);
  const modulus<> m(n);
  const fixed_base<> table(m, m.enter(test::random_words(n.size(), 2)), 1024);
  CHECK(table.table_bytes() <= fixed_base<>::preferred_bytes);
}

TEST_CASE("a fixed base is one number, its exponents fit") {
  const modulus<> m(test::random_modulus(256, 1));
  CHECK_THROWS_WITH(fixed_base<>(m, m.ones(2), 64),
                    Catch::Contains("[N003 shape] fixed_base: 2 numbers, expected 1"));
  CHECK_THROWS_WITH(fixed_base<>(m, m.ones(1), 0), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(fixed_base<>(m, m.ones(1), 64, 9), Catch::Contains("windows of 9 bits"));
  const modulus<> other(test::random_modulus(1024, 1));
  CHECK_THROWS_WITH(fixed_base<>(m, other.ones(1), 64), Catch::Contains("[N003 shape]"));
  residues<> out;
  CHECK_THROWS_WITH(fixed_base<>(m, m.ones(1), 65).power_each(big_words(3), out),
                    Catch::Contains("[N003 shape]"));
}
