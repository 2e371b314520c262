#pragma once
// Random numbers of many words.

#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/words.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace privet {

namespace detail {

/// One error for each type of source, however much is made with it.
template <class Source>
void check_key_source(const Source&) {
  static_assert(
      SecretRandomSource<Source>,
      "[P003 replayable-key] whoever can replay this source has the key, or reads what is encrypted: draw "
      "from a system_random. docs/errors/P003.md");
}

/// Fills `out` from a source of words; the words in between are wiped.
template <RandomSource Source>
void fill_bytes(Source& source, std::span<std::byte> out) {
  std::array<std::uint32_t, 16> words;
  const wiped_at_exit<std::uint32_t> guard{std::span(words)};
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), sizeof words);
    source.fill(std::span(words).first((count + 3) / 4));
    std::memcpy(out.data(), words.data(), count);
    out = out.subspan(count);
  }
}

} // namespace detail

/// Fills words of 64 bits; of each two words drawn the first is the lower half.
template <RandomSource Source>
void fill_words(Source& source, std::span<std::uint64_t> out) {
  std::array<std::uint32_t, 64> drawn;
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), drawn.size() / 2);
    source.fill(std::span(drawn).first(2 * count));
    for (std::size_t i = 0; i < count; ++i) out[i] = drawn[2 * i] | std::uint64_t{drawn[2 * i + 1]} << 32;
    out = out.subspan(count);
  }
  wipe(std::span(drawn));
}

/// Clears the bits from `bits` on.
inline void keep_low_bits(std::span<std::uint64_t> number, std::size_t bits) noexcept {
  if (bits / 64 >= number.size()) return;
  number[bits / 64] &= (std::uint64_t{1} << bits % 64) - 1;
  std::ranges::fill(number.subspan(bits / 64 + 1), 0);
}

/// A number in [0, bound), every one equally likely, by drawing until one is small enough: the time tells
/// how often that was, and nothing about the number.
///
/// Requires  as many words in out as in bound, and a top word of bound that is not zero
template <RandomSource Source>
void draw_below(Source& source, std::span<const std::uint64_t> bound, std::span<std::uint64_t> out) {
  const std::size_t bits = 64 * bound.size() - static_cast<std::size_t>(std::countl_zero(bound.back()));
  do {
    fill_words(source, out);
    keep_low_bits(out, bits);
  } while (is_less(out, bound) == 0);
}

/// As `draw_below`, without 0.
template <RandomSource Source>
void draw_positive_below(Source& source, std::span<const std::uint64_t> bound, std::span<std::uint64_t> out) {
  do draw_below(source, bound, out);
  while (is_zero(out) != 0);
}

} // namespace privet
