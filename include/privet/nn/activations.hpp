#pragma once
// Layers that map each value on its own: relu, tanh_layer, sigmoid.

#include <privet/nn/layer.hpp>
#include <privet/simd/exponential.hpp>

namespace privet {

/// What an activation is in full, from `apply` and `derivative` of batches.
template <class Own>
struct activation : elementwise {
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    simd::for_each_batch<Arch, T>(rows * in, [&](std::size_t i, auto lanes) {
      simd::store_lanes<Arch, T>(y + i, Own::apply(simd::load_lanes<Arch>(x + i, lanes)), lanes);
    });
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    simd::for_each_batch<Arch, T>(call.rows * call.in, [&](std::size_t i, auto lanes) {
      const auto d = Own::derivative(simd::load_lanes<Arch>(dy + i, lanes),
                                     simd::load_lanes<Arch>(call.output + i, lanes));
      simd::store_lanes<Arch, T>(dx + i, d, lanes);
    });
  }
};

/// max(x, 0). NaN stays NaN; the derivative at 0 is 0.
struct relu : activation<relu> {
  template <class B>
  static B apply(const B& x) noexcept {
    return simd::positive_part(x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return simd::select(y == B(0), B(0), dy);
  }
};

/// Hyperbolic tangent. Called `tanh_layer` because `tanh` is a function of the C library in the
/// global namespace, and `using namespace privet` would make the plain name ambiguous.
struct tanh_layer : activation<tanh_layer> {
  template <class B>
  static B apply(const B& x) noexcept {
    return simd::tanh(x);
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return dy * simd::fma(B(-y), y, B(1));
  }
};

/// 1 / (1 + exp(-x)).
struct sigmoid : activation<sigmoid> {
  template <class B>
  static B apply(const B& x) noexcept {
    return simd::divide(B(1), B(B(1) + simd::exp(B(-x))));
  }
  template <class B>
  static B derivative(const B& dy, const B& y) noexcept {
    return dy * simd::fma(B(-y), y, y);
  }
};

} // namespace privet
