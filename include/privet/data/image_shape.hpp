#pragma once
// How an image lies in a row.

#include <privet/core/error.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace privet {

/// Channels, height and width of images in rows: by channel, then row, then column, as torch's NCHW.
struct image_shape {
  std::size_t channels = 1, height = 0, width = 0;

  bool operator==(const image_shape&) const = default;

  constexpr std::size_t pixels() const noexcept { return height * width; }
  /// Numbers in a row.
  constexpr std::size_t size() const noexcept { return channels * pixels(); }

  /// Names of the columns: pixel0, pixel1, ... of one channel; red0, ..., green0, ..., blue0, ... of three.
  /// Throws N001 for another number of channels.
  std::vector<std::string> names() const {
    require(channels == 1 || channels == 3, fault::argument, "image_shape: ", channels,
            " channels, columns have names for 1 (gray) and 3 (red, green, blue)");
    constexpr const char* colours[] = {"red", "green", "blue"};
    std::vector<std::string> all;
    all.reserve(size());
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t i = 0; i < pixels(); ++i)
        all.push_back(concat(channels == 1 ? "pixel" : colours[c], i));
    return all;
  }
};

} // namespace privet
