#include "support/catch.hpp"

#include <privet/crypto/prime.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace privet;

namespace {

system_random& source() { return thread_system_random(); }

bool prime(const bigint& n) { return is_prime(n, source()); }

/// Whether n passes the strong test with a fixed base, by Boost.
bool strong_pseudoprime(const bigint& n, unsigned base) {
  const bigint minus_one = n - 1;
  const auto twos = boost::multiprecision::lsb(minus_one);
  bigint x = power_modulo(bigint(base), bigint(minus_one >> twos), n);
  if (x == 1 || x == minus_one) return true;
  for (unsigned i = 1; i < twos; ++i) {
    x = x * x % n;
    if (x == minus_one) return true;
  }
  return false;
}

} // namespace

TEST_CASE("small primes are the 23000 below 2^18") {
  CHECK(small_primes().size() == 23000); // pi(262144)
  CHECK(small_primes().front() == 2);
  CHECK(small_primes().back() == 262139);
}

TEST_CASE("small numbers are judged as the sieve judges them") {
  const auto& primes = small_primes();
  for (unsigned n = 0; n < 10000; ++n)
    REQUIRE(prime(n) == std::binary_search(primes.begin(), primes.end(), n));
  CHECK(prime(2053));
  CHECK_FALSE(prime(bigint(2053) * 2053)); // the first that trial division lets through
  CHECK_FALSE(prime(bigint(262139) * 262139));
  CHECK_FALSE(prime(-7));
}

TEST_CASE("Mersenne numbers of known character") {
  for (const unsigned p : {89u, 107u, 127u, 521u, 607u, 1279u}) CHECK(prime((bigint(1) << p) - 1));
  for (const unsigned p : {67u, 101u, 137u, 523u, 1009u}) CHECK_FALSE(prime((bigint(1) << p) - 1));
}

TEST_CASE("primes of secp256k1 and curve25519, and their products") {
  const bigint p = (bigint(1) << 255) - 19, q = (bigint(1) << 256) - (bigint(1) << 32) - 977;
  CHECK(prime(p));
  CHECK(prime(q));
  CHECK_FALSE(prime(p * q));
  CHECK_FALSE(prime(p * p));
  CHECK_FALSE(prime(p + 1));
}

TEST_CASE("numbers made to pass are refused") {
  // Strong pseudoprimes to all prime bases up to 23 and to 41: Jaeschke 1993; Sorenson, Webster 2015.
  const bigint to_23("3825123056546413051"), to_41("3317044064679887385961981");
  for (const unsigned base : {2u, 3u, 5u, 7u, 11u, 13u, 17u, 19u, 23u}) {
    REQUIRE(strong_pseudoprime(to_23, base));
    REQUIRE(strong_pseudoprime(to_41, base));
  }
  CHECK_FALSE(prime(to_23));
  CHECK_FALSE(prime(to_41));

  // Arnault, "Constructing Carmichael numbers which are strong pseudoprimes to several bases", 1995: of 397
  // digits, passes for all prime bases below 307.
  const bigint p1(
      "29674495668685510550154174642905332730771991799853043350995075531276838753171770199594238596428"
      "121188033664754218345562493168782883");
  const bigint arnault = p1 * (313 * (p1 - 1) + 1) * (353 * (p1 - 1) + 1);
  REQUIRE(to_decimal(arnault).size() == 397);
  for (const auto base : small_primes()) {
    if (base >= 307) break;
    REQUIRE(strong_pseudoprime(arnault, base));
  }
  CHECK(prime(p1));
  CHECK_FALSE(prime(arnault));
}

TEST_CASE("Carmichael numbers are refused") {
  for (const unsigned n : {561u, 1105u, 1729u, 2465u, 2821u, 6601u, 8911u}) CHECK_FALSE(prime(n));
  // Chernick 1939: (6k + 1)(12k + 1)(18k + 1) of three primes; k sought so that they have over 60 bits.
  for (bigint k = bigint(1) << 60;; ++k) {
    const bigint a = 6 * k + 1, b = 12 * k + 1, c = 18 * k + 1;
    if (!prime(a) || !prime(b) || !prime(c)) continue;
    const bigint n = a * b * c;
    REQUIRE(bit_length(n) > 180);
    REQUIRE(power_modulo(bigint(2), bigint(n - 1), n) == 1); // Fermat's test passes
    CHECK_FALSE(prime(n));
    break;
  }
}

TEST_CASE("drawn primes have the promised form") {
  for (const std::size_t bits : {64u, 128u, 192u, 512u}) {
    std::vector<secret_bigint> seen;
    for (int turn = 0; turn < 5; ++turn) {
      const auto p = draw_prime(bits, source());
      CHECK(bit_length(p) == bits);
      CHECK(p % 4 == 3);
      CHECK(p >> (bits - 2) == 3);
      CHECK(boost::multiprecision::powm(secret_bigint(3), secret_bigint(p - 1), p) == 1);
      CHECK(std::ranges::find(seen, p) == seen.end());
      seen.push_back(p);
    }
  }
  CHECK_THROWS_WITH(draw_prime(100, source()), Catch::Contains("[N001 argument]"));
  CHECK_THROWS_WITH(draw_prime(0, source()), Catch::Contains("[N001 argument]"));
}

TEST_CASE("the sieve leaves out exactly the candidates with a small factor") {
  secret_words first{0x0123456789abcdef, 0xfedcba9876543210};
  first[0] |= 3;
  const auto left = detail::sieved(first, 300);
  const auto start = from_words<bigint>(first);
  for (std::uint32_t i = 0; i < 300; ++i) {
    bool factor = false;
    for (const auto p : small_primes()) factor = factor || (start + 4 * i) % p == 0;
    CHECK(std::ranges::binary_search(left, i) == !factor);
  }
}

TEST_CASE("a prime of 1536 bits is 3 modulo 4", "[slow]") {
  const auto p = draw_prime(1536, source());
  CHECK(bit_length(p) == 1536);
  CHECK(p % 4 == 3);
  CHECK(is_prime(p, source()));
}
