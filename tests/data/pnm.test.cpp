#include "support/catch.hpp"

#include <privet/core/bytes.hpp>
#include <privet/data/pnm.hpp>

using namespace privet;
using namespace std::string_view_literals;

namespace {

error refused(std::string_view bytes, const image_limits& limits = {}) {
  return decode_pnm(bytes_of(bytes), limits).error();
}

} // namespace

TEST_CASE("PGM and PPM in bytes are read") {
  const bitmap gray = decode_pnm(bytes_of("P5\n# a comment\n3 2\n255\n\x00\x01\x02\xfd\xfe\xff"sv)).value();
  CHECK(gray.height == 2);
  CHECK(gray.width == 3);
  CHECK(gray.channels == 1);
  CHECK(gray.pixels == std::vector<std::uint8_t>{0, 1, 2, 253, 254, 255});
  const bitmap colour = decode_pnm(bytes_of("P6 1 2 #one wide\n 255\tabcdef")).value();
  CHECK(colour.channels == 3);
  CHECK(colour.height == 2);
  CHECK(colour.pixels == std::vector<std::uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'});
}

TEST_CASE("PGM values are scaled by the largest, in one byte or two") {
  CHECK(decode_pnm(bytes_of("P5 4 1 3\n\0\1\2\3"sv)).value().pixels ==
        std::vector<std::uint8_t>{0, 85, 170, 255});
  CHECK(decode_pnm(bytes_of("P5 3 1 65535\n\0\0\x01\x01\xff\xff"sv)).value().pixels ==
        std::vector<std::uint8_t>{0, 1, 255});
}

TEST_CASE("a damaged PGM is an error with place and both sides") {
  CHECK(refused("").message == "[N004 format] PNM: 0 bytes, expected PGM or PPM in bytes (P5, P6)");
  CHECK(refused("hello").message ==
        "[N004 format] PNM: starts with the bytes 68 65 6c 6c, expected PGM or PPM in bytes (P5, P6)");
  CHECK(refused("P2 1 1 255 0").kind == fault::unsupported);
  CHECK(refused("\x89PNG\r\n\x1a\n").message ==
        "[N011 unsupported] PNM: a file in PNG, expected PGM or PPM in bytes (P5, P6)");
  CHECK(refused("P5").message == "[N004 format] PNM, byte 2: expected the width, a number below 2^31");
  CHECK(refused("P5 3 -1 255 ").message ==
        "[N004 format] PNM, byte 5: expected the height, a number below 2^31");
  CHECK(refused("P5 99999999999999999999 1 255 ").kind == fault::format);
  CHECK(refused("P5 1 1 0\nx").kind == fault::format);
  CHECK(refused("P5 1 1 65536\nx").kind == fault::format);
  CHECK(refused("P5 0 1 255\n").kind == fault::format);
  CHECK(refused("P5 1 1 255").kind == fault::format);
  CHECK(refused("P5 3 2 255\nabcde").message ==
        "[N004 format] PNM: 5 bytes of pixels, expected 6 for 3 x 2 of 1");
  CHECK(refused("P6 3 2 255\nabcdeabcdeabcdeabcde").kind == fault::format);
  CHECK(refused("P5 1 1 255\nab").message ==
        "[N004 format] PNM: 2 bytes of pixels, expected 1 for 1 x 1 of 1");
  CHECK(refused("P5 2 1 7\n\7\x08"sv).message ==
        "[N004 format] PNM, byte 10: value 8, its header says at most 7");
  CHECK(refused("P5 2147483647 2147483647 255\nx").message ==
        "[N011 unsupported] PNM: claims 2147483647 x 2147483647 pixels, at most 65536 to a side are read");
  CHECK(refused("P5 60000 1000 255\nx").message ==
        "[N004 format] PNM: claims 60000 x 1000 pixels, which 19 bytes cannot hold");
  CHECK(refused("P5 3 2 255\nabcdef", {.most_pixels = 5}).kind == fault::unsupported);
}
