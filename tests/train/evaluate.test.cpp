#include "fixtures/metrics.hpp"
#include "support/catch.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/train/evaluate.hpp>

#include <cmath>
#include <vector>

using namespace privet;
namespace fixture = privet::test::metrics;

namespace {

constexpr std::size_t rows = 600, columns = 5, classes = 6; // more rows than one chunk holds

/// The rows and the linear model of tests/oracles/metrics.py.
template <class T>
struct linear {
  sequential<dense<columns, classes>> model{dense<columns, classes>{}};
  parameters<T> p = model.template make_parameters<T>();
  std::vector<T> x;
  std::vector<std::int32_t> labels;

  linear() {
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j)
        x.push_back((static_cast<T>((7 * i + 13 * j + i * j) % 17) - 8) / 8);
      labels.push_back(static_cast<std::int32_t>((i * i + i / 3) % 4));
    }
    const auto w = p.trained();
    for (std::size_t k = 0; k < classes; ++k) {
      for (std::size_t j = 0; j < columns; ++j)
        w[k * columns + j] = (static_cast<T>((5 * j + 3 * k + j * k) % 11) - 5) / 8;
      w[columns * classes + k] = k == 4 ? -20 : (static_cast<T>(k) - 2) / 8;
    }
  }
  labelled_rows<T> data() const { return {{x.data(), rows, columns}, labels}; }
};

template <class T>
void check_against_numpy(double tolerance) {
  const linear<T> s;
  const evaluation e = evaluate(s.model, s.p, s.data());
  for (std::size_t t = 0; t < classes; ++t)
    for (std::size_t p = 0; p < classes; ++p) CHECK(e.confusion.count(t, p) == fixture::confusion[t][p]);
  CHECK(e.confusion.accuracy() == Approx(fixture::accuracy).epsilon(1e-14));
  CHECK(e.log_loss == Approx(fixture::log_loss).epsilon(tolerance));
}

} // namespace

TEST_CASE("an evaluation equals numpy's, in float and double") {
  check_against_numpy<float>(1e-6);
  check_against_numpy<double>(1e-13);
}

TEST_CASE("predictions are the counts of the confusion matrix, row by row") {
  const linear<float> s;
  const auto predicted = predict(s.model, s.p, s.data().rows);
  REQUIRE(predicted.size() == rows);
  confusion_matrix m(classes);
  for (std::size_t i = 0; i < rows; ++i)
    m.add(static_cast<std::size_t>(s.labels[i]), static_cast<std::size_t>(predicted[i]));
  CHECK(m == evaluate(s.model, s.p, s.data()).confusion);
}

TEST_CASE("a row's outputs do not depend on the chunk it falls into") {
  const linear<float> s;
  std::vector<float> outputs(rows * classes);
  std::size_t chunks = 0;
  for_each_output(s.model, s.p, s.data().rows, [&](std::size_t first, std::size_t n, const float* z) {
    std::copy(z, z + n * classes, outputs.begin() + static_cast<std::ptrdiff_t>(first * classes));
    ++chunks;
  });
  CHECK(chunks > 1);
  for (const std::size_t i : {0u, 255u, 256u, 599u})
    for_each_output(s.model, s.p, rows_view<float>{s.x.data() + i * columns, 1, columns},
                    [&](std::size_t, std::size_t, const float* z) {
                      for (std::size_t k = 0; k < classes; ++k) CHECK(z[k] == outputs[i * classes + k]);
                    });
}

TEST_CASE("of equal outputs the first class is predicted") {
  const sequential model{dense<2, 4>{}};
  auto p = model.make_parameters();
  p.trained()[2 * 4 + 1] = p.trained()[2 * 4 + 3] = 1;
  const std::vector<float> x(2);
  CHECK(predict(model, p, rows_view<float>{x.data(), 1, 2}) == std::vector<std::int32_t>{1});
}

TEST_CASE("an evaluation of no rows is empty") {
  const linear<float> s;
  const auto e = evaluate(s.model, s.p, labelled_rows<float>{{nullptr, 0, columns}, {}});
  CHECK(e.confusion.examples() == 0);
  CHECK(e.log_loss == 0);
}

TEST_CASE("rows that do not belong to the model are refused with both sides") {
  const linear<float> s;
  const std::vector<std::int32_t> two = {0, 1}, high = {0, 6}, low = {-1, 0};
  const auto rows_of = [&](std::size_t width) { return rows_view<float>{s.x.data(), 2, width}; };
  CHECK_THROWS_WITH(evaluate(s.model, s.p, rows_of(4), std::span(two)),
                    "[N003 shape] the model reads rows 5 wide, got 4");
  CHECK_THROWS_WITH(predict(s.model, s.p, rows_of(6)), "[N003 shape] the model reads rows 5 wide, got 6");
  CHECK_THROWS_WITH(evaluate(s.model, s.p, rows_of(5), std::span(two).first(1)),
                    "[N003 shape] 2 rows with 1 labels");
  CHECK_THROWS_WITH(evaluate(s.model, s.p, rows_of(5), std::span(high)),
                    "[N006 label] row 1 has label 6, the model has 6 outputs");
  CHECK_THROWS_WITH(evaluate(s.model, s.p, rows_of(5), std::span(low)),
                    "[N006 label] row 0 has label -1, the model has 6 outputs");
}
