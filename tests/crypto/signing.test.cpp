#include "support/catch.hpp"

#include <privet/core/file.hpp>
#include <privet/core/json.hpp>
#include <privet/crypto/signing.hpp>
#include <privet/random/system.hpp>

#include <set>
#include <type_traits>

using namespace privet;

namespace {

std::vector<std::byte> unhex(std::string_view text) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return out;
}

constexpr signing_purpose greeting{"greeting"};

} // namespace

TEST_CASE("keys and signatures are those of an implementation that shares no code") {
  const auto file = std::string(PRIVET_PROJECT_ROOT) + "/tests/fixtures/sealed/signed.json";
  const json rows = parse_json(read_text(file).value(), file).value();
  REQUIRE(rows.size() == 4);
  for (const auto& row : rows) {
    const signing_key key(unhex(row.at("seed").get<std::string>()));
    CHECK(key.public_key().text() == row.at("public").get<std::string>());
    const auto purpose = row.at("purpose").get<std::string>();
    const auto message = unhex(row.at("message").get<std::string>());
    const signature made = key.sign({purpose}, message);
    CHECK(hex(made.bytes) == row.at("signature").get<std::string>());
    CHECK(verify(key.public_key(), {purpose}, message, made).has_value());
  }
}

TEST_CASE("a changed byte of message, signature or key is refused") {
  system_random source;
  const auto key = signing_key::generate(source);
  const auto message = bytes_of("the sum of round 3");
  const signature made = key.sign(greeting, message);
  REQUIRE(verify(key.public_key(), greeting, message, made).has_value());

  for (std::size_t bit = 0; bit < 8 * made.bytes.size(); ++bit) {
    signature other = made;
    other.bytes[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(verify(key.public_key(), greeting, message, other).has_value());
  }
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    std::vector<std::byte> other(message.begin(), message.end());
    other[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(verify(key.public_key(), greeting, other, made).has_value());
  }
  for (std::size_t bit = 0; bit < 256; ++bit) {
    verifying_key other = key.public_key();
    other.bytes[bit / 8] ^= std::byte{1} << bit % 8;
    CHECK_FALSE(verify(other, greeting, message, made).has_value());
  }
  CHECK_FALSE(verify(key.public_key(), greeting, message.first(message.size() - 1), made).has_value());

  const auto refused =
      verify(signing_key::generate(source).public_key(), greeting, message, made, "office 2");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == fault::message);
  CHECK_THAT(refused.error().message, Catch::Contains("office 2") && Catch::Contains("'greeting'"));
}

TEST_CASE("a signature for one purpose never serves another") {
  system_random source;
  const auto key = signing_key::generate(source);
  const auto message = bytes_of("a message");
  CHECK_FALSE(verify(key.public_key(), {"farewell"}, message, key.sign(greeting, message)).has_value());
  // Moving the border between purpose and message makes another text.
  CHECK_FALSE(
      verify(key.public_key(), {"greetinga"}, bytes_of(" message"), key.sign(greeting, message)).has_value());
  std::set<std::string> names;
  for (const auto p : {purposes::key_certificate, purposes::enrolment, purposes::encrypted_update})
    CHECK(names.emplace(p.name).second);

  CHECK_THROWS_AS(key.sign({""}, message), exception);
  CHECK_THROWS_AS(key.sign({std::string(256, 'x')}, message), exception);
  CHECK_THROWS_AS(verify(key.public_key(), {""}, message, {}), exception);
}

TEST_CASE("keys of small order and signatures that are not canonical are refused") {
  // With the neutral element as key, R = S = 0 would verify for every message under a lax rule.
  verifying_key neutral;
  neutral.bytes[0] = std::byte{1};
  signature zero;
  zero.bytes[0] = std::byte{1};
  CHECK_FALSE(verify(neutral, greeting, bytes_of("anything"), zero).has_value());
  CHECK_FALSE(verify(verifying_key{}, greeting, bytes_of("anything"), signature{}).has_value());

  // S + L is the same scalar: accepting both would make two signatures of one.
  constexpr std::array<unsigned, 32> order{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                           0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                           0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  system_random source;
  const auto key = signing_key::generate(source);
  signature made = key.sign(greeting, bytes_of("m"));
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += std::to_integer<unsigned>(made.bytes[32 + i]) + order[i];
    made.bytes[32 + i] = static_cast<std::byte>(carry);
    carry >>= 8;
  }
  CHECK_FALSE(verify(key.public_key(), greeting, bytes_of("m"), made).has_value());
}

TEST_CASE("a signing key is move-only and comes back from its seed") {
  static_assert(!std::is_copy_constructible_v<signing_key> && !std::is_copy_assignable_v<signing_key>);
  system_random source;
  auto key = signing_key::generate(source);
  const auto other = signing_key::generate(source);
  CHECK(key.public_key() != other.public_key());
  const signing_key again(key.seed());
  CHECK(again.public_key() == key.public_key());
  CHECK(again.sign(greeting, {}) == key.sign(greeting, {}));

  const signing_key moved(std::move(key));
  CHECK(moved.sign(greeting, {}) == again.sign(greeting, {}));
  CHECK_THROWS_AS(key.sign(greeting, {}), exception);
  CHECK(key.seed().empty());
  CHECK_THROWS_AS(signing_key(std::vector<std::byte>(31)), exception);
}
