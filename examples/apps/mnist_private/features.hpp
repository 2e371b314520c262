#pragma once
// What the models see of an image. All of it is a function of that image and of constants, so it costs no
// privacy.

#include "digits.hpp"

#include <privet/data/scattering.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace apps {

/// Takes the slant off an image by a shear, row by row, that makes horizontal and vertical places of its ink
/// uncorrelated: a function of this image alone.
///
/// Formula   out[y][x] = in[y][x + a (y - cy)] with a = cov(x, y) / var(y) and cy the mean of y, all weighted
///           by ink; between two pixels by linear interpolation, beyond the edges 0
/// Source    LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86 (1998), section III, "deslanted"
inline void take_slant_off(std::span<float> image) {
  constexpr std::size_t side = digit_side;
  double ink = 0, mean_x = 0, mean_y = 0, var_y = 0, cov = 0;
  const auto each = [&](auto&& use) {
    for (std::size_t p = 0; p < image.size(); ++p)
      use(static_cast<double>(image[p]), static_cast<double>(p % side), static_cast<double>(p / side));
  };
  each([&](double v, double x, double y) { ink += v, mean_x += v * x, mean_y += v * y; });
  if (!(ink > 0)) return;
  mean_x /= ink, mean_y /= ink;
  each([&](double v, double x, double y) {
    var_y += v * (y - mean_y) * (y - mean_y), cov += v * (x - mean_x) * (y - mean_y);
  });
  if (!(var_y > 0)) return;
  std::array<float, side + 2> line{}; // a zero on either side
  for (std::size_t y = 0; y < side; ++y) {
    const auto row = image.subspan(y * side, side);
    std::ranges::copy(row, line.begin() + 1);
    const double moved = cov / var_y * (static_cast<double>(y) - mean_y);
    for (std::size_t x = 0; x < side; ++x) {
      const double from = std::clamp(static_cast<double>(x) + moved, -1.0, static_cast<double>(side)) + 1;
      const auto left = std::min(static_cast<std::size_t>(from), side);
      row[x] = std::lerp(line[left], line[left + 1], static_cast<float>(from - static_cast<double>(left)));
    }
  }
}

/// Of all images.
inline void take_slant_off(digit_images& images) {
  for (std::size_t i = 0; i < images.rows(); ++i) take_slant_off(privet::row(images.pixels, i));
}

/// Pixels brought to mean 0 and deviation 1 within the image, then to a norm of 5.
inline privet::matrix<float> pixel_features(const digit_images& images) {
  using namespace privet;
  matrix<float> out = images.pixels;
  for (std::size_t i = 0; i < images.rows(); ++i) {
    const auto x = row(out, i);
    normalise_groups(x, 1);
    for (float& value : x) value *= 5 / std::sqrt(static_cast<float>(x.size()));
  }
  return out;
}

/// Pixels from 0 to 1 brought to -1 to 1.
inline void scale_pixels(digit_images& images) {
  for (float& x : privet::as_span(images.pixels)) x = 2 * x - 1;
}

/// Scattering coefficients, brought to mean 0 and deviation 1 within the image by groups of three channels.
/// Then the mean over numerals that this program draws is taken off, and all is divided by the root of their
/// mean square: about half of the squared norm of a real digit is what all digits have in common, and noise
/// grows with the norm. No image of anybody is in these constants.
class scattering_features {
 public:
  /// For images of which the slant was taken off, or not.
  scattering_features(bool upright, std::size_t threads)
      : transform_(digit_side, digit_side), threads_(threads), centre_(transform_.size()) {
    using namespace privet;
    constexpr std::size_t count = 6000;
    auto numerals = draw_digits(count, 2'718'281'828);
    if (upright) take_slant_off(numerals);
    const auto drawn = coefficients(numerals);
    std::vector<double> mean(centre_.size());
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto x = row(drawn, i);
      for (std::size_t c = 0; c < x.size(); ++c) {
        mean[c] += static_cast<double>(x[c]) / static_cast<double>(count);
        squares += static_cast<double>(x[c]) * static_cast<double>(x[c]);
      }
    }
    double common = 0;
    for (std::size_t c = 0; c < mean.size(); ++c) {
      centre_[c] = static_cast<float>(mean[c]);
      common += mean[c] * mean[c];
    }
    scale_ = static_cast<float>(1 / std::sqrt(squares / static_cast<double>(count) - common));
  }

  privet::matrix<float> operator()(const digit_images& images) const {
    auto out = coefficients(images);
    for (std::size_t i = 0; i < images.rows(); ++i) {
      const auto x = privet::row(out, i);
      for (std::size_t c = 0; c < x.size(); ++c) x[c] = (x[c] - centre_[c]) * scale_;
    }
    return out;
  }

 private:
  privet::matrix<float> coefficients(const digit_images& images) const {
    auto out = transform_(images.view(), threads_);
    for (std::size_t i = 0; i < images.rows(); ++i) privet::normalise_groups(privet::row(out, i), 27);
    return out;
  }

  privet::scattering_2d<> transform_;
  std::size_t threads_;
  std::vector<float> centre_;
  float scale_ = 1;
};

} // namespace apps
