#pragma once
// One image in memory, and what turns images of all sizes into rows of one: gray or colour, resized, cropped.

#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// An image as files hold it, in bytes: row by row, the channels of a pixel side by side.
struct bitmap {
  std::size_t height = 0, width = 0;
  std::size_t channels = 1;         ///< 1 (gray) or 3 (red, green, blue)
  std::vector<std::uint8_t> pixels; ///< (height, width, channels)
};

/// What an image that nobody has seen yet may be.
struct image_limits {
  std::size_t most_pixels = std::size_t{1} << 26; ///< height times width
  std::size_t most_side = std::size_t{1} << 16;   ///< of either: resizing takes memory by the longer one
};

/// Makes an image of the bytes of a file: `decode_pnm`, or `decode_image` of <privet/data/image_file.hpp>.
using image_decoder = result<bitmap> (*)(std::span<const std::byte> bytes, const image_limits& limits,
                                         std::string_view place);

/// How an image of another aspect comes to the size that is asked for.
enum class image_fit {
  cover,  ///< resized, aspect kept, until it just covers that size, then the middle of it: torchvision's
          ///< Resize(n), CenterCrop(n)
  stretch ///< resized to that size
};

/// The image with 1 or 3 channels. Gray is 0.299 red + 0.587 green + 0.114 blue in the 16-bit integers of
/// Pillow's convert("L"); colour of gray is that gray three times. Throws N001 for another number.
inline bitmap with_channels(bitmap from, std::size_t channels) {
  require(channels == 1 || channels == 3, fault::argument, "with_channels: ", channels,
          " channels, expected 1 or 3");
  if (from.channels == channels) return from;
  bitmap to{from.height, from.width, channels, {}};
  const std::size_t count = from.height * from.width;
  to.pixels.resize(count * channels);
  for (std::size_t i = 0; i < count; ++i) {
    if (channels == 1) {
      const auto* const p = from.pixels.data() + 3 * i;
      to.pixels[i] =
          static_cast<std::uint8_t>((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16);
    } else {
      std::fill_n(to.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, from.pixels[i]);
    }
  }
  return to;
}

namespace detail {

/// What one line of the input gives to each of some output pixels: whole numbers that add up to about 2^22.
struct resize_weights {
  struct window {
    std::size_t first, count; ///< input pixels
    std::size_t at;           ///< of the first weight
  };
  std::vector<window> windows;
  std::vector<std::int32_t> weights;
};

/// Output pixels `from` to `from + count` of a line of `in` pixels resized to `out`: a triangle as wide as two
/// steps of the coarser of both grids.
inline resize_weights triangle_weights(std::size_t in, std::size_t out, std::size_t from, std::size_t count) {
  constexpr double one = 1 << 22;
  const double scale = static_cast<double>(in) / static_cast<double>(out), reach = std::max(scale, 1.0);
  resize_weights all;
  std::vector<double> exact;
  for (std::size_t o = from; o < from + count; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    const std::size_t first = static_cast<std::size_t>(std::max(centre - reach + 0.5, 0.0)),
                      last = std::min(static_cast<std::size_t>(centre + reach + 0.5), in);
    exact.clear();
    double sum = 0;
    for (std::size_t i = first; i < last; ++i) {
      const double distance = (static_cast<double>(i) - centre + 0.5) / reach;
      exact.push_back(std::max(1 - (distance < 0 ? -distance : distance), 0.0));
      sum += exact.back();
    }
    all.windows.push_back({first, last - first, all.weights.size()});
    for (const double w : exact)
      all.weights.push_back(static_cast<std::int32_t>(0.5 + (sum != 0 ? w / sum : w) * one));
  }
  return all;
}

/// to[k] = the weighted sum of from[(first + j) * step + k] over j, rounded; k < lanes.
inline void blend(const resize_weights& by, std::size_t window, const std::uint8_t* from, std::size_t step,
                  std::size_t lanes, std::uint8_t* to) {
  const auto& w = by.windows[window];
  for (std::size_t k = 0; k < lanes; ++k) {
    std::int64_t sum = 1 << 21;
    for (std::size_t j = 0; j < w.count; ++j)
      sum += std::int64_t{by.weights[w.at + j]} * from[(w.first + j) * step + k];
    to[k] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> 22, 0, 255));
  }
}

/// The window (top, left, height, width) of `from` resized to (whole_height, whole_width); no memory is asked for
/// what lies outside it.
inline bitmap resize_window(const bitmap& from, std::size_t whole_height, std::size_t whole_width,
                            std::size_t top, std::size_t left, std::size_t height, std::size_t width) {
  const auto along = triangle_weights(from.width, whole_width, left, width),
             down = triangle_weights(from.height, whole_height, top, height);
  const std::size_t first = down.windows.front().first,
                    last = down.windows.back().first + down.windows.back().count, n = from.channels;
  bitmap lines{last - first, width, n, std::vector<std::uint8_t>((last - first) * width * n)};
  for (std::size_t y = first; y < last; ++y)
    for (std::size_t x = 0; x < width; ++x)
      blend(along, x, from.pixels.data() + y * from.width * n, n, n,
            lines.pixels.data() + ((y - first) * width + x) * n);
  bitmap to{height, width, n, std::vector<std::uint8_t>(height * width * n)};
  auto shifted = down;
  for (auto& w : shifted.windows) w.first -= first;
  for (std::size_t y = 0; y < height; ++y)
    blend(shifted, y, lines.pixels.data(), width * n, width * n, to.pixels.data() + y * width * n);
  return to;
}

/// Half of an even number; of an odd one the even neighbour of its half, as Python rounds.
constexpr std::size_t half_to_even(std::size_t n) noexcept { return n / 2 + (n % 4 == 3); }

} // namespace detail

/// The image at another size: bilinear with antialiasing, each output pixel an average over a triangle as wide as
/// two steps of the coarser grid, in integers.
///
/// Ensures  the same bytes as Pillow's resize((width, height), BILINEAR)
/// Errors   N001 for an empty image or size
/// Test     tests/data/bitmap.test.cpp
inline bitmap resize(const bitmap& from, std::size_t height, std::size_t width,
                     image_fit fit = image_fit::stretch) {
  require(from.height > 0 && from.width > 0 && height > 0 && width > 0, fault::argument, "resize: from ",
          from.height, " x ", from.width, " to ", height, " x ", width, ": all must be at least 1");
  std::size_t whole_height = height, whole_width = width;
  if (fit == image_fit::cover) {
    if (from.width * height <= from.height * width) // taller than what is asked for
      whole_height = std::max(height, width * from.height / from.width);
    else
      whole_width = std::max(width, height * from.width / from.height);
  }
  return detail::resize_window(from, whole_height, whole_width, detail::half_to_even(whole_height - height),
                               detail::half_to_even(whole_width - width), height, width);
}

/// Writes the image as a row: by channel, row and column, divided by 255. Throws N003 for a row of another size.
inline void to_row(const bitmap& from, std::span<float> row) {
  const std::size_t count = from.height * from.width;
  require(row.size() == count * from.channels, fault::shape, "to_row: a row of ", row.size(),
          " numbers for an image of ", count * from.channels);
  for (std::size_t c = 0; c < from.channels; ++c)
    for (std::size_t i = 0; i < count; ++i)
      row[c * count + i] = static_cast<float>(from.pixels[i * from.channels + c]) / 255;
}

namespace detail {

/// What the first bytes say that a file is; empty for nothing known.
inline std::string_view image_format(std::span<const std::byte> bytes) {
  const auto starts = [&](std::string_view sign, std::size_t at = 0) {
    for (std::size_t i = 0; i < sign.size(); ++i)
      if (at + i >= bytes.size() ||
          std::to_integer<unsigned char>(bytes[at + i]) != static_cast<unsigned char>(sign[i]))
        return false;
    return true;
  };
  if (starts("\x89PNG\r\n\x1a\n")) return "PNG";
  if (starts("\xff\xd8\xff")) return "JPEG";
  if (starts("P5")) return "PGM";
  if (starts("P6")) return "PPM";
  if (starts("P2") || starts("P3")) return "PNM in text";
  if (starts("GIF8")) return "GIF";
  if (starts("RIFF") && starts("WEBP", 8)) return "WebP";
  if (starts("BM")) return "BMP";
  if (starts(std::string_view("II*\0", 4)) || starts(std::string_view("MM\0*", 4))) return "TIFF";
  if (starts("ftyp", 4)) return "HEIF or AVIF";
  return {};
}

/// The error for bytes that are no image that `readable` names.
inline error no_image(std::span<const std::byte> bytes, std::string_view readable, std::string_view place) {
  if (bytes.empty()) return error::of(fault::format, place, ": 0 bytes, expected ", readable);
  if (const auto format = image_format(bytes); !format.empty())
    return error::of(fault::unsupported, place, ": a file in ", format, ", expected ", readable);
  std::string start;
  for (const std::byte& b : bytes.first(std::min<std::size_t>(bytes.size(), 4)))
    start += ' ' + hex(std::span(&b, 1));
  return error::of(fault::format, place, ": starts with the bytes", start, ", expected ", readable);
}

/// Whether an image so large may be decoded from so many bytes, each of which makes at most `most_per_byte` pixels
/// in this format: a header alone gets no memory.
inline status plausible_size(std::size_t height, std::size_t width, std::size_t bytes,
                             std::size_t most_per_byte, const image_limits& limits, std::string_view place) {
  if (height == 0 || width == 0)
    return error::of(fault::format, place, ": ", width, " x ", height, " pixels, expected at least 1 x 1");
  if (height > limits.most_side || width > limits.most_side)
    return error::of(fault::unsupported, place, ": claims ", width, " x ", height, " pixels, at most ",
                     limits.most_side, " to a side are read");
  if (height > limits.most_pixels / width)
    return error::of(fault::unsupported, place, ": claims ", width, " x ", height, " pixels, at most ",
                     limits.most_pixels, " are read");
  if (height * width / most_per_byte > bytes)
    return error::of(fault::format, place, ": claims ", width, " x ", height, " pixels, which ", bytes,
                     " bytes cannot hold");
  return nothing{};
}

} // namespace detail

} // namespace privet
