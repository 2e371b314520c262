#include "support/catch.hpp"

#include <privet/privacy/event_json.hpp>

#include <limits>

using namespace privet;
using Catch::Contains;

namespace {

const std::vector<privacy_event> all_kinds{
    {event::gaussian{0.1}, 3},
    {event::subsampled_gaussian{1.1, 256.0 / 60000}, 14062, neighbours::zero_out},
    {event::laplace{1.0 / 3}, 1'000'000'000, neighbours::replace_one},
    {event::randomised_response{std::log(3.0), 4'000'000'000}, 1, neighbours::replace_one},
    {event::discrete_gaussian{1e4}, 7},
    {event::tree{std::nextafter(2.0, 3.0), 64}, 2},
    {event::subsampled_discrete_gaussian{0.7, 1.0 / 3}, 9, neighbours::zero_out, 0x1p-60},
    {event::shuffle{4, 123'456'789}, 5, neighbours::replace_one},
    {event::gaussian{1}, 1, neighbours::add_remove, std::numeric_limits<double>::denorm_min()}};

std::string refused(std::string_view text) {
  const auto e = read_event(parse_json(text).value(), "list: event 3");
  REQUIRE_FALSE(e);
  CHECK_THAT(e.error().message, Contains("list: event 3"));
  return e.error().message;
}

} // namespace

TEST_CASE("an event comes back from JSON to the bit") {
  CHECK(all_kinds.size() == std::variant_size_v<event::mechanism> + 1);
  for (const auto& e : all_kinds) {
    INFO(e.name());
    const auto again = read_event(parse_json(json_text(to_json(e))).value(), "event");
    REQUIRE(again);
    CHECK(again->mechanism == e.mechanism);
    CHECK(again->count == e.count);
    CHECK(again->relation == e.relation);
    CHECK(again->distance == e.distance);
  }
  CHECK(
      json_text(to_json(all_kinds[1])) ==
      R"({"mechanism":"subsampled_gaussian","q":0.004266666666666667,"relation":"zero-out","sigma":1.1,"steps":14062})");
}

TEST_CASE("what an event leaves out has its default, and the relation the caller's") {
  const auto e = read_event(parse_json(R"({"mechanism":"randomized_response","epsilon0":1})").value(),
                            "event", neighbours::replace_one)
                     .value();
  CHECK(e.mechanism == event::mechanism(event::randomised_response{1, 2}));
  CHECK(e.count == 1);
  CHECK(e.relation == neighbours::replace_one);
  CHECK(e.distance == 0);
  CHECK(read_event(parse_json(R"({"mechanism":"laplace","scale":2})").value(), "event")->relation ==
        neighbours::add_remove);
}

TEST_CASE("JSON that is no event is refused with its place and both sides") {
  CHECK_THAT(refused("[1]"), Contains("N004") && Contains("array") && Contains("object"));
  CHECK_THAT(refused("{}"), Contains("mechanism"));
  CHECK_THAT(refused(R"({"mechanism":3})"), Contains("number") && Contains("string"));
  CHECK_THAT(refused(R"({"mechanism":"gausian","sigma":1})"),
             Contains("'gausian'") && Contains("'gaussian'"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian"})"), Contains("'sigma'"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":"1"})"), Contains("string") && Contains("number"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"q":0.5})"),
             Contains("'q'") && Contains("'sigma'"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"steps":1.5})"),
             Contains("steps") && Contains("integer"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"steps":-1})"), Contains("steps"));
  CHECK_THAT(refused(R"({"mechanism":"tree","sigma":1,"height":4294967296})"), Contains("height"));
  CHECK_THAT(refused(R"({"mechanism":"shuffle","epsilon0":1})"), Contains("N004") && Contains("'users'"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"relation":"substitute"})"),
             Contains("'substitute'") && Contains("replace-one"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"relation":null})"), Contains("relation"));
}

TEST_CASE("JSON of an event that the accountants would refuse is an error, not an exception") {
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":0})"),
             Contains("N001") && Contains("noise multiplier 0"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"steps":0})"), Contains("0 uses"));
  CHECK_THAT(refused(R"({"mechanism":"gaussian","sigma":1,"distance":1})"),
             Contains("N001") && Contains("distance"));
  CHECK_THAT(refused(R"({"mechanism":"randomised_response","epsilon0":1})"),
             Contains("N011") && Contains("replace-one"));
}
