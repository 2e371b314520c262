#include "support/catch.hpp"
#include "support/paillier.hpp"

#include <privet/crypto/paillier_key.hpp>
#include <privet/random/system.hpp>

#include <concepts>
#include <cstring>
#include <type_traits>

using namespace privet;
using test::paillier::small;

static_assert(!std::copyable<paillier_secret_key> && std::movable<paillier_secret_key>);
static_assert(std::copyable<paillier_public_key>);

namespace {

system_random& source() { return thread_system_random(); }

bigint value(std::span<const std::uint64_t> words) { return from_words(words); }

/// The sentence with which a modulus is refused.
std::string refusal(const bigint& n) {
  const auto words = to_words(n, (bit_length(n) + 63) / 64);
  const auto key = paillier_public_key::from_modulus(words, small);
  return key ? "taken" : key.error().message;
}
std::string refusal(const bigint& p, const bigint& q, const bigint& n) {
  const auto key = paillier_secret_key::from_primes(secret_bigint(p), secret_bigint(q), n, small);
  return key ? "taken" : key.error().message;
}

bigint next_prime(bigint p) {
  p |= 1;
  while (!is_prime(p, source())) p += 2;
  return p;
}

/// All that is to be true of a key, from its primes alone.
void check_key(const paillier_secret_key& key, std::size_t bits) {
  const bigint p = value(key.p()), q = value(key.q()), n = value(key.public_key().n());
  CHECK(p * q == n);
  CHECK(p > q);
  CHECK(bit_length(n) == bits);
  CHECK(key.public_key().bits() == bits);
  CHECK((bit_length(p) == bits / 2 && bit_length(q) == bits / 2));
  CHECK((is_prime(p, source()) && is_prime(q, source())));
  CHECK(greatest_common_divisor(n, bigint((p - 1) * (q - 1))) == 1);
  const auto& crt = key.of_crt();
  CHECK(value(crt.p_factor) * q % p * q % p == p - 1);
  CHECK(value(crt.q_factor) * p % q == q - 1);
  CHECK(value(crt.recombine) % p == 0);
  CHECK(value(crt.recombine) / p * q % p == 1);
  CHECK(value(crt.q_power_inverse) * q % (p * p) * q % (p * p) == 1);
}

} // namespace

TEST_CASE("made keys have every property that is asked of them") {
  for (const std::size_t bits : {128u, 256u, 512u, 1024u}) {
    const auto key = paillier_secret_key::generate(bits, source(), unsafe::small_keys("a quick test"));
    check_key(key, bits);
    CHECK(value(key.p()) % 4 == 3);
    CHECK(value(key.q()) % 4 == 3);
    CHECK(greatest_common_divisor(bigint(value(key.p()) - 1), bigint(value(key.q()) - 1)) == 2);
    CHECK(key.public_key().blum());
    if (bits > 200) CHECK(bit_length(bigint(value(key.p()) - value(key.q()))) > bits / 2 - 100);
  }
}

TEST_CASE("keys of ordinary sizes", "[slow]") {
  check_key(paillier<2048>::generate(system_random{}), 2048);
  check_key(paillier<3072>::generate(source()), 3072);
}

TEST_CASE("key sizes out of the list are refused") {
  for (const std::size_t bits : {0u, 128u, 1024u, 2047u, 2176u, 5000u, 16384u})
    CHECK_THROWS_WITH(paillier_secret_key::generate(bits, source()), Catch::Contains("[N011 unsupported]"));
  for (const std::size_t bits : {0u, 64u, 130u, 8192u})
    CHECK_THROWS_WITH(paillier_secret_key::generate(bits, source(), small),
                      Catch::Contains("[N011 unsupported]"));
  CHECK_THROWS_WITH(unsafe::small_keys(""), Catch::Contains("no reason"));

  const auto v = test::paillier::of_bits(1024);
  CHECK(paillier_public_key::from_modulus(v.n).error().kind == fault::unsupported);
  CHECK(paillier_secret_key::from_primes(from_words<secret_bigint>(v.p), from_words<secret_bigint>(v.q),
                                         value(v.n))
            .error()
            .kind == fault::unsupported);
  CHECK(paillier_public_key::from_modulus({}).error().kind == fault::unsupported);
  CHECK(paillier_public_key::from_modulus(test::paillier::of_bits(2048).n).has_value());
}

TEST_CASE("public moduli that are no product of two primes are refused") {
  const auto v = test::paillier::of_bits(1024);
  const bigint p = value(v.p), q = value(v.q), n = value(v.n);
  CHECK(refusal(n) == "taken");
  CHECK(refusal(n + 1) == "[N004 format] Paillier key: its modulus is even");
  CHECK_THAT(refusal(n - 1023), Catch::Contains("even"));

  // As CVE-2023-33241: a modulus of small factors.
  bigint smooth = 1;
  for (const auto prime : small_primes())
    if (prime > 60000 && bit_length(smooth) < 1008) smooth *= prime;
  smooth *= bigint(1) << (1023 - bit_length(smooth) + 1);
  smooth = (smooth | 1);
  while (smooth % 65521 != 0) smooth += 2;
  REQUIRE(bit_length(smooth) == 1024);
  CHECK_THAT(refusal(smooth), Catch::Contains("has the factor"));
  bigint largest = 65521;
  largest *= next_prime((bigint(1) << 1023) / 65521 + 12345);
  REQUIRE(bit_length(largest) == 1024);
  CHECK(refusal(largest) == "[N004 format] Paillier key: its modulus has the factor 65521");
  bigint beyond = 65537;
  beyond *= next_prime((bigint(1) << 1023) / 65537 + 12345);
  CHECK(refusal(beyond) == "taken"); // who could tell

  CHECK_THAT(refusal(next_prime(n)), Catch::Contains("prime number"));
  CHECK_THAT(refusal(p * p), Catch::Contains("power of a smaller number"));
  for (const unsigned degree : {2u, 3u, 4u, 5u, 7u, 16u, 31u, 32u}) {
    bigint power;
    for (bigint root = integer_root(bigint(bigint(1) << 1024), degree);
         bit_length(power) != 1024 || power == 0;) {
      root = root - 1;
      while (!is_prime(root, source())) root = root - 1;
      power = boost::multiprecision::pow(root, degree);
    }
    CHECK_THAT(refusal(power), Catch::Contains("power of a smaller number"));
  }
}

TEST_CASE("secret keys that do not fit are refused") {
  const auto v = test::paillier::of_bits(1024);
  const bigint p = value(v.p), q = value(v.q), n = value(v.n);
  CHECK(refusal(p, q, n) == "taken");
  CHECK(refusal(q, p, n) == "taken");
  CHECK_THAT(refusal(p, q, n + 2), Catch::Contains("product of its primes"));
  CHECK_THAT(refusal(p, p, p * p), Catch::Contains("too close"));
  const bigint near = next_prime(p + 2);
  CHECK_THAT(refusal(p, near, p * near), Catch::Contains("too close"));
  CHECK_THAT(refusal(n, 1, n), Catch::Contains("do not have 512 bits"));
  CHECK_THAT(refusal(-p, -q, n), Catch::Contains("do not have 512 bits"));
  CHECK_THAT(refusal(0, 0, n), Catch::Contains("do not have 512 bits"));
  bigint composite = q - 2;
  while (is_prime(composite, source())) composite -= 2;
  REQUIRE(bit_length(bigint(p * composite)) == 1024);
  CHECK_THAT(refusal(p, composite, p * composite), Catch::Contains("not prime"));
}

TEST_CASE("keys that others made are taken, and say whether they are Blum") {
  for (const std::size_t bits : {128u, 1024u, 2048u, 3072u}) {
    const auto key = test::paillier::secret_key(bits);
    check_key(key, bits);
    CHECK(key.public_key().blum());
  }
  // Primes as python-paillier draws them.
  bigint p = value(test::paillier::of_bits(1024).p);
  do p = next_prime(p + 2);
  while (p % 4 != 1);
  const bigint q = value(test::paillier::of_bits(1024).q);
  const auto key = paillier_secret_key::from_primes(secret_bigint(q), secret_bigint(p), p * q, small);
  REQUIRE(key);
  check_key(*key, 1024);
  CHECK_FALSE(key->public_key().blum());
}

TEST_CASE("a fingerprint is the digest of the canonical form") {
  for (const std::size_t bits : {128u, 1024u, 2048u, 3072u}) {
    const auto v = test::paillier::of_bits(bits);
    const auto key = paillier_public_key::from_modulus(v.n, small).value();
    for (std::size_t i = 0; i < 8; ++i)
      CHECK(load_little<std::uint32_t>(key.fingerprint().data() + 4 * i) == v.fingerprint[i]);
    // Zeros above change nothing.
    std::vector<std::uint64_t> wide(v.n.begin(), v.n.end());
    wide.push_back(0);
    CHECK(paillier_public_key::from_modulus(wide, small).value().fingerprint() == key.fingerprint());
    CHECK(paillier_public_key::from_modulus(wide, small).value() == key);
  }
}

TEST_CASE("a certificate is believed for its own key alone") {
  auto key = paillier_public_key::from_modulus(test::paillier::of_bits(1024).n, small).value();
  const auto other = paillier_public_key::from_modulus(test::paillier::of_bits(2048).n).value();
  CHECK_FALSE(key.blum());
  CHECK_THROWS_WITH(key.certify_blum(other.fingerprint()), Catch::Contains("[N001 argument]"));
  CHECK_FALSE(key.blum());
  key.certify_blum(key.fingerprint());
  CHECK(key.blum());
}
