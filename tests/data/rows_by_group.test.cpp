#include "support/catch.hpp"

#include <privet/data/rows_by_group.hpp>

#include <vector>

using namespace privet;

TEST_CASE("rows of a group stay in order, groups come by number") {
  const std::vector<std::int32_t> groups{7, -2, 7, 3, -2, 7};
  const rows_by_group by(groups);
  REQUIRE(by.size() == 3);
  CHECK(by.rows() == 6);
  CHECK(by.longest() == 3);
  const auto rows_of = [&](std::size_t i) { return std::vector<std::uint32_t>(by[i].begin(), by[i].end()); };
  CHECK(by.number(0) == -2);
  CHECK(rows_of(0) == std::vector<std::uint32_t>{1, 4});
  CHECK(by.number(1) == 3);
  CHECK(rows_of(1) == std::vector<std::uint32_t>{3});
  CHECK(by.number(2) == 7);
  CHECK(rows_of(2) == std::vector<std::uint32_t>{0, 2, 5});
}

TEST_CASE("data without groups is refused") {
  CHECK_THROWS_WITH(rows_by_group({}), Catch::Contains("[N001") && Catch::Contains("names no persons"));
}
