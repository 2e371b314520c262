#pragma once

#include <privet/nn/layer.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/reduce.hpp>

#include <algorithm>

namespace privet {

/// A fully connected layer: y = x W + b.
///
/// Shapes    x (rows, In), y (rows, Out). `dense<43, 128>{}` fixes the widths in the type,
///           `dense<>{43, 128}` carries them; both run the same code to the same bits.
/// Order     W, then b (Out). With 16 outputs or more W lies by input, as (In, Out); a narrower
///           layer holds it by output, as (Out, In), so that the lanes of a kernel run along the
///           long side. Files hold `weight` as (Out, In) always, the convention of torch.nn.Linear,
///           and `bias` as (Out).
/// Norms     |g_i|^2 = (|x_i|^2 + 1) |dy_i|^2, exact: the gradient of one example is an outer
///           product (Goodfellow, arXiv 1510.01799).
template <std::size_t In = dynamic, std::size_t Out = dynamic>
struct dense {
  [[no_unique_address]] extent<In> in{};
  [[no_unique_address]] extent<Out> out{};

  static constexpr std::size_t static_in = In, static_out = Out;
  static constexpr std::size_t static_size = In == dynamic || Out == dynamic ? dynamic : (In + 1) * Out;
  static constexpr bool fuses = true;

  constexpr std::size_t out_width(std::size_t) const noexcept { return out; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in; }
  constexpr std::size_t size(std::size_t) const noexcept { return (in + std::size_t{1}) * out; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context, const Finish& finish = {}) const {
    const T* const bias = p.data() + in * out;
    by_layout([&](auto by_output) {
      if constexpr (by_output)
        simd::affine_by_output<Arch>(rows, out(), in(), x, p.data(), bias, y, finish);
      else
        simd::affine<Arch>(rows, out(), in(), x, p.data(), bias, y, finish);
    });
  }

  std::size_t scratch(std::size_t rows) const noexcept {
    return by_output() ? 0 : simd::back_scratch(rows, out);
  }

  template <class Arch, class T>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx,
                layer_context context) const {
    backward<Arch>(p, call, dy, dx, context, [](const auto& d, const auto&) { return d; });
  }
  template <class Arch, class T, class Finish>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish) const {
    by_layout([&](auto by_output) {
      if constexpr (by_output)
        simd::back_by_output<Arch>(call.rows, out(), in(), dy, p.data(), call.input, dx, finish);
      else
        simd::back_by_input<Arch>(call.rows, out(), in(), dy, p.data(), call.input, dx, call.scratch, finish);
    });
  }

  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    simd::add_outer_squares<Arch>(call.rows, in(), call.input, out(), dy, norms.data());
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    gradient<Arch>(call, dy, g.data(), simd::add{});
  }
  template <class Arch, class T>
  void descend(const layer_rows<T>& call, const T* dy, T scale, std::span<T> p) const {
    gradient<Arch>(call, dy, p.data(), simd::subtract<T>{scale});
  }

  /// The longest row of W, or the bias.
  std::size_t piece_size() const noexcept { return std::max<std::size_t>(by_output() ? in : out, out); }
  template <class Arch, class T, class F>
  void piecewise(const layer_rows<T>& call, const T* dy, std::span<T> room, F&& f) const {
    const auto pieces = [&](std::size_t rows, auto row, const T* left, std::size_t left_row, const T* right) {
      const std::size_t most = room.size() / row;
      for (std::size_t i = 0; i < rows; i += most) {
        const std::size_t some = std::min(most, rows - i);
        simd::outer<Arch>(call.rows, some, row, left + i, left_row, right, room.data(), simd::write{});
        f(i * row, room.first(some * row));
      }
    };
    by_layout([&](auto by_output) {
      if constexpr (by_output)
        pieces(out, in(), dy, out, call.input);
      else
        pieces(in, out(), call.input, in, dy);
    });
    simd::sum_rows<Arch>(call.rows, out(), dy, room.data(), simd::write{});
    f(in * out, room.first(out));
  }

  /// `fill(weights, fan_in, fan_out)` fills the weights; biases start at zero.
  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&& fill) const {
    fill(p.first(in * out), std::size_t{in}, std::size_t{out});
    for (auto& bias : p.subspan(in * out)) bias = T{};
  }

  std::vector<named_tensor> tensors() const {
    return {{"weight", {out, in}, 0, in * out, !by_output()}, {"bias", {out}, in * out, out, false}};
  }

 private:
  constexpr bool by_output() const noexcept { return out < simd::narrow; }

  /// Calls f(true) or f(false), a constant: where the width is static, the other is not compiled.
  template <class F>
  void by_layout(F&& f) const {
    if constexpr (Out != dynamic)
      f(std::bool_constant<(Out < simd::narrow)>{});
    else if (by_output())
      f(std::true_type{});
    else
      f(std::false_type{});
  }

  template <class Arch, class T, class How>
  void gradient(const layer_rows<T>& call, const T* dy, T* g, How how) const {
    by_layout([&](auto by_output) {
      if constexpr (by_output)
        simd::outer<Arch>(call.rows, out(), in(), dy, out, call.input, g, how);
      else
        simd::outer<Arch>(call.rows, in(), out(), call.input, in, dy, g, how);
    });
    simd::sum_rows<Arch>(call.rows, out(), dy, g + in * out, how);
  }
};

} // namespace privet
