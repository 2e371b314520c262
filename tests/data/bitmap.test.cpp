#include "support/images.hpp"

#include <privet/data/bitmap.hpp>

using namespace privet;
using privet::test::fixture, privet::test::furthest;

TEST_CASE("an image becomes gray by Pillow's integers, and colour by repetition") {
  const bitmap colour = fixture("colour.ppm"), gray = fixture("gray.pgm");
  CHECK(furthest(with_channels(colour, 1), gray) == 0);
  CHECK(furthest(with_channels(gray, 1), gray) == 0);
  const bitmap again = with_channels(gray, 3);
  CHECK(again.channels == 3);
  CHECK(again.pixels.size() == 3 * gray.pixels.size());
  for (std::size_t i = 0; i < again.pixels.size(); ++i) REQUIRE(again.pixels[i] == gray.pixels[i / 3]);
  CHECK_THROWS_AS(with_channels(gray, 2), exception);
}

TEST_CASE("resized images are Pillow's to the byte") {
  struct {
    std::size_t height, width;
  } sizes[] = {{13, 20}, {5, 7}, {26, 31}, {1, 1}, {13, 8}, {6, 20}};
  for (const auto& size : sizes)
    for (const char* name : {"colour.ppm", "gray.pgm"}) {
      const std::string_view file = name;
      const std::size_t dot = file.find('.');
      const auto expected =
          fixture(concat(file.substr(0, dot), ".stretch.", size.height, 'x', size.width, file.substr(dot)));
      CAPTURE(name, size.height, size.width);
      CHECK(furthest(resize(fixture(name), size.height, size.width), expected) == 0);
    }
}

TEST_CASE("covering another aspect is torchvision's resize and centre crop to the byte") {
  struct {
    const char* name;
    std::size_t height, width;
  } cases[] = {{"colour", 8, 8},  {"colour", 5, 5}, {"colour", 16, 16},
               {"colour", 4, 12}, {"colour", 9, 3}, {"tall", 6, 6}};
  for (const auto& c : cases) {
    CAPTURE(c.name, c.height, c.width);
    CHECK(furthest(resize(fixture(concat(c.name, ".ppm")), c.height, c.width, image_fit::cover),
                   fixture(concat(c.name, ".cover.", c.height, 'x', c.width, ".ppm"))) == 0);
  }
}

TEST_CASE("an image that is all one colour stays so at every size, and a thin one takes little memory") {
  const bitmap flat{3, 5, 1, std::vector<std::uint8_t>(15, 201)};
  for (const std::size_t n : {1u, 2u, 3u, 7u, 40u})
    for (const auto value : resize(flat, n, 2 * n, image_fit::cover).pixels) REQUIRE(value == 201);
  // Covering 32 x 32 would be 32 x 6,400,000 as a whole: only the middle is computed.
  const bitmap line{1, 200'000, 1, std::vector<std::uint8_t>(200'000, 7)};
  const bitmap middle = resize(line, 32, 32, image_fit::cover);
  CHECK(middle.pixels == std::vector<std::uint8_t>(1024, 7));
}

TEST_CASE("an image becomes a row by channel, row and column") {
  const bitmap two{1, 2, 3, {255, 51, 0, 102, 0, 255}};
  std::vector<float> row(6);
  to_row(two, row);
  CHECK(row == std::vector<float>{1, 0.4f, 0.2f, 0, 0, 1});
  std::vector<float> longer(7);
  CHECK_THROWS_AS(to_row(two, longer), exception);
  CHECK_THROWS_AS(resize(two, 0, 3), exception);
  CHECK_THROWS_AS(resize(bitmap(), 3, 3), exception);
}
