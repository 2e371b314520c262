#include "support/catch.hpp"

#include <privet/data/split.hpp>
#include <privet/random/replayable.hpp>

#include <set>

using namespace privet;

namespace {

/// One column that holds the row number.
dataset<> with_groups(std::vector<std::int32_t> groups, std::size_t rows) {
  dataset<> d{{{"row"}, {"only"}, {}},
              make_matrix<float>(rows, 1),
              std::vector<std::int32_t>(rows),
              std::move(groups)};
  for (std::size_t i = 0; i < rows; ++i) d.features.data()[i] = static_cast<float>(i);
  return d;
}

std::vector<float> rows_of(const dataset<>& d) {
  return {as_span(d.features).begin(), as_span(d.features).end()};
}

fault kind_of(const auto& call) {
  try {
    call();
  } catch (const exception& e) {
    return e.kind();
  }
  return {};
}

const auto five_people = with_groups({3, 1, 3, 2, 5, 5, 1, 4}, 8);

} // namespace

TEST_CASE("a person stays on one side of a split") {
  std::set<std::vector<std::int32_t>> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto [train, test] = split_groups(five_people, 0.4, replayable_random(seed));
    CHECK(groups_of(test).size() == 2);
    CHECK(groups_of(train).size() == 3);
    CHECK(train.rows() + test.rows() == 8);
    CHECK_NOTHROW(refuse_overlap(train, test));
    seen.insert(groups_of(test));
  }
  CHECK(seen.size() > 5); // of the ten pairs
  CHECK(rows_of(split_groups(five_people, 0.4, replayable_random(7)).test) ==
        rows_of(split_groups(five_people, 0.4, replayable_random(7)).test));
}

TEST_CASE("named groups are the test side, in the order of the file") {
  const std::int32_t named[] = {5, 1, 5};
  const auto [train, test] = split_by_groups(five_people, named);
  CHECK(rows_of(test) == std::vector<float>{1, 4, 5, 6});
  CHECK(rows_of(train) == std::vector<float>{0, 2, 3, 7});
  CHECK(rows_of(leave_group_out(five_people, 4).test) == std::vector<float>{7});
  const std::int32_t unknown[] = {5, 6}, all[] = {1, 2, 3, 4, 5};
  CHECK(kind_of([&] { split_by_groups(five_people, unknown); }) == fault::argument);
  CHECK(kind_of([&] { split_by_groups(five_people, all); }) == fault::argument);
  CHECK(kind_of([&] { split_by_groups(five_people, {}); }) == fault::argument);
}

TEST_CASE("the same group on both sides of an evaluation is refused by name") {
  const auto train = with_groups({9, 2, 2, 4}, 4), test = with_groups({2, 7, 4}, 3);
  CHECK(kind_of([&] { refuse_overlap(train, test); }) == fault::leak);
  CHECK_THROWS_WITH(refuse_overlap(train, test),
                    "[N007 leak] group 2 has 2 rows in training and 1 in test (2 groups are on both sides): "
                    "split by group");
  CHECK(kind_of([&] { refuse_overlap(train, with_groups({}, 2)); }) == fault::argument);
  CHECK_NOTHROW(refuse_overlap(train, with_groups({1}, 1)));
}

TEST_CASE("rows are split without regard to groups only by that name") {
  const auto data = with_groups({}, 100);
  const auto [train, test] = split_rows_ignoring_groups(data, 0.25, replayable_random(3));
  CHECK(test.rows() == 25);
  CHECK(train.rows() == 75);
  std::set<float> all;
  for (const auto* side : {&train, &test}) {
    const auto rows = rows_of(*side);
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    all.insert(rows.begin(), rows.end());
  }
  CHECK(all.size() == 100);
  CHECK(kind_of([&] { split_groups(data, 0.25, replayable_random(3)); }) == fault::argument);
}

TEST_CASE("both sides of a split have something") {
  CHECK(split_groups(five_people, 0.01, replayable_random(1)).test.groups.size() >= 1);
  CHECK(split_groups(five_people, 0.99, replayable_random(1)).train.groups.size() >= 1);
  for (const double bad : {0., 1., -0.5, std::nan("")})
    CHECK(kind_of([&] { split_groups(five_people, bad, replayable_random(1)); }) == fault::argument);
  CHECK(kind_of([&] { split_groups(with_groups({4, 4}, 2), 0.5, replayable_random(1)); }) == fault::argument);
}
