#include "support/catch.hpp"

#include <privet/data/dataset.hpp>

#include <limits>

using namespace privet;

namespace {

template <class T>
dataset<T> three_rows() {
  dataset<T> d{{{"a", "b"}, {"no", "yes", "never"}, {}}, make_matrix<T>(3, 2), {1, 0, 1}, {7, 7, 9}};
  for (int i = 0; i < 6; ++i) d.features.data()[i] = static_cast<T>(i);
  return d;
}

fault fault_of(const dataset<>& d) {
  try {
    d.check();
  } catch (const exception& e) {
    return e.kind();
  }
  return {};
}

} // namespace

TEMPLATE_TEST_CASE("selected rows come in the order asked for, as often as asked for", "", float, double) {
  const auto d = three_rows<TestType>();
  const std::uint32_t which[] = {2, 0, 2};
  const auto s = d.select(which);
  s.check();
  CHECK(s.schema == d.schema);
  CHECK(s.labels == std::vector<std::int32_t>{1, 1, 1});
  CHECK(s.groups == std::vector<std::int32_t>{9, 7, 9});
  CHECK(row(s.features, 0)[1] == 5);
  CHECK(row(s.features, 1)[0] == 0);
  CHECK(row(s.features, 2)[0] == 4);
  CHECK(d.select({}).rows() == 0);
  const std::uint32_t beyond[] = {3};
  CHECK_THROWS_AS(d.select(beyond), exception);
}

TEST_CASE("joined data sets hold the rows of all, in order") {
  const std::vector<dataset<float>> parts{three_rows<float>(), three_rows<float>()};
  const auto all = joined(std::span<const dataset<float>>(parts));
  REQUIRE(all.rows() == 6);
  all.check();
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(std::ranges::equal(row(all.features, i), row(parts[0].features, i % 3)));
    CHECK(all.labels[i] == parts[0].labels[i % 3]);
    CHECK(all.groups[i] == parts[0].groups[i % 3]);
  }
  auto other = parts;
  other[1].groups.clear();
  CHECK(joined(std::span<const dataset<float>>(other)).groups.empty());
  other[1].schema.classes.push_back("more");
  CHECK_THROWS_WITH(joined(std::span<const dataset<float>>(other)),
                    Catch::Matchers::Contains("data set 1 has another schema than data set 0"));
  CHECK_THROWS_AS(joined(std::span<const dataset<float>>{}), exception);
}

TEST_CASE("a class that no row has counts zero") {
  CHECK(three_rows<float>().class_counts() == std::vector<std::size_t>{1, 2, 0});
}

TEST_CASE("missing values are counted") {
  auto d = three_rows<float>();
  CHECK(d.missing() == 0);
  d.features(1, 1) = d.features(2, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK(d.missing() == 2);
}

TEST_CASE("a data set put together wrongly is refused") {
  auto d = three_rows<float>();
  CHECK_NOTHROW(d.check());
  SECTION("label out of range") {
    d.labels[2] = 3;
    CHECK(fault_of(d) == fault::label);
    d.labels[2] = -1;
    CHECK(fault_of(d) == fault::label);
  }
  SECTION("labels and rows differ in number") {
    d.labels.push_back(0);
    CHECK(fault_of(d) == fault::shape);
  }
  SECTION("names and columns differ in number") {
    d.schema.features.push_back("c");
    CHECK(fault_of(d) == fault::shape);
  }
  SECTION("groups and rows differ in number") {
    d.groups.pop_back();
    CHECK(fault_of(d) == fault::shape);
    d.groups.clear();
    CHECK_NOTHROW(d.check());
  }
}
