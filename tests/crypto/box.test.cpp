#include "support/catch.hpp"

#include <privet/core/bytes.hpp>
#include <privet/crypto/box.hpp>
#include <privet/random/system.hpp>

#include <vector>

using namespace privet;

namespace {

std::vector<std::byte> bytes(std::size_t size, unsigned first) {
  std::vector<std::byte> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}

} // namespace

TEST_CASE("a box opens with its key in its context, and in no other way") {
  system_random source;
  const auto key = bytes(box_key_bytes, 1), other = bytes(box_key_bytes, 2), context = bytes(7, 3);
  for (const std::size_t size : {0u, 1u, 64u, 1000u}) {
    const auto plain = bytes(size, 9);
    const auto box = shut_box(key, context, plain, source);
    REQUIRE(box.size() == size + box_extra_bytes);
    REQUIRE(open_box(key, context, box).value() == plain);
    CHECK(open_box(other, context, box).error().kind == fault::message);
    CHECK(open_box(key, bytes(7, 4), box).error().kind == fault::message);
    for (std::size_t i = 0; i < box.size(); i += 1 + box.size() / 50) {
      auto changed = box;
      changed[i] ^= std::byte{1};
      CHECK_FALSE(open_box(key, context, changed));
    }
    for (std::size_t cut = 0; cut < box.size(); cut += 1 + box.size() / 50)
      CHECK_FALSE(open_box(key, context, std::span(box).first(cut)));
  }
  CHECK_THROWS_WITH(open_box(bytes(31, 0), context, bytes(99, 0)), Catch::Matchers::Contains("31 bytes"));
}

TEST_CASE("two boxes of the same bytes have nothing in common") {
  system_random source;
  const auto key = bytes(box_key_bytes, 1), plain = bytes(40, 0);
  const auto a = shut_box(key, {}, plain, source), b = shut_box(key, {}, plain, source);
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i];
  CHECK(same < a.size() / 4);
}

// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
TEST_CASE("boxes are XChaCha20-Poly1305") {
  const auto key = bytes(32, 0x80);
  std::vector<std::byte> context;
  for (const int b : {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7})
    context.push_back(static_cast<std::byte>(b));
  auto box = bytes(24, 0x40);
  for (const int b :
       {0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b, 0x95, 0x76, 0x57, 0x94, 0x93, 0xc0, 0xe9, 0x39, 0x57,
        0x2a, 0x17, 0x00, 0x25, 0x2b, 0xfa, 0xcc, 0xbe, 0xd2, 0x90, 0x2c, 0x21, 0x39, 0x6c, 0xbb, 0x73, 0x1c,
        0x7f, 0x1b, 0x0b, 0x4a, 0xa6, 0x44, 0x0b, 0xf3, 0xa8, 0x2f, 0x4e, 0xda, 0x7e, 0x39, 0xae, 0x64, 0xc6,
        0x70, 0x8c, 0x54, 0xc2, 0x16, 0xcb, 0x96, 0xb7, 0x2e, 0x12, 0x13, 0xb4, 0x52, 0x2f, 0x8c, 0x9b, 0xa4,
        0x0d, 0xb5, 0xd9, 0x45, 0xb1, 0x1b, 0x69, 0xb9, 0x82, 0xc1, 0xbb, 0x9e, 0x3f, 0x3f, 0xac, 0x2b, 0xc3,
        0x69, 0x48, 0x8f, 0x76, 0xb2, 0x38, 0x35, 0x65, 0xd3, 0xff, 0xf9, 0x21, 0xf9, 0x66, 0x4c, 0x97, 0x63,
        0x7d, 0xa9, 0x76, 0x88, 0x12, 0xf6, 0x15, 0xc6, 0x8b, 0x13, 0xb5, 0x2e, 0xc0, 0x87, 0x59, 0x24, 0xc1,
        0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49})
    box.push_back(static_cast<std::byte>(b));
  const auto plain = open_box(key, context, box).value();
  CHECK(text_of(plain) ==
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        "future, sunscreen would be it.");
}
