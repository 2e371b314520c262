#pragma once
// Parameters as torch hands them over: the tensors of a model one after another, weights as (out, in).

#include "support/catch.hpp"
#include "support/linear_loss.hpp"

#include <privet/nn/layer.hpp>
#include <privet/nn/losses.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet::test {

/// The same numbers in our order, found through the names and shapes that files use.
template <class T, class Model, class U>
std::vector<T> from_torch(const Model& model, std::span<const U> numbers) {
  std::vector<T> flat(model.sizes().shared);
  for (const auto& tensor : model.tensors()) {
    for (std::size_t i = 0; i < tensor.size; ++i)
      flat[tensor.offset + tensor.place_of(i)] = static_cast<T>(numbers[i]);
    numbers = numbers.subspan(tensor.size);
  }
  return flat;
}

/// What the oracles fill tensors and rows with.
inline std::size_t torch_integer(std::size_t i, std::size_t seed) {
  return (i * i * 7 + i * 13 + seed) % 251;
}
inline double torch_number(std::size_t i, std::size_t seed) {
  return (static_cast<double>(torch_integer(i, seed)) - 125) / 128;
}

/// A model with the oracle's parameters and rows; these hold the formula's numbers, or words below `words` if there are
/// any.
template <class T = double, class Model>
setting<Model, T> torch_setting(const Model& model, std::size_t rows, std::size_t words = 0) {
  std::vector<double> numbers;
  std::size_t seed = 5;
  for (const auto& tensor : model.tensors()) {
    for (std::size_t i = 0; i < tensor.size; ++i) numbers.push_back(torch_number(i, seed) / 2);
    seed += 31;
  }
  setting<Model, T> s(model, rows);
  std::ranges::copy(from_torch<T>(model, std::span<const double>(numbers)), s.p.trained().begin());
  for (std::size_t i = 0; i < s.x.size(); ++i)
    s.x[i] =
        static_cast<T>(words > 0 ? static_cast<double>(torch_integer(i, 3) % words) : torch_number(i, 3));
  return s;
}

/// Outputs in training, the gradient of the sum of cross entropies and, where given, norms of single examples are
/// torch's; row r is of class r modulo the classes.
template <class T = double, class Model>
void check_torch(const Model& model, std::size_t rows, std::span<const double> outputs,
                 std::span<const double> gradient, std::span<const double> norms, double tolerance = 1e-13,
                 std::size_t words = 0) {
  auto s = torch_setting<T>(model, rows, words);
  std::vector<std::int32_t> labels(rows);
  for (std::size_t r = 0; r < rows; ++r) labels[r] = static_cast<std::int32_t>(r % model.out_width());
  std::vector<T> losses(rows);
  model.forward(s.weights(), rows, s.x.data(), s.memory, s.context);
  softmax_cross_entropy{}.evaluate<simd::default_arch>(
      rows, model.out_width(), static_cast<const T*>(s.output().data()), labels.data(), losses.data(),
      s.memory.delta(model.depth() - 1));
  model.backward(s.weights(), rows, s.x.data(), s.memory, s.context);

  const auto check_close = [&](const char* what, std::span<const T> got, std::span<const double> expected) {
    REQUIRE(got.size() == expected.size());
    double largest = 0;
    for (const double v : expected) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO(what << ' ' << i << ": " << got[i] << " against " << expected[i]);
      REQUIRE(std::abs(static_cast<double>(got[i]) - expected[i]) <= tolerance * largest);
    }
  };
  check_close("output", s.output(), outputs);
  if (!norms.empty()) check_close("norm", s.norms(), norms);
  check_close("gradient", s.sum(), from_torch<double>(model, gradient));
}

} // namespace privet::test
