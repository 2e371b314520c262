#include "support/big_numbers.hpp"
#include "support/catch.hpp"

#include <privet/crypto/modulus.hpp>

#include <algorithm>
#include <thread>

using namespace privet;
using test::big_words, test::number_at;

namespace {

/// 0, 1, N - 1, N, all ones, then random words: none needs to be below N.
big_words operands(const big_words& n, std::size_t count, std::uint64_t seed) {
  const std::size_t size = n.size();
  big_words out = test::random_words(count * size, seed);
  const auto put = [&](std::size_t i, auto word) {
    for (std::size_t w = 0; i < count && w < size; ++w) out[i * size + w] = word(w);
  };
  put(0, [](std::size_t) { return std::uint64_t{0}; });
  put(1, [](std::size_t w) { return std::uint64_t{w == 0}; });
  put(2, [&](std::size_t w) { return n[w] - (w == 0); });
  put(3, [&](std::size_t w) { return n[w]; });
  put(4, [](std::size_t) { return ~std::uint64_t{0}; });
  return out;
}

template <class Arch>
std::vector<bigint> numbers_of(const modulus<Arch>& m, const residues<Arch>& batch) {
  big_words words(batch.size() * m.words(), 7);
  m.leave(batch, words);
  std::vector<bigint> out;
  for (std::size_t i = 0; i < batch.size(); ++i) out.push_back(number_at(words, m.words(), i));
  return out;
}

template <class Arch>
void check_products(const big_words& n, std::size_t count) {
  INFO(bit_length(n) << " bits, " << count << " numbers, " << simd::montgomery<Arch>::lanes << " lanes");
  const modulus<Arch> m(n);
  REQUIRE(m.bits() == bit_length(n));
  REQUIRE(m.words() == n.size());
  REQUIRE(std::ranges::equal(m.value(), n));
  const bigint N = from_words(n);
  const auto x = operands(n, count, 1);
  auto y = operands(n, count, 2);
  std::rotate(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(count / 2 * n.size()), y.end());
  const auto a = m.enter(x), b = m.enter(y), one = m.enter(std::span(y).first(n.size()));
  std::vector<bigint> entered, products, squares, scaled;
  bigint all = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const bigint u = number_at(x, n.size(), i), v = number_at(y, n.size(), i);
    entered.push_back(u % N);
    products.push_back(u * v % N);
    squares.push_back(u * u % N);
    scaled.push_back(u * number_at(y, n.size(), 0) % N);
    all = all * (v % N) % N;
  }
  REQUIRE(numbers_of(m, a) == entered);
  REQUIRE(numbers_of(m, m.ones(count)) == std::vector<bigint>(count, bigint(1)));

  residues<Arch> out;
  m.multiply(a, b, out);
  REQUIRE(numbers_of(m, out) == products);
  m.square(a, out);
  REQUIRE(numbers_of(m, out) == squares);
  m.multiply(a, one, out);
  REQUIRE(numbers_of(m, out) == scaled);
  m.product(b, out);
  REQUIRE(numbers_of(m, out) == std::vector<bigint>{all});

  // In place: each operand, and both.
  out = a;
  m.multiply(out, b, out);
  REQUIRE(numbers_of(m, out) == products);
  out = b;
  m.multiply(a, out, out);
  REQUIRE(numbers_of(m, out) == products);
  out = a;
  m.multiply(out, out, out);
  REQUIRE(numbers_of(m, out) == squares);
  out = a;
  m.square(out, out);
  REQUIRE(numbers_of(m, out) == squares);
  out = one;
  m.multiply(a, out, out);
  REQUIRE(numbers_of(m, out) == scaled);
  out = b;
  m.product(out, out);
  REQUIRE(numbers_of(m, out) == std::vector<bigint>{all});
}

bigint low_bits(const bigint& x, std::size_t bits) {
  return x & ((bigint(1) << static_cast<unsigned>(bits)) - 1);
}

/// Exponents 0, 1, all ones, the top bit alone, then random ones; every lane has its own.
template <class Arch>
void check_powers(const big_words& n, std::size_t count, std::size_t bits) {
  INFO(bit_length(n) << " bits, " << count << " numbers, exponents of " << bits << " bits, "
                     << simd::montgomery<Arch>::lanes << " lanes");
  const modulus<Arch> m(n);
  const bigint N = from_words(n);
  const std::size_t each = (bits + 63) / 64;
  auto bases = operands(n, count, 3);
  // The kinds of bases and of exponents meet in another way in each call.
  std::rotate(bases.begin(), bases.begin() + static_cast<std::ptrdiff_t>(bits % count * n.size()),
              bases.end());
  big_words exponents = test::random_words(each * count, 4);
  for (std::size_t w = 0; w < each; ++w) {
    exponents[w] = 0;
    if (count > 1) exponents[each + w] = w == 0;
    if (count > 2) exponents[2 * each + w] = ~std::uint64_t{0};
    if (count > 3) exponents[3 * each + w] = w + 1 == each ? std::uint64_t{1} << (bits - 1) % 64 : 0;
  }
  std::vector<bigint> expected, one_exponent;
  const std::size_t chosen = count - 1;
  for (std::size_t i = 0; i < count; ++i) {
    const bigint base = number_at(bases, n.size(), i);
    expected.push_back(power_modulo(base, low_bits(number_at(exponents, each, i), bits), N));
    one_exponent.push_back(power_modulo(base, low_bits(number_at(exponents, each, chosen), bits), N));
  }
  const auto base = m.enter(bases);
  residues<Arch> out;
  m.power_each(base, exponents, bits, out);
  REQUIRE(numbers_of(m, out) == expected);
  m.power(base, std::span(exponents).subspan(chosen * each), bits, out);
  REQUIRE(numbers_of(m, out) == one_exponent);
  for (std::size_t i = 0; i < std::min<std::size_t>(count, 5);
       ++i) { // 0, 1, all ones, the top bit alone, any
    const bigint exponent = low_bits(number_at(exponents, each, i), bits);
    m.power_public(base, std::span(exponents).subspan(i * each), bits, out);
    const auto found = numbers_of(m, out);
    for (std::size_t j = 0; j < count; j += i < 4 ? 1 : 3)
      REQUIRE(found[j] == power_modulo(number_at(bases, n.size(), j), exponent, N));
  }
  out = base;
  m.power_public(out, std::span(exponents).subspan(chosen * each), bits, out);
  REQUIRE(numbers_of(m, out) == one_exponent);
  out = base;
  m.power_each(out, exponents, bits, out);
  REQUIRE(numbers_of(m, out) == expected);
}

template <class Arch>
void check_weighted(const big_words& n, std::size_t count) {
  INFO(bit_length(n) << " bits, " << count << " numbers, " << simd::montgomery<Arch>::lanes << " lanes");
  const modulus<Arch> m(n);
  const bigint N = from_words(n);
  for (const std::vector<std::uint32_t>& weights : {std::vector<std::uint32_t>{0},
                                                    {1},
                                                    {0xFFFFFFFF},
                                                    {5, 0, 1},
                                                    {0, 0},
                                                    {0x80000000, 0x7FFFFFFF, 2, 6},
                                                    {1234567, 89, 0xDEADBEEF, 0xFFFFFFFE, 3}}) {
    std::vector<residues<Arch>> batches;
    std::vector<bigint> expected(count, bigint(1));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto words = operands(n, count, 10 + i);
      batches.push_back(m.enter(words));
      for (std::size_t j = 0; j < count; ++j)
        expected[j] = expected[j] * power_modulo(number_at(words, n.size(), j), bigint(weights[i]), N) % N;
    }
    std::vector<const residues<Arch>*> bases;
    for (const auto& batch : batches) bases.push_back(&batch);
    residues<Arch> out;
    m.weighted_product(bases, weights, out);
    REQUIRE(numbers_of(m, out) == expected);
    m.weighted_product(bases, weights, batches[0]);
    REQUIRE(numbers_of(m, batches[0]) == expected);
  }
}

std::vector<big_words> moduli(std::size_t bits) {
  return {test::random_modulus(bits, bits), test::largest_modulus(bits), test::smallest_modulus(bits)};
}

} // namespace

TEST_CASE("products modulo N are those of big integers, on every kernel") {
  // 206, 1038, 2078, 4158: the largest that 52 bit digits hold; 1025 and 2047: words that are hardly or nearly full.
  for (const std::size_t bits :
       {128u, 129u, 206u, 256u, 500u, 512u, 1024u, 1025u, 1038u, 2047u, 2048u, 2078u, 3072u})
    for (const auto& n : moduli(bits))
      test::for_each_arithmetic([&]<class Arch>() { check_products<Arch>(n, 13); });
  for (const std::size_t bits : {4096u, 4158u, 6144u, 8192u, 16384u})
    test::for_each_arithmetic([&]<class Arch>() {
      check_products<Arch>(test::random_modulus(bits, bits), 9);
      check_products<Arch>(test::largest_modulus(bits), 5);
    });
}

TEST_CASE("batches of any length are multiplied") {
  const auto n = test::random_modulus(256, 5);
  for (std::size_t count = 1; count <= 20; ++count)
    test::for_each_arithmetic([&]<class Arch>() { check_products<Arch>(n, count); });
  test::for_each_arithmetic([&]<class Arch>() {
    const modulus<Arch> m(n);
    const auto none = m.enter({});
    residues<Arch> out = m.ones(3);
    CHECK(none.empty());
    m.product(none, out);
    CHECK(numbers_of(m, out) == std::vector<bigint>(1, bigint(1)));
    m.multiply(none, none, out);
    CHECK(out.empty());
  });
}

TEST_CASE("powers modulo N are those of big integers, on every kernel") {
  for (const std::size_t bits : {128u, 129u, 256u, 512u, 1024u})
    for (const auto& n : moduli(bits))
      for (const std::size_t exponent : {1u, 2u, 31u, 64u, 65u, 200u})
        test::for_each_arithmetic([&]<class Arch>() { check_powers<Arch>(n, 9, exponent); });
  for (const auto& n : moduli(2048))
    test::for_each_arithmetic([&]<class Arch>() { check_powers<Arch>(n, 8, 130); });
}

TEST_CASE("powers with exponents of full size are those of big integers, on every kernel", "[slow]") {
  for (const std::size_t bits : {1024u, 2048u, 3072u, 4096u, 6144u, 8192u})
    test::for_each_arithmetic([&]<class Arch>() {
      check_powers<Arch>(test::random_modulus(bits, bits), 5, bits <= 2048 ? bits : bits / 2);
    });
}

TEST_CASE("weighted products are products of powers") {
  for (const std::size_t bits : {128u, 512u, 1024u})
    test::for_each_arithmetic(
        [&]<class Arch>() { check_weighted<Arch>(test::random_modulus(bits, bits), 11); });
}

TEST_CASE("an exponent of no bits gives ones, one of more words its low bits") {
  const auto n = test::random_modulus(300, 1);
  const modulus<> m(n);
  const auto base = m.enter(test::random_words(3 * n.size(), 2));
  residues<> out;
  m.power(base, {}, 0, out);
  CHECK(numbers_of(m, out) == std::vector<bigint>(3, bigint(1)));
  m.power_public(base, {}, 0, out);
  CHECK(numbers_of(m, out) == std::vector<bigint>(3, bigint(1)));
  m.power_each(base, {}, 0, out);
  CHECK(numbers_of(m, out) == std::vector<bigint>(3, bigint(1)));
  const big_words long_exponent = {5, 77, 78}; // the low three bits are 5
  m.power(base, long_exponent, 3, out);
  const auto expected = numbers_of(m, out);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(expected[i] == power_modulo(number_at(test::random_words(3 * n.size(), 2), n.size(), i), bigint(5),
                                      from_words(n)));
}

TEST_CASE("one modulus serves several threads") {
  const auto n = test::random_modulus(1024, 3);
  const modulus<> m(n);
  const auto words = test::random_words(16 * n.size(), 4), exponent = test::random_words(2, 5);
  const auto base = m.enter(words);
  residues<> alone;
  m.power(base, exponent, 128, alone);
  const auto expected = numbers_of(m, alone);
  std::vector<std::vector<bigint>> found(4);
  std::vector<std::thread> threads;
  for (auto& mine : found)
    threads.emplace_back([&] {
      residues<> out;
      for (int turn = 0; turn < 5; ++turn) m.power(base, exponent, 128, out);
      mine = numbers_of(m, out);
    });
  for (auto& thread : threads) thread.join();
  for (const auto& mine : found) CHECK(mine == expected);
}

TEST_CASE("batches are copied, moved from and given other sizes") {
  const auto n = test::random_modulus(512, 3);
  const modulus<> m(n);
  const auto words = test::random_words(5 * n.size(), 4);
  auto a = m.enter(words);
  const auto expected = numbers_of(m, a);
  auto copy = a;
  m.square(copy, copy);
  CHECK(numbers_of(m, a) == expected);
  const auto moved = std::move(a);
  CHECK(a.size() == 0); // NOLINT(bugprone-use-after-move): what is left is empty
  CHECK(numbers_of(m, moved) == expected);
  a = moved;
  CHECK(numbers_of(m, a) == expected);
  residues<> out = m.ones(40);
  m.multiply(moved, m.ones(5), out);
  CHECK(numbers_of(m, out) == expected);
}

TEST_CASE("a modulus is odd, and of 128 to 16384 bits") {
  CHECK_THROWS_WITH(modulus<>(big_words{}),
                    Catch::Contains("[N001 argument] modulus: 0 bits, expected 128 to 16384"));
  CHECK_THROWS_WITH(modulus<>(test::largest_modulus(127)), Catch::Contains("127 bits"));
  CHECK_THROWS_WITH(modulus<>(test::largest_modulus(16385)), Catch::Contains("16385 bits"));
  auto even = test::random_modulus(256, 1);
  --even[0];
  CHECK_THROWS_WITH(modulus<>(even), Catch::Contains("even"));
  // Zeros above the number do not count.
  auto padded = test::random_modulus(256, 1);
  padded.resize(9);
  CHECK(modulus<>(padded).words() == 4);
}

TEST_CASE("batches that do not fit are refused") {
  const auto n = test::random_modulus(256, 1), longer = test::random_modulus(1024, 1);
  const modulus<> m(n), other(longer);
  const auto three = m.ones(3), two = m.ones(2);
  residues<> out;
  big_words words(12);
  CHECK_THROWS_WITH(m.enter(std::span(words).first(7)), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.leave(three, std::span(words).first(11)), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.multiply(three, two, out), Catch::Contains("3 numbers by 2"));
  CHECK_THROWS_WITH(m.square(other.ones(3), out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.power(three, words, 12 * 64 + 1, out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.power_public(three, words, 12 * 64 + 1, out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.power_each(three, words, 64, out), Catch::Contains("[N003 shape]"));
  const std::vector<const residues<>*> bases = {&three, &two};
  const std::vector<std::uint32_t> weights = {1, 2};
  CHECK_THROWS_WITH(m.weighted_product(bases, weights, out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.weighted_product(bases, std::span(weights).first(1), out),
                    Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.weighted_product({}, {}, out), Catch::Contains("[N001 argument]"));
}
