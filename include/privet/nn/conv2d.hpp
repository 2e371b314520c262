#pragma once

#include <privet/nn/image.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/convolution.hpp>

#include <algorithm>
#include <type_traits>

namespace privet {

/// A convolution of images, in the sense of networks: no window is turned.
///
/// Formula   y[o][r][c] = b[o] + sum over i, u, v of W[o][i][u][v] x[i][r stride + u - padding][c stride + v -
///           padding], over the input channels i of the group of o; zeros beyond the edges
/// Shapes    x (in.channels, in.height, in.width), y (Out, out_image().height, out_image().width).
///           `conv2d<image{1, 28, 28}, 6, window{5, 5}>{}` has them in the type,
///           `conv2d<>{image{1, 28, 28}, 6, window{5, 5}}` carries them; both give the same bits
/// Order     W (Out, in.channels / Groups, height, width), then b (Out), in memory as in files: as
///           torch.nn.Conv2d has them
/// Layout    batch-minor lanes: a block of examples lies side by side, so each lane holds the gradient of one
///           example, and its norm costs one multiply-add per weight
/// Requires  1 <= stride, padding < height and width, Groups divides both numbers of channels
template <image In = image{}, std::size_t Out = dynamic, window Kernel = window{},
          std::size_t Groups = (Out == dynamic ? dynamic : 1)>
struct conv2d {
  [[no_unique_address]] fixed<In> in{};
  [[no_unique_address]] extent<Out> out{};
  [[no_unique_address]] fixed<Kernel> kernel{};
  [[no_unique_address]] extent<Groups> groups{Groups == dynamic ? 1 : Groups};

  static constexpr activation_layout layout = activation_layout::lanes;
  static constexpr bool fuses = true;
  static constexpr bool is_static =
      detail::is_fixed<In> && Out != dynamic && detail::is_fixed<Kernel> && Groups != dynamic;

  static constexpr std::size_t static_in = detail::is_fixed<In> ? In.size() : dynamic;
  static constexpr std::size_t static_out = [] {
    if constexpr (is_static)
      return detail::after(In, Kernel, Out).size();
    else
      return dynamic;
  }();
  static constexpr std::size_t static_size = [] {
    if constexpr (is_static)
      return (In.channels / Groups * Kernel.size() + 1) * Out;
    else
      return dynamic;
  }();

  constexpr std::size_t in_width() const noexcept { return image(in).size(); }
  constexpr image out_image() const noexcept { return detail::after(in, kernel, out); }
  constexpr std::size_t out_width(std::size_t) const noexcept { return out_image().size(); }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in_width(); }
  constexpr std::size_t size(std::size_t) const noexcept { return shape().weights() + out; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for sizes that are no convolution, with both sides.
  void check() const {
    detail::check_window("conv2d", in, kernel);
    const std::size_t channels = image(in).channels;
    require(out >= 1 && out <= widest_layer, fault::argument, "conv2d: ", std::size_t{out},
            " output channels, possible is 1 to ", widest_layer);
    require(groups >= 1 && groups <= channels && channels % groups == 0 && out % groups == 0, fault::argument,
            "conv2d: ", std::size_t{groups}, " groups do not divide ", channels,
            " channels that it reads and ", std::size_t{out}, " that it writes");
  }

  /// Scalars of room that a call on one block needs.
  std::size_t scratch(std::size_t) const noexcept { return simd::convolution_scratch(shape()); }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T> p, const layer_rows<T>& call, T* y, layer_context,
               const Finish& finish = {}) const {
    const auto c = shape();
    simd::convolve<Arch, unrolled(5)>(
        c, group_outs(), out_columns(), call.input, p.data(), p.data() + c.weights(), y, call.scratch,
        [&](std::size_t first, std::size_t n) { finish_part<Arch>(y, first, n, finish); });
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    simd::convolve_back<Arch, unrolled(simd::most_taps_back)>(
        shape(), group_channels(), in_columns(), dy, p.data(), dx, call.scratch,
        [&](std::size_t first, std::size_t n) { finish_part<Arch>(dx, first, n, finish, call.input); });
  }

  /// The gradient of each example of a block, in its lane: g (size, lane_block); added to it if not `fresh`.
  template <class Arch, class T>
  void lane_gradients(const layer_rows<T>& call, const T* dy, T* g, bool fresh = true) const {
    simd::convolution_gradient<Arch>(shape(), group_outs(), taps(), call.input, dy, g, call.scratch, fresh);
  }

  /// `fill(weights, fan_in, fan_out)` fills the weights; biases start at zero.
  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&& fill) const {
    const auto c = shape();
    fill(p.first(c.weights()), c.taps(), c.outs * c.window_size());
    std::ranges::fill(p.subspan(c.weights()), T{});
  }

  std::vector<named_tensor> tensors() const {
    const auto c = shape();
    return {{"weight", {c.outs, c.group_channels(), c.window_height, c.window_width}, 0, c.weights(), false},
            {"bias", {c.outs}, c.weights(), c.outs, false}};
  }

  constexpr simd::convolution shape() const noexcept {
    const image i = in;
    const window k = kernel;
    return {i.channels, i.height, i.width, out, k.height, k.width, k.stride, k.padding, groups};
  }

 private:
  static_assert(
      !is_static ||
          [] {
            if constexpr (is_static)
              return detail::fault_of(In, Kernel).what == nullptr && Out > 0 && Groups > 0 &&
                     In.channels % Groups == 0 && Out % Groups == 0;
            return true;
          }(),
      "conv2d: a window larger than the padded image, padding as large as the window, no output channels, or "
      "groups that do not divide the channels");

  /// to = finish(to, beside), for n numbers from `first` on.
  template <class Arch, class T, class Finish, class... Beside>
  static void finish_part(T* to, std::size_t first, std::size_t n, const Finish& finish,
                          const Beside*... beside) {
    if constexpr (!std::is_same_v<Finish, simd::as_it_is>)
      for (std::size_t i = first; i < first + n; i += simd::width<T, Arch>)
        simd::store<Arch, T>(
            to + i, finish(simd::load<Arch>(static_cast<const T*>(to + i)), simd::load<Arch>(beside + i)...));
  }

  /// The width of the window for kernels that take it as a constant, up to `most`.
  static constexpr int unrolled(std::size_t most) noexcept {
    if constexpr (is_static)
      if (Kernel.stride == 1 && Kernel.width <= most) return static_cast<int>(Kernel.width);
    return 0;
  }

  /// Sizes as kernels like them: constants where the type knows them.
  constexpr auto group_outs() const noexcept {
    if constexpr (is_static)
      return simd::size_constant<Out / Groups>{};
    else
      return shape().group_outs();
  }
  constexpr auto group_channels() const noexcept {
    if constexpr (is_static)
      return simd::size_constant<In.channels / Groups>{};
    else
      return shape().group_channels();
  }
  constexpr auto out_columns() const noexcept {
    if constexpr (is_static)
      return simd::size_constant<detail::after(In, Kernel, Out).width>{};
    else
      return shape().out_width();
  }
  constexpr auto in_columns() const noexcept {
    if constexpr (is_static && Kernel.stride == 1)
      return simd::size_constant<In.width>{};
    else
      return shape().width;
  }
  constexpr auto taps() const noexcept {
    if constexpr (is_static)
      return simd::size_constant<In.channels / Groups * Kernel.size()>{};
    else
      return shape().taps();
  }
};

conv2d(image, std::size_t, window) -> conv2d<>;
conv2d(image, std::size_t, window, std::size_t) -> conv2d<>;

} // namespace privet
