#pragma once
// How an image lies in a row.

#include <privet/core/error.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace privet {

/// Channels, height and width of images in rows: by channel, then row, then column, as torch's NCHW. Sides that nobody
/// has stated are `unknown`. Types of layers have it as an argument: `conv2d<image{1, 28, 28}, 6, window{5, 5}>`.
struct image {
  static constexpr std::size_t unknown = static_cast<std::size_t>(-1);

  std::size_t channels = unknown, height = unknown, width = unknown;

  friend constexpr bool operator==(const image&, const image&) = default;

  constexpr bool known() const noexcept {
    return channels != unknown && height != unknown && width != unknown;
  }
  constexpr std::size_t pixels() const noexcept { return height * width; }
  /// Numbers in a row.
  constexpr std::size_t size() const noexcept { return channels * pixels(); }

  /// Names of the columns: pixel0, pixel1, ... of one channel; red0, ..., green0, ..., blue0, ... of three.
  /// Throws N001 for another number of channels, and for sides that are unknown.
  std::vector<std::string> names() const {
    require(channels == 1 || channels == 3, fault::argument, "image_shape: ", channels,
            " channels, columns have names for 1 (gray) and 3 (red, green, blue)");
    require(known(), fault::argument, "image_shape: columns of images without height or width have no names");
    constexpr const char* colours[] = {"red", "green", "blue"};
    std::vector<std::string> all;
    all.reserve(size());
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t i = 0; i < pixels(); ++i)
        all.push_back(concat(channels == 1 ? "pixel" : colours[c], i));
    return all;
  }
};
/// The same among rows, where an image is many other things.
using image_shape = image;

} // namespace privet
