#include "support/catch.hpp"

#include <privet/simd/aes_ctr.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <string>
#include <vector>

using namespace privet;

// What this build has: the same kernel again where there is nothing better.
#if defined(__AES__)
using one_block_each = simd::aes_ni;
#else
using one_block_each = simd::aes_default;
#endif
#define KERNELS simd::aes_bitsliced, one_block_each, simd::aes_default

namespace {

std::string hex(std::span<const std::uint32_t> words) {
  std::string out;
  for (const auto word : words)
    for (int shift = 0; shift < 32; shift += 8)
      for (const unsigned digit : {word >> (shift + 4) & 15, word >> shift & 15}) out += "0123456789abcdef"[digit];
  return out;
}

const simd::aes128_key example = {0x16157E2B, 0xA6D2AE28, 0x8815F7AB, 0x3C4FCF09}; // 2b7e1516 28aed2a6 ...
const simd::aes128_key counting = {0x03020100, 0x07060504, 0x0B0A0908, 0x0F0E0D0C};

struct known_answer {
  const char* where;
  simd::aes128_key key;
  simd::aes_counter first;
  const char* stream;
};

const known_answer known_answers[] = {
    {"FIPS 197, B", example, {0x3243F6A8885A308D, 0x313198A2E0370734}, "3925841d02dc09fbdc118597196a0b32"},
    {"FIPS 197, C.1", counting, {0x0011223344556677, 0x8899AABBCCDDEEFF}, "69c4e0d86a7b0430d8cdb78070b4c55a"},
    {"SP 800-38A, F.5.1",
     example,
     {0xF0F1F2F3F4F5F6F7, 0xF8F9FAFBFCFDFEFF},
     "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae"
     "6a2cc3787889374fbeb4c81b17ba6c44e89c399ff0f198c6d40a31db156cabfe"},
    // openssl enc -aes-128-ctr -K 2b7e151628aed2a6abf7158809cf4f3c -iv .. of zeros
    {"a carry into the upper half",
     example,
     {0x0123456789ABCDEF, 0xFFFFFFFFFFFFFFFE},
     "f5494fea9d625db244b8c4c6ceabf645140cc58c481a343c004a1dc8ec313ca1"
     "40324c8b9cde30f781f03f71d12d1a8b3fa8ba665f5e65ae57741b204fa76857"},
    {"a counter that wraps",
     example,
     {0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE},
     "d1b714b6fbf5fff1289aee2a4c4eeda38af2860142f786f409307c1a3f7eaaac"
     "7df76b0c1ab899b33e42f047b91b546f57127d4034b1bebfaef466b9c7726fc6"},
};

/// A byte of SubBytes by the definition: the inverse by trial, then the affine map bit by bit.
std::uint32_t substituted(std::uint32_t x) {
  const auto product = [](std::uint32_t a, std::uint32_t b) {
    std::uint32_t sum = 0;
    for (; b; b >>= 1, a = a << 1 ^ (a >> 7) * 0x11B)
      if (b & 1) sum ^= a;
    return sum;
  };
  std::uint32_t inverse = 0;
  for (std::uint32_t y = 1; y < 256; ++y)
    if (product(x, y) == 1) inverse = y;
  std::uint32_t result = 0;
  for (std::uint32_t i = 0; i < 8; ++i) {
    std::uint32_t bit = 0x63 >> i;
    for (const std::uint32_t from : {0u, 4u, 5u, 6u, 7u}) bit ^= inverse >> (i + from) % 8;
    result |= (bit & 1) << i;
  }
  return result;
}

bool occurs_in(std::span<const std::uint32_t> needle, std::span<const std::byte> memory) {
  const auto bytes = std::as_bytes(needle);
  return std::search(memory.begin(), memory.end(), bytes.begin(), bytes.end()) != memory.end();
}

} // namespace

TEST_CASE("SubBytes on bit planes is that of the standard") {
  CHECK(substituted(0x53) == 0xED); // FIPS 197, 5.1.1
  for (std::uint32_t x = 0; x < 256; ++x) {
    const std::uint32_t others = (255 - x) << 8 | (x ^ 0x5A) << 16 | 0x7Fu << 24;
    const std::uint32_t expected =
        substituted(x) | substituted(255 - x) << 8 | substituted(x ^ 0x5A) << 16 | substituted(0x7F) << 24;
    REQUIRE(simd::detail::substitute_in_planes(x | others) == expected);
  }
}

TEMPLATE_TEST_CASE("the AES key schedule is that of the standard", "", KERNELS) {
  const simd::aes128_ctr<TestType> stream(example);
  const std::span<const std::uint32_t> keys = stream.round_keys();
  CHECK(hex(keys.first(4)) == "2b7e151628aed2a6abf7158809cf4f3c");
  CHECK(hex(keys.subspan(4, 4)) == "a0fafe1788542cb123a339392a6c7605"); // FIPS 197, A.1
  CHECK(hex(keys.subspan(8, 4)) == "f2c295f27a96b9435935807a7359f67f");
  CHECK(hex(keys.last(4)) == "d014f9a8c9ee2589e13f0cc8b6630ca6");
}

TEMPLATE_TEST_CASE("AES in counter mode gives the streams of the standards", "", KERNELS) {
  for (const auto& [where, key, first, stream] : known_answers) {
    INFO(where);
    const simd::aes128_ctr<TestType> aes(key);
    std::vector<std::uint32_t> words(std::string(stream).size() / 8);
    aes.blocks(first, words);
    CHECK(hex(words) == stream);
    aes.blocks(first, std::span(words).first(4)); // one block alone
    CHECK(hex(std::span(words).first(4)) == std::string(stream).substr(0, 32));
  }
}

TEMPLATE_TEST_CASE("AES by instructions equals AES on bit planes, whatever the length and the carry", "",
                   KERNELS) {
  const std::uint64_t end = ~std::uint64_t{0};
  for (const simd::aes_counter first :
       {simd::aes_counter{1, 2}, simd::aes_counter{7, end - 31}, simd::aes_counter{7, end - 32},
        simd::aes_counter{7, end - 40}, simd::aes_counter{end, end - 99}, simd::aes_counter{end, end}}) {
    std::vector<std::uint32_t> expected(700);
    simd::aes128_ctr<simd::aes_bitsliced>(counting).blocks(first, expected);
    const simd::aes128_ctr<TestType> aes(counting);
    for (std::size_t size = 0; size <= expected.size(); size += size < 300 ? 1 : 7) {
      std::vector<std::uint32_t> out(size + 2, 0xDEAD);
      aes.blocks(first, std::span(out).subspan(1, size)); // one past any alignment
      REQUIRE(out.front() == 0xDEAD);
      REQUIRE(out.back() == 0xDEAD);
      REQUIRE(std::equal(out.begin() + 1, out.end() - 1, expected.begin()));
    }
    for (std::size_t block = 0; block < 175; block += 5) { // every block on its own
      std::uint32_t words[4];
      aes.blocks(first + block, words);
      REQUIRE(std::equal(words, words + 4, expected.begin() + static_cast<std::ptrdiff_t>(4 * block)));
    }
  }
}

TEST_CASE("adding to an AES counter carries") {
  const std::uint64_t end = ~std::uint64_t{0};
  CHECK(simd::aes_counter{1, 2} + 3 == simd::aes_counter{1, 5});
  CHECK(simd::aes_counter{1, end} + 1 == simd::aes_counter{2, 0});
  CHECK(simd::aes_counter{end, end - 1} + 5 == simd::aes_counter{0, 3});
}

TEMPLATE_TEST_CASE("the AES key schedule is wiped", "", KERNELS) {
  using stream = simd::aes128_ctr<TestType>;
  alignas(stream) std::byte memory[sizeof(stream)];
  auto* aes = new (memory) stream(counting);
  const std::vector<std::uint32_t> keys(aes->round_keys().begin(), aes->round_keys().end());
  CHECK(occurs_in(keys, memory));
  aes->~stream();
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK_FALSE(occurs_in(std::span(keys).subspan(i, 1), memory));
}
