#pragma once

#include <privet/nn/affine_parameters.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/normalise.hpp>

#include <algorithm>

namespace privet {

/// Layer normalisation: each row less its mean, over its standard deviation.
///
/// Formula   y[j] = w[j] (x[j] - m) / sqrt(v + epsilon) + b[j], m and v the mean and the variance (over n) of
///           the row
/// Shapes    x and y (rows, Width). `layer_norm<128>{}` has the width in the type, `layer_norm<>{128}`
///           carries it; both give the same bits
/// Order     w (Width), then b (Width), in memory as in files: `weight` and `bias` of torch.nn.LayerNorm over
///           the last dimension. They begin as ones and zeros
/// Norms     |g_i|^2 = sum over j of dy_i[j]^2 (n_i[j]^2 + 1), exact, n_i the normalised row
/// Requires  1 <= Width; epsilon 1e-30 to 1e30
/// Source    Ba, Kiros and Hinton, "Layer Normalization", arXiv:1607.06450
/// Test      tests/nn/normalisation.test.cpp, against PyTorch
template <std::size_t Width = dynamic>
struct layer_norm {
  [[no_unique_address]] extent<Width> in{};
  double epsilon = 1e-5;

  static constexpr bool fuses = true;
  static constexpr std::size_t static_in = Width, static_out = Width;
  static constexpr std::size_t static_size = Width == dynamic ? dynamic : 2 * Width;

  constexpr std::size_t out_width(std::size_t) const noexcept { return in; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in; }
  constexpr std::size_t size(std::size_t) const noexcept { return 2 * std::size_t{in}; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for a width or an epsilon that is none, with both sides.
  void check() const {
    require(in >= 1 && in <= widest_layer, fault::argument, "layer_norm: a width of ", std::size_t{in},
            ", possible is 1 to ", widest_layer);
    detail::check_epsilon("layer_norm", epsilon);
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context, const Finish& finish = {}) const {
    for (std::size_t r = 0; r < rows; ++r, x += in, y += in)
      simd::row_affine<Arch>(in(), x, moments_of<Arch>(x), p.data(), p.data() + in, y, finish);
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    const T* x = call.input;
    for (std::size_t r = 0; r < call.rows; ++r, x += in, dy += in, dx += in)
      simd::row_affine_back<Arch>(in(), x, moments_of<Arch>(x), p.data(), dy, dx, finish);
  }

  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    const T* x = call.input;
    for (std::size_t r = 0; r < call.rows; ++r, x += in, dy += in)
      norms[r] += simd::row_squares<Arch>(in(), x, moments_of<Arch>(x), dy);
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    const T* x = call.input;
    for (std::size_t r = 0; r < call.rows; ++r, x += in, dy += in)
      simd::add_row_gradient<Arch>(in(), x, moments_of<Arch>(x), dy, g.data(), g.data() + in);
  }

  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&&) const {
    affine().initialise(p);
  }
  std::vector<named_tensor> tensors() const { return affine().tensors(); }

 private:
  static_assert(Width > 0, "layer_norm: rows without features");

  constexpr affine_parameters affine() const noexcept { return {in}; }

  template <class Arch, class T>
  simd::moments<T> moments_of(const T* x) const {
    return simd::row_moments<Arch>(in(), x, static_cast<T>(epsilon));
  }
};

layer_norm(std::size_t) -> layer_norm<>;
layer_norm(std::size_t, double) -> layer_norm<>;

} // namespace privet
