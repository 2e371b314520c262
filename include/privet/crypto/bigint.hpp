#pragma once
// Integers of any size, and the gateway to Boost.Multiprecision: but for gmp.hpp, nobody else names it.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/crypto/words.hpp>

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// A public integer. Every operator returns a number, never an expression that refers to its operands.
/// Arithmetic takes a time that depends on the numbers.
using bigint =
    boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>, boost::multiprecision::et_off>;

/// An integer for making keys: as `bigint`, over memory that is wiped before it is given back.
///
/// Privacy   arithmetic takes a time that depends on the numbers, so it serves where a key is made or read,
///           once, and nowhere else. Not wiped: numbers of up to 128 bits, which lie inside the object, and
///           what Boost keeps on the stack while it multiplies
using secret_bigint = boost::multiprecision::number<
    boost::multiprecision::cpp_int_backend<0, 0, boost::multiprecision::signed_magnitude,
                                           boost::multiprecision::unchecked, wiping_allocator<std::uint64_t>>,
    boost::multiprecision::et_off>;

template <class T>
concept Bigint = std::same_as<T, bigint> || std::same_as<T, secret_bigint>;

namespace detail {
inline constexpr std::size_t limb_bits = sizeof(boost::multiprecision::limb_type) * 8;
inline constexpr std::size_t limbs_per_word = 64 / limb_bits;
static_assert(limb_bits == 32 || limb_bits == 64);
} // namespace detail

/// Bits of |x|; 0 for 0.
template <Bigint Big>
std::size_t bit_length(const Big& x) {
  return x.is_zero() ? 0 : static_cast<std::size_t>(boost::multiprecision::msb(x < 0 ? Big(-x) : x)) + 1;
}

/// The non-negative number of these little-endian words.
template <Bigint Big = bigint>
Big from_words(std::span<const std::uint64_t> words) {
  Big x;
  if (words.empty()) return x;
  auto& backend = x.backend();
  const auto limbs = static_cast<unsigned>(words.size() * detail::limbs_per_word);
  backend.resize(limbs, limbs);
  for (std::size_t i = 0; i < limbs; ++i)
    backend.limbs()[i] = static_cast<boost::multiprecision::limb_type>(
        words[i / detail::limbs_per_word] >> detail::limb_bits * (i % detail::limbs_per_word));
  backend.normalize();
  return x;
}

/// Fills little-endian words, with zeros above the number.
///
/// Errors  N008 when x is negative or does not fit
template <Bigint Big>
void to_words(const Big& x, std::span<std::uint64_t> out) {
  require(x >= 0 && bit_length(x) <= 64 * out.size(), fault::range, "to_words: a ",
          x < 0 ? "negative number" : "number of ", bit_length(x), " bits for ", out.size(), " words");
  std::ranges::fill(out, 0);
  const auto& backend = x.backend();
  for (std::size_t i = 0; i < std::min<std::size_t>(backend.size(), out.size() * detail::limbs_per_word); ++i)
    out[i / detail::limbs_per_word] |= static_cast<std::uint64_t>(backend.limbs()[i])
                                       << detail::limb_bits * (i % detail::limbs_per_word);
}
template <class Words = std::vector<std::uint64_t>, Bigint Big>
Words to_words(const Big& x, std::size_t count) {
  Words words(count);
  to_words(x, std::span<std::uint64_t>(words));
  return words;
}

/// The number of these big-endian bytes.
template <Bigint Big = bigint>
Big from_big_endian(std::span<const std::byte> bytes) {
  secret_words words((bytes.size() + 7) / 8);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    words[i / 8] |= std::to_integer<std::uint64_t>(bytes[bytes.size() - 1 - i]) << 8 * (i % 8);
  return from_words<Big>(words);
}

/// Fills big-endian bytes, with zeros before the number.
///
/// Errors  N008 when x is negative or does not fit
template <Bigint Big>
void to_big_endian(const Big& x, std::span<std::byte> out) {
  require(x >= 0 && bit_length(x) <= 8 * out.size(), fault::range, "to_big_endian: a ",
          x < 0 ? "negative number" : "number of ", bit_length(x), " bits for ", out.size(), " bytes");
  secret_words words((out.size() + 7) / 8);
  to_words(x, std::span<std::uint64_t>(words));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[out.size() - 1 - i] = static_cast<std::byte>(words[i / 8] >> 8 * (i % 8));
}

/// Reads a non-negative decimal number of untrusted text: digits alone, no sign, no zero in front.
///
/// Errors  N004 for anything else, and for more than `most_digits` digits
/// Cost    quadratic in the digits
template <Bigint Big = bigint>
result<Big> parse_decimal(std::string_view text, std::size_t most_digits) {
  if (text.empty() || text.size() > most_digits)
    return error::of(fault::format, "decimal number: got ", text.size(), " characters, expected 1 to ",
                     most_digits, " digits");
  if (text.size() > 1 && text[0] == '0') return error::of(fault::format, "decimal number: a zero in front");
  Big x;
  for (std::size_t at = 0; at < text.size();) {
    std::uint64_t piece = 0, scale = 1;
    for (const std::size_t end = std::min(at + 18, text.size()); at < end; ++at) {
      if (text[at] < '0' || text[at] > '9')
        return error::of(fault::format, "decimal number: character ", at, " is no digit");
      piece = piece * 10 + static_cast<std::uint64_t>(text[at] - '0');
      scale *= 10;
    }
    x *= scale;
    x += piece;
  }
  return x;
}
template <Bigint Big>
std::string to_decimal(const Big& x) {
  return x.str();
}

template <Bigint Big>
Big greatest_common_divisor(Big a, Big b) {
  return boost::multiprecision::gcd(a, b);
}

/// The x in [0, n) with a x = 1 mod n, or 0 when there is none.
///
/// Source  Knuth, The Art of Computer Programming, volume 2, 4.5.2, algorithm X
template <Bigint Big>
Big inverse_modulo(const Big& a, const Big& n) {
  Big r0 = n, r1 = a % n, s0 = 0, s1 = 1;
  if (r1 < 0) r1 += n;
  while (r1 != 0) {
    const Big quotient = r0 / r1;
    Big next = r0 - quotient * r1;
    r0 = std::move(r1), r1 = std::move(next);
    next = s0 - quotient * s1;
    s0 = std::move(s1), s1 = std::move(next);
  }
  if (r0 != 1) return 0;
  return s0 < 0 ? Big(s0 + n) : s0;
}

/// base^exponent mod n by Boost, for small numbers and as a second opinion in tests.
template <Bigint Big>
Big power_modulo(const Big& base, const Big& exponent, const Big& n) {
  return boost::multiprecision::powm(Big(base % n), exponent, n);
}

/// The largest x with x^degree <= a.
///
/// Requires  a >= 0, degree >= 1
template <Bigint Big>
Big integer_root(const Big& a, unsigned degree) {
  if (a < 2 || degree == 1) return a;
  // From above, Newton's steps fall until they reach the root.
  Big x = Big(1) << static_cast<unsigned>((bit_length(a) + degree - 1) / degree);
  for (;;) {
    const Big next = (x * (degree - 1) + a / Big(boost::multiprecision::pow(x, degree - 1))) / degree;
    if (next >= x) return x;
    x = next;
  }
}

} // namespace privet
