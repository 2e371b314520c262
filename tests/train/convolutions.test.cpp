#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t rows = 40, classes = 3;
const sequential model{conv2d<>{image{2, 7, 7}, 5, window{.height = 3, .width = 3, .padding = 1}},
                       relu{},
                       max_pool<>{image{5, 7, 7}, window{3, 3, 2}},
                       conv2d<>{image{5, 3, 3}, 4, window{2, 2}},
                       relu{},
                       flatten{},
                       dense<>{16, classes}};

/// Stripes across, stripes down, and noise alone, under noise.
struct images {
  std::vector<float> x = test::normals<float>(rows * model.in_width(), 1);
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> all = std::vector<std::uint32_t>(rows);

  images() {
    std::iota(all.begin(), all.end(), 0u);
    for (std::size_t r = 0; r < rows; ++r) {
      labels.push_back(static_cast<std::int32_t>(r % classes));
      for (std::size_t i = 0; i < model.in_width(); ++i) {
        const std::size_t place = r % classes == 0 ? i / 7 : i;
        auto& value = x[r * model.in_width() + i];
        value = value / 4 + (r % classes < 2 && place % 7 % 2 == 0 ? 1.f : 0.f);
      }
    }
  }
  rows_view<float> view() const { return {x.data(), rows, model.in_width()}; }
};

/// The weights after so many steps on the first `batch` rows.
template <class Chain>
std::vector<float> after(const images& data, const Chain& steps, std::size_t count, std::size_t batch,
                         std::size_t chunk = 320, double* loss = nullptr) {
  training_step step(model, softmax_cross_entropy{}, steps, chunk);
  auto p = initialise(model, 3);
  auto state = step.init();
  for (std::size_t i = 0; i < count; ++i) {
    const double sum = step(p, state, data.view(), data.labels.data(), std::span(data.all).first(batch),
                            static_cast<double>(batch));
    if (loss) *loss = sum / static_cast<double>(batch);
  }
  return {p.trained().begin(), p.trained().end()};
}

void check_close(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= 1e-5f);
}

} // namespace

TEST_CASE("a network of convolutions learns, the same in chunks of any size") {
  const images data;
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.1});
  double first = 0, last = 0;
  after(data, steps, 1, rows, 320, &first);
  const auto whole = after(data, steps, 200, rows, 320, &last);
  INFO("loss from " << first << " to " << last);
  CHECK(last < 0.05);
  CHECK(first > 0.8);
  CHECK(after(data, steps, 200, rows) == whole);
  check_close(after(data, steps, 3, rows, 13), after(data, steps, 3, rows));
}

TEST_CASE("the clipped step of a network of convolutions is the sum of clipped steps on batches of one") {
  images data;
  const auto clipped = chain(clip_l2{.bound = 0.05}, sum_over_batch{}, sgd{.learning_rate = 1});
  const auto start = initialise(model, 3);
  std::vector<float> expected(start.trained().begin(), start.trained().end());
  const auto one_by_one = [&](std::uint32_t r) {
    images one = data;
    one.all = {r};
    const auto moved = after(one, clipped, 1, 1);
    double squared = 0;
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const double change = static_cast<double>(moved[i]) - static_cast<double>(start.trained()[i]);
      squared += change * change;
      expected[i] += static_cast<float>(change);
    }
    return std::sqrt(squared);
  };
  std::size_t at_bound = 0;
  for (std::uint32_t r = 0; r < 21; ++r) {
    const double norm = one_by_one(r);
    CHECK(norm < 0.0501);
    at_bound += norm > 0.0499;
  }
  CHECK(at_bound > 10);
  check_close(after(data, clipped, 1, 21), expected);
  check_close(after(data, clipped, 1, 21, 8), expected);

  // A row that holds no number leaves no trace.
  images poisoned = data;
  poisoned.x[19 * model.in_width() + 3] = std::numeric_limits<float>::quiet_NaN();
  poisoned.x[19 * model.in_width() + 60] = std::numeric_limits<float>::infinity();
  auto without = data;
  std::fill_n(without.x.begin() + 19 * static_cast<std::ptrdiff_t>(model.in_width()), model.in_width(),
              std::numeric_limits<float>::quiet_NaN());
  const auto moved = after(poisoned, clipped, 1, 21);
  CHECK(std::ranges::all_of(moved, [](float w) { return std::isfinite(w); }));
  CHECK(moved == after(without, clipped, 1, 21));
}
