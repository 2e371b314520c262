#include "fixtures/packing.hpp"
#include "support/catch.hpp"

#include <privet/crypto/packed_header.hpp>

#include <array>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

using bytes = std::vector<std::byte>;

cohort_key key_of_run(std::string_view run = "run 1", const digest& fingerprint = sha256("a public key")) {
  std::array<std::byte, 32> secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(i);
  return cohort_key(cohort_secret(secret), fingerprint, run);
}

packed_header header_of(std::uint32_t client) {
  packed_header h{.how = {.key_bits = 256, .slot_bits = 24, .clients = 3, .range = 0.5, .fraction_bits = 20}};
  h.numbers = 20, h.ciphertexts = h.how.plaintexts(20), h.round = 7, h.client = client;
  h.key = sha256("a public key"), h.contents = sha256("ciphertexts");
  return h;
}

/// The bytes with a tag of their own again: what a client could make, honest or not.
bytes tagged(bytes all, const cohort_key& key) {
  const digest tag = key.tag(std::span(all).first(packed_header_bytes - 32));
  std::ranges::copy(tag, all.end() - 32);
  return all;
}

} // namespace

TEST_CASE("packed header: its bytes are those that Python's struct and hmac make") {
  const auto key = key_of_run();
  const auto made = encode(header_of(2), key);
  REQUIRE(made.size() == packed_header_bytes);
  REQUIRE(sizeof test::packing::header == packed_header_bytes);
  for (std::size_t i = 0; i < made.size() / 4; ++i)
    REQUIRE(load_little<std::uint32_t>(made.data() + 4 * i) == test::packing::header[i]);
  const auto read = authentic_header(made, key);
  REQUIRE(read);
  CHECK(*read == header_of(2));
  CHECK(claimed_header(made).value() == header_of(2));
}

TEST_CASE("packed header: one bit changed anywhere, and no client has made it") {
  const auto key = key_of_run();
  auto made = encode(header_of(2), key);
  for (std::size_t bit = 0; bit < 8 * made.size(); ++bit) {
    made[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const auto read = authentic_header(made, key);
    REQUIRE_FALSE(read);
    REQUIRE(read.error().kind == fault::message);
    static_cast<void>(claimed_header(made)); // without the key: read or refused, but it does not throw
    made[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  CHECK(authentic_header(made, key));
}

TEST_CASE("packed header: another run, another secret, another key of Paillier") {
  const auto made = encode(header_of(2), key_of_run());
  const std::array<std::byte, 32> zeros{};
  for (const auto& other :
       {key_of_run("run 2"), cohort_key(cohort_secret(zeros), sha256("a public key"), "run 1")}) {
    const auto read = authentic_header(made, other);
    REQUIRE_FALSE(read);
    CHECK_THAT(read.error().message,
               Contains("[N009 message] packed header: its tag is not of a client of this run"));
  }
  const auto other = key_of_run("run 1", sha256("another public key"));
  CHECK_THROWS_WITH(encode(header_of(2), other), Contains(hex(sha256("a public key"))));
  for (const auto& bytes : {made, tagged(made, other)}) { // with the tag of either key
    const auto read = authentic_header(bytes, other);
    REQUIRE_FALSE(read);
    CHECK(read.error().message == "[N009 message] packed header: for the key " + hex(sha256("a public key")) +
                                      ", this run's is " + hex(sha256("another public key")));
  }
}

TEST_CASE("packed header: every length but the right one is refused") {
  const auto key = key_of_run();
  auto made = encode(header_of(1), key);
  for (std::size_t n = 0; n < made.size(); ++n) {
    const auto cut = std::span<const std::byte>(made).first(n);
    REQUIRE_FALSE(claimed_header(cut));
    REQUIRE(authentic_header(cut, key).error().message ==
            concat("[N004 format] packed header: ", n, " bytes, expected 152"));
  }
  made.push_back(std::byte{0});
  CHECK_FALSE(claimed_header(made));
  CHECK_FALSE(authentic_header(made, key));
}

TEST_CASE("packed header: a client's own nonsense is refused as well") {
  const auto key = key_of_run();
  const auto made = encode(header_of(1), key);
  const auto refusal = [&](std::size_t at, auto number) {
    bytes changed = made;
    store_little(number, changed.data() + at);
    const auto with_key = authentic_header(tagged(changed, key), key), without = claimed_header(changed);
    REQUIRE_FALSE(with_key);
    REQUIRE_FALSE(without);
    CHECK(with_key.error().message == without.error().message);
    return without.error().message;
  };
  CHECK_THAT(refusal(0, 'Q'), Contains("does not start with 'PRIVPACK'"));
  CHECK(refusal(8, std::uint16_t{2}) ==
        "[N011 unsupported] packed header: format version 2, this build reads 1");
  CHECK_THAT(refusal(10, std::uint16_t{70}), Contains("[N004 format] packed header: slots of 70 bits"));
  CHECK_THAT(refusal(12, std::uint32_t{0}), Contains("keys of 0 bits, expected 128 to 16384"));
  CHECK_THAT(refusal(12, ~std::uint32_t{0}), Contains("keys of 4294967295 bits"));
  CHECK_THAT(refusal(16, std::uint32_t{0}), Contains("0 clients"));
  CHECK_THAT(refusal(16, std::uint32_t{17}), Contains("17 clients need 5 guard bits"));
  CHECK_THAT(refusal(20, std::int32_t{-3}), Contains("-3 fraction bits"));
  CHECK_THAT(refusal(24, std::numeric_limits<double>::quiet_NaN()), Contains("a range of nan"));
  CHECK_THAT(refusal(24, -0.5), Contains("a range of -0.5"));
  CHECK_THAT(refusal(32, std::uint64_t{0}), Contains("it has no numbers"));
  CHECK_THAT(refusal(32, ~std::uint64_t{0}), Contains("3 ciphertexts, 18446744073709551615 numbers take"));
  CHECK_THAT(refusal(40, std::uint64_t{4}), Contains("4 ciphertexts, 20 numbers take 3"));
  CHECK_THAT(refusal(52, std::uint32_t{0}), Contains("client 0, which is the server"));
}

TEST_CASE("packed header: what none may be is not written") {
  const auto key = key_of_run();
  auto h = header_of(1);
  h.client = 0;
  CHECK_THROWS_WITH(encode(h, key), Contains("client 0"));
  h = header_of(1), h.how.clients = 17;
  CHECK_THROWS_WITH(encode(h, key), Contains("17 clients need 5 guard bits"));
  h = header_of(1), h.ciphertexts = 2;
  CHECK_THROWS_WITH(encode(h, key), Contains("2 ciphertexts, 20 numbers take 3"));
}

TEST_CASE("packed header: headers of one sum agree in all that matters, or field and values are named") {
  const auto a = header_of(1), b = header_of(2);
  CHECK(check_same_sum(a, b));
  CHECK(check_cohort(std::vector{a, b}));
  const std::pair<std::function<void(packed_header&)>, std::string> changes[] = {
      {[](packed_header& h) { h.key = sha256("x"); },
       "the key: " + hex(sha256("a public key")) + " from client 1, " + hex(sha256("x")) + " from client 2"},
      {[](packed_header& h) { h.round = 6; }, "the round: 7 from client 1, 6 from client 2"},
      {[](packed_header& h) { h.numbers = 21; }, "numbers: 20 from client 1, 21 from client 2"},
      {[](packed_header& h) { h.how.key_bits = 320; }, "key bits: 256 from client 1, 320 from client 2"},
      {[](packed_header& h) { h.how.slot_bits = 25; }, "slot bits: 24 from client 1, 25 from client 2"},
      {[](packed_header& h) { h.how.fraction_bits = 19; },
       "fraction bits: 20 from client 1, 19 from client 2"},
      {[](packed_header& h) { h.how.range = 0.25; }, "the range: 0.5 from client 1, 0.25 from client 2"},
      {[](packed_header& h) { h.how.clients = 4; }, "clients: 3 from client 1, 4 from client 2"},
      {[](packed_header& h) { h.ciphertexts = 4; }, "ciphertexts: 3 from client 1, 4 from client 2"}};
  for (const auto& [change, sentence] : changes) {
    auto other = b;
    change(other);
    const auto same = check_same_sum(a, other);
    REQUIRE_FALSE(same);
    CHECK(same.error().message == "[N009 message] packed headers differ in " + sentence);
    CHECK_FALSE(check_cohort(std::vector{a, other}));
  }
}

TEST_CASE("packed header: a cohort has each client once, and no more than the guard bits are for") {
  CHECK(check_cohort(std::vector{header_of(3), header_of(1), header_of(2)}));
  const auto message = [](std::vector<packed_header> headers) {
    return check_cohort(headers).error().message;
  };
  CHECK_THAT(message({}), Contains("there are none"));
  CHECK_THAT(message({header_of(1), header_of(2), header_of(1)}), Contains("client 1 has sent two"));
  CHECK_THAT(message({header_of(1), header_of(2), header_of(3), header_of(4)}),
             Contains("of 4 clients, guard bits are for 3"));
}

TEST_CASE("packed header: ciphertexts that are not the announced ones") {
  const auto h = header_of(2);
  CHECK(check_contents(h, bytes_of("ciphertexts")));
  const auto other = check_contents(h, bytes_of("ciphertextS"));
  REQUIRE_FALSE(other);
  CHECK_THAT(other.error().message, Contains("client 2") && Contains(hex(sha256("ciphertexts"))) &&
                                        Contains(hex(sha256("ciphertextS"))));
}
