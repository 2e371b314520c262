#include "support/catch.hpp"

#include <privet/data/arff.hpp>

#include <cmath>

using namespace privet;

namespace {

std::string message(std::string_view text) {
  const auto table = arff::parse(text, "t.arff");
  return table ? "" : table.error().message;
}

const std::string head = "@relation r\n@attribute x numeric\n@attribute c {a, b}\n@data\n";

} // namespace

TEST_CASE("arff is read with comments, quotes, any case and either line end") {
  const auto table =
      arff::parse(
          "% note\r\n@RELATION 'a b'\r\n\r\n@Attribute \"it\\'s x\" REAL\r\n"
          "@attribute c{ \"a, b\" , 'c' ,d }\r\n@DATA\r\n% more\r\n-1.5e1,'a, b'\r\n ? , d \r\n+2,?")
          .value();
  REQUIRE(table.columns() == 2);
  REQUIRE(table.rows() == 3);
  CHECK(table.attributes[0].name == "it's x");
  CHECK(table.attributes[1].values == std::vector<std::string>{"a, b", "c", "d"});
  CHECK(table.at(0, 0) == -15);
  CHECK(table.at(0, 1) == 0);
  CHECK(std::isnan(table.at(1, 0)));
  CHECK(table.at(1, 1) == 2);
  CHECK(table.at(2, 0) == 2);
  CHECK(std::isnan(table.at(2, 1)));
  CHECK(table.line_of == std::vector<std::size_t>{8, 9, 10});
}

TEST_CASE("a malformed arff row names file, line, column and both sides") {
  CHECK(message(head + "1,a\n1\n") == "[N003 shape] t.arff:6: the row ends after 1 values, expected 2");
  CHECK(message(head + "1,a,2\n") == "[N003 shape] t.arff:5, column 3: a value too many, expected 2 values");
  CHECK(message(head + "1,a\nx,a\n") ==
        "[N004 format] t.arff:6, column 1 'x': 'x', expected a finite number");
  CHECK(message(head + "1,z\n") ==
        "[N006 label] t.arff:5, column 2 'c': 'z' is none of the 2 declared names");
  for (const std::string bad : {"nan", "NaN", "inf", "-infinity", "1e999", "", "1 2", "0x10", "+-1"})
    CHECK(message(head + bad + ",a\n").starts_with("[N004 format] t.arff:5, column 1 'x': "));
  CHECK(message(head + "1,'a\n").ends_with("column 2 'c': the quote is never closed"));
  CHECK(message(head + "1,'a'b\n").ends_with("'b' after a closing quote, expected a comma"));
  CHECK(message(head + "{0 1}\n").starts_with("[N011 unsupported] t.arff:5"));
}

TEST_CASE("a malformed arff header is refused") {
  CHECK(message("").starts_with("[N004 format] t.arff: no '@data' line in 0 lines"));
  CHECK(message("\x7f"
                "ELF\n")
            .starts_with("[N004 format] t.arff:1: "));
  CHECK(message("@relation r\n@data\n").starts_with("[N004 format] t.arff:2: '@data' before any"));
  CHECK(message("@attribute x\n").starts_with("[N004 format] t.arff:1: '@attribute' without"));
  CHECK(message("@attribute x date\n").starts_with("[N011 unsupported] t.arff:1: 'x' has type 'date'"));
  CHECK(message("@attribute x {a, a}\n").ends_with("'x' lists 'a' twice"));
  CHECK(message("@attribute x {a, b\n").ends_with("expected '}'"));
  CHECK(message("@attribute x real\n@attribute x real\n").ends_with("'x' is declared twice"));
}
