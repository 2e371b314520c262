#include "support/catch.hpp"

#include <privet/data/scattering.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include "fixtures/scattering.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace privet;

template <class T, class Arch, std::size_t Pixels, std::size_t Coefficients>
void compare_with_numpy(std::size_t height, std::size_t width, scattering_options options,
                        const std::int32_t (&pixels)[Pixels], const double (&expected)[Coefficients]) {
  const scattering_2d<T, Arch> transform(height, width, options);
  REQUIRE(height * width == Pixels);
  REQUIRE(transform.size() == Coefficients);
  std::vector<T> image(Pixels), found(Coefficients);
  for (std::size_t i = 0; i < Pixels; ++i) image[i] = static_cast<T>(pixels[i]) / 256;
  transform(std::span<const T>(image), std::span<T>(found));
  double worst = 0;
  for (std::size_t i = 0; i < Coefficients; ++i)
    worst = std::max(worst, std::abs(static_cast<double>(found[i]) - expected[i]));
  CHECK(worst < (std::same_as<T, float> ? 1e-6 : 1e-10)); // the fixture holds 11 decimals
}

template <class T, class Arch>
void compare_all() {
  using namespace test::scattering;
  compare_with_numpy<T, Arch>(28, 28, {}, ring, ring_coefficients);
  compare_with_numpy<T, Arch>(12, 20, {}, noise, noise_coefficients);
  compare_with_numpy<T, Arch>(16, 24, {.scales = 3, .angles = 6}, waves, waves_coefficients);
}

template <class T>
matrix<T> random_images(std::size_t count, std::size_t pixels, std::uint64_t seed) {
  auto out = make_matrix<T>(count, pixels);
  replayable_random source(seed, 0);
  for (auto& x : as_span(out)) x = uniform01<T>(source);
  return out;
}

template <class F>
std::string complaint_of(F f) {
  try {
    f();
  } catch (const exception& why) {
    return why.what();
  }
  return {};
}

} // namespace

TEST_CASE("scattering coefficients equal NumPy's, in float and double, with and without vectors") {
  compare_all<float, simd::default_arch>();
  compare_all<double, simd::default_arch>();
  compare_all<float, simd::scalar>();
  compare_all<double, simd::scalar>();
}

TEST_CASE("28 x 28 pixels have 81 channels of 7 x 7") {
  const scattering_2d<> s(28, 28);
  CHECK(s.channels() == 81);
  CHECK(s.out_height() == 7);
  CHECK(s.out_width() == 7);
  CHECK(s.size() == 3969);
}

TEST_CASE("the coefficients of an image do not depend on threads or on the images beside it") {
  const scattering_2d<> s(12, 16);
  const auto images = random_images<float>(601, 12 * 16, 3); // more than two pieces of work, and a rest
  const rows_view<float> view{images.data(), 601, 12 * 16};
  const auto one = s(view), three = s(view, 3);
  CHECK(std::ranges::equal(as_span(one), as_span(three)));
  for (const std::size_t i : {0u, 5u, 311u, 600u}) {
    std::vector<float> alone(s.size());
    s(view.row(i), std::span<float>(alone));
    CHECK(std::ranges::equal(alone, row(one, i)));
  }
}

TEST_CASE("an image without edges has order 0 alone, and contrast is a factor") {
  const scattering_2d<double> s(16, 16);
  const std::size_t place = s.out_height() * s.out_width();
  std::vector<double> flat(256, 3.0), out(s.size());
  s(std::span<const double>(flat), std::span<double>(out));
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::abs(out[i] - (i < place ? 3.0 : 0.0)) < 1e-6);

  const auto image = random_images<double>(1, 256, 4);
  auto doubled = image;
  for (auto& x : as_span(doubled)) x *= 2;
  const auto once = s({image.data(), 1, 256}), twice = s({doubled.data(), 1, 256});
  for (std::size_t i = 0; i < s.size(); ++i) CHECK(twice.data()[i] == 2 * once.data()[i]);
}

TEST_CASE("a transposed image has its coefficients transposed and its directions mirrored") {
  constexpr std::size_t side = 20, angles = 8;
  const scattering_2d<double> s(side, side);
  const auto image = random_images<double>(1, side * side, 5);
  auto turned = image;
  for (std::size_t y = 0; y < side; ++y)
    for (std::size_t x = 0; x < side; ++x) turned.data()[x * side + y] = image.data()[y * side + x];
  const auto a = s({image.data(), 1, side * side}), b = s({turned.data(), 1, side * side});
  // Angle a is (3 - a) of 8 in a half turn; mirrored at the diagonal, 4 - (3 - a) of 8, which is angle 2 - a.
  const auto mirrored = [&](std::size_t l) { return (2 + angles - l) % angles; };
  const std::size_t n = s.out_height(), place = n * n;
  const auto compare = [&](std::size_t channel, std::size_t other) {
    for (std::size_t y = 0; y < n; ++y)
      for (std::size_t x = 0; x < n; ++x)
        CHECK(std::abs(a.data()[channel * place + y * n + x] - b.data()[other * place + x * n + y]) < 1e-12);
  };
  compare(0, 0);
  for (std::size_t j = 0; j < 2; ++j)
    for (std::size_t l = 0; l < angles; ++l) compare(1 + j * angles + l, 1 + j * angles + mirrored(l));
  for (std::size_t l = 0; l < angles; ++l)
    for (std::size_t k = 0; k < angles; ++k)
      compare(17 + l * angles + k, 17 + mirrored(l) * angles + mirrored(k));
}

TEST_CASE("an image of several channels has the coefficients of each, one after another") {
  const scattering_2d<> gray(8, 12), colour({3, 8, 12});
  CHECK(colour.channels() == 3 * 81);
  CHECK(colour.size() == 3 * gray.size());
  const std::size_t count = 37, pixels = 8 * 12; // 111 channels: no whole number of vectors
  const auto images = random_images<float>(count, 3 * pixels, 9);
  const auto found = colour({images.data(), count, 3 * pixels}, 2);
  REQUIRE((rows(found) == count && columns(found) == colour.size()));
  std::vector<float> alone(gray.size());
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      gray(std::span<const float>(images.data() + (3 * i + c) * pixels, pixels), std::span<float>(alone));
      CHECK(std::ranges::equal(alone, row(found, i).subspan(c * gray.size(), gray.size())));
    }
}

TEST_CASE("a pixel that is no number spoils its own image only") {
  const scattering_2d<> s(8, 8);
  auto images = random_images<float>(20, 64, 6);
  const auto before = s({images.data(), 20, 64});
  images.data()[7 * 64 + 30] = std::numeric_limits<float>::quiet_NaN();
  const auto after = s({images.data(), 20, 64});
  for (std::size_t i = 0; i < 20; ++i)
    if (i == 7)
      CHECK(std::ranges::all_of(row(after, i), [](float x) { return std::isnan(x); }));
    else
      CHECK(std::ranges::equal(row(after, i), row(before, i)));
}

TEST_CASE("sizes that cannot be scattered are refused with both sides") {
  CHECK(complaint_of([] { scattering_2d<>(28, 30); }) ==
        "[N003 shape] scattering_2d: images of 28 x 30, expected multiples of 4 from 8 on for 2 scales");
  CHECK(complaint_of([] { scattering_2d<>(4, 28); }).starts_with("[N003 shape]"));
  CHECK(complaint_of([] { scattering_2d<>(0, 0); }).starts_with("[N003 shape]"));
  CHECK(complaint_of([] { scattering_2d<>(8192, 8); }).starts_with("[N003 shape]"));
  CHECK(complaint_of([] {
          scattering_2d<>({0, 8, 8});
        }) == "[N003 shape] scattering_2d: images of 0 channels, expected 1 to 4096");
  CHECK(complaint_of([] { scattering_2d<>({3, image_shape::unknown, 8}); }).starts_with("[N003 shape]"));
  CHECK(complaint_of([] { scattering_2d<>(28, 28, {.scales = 0}); }).starts_with("[N001 argument]"));
  CHECK(
      complaint_of([] { scattering_2d<>(28, 28, {.angles = 65}); }) ==
      "[N001 argument] scattering_2d: got 2 scales and 65 angles, expected 1 to 8 scales and 1 to 64 angles");
  const scattering_2d<> s(8, 8);
  std::vector<float> pixels(64), out(s.size() - 1);
  CHECK(complaint_of([&] {
          s({pixels.data(), 1, 63});
        }) == "[N003 shape] scattering_2d: rows of 63 pixels, expected 8 x 8 = 64");
  const scattering_2d<> colour({3, 8, 8});
  CHECK(complaint_of([&] {
          colour({pixels.data(), 1, 64});
        }) == "[N003 shape] scattering_2d: rows of 64 pixels, expected 3 x 8 x 8 = 192");
  CHECK(complaint_of([&] { s(std::span<const float>(pixels), std::span<float>(out)); }) ==
        "[N003 shape] scattering_2d: room for 323 coefficients, expected 324");
}

TEST_CASE("one scale has no second order") {
  const scattering_2d<> s(8, 8, {.scales = 1, .angles = 4});
  CHECK(s.channels() == 5);
  const auto images = random_images<float>(1, 64, 8);
  const auto found = s({images.data(), 1, 64});
  CHECK(std::ranges::all_of(as_span(found), [](float x) { return x > 0; }));
}

TEST_CASE("groups of channels are brought to mean 0 and deviation 1, a flat one to 0") {
  std::vector<double> x = {1, 3, 5, 5, -2, 2};
  normalise_groups(std::span<double>(x), 3);
  const double one = 1 / std::sqrt(1 + 1e-5), two = 2 / std::sqrt(4 + 1e-5);
  CHECK(x == std::vector<double>{-one, one, 0, 0, -two, two});
  CHECK(complaint_of([&] { normalise_groups(std::span<double>(x), 4); }) ==
        "[N003 shape] normalise_groups: a row of 6 numbers, expected a multiple of its 4 groups");
  CHECK(complaint_of([&] { normalise_groups(std::span<double>(x), 0); }).starts_with("[N001 argument]"));
}
