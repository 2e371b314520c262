// docs/data/scattering.md

#include <privet/data/dataset.hpp>
#include <privet/data/scattering.hpp>

namespace {

using namespace privet;

[[maybe_unused]] matrix<float> features_of(const dataset<float>& images, std::size_t threads) {
  const scattering_2d transform(28, 28);             // two scales, eight angles: 81 channels of 7 x 7
  auto features = transform(images.view(), threads); // (images, 3969)
  for (std::size_t i = 0; i < images.rows(); ++i)
    normalise_groups(row(features, i), 27); // each image by itself, three channels at a time
  return features;
}

} // namespace
