#include "fixtures/rounded_normal.hpp"
#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/philox.hpp>
#include <privet/simd/rounded_normal.hpp>

#include <algorithm>
#include <array>
#include <vector>

using namespace privet;
namespace law = simd::detail::rounded_gaussian;

namespace {

std::vector<std::int32_t> words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> out(n);
  simd::philox_blocks(seed, 0, 0, out);
  return {out.begin(), out.end()};
}

struct drawn {
  std::vector<std::int32_t> numbers;
  std::vector<std::uint16_t> late;
  bool intact;
  bool operator==(const drawn&) const = default;
};

template <class Arch>
drawn draw(const std::vector<std::int32_t>& from) {
  test::guarded<std::int32_t> out(from);
  test::guarded<std::uint16_t> late(std::vector<std::uint16_t>(from.size(), 0));
  const std::size_t count =
      simd::rounded_normals<Arch>(std::span(out.data(), from.size()), std::span(late.data(), from.size()));
  auto places = late.values();
  places.resize(count);
  return {out.values(), places, out.intact() && late.intact()};
}

} // namespace

TEST_CASE("rounded normals of vectors equal the scalar ones, in any number") {
  for (std::size_t n = 0; n <= 67; ++n) {
    const auto from = words(n, n);
    const auto vectors = draw<simd::default_arch>(from);
    REQUIRE(vectors.intact);
    REQUIRE(vectors == draw<simd::scalar>(from));
  }
  const auto from = words(simd::rounded_normals_most, 1);
  const auto vectors = draw<simd::default_arch>(from);
  CHECK(vectors.late.size() > 100); // 1 in 400
  CHECK(vectors == draw<simd::scalar>(from));
}

TEST_CASE("every coin, sign and cell gives the same on vectors, and the complement changes the sign") {
  // All 2^20 upper parts of a word, at the first, at some and at the last place.
  for (std::uint32_t part = 0; part < 16; ++part) {
    std::vector<std::int32_t> from, mirrored;
    for (std::uint32_t top = part << 16; top < (part + 1) << 16; ++top) {
      const std::uint32_t place = top % 3 == 0 ? 0 : top % 3 == 1 ? 0xFFF : top * 2654435761u >> 20;
      from.push_back(static_cast<std::int32_t>(top << 12 | place));
      mirrored.push_back(from.back() ^ 0x7FFFFF);
    }
    const auto vectors = draw<simd::default_arch>(from);
    REQUIRE(vectors == draw<simd::scalar>(from));
    auto other = draw<simd::default_arch>(mirrored);
    for (auto& k : other.numbers) k = ~k;
    REQUIRE(vectors == other);
  }
}

TEST_CASE("the body's table draws every cell with exactly its weight") {
  const auto weights = law::body_weights();
  std::uint32_t sum = 0;
  for (const auto w : weights) sum += w;
  CHECK(sum == 1u << 19);
  CHECK(weights[law::residual] < (1u << 19) / 380); // what has to be drawn twice
  std::vector<std::uint32_t> positive(law::residual + 1), negative(positive);
  for (std::uint32_t top = 0; top < 1u << 20; ++top) { // each (coin, sign, cell) once
    const auto k = law::draw(top << 12 | 0x123, law::body().entries.data());
    REQUIRE((k & 0xFFF) == 0x123); // the place is the word's own
    const auto cell = static_cast<std::uint32_t>((k < 0 ? ~k : k) >> 12);
    REQUIRE(law::is_residual(k) == (cell == law::residual));
    ++(k < 0 ? negative : positive)[cell];
  }
  CHECK(std::equal(weights.begin(), weights.end(), positive.begin()));
  CHECK(positive == negative);
}

// Truth: tests/oracles/rounded_normal.py, 400 bits.
TEST_CASE("the density is right to 2^-116") {
  std::size_t i = 0;
  for (const auto& [high, low] : test::rounded_normal::points) {
    const auto& truth = test::rounded_normal::densities[i++];
    const auto got = law::folded_density(law::uint128{high} << 64 | low),
               expected = law::uint128{truth[0]} << 64 | truth[1];
    CAPTURE(i, high, low);
    CHECK((got > expected ? got - expected : expected - got) < law::uint128{1} << 12);
  }
}
