#pragma once
// Models whose loss is a random linear form of what they write, so that the delta that enters backward is known.

#include "support/numbers.hpp"

#include <privet/core/parameters.hpp>
#include <privet/nn/layer.hpp>
#include <privet/nn/tape.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace privet::test {

/// A model with random parameters and rows; its loss is a random linear form of its outputs.
template <class Model, class T = double>
struct setting {
  Model model;
  std::size_t rows;
  parameters<T> p;
  std::vector<T> x, form;
  tape<T> memory;
  layer_context context{mode::training, 9, 3, 0};

  explicit setting(const Model& m, std::size_t count = 5, std::size_t capacity = 0)
      : model(m),
        rows(count),
        p(model.template make_parameters<T>()),
        x(normals<T>(rows * model.in_width(), 1)),
        form(normals<T>(rows * model.out_width(), 2)),
        memory(model.template make_tape<T>(std::max(capacity, count))) {
    const auto start = normals<T>(p.trained().size(), 3);
    std::ranges::transform(start, p.trained().begin(), [](T v) { return v / 2; });
  }

  std::span<const T> weights() const { return p.trained(); }
  std::span<T> output() { return {memory.output(model.depth() - 1), form.size()}; }
  double value() {
    model.forward(weights(), rows, x.data(), memory, context);
    double sum = 0;
    for (std::size_t i = 0; i < form.size(); ++i) sum += static_cast<double>(form[i] * output()[i]);
    return sum;
  }
  void backward() {
    model.forward(weights(), rows, x.data(), memory, context);
    std::ranges::copy(form, memory.delta(model.depth() - 1));
    model.backward(weights(), rows, x.data(), memory, context);
  }
  std::vector<T> sum() {
    std::vector<T> g(p.trained().size());
    model.accumulate(rows, x.data(), memory, std::span<T>(g));
    return g;
  }
  std::vector<T> gradient() {
    backward();
    return sum();
  }
  std::vector<T> norms() {
    std::vector<T> n(rows);
    model.squared_norms(rows, x.data(), memory, std::span<T>(n));
    return n;
  }
};

} // namespace privet::test
