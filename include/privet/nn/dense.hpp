#pragma once

#include <privet/nn/layer.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/reduce.hpp>

namespace privet {

/// A fully connected layer: y = x W + b.
///
/// Shapes    x (rows, In), y (rows, Out). `dense<43, 128>{}` fixes the widths in the type,
///           `dense<>{43, 128}` carries them; both run the same code to the same bits.
/// Order     W row by row as (In, Out), then b (Out). Files hold `weight` as (Out, In), the
///           convention of torch.nn.Linear, and `bias` as (Out).
/// Norms     |g_i|^2 = (|x_i|^2 + 1) |dy_i|^2, exact: the gradient of one example is an outer
///           product (Goodfellow, arXiv 1510.01799).
template <std::size_t In = dynamic, std::size_t Out = dynamic>
struct dense {
  [[no_unique_address]] extent<In> in{};
  [[no_unique_address]] extent<Out> out{};

  static constexpr std::size_t static_in = In, static_out = Out;
  static constexpr std::size_t static_size = In == dynamic || Out == dynamic ? dynamic : (In + 1) * Out;

  constexpr std::size_t out_width(std::size_t) const noexcept { return out; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in; }
  constexpr std::size_t size(std::size_t) const noexcept { return (in + std::size_t{1}) * out; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  template <class Arch, class T>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context) const {
    simd::affine<Arch>(rows, out, in, x, p.data(), p.data() + in * out, y);
  }

  template <class Arch, class T>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    simd::times_transposed<Arch>(call.rows, in, out, dy, p.data(), dx);
  }

  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    for (std::size_t i = 0; i < call.rows; ++i)
      norms[i] += (simd::sum_squares<Arch>(std::span(call.input + i * in, in)) + T{1}) *
                  simd::sum_squares<Arch>(std::span(dy + i * out, out));
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    simd::accumulate_outer<Arch>(call.rows, in, out, call.input, dy, g.data());
    simd::add_columns<Arch>(call.rows, out, dy, g.data() + in * out);
  }

  /// `fill(weights, fan_in, fan_out)` fills the weights; biases start at zero.
  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&& fill) const {
    fill(p.first(in * out), std::size_t{in}, std::size_t{out});
    for (auto& bias : p.subspan(in * out)) bias = T{};
  }

  std::vector<named_tensor> tensors() const {
    return {{"weight", {out, in}, 0, in * out, true}, {"bias", {out}, in * out, out, false}};
  }
};

} // namespace privet
