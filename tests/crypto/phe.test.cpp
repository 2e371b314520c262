#include "support/catch.hpp"
#include "support/refused.hpp"

#include <privet/core/file.hpp>
#include <privet/crypto/phe.hpp>

#include <limits>
#include <random>
#include <type_traits>

using namespace privet;
using test::refused;

namespace {

std::string fixture(std::string_view name) {
  return read_text(std::string(PRIVET_PROJECT_ROOT) + "/tests/fixtures/phe/" + std::string(name)).value();
}
json fixture_json(std::string_view name) { return parse_json(fixture(name), name).value(); }

bigint decimal(const json& text) { return parse_decimal(text.get<std::string>(), 10'000).value(); }
bigint number(std::span<const std::uint64_t> words) { return from_words(words); }
std::vector<std::uint64_t> words_of(const bigint& x) { return to_words(x, bit_length(x) / 64 + 1); }
phe::encoding encoding_of(const bigint& n) { return phe::encoding(words_of(n)); }

/// The 128-bit toy key of the known answers.
const bigint toy("0xdc9f6996dd77492f8d290c88da596131");

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

} // namespace

TEST_CASE("numbers are encoded and decoded as python-paillier does") {
  std::size_t refusals = 0, rows = 0;
  const json groups = fixture_json("encodings.json");
  for (const auto& group : groups) {
    const bigint n = decimal(group.at("n"));
    const auto encoding = encoding_of(n);
    for (const auto& row : group.at("rows")) {
      CAPTURE(row.dump(), n);
      const double x = row.at("x").get<double>();
      std::optional<double> precision;
      std::optional<int> most;
      if (!row.at("precision").is_null()) precision = row.at("precision").get<double>();
      if (!row.at("max_exponent").is_null()) most = row.at("max_exponent").get<int>();
      const auto made = encoding.encode(x, precision, most);
      ++rows;
      if (row.contains("refused")) {
        refused(made, fault::range);
        ++refusals;
        continue;
      }
      REQUIRE(made.has_value());
      CHECK(made->exponent == row.at("exponent").get<int>());
      CHECK(number(made->mantissa) == decimal(row.at("mantissa")));
      CHECK(encoding.decode(made->mantissa, made->exponent).value() == row.at("decoded").get<double>());
    }
    for (const auto& edge : group.at("edges")) {
      CAPTURE(edge.dump(), n);
      const auto mantissa = words_of(decimal(edge.at("mantissa")));
      const int exponent = edge.at("exponent").get<int>();
      const auto decoded = encoding.decode(mantissa, exponent);
      if (edge.at("decoded").is_null()) {
        refused(decoded, fault::range);
        ++refusals;
      } else {
        REQUIRE(decoded.has_value());
        CHECK(same_bits(*decoded, edge.at("decoded").get<double>()));
      }
    }
  }
  CHECK(rows == 190);
  CHECK(refusals > 40);
}

TEST_CASE("known answers of EncodedNumber") {
  const auto encoding = encoding_of(toy);
  const auto check = [&](double x, const bigint& mantissa, int exponent,
                         std::optional<double> precision = {}) {
    const auto made = encoding.encode(x, precision).value();
    CHECK(number(made.mantissa) == mantissa);
    CHECK(made.exponent == exponent);
  };
  check(3.25, bigint("0x34000000000000"), -13);
  check(0.1, bigint("0x1999999999999a"), -14);
  check(0.1, bigint("0x1999a"), -5, 1e-6);
  check(-0.5, toy - bigint("0x80000000000000"), -14);
  const auto minus_one = encoding.encode_integer(-1).value();
  CHECK(number(minus_one.mantissa) == toy - 1);
  CHECK(minus_one.exponent == 0);
}

TEST_CASE("every double survives encoding, as does its sign and its last bit") {
  const bigint n = decimal(fixture_json("encodings.json")[1].at("n")); // 2048 bits
  const auto encoding = encoding_of(n);
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 draw(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double x = std::bit_cast<double>(draw());
    if (!std::isfinite(x) || x == 0) continue;
    const auto made = encoding.encode(x);
    REQUIRE(made.has_value());
    CHECK(same_bits(encoding.decode(made->mantissa, made->exponent).value(), x));
    const auto lower = encoding.with_exponent(*made, made->exponent - 40).value();
    CHECK(same_bits(encoding.decode(lower.mantissa, lower.exponent).value(), x));
  }
}

TEST_CASE("what cannot be encoded is refused") {
  const auto encoding = encoding_of(toy);
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  for (const double x : {nan, infinity, -infinity}) refused(encoding.encode(x), fault::range);
  for (const double precision : {0.0, -1.0, nan, infinity})
    refused(encoding.encode(1, precision), fault::argument);
  refused(encoding.encode(1, 1e-300), fault::range);

  // The very edge: max_int = n / 3 - 1.
  const bigint most = toy / 3 - 1;
  CHECK(number(encoding.encode_integer(most).value().mantissa) == most);
  CHECK(number(encoding.encode_integer(-most).value().mantissa) == toy - most);
  refused(encoding.encode_integer(most + 1), fault::range);
  refused(encoding.encode_integer(-most - 1), fault::range);
  refused(encoding.encode_integer(bigint(1) << 500), fault::range);
  CHECK(encoding.encode_integer(0).value().mantissa == secret_words(2));
  CHECK_THROWS_AS(phe::encoding(std::vector<std::uint64_t>{255, 0}), exception);
}

TEST_CASE("a sum that passes max_int is caught when it is decoded") {
  const auto encoding = encoding_of(toy);
  const bigint most = toy / 3 - 1;
  CHECK_THAT(refused(encoding.decode(words_of(most + 1), 0), fault::range), Catch::Contains("overflow"));
  CHECK_THAT(refused(encoding.decode(words_of(bigint(most + most)), 0), fault::range),
             Catch::Contains("overflow"));
  refused(encoding.decode(words_of(toy), 0), fault::range);
  refused(encoding.decode(words_of(bigint(toy << 64)), 0), fault::range);
  refused(encoding.decode(words_of(bigint(1)), 65'537), fault::range);
  CHECK_THAT(refused(encoding.decode(words_of(bigint(1)), 256), fault::range), Catch::Contains("double"));
}

TEST_CASE("exponents go down and never up") {
  const auto encoding = encoding_of(toy);
  const auto made = encoding.encode(-0.5).value();
  const auto lower = encoding.with_exponent(made, made.exponent - 3).value();
  CHECK(number(lower.mantissa) == toy - bigint("0x80000000000000000"));
  refused(encoding.with_exponent(made, made.exponent + 1), fault::argument);
  refused(encoding.with_exponent(made, made.exponent - 20), fault::range);
  refused(encoding.with_exponent(encoding.encode(0).value(), -65'537), fault::range);
  refused(encoding.encode(0, {}, -65'537), fault::range);
  CHECK(number(encoding.factor_between(-3, -5).value()) == 256);
  CHECK(number(encoding.factor_between(4, 4).value()) == 1);
  refused(encoding.factor_between(-5, -3), fault::argument);
  refused(encoding.factor_between(0, -32), fault::range);          // 2^128
  refused(encoding.factor_between(65'536, -65'536), fault::range); // and nothing was allocated for it
}

TEST_CASE("whole numbers of any size come back digit by digit") {
  const bigint n = decimal(fixture_json("encodings.json")[1].at("n"));
  const auto encoding = encoding_of(n);
  const bigint x("-123456789012345678901234567890");
  for (const int exponent : {0, -32}) {
    const auto made = encoding.encode_integer(x, exponent).value();
    CHECK(made.exponent == exponent);
    CHECK(encoding.decode_integer(made.mantissa, made.exponent).value() == x);
  }
  const auto half = encoding.encode(0.5).value();
  CHECK_FALSE(encoding.decode_integer(half.mantissa, half.exponent).value().has_value());
  CHECK(encoding.decode_integer(words_of(bigint(5)), 2).value() == bigint(5 * 256));
  CHECK(encoding.decode_integer(words_of(bigint(0)), -32).value() == bigint(0));
  refused(encoding.decode_integer(words_of(bigint(5)), 5000), fault::range);
}

TEST_CASE("python-paillier's keys are read, and written as it writes them") {
  for (const auto* bits : {"2048", "3072"}) {
    const auto text = fixture(std::string("public_") + bits + ".json"),
               secret = fixture(std::string("private_") + bits + ".json");
    const auto pub = phe::read_public_key(text);
    REQUIRE(pub.has_value());
    CHECK(bit_length(number(pub->n)) == std::stoul(bits));
    CHECK(pub->comment == "fixture");
    const auto key = phe::read_private_key(secret);
    REQUIRE(key.has_value());
    CHECK(number(key->p) * number(key->q) == number(pub->n));
    CHECK(key->pub.n == pub->n);

    CHECK(parse_json(phe::write_public_key(*pub)).value() == parse_json(text).value());
    CHECK(parse_json(phe::write_private_key(*key)).value() == parse_json(secret).value());
    CHECK_THAT(refused(phe::read_public_key(secret)), Catch::Contains("private"));
  }
  const phe::public_key small{words_of(toy)};
  CHECK(parse_json(phe::write_public_key(small)).value().at("n") == "3J9plt13SS-NKQyI2llhMQ");
  CHECK(number(phe::read_public_key(phe::write_public_key(small)).value().n) == toy);
  static_assert(!std::is_copy_constructible_v<phe::private_key>);
}

TEST_CASE("base64url has one text for each number") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 draw(seed);
  for (std::size_t bits = 1; bits <= 300; ++bits) {
    bigint x = 1;
    for (std::size_t i = 1; i < bits; ++i) x = (x << 1) + (draw() & 1);
    const auto text = phe::detail::base64url_of(words_of(x));
    CHECK(text.size() == ((bits + 7) / 8 * 4 + 2) / 3);
    CHECK(number(phe::detail::number_of_base64url<secret_words>(text, "x").value()) == x);
  }
  for (const auto* wrong :
       {"", "A", "AAAAA", "3J9plt13SS-NKQyI2llhMQ==", "3J9plt13SS+NKQyI2llhMQ", "3J9 plt1", "AB"})
    refused(phe::detail::number_of_base64url<secret_words>(wrong, "x"));
  refused(phe::detail::number_of_base64url<secret_words>(std::string(2732, 'A'), "x"));
}

TEST_CASE("keys that are not as python-paillier writes them are refused") {
  const auto with = [](json document, auto change) {
    change(document);
    return json_text(document);
  };
  const json pub = fixture_json("public_2048.json"), key = fixture_json("private_2048.json");
  REQUIRE(phe::read_public_key(json_text(pub)).has_value());
  REQUIRE(phe::read_private_key(json_text(key)).has_value());
  for (const auto* member : {"kty", "alg", "n"}) {
    refused(phe::read_public_key(with(pub, [&](json& d) { d.erase(member); })));
    refused(phe::read_public_key(with(pub, [&](json& d) { d[member] = "RSA!"; })));
    refused(phe::read_public_key(with(pub, [&](json& d) { d[member] = 7; })));
    refused(phe::read_private_key(with(key, [&](json& d) { d["pub"].erase(member); })));
  }
  for (const auto* member : {"kty", "key_ops", "p", "q", "pub"}) {
    refused(phe::read_private_key(with(key, [&](json& d) { d.erase(member); })));
    refused(phe::read_private_key(with(key, [&](json& d) { d[member] = "?"; })));
    refused(phe::read_private_key(with(key, [&](json& d) { d[member] = nullptr; })));
  }
  refused(phe::read_private_key(with(key, [](json& d) { d["key_ops"] = {"encrypt"}; })));
  for (const auto* text : {"", "{", "[]", "7", "null", "{}", "\"kty\""}) {
    refused(phe::read_public_key(text));
    refused(phe::read_private_key(text));
    refused(phe::read_ciphertext(text));
  }
  refused(phe::read_public_key(json_text(pub) + std::string(70'000, ' ')));
  // A comment may be any text, and is cut.
  const auto long_comment =
      phe::read_public_key(with(pub, [](json& d) { d["kid"] = std::string(9000, 'x'); }));
  CHECK(long_comment->comment.size() == 200);
  std::string letters = "x";
  for (int i = 0; i < 200; ++i) letters += "\u00e4"; // two bytes each
  const auto cut = phe::read_public_key(with(pub, [&](json& d) { d["kid"] = letters; })).value();
  CHECK(cut.comment == letters.substr(0, 199));
  CHECK(phe::read_public_key(phe::write_public_key(cut))->comment == cut.comment);
  CHECK(phe::read_public_key(with(pub, [](json& d) { d["kid"] = 7; }))->comment.empty());
}

TEST_CASE("python-paillier's ciphertexts are read and written") {
  const json file = fixture_json("ciphertexts_2048.json");
  for (const auto& row : file.at("numbers")) {
    const json one{{"v", row.at("v")}, {"e", row.at("e")}};
    const auto c = phe::read_ciphertext(json_text(one), 4096);
    REQUIRE(c.has_value());
    CHECK(to_decimal(c->value) == row.at("v").get<std::string>());
    CHECK(parse_json(phe::write_ciphertext(*c)).value() == one);
    CHECK(phe::write_ciphertext(*c) == R"({"v": ")" + row.at("v").get<std::string>() + R"(", "e": )" +
                                           std::to_string(row.at("e").get<int>()) + "}\n"); // as json.dumps
  }
  for (const auto* text :
       {R"({"v": 12, "e": 0})", R"({"v": "12"})", R"({"e": 0})", R"({"v": "12", "e": "0"})",
        R"({"v": "12", "e": 0.5})", R"({"v": "-12", "e": 0})", R"({"v": "0x12", "e": 0})",
        R"({"v": "1 2", "e": 0})", R"({"v": "", "e": 0})", R"({"v": "12", "e": 65537})",
        R"({"v": "12", "e": -99999999999})", R"({"v": "12", "e": 0, "e": 1})"})
    refused(phe::read_ciphertext(text));
  CHECK(phe::read_ciphertext(R"({"v": "255", "e": 3})", 8).value().value == 255);
  refused(phe::read_ciphertext(R"({"v": "256", "e": 3})", 8));
  refused(phe::read_ciphertext(R"({"v": ")" + std::string(20'000, '9') + R"(", "e": 3})"));
}

TEST_CASE("several ciphertexts are an array, one is an object") {
  const auto file = fixture_json("ciphertexts_2048.json").at("numbers");
  std::vector<phe::ciphertext> some;
  for (std::size_t i = 0; i < 3; ++i) some.push_back({decimal(file[i].at("v")), file[i].at("e").get<int>()});
  const auto all = phe::read_ciphertexts(phe::write_ciphertexts(some), 4096).value();
  REQUIRE(all.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(all[i].value == some[i].value);
    CHECK(all[i].exponent == some[i].exponent);
  }
  const auto one = std::span(some).first(1);
  CHECK(phe::write_ciphertexts(one) == phe::write_ciphertext(some[0]));
  CHECK(phe::read_ciphertexts(phe::write_ciphertexts(one), 4096).value().size() == 1);
  CHECK(phe::read_ciphertexts("[]", 4096).value().empty());
  CHECK_THAT(refused(phe::read_ciphertexts(R"([{"v": "1", "e": 0}, {"v": "x", "e": 0}])", 4096, "c.json")),
             Catch::Contains("c.json[1]"));
  refused(phe::read_ciphertexts(R"([{"v": "1", "e": 0}, 7])", 4096));
  refused(phe::read_ciphertexts(R"([[{"v": "1", "e": 0}]])", 4096));
  refused(phe::read_ciphertexts(R"({"v": "1", "e": 0})", 4096, "c", 10));
}
