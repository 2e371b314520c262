#include "support/catch.hpp"

#include <privet/core/json.hpp>

using namespace privet;

namespace {

std::string complaint(std::string_view text) {
  const auto parsed = parse_json(text);
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().kind == fault::format);
  return parsed.error().message;
}

} // namespace

TEST_CASE("json: every kind of value survives text and back") {
  const std::string text = R"({"a":[1,-2,0.5,true,false,null],"b":{"c":"\u00e9\n"},"d":[],"e":{}})";
  const auto parsed = parse_json(text);
  REQUIRE(parsed.has_value());
  CHECK(parse_json(json_text(*parsed)).value() == *parsed);
  CHECK(*parsed == json::parse(text));
  CHECK(parse_json("3").value() == 3);
  CHECK(parse_json(" \"x\" \n").value() == "x");
}

TEST_CASE("json: what is not one document is refused") {
  for (const char* text : {"",           " ",   "{",    "}",      "[1,]", "{\"a\":}", "{\"a\" 1}",   "{a:1}",
                           "[1] [2]",    "nul", "01",   "1e999",  "'a'",  "\"\x80\"", "\"\\ud800\"", "\"\n\"",
                           "{\"a\":1,}", "NaN", "[1]x", "// c\n1"}) {
    CAPTURE(text);
    CHECK(complaint(text).starts_with("[N004 format] json: "));
  }
}

TEST_CASE("json: text after a zero byte is not ignored") {
  using namespace std::string_view_literals;
  CHECK(complaint("{}\0junk"sv).find("zero byte at 2") != std::string::npos);
  CHECK(complaint("\0"sv).find("zero byte at 0") != std::string::npos);
}

TEST_CASE("json: a key that appears twice is refused, also deep inside") {
  CHECK(complaint(R"({"a":1,"a":1})").find("key 'a' appears twice") != std::string::npos);
  CHECK(complaint(R"([{"b":{"a":1,"c":2,"a":3}}])").find("key 'a' appears twice") != std::string::npos);
  CHECK(parse_json(R"([{"a":1},{"a":2},{"b":{"a":3}}])").has_value());
}

TEST_CASE("json: nesting stops at the stated depth") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(parse_json(nested(64)).has_value());
  CHECK(complaint(nested(65)).find("nested more than 64 deep") != std::string::npos);
  CHECK(complaint(std::string(1'000'000, '[')).find("nested more than 64 deep") != std::string::npos);
  CHECK(parse_json(nested(3), "json", 3).has_value());
  CHECK_FALSE(parse_json(nested(4), "json", 3).has_value());
}

TEST_CASE("json: an error quotes neither control characters nor endless text") {
  const auto message = complaint("{\"" + std::string(100'000, 'k') + "\x1b\":1}");
  CHECK(message.size() < 400);
  CHECK(message.find('\x1b') == std::string::npos);
  CHECK(complaint("{\"a\x7f\":1,\"a\x7f\":1}").find("'a?'") != std::string::npos);
}

TEST_CASE("json: a member is read as the type asked for or both sides are named") {
  const auto document =
      parse_json(
          R"({"n":300,"m":-1,"x":0.5,"s":"t","b":true,"v":[1,2],"w":[1,"2"],"big":18446744073709551615})")
          .value();
  CHECK(read_member<int>(document, "n", "here").value() == 300);
  CHECK(read_member<std::int8_t>(document, "m", "here").value() == -1);
  CHECK(read_member<double>(document, "x", "here").value() == 0.5);
  CHECK(read_member<double>(document, "n", "here").value() == 300.0);
  CHECK(read_member<std::string>(document, "s", "here").value() == "t");
  CHECK(read_member<bool>(document, "b", "here").value());
  CHECK(read_member<std::vector<unsigned>>(document, "v", "here").value() == std::vector<unsigned>{1, 2});
  CHECK(read_member<std::uint64_t>(document, "big", "here").value() == 18446744073709551615u);

  const auto message = [&](const auto& read) { return read.error().message; };
  CHECK(message(read_member<std::int8_t>(document, "n", "here")) ==
        "[N004 format] here: n: got 300, outside -128 to 127");
  CHECK(message(read_member<unsigned>(document, "m", "here")) ==
        "[N004 format] here: m: got -1, outside 0 to 4294967295");
  CHECK_FALSE(read_member<std::int64_t>(document, "big", "here").has_value());
  CHECK(message(read_member<int>(document, "x", "here")) ==
        "[N004 format] here: x: got number, expected integer");
  CHECK(message(read_member<int>(document, "b", "here")) ==
        "[N004 format] here: b: got boolean, expected integer");
  CHECK(message(read_member<std::vector<int>>(document, "w", "here")) ==
        "[N004 format] here: w: got string, expected integer");
  CHECK(message(read_member<int>(document, "q", "here")) == "[N004 format] here: no member 'q'");
  CHECK(message(read_member<int>(json::array(), "q", "here")) ==
        "[N004 format] here: got array, expected object");
}

TEST_CASE("json: text that is not UTF-8 is not written") {
  CHECK_THROWS_AS(json_text(json("\xff")), exception);
  CHECK_THROWS_AS(json_text(ordered_json{{"\xc3", 1}}), exception);
  CHECK(json_text(ordered_json{{"b", 1}, {"a", 2}}) == R"({"b":1,"a":2})");
  CHECK(json_text(json{{"b", 1}, {"a", 2}}) == R"({"a":2,"b":1})");
}
