// Training on every set of instructions that this build may use, beside training without vectors. Whatever
// the target, its vectors are compared with the same scalar code, and that with torch (step.test.cpp).

#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t rows = 320, width = 43, classes = 6, batch = 10, epochs = 5;
const sequential model{dense<width, 128>{}, relu{}, dense<128, 20>{}, tanh_layer{}, dense<20, classes>{}};

/// Six overlapping clouds, the same on every target.
struct clouds {
  std::vector<float> x;
  std::vector<std::int32_t> labels;

  clouds() : x(test::normals<float>(rows * width, 1)) {
    const auto middles = test::normals<float>(classes * width, 2);
    for (std::size_t i = 0; i < rows; ++i) {
      labels.push_back(static_cast<std::int32_t>(i % classes));
      for (std::size_t j = 0; j < width; ++j) x[i * width + j] += 0.5f * middles[i % classes * width + j];
    }
  }
};

template <class Arch, class Chain>
std::vector<float> train(const clouds& data, const Chain& steps) {
  training_step<decltype(model), softmax_cross_entropy, Chain, float, Arch> step(model, {}, steps);
  auto p = initialise(model, 3);
  auto state = step.init();
  std::vector<std::uint32_t> some(batch);
  for (std::size_t i = 0; i < epochs * rows; i += batch) {
    std::iota(some.begin(), some.end(), static_cast<std::uint32_t>(i % rows));
    step(p, state, rows_view<float>{data.x.data(), rows, width}, data.labels.data(), some, batch);
  }
  return {p.trained().begin(), p.trained().end()};
}

/// The largest difference between two sets of weights, in units of the largest weight.
double spread(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i]));
    difference = std::max(difference, std::abs(a[i] - b[i]));
  }
  return static_cast<double>(difference) / static_cast<double>(largest);
}

template <class... Arch, class Chain>
void compare(const Chain& steps) {
  const clouds data;
  const auto expected = train<simd::scalar>(data, steps);
  const auto start = initialise(model, 3);
  CHECK(spread(expected, std::vector(start.trained().begin(), start.trained().end())) >
        0.1); // it has learned
  const auto check = [&]<class One>(const char* name) {
    const auto found = train<One>(data, steps);
    INFO(name << " differs by " << spread(expected, found));
    CHECK(spread(expected, found) <= 2e-6);
    CHECK(train<One>(data, steps) == found);
  };
  (check.template operator()<Arch>(Arch::name()), ...);
}

template <class Chain>
void compare_all(const Chain& steps) {
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
  compare<xsimd::sse2, xsimd::fma3<xsimd::avx2>, simd::default_arch>(steps);
#elif defined(__AVX2__) && defined(__FMA__)
  compare<xsimd::sse2, simd::default_arch>(steps);
#elif !defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
  compare<simd::default_arch>(steps);
#endif
}

} // namespace

// What one step rounds otherwise, all later steps carry on.
TEST_CASE("training agrees on all instruction sets") {
  compare_all(chain(average_over_batch{}, sgd{.learning_rate = 0.05}));
  compare_all(chain(average_over_batch{}, sgd{.learning_rate = 0.01, .momentum = 0.9}));
  compare_all(chain(average_over_batch{}, adam{.learning_rate = 0.001}));
}
