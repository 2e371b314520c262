#include "support/catch.hpp"

#include <privet/core/parallel.hpp>
#include <privet/data/augment.hpp>

#include "fixtures/augment.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

using namespace privet;

namespace {

/// An image whose pixels are all different and none 0.
std::vector<float> numbered(const image_shape& shape) {
  std::vector<float> all(shape.size());
  std::iota(all.begin(), all.end(), 1.f);
  for (float& x : all) x /= static_cast<float>(all.size());
  return all;
}

/// A pixel of a line that goes on beyond its ends; the way of each border is spelt out.
std::ptrdiff_t beyond(std::ptrdiff_t at, std::ptrdiff_t n, image_border border) {
  while (at < 0 || at >= n) {
    if (border == image_border::zeros) return -1;
    if (border == image_border::edge)
      at += at < 0 ? 1 : -1;
    else
      at = at < 0 ? -at : n - 1 - (at - (n - 1));
  }
  return at;
}

std::vector<float> cropped(const std::vector<float>& in, const image_shape& from, const image_shape& to,
                           std::ptrdiff_t dy, std::ptrdiff_t dx, image_border border, bool flip) {
  std::vector<float> out;
  for (std::size_t c = 0; c < to.channels; ++c)
    for (std::size_t y = 0; y < to.height; ++y)
      for (std::size_t i = 0; i < to.width; ++i) {
        const std::size_t x = flip ? to.width - 1 - i : i;
        const auto py = beyond(static_cast<std::ptrdiff_t>(y) + dy, static_cast<std::ptrdiff_t>(from.height),
                               border),
                   px = beyond(static_cast<std::ptrdiff_t>(x) + dx, static_cast<std::ptrdiff_t>(from.width),
                               border);
        out.push_back(py < 0 || px < 0 ? 0
                                       : in[(c * from.height + static_cast<std::size_t>(py)) * from.width +
                                            static_cast<std::size_t>(px)]);
      }
  return out;
}

template <class T, std::size_t N>
std::vector<float> row_of(const T (&values)[N]) {
  return {values, values + N};
}

} // namespace

TEST_CASE("an augmentation without options changes nothing") {
  const image_shape shape{3, 4, 5};
  const auto in = numbered(shape);
  std::vector<float> out(in.size());
  augmentation(shape, {})(std::span(in), {.seed = 1, .example = 7}, std::span(out));
  CHECK(out == in);
  augmentation(shape, {.flip = 1})(std::span(in), {.seed = 1, .example = 7}, std::span(out));
  CHECK(out == cropped(in, shape, shape, 0, 0, image_border::zeros, true));
}

TEST_CASE("crops and flips are those of the padded image, each as often as it should be") {
  const image_shape from{3, 5, 4};
  const auto in = numbered(from);
  constexpr int rounds = 21'000;
  for (const auto border : {image_border::zeros, image_border::mirror, image_border::edge})
    for (const std::size_t height : {5u, 3u}) {
      const augmentation change(from, {.flip = 0.25, .padding = 2, .border = border, .height = height});
      CHECK(change.shape() == image_shape{3, height, 4});
      std::map<std::vector<float>, int> counts;
      std::vector<float> out(change.shape().size());
      for (std::uint32_t i = 0; i < rounds; ++i) {
        change(std::span(in), {.seed = 5, .step = i % 3, .example = i / 3}, std::span(out));
        ++counts[out];
      }
      const std::ptrdiff_t tops = static_cast<std::ptrdiff_t>(5 + 4 - height + 1), lefts = 5;
      std::map<std::vector<float>, double> expected; // mirrored, two ways may look the same
      for (std::ptrdiff_t top = 0; top < tops; ++top)
        for (std::ptrdiff_t left = 0; left < lefts; ++left)
          for (const bool flip : {false, true})
            expected[cropped(in, from, change.shape(), top - 2, left - 2, border, flip)] +=
                rounds * (flip ? 0.25 : 0.75) / static_cast<double>(tops * lefts);
      double chi_squared = 0;
      int found = 0;
      for (const auto& [image, often] : expected) {
        const int count = counts[image];
        chi_squared += (count - often) * (count - often) / often;
        found += count;
      }
      CHECK(found == rounds); // every output is one of the crops
      // Chi squared with k - 1 degrees of freedom; six deviations: fixed coins, and below 1e-7 for others.
      const double degrees = static_cast<double>(expected.size() - 1);
      CHECK(chi_squared < degrees + 6 * std::sqrt(2 * degrees));
    }
}

TEST_CASE("an augmented image belongs to seed, step, example and copy, not to the batch") {
  const image_shape shape{1, 6, 6};
  std::vector<float> rows;
  for (int i = 0; i < 10; ++i)
    for (const float x : numbered(shape)) rows.push_back(x / static_cast<float>(i + 1));
  const rows_view<float> data{rows.data(), 10, 36};
  const augmentation change(shape, {.flip = 0.5, .padding = 2, .brightness = 0.4, .contrast = 0.4});
  const std::vector<std::uint32_t> batch{3, 9, 0, 3, 5};
  constexpr std::size_t copies = 3;
  std::vector<float> whole(batch.size() * copies * 36), other(whole.size());
  change(data, std::span(batch), 7, 11, std::span(whole), copies);

  // Row by row, from the last to the first, on three threads.
  for_each_parallel(batch.size(), 3, [&](std::size_t i) {
    const std::size_t at = batch.size() - 1 - i;
    change(data, std::span(batch).subspan(at, 1), 7, 11,
           std::span(other).subspan(at * copies * 36, copies * 36), copies);
  });
  CHECK(other == whole);
  const auto copy = [&](std::size_t i, std::size_t k) {
    return std::vector<float>(whole.begin() + static_cast<std::ptrdiff_t>((i * copies + k) * 36),
                              whole.begin() + static_cast<std::ptrdiff_t>((i * copies + k + 1) * 36));
  };
  CHECK(copy(0, 2) == copy(3, 2)); // the same row
  CHECK(copy(0, 0) != copy(0, 1));
  change(data, std::span(batch), 7, 12, std::span(other), copies);
  CHECK(other != whole);
  change(data, std::span(batch), 8, 11, std::span(other), copies);
  CHECK(other != whole);
  change(data, std::span(batch), 7, 11 + (std::uint64_t{1} << 32), std::span(other), copies);
  CHECK(other != whole);
}

TEST_CASE("brightness, contrast and saturation are torchvision's") {
  using namespace privet::test::augment;
  const image_shape colour{3, 3, 4}, gray{1, 3, 4};
  for (std::size_t i = 0; i < std::size(factors); ++i) {
    const auto near = [](const std::vector<float>& ours, const float* theirs) {
      for (std::size_t j = 0; j < ours.size(); ++j)
        if (std::abs(ours[j] - theirs[j]) > 2e-6f) return false;
      return true;
    };
    CAPTURE(factors[i]);
    auto image = row_of(pixels);
    adjust_brightness(std::span(image), factors[i]);
    CHECK(near(image, brightness[i]));
    image = row_of(pixels);
    adjust_contrast(std::span(image), colour, factors[i]);
    CHECK(near(image, contrast[i]));
    image = row_of(pixels);
    adjust_saturation(std::span(image), colour, factors[i]);
    CHECK(near(image, saturation[i]));
    image = row_of(gray_pixels);
    adjust_contrast(std::span(image), gray, factors[i]);
    CHECK(near(image, gray_contrast[i]));
  }
}

TEST_CASE("factors of light are spread evenly over their range") {
  const image_shape one{1, 1, 1};
  const augmentation change(one, {.brightness = 0.5});
  const float half = 0.5f;
  double sum = 0, squares = 0, least = 2, most = 0;
  constexpr int rounds = 20'000;
  for (std::uint32_t i = 0; i < rounds; ++i) {
    float out = 0;
    change(std::span(&half, 1), {.seed = 3, .example = i}, std::span(&out, 1));
    const double f = static_cast<double>(out) / 0.5;
    sum += f, squares += f * f;
    least = std::min(least, f), most = std::max(most, f);
  }
  const double mean = sum / rounds, deviation = std::sqrt(squares / rounds - mean * mean);
  CHECK(mean == Approx(1).margin(6 * 0.29 / std::sqrt(rounds)));
  CHECK(deviation == Approx(1 / std::sqrt(12.0)).epsilon(0.02));
  CHECK(least >= 0.5);
  CHECK(least < 0.501);
  CHECK(most <= 1.5);
  CHECK(most > 1.499);
}

TEST_CASE("an augmentation refuses what it cannot do") {
  const image_shape shape{1, 4, 6};
  CHECK_THROWS_AS(augmentation(image_shape{2, 4, 6}, augment_options{}), exception);
  CHECK_THROWS_AS(augmentation(image_shape{}, augment_options{}), exception);
  const auto refuses = [&](const augment_options& how) {
    try {
      augmentation(shape, how);
    } catch (const exception& why) {
      return why.kind() == fault::argument;
    }
    return false;
  };
  CHECK(refuses({.flip = 1.5}));
  CHECK(refuses({.flip = std::nan("")}));
  CHECK(refuses({.height = 5}));
  CHECK(refuses({.padding = 1, .width = 9}));
  CHECK(refuses({.padding = 4, .border = image_border::mirror}));
  CHECK(refuses({.brightness = -0.1}));
  CHECK(refuses({.contrast = 1.1}));
  CHECK(refuses({.saturation = 0.1})); // of gray
  CHECK_FALSE(refuses({.padding = 4}));

  const augmentation change(shape, {});
  std::vector<float> in(24), out(25);
  CHECK_THROWS_AS(change(std::span<const float>(in), augment_coins{}, std::span(out)), exception);
  const std::vector<std::uint32_t> beyond_all{1};
  CHECK_THROWS_AS(
      change(rows_view<float>{in.data(), 1, 24}, std::span(beyond_all), 1, 1, std::span(out).first(24)),
      exception);
}
