#pragma once
// Coins and counts whose probabilities hold exactly: integers only, words drawn as they are needed.
// Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", 2020.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/normal.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

namespace detail {

__extension__ typedef unsigned __int128 uint128;

/// Words drawn many at a time for whoever uses them one by one. What is left in the end is dropped.
template <RandomSource Source>
class word_buffer {
 public:
  /// `expected` words will be needed, more or less.
  word_buffer(Source& source, std::size_t expected) noexcept
      : source_(&source), refill_(std::clamp<std::size_t>(expected, 8, most)), used_(refill_) {}
  word_buffer(const word_buffer&) = delete;
  word_buffer& operator=(const word_buffer&) = delete;
  ~word_buffer() {
    if constexpr (SecretRandomSource<Source>) wipe(std::span(words_).first(refill_));
  }

  std::uint32_t next() {
    if (used_ == refill_) {
      source_->fill(std::span(words_).first(refill_));
      used_ = 0;
    }
    return words_[used_++];
  }
  /// As any source, so that `uniform_below` may draw from it.
  void fill(std::span<std::uint32_t> out) {
    for (auto& word : out) word = next();
  }
  bool bit() {
    if (bits_ <= 1) bits_ = std::uint64_t{1} << 32 | next();
    const bool one = bits_ & 1;
    bits_ >>= 1;
    return one;
  }

 private:
  static constexpr std::size_t most = 256;
  std::array<std::uint32_t, most> words_;
  Source* source_;
  std::size_t refill_, used_;
  std::uint64_t bits_ = 1; // above them a one
};

/// part / all in units of 2^-127, rounded down. Requires part <= all < 2^127.
inline uint128 fraction_of(uint128 part, uint128 all) noexcept {
  uint128 digits = 0;
  for (int i = 0; i < 127; ++i) {
    part <<= 1;
    digits <<= 1;
    if (part >= all) {
      part -= all;
      digits |= 1;
    }
  }
  return digits;
}

/// The binary digits of a fraction remainder / divisor below 1, 32 at a time.
class digits_of_small {
 public:
  /// Requires  remainder < divisor < 2^32
  digits_of_small(std::uint64_t remainder, std::uint64_t divisor) noexcept
      : remainder_(remainder), divisor_(divisor) {}
  std::uint64_t next() noexcept {
    const std::uint64_t up = remainder_ << 32, digits = up / divisor_;
    remainder_ = up - digits * divisor_;
    return digits;
  }

 private:
  std::uint64_t remainder_, divisor_;
};
class digits_of_large {
 public:
  /// Requires  remainder < divisor < 2^127
  digits_of_large(uint128 remainder, uint128 divisor) noexcept : remainder_(remainder), divisor_(divisor) {}
  std::uint64_t next() noexcept {
    if (divisor_ >> 64 == 0) return divided(static_cast<std::uint64_t>(divisor_));
    std::uint64_t digits = 0;
    for (int i = 0; i < 32; ++i) {
      remainder_ <<= 1;
      const bool one = remainder_ >= divisor_;
      if (one) remainder_ -= divisor_;
      digits = digits << 1 | one;
    }
    return digits;
  }

 private:
  std::uint64_t divided(std::uint64_t divisor) noexcept {
    const uint128 up = remainder_ << 32;
    std::uint64_t digits, left;
#if defined(__x86_64__) // the quotient fits; a compiler would call a function
    asm("divq %4"
        : "=a"(digits), "=d"(left)
        : "a"(static_cast<std::uint64_t>(up)), "d"(static_cast<std::uint64_t>(up >> 64)), "r"(divisor)
        : "cc");
#else
    digits = static_cast<std::uint64_t>(up / divisor);
    left = static_cast<std::uint64_t>(up - uint128{digits} * divisor);
#endif
    remainder_ = left;
    return digits;
  }

  uint128 remainder_, divisor_;
};

/// A coin that shows 1 with probability x / k for the number x of the digits: whether k U < x, with as
/// many digits of both as it takes. `first` are those of x before the next, 2^32 for x = 1.
///
/// Requires  1 <= k < 2^31
template <class Words, class Digits>
bool part_of(Words& words, std::uint64_t first, Digits digits, std::uint64_t k) {
  for (std::uint64_t x = first;;) {
    const std::uint64_t u = k * words.next(); // x and u are known to be below x + 1 and u + k
    if (u > x) return false;
    if (u + k <= x) return true;
    x = (x - u) << 32 | digits.next();
  }
}
template <class Words>
bool one_in(Words& words, std::uint64_t k) {
  return part_of(words, std::uint64_t{1} << 32, digits_of_small(0, 1), k);
}

/// A coin of exp(-x), x below 1: its series taken apart into coins of x / k (Algorithm 1 of the paper).
template <class Words, class Digits>
bool exp_of_minus(Words& words, Digits x) {
  const std::uint64_t first = x.next();
  std::uint64_t k = 1;
  while (part_of(words, first, x, k)) ++k;
  return k % 2 != 0;
}

/// A coin of exp(-1). Of the same coins the first always shows 1; the next two by one word.
template <class Words>
bool exp_of_minus_one(Words& words) {
  constexpr std::uint32_t half = 0x80000000, sixth = 0x2AAAAAAA; // rounded down: 2/3 is missing
  const std::uint32_t u = words.next();
  if (u >= half) return false;                                    // k = 2
  if (u > sixth || (u == sixth && one_in(words, 3))) return true; // k = 3
  std::uint64_t k = 4;
  while (one_in(words, k)) ++k;
  return k % 2 != 0;
}

/// Coins of exp(-1), up to the first 0; at most `most`.
template <class Words>
std::uint64_t ones_of_exp(Words& words, std::uint64_t most) {
  std::uint64_t ones = 0;
  while (ones < most && exp_of_minus_one(words)) ++ones;
  return ones;
}

/// `uniform_below` for n < 2^32, by one word.
template <class Words>
std::uint64_t below_small(Words& words, std::uint64_t n) {
  std::uint64_t product = n * words.next();
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint64_t surplus = (std::uint64_t{1} << 32) % n;
    while (static_cast<std::uint32_t>(product) < surplus) product = n * words.next();
  }
  return product >> 32;
}

/// Words one at a time.
template <RandomSource Source>
struct single_words {
  Source& source;
  std::uint32_t next() const { return draw32(source); }
};

} // namespace detail

/// A positive rational number.
struct ratio {
  std::uint64_t numerator = 1, denominator = 1;
};

/// True with probability exp(-x.numerator / x.denominator), exactly.
///
/// Errors   N001 when the denominator is 0 or 2^63 or more
/// Cost     below e + 2 words on average for x <= 1, for any x below 6
/// Privacy  the number of words drawn depends on the result and on x
/// Source   Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", 2020,
///          Algorithm 1
/// Test     tests/random/exact_coins.test.cpp
template <RandomSource Source>
bool bernoulli_exp(Source& source, ratio x) {
  if (x.denominator == 0 || x.denominator >> 63 != 0)
    fail(fault::argument, "bernoulli_exp: denominator is ", x.denominator, ", must be in [1, 2^63)");
  detail::single_words<Source> words{source};
  const std::uint64_t whole = x.numerator / x.denominator;
  if (detail::ones_of_exp(words, whole) < whole) return false;
  return detail::exp_of_minus(words, detail::digits_of_large(x.numerator % x.denominator, x.denominator));
}

} // namespace privet
