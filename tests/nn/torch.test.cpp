#include "support/torch.hpp"
#include "fixtures/layers.hpp"
#include "support/catch.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

using namespace privet;
namespace torch = privet::test::layers;

namespace {

constexpr std::size_t rows = 5;

/// What torch made of the rows: everything in float64.
struct expectation {
  std::span<const double> parameters, outputs, losses, deltas, gradient, norms;
};

template <class T>
void check_close(const char* what, std::span<const T> got, std::span<const double> expected,
                 double tolerance) {
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (const double x : expected) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(what << ' ' << i << ": " << got[i] << " against " << expected[i]);
    REQUIRE(std::abs(static_cast<double>(got[i]) - expected[i]) <= tolerance * largest);
  }
}

template <class T, class Model, class LossType, class Target>
void check_in(const Model& model, const LossType& loss, std::span<const Target> given,
              const expectation& expected, double tolerance) {
  const std::vector<typename LossType::template target<T>> targets(given.begin(), given.end());
  const std::vector<T> x(std::begin(torch::x), std::end(torch::x));
  const auto p = test::from_torch<T>(model, expected.parameters);
  const std::span<const T> weights(p);
  const std::size_t last = model.depth() - 1, width = model.out_width();
  auto memory = model.template make_tape<T>(rows);
  std::vector<T> losses(rows), norms(rows), gradient(p.size());

  model.forward(weights, rows, x.data(), memory);
  loss.template evaluate<simd::default_arch>(rows, width, static_cast<const T*>(memory.output(last)),
                                             targets.data(), losses.data(), memory.delta(last));
  check_close("output", std::span<const T>(memory.output(last), rows * width), expected.outputs, tolerance);
  check_close("loss", std::span<const T>(losses), expected.losses, tolerance);
  check_close("delta", std::span<const T>(memory.delta(last), rows * width), expected.deltas, tolerance);

  model.backward(weights, rows, x.data(), memory);
  model.squared_norms(rows, x.data(), memory, std::span<T>(norms));
  model.accumulate(rows, x.data(), memory, std::span<T>(gradient));
  check_close("squared norm", std::span<const T>(norms), expected.norms, tolerance);
  const auto ours = test::from_torch<double>(model, expected.gradient);
  check_close("gradient", std::span<const T>(gradient), std::span<const double>(ours), tolerance);
}

template <class Model, class LossType, class Target, std::size_t N>
void check(const Model& model, const LossType& loss, const Target (&targets)[N],
           const expectation& expected) {
  check_in<double>(model, loss, std::span<const Target>(targets), expected, 1e-13);
  check_in<float>(model, loss, std::span<const Target>(targets), expected, 2e-6);
}

} // namespace

TEST_CASE("dense and relu under softmax cross-entropy equal torch") {
  check(sequential{dense<7, 19>{}, relu{}, dense<19, 6>{}}, softmax_cross_entropy{},
        torch::relu_cross_entropy_targets,
        {torch::relu_cross_entropy_parameters, torch::relu_cross_entropy_outputs,
         torch::relu_cross_entropy_losses, torch::relu_cross_entropy_deltas,
         torch::relu_cross_entropy_gradient, torch::relu_cross_entropy_norms});
}

TEST_CASE("dense and tanh under smoothed softmax cross-entropy equal torch") {
  check(sequential{dense<7, 19>{}, tanh_layer{}, dense<19, 6>{}}, softmax_cross_entropy{.smoothing = 0.1},
        torch::tanh_smoothed_targets,
        {torch::tanh_smoothed_parameters, torch::tanh_smoothed_outputs, torch::tanh_smoothed_losses,
         torch::tanh_smoothed_deltas, torch::tanh_smoothed_gradient, torch::tanh_smoothed_norms});
}

TEST_CASE("dense and sigmoid under binary cross-entropy equal torch") {
  check(sequential{dense<7, 19>{}, sigmoid{}, dense<19, 6>{}}, binary_cross_entropy{},
        torch::sigmoid_binary_targets,
        {torch::sigmoid_binary_parameters, torch::sigmoid_binary_outputs, torch::sigmoid_binary_losses,
         torch::sigmoid_binary_deltas, torch::sigmoid_binary_gradient, torch::sigmoid_binary_norms});
}

TEST_CASE("a deeper stack under squared error equals torch") {
  check(sequential{dense<7, 19>{}, relu{}, dense<19, 19>{}, tanh_layer{}, dense<19, 6>{}},
        mean_squared_error{}, torch::deep_squared_targets,
        {torch::deep_squared_parameters, torch::deep_squared_outputs, torch::deep_squared_losses,
         torch::deep_squared_deltas, torch::deep_squared_gradient, torch::deep_squared_norms});
}
