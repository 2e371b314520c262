#include "fixtures/roc.hpp"
#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/dense.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/roc.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace privet;
namespace fixture = privet::test::roc;

namespace {

/// The formulas of tests/oracles/roc.py.
struct scored_rows {
  std::vector<double> scores;
  std::vector<std::int32_t> labels;

  explicit scored_rows(int rows) {
    for (int i = 0; i < rows; ++i) {
      scores.push_back(((37 * i + i * i / 7) % 41) / 8.0);
      labels.push_back((i * i + 3 * i) % 11 < (scores.back() < 2.5 ? 4 : 7));
    }
  }
};

} // namespace

TEST_CASE("the area under the ROC curve and its standard error equal scikit-learn's and DeLong's") {
  const scored_rows all(200), few(12);
  const auto a = roc_auc(all.scores, all.labels);
  CHECK(a.area == Approx(fixture::area).epsilon(1e-13));
  CHECK(a.deviation == Approx(fixture::deviation).epsilon(1e-12));
  CHECK(a.positives == fixture::positives);
  CHECK(a.negatives == 200 - fixture::positives);
  CHECK(a.low() == Approx(fixture::area - 1.959963984540054 * fixture::deviation));
  CHECK(a.high() == Approx(fixture::area + 1.959963984540054 * fixture::deviation));
  const auto b = roc_auc(few.scores, few.labels);
  CHECK(b.area == Approx(fixture::few_area).epsilon(1e-13));
  CHECK(b.deviation == Approx(fixture::few_deviation).epsilon(1e-12));
}

TEST_CASE("areas worked out by hand: perfect, reversed, all equal, one pair wrong") {
  const auto area = [](std::vector<double> scores, std::vector<std::int32_t> labels) {
    return roc_auc(scores, labels);
  };
  CHECK(area({1, 2, 3, 4}, {0, 0, 1, 1}).area == 1);
  CHECK(area({1, 2, 3, 4}, {0, 0, 1, 1}).deviation == 0);
  CHECK(area({1, 2, 3, 4}, {1, 1, 0, 0}).area == 0);
  CHECK(area({7, 7, 7}, {0, 1, 0}).area == 0.5);
  CHECK(area({1, 2, 3, 4}, {0, 1, 0, 1}).area == 0.75);
  // V = (1/2, 1), W = (1, 1/2): both variances 1/8, each over 2.
  CHECK(area({1, 2, 3, 4}, {0, 1, 0, 1}).deviation == Approx(std::sqrt(1.0 / 8)));
  CHECK(area({1, 2, 3, 4}, {0, 1, 0, 1}).high() == 1);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(area({-infinity, 0, infinity, infinity}, {0, 0, 1, 0}).area == Approx(2.5 / 3));
  const auto lonely = area({1, 2, 3}, {0, 1, 0}); // one positive: nobody knows how much such scores vary
  CHECK(lonely.deviation == infinity);
  CHECK(lonely.low() == 0);
  CHECK(lonely.high() == 1);
}

TEST_CASE("a monotone change of the scores and a new order of the rows change nothing, reversing mirrors") {
  const scored_rows all(200);
  const auto a = roc_auc(all.scores, all.labels);
  std::vector<double> bent, turned, back(all.scores.rbegin(), all.scores.rend());
  for (const double s : all.scores) bent.push_back(std::exp(s)), turned.push_back(-s);
  const std::vector<std::int32_t> labels_back(all.labels.rbegin(), all.labels.rend());
  CHECK(roc_auc(bent, all.labels).area == a.area);
  CHECK(roc_auc(bent, all.labels).deviation == a.deviation);
  CHECK(roc_auc(back, labels_back).area == a.area);
  CHECK(roc_auc(turned, all.labels).area == Approx(1 - a.area));
  CHECK(roc_auc(turned, all.labels).deviation == Approx(a.deviation));
}

TEST_CASE("a model with two outputs is scored by their difference") {
  const sequential model{dense<3, 2>{}};
  const auto data = test::rows_of(40, 3, 2, 5);
  const auto p = initialise<float>(model, 4);
  std::vector<double> scores;
  for_each_output(model, p, rows_view<float>(data.view()), [&](std::size_t, std::size_t n, const float* z) {
    for (std::size_t r = 0; r < n; ++r)
      scores.push_back(static_cast<double>(z[2 * r + 1]) - static_cast<double>(z[2 * r]));
  });
  CHECK(roc_auc(model, p, data).area == roc_auc(scores, data.labels).area);

  const sequential wide{dense<3, 4>{}};
  CHECK_THROWS_WITH(roc_auc(wide, initialise<float>(wide, 4), data),
                    Catch::Contains("[N003") && Catch::Contains("4 outputs"));
}

TEST_CASE("scores that have no area are refused with both sides") {
  const std::vector<double> two{1, 2};
  const auto with = [&](std::vector<std::int32_t> labels) { return roc_auc(two, labels); };
  CHECK_THROWS_WITH(with({0}), Catch::Contains("[N003") && Catch::Contains("2 scores for 1 labels"));
  CHECK_THROWS_WITH(with({0, 2}), Catch::Contains("[N006") && Catch::Contains("row 1 has label 2"));
  CHECK_THROWS_WITH(with({0, 0}), Catch::Contains("[N001") && Catch::Contains("0 positive and 2 negative"));
  CHECK_THROWS_WITH(with({1, 1}), Catch::Contains("2 positive and 0 negative"));
  const std::vector<double> broken{1, std::numeric_limits<double>::quiet_NaN()};
  const std::vector<std::int32_t> labels{0, 1};
  CHECK_THROWS_WITH(roc_auc(broken, labels), Catch::Contains("[N001") && Catch::Contains("row 1 is NaN"));
}
