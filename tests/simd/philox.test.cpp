#include "support/catch.hpp"

#include <privet/simd/philox.hpp>

#include <array>
#include <vector>

using namespace privet;

// kat_vectors of Random123, lines "philox4x32 10".
TEST_CASE("philox gives the known answers of Random123") {
  using block = std::array<std::uint32_t, 4>;
  const std::uint32_t ones = 0xFFFFFFFF;
  STATIC_REQUIRE(simd::philox_block({0, 0, 0, 0}, {0, 0}) ==
                 block{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8});
  CHECK(simd::philox_block({ones, ones, ones, ones}, {ones, ones}) ==
        block{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD});
  CHECK(simd::philox_block({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}) ==
        block{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1});
}

TEST_CASE("many philox blocks equal one after the other, whatever the length and the carry") {
  const std::uint64_t seed = 0xA409382229F31D0, stream = 0x0370734413198A2E;
  for (const std::uint64_t first : {0ull, 7ull, 0xFFFFFFF0ull, 0xFFFFFFFFull, 0xFFFFFFFFFFFFFFF0ull}) {
    for (std::size_t size = 0; size < 300; ++size) {
      std::vector<std::uint32_t> out(size + 1, 0xDEAD), scalar_out = out;
      simd::philox_blocks(seed, stream, first, std::span(out).first(size));
      simd::philox_blocks<simd::scalar>(seed, stream, first, std::span(scalar_out).first(size));
      std::vector<std::uint32_t> expected;
      for (std::uint64_t index = first; expected.size() < size; ++index)
        for (const auto word : simd::philox_block(
                 {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                  static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}))
          expected.push_back(word);
      expected.resize(size);
      expected.push_back(0xDEAD); // nothing is written past the end
      REQUIRE(out == expected);
      REQUIRE(scalar_out == expected);
    }
  }
}
