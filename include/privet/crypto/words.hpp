#pragma once
// Constant-time arithmetic on unsigned numbers of equal public lengths, as little-endian words. Memory of
// the containers here is wiped before it is given back.

#include <privet/core/aligned.hpp>
#include <privet/core/wipe.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// Gives memory back only after wiping it: whatever a container held, moved away from or outgrew.
template <class T>
struct wiping_allocator : aligned_allocator<T> {
  using value_type = T;
  wiping_allocator() = default;
  template <class U>
  wiping_allocator(const wiping_allocator<U>&) noexcept {}
  template <class U>
  struct rebind {
    using other = wiping_allocator<U>;
  };

  void deallocate(T* p, std::size_t n) noexcept {
    wipe(std::span(p, n));
    aligned_allocator<T>::deallocate(p, n);
  }
};

/// A vector that wipes itself, on a cache line.
template <class T>
using wiped_vector = std::vector<T, wiping_allocator<T>>;

using secret_words = wiped_vector<std::uint64_t>;

namespace detail {

__extension__ typedef unsigned __int128 uint128;

/// The same word, of which the compiler knows nothing: it cannot make a branch of a mask.
[[gnu::always_inline]] inline std::uint64_t opaque(std::uint64_t word) noexcept {
  asm("" : "+r"(word));
  return word;
}

/// a b + c + carry; the high word becomes the carry.
[[gnu::always_inline]] inline std::uint64_t multiply_add(std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                                         std::uint64_t& carry) noexcept {
  const uint128 sum = static_cast<uint128>(a) * b + c + carry;
  carry = static_cast<std::uint64_t>(sum >> 64);
  return static_cast<std::uint64_t>(sum);
}

inline constexpr std::uint64_t low_bits(unsigned bits) noexcept {
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}
/// `bits` bits, up to 64, of a number from bit `at` on; zeros above its words. Words may be secret, where they are
/// read is not.
inline std::uint64_t bits_at(std::span<const std::uint64_t> words, std::size_t at, unsigned bits) noexcept {
  const std::size_t word = at / 64, shift = at % 64;
  if (word >= words.size()) return 0;
  const std::uint64_t next = word + 1 < words.size() ? words[word + 1] : 0;
  return (words[word] >> shift | next << 1 << (63 - shift)) & low_bits(bits);
}

/// 1 / n modulo 2^64 for an odd n. Each step doubles the bits that are right, from the three of n n = 1.
constexpr std::uint64_t inverse_of_odd_word(std::uint64_t n) noexcept {
  std::uint64_t x = n;
  for (int step = 0; step < 5; ++step) x *= 2 - n * x;
  return x;
}

} // namespace detail

/// All ones for a bit of 1, zero for 0.
[[nodiscard]] inline std::uint64_t mask_of(std::uint64_t bit) noexcept { return 0 - detail::opaque(bit); }

/// a += b; returns the carry, 0 or 1.
inline std::uint64_t add(std::span<std::uint64_t> a, std::span<const std::uint64_t> b) noexcept {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const detail::uint128 sum = static_cast<detail::uint128>(a[i]) + b[i] + carry;
    a[i] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64);
  }
  return carry;
}

/// a -= b; returns the borrow, 0 or 1.
inline std::uint64_t subtract(std::span<std::uint64_t> a, std::span<const std::uint64_t> b) noexcept {
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const detail::uint128 rest = static_cast<detail::uint128>(a[i]) - b[i] - borrow;
    a[i] = static_cast<std::uint64_t>(rest);
    borrow = static_cast<std::uint64_t>(rest >> 64) & 1;
  }
  return borrow;
}

/// All ones if a < b, else zero.
[[nodiscard]] inline std::uint64_t is_less(std::span<const std::uint64_t> a,
                                           std::span<const std::uint64_t> b) noexcept {
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    borrow = static_cast<std::uint64_t>((static_cast<detail::uint128>(a[i]) - b[i] - borrow) >> 64) & 1;
  return mask_of(borrow);
}

/// All ones if every word is zero, else zero.
[[nodiscard]] inline std::uint64_t is_zero(std::span<const std::uint64_t> a) noexcept {
  std::uint64_t all = 0;
  for (const std::uint64_t word : a) all |= word;
  return mask_of(1 ^ ((all | (0 - all)) >> 63));
}

/// All ones if a = b, else zero.
[[nodiscard]] inline std::uint64_t equal(std::span<const std::uint64_t> a,
                                         std::span<const std::uint64_t> b) noexcept {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < a.size(); ++i) all |= a[i] ^ b[i];
  return mask_of(1 ^ ((all | (0 - all)) >> 63));
}

/// to = from where the mask is all ones; to stays where it is zero.
inline void copy_if(std::uint64_t mask, std::span<const std::uint64_t> from,
                    std::span<std::uint64_t> to) noexcept {
  mask = detail::opaque(mask);
  for (std::size_t i = 0; i < to.size(); ++i) to[i] ^= mask & (from[i] ^ to[i]);
}

/// out = yes where the mask is all ones, no where it is zero. `out` may be either.
inline void select(std::uint64_t mask, std::span<const std::uint64_t> yes, std::span<const std::uint64_t> no,
                   std::span<std::uint64_t> out) noexcept {
  mask = detail::opaque(mask);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = no[i] ^ (mask & (yes[i] ^ no[i]));
}

/// out = a b, of a.size() + b.size() words. `out` overlaps neither.
/// Cost  a.size() b.size() products of words, whatever they hold
inline void multiply(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b,
                     std::span<std::uint64_t> out) noexcept {
  std::ranges::fill(out, 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.size(); ++j)
      out[i + j] = detail::multiply_add(a[i], b[j], out[i + j], carry);
    out[i + b.size()] = carry;
  }
}

/// out = a b modulo 2^(64 out.size()). `out` overlaps neither.
inline void multiply_low(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b,
                         std::span<std::uint64_t> out) noexcept {
  std::ranges::fill(out, 0);
  for (std::size_t i = 0; i < std::min(a.size(), out.size()); ++i) {
    std::uint64_t carry = 0;
    const std::size_t end = std::min(b.size(), out.size() - i);
    for (std::size_t j = 0; j < end; ++j) out[i + j] = detail::multiply_add(a[i], b[j], out[i + j], carry);
    if (i + end < out.size()) out[i + end] = carry;
  }
}

/// out = 1 / n modulo 2^(64 out.size()), for an odd n of at least as many words: n x inverse = 1. A number
/// known to be a multiple of n is divided by it with one `multiply_low`.
inline void inverse_of_odd(std::span<const std::uint64_t> n, std::span<std::uint64_t> out) noexcept {
  const std::uint64_t first = detail::inverse_of_odd_word(n[0]);
  std::ranges::fill(out, 0);
  out[0] = 1;
  // What is left of 1 after the words found so far; each makes room for the next.
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t word = out[i] * first;
    std::uint64_t carry = 0;
    for (std::size_t j = i; j < out.size(); ++j) {
      const detail::uint128 product = static_cast<detail::uint128>(word) * n[j - i] + carry;
      const auto low = static_cast<std::uint64_t>(product);
      carry = static_cast<std::uint64_t>(product >> 64) + (out[j] < low);
      out[j] -= low;
    }
    out[i] = word;
  }
}

/// Bits without leading zeros, 0 for zero. NOT constant-time: for public numbers.
[[nodiscard]] inline std::size_t bit_length(std::span<const std::uint64_t> a) noexcept {
  std::size_t words = a.size();
  while (words > 0 && a[words - 1] == 0) --words;
  return words == 0 ? 0 : 64 * words - static_cast<std::size_t>(std::countl_zero(a[words - 1]));
}

} // namespace privet
