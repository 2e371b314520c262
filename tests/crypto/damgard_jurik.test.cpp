#include "support/catch.hpp"
#include "support/paillier.hpp"

#include <privet/crypto/paillier.hpp>
#include <privet/random/system.hpp>

#include <concepts>
#include <utility>
#include <vector>

using namespace privet;
using test::paillier::of_bits;
using test::paillier::secret_key;
using test::paillier::small;

using words = std::vector<std::uint64_t>;

namespace {

system_random& source() { return thread_system_random(); }

template <std::size_t S>
using power = std::integral_constant<std::size_t, S>;
template <std::size_t S>
using evaluator = paillier_evaluator<simd::default_arch, S>;
template <std::size_t S>
using decryptor = paillier_decryptor<simd::default_arch, S>;
template <class Policy, std::size_t S>
using encryptor = paillier_encryptor<Policy, simd::default_arch, S>;

/// Random plain numbers below n^s, the first 0, 1, n and the largest.
template <std::size_t S>
words some_plain(const evaluator<S>& with, std::size_t count) {
  const std::size_t each = with.plain_words();
  words out(count * each);
  const bigint largest = from_words(with.plain_modulus()) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto m = std::span(out).subspan(i * each, each);
    if (i == 1) m[0] = 1;
    if (i == 2 && S > 1) std::ranges::copy(with.key().n(), m.begin());
    if (i == 3) to_words(largest, m);
    if (i > 3) draw_below(source(), with.plain_modulus(), m);
  }
  return out;
}

template <std::size_t S>
words decrypted(const decryptor<S>& with, const ciphertexts<simd::default_arch, S>& c) {
  const auto plain = with.decrypt(c);
  return {plain.begin(), plain.end()};
}

} // namespace

TEMPLATE_TEST_CASE("ciphertexts modulo n^(s+1) are those of the definition", "", power<1>, power<2>, power<3>,
                   power<4>) {
  constexpr std::size_t s = TestType::value;
  for (const std::size_t bits : {128u, 1024u}) {
    if (bits > 128 && s > 2) continue; // Boost's powers take seconds
    const auto v = of_bits(bits);
    const evaluator<s> with(paillier_public_key::from_modulus(v.n, small).value());
    const bigint n = from_words(v.n), n_s = boost::multiprecision::pow(n, s), modulus = n_s * n;
    CHECK(from_words(with.plain_modulus()) == n_s);
    const std::size_t count = bits == 128 ? 13 : 5;
    const auto m = some_plain(with, count);
    words r(count * v.words());
    for (std::size_t i = 0; i < count; ++i)
      draw_positive_below(source(), v.n, std::span(r).subspan(i * v.words(), v.words()));
    const auto c = with.write(unsafe::raw_encrypt(with, m, r, "a test against the definition"));
    for (std::size_t i = 0; i < count; ++i) {
      const auto plain = from_words(std::span(m).subspan(i * with.plain_words(), with.plain_words()));
      const auto mask = from_words(std::span(r).subspan(i * v.words(), v.words()));
      CHECK(from_words(std::span(c).subspan(i * with.cipher_words(), with.cipher_words())) ==
            power_modulo(bigint(n + 1), plain, modulus) * power_modulo(mask, n_s, modulus) % modulus);
    }
    CHECK_THROWS_WITH(with.nude(with.plain_modulus()), Catch::Contains("not below n^"));
  }
}

TEMPLATE_TEST_CASE("what is encrypted modulo n^(s+1) decrypts, by every policy", "", power<2>, power<3>,
                   power<4>) {
  constexpr std::size_t s = TestType::value;
  for (const std::size_t bits : {128u, 512u}) {
    const auto key = bits == 128 ? secret_key(bits) : paillier_secret_key::generate(bits, source(), small);
    const decryptor<s> opens(key);
    const auto& with = opens.evaluator();
    const auto m = some_plain(with, 11);
    const auto check = [&](const auto& encrypts) {
      const auto c = encrypts.encrypt(m, source());
      CHECK(decrypted(opens, c) == m);
      CHECK(with.write(c) != with.write(encrypts.encrypt(m, source())));
      auto other = c;
      encrypts.rerandomise(other, source());
      CHECK(with.write(other) != with.write(c));
      CHECK(decrypted(opens, other) == m);
    };
    check(encryptor<encryption::naive, s>(key.public_key(), source()));
    check(encryptor<encryption::djn, s>(key.public_key(), source()));
    check(encryptor<encryption::djn_short_exponent, s>(key.public_key(), source()));
    check(encryptor<encryption::key_holder, s>(key, source()));
    const encryptor<encryption::certified, s> encrypts(key.public_key(), source());
    check(encrypts);
    paillier_pool<encryption::certified, simd::default_arch, s> pool(encrypts.evaluator());
    pool.prepare(encrypts, 11, source());
    CHECK(decrypted(opens, pool.encrypt(m)) == m);
    CHECK(pool.size() == 0);
  }
}

TEMPLATE_TEST_CASE("sums modulo n^s, checked and blinded decryption", "", power<2>, power<3>) {
  constexpr std::size_t s = TestType::value;
  const auto key = secret_key(1024);
  const decryptor<s> opens(key);
  const auto& with = opens.evaluator();
  const encryptor<encryption::certified, s> encrypts(key.public_key(), source());
  const auto a = some_plain(with, 6), b = some_plain(with, 6);
  const auto ca = encrypts.encrypt(a, source()), cb = encrypts.encrypt(b, source());
  const auto sum = decrypted(opens, with.add(with.scale(ca, 1000), cb));
  const auto plain_sum = decrypted(opens, with.add_plain(ca, b));
  const std::size_t each = with.plain_words();
  const bigint n_s = from_words(with.plain_modulus());
  for (std::size_t i = 0; i < 6; ++i) {
    const auto of = [&](const words& all) { return from_words(std::span(all).subspan(i * each, each)); };
    CHECK(of(sum) == (1000 * of(a) + of(b)) % n_s);
    CHECK(of(plain_sum) == (of(a) + of(b)) % n_s);
  }
  CHECK(decrypted(opens, opens.blinded(ca, source())) == a);
  words plain(a.size());
  opens.decrypt_verified(ca, plain);
  CHECK(plain == a);
  for (std::size_t i = 0; i < 6; ++i) {
    auto wrong = a;
    wrong[i * each + each / 2] ^= 4;
    CHECK_FALSE(opens.holds(ca, wrong));
  }
  auto written = with.write(ca);
  CHECK(decrypted(opens, with.read(written).value()) == a);
  to_words(bigint(n_s * from_words(key.public_key().n())), std::span(written).first(with.cipher_words()));
  CHECK_THAT(with.read(written).error().message, Catch::Contains("number 0 is not below n^"));
  to_words(bigint(n_s), std::span(written).first(with.cipher_words()));
  CHECK_THAT(with.read(written).error().message, Catch::Contains("common factor"));
}
