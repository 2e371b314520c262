#pragma once
// Layers that make one number of each window of an image: max_pool, avg_pool. And flatten.

#include <privet/nn/activations.hpp>
#include <privet/nn/image.hpp>
#include <privet/simd/convolution.hpp>

namespace privet {

namespace detail {

/// What a pool is in full, from its kernels.
template <class Own, image In, window Kernel>
struct pool {
  [[no_unique_address]] fixed<In> in{};
  [[no_unique_address]] fixed<Kernel> kernel{};

  static constexpr activation_layout layout = activation_layout::lanes;
  static constexpr bool fuses = true;
  static constexpr bool is_static = is_fixed<In> && is_fixed<Kernel>;
  static constexpr std::size_t static_in = is_fixed<In> ? In.size() : dynamic;
  static constexpr std::size_t static_out = [] {
    if constexpr (is_static)
      return after(In, Kernel, In.channels).size();
    else
      return dynamic;
  }();
  static constexpr std::size_t static_size = 0;

  constexpr pool() = default;
  constexpr pool(image shape, window of) : in(shape), kernel(of) {}

  constexpr std::size_t in_width() const noexcept { return image(in).size(); }
  constexpr image out_image() const noexcept { return after(in, kernel, image(in).channels); }
  constexpr std::size_t out_width(std::size_t) const noexcept { return out_image().size(); }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in_width(); }
  static constexpr std::size_t size(std::size_t) noexcept { return 0; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for a window that the image does not hold, with both sides.
  void check() const { check_window(Own::name, in, kernel); }

  constexpr simd::pooling shape() const noexcept {
    const image i = in;
    const window k = kernel;
    return {i.channels, i.height, i.width, k.height, k.width, k.stride, k.padding};
  }

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T>, const layer_rows<T>& call, T* y, layer_context,
               const Finish& finish = {}) const {
    Own::template pooled<Arch>(shape(), high(), across(), call.input, y, finish);
  }
  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    Own::template back<Arch>(shape(), high(), across(), call.input, dy, dx, finish);
  }

 private:
  /// The window's sizes as kernels like them: constants where the type knows them.
  constexpr auto high() const noexcept {
    if constexpr (is_fixed<Kernel>)
      return simd::size_constant<Kernel.height>{};
    else
      return window(kernel).height;
  }
  constexpr auto across() const noexcept {
    if constexpr (is_fixed<Kernel>)
      return simd::size_constant<Kernel.width>{};
    else
      return window(kernel).width;
  }

  static_assert(
      !is_static ||
          [] {
            if constexpr (is_static) return fault_of(In, Kernel).what == nullptr;
            return true;
          }(),
      "pool: a window larger than the padded image, or padding as large as the window");
};

} // namespace detail

/// The largest value of each window: `max_pool<image{6, 24, 24}, window{2, 2, 2}>{}`. Of equal ones the first
/// takes the gradient, as in torch.nn.MaxPool2d. NaN where the window holds one.
template <image In = image{}, window Kernel = window{}>
struct max_pool : detail::pool<max_pool<In, Kernel>, In, Kernel> {
  static constexpr const char* name = "max_pool";
  using detail::pool<max_pool<In, Kernel>, In, Kernel>::pool;

  template <class Arch, class High, class Across, class T, class F>
  static void pooled(const simd::pooling& p, High high, Across across, const T* x, T* y, const F& finish) {
    simd::max_pool<Arch>(p, high, across, x, y, finish);
  }
  template <class Arch, class High, class Across, class T, class F>
  static void back(const simd::pooling& p, High high, Across across, const T* x, const T* dy, T* dx,
                   const F& finish) {
    simd::max_pool_back<Arch>(p, high, across, x, dy, dx, finish);
  }
};
max_pool(image, window) -> max_pool<>;

/// The mean of each window, zeros beyond the edges counted, as torch.nn.AvgPool2d does.
template <image In = image{}, window Kernel = window{}>
struct avg_pool : detail::pool<avg_pool<In, Kernel>, In, Kernel> {
  static constexpr const char* name = "avg_pool";
  using detail::pool<avg_pool<In, Kernel>, In, Kernel>::pool;

  template <class Arch, class High, class Across, class T, class F>
  static void pooled(const simd::pooling& p, High high, Across across, const T* x, T* y, const F& finish) {
    simd::average_pool<Arch>(p, high, across, x, y, finish);
  }
  template <class Arch, class High, class Across, class T, class F>
  static void back(const simd::pooling& p, High high, Across across, const T* x, const T* dy, T* dx,
                   const F& finish) {
    simd::average_pool_back<Arch>(p, high, across, x, dy, dx, finish);
  }
};
avg_pool(image, window) -> avg_pool<>;

/// Reads an image as a row of features. Their order is the same, so it computes nothing; behind a convolution or a
/// pool it costs nothing either.
struct flatten : activation<flatten> {
  static constexpr bool is_identity = true;

  template <class B>
  static B apply(const B& x) noexcept {
    return x;
  }
  template <class B>
  static B derivative(const B& dy, const B&) noexcept {
    return dy;
  }
};

} // namespace privet
