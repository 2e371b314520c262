#include "support/catch.hpp"
#include "support/linear_loss.hpp"

#include <privet/nn/dense.hpp>
#include <privet/nn/embedding.hpp>
#include <privet/nn/sequential.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

using namespace privet;
using test::setting;

static_assert(ParametricLayer<embedding<>> && !keeps_rows<embedding<>> && weighs_rows<embedding<>>);
static_assert(decltype(sequential{embedding<4, 10, 3>{}, dense<12, 2>{}})::parameter_count == 30 + 26);

namespace {

constexpr std::size_t words = 6, width = 19; // more than some vectors, and no multiple
const sequential model{embedding<4, words, width>{}, dense<4 * width, 2>{}};

/// Rows with a word once, twice and four times.
const std::vector<double> rows_of_words{0, 5, 2, 3, 1, 4, 1, 0, 2, 2, 2, 2, 5, 5, 0, 0};

setting<std::remove_const_t<decltype(model)>> set() {
  setting s(model, 4);
  s.x = rows_of_words;
  return s;
}

} // namespace

TEST_CASE("embedding: a row is the rows of its words in the table") {
  auto s = set();
  static_cast<void>(s.value());
  for (std::size_t i = 0; i < rows_of_words.size(); ++i)
    CHECK(std::equal(s.memory.written(0) + i * width, s.memory.written(0) + (i + 1) * width,
                     s.p.trained().data() + static_cast<std::size_t>(rows_of_words[i]) * width));
}

TEST_CASE("embedding: norms and sums of words that occur often are those of plain loops") {
  auto s = set();
  s.backward();
  const double* const dy = s.memory.written_delta(0);
  std::vector<double> sum(words * width), squares(4);
  for (std::size_t r = 0; r < 4; ++r) {
    std::vector<double> own(words * width);
    for (std::size_t t = 0; t < 4; ++t)
      for (std::size_t j = 0; j < width; ++j)
        own[static_cast<std::size_t>(rows_of_words[r * 4 + t]) * width + j] += dy[(r * 4 + t) * width + j];
    for (std::size_t i = 0; i < own.size(); ++i) sum[i] += own[i], squares[r] += own[i] * own[i];
  }
  std::vector<double> norms(8);
  model.squared_norms<simd::default_arch, true>(4, s.x.data(), s.memory, std::span<double>(norms));
  for (std::size_t r = 0; r < 4; ++r) CHECK(norms[r] == Approx(squares[r]).epsilon(1e-14));
  const auto g = s.sum();
  for (std::size_t i = 0; i < sum.size(); ++i) CHECK(g[i] == Approx(sum[i]).margin(1e-14));
}

TEST_CASE("embedding: a row with a number that is no word is masked and touches nothing beside the table") {
  const double bad[] = {-1,
                        6,
                        0.5,
                        1e300,
                        -1e300,
                        std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN()};
  auto clean = set();
  std::vector<double> coefficients{1, 0, 0.5, 2};
  const auto weighed = [&](auto& s) {
    s.backward();
    s.model.weigh(4, s.x.data(), s.memory, std::span<const double>(coefficients));
    return s.sum();
  };
  const auto expected = weighed(clean);
  for (const double number : bad)
    for (const std::size_t at : {4u, 7u}) {
      INFO(number << " at " << at);
      auto s = set();
      s.x[at] = number;
      s.backward();
      CHECK(std::all_of(s.output().begin() + 2, s.output().begin() + 4,
                        [](double v) { return std::isnan(v); }));
      CHECK(std::none_of(s.output().begin(), s.output().begin() + 2, [](double v) { return std::isnan(v); }));
      const auto norms = s.norms();
      CHECK(std::isnan(norms[1]));
      CHECK((std::isfinite(norms[0]) && std::isfinite(norms[2])));
      const auto g = s.sum(); // without a mask the row adds nothing to the table
      CHECK(std::none_of(g.begin(), g.begin() + words * width, [](double v) { return std::isnan(v); }));
      CHECK(weighed(s) == expected);
    }
}

TEST_CASE("embedding: check_rows names the first number that is no word") {
  const embedding<> layer{3, 5, 2};
  std::vector<float> x{0, 4, 2, 1, 1, 3};
  CHECK(layer.check_rows(rows_view<float>{x.data(), 2, 3}));
  CHECK(layer.check_rows(rows_view<float>{x.data(), 0, 3}));
  const auto said = [&] { return layer.check_rows(rows_view<float>{x.data(), 2, 3}).error().message; };
  x[4] = 5;
  CHECK(said() == "[N001 argument] embedding: row 1, column 1 is 5, expected a whole number from 0 to 4");
  x[2] = -0.5f;
  CHECK(said() == "[N001 argument] embedding: row 0, column 2 is -0.5, expected a whole number from 0 to 4");
  CHECK(layer.check_rows(rows_view<float>{x.data(), 3, 2}).error().message ==
        "[N003 shape] embedding reads rows 3 wide, got 2");
}

TEST_CASE("embedding: what cannot be is refused") {
  const auto refused = [](embedding<> layer, const char* sentence) {
    CHECK_THROWS_WITH(sequential{layer}, sentence);
  };
  refused({0, 5, 2}, "[N001 argument] embedding: a number of steps of 0, possible is 1 to 16777216");
  refused({3, 0, 2}, "[N001 argument] embedding: a number of words of 0, possible is 1 to 16777216");
  refused({3, (1 << 24) + 1, 2},
          "[N001 argument] embedding: a number of words of 16777217, possible is 1 to 16777216");
  refused({4, 5, 0}, "[N001 argument] embedding: a width of 0, possible is 1 to 4194304");
  const dense<> before{7, 3};
  const embedding<> behind{3, 5, 2};
  CHECK_THROWS_WITH(
      (sequential{before, behind}),
      "[N001 argument] layer 1 reads the rows of the network, and so can only be its first layer");
}
