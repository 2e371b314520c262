#pragma once
// Training steps in float on small images: stripes across, stripes down, and noise alone, under noise.

#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace privet::test {

struct stripes {
  static constexpr std::size_t rows = 40, classes = 3;
  std::size_t width; ///< of a row
  std::vector<float> x;
  std::vector<std::int32_t> labels;

  stripes(std::size_t channels, std::size_t side)
      : width(channels * side * side), x(normals<float>(rows * width, 1)) {
    for (std::size_t r = 0; r < rows; ++r) {
      labels.push_back(static_cast<std::int32_t>(r % classes));
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t place = (r % classes == 0 ? i / side : i) % side;
        auto& value = x[r * width + i];
        value = value / 4 + (r % classes < 2 && place % 2 == 0 ? 1.f : 0.f);
      }
    }
  }
};

/// The weights after so many steps on `count` rows from `first` on.
template <class Model, class Chain>
std::vector<float> weights_after(const Model& model, const stripes& data, const Chain& steps,
                                 std::size_t many, std::size_t first, std::size_t count,
                                 std::size_t chunk = 320, double* loss = nullptr) {
  training_step step(model, softmax_cross_entropy{}, steps, chunk);
  auto p = initialise(model, 3);
  auto state = step.init();
  std::vector<std::uint32_t> batch(count);
  std::iota(batch.begin(), batch.end(), static_cast<std::uint32_t>(first));
  for (std::size_t i = 0; i < many; ++i) {
    const double sum = step(p, state, rows_view<float>{data.x.data(), stripes::rows, data.width},
                            data.labels.data(), batch, static_cast<double>(count));
    if (loss) *loss = sum / static_cast<double>(count);
  }
  return {p.trained().begin(), p.trained().end()};
}

inline void check_near(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= 1e-5f);
}

/// It learns the stripes, the same in chunks of any size.
template <class Model>
void check_learns(const Model& model, const stripes& data, std::size_t many) {
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.1});
  const auto run = [&](std::size_t count, std::size_t chunk = 320, double* loss = nullptr) {
    return weights_after(model, data, steps, count, 0, stripes::rows, chunk, loss);
  };
  double before = 0, last = 0;
  run(1, 320, &before);
  const auto whole = run(many, 320, &last);
  INFO("loss from " << before << " to " << last);
  CHECK(last < 0.05);
  CHECK(before > 0.8);
  CHECK(run(many) == whole);
  check_near(run(3, 13), run(3));
}

/// The clipped step is the sum of clipped steps on batches of one, and a row that holds no number leaves no trace.
template <class Model>
void check_clipped_step(const Model& model, const stripes& data) {
  const auto clipped = chain(clip_l2{.bound = 0.05}, sum_over_batch{}, sgd{.learning_rate = 1});
  const auto start = initialise(model, 3);
  std::vector<float> expected(start.trained().begin(), start.trained().end());
  std::size_t at_bound = 0;
  for (std::size_t r = 0; r < 21; ++r) {
    const auto moved = weights_after(model, data, clipped, 1, r, 1);
    double squared = 0;
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const double change = static_cast<double>(moved[i]) - static_cast<double>(start.trained()[i]);
      squared += change * change;
      expected[i] += static_cast<float>(change);
    }
    CHECK(std::sqrt(squared) < 0.0501);
    at_bound += std::sqrt(squared) > 0.0499;
  }
  CHECK(at_bound > 10);
  check_near(weights_after(model, data, clipped, 1, 0, 21), expected);
  check_near(weights_after(model, data, clipped, 1, 0, 21, 8), expected);

  stripes poisoned = data, without = data;
  float* const row = poisoned.x.data() + 19 * data.width;
  row[3] = std::numeric_limits<float>::quiet_NaN();
  row[data.width - 6] = std::numeric_limits<float>::infinity();
  std::fill_n(without.x.data() + 19 * data.width, data.width, std::numeric_limits<float>::quiet_NaN());
  const auto moved = weights_after(model, poisoned, clipped, 1, 0, 21);
  CHECK(std::ranges::all_of(moved, [](float w) { return std::isfinite(w); }));
  CHECK(moved == weights_after(model, without, clipped, 1, 0, 21));
}

} // namespace privet::test
