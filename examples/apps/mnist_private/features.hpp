#pragma once
// What the models see of an image. All of it is a function of that image and of constants, so it costs no
// privacy.

#include "digits.hpp"

#include <privet/data/scattering.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace apps {

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

/// Scattering coefficients, brought to mean 0 and deviation 1 within the image by groups of three channels.
/// Then the mean over numerals that this program draws is taken off, and all is divided by the root of their
/// mean square: about half of the squared norm of a real digit is what all digits have in common, and noise
/// grows with the norm. No image of anybody is in these constants.
class scattering_features {
 public:
  explicit scattering_features(std::size_t threads)
      : transform_(digit_side, digit_side), threads_(threads), centre_(transform_.size()) {
    using namespace privet;
    constexpr std::size_t count = 6000;
    const auto drawn = coefficients(draw_digits(count, 2'718'281'828));
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
