#include "support/catch.hpp"

#include <privet/core/result.hpp>

#include <memory>
#include <string>

using namespace privet;

namespace {

result<std::string> word(bool good) {
  if (!good) return error::of(fault::format, "line 3: no word");
  return std::string("word");
}

status check(bool good) {
  if (!good) return error::of(fault::file, "gone");
  return nothing{};
}

} // namespace

TEST_CASE("a result holds a value") {
  auto r = word(true);
  REQUIRE(r);
  CHECK(r.has_value());
  CHECK(r.value() == "word");
  CHECK(*r == "word");
  CHECK(r->size() == 4);
  r->push_back('s');
  CHECK(std::as_const(r).value() == "words");
  CHECK(std::as_const(r)->size() == 5);
}

TEST_CASE("a result holds an error, and throws it when asked for a value") {
  const auto r = word(false);
  REQUIRE_FALSE(r);
  CHECK_FALSE(r.has_value());
  CHECK(r.error().kind == fault::format);
  CHECK(r.error().message == "[N004 format] line 3: no word");
  CHECK_THROWS_WITH(r.value(), "[N004 format] line 3: no word");
  CHECK_THROWS_AS(word(false).value(), exception);
}

TEST_CASE("a value that only moves can be taken out") {
  result<std::unique_ptr<int>> r(std::make_unique<int>(7));
  const auto taken = std::move(r).value();
  CHECK(*taken == 7);
}

TEST_CASE("an error is passed on into a result of another type") {
  const result<int> failed = error::of(fault::range, "too large");
  const result<std::string> passed_on = failed.error();
  CHECK(passed_on.error().kind == fault::range);
}

TEST_CASE("a status is success or an error") {
  CHECK(check(true));
  CHECK_FALSE(check(false));
  CHECK(check(false).error().message == "[N002 file] gone");
}
