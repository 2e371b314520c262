#pragma once
// Shapes of what convolutions and pools read, in the type or as numbers.

#include <privet/core/image_shape.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/convolution.hpp>

#include <cstddef>

namespace privet {

/// The window of a convolution or a pool: `window{5, 5}`, `window{.height = 3, .width = 3, .padding = 1}`.
struct window {
  std::size_t height = dynamic, width = dynamic;
  std::size_t stride = 1;  ///< from one position to the next, down and across
  std::size_t padding = 0; ///< rows and columns beyond each edge

  constexpr std::size_t size() const noexcept { return height * width; }
  friend constexpr bool operator==(const window&, const window&) = default;
};

/// A value that the type knows, as `extent` is for widths; any other is refused.
template <auto V>
struct fixed {
  constexpr fixed() = default;
  /// Throws N003 for another value than the type's.
  constexpr explicit(false) fixed(const decltype(V)& v) {
    if (!(v == V)) fail(fault::shape, "the shape of an image or a window differs from that in the type");
  }
  constexpr operator decltype(V)() const noexcept { return V; }
};
template <auto V>
  requires(V == decltype(V){})
struct fixed<V> {
  decltype(V) value{};
  constexpr fixed() = default;
  constexpr explicit(false) fixed(const decltype(V)& v) noexcept : value(v) {}
  constexpr operator decltype(V)() const noexcept { return value; }
};

namespace detail {

/// Whether a value is known from the type.
template <auto V>
inline constexpr bool is_fixed = !(V == decltype(V){});

/// What is wrong with a window on an image, or nothing: sizes are 1 to `widest_layer`, and so is what they make.
struct window_fault {
  const char* what = nullptr;
  std::size_t found = 0, most = 0, least = 1;
};
constexpr window_fault fault_of(const image& in, const window& w) noexcept {
  for (const std::size_t n : {in.channels, in.height, in.width})
    if (n == 0 || n > widest_layer) return {"reads images with a side or channels of", n, widest_layer};
  for (const std::size_t n : {w.height, w.width, w.stride})
    if (n == 0 || n > widest_layer) return {"has a window with a side or stride of", n, widest_layer};
  if (w.padding >= w.height || w.padding >= w.width)
    return {"pads by", w.padding, (w.height < w.width ? w.height : w.width) - 1, 0};
  const std::size_t high = in.height + 2 * w.padding, across = in.width + 2 * w.padding;
  if (w.height > high) return {"has a window as high as", w.height, high};
  if (w.width > across) return {"has a window as wide as", w.width, across};
  if (high * across > widest_layer)
    return {"reads planes, with their padding, of", high * across, widest_layer};
  if (in.channels * high * across > widest_layer)
    return {"reads images, with their padding, of", in.channels * high * across, widest_layer};
  return {};
}
constexpr image after(const image& in, const window& w, std::size_t channels) noexcept {
  return {channels, simd::positions(in.height, w.height, w.stride, w.padding),
          simd::positions(in.width, w.width, w.stride, w.padding)};
}

inline void check_window(const char* layer, const image& in, const window& w) {
  const window_fault wrong = fault_of(in, w);
  require(wrong.what == nullptr, fault::argument, layer, ' ', wrong.what ? wrong.what : "", ' ', wrong.found,
          ", possible is ", wrong.least, " to ", wrong.most);
}

} // namespace detail

} // namespace privet
