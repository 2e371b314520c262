#include "support/catch.hpp"

#include <privet/data/lines.hpp>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

using namespace privet::detail;

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> all;
  line_reader reader(text);
  while (reader.next()) {
    all.emplace_back(reader.line());
    CHECK(reader.number() == all.size());
  }
  CHECK(reader.rest().empty());
  return all;
}

} // namespace

TEST_CASE("lines: LF, CRLF, a byte order mark and a last line without an end") {
  using lines = std::vector<std::string>;
  CHECK(lines_of("") == lines{});
  CHECK(lines_of("\n") == lines{""});
  CHECK(lines_of("a\r\n\r\nb") == lines{"a", "", "b"});
  CHECK(lines_of("\xEF\xBB\xBF"
                 "a\nb\n") == lines{"a", "b"});
  CHECK(lines_of("a\rb\n") == lines{"a\rb"});
  CHECK(lines_of("a\n\xEF\xBB\xBF") == lines{"a", "\xEF\xBB\xBF"}); // only at the start
}

TEST_CASE("lines: what is left begins behind the line") {
  line_reader reader("a\nb\nc");
  REQUIRE(reader.next());
  CHECK(reader.rest() == "b\nc");
}

TEST_CASE("lines: a number fills its field, or is none") {
  CHECK(number_in<double>("-1.5e3") == -1500);
  CHECK(number_in<double>("+2") == 2);
  CHECK(number_in<int>("007") == 7);
  CHECK(std::isnan(number_in<double>("nan").value()));
  CHECK(std::isinf(number_in<double>("inf").value()));
  for (const auto none : {"", "+", "-", "+-2", "++2", " 2", "2 ", "2,5", "0x10", "1e999", "two"})
    CHECK_FALSE(number_in<double>(none));
  CHECK_FALSE(number_in<unsigned char>("256"));
  CHECK_FALSE(number_in<unsigned>("-1"));
}

TEST_CASE("lines: blanks at both ends are none of a field, and a place is named") {
  CHECK(trimmed(" \t a b\t ") == "a b");
  CHECK(trimmed(" \t ").empty());
  CHECK(place("wisdm.arff", 51, 3, "X1") == "wisdm.arff:51, column 3 'X1'");
  CHECK(place("wisdm.arff", 51, 3) == "wisdm.arff:51, column 3");
  CHECK(not_a_number("here", "x").message == "[N004 format] here: 'x', expected a finite number");
}
