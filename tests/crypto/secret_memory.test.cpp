#include "support/catch.hpp"

#include <privet/crypto/secret_memory.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

using privet::detail::secret_array;
using key = secret_array<std::uint64_t, 4>;

static_assert(!std::is_copy_constructible_v<key> && !std::is_copy_assignable_v<key>);
static_assert(std::is_nothrow_move_constructible_v<key>);

namespace {

constexpr std::array<std::uint64_t, 4> words{1, 2, 3, 4};

bool is_wiped(const key& k) {
  return std::ranges::all_of(k.all(), [](std::uint64_t w) { return w == 0; });
}

} // namespace

TEST_CASE("secret_memory: words move, and are wiped where they were") {
  key first{std::span<const std::uint64_t, 4>(words)};
  CHECK(first.get() == words);
  key second(std::move(first));
  CHECK(second.get() == words);
  CHECK(is_wiped(first)); // NOLINT(bugprone-use-after-move)
  key third;
  CHECK(is_wiped(third));
  third = std::move(second);
  CHECK(third.get() == words);
  CHECK(is_wiped(second)); // NOLINT(bugprone-use-after-move)
  key& same = third;
  third = std::move(same);
  CHECK(third.get() == words);
}

TEST_CASE("secret_memory: words are wiped when they go") {
  alignas(key) unsigned char place[sizeof(key)];
  key* const k = std::construct_at(reinterpret_cast<key*>(place), std::span<const std::uint64_t, 4>(words));
  std::uint64_t before = 0;
  std::memcpy(&before, place, sizeof before);
  CHECK(before == 1);
  std::destroy_at(k);
  const volatile unsigned char* const left =
      place; // read from memory, whatever the compiler knows of lifetimes
  CHECK(std::all_of(left, left + sizeof(words), [](unsigned char byte) { return byte == 0; }));
}
