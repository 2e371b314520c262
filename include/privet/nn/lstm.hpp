#pragma once

#include <privet/nn/activations.hpp>
#include <privet/nn/recurrent.hpp>

#include <cstddef>

namespace privet {

/// The cell of a long short-term memory; gates lie as input, forget, cell, output.
struct lstm_cell {
  static constexpr const char* name = "lstm";
  static constexpr std::size_t gates = 4;
  /// W x + b and U h + c are added, so both have the same deltas.
  static constexpr bool one_delta = true;
  /// Width of what it keeps of a step beside the gates: cells.
  static constexpr std::size_t second(std::size_t hidden) noexcept { return hidden; }

  /// One step of one row. `step` comes as W x + b and becomes the gates, `sums` is U h + c, h becomes the
  /// new state.
  template <class Arch, class T>
  static void forward(std::size_t hidden, T* step, T* cells, const T* cells_before, const T* sums, T* h) {
    simd::for_each_batch<Arch, T>(hidden, [&](std::size_t j, auto lanes) {
      const auto gate = [&](std::size_t k) {
        return simd::load_lanes<Arch>(static_cast<const T*>(step + k * hidden + j), lanes) +
               simd::load_lanes<Arch>(sums + k * hidden + j, lanes);
      };
      const auto put = [&](std::size_t k, const auto& v) {
        simd::store_lanes<Arch, T>(step + k * hidden + j, v, lanes);
      };
      const auto i = sigmoid::apply(gate(0)), f = sigmoid::apply(gate(1)), g = simd::tanh(gate(2)),
                 o = sigmoid::apply(gate(3));
      const auto c = simd::fma(f, simd::load_lanes<Arch>(cells_before + j, lanes), i * g);
      put(0, i), put(1, f), put(2, g), put(3, o);
      simd::store_lanes<Arch, T>(cells + j, c, lanes);
      simd::store_lanes<Arch, T>(h + j, o * simd::tanh(c), lanes);
    });
  }

  /// The gates in `step` become their deltas. `given` and `later` are the two parts of the delta of the
  /// state, `carry` is the delta of the cells and becomes that of those before.
  template <class Arch, class T>
  static void backward(std::size_t hidden, T* step, const T* cells, const T* cells_before, const T*,
                       const T* given, const T* later, T* carry) {
    simd::for_each_batch<Arch, T>(hidden, [&](std::size_t j, auto lanes) {
      const auto load = [&](const T* from) { return simd::load_lanes<Arch>(from + j, lanes); };
      const auto put = [&](std::size_t k, const auto& v) {
        simd::store_lanes<Arch, T>(step + k * hidden + j, v, lanes);
      };
      const auto i = load(step), f = load(step + hidden), g = load(step + 2 * hidden),
                 o = load(step + 3 * hidden), c = simd::tanh(load(cells));
      const auto dh = load(given) + load(later);
      const auto through = dh * o; // a product is added by fma alone: the bits do not depend on the compiler
      const auto dc = simd::fma(through, simd::fma(-c, c, simd::broadcast<Arch>(T{1})), load(carry));
      put(0, sigmoid::derivative(dc * g, i));
      put(1, sigmoid::derivative(dc * load(cells_before), f));
      put(2, tanh_layer::derivative(dc * i, g));
      put(3, sigmoid::derivative(dh * c, o));
      simd::store_lanes<Arch, T>(carry + j, dc * f, lanes);
    });
  }
};

/// A long short-term memory of one layer, as torch.nn.LSTM: `lstm<28, 28, 64, 1>{}` reads 28 steps of 28
/// numbers and writes the last state of 64. Shapes, order of parameters and norms: nn/recurrent.hpp.
///
/// Formula   i, f, o = sigmoid(..), g = tanh(..) of W x_t + b + U h_{t-1} + c;
///           c_t = f c_{t-1} + i g;  h_t = o tanh(c_t)
/// Source    Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; with the forget gate of Gers and
///           others, 2000
/// Test      tests/nn/recurrent.test.cpp, against PyTorch
template <std::size_t Steps = dynamic, std::size_t In = dynamic, std::size_t Hidden = dynamic,
          std::size_t Written = Steps>
using lstm = recurrent<lstm_cell, Steps, In, Hidden, Written>;

} // namespace privet
