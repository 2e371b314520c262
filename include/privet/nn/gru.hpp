#pragma once

#include <privet/nn/activations.hpp>
#include <privet/nn/recurrent.hpp>

#include <cstddef>

namespace privet {

/// The cell of a gated recurrent unit; gates lie as reset, update, new.
struct gru_cell {
  static constexpr const char* name = "gru";
  static constexpr std::size_t gates = 3;
  /// The reset gate multiplies U h + c alone, which so has deltas of its own.
  static constexpr bool one_delta = false;
  /// Width of what it keeps of a step beside the gates: those deltas.
  static constexpr std::size_t second(std::size_t hidden) noexcept { return 3 * hidden; }

  /// One step of one row. `step` comes as W x + b and becomes the gates, `sums` is U h + c, h becomes the
  /// new state.
  template <class Arch, class T>
  static void forward(std::size_t hidden, T* step, T* second, const T*, const T* sums, T* h) {
    simd::for_each_batch<Arch, T>(hidden, [&](std::size_t j, auto lanes) {
      const auto load = [&](const T* from) { return simd::load_lanes<Arch>(from + j, lanes); };
      const auto put = [&](T* to, const auto& v) { simd::store_lanes<Arch, T>(to + j, v, lanes); };
      const auto r = sigmoid::apply(load(step) + load(sums)),
                 z = sigmoid::apply(load(step + hidden) + load(sums + hidden)), q = load(sums + 2 * hidden),
                 n = simd::tanh(simd::fma(r, q, load(step + 2 * hidden)));
      put(step, r), put(step + hidden, z), put(step + 2 * hidden, n);
      put(second + 2 * hidden, q);
      put(h, simd::fma(z, load(h) - n, n));
    });
  }

  /// The gates in `step` become their deltas, `second` those of U h + c. `given`, `later` and `carry` are the
  /// parts of the delta of the state; `carry` becomes what goes past the gates to the state before.
  template <class Arch, class T>
  static void backward(std::size_t hidden, T* step, T* second, const T*, const T* before, const T* given,
                       const T* later, T* carry) {
    simd::for_each_batch<Arch, T>(hidden, [&](std::size_t j, auto lanes) {
      const auto load = [&](const T* from) { return simd::load_lanes<Arch>(from + j, lanes); };
      const auto put = [&](T* to, const auto& v) { simd::store_lanes<Arch, T>(to + j, v, lanes); };
      const auto r = load(step), z = load(step + hidden), n = load(step + 2 * hidden),
                 q = load(second + 2 * hidden), dh = load(given) + load(later) + load(carry);
      const auto through = dh * z;
      const auto dn = tanh_layer::derivative(simd::fma(-dh, z, dh), n), dr = sigmoid::derivative(dn * q, r),
                 dz = sigmoid::derivative(dh * (load(before) - n), z);
      put(step, dr), put(step + hidden, dz), put(step + 2 * hidden, dn);
      put(second, dr), put(second + hidden, dz), put(second + 2 * hidden, dn * r);
      put(carry, through);
    });
  }
};

/// A gated recurrent unit of one layer, as torch.nn.GRU: `gru<28, 28, 64, 1>{}` reads 28 steps of 28 numbers
/// and writes the last state of 64. Shapes, order of parameters and norms: nn/recurrent.hpp.
///
/// Formula   r, z = sigmoid(W x_t + b + U h_{t-1} + c), n = tanh(W x_t + b + r (U h_{t-1} + c)), each of its
///           own part; h_t = (1 - z) n + z h_{t-1}
/// Source    Cho and others, EMNLP 2014, in the form that cuDNN and torch compute: the reset gate behind the
///           product
/// Test      tests/nn/recurrent.test.cpp, against PyTorch
template <std::size_t Steps = dynamic, std::size_t In = dynamic, std::size_t Hidden = dynamic,
          std::size_t Written = Steps>
using gru = recurrent<gru_cell, Steps, In, Hidden, Written>;

} // namespace privet
