#include "support/catch.hpp"

#include <privet/crypto/key_certificate.hpp>
#include <privet/random/system.hpp>

using namespace privet;

namespace {

key_statement example() {
  return {.fingerprint = sha256("a modulus"),
          .bits = 3072,
          .holding = key_holding::some_shares,
          .blum = true,
          .parties = 5,
          .threshold = 3};
}

} // namespace

TEST_CASE("a certificate survives its bytes and its authority vouches for it") {
  system_random source;
  const auto authority = signing_key::generate(source), server = signing_key::generate(source);
  const auto made = certify(authority, example());
  const auto bytes = write_certificate(made);
  CHECK(bytes.size() == 8 + 4 + 32 + 4 + 1 + 1 + 4 + 4 + 64);
  const auto read = read_certificate(bytes);
  REQUIRE(read.has_value());
  CHECK(*read == made);
  CHECK(check_certificate(*read, authority.public_key(), sha256("a modulus")).value() == example());

  // A server that signs its own key, or shows the certificate of another.
  const auto own = check_certificate(certify(server, example()), authority.public_key(), sha256("a modulus"));
  REQUIRE_FALSE(own.has_value());
  CHECK(own.error().kind == fault::message);
  const auto swapped = check_certificate(made, authority.public_key(), sha256("another modulus"));
  REQUIRE_FALSE(swapped.has_value());
  CHECK(swapped.error().kind == fault::message);
  CHECK_THAT(swapped.error().message, Catch::Contains(hex(sha256("another modulus"))));
}

TEST_CASE("no changed, cut or longer certificate passes") {
  system_random source;
  const auto authority = signing_key::generate(source);
  const auto bytes = write_certificate(certify(authority, example()));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    auto other = bytes;
    other[bit / 8] ^= std::byte{1} << bit % 8;
    const auto read = read_certificate(other);
    CHECK_FALSE((read && check_certificate(*read, authority.public_key(), read->says.fingerprint)));
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto cut = read_certificate(std::span(bytes).first(size));
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().kind == fault::format);
  }
  auto longer = bytes;
  longer.push_back({});
  CHECK_FALSE(read_certificate(longer).has_value());

  auto newer = bytes;
  newer[8] = std::byte{2};
  const auto refused = read_certificate(newer);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == fault::unsupported);
}

TEST_CASE("a statement that contradicts itself is not signed and not read") {
  system_random source;
  const auto authority = signing_key::generate(source);
  const auto refused = [&](auto change) {
    key_statement s = example();
    change(s);
    CHECK_FALSE(s.check().has_value());
    CHECK_THROWS_AS(certify(authority, s), exception);
    key_certificate c{s, {}};
    const auto bytes = detail::statement_bytes(s);
    c.by_authority = authority.sign(purposes::key_certificate, bytes.view());
    const auto read = read_certificate(write_certificate(c));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().kind == fault::format);
  };
  refused([](auto& s) { s.bits = 0; });
  refused([](auto& s) { s.threshold = 0; });
  refused([](auto& s) { s.threshold = 1; });
  refused([](auto& s) { s.threshold = 5; }); // that is all_shares
  refused([](auto& s) { s.threshold = 6; });
  refused([](auto& s) { s.holding = key_holding::all_shares; });
  refused([](auto& s) { s.holding = key_holding::one_holder; });
  refused([](auto& s) { s.holding = key_holding{0}; });
  refused([](auto& s) { s.holding = key_holding{4}; });

  key_statement alone{.bits = 2048};
  CHECK(alone.check().has_value());
  key_statement all{.bits = 2048, .holding = key_holding::all_shares, .parties = 4, .threshold = 4};
  CHECK(all.check().has_value());
}
