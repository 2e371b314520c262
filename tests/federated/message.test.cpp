#include "support/catch.hpp"

#include <privet/federated/message.hpp>

#include <limits>

using namespace privet;

namespace {

message sample() {
  client_update u;
  u.examples = 10, u.steps = 20, u.weight = 0.25, u.loss = 1.5, u.shared = {1.f, -2.f, 0x1p-140f};
  return {message_kind::update, 0x0123456789abcdef, 7, 3, encode_update(u)};
}

bool same(const message& a, const message& b) {
  return a.kind == b.kind && a.schema_hash == b.schema_hash && a.round == b.round && a.sender == b.sender &&
         a.body == b.body;
}

} // namespace

TEST_CASE("message: the header is the documented forty bytes") {
  const message m{message_kind::train, 0x1122334455667788, 5, 0, {std::byte{0xaa}}};
  const auto bytes = encode(m);
  REQUIRE(bytes.size() == message_header_bytes + 1);
  CHECK(text_of(std::span(bytes).first(4)) == "PRIV");
  CHECK(load_little<std::uint16_t>(bytes.data() + 4) == 1);
  CHECK(load_little<std::uint16_t>(bytes.data() + 6) == 11);
  CHECK(load_little<std::uint64_t>(bytes.data() + 8) == 0x1122334455667788);
  CHECK(load_little<std::uint32_t>(bytes.data() + 16) == 5);
  CHECK(load_little<std::uint32_t>(bytes.data() + 20) == 0);
  CHECK(load_little<std::uint64_t>(bytes.data() + 24) == 1);
  CHECK(bytes.back() == std::byte{0xaa});
}

TEST_CASE("message: what is encoded comes back, with bodies of every length") {
  for (std::size_t n = 0; n < 40; ++n) {
    message m{message_kind::start, n, static_cast<std::uint32_t>(n), 1,
              std::vector<std::byte>(n, std::byte{0x5a})};
    const auto back = decode_message(encode(m));
    REQUIRE(back);
    CHECK(same(*back, m));
  }
}

TEST_CASE("message: cut short or made longer anywhere, it is refused") {
  auto bytes = encode(sample());
  for (std::size_t n = 0; n < bytes.size(); ++n) CHECK_FALSE(decode_message(std::span(bytes).first(n)));
  for (int extra = 0; extra < 20; ++extra) {
    bytes.push_back(std::byte{0});
    CHECK_FALSE(decode_message(bytes));
  }
}

TEST_CASE("message: damage to any bit of header or body is noticed") {
  const auto bytes = encode(sample());
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i / 8] ^= std::byte{1} << (i % 8);
    CAPTURE(i);
    REQUIRE_FALSE(decode_message(damaged));
  }
  // Zeros look alike: a body of them must not lose or gain one.
  CHECK(encode({message_kind::start, 0, 0, 0, std::vector<std::byte>(8)}) !=
        encode({message_kind::start, 0, 0, 0, std::vector<std::byte>(9)}));
}

TEST_CASE("message: a claim of 2^60 bytes is refused by what is there") {
  auto bytes = encode(sample());
  store_little(std::uint64_t{1} << 60, bytes.data() + 24);
  const auto read = decode_message(bytes);
  REQUIRE_FALSE(read);
  CHECK(read.error().message ==
        concat("[N009 message] message: says ", std::uint64_t{1} << 60, " bytes follow, 44 do"));
}

TEST_CASE("message: another format and another version are told apart") {
  auto bytes = encode(sample());
  bytes[4] = std::byte{2};
  CHECK(decode_message(bytes).error().kind == fault::unsupported);
  bytes[0] = std::byte{'X'};
  CHECK(decode_message(bytes).error().kind == fault::format);
  CHECK(decode_message({}).error().kind == fault::format);
}

TEST_CASE("message: bodies come back") {
  const auto u = decode_update(sample()).value();
  CHECK(u.sender == 3);
  CHECK(u.schema_hash == 0x0123456789abcdef);
  CHECK(u.examples == 10);
  CHECK(u.steps == 20);
  CHECK(u.weight == 0.25);
  CHECK(u.loss == 1.5);
  CHECK(u.shared == std::vector<float>{1.f, -2.f, 0x1p-140f});

  const std::vector<float> weights{1, 2, 3};
  const auto order = decode_order(encode_order(99, weights)).value();
  CHECK(order.examples == 99);
  CHECK(order.weights == weights);
  CHECK(decode_number(encode_number(std::uint64_t(-1)), "x").value() == std::uint64_t(-1));

  const client_schema c{{{"a", "\xc3\xa9\n\""}, {"x", "y"}, "standardised 12"}, 17};
  const auto back = decode_schema(encode_schema(c)).value();
  CHECK(back.schema == c.schema);
  CHECK(back.rows == 17);

  const std::vector<std::int64_t> whole{1, -2, std::numeric_limits<std::int64_t>::min()};
  const message carried{message_kind::share, 5, 7, 3, encode_share({3, 5, 10, 1, whole, 0.25, 4})};
  const auto s = decode_share(carried).value();
  CHECK(s.sender == 3);
  CHECK(s.schema_hash == 5);
  CHECK(s.examples == 10);
  CHECK(s.steps == 1);
  CHECK(s.shared == whole);
  CHECK(s.grid == 0.25);
  CHECK(s.holders == 4);
}

TEST_CASE("message: a share of any other length than its numbers have is refused") {
  const message whole{message_kind::share, 5, 7, 3, encode_share({3, 5, 10, 1, {4, 5}})};
  REQUIRE(whole.body.size() == 48);
  for (std::size_t n = 0; n <= 56; ++n) {
    message m = whole;
    m.body.resize(n);
    CAPTURE(n);
    CHECK(decode_share(m).has_value() == (n >= 32 && n % 8 == 0));
  }
}

TEST_CASE("message: numbers that are not finite or not whole are refused with their place") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const float numbers[] = {1, bad};
    const auto read = decode_numbers<float>(encode_numbers(std::span<const float>(numbers)), "start");
    REQUIRE_FALSE(read);
    CHECK(read.error().message.starts_with("[N009 message] start: number 1 is "));
    CHECK_FALSE(decode_order(encode_order(1, numbers)));
    message m = sample();
    client_update u;
    u.shared = {0, bad};
    m.body = encode_update(u);
    CHECK_FALSE(decode_update(m));
    u.shared = {0, 0};
    u.loss = bad;
    m.body = encode_update(u);
    CHECK_FALSE(decode_update(m));
    u.loss = 0, u.weight = bad;
    m.body = encode_update(u);
    CHECK_FALSE(decode_update(m));
  }
  const std::vector<std::byte> seven(7);
  CHECK_FALSE(decode_numbers<float>(seven, "x"));
  CHECK_FALSE(decode_number(seven, "x"));
  CHECK_FALSE(decode_number(std::vector<std::byte>(9), "x"));
  CHECK_FALSE(decode_order(seven));
  message m = sample();
  m.body.resize(31);
  CHECK_FALSE(decode_update(m));
}

TEST_CASE("message: a schema that is none is refused") {
  for (const char* text : {"", "[]", "{}", "1", R"({"features":[],"classes":[],"scaling":"","rows":-1})",
                           R"({"features":[1],"classes":[],"scaling":"","rows":1})",
                           R"({"features":[],"classes":[],"scaling":1,"rows":1})",
                           R"({"features":[],"classes":{},"scaling":"","rows":1})",
                           R"({"features":[[]],"classes":[],"scaling":"","rows":1})",
                           R"({"features":[[[]]],"classes":[],"scaling":"","rows":1})"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_schema(bytes_of(text)));
  }
}
