#include "support/catch.hpp"

#include <privet/core/random_source.hpp>
#include <privet/random/replayable.hpp>

#include <set>
#include <vector>

using namespace privet;

namespace {

constexpr std::uint64_t seed = 0x0123456789ABCDEF, stream = 0xFEDCBA9876543210;

std::vector<std::uint32_t> draw(replayable_random& source, std::size_t n) {
  std::vector<std::uint32_t> words(n);
  source.fill(words);
  return words;
}

} // namespace

static_assert(RandomSource<replayable_random>);
static_assert(!SecretRandomSource<replayable_random>);

// Expected values: tests/oracles/random_words.py
TEST_CASE("replayable words are the same on every target") {
  replayable_random source(seed, stream);
  CHECK(draw(source, 10) == std::vector<std::uint32_t>{0xAEF2ADF7, 0xF69B5950, 0x3CEB44F4, 0x89B6573A,
                                                       0xEC2AB39F, 0x4671FD85, 0x74DECAE0, 0x4B77EC76,
                                                       0xD7BB4A2F, 0xB8F76C27});
}

TEST_CASE("how fill calls split a replayable stream does not matter") {
  replayable_random whole(seed, stream);
  const auto expected = draw(whole, 2000);
  for (std::size_t step = 1; step < 400; step += 7) {
    replayable_random pieces(seed, stream);
    std::vector<std::uint32_t> got;
    for (std::size_t turn = 0; got.size() < expected.size(); ++turn) {
      const auto part = draw(pieces, std::min(turn % 3 ? step : 1, expected.size() - got.size()));
      got.insert(got.end(), part.begin(), part.end());
    }
    REQUIRE(got == expected);
  }
}

TEST_CASE("a replayable stream can be skipped, copied, saved and restored anywhere") {
  replayable_random whole(seed, stream);
  const auto expected = draw(whole, 600);
  for (std::size_t at = 0; at < 300; ++at) {
    const std::vector<std::uint32_t> rest(expected.begin() + static_cast<std::ptrdiff_t>(at),
                                          expected.begin() + static_cast<std::ptrdiff_t>(at) + 200);
    replayable_random source(seed, stream);
    source.skip(at / 2);
    draw(source, at - at / 2);
    replayable_random copy = source;
    const replayable_random::saved state = source.state();
    CHECK(state == replayable_random::saved{seed, stream, at});
    replayable_random restored(state);
    REQUIRE(draw(source, 200) == rest);
    REQUIRE(draw(copy, 200) == rest);
    REQUIRE(draw(restored, 200) == rest);
  }
}

TEST_CASE("a skip reaches blocks past 2^32") {
  replayable_random source(seed, stream);
  source.skip((std::uint64_t{1} << 36) + 2);
  const auto block = simd::philox_block({0, 4, 0x76543210, 0xFEDCBA98}, {0x89ABCDEF, 0x01234567});
  CHECK(draw(source, 2) == std::vector<std::uint32_t>{block[2], block[3]});
}

TEST_CASE("streams and seeds differ") {
  std::set<std::vector<std::uint32_t>> seen;
  for (const std::uint64_t s : {0ull, 1ull, 1ull << 32})
    for (const std::uint64_t t : {0ull, 1ull, 1ull << 32}) {
      replayable_random source(s, t);
      seen.insert(draw(source, 4));
    }
  CHECK(seen.size() == 9);
}

TEST_CASE("stream numbers pack purpose, round and client without overlap") {
  STATIC_REQUIRE(stream_id(purpose::dropout, 3, 5) == 0x0600000300000005);
  CHECK(stream_id(purpose{255}, 0xFFFFFF, 0xFFFFFFFF) == ~std::uint64_t{0});
  CHECK(stream_id(purpose::general) == 0);
  CHECK_THROWS_AS(stream_id(purpose::general, 1 << 24), exception);
  CHECK_THROWS_AS(stream_id(purpose::general, 0, std::uint64_t{1} << 32), exception);
}
