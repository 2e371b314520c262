#pragma once
// Layers that map each value on its own: relu, tanh_layer, sigmoid.

#include <privet/nn/layer.hpp>

namespace privet {

namespace detail {

/// y[i] = f(x[i]), in batches.
template <class Arch, class T, class F>
void map(std::size_t n, const T* x, T* y, F&& f) {
  simd::for_each_batch<Arch, T>(n, [&](std::size_t i, std::size_t lanes) {
    simd::store_lanes<Arch, T>(y + i, f(simd::load_lanes<Arch>(x + i, lanes)), lanes);
  });
}

/// dx[i] = f(dy[i], y[i]), in batches.
template <class Arch, class T, class F>
void map_delta(std::size_t n, const T* y, const T* dy, T* dx, F&& f) {
  simd::for_each_batch<Arch, T>(n, [&](std::size_t i, std::size_t lanes) {
    simd::store_lanes<Arch, T>(
        dx + i, f(simd::load_lanes<Arch>(dy + i, lanes), simd::load_lanes<Arch>(y + i, lanes)), lanes);
  });
}

} // namespace detail

/// max(x, 0). NaN stays NaN; the derivative at 0 is 0.
struct relu : elementwise {
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    const auto zero = simd::broadcast<Arch>(T{});
    detail::map<Arch>(rows * in, x, y, [&](auto v) { return simd::select(v < zero, zero, v); });
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    const auto zero = simd::broadcast<Arch>(T{});
    detail::map_delta<Arch>(call.rows * call.in, call.output, dy, dx,
                            [&](auto d, auto y) { return simd::select(y == zero, zero, d); });
  }
};

/// Hyperbolic tangent. Called `tanh_layer` because `tanh` is a function of the C library in the
/// global namespace, and `using namespace privet` would make the plain name ambiguous.
struct tanh_layer : elementwise {
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    detail::map<Arch>(rows * in, x, y, [](auto v) { return simd::tanh(v); });
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    const auto one = simd::broadcast<Arch>(T{1});
    detail::map_delta<Arch>(call.rows * call.in, call.output, dy, dx,
                            [&](auto d, auto y) { return d * simd::fma(-y, y, one); });
  }
};

/// 1 / (1 + exp(-x)).
struct sigmoid : elementwise {
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    const auto one = simd::broadcast<Arch>(T{1});
    detail::map<Arch>(rows * in, x, y, [&](auto v) { return simd::divide(one, one + simd::exp(-v)); });
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    detail::map_delta<Arch>(call.rows * call.in, call.output, dy, dx,
                            [](auto d, auto y) { return d * simd::fma(-y, y, y); });
  }
};

} // namespace privet
