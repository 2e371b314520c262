#include "support/catch.hpp"

#include <privet/random/normal.hpp>
#include <privet/random/system_aes.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

using namespace privet;

static_assert(SecretRandomSource<system_random_aes>);
static_assert(!std::copyable<system_random_aes> && !std::movable<system_random_aes>);

// What both sources have in common is tested in system.test.cpp.

TEST_CASE("two AES sources never share words, nor does one before and after it is reseeded") {
  // A chance meeting of 4 words has probability 2^-128.
  system_random_aes one, two;
  std::vector<std::uint32_t> a(4), b(4), c(4);
  one.fill(a);
  two.fill(b);
  one.reseed();
  one.fill(c);
  CHECK((a != b && a != c && b != c));
}

TEST_CASE("bits of the AES source are balanced, and its normals have the right variance") {
  // Six standard deviations each: a right source fails once in 2 10^8 runs.
  system_random_aes source;
  std::vector<std::uint32_t> words(32768);
  source.fill(words);
  long ones = 0;
  for (const auto word : words) ones += std::popcount(word);
  CHECK(std::abs(ones - 524288) < 6 * 512);

  std::vector<float> x(32768);
  fill_normal(source, std::span<float>(x));
  double squares = 0;
  for (const float v : x) squares += double{v} * double{v};
  CHECK(std::abs(squares - 32768) < 6 * 256);
}
