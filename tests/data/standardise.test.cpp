#include "support/catch.hpp"

#include <privet/data/standardise.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <cmath>
#include <limits>

using namespace privet;

namespace {

const float missing = std::numeric_limits<float>::quiet_NaN();

dataset<> table(std::size_t columns, const std::vector<float>& values) {
  const std::size_t rows = values.size() / columns;
  dataset<> d{{std::vector<std::string>(columns, "x"), {"y"}, {}}, make_matrix<float>(rows, columns), {}, {}};
  std::ranges::copy(values, d.features.data());
  d.labels.resize(rows);
  return d;
}

std::vector<float> values(const dataset<>& d) {
  return {as_span(d.features).begin(), as_span(d.features).end()};
}

} // namespace

TEST_CASE("training columns come out with mean 0 and deviation 1, missing values as 0") {
  const auto s = standardiser::fit(table(2, {1, 10, 2, missing, 3, 30, missing, 20}));
  CHECK(s.mean(0) == 2);
  CHECK(s.deviation(0) == Approx(std::sqrt(2. / 3)));
  CHECK(s.mean(1) == 20);
  CHECK(s.deviation(1) == Approx(std::sqrt(200. / 3)));
  const auto scaled = s.apply(table(2, {1, 10, 2, missing, 3, 30, missing, 20}));
  const float up = static_cast<float>(std::sqrt(1.5));
  const std::vector<float> expected{-up, -up, 0, 0, up, up, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(scaled.features.data()[i] == Approx(expected[i]).margin(1e-7));
  CHECK(scaled.missing() == 0);
}

TEST_CASE("test rows are scaled by the numbers of the training rows") {
  const auto s = standardiser::fit(table(1, {0, 2}));
  CHECK(values(s.apply(table(1, {5, missing, -1}))) == std::vector<float>{4, 0, -2});
  std::vector<float> one{3};
  s.apply(std::span(one));
  CHECK(one[0] == 2);
}

TEST_CASE("a constant column is only centred, one without values is left alone") {
  const auto s = standardiser::fit(table(3, {0.1f, 7, missing, 0.1f, 7, missing, 0.1f, 7, missing}));
  for (std::size_t c = 0; c < 3; ++c) CHECK(s.deviation(c) == 1);
  const auto out = values(s.apply(table(3, {0.1f, 9, 5, missing, missing, missing})));
  CHECK(out[0] == Approx(0).margin(1e-9));
  CHECK(std::vector<float>(out.begin() + 1, out.end()) == std::vector<float>{2, 5, 0, 0, 0});
}

TEST_CASE("a large mean does not swallow a small deviation") {
  std::vector<float> x;
  for (int i = 0; i < 99999; ++i) x.push_back(static_cast<float>(2000 + i % 3)); // variance 2/3
  CHECK(standardiser::fit(table(1, x)).deviation(0) == Approx(std::sqrt(2. / 3)).epsilon(1e-6));
}

TEST_CASE("offices that add their moments agree with one that holds all rows") {
  replayable_random source(1);
  std::vector<float> all;
  for (int i = 0; i < 3 * 100; ++i)
    all.push_back(uniform01<float>(source) < 0.1f ? missing : 10 * uniform01<float>(source));
  const auto whole = moments::of(table(3, all));
  moments sum = moments::none(3);
  for (int office = 0; office < 4; ++office)
    sum += moments::of(table(3, {all.begin() + office * 75, all.begin() + (office + 1) * 75}));
  const auto one = standardiser::from(whole), many = standardiser::from(sum);
  moments average = sum;
  for (double& v : average.values) v /= 4;
  const auto mean = standardiser::from(average);
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(sum.count(c) == whole.count(c));
    CHECK(many.mean(c) == Approx(one.mean(c)).epsilon(1e-13));
    CHECK(many.deviation(c) == Approx(one.deviation(c)).epsilon(1e-12));
    CHECK(mean.mean(c) == Approx(one.mean(c)).epsilon(1e-13));
    CHECK(mean.deviation(c) == Approx(one.deviation(c)).epsilon(1e-12));
  }
  CHECK_THROWS_AS(sum += moments::none(2), exception);
}

TEST_CASE("data scaled by other numbers has another schema, and nothing is scaled twice") {
  const auto d = table(1, {1, 2, 3});
  const auto mine = standardiser::fit(d), theirs = standardiser::fit(table(1, {1, 2, 4}));
  const auto a = mine.apply(d), b = theirs.apply(d);
  CHECK(a.schema.scaling == mine.fingerprint());
  CHECK(a.schema.hash() != b.schema.hash());
  CHECK(a.schema.hash() == standardiser::fit(d).apply(d).schema.hash());
  CHECK(first_difference(a.schema, b.schema).value().starts_with("scaling: 'standardised "));
  CHECK_THROWS_AS(mine.apply(a), exception);
  CHECK_THROWS_AS(mine.apply(table(2, {1, 2})), exception);
}

TEST_CASE("moments that no rows can have are refused") {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  for (const auto& bad : {std::vector<double>{-1, 0, 0},
                          {2, infinity, 1},
                          {2, nan, 1},
                          {2, 1, infinity},
                          {nan, 1, 1},
                          {2, 4, 1},
                          {infinity, 1, 1},
                          {1, 2}})
    CHECK_THROWS_AS(standardiser::from(moments{bad}), exception);
  CHECK_THROWS_AS(standardiser::fit(table(1, {1, static_cast<float>(infinity)})), exception);
}

TEST_CASE("missing values are counted by column") {
  CHECK(missing_by_column(table(2, {1, missing, 2, missing, missing, 3})) == std::vector<std::size_t>{1, 2});
}
