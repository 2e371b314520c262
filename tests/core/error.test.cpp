#include "support/catch.hpp"

#include <privet/core/error.hpp>

#include <cstdint>
#include <limits>

using namespace privet;

TEST_CASE("concat joins text and numbers") {
  CHECK(concat() == "");
  CHECK(concat("row ", 7, ", ", std::string("column "), 'x', std::string_view(": "), -1.5, ' ', true) ==
        "row 7, column x: -1.5 true");
  CHECK(concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(concat(static_cast<std::uint8_t>(65)) == "65");
}

TEST_CASE("concat writes the shortest text that reads back to the same number") {
  CHECK(concat(0.1) == "0.1");
  CHECK(concat(0.1f) == "0.1");
  CHECK(concat(1e300) == "1e+300");
  CHECK(concat(-std::numeric_limits<double>::denorm_min()) == "-5e-324");
  CHECK(concat(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(concat(std::numeric_limits<float>::quiet_NaN()) == "nan");
}

TEST_CASE("an error carries its code and its name in front of the sentence") {
  const auto shape = error::of(fault::shape, "dense<108, 64> got ", 107, " columns");
  CHECK(shape.kind == fault::shape);
  CHECK(shape.message == "[N003 shape] dense<108, 64> got 107 columns");
  CHECK(error::of(fault::state, "x").message == "[N010 state] x");
  CHECK(error::of(fault::unsupported, "x").message == "[N011 unsupported] x");
}

TEST_CASE("every fault has its name") {
  CHECK(name_of(fault::argument) == "argument");
  CHECK(name_of(fault::file) == "file");
  CHECK(name_of(fault::shape) == "shape");
  CHECK(name_of(fault::format) == "format");
  CHECK(name_of(fault::schema) == "schema");
  CHECK(name_of(fault::label) == "label");
  CHECK(name_of(fault::leak) == "leak");
  CHECK(name_of(fault::range) == "range");
  CHECK(name_of(fault::message) == "message");
  CHECK(name_of(fault::state) == "state");
  CHECK(name_of(fault::unsupported) == "unsupported");
}

TEST_CASE("require throws what fail throws, and only when it must") {
  CHECK_NOTHROW(require(true, fault::argument, "never"));
  try {
    require(false, fault::argument, "rate is ", -1, ", must not be negative");
    FAIL("did not throw");
  } catch (const exception& e) {
    CHECK(e.kind() == fault::argument);
    CHECK(std::string(e.what()) == "[N001 argument] rate is -1, must not be negative");
  }
  CHECK_THROWS_AS(fail(fault::file, "gone"), std::runtime_error);
}
