#pragma once
// Images of digits: MNIST from its four files, or drawn by ourselves for a try without data.

#include <privet/core/zlib.hpp>
#include <privet/data/idx.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace apps {

inline constexpr std::size_t digit_side = 28; ///< pixels, each way

struct digit_images {
  privet::matrix<float> pixels; ///< (images, 28 * 28), 0 to 1
  std::vector<std::int32_t> labels;

  std::size_t rows() const noexcept { return labels.size(); }
  privet::rows_view<float> view() const noexcept { return {pixels.data(), rows(), digit_side * digit_side}; }
};

struct digit_study {
  digit_images train, test;
  std::string tested_on; ///< in words
};

/// The pair of files that starts with `name`, compressed or not.
inline digit_images read_digits(const std::filesystem::path& folder, const std::string& name) {
  using namespace privet;
  const auto file = [&](const std::string& rest) {
    const auto plain = folder / (name + rest);
    return std::filesystem::exists(plain) ? plain : folder / (name + rest + ".gz");
  };
  const auto images_path = file("-images-idx3-ubyte"), labels_path = file("-labels-idx1-ubyte");
  const auto shape = idx::read_images(images_path, gunzip).value();
  require(shape.height == digit_side && shape.width == digit_side, fault::shape, images_path.string(),
          ": images of ", shape.height, " x ", shape.width, ", expected ", digit_side, " x ", digit_side);
  auto rows = idx::read(images_path, labels_path, 10, gunzip).value();
  return {std::move(rows.features), std::move(rows.labels)};
}

/// Numerals of seven strokes, shifted, slanted and thickened at random, with noise; the same for a seed.
inline digit_images draw_digits(std::size_t count, std::uint64_t seed) {
  using namespace privet;
  struct stroke {
    float x0, y0, x1, y1;
  };
  // top, upper left, upper right, middle, lower left, lower right, bottom
  constexpr std::array<stroke, 7> strokes = {{{-4, -7, 4, -7},
                                              {-4, -7, -4, 0},
                                              {4, -7, 4, 0},
                                              {-4, 0, 4, 0},
                                              {-4, 0, -4, 7},
                                              {4, 0, 4, 7},
                                              {-4, 7, 4, 7}}};
  constexpr std::array<unsigned, 10> shown = {0b1110111, 0b0100100, 0b1011101, 0b1101101, 0b0101110,
                                              0b1101011, 0b1111011, 0b0100101, 0b1111111, 0b1101111};
  constexpr std::size_t side = digit_side;
  digit_images out{make_matrix<float>(count, side * side), {}};
  replayable_random source(seed, stream_id(purpose::split));
  const auto between = [&](float least, float most) { return least + (most - least) * uniform01(source); };
  for (std::size_t i = 0; i < count; ++i) {
    const auto digit = static_cast<std::size_t>(uniform_below(source, 10));
    const float right = between(-2, 2), down = between(-2, 2), slant = between(-0.2f, 0.2f),
                thick = between(0.8f, 1.6f), size = between(0.85f, 1.15f);
    const auto image = row(out.pixels, i);
    for (std::size_t p = 0; p < image.size(); ++p) {
      const float y = (static_cast<float>(p / side) - 13.5f - down) / size,
                  x = (static_cast<float>(p % side) - 13.5f - right) / size + slant * y;
      float nearest = 100;
      for (std::size_t s = 0; s < strokes.size(); ++s) {
        if (!(shown[digit] >> s & 1)) continue;
        const auto& [x0, y0, x1, y1] = strokes[s];
        const float dx = x - std::clamp(x, x0, x1),
                    dy = y - std::clamp(y, y0, y1); // each is level or upright
        nearest = std::min(nearest, std::sqrt(dx * dx + dy * dy));
      }
      image[p] = std::clamp(thick + 0.5f - nearest, 0.0f, 1.0f) * 0.9f + between(0, 0.1f);
    }
    out.labels.push_back(static_cast<std::int32_t>(digit));
  }
  return out;
}

/// The first and the other images.
inline std::pair<digit_images, digit_images> split_at(const digit_images& all, std::size_t first) {
  using namespace privet;
  const auto part = [&](std::size_t from, std::size_t to) {
    constexpr std::size_t pixels_each = digit_side * digit_side;
    digit_images out{make_matrix<float>(to - from, pixels_each), {}};
    const auto pixels = as_span(all.pixels).subspan(from * pixels_each, out.pixels.size());
    std::ranges::copy(pixels, as_span(out.pixels).begin());
    out.labels.assign(all.labels.begin() + static_cast<std::ptrdiff_t>(from),
                      all.labels.begin() + static_cast<std::ptrdiff_t>(to));
    return out;
  };
  return {part(0, first), part(first, all.rows())};
}

/// Training and test images; for `validate` the last sixth of the training images instead of the test
/// images, which are then not even read.
inline digit_study study_of(const std::string& data, bool validate, std::uint64_t seed) {
  using namespace privet;
  const bool drawn = data == "synthetic";
  digit_study out{drawn ? draw_digits(6000, seed) : read_digits(data, "train"), {}, {}};
  if (validate) {
    const std::size_t held_out = out.train.rows() / 6; // 10,000 of MNIST
    require(held_out > 0, fault::argument, data, ": ", out.train.rows(),
            " training images, expected at least 6 to hold some out");
    std::tie(out.train, out.test) = split_at(out.train, out.train.rows() - held_out);
    out.tested_on = concat("last ", held_out, " training images, held out");
    return out;
  }
  out.test = drawn ? draw_digits(1000, seed + 0x9E3779B97F4A7C15) : read_digits(data, "t10k");
  out.tested_on = concat(out.test.rows(), " test images");
  return out;
}

} // namespace apps
