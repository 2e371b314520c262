#include "support/data.hpp"
#include "support/images.hpp"

#include <privet/data/image_file.hpp>
#include <privet/data/image_folder.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

using namespace privet;
using namespace std::string_view_literals;
using privet::test::fixture, privet::test::furthest, privet::test::image_bytes;

namespace {

constexpr const char* all_png[] = {"colour.png",  "gray.png",  "interlaced.png", "palette.png",
                                   "one_bit.png", "alpha.png", "deep.png"};
constexpr const char* all_jpeg[] = {"jpeg.jpg", "progressive.jpg", "jpeg_gray.jpg"};

error refused(std::span<const std::byte> bytes, const image_limits& limits = {}) {
  return decode_image(bytes, limits).error();
}

/// The first bytes of a file.
std::vector<std::byte> part_of(std::string_view name, std::size_t length) {
  auto bytes = image_bytes(name);
  bytes.resize(length);
  return bytes;
}

/// The file with these bytes written over it at `at`.
std::vector<std::byte> with(std::vector<std::byte> file, std::size_t at, std::string_view over) {
  std::ranges::copy(bytes_of(over), file.begin() + static_cast<std::ptrdiff_t>(at));
  return file;
}

/// Where the bytes of a JPEG say its height, then its width.
std::size_t jpeg_size_at(std::span<const std::byte> file) {
  for (std::size_t i = 0; i + 9 < file.size(); ++i)
    if (file[i] == std::byte{0xff} && (file[i + 1] == std::byte{0xc0} || file[i + 1] == std::byte{0xc2}))
      return i + 5;
  return 0;
}

} // namespace

TEST_CASE("PNG in every form is what Pillow reads") {
  struct {
    const char *file, *pixels;
  } cases[] = {{"colour.png", "colour.ppm"},     {"gray.png", "gray.pgm"},
               {"interlaced.png", "colour.ppm"}, {"palette.png", "palette.ppm"},
               {"one_bit.png", "one_bit.pgm"},   {"alpha.png", "colour.ppm"},
               {"deep.png", "gray.pgm"}};
  for (const auto& c : cases) {
    CAPTURE(c.file);
    CHECK(furthest(decode_image(image_bytes(c.file)).value(), fixture(c.pixels)) == 0);
  }
  CHECK(furthest(decode_image(image_bytes("colour.ppm")).value(), fixture("colour.ppm")) == 0);
}

TEST_CASE("JPEG, baseline and progressive, is what Pillow reads within the rounding of two libraries") {
  struct {
    const char *file, *pixels;
  } cases[] = {
      {"jpeg.jpg", "jpeg.ppm"}, {"progressive.jpg", "progressive.ppm"}, {"jpeg_gray.jpg", "jpeg_gray.pgm"}};
  for (const auto& c : cases) {
    CAPTURE(c.file);
    const int distance = furthest(decode_image(image_bytes(c.file)).value(), fixture(c.pixels));
    CHECK(distance >= 0);
    CHECK(distance <= 2);
  }
}

TEST_CASE("an image that is cut short anywhere is an error") {
  for (const auto& files : {std::span<const char* const>(all_png), std::span<const char* const>(all_jpeg)})
    for (const char* name : files) {
      const auto whole = image_bytes(name);
      CAPTURE(name);
      for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto read = decode_image(std::span(whole).first(length));
        INFO(length << " of " << whole.size());
        REQUIRE_FALSE(read);
        REQUIRE(read.error().kind == fault::format);
      }
    }
  CHECK(refused(part_of("colour.png", 400)).message == "[N004 format] image: a damaged PNG: cut short");
  CHECK(refused(part_of("jpeg.jpg", 700)).message ==
        "[N004 format] image: a damaged JPEG: Premature end of JPEG file");
}

TEST_CASE("what is no image, or none of ours, is named") {
  CHECK(refused({}).message == "[N004 format] image: 0 bytes, expected PNG, JPEG, or PGM and PPM in bytes");
  CHECK(decode_image(bytes_of("Dear diary"), {}, "cat.png").error().message ==
        "[N004 format] cat.png: starts with the bytes 44 65 61 72, expected PNG, JPEG, or PGM and PPM in "
        "bytes");
  CHECK(refused(bytes_of("GIF89a......")).message ==
        "[N011 unsupported] image: a file in GIF, expected PNG, JPEG, or PGM and PPM in bytes");
  CHECK(refused(bytes_of("RIFF....WEBPVP8 ")).kind == fault::unsupported);
  CHECK(refused(bytes_of("II*\0...."sv)).kind == fault::unsupported);
  CHECK(refused(image_bytes("cmyk.jpg")).message ==
        "[N011 unsupported] image: a CMYK JPEG (4 components), expected gray or RGB (1 or 3): convert it "
        "first");
  CHECK(decode_png(image_bytes("jpeg.jpg")).error().kind == fault::unsupported);
  CHECK(decode_jpeg(image_bytes("colour.png")).error().kind == fault::unsupported);
}

TEST_CASE("a header that claims a huge image gets no memory") {
  const auto png = image_bytes("colour.png"), jpeg = image_bytes("jpeg.jpg"),
             slow = image_bytes("progressive.jpg");
  CHECK(refused(with(png, 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff")).message ==
        "[N011 unsupported] image: claims 2147483647 x 2147483647 pixels, at most 65536 to a side are read");
  CHECK(refused(with(png, 16, "\0\0\xff\xff\0\0\xff\xff"sv)).message ==
        "[N011 unsupported] image: claims 65535 x 65535 pixels, at most 67108864 are read");
  CHECK(refused(with(png, 16, "\0\0\x1f\xff\0\0\x1f\xff"sv)).message ==
        concat("[N004 format] image: claims 8191 x 8191 pixels, which ", png.size(), " bytes cannot hold"));
  CHECK(refused(with(png, 16, "\0\0\0\0"sv)).kind == fault::format);
  // Within what the bytes could hold: an error, but only once they are at their end.
  CHECK(refused(with(png, 16, "\0\0\1\0\0\0\1\0"sv)).kind == fault::format);

  REQUIRE(jpeg_size_at(jpeg) > 0);
  REQUIRE(jpeg_size_at(slow) > 0);
  CHECK(refused(with(jpeg, jpeg_size_at(jpeg), "\xfe\xff\xfe\xff")).kind == fault::unsupported);
  CHECK(refused(with(slow, jpeg_size_at(slow), "\x1f\xff\x1f\xff")).message ==
        concat("[N004 format] image: claims 8191 x 8191 pixels, which ", slow.size(), " bytes cannot hold"));
  CHECK(refused(with(jpeg, jpeg_size_at(jpeg), "\1\0\1\0"sv)).kind == fault::format);
  CHECK(refused(png, {.most_pixels = 259}).kind == fault::unsupported);
  CHECK(refused(jpeg, {.most_pixels = 259}).kind == fault::unsupported);
  CHECK(decode_image(png, {.most_pixels = 260}));
}

TEST_CASE("damaged images are images or errors, never a crash") {
  replayable_random coins(11);
  std::size_t refusals = 0;
  for (const auto& files : {std::span<const char* const>(all_png), std::span<const char* const>(all_jpeg)})
    for (const char* name : files)
      for (int round = 0; round < 60; ++round) {
        auto bytes = image_bytes(name);
        for (int i = 0; i < 3; ++i)
          bytes[uniform_below(coins, bytes.size())] = static_cast<std::byte>(uniform_below(coins, 256));
        const auto read = decode_image(bytes, {.most_pixels = 1 << 16});
        if (read)
          REQUIRE(read->pixels.size() == read->height * read->width * read->channels);
        else
          ++refusals;
      }
  CHECK(refusals > 300); // of 600
}

TEST_CASE("a folder may hold images of every form") {
  const scratch_folder folder;
  const auto copy = [&](const char* name, const std::string& to) {
    const auto bytes = image_bytes(name);
    return folder.write(to, text_of(bytes));
  };
  copy("colour.png", "cats/a.png");
  copy("jpeg.jpg", "cats/b.JPG");
  copy("colour.ppm", "dogs/c.ppm");
  copy("gray.png", "dogs/d.png");
  const auto d = image_folder::read(folder.path(), {.shape = {3, 13, 20}}, decode_image).value();
  d.check();
  CHECK(d.labels == std::vector<std::int32_t>{0, 0, 1, 1});
  CHECK(std::ranges::equal(row(d.features, 0), row(d.features, 2)));
  std::vector<float> gray(780);
  to_row(with_channels(fixture("gray.pgm"), 3), gray);
  CHECK(std::ranges::equal(row(d.features, 3), gray));

  const auto bad = copy("cmyk.jpg", "dogs/bad.jpg");
  const auto refusal = image_folder::read(folder.path(), {}, decode_image).error();
  CHECK(refusal.kind == fault::unsupported);
  CHECK(refusal.message.find(concat(bad.string(), ": a CMYK JPEG")) != std::string::npos);
}
