#include "support/catch.hpp"

#include <privet/privacy/event.hpp>

#include <limits>

using namespace privet;
using Catch::Contains;

TEST_CASE("an event refuses numbers without a meaning and names both sides") {
  const auto refused = [](event::mechanism m, std::uint64_t count = 1,
                          neighbours r = neighbours::add_remove) {
    try {
      privacy_event{m, count, r}.check();
    } catch (const exception& why) {
      return std::string(why.what());
    }
    return std::string();
  };
  for (const double noise :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THAT(refused(event::gaussian{noise}), Contains("noise multiplier") && Contains("expected"));
    CHECK_THAT(refused(event::laplace{noise}), Contains("scale"));
    CHECK_THAT(refused(event::tree{noise, 3}), Contains("tree"));
    CHECK_THAT(refused(event::discrete_gaussian{noise}), Contains("discrete_gaussian"));
    CHECK_THAT(refused(event::subsampled_gaussian{noise, 0.1}), Contains("N001"));
    CHECK_THAT(refused(event::subsampled_discrete_gaussian{noise, 0.1}), Contains("N001"));
  }
  for (const double rate : {0.0, -0.1, 1.0001, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THAT(refused(event::subsampled_gaussian{1, rate}),
               Contains("sampling rate") && Contains("at most 1"));
  CHECK_THAT(refused(event::subsampled_discrete_gaussian{1, 0}), Contains("sampling rate 0"));
  CHECK_THAT(refused(event::subsampled_discrete_gaussian{1, 0.5}, 1, neighbours::replace_one),
             Contains("N011") && Contains("add-remove or zero-out"));
  CHECK_THAT(refused(event::gaussian{1}, 0), Contains("0 uses") && Contains("1000000000"));
  CHECK_THAT(refused(event::gaussian{1}, 1'000'000'001), Contains("1000000001 uses"));
  CHECK_THAT(refused(event::tree{1, 0}), Contains("height 0"));
  CHECK_THAT(refused(event::randomised_response{0, 2}, 1, neighbours::replace_one), Contains("epsilon 0"));
  CHECK_THAT(refused(event::randomised_response{1, 1}, 1, neighbours::replace_one), Contains("1 answers"));
  CHECK_THAT(refused(event::randomised_response{1, 2}),
             Contains("N011") && Contains("add-remove") && Contains("replace-one"));
  CHECK_THAT(refused(event::shuffle{0, 5}, 1, neighbours::replace_one), Contains("epsilon0 0"));
  CHECK_THAT(refused(event::shuffle{33, 5}, 1, neighbours::replace_one), Contains("at most 32"));
  CHECK_THAT(refused(event::shuffle{1, 0}, 1, neighbours::replace_one), Contains("0 users"));
  CHECK_THAT(refused(event::shuffle{1, 5}), Contains("N011") && Contains("replace-one"));
  CHECK(refused(event::subsampled_gaussian{1, 1}, 1'000'000'000, neighbours::zero_out).empty());
}

TEST_CASE("a list refuses a second relation, and counts equal mechanisms together") {
  event_list list;
  list.add({event::laplace{2}, 3, neighbours::replace_one});
  CHECK_THROWS_WITH(list.add({event::gaussian{1}, 1, neighbours::add_remove}),
                    Contains("add-remove") && Contains("replace-one"));
  list.add({event::laplace{2}, 4, neighbours::replace_one});
  list.add({event::laplace{2.5}, 1, neighbours::replace_one});
  REQUIRE(list.end() - list.begin() == 2);
  CHECK(list.begin()->count == 7);
  CHECK(list.relation() == neighbours::replace_one);
  CHECK_THROWS_WITH(list.add({event::laplace{2}, 999'999'999, neighbours::replace_one}), Contains("in all"));
}

TEST_CASE("Gaussian and tree events are one query together") {
  event_list list;
  list.add({event::gaussian{2}, 8});
  list.add({event::tree{3, 9}, 2});
  list.add({event::subsampled_gaussian{5, 1}, 25});
  list.add({event::subsampled_gaussian{5, 0.5}, 25});
  list.add({event::subsampled_discrete_gaussian{5, 1}, 25}); // no Gaussian query: its loss is another
  CHECK(list.gaussian_distance_squared() == Approx(2 + 2 + 1).epsilon(1e-14));
}
