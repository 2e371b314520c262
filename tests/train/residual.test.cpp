#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/residual.hpp>
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

using namespace privet;

namespace {

constexpr std::size_t rows = 36, classes = 3;
constexpr window same{.height = 3, .width = 3, .padding = 1};
/// A block with a shortcut and one without on lanes, one on rows.
const sequential model{
    conv2d<>{image{1, 6, 6}, 3, same},
    relu{},
    residual{conv2d<>{image{3, 6, 6}, 3, same}, relu{}, conv2d<>{image{3, 6, 6}, 3, same}},
    relu{},
    residual{conv2d<>{image{3, 6, 6}, 4, window{.height = 3, .width = 3, .stride = 2, .padding = 1}}, relu{},
             conv2d<>{image{4, 3, 3}, 4, same}, shortcut{conv2d<>{image{3, 6, 6}, 4, window{1, 1, 2}}}},
    relu{},
    flatten{},
    dense<>{36, 8},
    residual{relu{}, dense<>{8, 8}},
    dense<>{8, classes}};

/// Stripes across, stripes down, and noise alone, under noise.
struct images {
  std::vector<float> x = test::normals<float>(rows * 36, 1);
  std::vector<std::int32_t> labels;

  images() {
    for (std::size_t r = 0; r < rows; ++r) {
      labels.push_back(static_cast<std::int32_t>(r % classes));
      for (std::size_t i = 0; i < 36; ++i) {
        auto& value = x[r * 36 + i];
        value = value / 4 + (r % classes < 2 && (r % classes == 0 ? i / 6 : i % 6) % 2 == 0 ? 1.f : 0.f);
      }
    }
  }
};

/// The weights after so many steps on `count` rows from `first` on.
template <class Chain>
std::vector<float> after(const images& data, const Chain& steps, std::size_t many, std::size_t first,
                         std::size_t count, std::size_t chunk = 320, double* loss = nullptr) {
  training_step step(model, softmax_cross_entropy{}, steps, chunk);
  auto p = initialise(model, 3);
  auto state = step.init();
  std::vector<std::uint32_t> batch(count);
  std::iota(batch.begin(), batch.end(), static_cast<std::uint32_t>(first));
  for (std::size_t i = 0; i < many; ++i) {
    const double sum = step(p, state, rows_view<float>{data.x.data(), rows, 36}, data.labels.data(), batch,
                            static_cast<double>(count));
    if (loss) *loss = sum / static_cast<double>(count);
  }
  return {p.trained().begin(), p.trained().end()};
}

void check_close(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= 1e-5f);
}

} // namespace

TEST_CASE("a network with residual blocks learns, the same in chunks of any size") {
  const images data;
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.1});
  double before = 0, last = 0;
  after(data, steps, 1, 0, rows, 320, &before);
  const auto whole = after(data, steps, 150, 0, rows, 320, &last);
  INFO("loss from " << before << " to " << last);
  CHECK(last < 0.05);
  CHECK(before > 0.8);
  CHECK(after(data, steps, 150, 0, rows) == whole);
  check_close(after(data, steps, 3, 0, rows, 13), after(data, steps, 3, 0, rows));
}

TEST_CASE(
    "the clipped step of a network with residual blocks is the sum of clipped steps on batches of one") {
  images data;
  const auto clipped = chain(clip_l2{.bound = 0.05}, sum_over_batch{}, sgd{.learning_rate = 1});
  const auto start = initialise(model, 3);
  std::vector<float> expected(start.trained().begin(), start.trained().end());
  std::size_t at_bound = 0;
  for (std::size_t r = 0; r < 21; ++r) {
    const auto moved = after(data, clipped, 1, r, 1);
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
  check_close(after(data, clipped, 1, 0, 21), expected);
  check_close(after(data, clipped, 1, 0, 21, 8), expected);

  // A row that holds no number leaves no trace.
  images poisoned = data, without = data;
  poisoned.x[19 * 36 + 3] = std::numeric_limits<float>::quiet_NaN();
  poisoned.x[19 * 36 + 30] = std::numeric_limits<float>::infinity();
  std::fill_n(without.x.begin() + 19 * 36, 36, std::numeric_limits<float>::quiet_NaN());
  const auto moved = after(poisoned, clipped, 1, 0, 21);
  CHECK(std::ranges::all_of(moved, [](float w) { return std::isfinite(w); }));
  CHECK(moved == after(without, clipped, 1, 0, 21));
}
