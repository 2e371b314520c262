#include "support/catch.hpp"
#include "support/paillier.hpp"
#include "support/refused.hpp"

#include <privet/crypto/paillier_file.hpp>

using namespace privet;
using test::refused;
using test::paillier::small;

namespace {

paillier_secret_key key_of(std::size_t bits) { return test::paillier::secret_key(bits); }

std::vector<std::byte> plain(const wiped_bytes& bytes) { return {bytes.begin(), bytes.end()}; }

} // namespace

TEST_CASE("keys survive their bytes, and what is known of their primes") {
  for (const std::size_t bits : {1024u, 2048u}) {
    const auto key = key_of(bits);
    const auto& pub = key.public_key();
    const auto bytes = write_key(pub);
    CHECK(bytes.size() == 52 + 4 + bits / 8);
    const auto read = read_public_key(bytes, "pub", small).value();
    CHECK(read == pub);
    CHECK(read.blum() == pub.blum());
    CHECK(write_key(read) == bytes);

    const auto secret = write_key(key);
    CHECK(secret.size() == 52 + bits / 8);
    const auto again = read_secret_key(secret, "sec", small).value();
    CHECK(again.public_key() == pub);
    CHECK(std::ranges::equal(again.p(), key.p()));
    CHECK(again.public_key().blum() == pub.blum());
  }
  // A key that nobody called Blum stays one.
  const auto modest = paillier_public_key::from_modulus(key_of(1024).public_key().n(), small).value();
  CHECK_FALSE(modest.blum());
  CHECK_FALSE(read_public_key(write_key(modest), "pub", small).value().blum());
}

TEST_CASE("a file of another kind, version or size is refused by what it is") {
  const auto key = key_of(1024);
  const auto pub = write_key(key.public_key());
  const auto secret = write_key(key);
  CHECK_THAT(refused(read_public_key(secret, "k.pub", small), fault::format),
             Catch::Contains("k.pub") && Catch::Contains("is a secret key, expected a public key"));
  CHECK_THAT(refused(read_secret_key(pub, "k", small), fault::format), Catch::Contains("is a public key"));
  refused(read_public_key(bytes_of("{\"kty\": \"DAJ\"}")), fault::format);
  CHECK_THAT(refused(read_public_key(pub), fault::unsupported),
             Catch::Contains("1024")); // small, outside of tests

  auto other = pub;
  other[8] = std::byte{2};
  refused(read_public_key(other, "k", small), fault::unsupported);
  other = pub;
  store_little(std::uint32_t{1 << 30}, other.data() + 16);
  refused(read_public_key(other, "k", small), fault::unsupported);
}

TEST_CASE("no changed or cut key is taken") {
  const auto key = key_of(1024);
  const auto pub = write_key(key.public_key());
  const auto secret = plain(write_key(key));
  // Any bit of the modulus or a prime makes another key, which the fingerprint is not of.
  for (std::size_t i = 0; i < pub.size(); i += i < 60 ? 1 : 13) {
    auto other = pub;
    other[i] ^= std::byte{1} << i % 8;
    if (i == 52) continue; // whether it is Blum: as trusted as n
    CHECK_FALSE(read_public_key(other, "k", small).has_value());
  }
  for (std::size_t i = 0; i < secret.size(); i += i < 52 ? 1 : 13) {
    auto other = secret;
    other[i] ^= std::byte{1} << i % 8;
    CHECK_FALSE(read_secret_key(other, "k", small).has_value());
  }
  for (std::size_t size = 0; size < pub.size(); ++size)
    refused(read_public_key(std::span(pub).first(size), "k", small), fault::format);
  for (std::size_t size = 0; size < secret.size(); ++size)
    refused(read_secret_key(std::span(secret).first(size), "k", small), fault::format);
  auto longer = pub;
  longer.push_back({});
  refused(read_public_key(longer, "k", small), fault::format);
}

TEST_CASE("ciphertexts survive their bytes, and belong to their key") {
  const auto key = key_of(1024), other = key_of(2048);
  ciphertext_file c{{-32, 0, 7}, std::vector<std::uint64_t>(3 * 32)};
  for (std::size_t i = 0; i < c.words.size(); ++i) c.words[i] = i * 0x9e3779b97f4a7c15u;
  const auto bytes = write_ciphertexts(key.public_key(), c);
  CHECK(bytes.size() == 52 + 8 + 3 * (4 + 256));
  const auto read = read_ciphertexts(bytes, key.public_key()).value();
  CHECK(read.exponents == c.exponents);
  CHECK(read.words == c.words);

  CHECK_THAT(refused(read_ciphertexts(bytes, other.public_key(), "c"), fault::message),
             Catch::Contains(hex(key.public_key().fingerprint())));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(read_ciphertexts(std::span(bytes).first(size), key.public_key()).has_value());
  for (const std::uint64_t count :
       {std::uint64_t{2}, std::uint64_t{4}, std::uint64_t{1} << 61, ~std::uint64_t{0}}) {
    auto claim = bytes;
    store_little(count, claim.data() + 52);
    refused(read_ciphertexts(claim, key.public_key()), fault::format);
  }
  for (const std::int32_t e : {65'537, -65'537, INT32_MAX, INT32_MIN}) {
    auto claim = bytes;
    store_little(e, claim.data() + 60);
    refused(read_ciphertexts(claim, key.public_key()), fault::format);
  }
  const auto none = write_ciphertexts(key.public_key(), {});
  CHECK(read_ciphertexts(none, key.public_key()).value().count() == 0);
  c.words.pop_back();
  CHECK_THROWS_AS(write_ciphertexts(key.public_key(), c), exception);
}
