#pragma once
// What the model reads of a photo: scattering coefficients, averaged over a few places, or its pixels.

#include "images.hpp"

#include <privet/data/scattering.hpp>
#include <privet/data/standardise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace photo_study {

/// Scattering coefficients of each colour, averaged over cells x cells places: a function of one image.
inline matrix<float> coefficients(const dataset<>& images, std::size_t cells, std::size_t threads) {
  const scattering_2d<> transform(shape);
  const std::size_t side = transform.out_height(), step = side / cells, channels = transform.channels();
  auto out = make_matrix<float>(images.rows(), channels * cells * cells);
  constexpr std::size_t piece = 256; // images whose coefficients are in memory at once
  for (std::size_t first = 0; first < images.rows(); first += piece) {
    const std::size_t count = std::min(piece, images.rows() - first);
    const auto whole =
        transform({images.features.data() + first * shape.size(), count, shape.size()}, threads);
    for (std::size_t i = 0; i < count; ++i) {
      const auto from = row(whole, i);
      const auto to = row(out, first + i);
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t y = 0; y < side; ++y)
          for (std::size_t x = 0; x < side; ++x)
            to[(c * cells + y / step) * cells + x / step] +=
                from[(c * side + y) * side + x] / static_cast<float>(step * step);
    }
  }
  return out;
}

/// The images as rows of coefficients, not scaled yet.
inline dataset<> as_coefficients(const dataset<>& images, std::size_t cells, std::size_t threads) {
  dataset<> out{{{}, images.schema.classes, {}}, coefficients(images, cells, threads), images.labels, {}};
  for (std::size_t i = 0; i < columns(out.features); ++i)
    out.schema.features.push_back(concat("scattering", i));
  return out;
}

/// Columns of mean 0, and rows whose squared norm is 1 in the mean over the images that the scaling was taken from:
/// then learning rates do not depend on how many columns there are. Public images alone may say how to scale.
class row_scaling {
 public:
  explicit row_scaling(const dataset<>& open)
      : columns_(standardiser::fit(open)), length_(1 / std::sqrt(static_cast<float>(open.columns()))) {}

  dataset<> apply(dataset<> rows) const {
    auto out = columns_.apply(std::move(rows));
    for (float& x : as_span(out.features)) x *= length_;
    return out;
  }

 private:
  standardiser columns_;
  float length_;
};

} // namespace photo_study
