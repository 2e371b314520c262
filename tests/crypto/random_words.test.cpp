#include "support/catch.hpp"

#include <privet/crypto/random_words.hpp>
#include <privet/random/replayable.hpp>

#include <array>
#include <cstdint>
#include <vector>

using namespace privet;

namespace {
struct counting_words { // a source whose words are 0, 1, 2, ...
  std::uint32_t next = 0;
  void fill(std::span<std::uint32_t> words) {
    for (auto& w : words) w = next++;
  }
};
} // namespace

TEST_CASE("words are filled low half first, in pieces of any length") {
  for (const std::size_t count : {0u, 1u, 31u, 32u, 33u, 100u}) {
    replayable_random whole(5), halves(5);
    std::vector<std::uint64_t> words(count);
    fill_words(whole, words);
    std::vector<std::uint32_t> drawn(2 * count);
    halves.fill(drawn);
    bool same = true;
    for (std::size_t i = 0; i < count; ++i)
      same = same && words[i] == (drawn[2 * i] | std::uint64_t{drawn[2 * i + 1]} << 32);
    CHECK(same);
  }
}

TEST_CASE("low bits are kept, others cleared") {
  constexpr std::uint64_t all = ~std::uint64_t{0};
  const auto kept = [](std::size_t bits) {
    std::array<std::uint64_t, 3> words{all, all, all};
    keep_low_bits(words, bits);
    return words;
  };
  CHECK(kept(0) == std::array<std::uint64_t, 3>{0, 0, 0});
  CHECK(kept(1) == std::array<std::uint64_t, 3>{1, 0, 0});
  CHECK(kept(64) == std::array<std::uint64_t, 3>{all, 0, 0});
  CHECK(kept(127) == std::array<std::uint64_t, 3>{all, all >> 1, 0});
  CHECK(kept(191) == std::array<std::uint64_t, 3>{all, all, all >> 1});
  CHECK(kept(192) == std::array<std::uint64_t, 3>{all, all, all});
}

TEST_CASE("numbers below a bound are uniform and below it") {
  replayable_random source(6);
  const std::array<std::uint64_t, 1> five{5};
  std::array<int, 5> counts{}, positive{};
  for (int i = 0; i < 5000; ++i) {
    std::array<std::uint64_t, 1> out;
    draw_below(source, five, out);
    REQUIRE(out[0] < 5);
    ++counts[out[0]];
    draw_positive_below(source, five, out);
    REQUIRE(out[0] < 5);
    ++positive[out[0]];
  }
  // Chi-square: above these once in a thousand seeds, and the seed is fixed.
  double chi = 0, chi_positive = 0;
  for (const int c : counts) chi += (c - 1000.0) * (c - 1000.0) / 1000;
  for (std::size_t i = 1; i < 5; ++i) chi_positive += (positive[i] - 1250.0) * (positive[i] - 1250.0) / 1250;
  CHECK(chi < 18.5);
  CHECK(chi_positive < 16.3);
  CHECK(positive[0] == 0);

  const std::array<std::uint64_t, 2> two_words{3, 1};
  bool beyond_one_word = false;
  for (int i = 0; i < 100; ++i) {
    std::array<std::uint64_t, 2> out;
    draw_below(source, two_words, out);
    REQUIRE((out[1] == 0 || (out[1] == 1 && out[0] < 3)));
    beyond_one_word = beyond_one_word || out[0] >> 63 != 0;
  }
  CHECK(beyond_one_word);
}

TEST_CASE("bytes drawn are those of the source's words") {
  counting_words source;
  std::array<std::byte, 150> out{};
  detail::fill_bytes(source, out);
  for (std::size_t i = 0; i + 4 <= out.size(); i += 4) CHECK(std::to_integer<unsigned>(out[i]) == i / 4);
  CHECK(source.next == 38); // 150 bytes of 4 each, no word dropped between pieces
}
