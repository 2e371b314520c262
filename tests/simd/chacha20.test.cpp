#include "support/catch.hpp"

#include <privet/simd/chacha20.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace privet;

namespace {

const simd::chacha20_key zero_key{};
const simd::chacha20_key counting_key = {0x03020100, 0x07060504, 0x0B0A0908, 0x0F0E0D0C,
                                         0x13121110, 0x17161514, 0x1B1A1918, 0x1F1E1D1C};

/// The key stream as RFC 8439 prints it: bytes, little end first.
std::string hex(std::span<const std::uint32_t> words) {
  std::string out;
  for (const auto word : words)
    for (int shift = 0; shift < 32; shift += 8)
      for (const unsigned digit : {word >> (shift + 4) & 15, word >> shift & 15}) out += "0123456789abcdef"[digit];
  return out;
}

simd::chacha20_key last_word(std::uint32_t word) {
  simd::chacha20_key key{};
  key[7] = word;
  return key;
}

struct known_answer {
  const char* where;
  simd::chacha20_key key;
  std::uint32_t counter;
  simd::chacha20_nonce nonce;
  const char* stream;
};

const known_answer known_answers[] = {
    {"2.3.2",
     counting_key,
     1,
     {0x09000000, 0x4A000000, 0},
     "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
     "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
    {"2.4.2, first block",
     counting_key,
     1,
     {0, 0x4A000000, 0},
     "224f51f3401bd9e12fde276fb8631ded8c131f823d2c06e27e4fcaec9ef3cf78"
     "8a3b0aa372600a92b57974cded2b9334794cba40c63e34cdea212c4cf07d41b7"},
    {"2.4.2, second block",
     counting_key,
     2,
     {0, 0x4A000000, 0},
     "69a6749f3f630f4122cafe28ec4dc47e26d4346d70b98c73f3e9c53ac40c5945"
     "398b6eda1a832c89c167eacd901d7e2bf363740373201aa188fbbce83991c4ed"},
    {"A.1 #1",
     zero_key,
     0,
     {0, 0, 0},
     "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
     "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
    {"A.1 #2",
     zero_key,
     1,
     {0, 0, 0},
     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
    {"A.1 #3",
     last_word(0x01000000),
     1,
     {0, 0, 0},
     "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
     "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
    {"A.1 #4",
     {0x0000FF00, 0, 0, 0, 0, 0, 0, 0},
     2,
     {0, 0, 0},
     "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
     "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"},
    {"A.1 #5",
     zero_key,
     0,
     {0, 0, 0x02000000},
     "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
     "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"},
};

} // namespace

TEST_CASE("chacha20 gives the key streams of RFC 8439") {
  for (const auto& [where, key, counter, nonce, stream] : known_answers) {
    INFO(where);
    CHECK(hex(simd::chacha20_block(key, counter, nonce)) == stream);
    std::uint32_t words[16];
    REQUIRE(simd::chacha20_blocks(key, counter, nonce, words));
    CHECK(hex(words) == stream);
  }
}

TEST_CASE("many chacha20 blocks equal one after the other, whatever the length") {
  const simd::chacha20_nonce nonce = {1, 2, 3};
  for (const std::uint32_t first : {0u, 5u, 0xFFFFFF80u}) {
    for (std::size_t size = 0; size < 1800; size += size < 600 ? 1 : 83) { // most vectors hold 32 blocks
      std::vector<std::uint32_t> vectors_out(size + 1, 0xDEAD), scalar_out = vectors_out, expected;
      REQUIRE(simd::chacha20_blocks(counting_key, first, nonce, std::span(vectors_out).first(size)));
      REQUIRE(
          simd::chacha20_blocks<simd::scalar>(counting_key, first, nonce, std::span(scalar_out).first(size)));
      for (std::uint32_t counter = first; expected.size() < size; ++counter)
        for (const auto word : simd::chacha20_block(counting_key, counter, nonce)) expected.push_back(word);
      expected.resize(size);
      expected.push_back(0xDEAD); // nothing is written past the end
      REQUIRE(vectors_out == expected);
      REQUIRE(scalar_out == expected);
    }
  }
}

TEST_CASE("chacha20 never wraps its counter") {
  std::vector<std::uint32_t> out(32, 0xDEAD);
  const auto last = std::span(out).first(16);
  REQUIRE(simd::chacha20_blocks(counting_key, 0xFFFFFFFF, {}, last));
  const auto expected = simd::chacha20_block(counting_key, 0xFFFFFFFF, {});
  CHECK(std::equal(last.begin(), last.end(), expected.begin()));

  const auto before = out;
  CHECK_FALSE(simd::chacha20_blocks(counting_key, 0xFFFFFFFF, {}, std::span(out).first(17)));
  CHECK_FALSE(simd::chacha20_blocks(counting_key, 0xFFFFFFFF, {}, out));
  CHECK(out == before);
  CHECK(simd::chacha20_blocks(counting_key, 0xFFFFFFFE, {}, out));
}
