#include "support/catch.hpp"

#include <privet/core/wipe.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

using namespace privet;

namespace {

/// Bytes as they lie in memory: a volatile read is made and cannot be foretold.
std::vector<unsigned> memory(const void* first, std::size_t size) {
  const auto* const byte = static_cast<const volatile unsigned char*>(first);
  std::vector<unsigned> seen;
  for (std::size_t i = 0; i < size; ++i) seen.push_back(byte[i]);
  return seen;
}

/// Wipes itself when it ends. Nobody may read an object after its end, so a compiler that sees
/// through the wiping calls it dead and leaves it out.
struct secret_key {
  std::array<std::uint32_t, 8> words;
  explicit secret_key(std::uint32_t seed) {
    for (auto& word : words) word = seed = seed * 1664525 + 1013904223;
  }
  ~secret_key() { wipe(std::span(words)); }
};

[[gnu::noinline]] std::uint32_t use_and_end(unsigned char* place, std::uint32_t seed) {
  auto* const key = new (place) secret_key(seed);
  const std::uint32_t drawn = key->words[3] ^ key->words[7];
  std::destroy_at(key);
  return drawn;
}

template <class T>
void check_every_size() {
  constexpr std::size_t longest = 67, around = 9; // untouched elements on either side
  for (std::size_t n = 0; n <= longest; ++n) {
    std::vector<T> all(longest + 2 * around);
    std::ranges::fill(std::as_writable_bytes(std::span(all)), std::byte{0xA5});
    wipe(std::span(all).subspan(around, n));
    const auto seen = memory(all.data(), all.size() * sizeof(T));
    const auto first = static_cast<std::ptrdiff_t>(around * sizeof(T)),
               size = static_cast<std::ptrdiff_t>(n * sizeof(T));
    CAPTURE(n, sizeof(T));
    CHECK(std::count(seen.begin(), seen.begin() + first, 0xA5u) == first);
    CHECK(std::count(seen.begin() + first, seen.begin() + first + size, 0u) == size);
    CHECK(std::count(seen.begin() + first + size, seen.end(), 0xA5u) ==
          seen.end() - seen.begin() - first - size);
  }
}

} // namespace

TEST_CASE("wipe: all bytes of the span are zero afterwards, and no other") {
  check_every_size<unsigned char>();
  check_every_size<std::uint32_t>();
  check_every_size<double>();
}

TEST_CASE("wipe: a span of fixed length and one that starts at an odd address are wiped too") {
  std::array<std::uint32_t, 5> words;
  words.fill(0xDEADBEEF);
  wipe(std::span<std::uint32_t, 5>(words));
  CHECK(memory(words.data(), sizeof words) == std::vector<unsigned>(sizeof words, 0));

  alignas(16) std::array<unsigned char, 48> bytes;
  bytes.fill(0x77);
  wipe(std::span(bytes).subspan<3, 29>());
  const auto seen = memory(bytes.data(), bytes.size());
  CHECK(std::count(seen.begin(), seen.end(), 0u) == 29);
  CHECK(seen[2] == 0x77);
  CHECK(seen[3] == 0);
  CHECK(seen[31] == 0);
  CHECK(seen[32] == 0x77);
}

TEST_CASE("wipe: a span of nothing is no harm") {
  wipe(std::span<std::uint32_t>());
  unsigned char one = 7;
  wipe(std::span(&one, 0));
  CHECK(one == 7);
}

TEST_CASE("wipe: an object that ends leaves zeros where it was, though nobody may read them") {
  alignas(secret_key) unsigned char place[sizeof(secret_key)];
  std::ranges::fill(place, static_cast<unsigned char>(0xA5));
  const std::uint32_t seed = std::uint32_t{7} + memory(place, 1)[0]; // the compiler cannot know the key
  CHECK(use_and_end(place, seed) != 0);
  CHECK(memory(place, sizeof place) == std::vector<unsigned>(sizeof place, 0));
}
