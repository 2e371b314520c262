#pragma once
// The optional gateway to GMP, 6.2 and later, as Boost's mpz_int: whoever includes it links with -lgmp. No other
// header includes it: GMP is under the LGPL, and its time depends on the numbers.

#include <privet/core/error.hpp>
#include <privet/crypto/words.hpp>

#include <boost/multiprecision/gmp.hpp>

#include <gmp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace privet {

/// An integer of GMP. Every operator returns a number, never an expression that refers to its operands.
using gmp_bigint =
    boost::multiprecision::number<boost::multiprecision::gmp_int, boost::multiprecision::et_off>;

namespace detail {

inline gmp_bigint gmp_from_words(std::span<const std::uint64_t> words) {
  gmp_bigint x;
  ::mpz_import(x.backend().data(), words.size(), -1, sizeof(std::uint64_t), 0, 0, words.data());
  return x;
}
/// Of a number below 2^(64 out.size()) and not below 0; zeros above it.
inline void gmp_to_words(const gmp_bigint& x, std::span<std::uint64_t> out) {
  std::size_t used = 0;
  ::mpz_export(out.data(), &used, -1, sizeof(std::uint64_t), 0, 0, x.backend().data());
  std::ranges::fill(out.subspan(used), 0);
}

} // namespace detail

/// A public modulus and the operations of `modulus` on public numbers, by GMP: where there are no vectors, or a
/// second opinion is wanted. Numbers are words of ciphertexts as `paillier_evaluator::write` and `read` have them.
///
/// Shapes    numbers of `words()` little-endian words, one after the other; they need not be below the modulus.
///           Results are below it
/// Requires  a modulus from 2 on, odd or even
/// Privacy   everything is public: time and memory accesses depend on moduli, numbers, exponents and weights, and
///           GMP does not wipe what it gives back. Unlike `modulus::power_public` it is not for secret bases, such
///           as r in r^n; `unsafe::power` is the only operation that is told a secret
/// Errors    N001 for a modulus of 0 or 1 and a product of no batch, N003 for spans that do not fit
/// Test      tests/crypto/gmp.test.cpp
class gmp_modulus {
 public:
  explicit gmp_modulus(std::span<const std::uint64_t> n)
      : value_(detail::gmp_from_words(n)), words_((bit_length(n) + 63) / 64) {
    require(value_ > 1, fault::argument, "gmp_modulus: got a modulus of 0 or 1");
  }

  /// Words of a number below it.
  std::size_t words() const noexcept { return words_; }

  /// out[i] = a[i] b[i], or a[i] b[0] if b is one number: encrypted sums. `out` may be `a` or `b`.
  void multiply(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b,
                std::span<std::uint64_t> out) const {
    const std::size_t numbers = count(a);
    const bool one = count(b) == 1;
    require(one || b.size() == a.size(), fault::shape, "gmp_modulus: multiplies ", numbers, " numbers by ",
            count(b));
    check_room(numbers, out);
    const gmp_bigint first = one ? number(b, 0) : gmp_bigint();
    for (std::size_t i = 0; i < numbers; ++i) put(number(a, i) * (one ? first : number(b, i)), i, out);
  }

  /// The product of all numbers, 1 for none.
  void product(std::span<const std::uint64_t> a, std::span<std::uint64_t> out) const {
    check_room(1, out);
    gmp_bigint all = 1;
    for (std::size_t i = 0; i < count(a); ++i) all = all * number(a, i) % value_;
    put(all, 0, out);
  }

  /// out[i] = base[i]^exponent: encrypted products. `out` may be `base`.
  void power_public(std::span<const std::uint64_t> base, std::span<const std::uint64_t> exponent,
                    std::span<std::uint64_t> out) const {
    check_room(count(base), out);
    const gmp_bigint e = detail::gmp_from_words(exponent);
    for (std::size_t i = 0; i < count(base); ++i) put(powm(number(base, i), e, value_), i, out);
  }

  /// out[j] = product over i of bases[i][j]^weights[i]: encrypted weighted sums. `out` may be one of the bases.
  /// Cost  a power for each number
  void weighted_product(std::span<const std::span<const std::uint64_t>> bases,
                        std::span<const std::uint32_t> weights, std::span<std::uint64_t> out) const {
    require(bases.size() == weights.size(), fault::shape, "gmp_modulus: ", bases.size(), " batches and ",
            weights.size(), " weights");
    require(!bases.empty(), fault::argument, "gmp_modulus: a product of no batch");
    const std::size_t numbers = count(bases[0]);
    for (const auto base : bases)
      require(count(base) == numbers, fault::shape, "gmp_modulus: batches of ", numbers, " and ", count(base),
              " numbers");
    check_room(numbers, out);
    for (std::size_t j = 0; j < numbers; ++j) {
      gmp_bigint all = 1;
      for (std::size_t i = 0; i < bases.size(); ++i)
        all = all * powm(number(bases[i], j), gmp_bigint(weights[i]), value_) % value_;
      put(all, j, out);
    }
  }

 private:
  std::size_t count(std::span<const std::uint64_t> numbers) const {
    require(numbers.size() % words_ == 0, fault::shape, "gmp_modulus: ", numbers.size(),
            " words, expected a multiple of ", words_);
    return numbers.size() / words_;
  }
  void check_room(std::size_t numbers, std::span<const std::uint64_t> out) const {
    require(out.size() == numbers * words_, fault::shape, "gmp_modulus: room for ", out.size(),
            " words, expected ", numbers * words_);
  }
  gmp_bigint number(std::span<const std::uint64_t> numbers, std::size_t i) const {
    return detail::gmp_from_words(numbers.subspan(i * words_, words_));
  }
  void put(const gmp_bigint& x, std::size_t i, std::span<std::uint64_t> out) const {
    detail::gmp_to_words(x % value_, out.subspan(i * words_, words_));
  }

  gmp_bigint value_;
  std::size_t words_;
};

namespace unsafe {

/// As `gmp_modulus::power_public` for an exponent that is a secret, to compare with or where nobody can measure.
///
/// Privacy  `mpz_powm` is not constant-time: its time and memory accesses tell of the exponent, and copies of it
///          stay in memory. `modulus::power` is what keeps it
/// Errors   N001 without a reason
inline void power(const gmp_modulus& n, std::span<const std::uint64_t> base,
                  std::span<const std::uint64_t> secret_exponent, std::span<std::uint64_t> out,
                  std::string_view reason) {
  require(!reason.empty(), fault::argument, "unsafe::power: no reason is given");
  n.power_public(base, secret_exponent, out);
}

} // namespace unsafe

} // namespace privet
