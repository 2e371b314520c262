#include "support/big_numbers.hpp"
#include "support/catch.hpp"
#include "support/paillier.hpp"

#include <privet/crypto/gmp.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier.hpp>

#include <algorithm>
#include <vector>

using namespace privet;
using test::big_words;

namespace {

/// 0, 1, N - 1, N, all ones, then random numbers; some are not below N.
big_words operands(const big_words& n, std::size_t count, std::uint64_t seed) {
  big_words out = test::random_words(count * n.size(), seed);
  for (std::size_t w = 0; w < n.size(); ++w) {
    out[w] = 0;
    out[n.size() + w] = w == 0;
    out[2 * n.size() + w] = n[w] - (w == 0);
    out[3 * n.size() + w] = n[w];
    out[4 * n.size() + w] = ~std::uint64_t{0};
  }
  return out;
}

big_words plain(const modulus<>& m, const residues<>& numbers) {
  big_words out(numbers.size() * m.words());
  m.leave(numbers, out);
  return out;
}

/// 0, 1, n where r^n is meant, the top bit alone, all ones.
std::vector<big_words> exponents(std::size_t bits) {
  std::vector<big_words> out = {{0}, {1}, test::random_modulus(bits, 8), big_words(bits / 64), big_words(3)};
  out[3].back() = std::uint64_t{1} << 63;
  std::ranges::fill(out[4], ~std::uint64_t{0});
  return out;
}

void check_modulus(const big_words& n) {
  constexpr std::size_t count = 7;
  CAPTURE(bit_length(n));
  const modulus<> m(n);
  const gmp_modulus g(n);
  REQUIRE(g.words() == n.size());
  const auto a = operands(n, count, 1), b = test::random_words(count * n.size(), 2);
  const auto in_a = m.enter(a), in_b = m.enter(b), in_one = m.enter(std::span(b).first(n.size()));
  big_words found(a.size());
  residues<> out;

  m.multiply(in_a, in_b, out);
  g.multiply(a, b, found);
  CHECK(found == plain(m, out));
  found = a;
  g.multiply(found, b, found);
  CHECK(found == plain(m, out));
  found = b;
  g.multiply(a, found, found);
  CHECK(found == plain(m, out));
  m.multiply(in_a, in_one, out);
  g.multiply(a, std::span(b).first(n.size()), found);
  CHECK(found == plain(m, out));
  found = b;
  g.multiply(b, std::span(found).first(n.size()), found); // the one number is written over
  m.multiply(in_b, in_one, out);
  CHECK(found == plain(m, out));

  big_words all(n.size());
  m.product(in_b, out);
  g.product(b, all);
  CHECK(all == plain(m, out));
  g.product({}, all);
  CHECK(from_words(all) == 1);

  for (const auto& exponent : exponents(bit_length(n) / 128 * 64)) {
    m.power_public(in_a, exponent, 64 * exponent.size(), out);
    g.power_public(a, exponent, found);
    CHECK(found == plain(m, out));
    found = a;
    g.power_public(found, exponent, found);
    CHECK(found == plain(m, out));
  }

  for (const std::vector<std::uint32_t>& weights : {std::vector<std::uint32_t>{0, 0, 0},
                                                    {1, 0, 0xFFFFFFFF},
                                                    {0x80000000, 3, 1},
                                                    {1234567, 0xDEADBEEF, 89}}) {
    const auto c = test::random_words(a.size(), 3);
    const auto in_c = m.enter(c);
    const residues<>* in[] = {&in_a, &in_b, &in_c};
    const std::span<const std::uint64_t> bases[] = {a, b, c};
    m.weighted_product(in, weights, out);
    g.weighted_product(bases, weights, found);
    CHECK(found == plain(m, out));
    auto over = a;
    const std::span<const std::uint64_t> own[] = {over, b, c};
    g.weighted_product(own, weights, over);
    CHECK(over == found);
  }
}

} // namespace

TEST_CASE("GMP's products and powers are those of modulus") {
  for (const std::size_t bits : {1024u, 1025u})
    for (const auto& n :
         {test::random_modulus(bits, bits), test::largest_modulus(bits), test::smallest_modulus(bits)})
      check_modulus(n);
}

TEST_CASE("GMP's products and powers of Paillier's sizes are those of modulus", "[slow]") {
  for (const std::size_t bits : {2048u, 3072u, 4096u, 6144u})
    for (const auto& n : {test::random_modulus(bits, bits), test::largest_modulus(bits)}) check_modulus(n);
}

TEST_CASE("GMP takes small and even moduli, and zeros above") {
  const std::vector<big_words> moduli = {{2}, {3, 0}, {~std::uint64_t{0}}, {0, 1}, {0, 0, 6}};
  for (const auto& n : moduli) {
    const gmp_modulus m(n);
    const auto base = test::random_words(5 * m.words(), 4), exponent = test::random_words(2, 5);
    big_words found(base.size());
    m.power_public(base, exponent, found);
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(test::number_at(found, m.words(), i) ==
            power_modulo(test::number_at(base, m.words(), i), from_words(exponent), from_words(n)));
  }
  CHECK_THROWS_WITH(gmp_modulus(big_words{}), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(gmp_modulus(big_words{0, 0}), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(gmp_modulus(big_words{1}), Catch::Contains("[N001 argument]"));
}

TEST_CASE("GMP computes with the words of Paillier ciphertexts") {
  const auto v = test::paillier::of_bits(1024);
  const paillier_evaluator<> with(paillier_public_key::from_modulus(v.n, test::paillier::small).value());
  const gmp_modulus ring(with.ring().value());
  const auto first = v.row(v.cipher, 0), second = v.row(v.cipher, 1);
  big_words found(with.cipher_words());
  ring.multiply(first, second, found);
  CHECK(std::ranges::equal(found, v.sum));
  ring.power_public(first, big_words{0xfedcba98}, found);
  CHECK(std::ranges::equal(found, v.scaled));

  const std::span<const std::uint64_t> terms[] = {first, second};
  const std::uint32_t weights[] = {3, 70'000};
  ring.weighted_product(terms, weights, found);
  const auto a = with.read(first).value(), b = with.read(second).value();
  const ciphertexts<>* both[] = {&a, &b};
  CHECK(found == with.write(with.weighted_sum(both, weights)));
  REQUIRE(with.read(found).has_value());
}

TEST_CASE("a secret exponent needs a reason") {
  const auto n = test::random_modulus(1024, 6);
  const gmp_modulus m(n);
  const auto base = test::random_words(2 * n.size(), 7), exponent = test::random_words(8, 8);
  big_words found(base.size()), expected(base.size());
  unsafe::power(m, base, exponent, found, "nobody measures a test");
  m.power_public(base, exponent, expected);
  CHECK(found == expected);
  CHECK_THROWS_WITH(unsafe::power(m, base, exponent, found, ""), Catch::Contains("no reason"));
}

TEST_CASE("spans that do not fit are refused by GMP's modulus") {
  const auto n = test::random_modulus(256, 1);
  const gmp_modulus m(n);
  big_words words(12), out(12);
  const auto three = std::span(words), two = std::span(words).first(8), odd = std::span(words).first(7);
  CHECK_THROWS_WITH(m.multiply(odd, odd, out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.multiply(three, two, out), Catch::Contains("3 numbers by 2"));
  CHECK_THROWS_WITH(m.multiply(two, two, out), Catch::Contains("room for 12 words, expected 8"));
  CHECK_THROWS_WITH(m.product(two, out), Catch::Contains("[N003 shape]"));
  CHECK_THROWS_WITH(m.power_public(two, words, out), Catch::Contains("[N003 shape]"));
  const std::span<const std::uint64_t> bases[] = {three, two};
  const std::uint32_t weights[] = {1, 2};
  CHECK_THROWS_WITH(m.weighted_product(bases, weights, out), Catch::Contains("batches of 3 and 2"));
  CHECK_THROWS_WITH(m.weighted_product(bases, std::span(weights).first(1), out),
                    Catch::Contains("2 batches and 1 weights"));
  CHECK_THROWS_WITH(m.weighted_product({}, {}, out), Catch::Contains("[N001 argument]"));
}
