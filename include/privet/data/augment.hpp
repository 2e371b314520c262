#pragma once
// Images as they might have been taken: mirrored, moved, in another light.

#include <privet/core/error.hpp>
#include <privet/core/image_shape.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/simd/philox.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// What lies around an image that is moved.
enum class image_border {
  zeros,
  mirror, ///< the image again, mirrored at the middle of its outermost pixels: numpy's and torch's "reflect"
  edge    ///< the outermost pixel again
};

/// How an image may change. All zeros: not at all.
struct augment_options {
  double flip = 0;         ///< probability of left and right changing places
  std::size_t padding = 0; ///< pixels around it, from which the crop is taken: so far it may move either way
  image_border border = image_border::zeros;
  std::size_t height = 0, width = 0; ///< of the crop; 0: those of the image
  double brightness = 0;             ///< times a factor from 1 - brightness to 1 + brightness
  double contrast = 0;               ///< away from the mean gray of the image by such a factor
  double saturation = 0;             ///< away from the gray of each pixel by such a factor
};

/// Whose coins fall: the same numbers give the same image.
struct augment_coins {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;    ///< of the training, or the epoch; below 2^48
  std::uint32_t example = 0; ///< an index that stays with the image
  std::uint32_t copy = 0;    ///< of several of the image in one step; below 2^31
};

/// Each pixel times `factor`, clipped to 0 to 1. As torchvision's adjust_brightness, like the two below.
template <class T>
void adjust_brightness(std::span<T> image, T factor) noexcept {
  for (T& x : image) x = std::clamp(factor * x, T{0}, T{1});
}

namespace detail {

/// The luminance of pixel i of an image by channel: 0.2989 r + 0.587 g + 0.114 b, or its gray.
template <class T>
T luminance(const T* image, const image_shape& shape, std::size_t i) noexcept {
  const std::size_t n = shape.pixels();
  return shape.channels == 1 ? image[i]
                             : T(0.2989) * image[i] + T(0.587) * image[n + i] + T(0.114) * image[2 * n + i];
}

} // namespace detail

/// Away from the mean luminance by `factor`, or towards it below 1; clipped to 0 to 1.
/// Precondition: the image has this shape, of 1 or 3 channels.
template <class T>
void adjust_contrast(std::span<T> image, const image_shape& shape, T factor) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < shape.pixels(); ++i)
    sum += static_cast<double>(detail::luminance<T>(image.data(), shape, i));
  const T mean = static_cast<T>(sum / static_cast<double>(shape.pixels()));
  for (T& x : image) x = std::clamp(factor * x + (1 - factor) * mean, T{0}, T{1});
}

/// Away from the luminance of each pixel by `factor`, or towards it below 1; clipped to 0 to 1.
/// Precondition: the image has this shape, of 3 channels.
template <class T>
void adjust_saturation(std::span<T> image, const image_shape& shape, T factor) noexcept {
  const std::size_t n = shape.pixels();
  for (std::size_t i = 0; i < n; ++i) {
    const T apart = (1 - factor) * detail::luminance<T>(image.data(), shape, i);
    for (std::size_t c = 0; c < 3; ++c)
      image[c * n + i] = std::clamp(factor * image[c * n + i] + apart, T{0}, T{1});
  }
}

/// A random change of images: crop, flip, then brightness, contrast and saturation, in this order.
///
/// Shape     rows of `from` become rows of `shape()`, by channel, row and column
/// Coins     Philox4x32-10 keyed by the seed, at (example, copy, step): whatever the batch, its cut, the order and
///           the number of threads
/// Privacy   a row of the output is a function of one row and of coins. Under per-example privacy the coins must not
///           be known and tied to places in the data set, as one row more would move the rows behind it to other
///           coins: a private step draws its seed from the operating system. K copies of an example count as one
///           where their gradients are averaged before the bound (docs/data/images.md)
/// Requires  pixels from 0 to 1 where light changes: augment before standardising
/// Errors    N001 for options out of range, N003 for rows of another size
/// Cost      a pass, and one for each change of light; no allocation
/// Source    torchvision's RandomCrop, RandomHorizontalFlip, ColorJitter (without hue); for private training De et
///           al. 2022, arXiv:2204.13650
/// Test      tests/data/augment.test.cpp
class augmentation {
 public:
  augmentation(image_shape from, const augment_options& how) : from_(from), how_(how) {
    shape_ = {from.channels, how.height > 0 ? how.height : from.height,
              how.width > 0 ? how.width : from.width};
    require(from.known() && from.size() > 0 && (from.channels == 1 || from.channels == 3), fault::argument,
            "augmentation: images of ", from.channels, " x ", from.height, " x ", from.width,
            ", expected 1 or 3 channels, both sides and no size 0");
    require(how.flip >= 0 && how.flip <= 1, fault::argument, "augmentation: flip ", how.flip,
            ", expected a probability");
    require(how.padding <= 65535 && shape_.height <= from.height + 2 * how.padding &&
                shape_.width <= from.width + 2 * how.padding,
            fault::argument, "augmentation: a crop of ", shape_.height, " x ", shape_.width, " from ",
            from.height, " x ", from.width, " padded by ", how.padding, ", which must be at most 65535");
    require(how.border != image_border::mirror || how.padding < std::min(from.height, from.width),
            fault::argument, "augmentation: padding ", how.padding, " mirrors more than there is of ",
            from.height, " x ", from.width);
    for (const double range : {how.brightness, how.contrast, how.saturation})
      require(range >= 0 && range <= 1, fault::argument,
              "augmentation: brightness, contrast or saturation of ", range, ", expected 0 to 1");
    require(how.saturation == 0 || from.channels == 3, fault::argument,
            "augmentation: saturation of images of 1 channel, expected 3");
  }

  /// Of every output row.
  const image_shape& shape() const noexcept { return shape_; }
  const image_shape& input_shape() const noexcept { return from_; }

  /// Writes the changed image to `out`, which must not overlap `in`.
  template <class T>
  void operator()(std::span<const T> in, const augment_coins& coins, std::span<T> out) const {
    require(in.size() == from_.size() && out.size() == shape_.size(), fault::shape, "augmentation: rows of ",
            in.size(), " and ", out.size(), " numbers, expected ", from_.size(), " and ", shape_.size());
    const auto words = draw(coins, 0), light = draw(coins, 1);
    const auto below = [](std::uint32_t word, std::size_t n) { // 2^32 words on fewer than 2^18 places
      return static_cast<std::size_t>(static_cast<std::uint64_t>(word) * n >> 32);
    };
    const bool flip = words[0] < how_.flip * 0x1p32;
    crop(in.data(), below(words[1], from_.height + 2 * how_.padding - shape_.height + 1),
         below(words[2], from_.width + 2 * how_.padding - shape_.width + 1), flip, out.data());
    const auto factor = [](std::uint32_t word, double range) {
      return static_cast<T>(1 + range * (2 * (word * 0x1p-32) - 1));
    };
    if (how_.brightness > 0) adjust_brightness(out, factor(light[0], how_.brightness));
    if (how_.contrast > 0) adjust_contrast(out, shape_, factor(light[1], how_.contrast));
    if (how_.saturation > 0) adjust_saturation(out, shape_, factor(light[2], how_.saturation));
  }

  /// Writes `copies` changed images of each row that `batch` names, one after another; the coins are those of the
  /// row's index. Throws N003 for rows of another size, N001 for an index that is no row.
  template <class T>
  void operator()(rows_view<T> data, std::span<const std::uint32_t> batch, std::uint64_t seed,
                  std::uint64_t step, std::span<T> out, std::size_t copies = 1) const {
    require(data.columns == from_.size() && out.size() == batch.size() * copies * shape_.size(), fault::shape,
            "augmentation: ", batch.size(), " rows of ", data.columns, " numbers to ", out.size(),
            ", expected ", from_.size(), " to ", batch.size() * copies * shape_.size());
    for (std::size_t b = 0; b < batch.size(); ++b) {
      require(batch[b] < data.rows, fault::argument, "augmentation: row ", batch[b], " of ", data.rows,
              " rows");
      const std::span<const T> in(data.data + batch[b] * data.columns, data.columns);
      for (std::size_t k = 0; k < copies; ++k)
        (*this)(in, {seed, step, batch[b], static_cast<std::uint32_t>(k)},
                out.subspan((b * copies + k) * shape_.size(), shape_.size()));
    }
  }

 private:
  static std::array<std::uint32_t, 4> draw(const augment_coins& c, std::uint32_t block) {
    // The last word is that of a layer that no network has: coins of their own beside those of dropout.
    return simd::philox_block({2 * c.copy + block, c.example, static_cast<std::uint32_t>(c.step),
                               0xffff0000u | (static_cast<std::uint32_t>(c.step >> 32) & 0xffffu)},
                              {static_cast<std::uint32_t>(c.seed), static_cast<std::uint32_t>(c.seed >> 32)});
  }

  /// Where the pixel lies that is `at` from the start of a line of `n`, which may be before or behind it; -1: none.
  std::ptrdiff_t inside(std::ptrdiff_t at, std::size_t n) const noexcept {
    const auto last = static_cast<std::ptrdiff_t>(n) - 1;
    if (at >= 0 && at <= last) return at;
    switch (how_.border) {
      case image_border::zeros:
        return -1;
      case image_border::mirror:
        return at < 0 ? -at : 2 * last - at;
      case image_border::edge:
        break;
    }
    return at < 0 ? 0 : last;
  }

  template <class T>
  void crop(const T* in, std::size_t top, std::size_t left, bool flip, T* out) const {
    const auto padding = static_cast<std::ptrdiff_t>(how_.padding),
               dx = static_cast<std::ptrdiff_t>(left) - padding,
               dy = static_cast<std::ptrdiff_t>(top) - padding,
               width = static_cast<std::ptrdiff_t>(shape_.width);
    // Columns first to last of the output lie within the image.
    const auto first = std::clamp<std::ptrdiff_t>(-dx, 0, width),
               last = std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(from_.width) - dx, first, width);
    for (std::size_t c = 0; c < shape_.channels; ++c, in += from_.pixels())
      for (std::size_t y = 0; y < shape_.height; ++y, out += width) {
        const auto line = inside(static_cast<std::ptrdiff_t>(y) + dy, from_.height);
        if (line < 0) {
          std::fill_n(out, width, T{});
          continue;
        }
        const T* const from = in + line * static_cast<std::ptrdiff_t>(from_.width);
        const auto beside = [&](std::ptrdiff_t x) {
          const auto at = inside(x + dx, from_.width);
          out[x] = at < 0 ? T{} : from[at];
        };
        for (std::ptrdiff_t x = 0; x < first; ++x) beside(x);
        if (first < last) std::copy_n(from + (first + dx), last - first, out + first);
        for (std::ptrdiff_t x = last; x < width; ++x) beside(x);
        if (flip) std::reverse(out, out + width);
      }
  }

  image_shape from_, shape_;
  augment_options how_;
};

} // namespace privet
