#pragma once
// Paillier decryption modulo p^2 and q^2.

#include <privet/core/error.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_encryptor.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// Decrypts.
///
/// Formula   m_p = L(c^(p-1) mod p^2) h_p mod p with L(u) = (u - 1) / p and h_p = -1 / q mod p; m_q likewise;
///           m = m_q + q ((m_p - m_q) / q mod p). For s > 1 modulo p^(s+1), with log(u) in the place of u - 1
/// Errors    N001 for ciphertexts of another key, N003 for room that does not fit; N010 from `verified`
/// Privacy   constant-time in the key, ciphertexts and plain numbers: divisions are exact and become products,
///           the rest are products modulo p^2 and q^2. Only the constants for s > 1 are made, once, with
///           integers whose time depends on them. Decrypt for others only what they may know: whoever
///           gets answers to ciphertexts of their choice reads everything
/// Cost      two powers with exponents of half the bits of n modulo numbers of as many bits as n
/// Source    Paillier 1999, section 7; docs/crypto/paillier.md
/// Test      tests/crypto/paillier.test.cpp
template <class Arch = simd::default_arch, std::size_t S = 1>
class paillier_decryptor {
 public:
  explicit paillier_decryptor(const paillier_secret_key& key)
      : with_(key.public_key()),
        blinder_(with_, key, thread_system_random()),
        q_power_(detail::power_of<secret_words>(key.q(), S)),
        p_(key.p(), detail::constants_of<S>(key).p_factor),
        q_(key.q(), detail::constants_of<S>(key).q_factor),
        recombine_(p_.powers.ring().enter(detail::constants_of<S>(key).recombine)) {}

  const paillier_evaluator<Arch, S>& evaluator() const noexcept { return with_; }

  /// Fills `plain_words()` words for each ciphertext.
  void decrypt(const ciphertexts<Arch, S>& c, std::span<std::uint64_t> plain) const {
    const std::size_t words = with_.plain_words(), half = words / 2, count = c.size();
    const auto& ring = p_.powers.ring();
    const auto& numbers = with_.own(c);
    require(plain.size() == count * words, fault::shape, "paillier_decryptor: room for ", plain.size(),
            " words, expected ", count * words);
    secret_words wide(count * with_.cipher_words());
    with_.ring().leave(numbers, wide);

    // p and q times what is wanted.
    secret_words of_p = p_.scaled_logarithms(wide), of_q = q_.scaled_logarithms(wide);
    secret_words m_q(of_q.size());
    for (std::size_t i = 0; i < count; ++i)
      multiply_low(detail::nth(of_q, i, ring.words()).first(half), q_.inverse,
                   detail::nth(m_q, i, ring.words()).first(half));

    // p (m_p - m_q) / q^s modulo p^(s+1): the factor of p holds 1 / q^s already.
    auto product = ring.enter(m_q);
    ring.multiply(product, recombine_, product);
    ring.leave(product, of_q);
    secret_words quotient(half), low(words);
    for (std::size_t i = 0; i < count; ++i) {
      const auto out = detail::nth(plain, i, words), scaled = detail::nth(of_p, i, ring.words());
      detail::subtract_modulo(scaled, detail::nth(of_q, i, ring.words()), ring.value());
      multiply_low(scaled.first(half), p_.inverse, quotient);
      multiply(quotient, q_power_, out);
      std::ranges::copy(detail::nth(m_q, i, ring.words()).first(half), low.begin());
      static_cast<void>(add(out, low));
    }
  }
  secret_words decrypt(const ciphertexts<Arch, S>& c) const {
    secret_words plain(c.size() * with_.plain_words());
    decrypt(c, plain);
    return plain;
  }

  /// Decrypts and computes again, with other numbers, whether the ciphertexts hold that: a fault in one of the
  /// two halves, seen by somebody who knows what should have come out, gives away a prime.
  ///
  /// Errors  N010 when they do not; nothing is returned then
  /// Cost    twice that of `decrypt`
  void decrypt_verified(const ciphertexts<Arch, S>& c, std::span<std::uint64_t> plain) const {
    decrypt(c, plain);
    if (holds(c, plain)) return;
    wipe(plain);
    fail(fault::state, "paillier_decryptor: a decryption failed its check, the machine miscomputes");
  }

  /// Whether the ciphertexts decrypt to these numbers, by the powers of c (1 - m n), which then are 1.
  bool holds(const ciphertexts<Arch, S>& c, std::span<const std::uint64_t> plain) const {
    const std::size_t words = with_.plain_words();
    require(plain.size() == c.size() * words, fault::shape, "paillier_decryptor: ", plain.size(),
            " words, expected ", c.size() * words);
    secret_words negative(plain.size());
    for (std::size_t i = 0; i < c.size(); ++i) {
      const auto m = detail::nth(negative, i, words);
      detail::subtract_modulo(m, detail::nth(plain, i, words), with_.plain_modulus());
    }
    const auto nothing_left = with_.add(ciphertexts<Arch, S>(c), with_.nude(negative));
    secret_words wide(c.size() * with_.cipher_words());
    with_.ring().leave(with_.own(nothing_left), wide);
    // Both, always: which half went wrong is nobody's business.
    return (is_zero(p_.scaled_logarithms(wide)) & is_zero(q_.scaled_logarithms(wide))) != 0;
  }

  /// The same numbers under fresh obfuscators: what is then decrypted is a number that whoever sent the
  /// ciphertexts does not know, so that timing and other channels say nothing of use.
  template <class Source>
  ciphertexts<Arch, S> blinded(ciphertexts<Arch, S> c, Source& source) const {
    detail::check_key_source(source);
    with_.own(c);
    auto& numbers = detail::ciphertext_access::numbers(c);
    with_.ring().multiply(numbers, blinder_.draw(with_, c.size(), source), numbers);
    return c;
  }

 private:
  /// One of the two primes.
  struct half_key {
    half_key(std::span<const std::uint64_t> prime, std::span<const std::uint64_t> factor_of_it)
        : powers(prime),
          inverse(S * prime.size()),
          exponent(prime.begin(), prime.end()),
          factor_words(powers.ring().words()) {
      secret_words wide(inverse.size());
      std::ranges::copy(prime, wide.begin());
      inverse_of_odd(wide, inverse);
      --exponent[0];
      std::ranges::copy(factor_of_it, factor_words.begin());
      factor = powers.ring().enter(factor_words);
    }

    /// s! log(c^(p-1)) factor modulo p^(s+1), for ciphertexts c in words. For s = 1 the logarithm of u is u - 1.
    secret_words scaled_logarithms(std::span<const std::uint64_t> wide) const {
      const auto& ring = powers.ring();
      auto power = powers.reduce(wide);
      ring.power(power, exponent, powers.prime_bits(), power);
      if constexpr (S > 1) logarithm(power);
      ring.multiply(power, factor, power);
      secret_words out(power.size() * ring.words());
      ring.leave(power, out);
      if constexpr (S == 1)
        for (std::size_t i = 0; i < power.size(); ++i)
          detail::subtract_modulo(detail::nth(out, i, ring.words()), factor_words, ring.value());
      return out;
    }

    /// s! times the logarithm of u = 1 modulo p, by its series: s! (v - v^2 / 2 + v^3 / 3 ...), v = u - 1.
    void logarithm(residues<Arch>& u) const {
      const auto& ring = powers.ring();
      const std::size_t words = ring.words();
      secret_words sum(u.size() * words), term(sum.size()), small(words);
      small[0] = 1;
      ring.leave(u, term);
      for (std::size_t i = 0; i < u.size(); ++i)
        detail::subtract_modulo(detail::nth(term, i, words), small, ring.value());
      const auto v = ring.enter(term);
      auto power = v;
      residues<Arch> scaled;
      std::uint64_t factorial = 1;
      for (std::uint64_t k = 2; k <= S; ++k) factorial *= k;
      for (std::uint64_t k = 1; k <= S; ++k) {
        small[0] = factorial / k;
        if (k > 1) ring.multiply(power, v, power);
        ring.multiply(power, ring.enter(small), scaled);
        ring.leave(scaled, term);
        for (std::size_t i = 0; i < u.size(); ++i) {
          const auto all = detail::nth(sum, i, words), next = detail::nth(term, i, words);
          if (k % 2 == 1)
            detail::add_modulo(all, next, ring.value());
          else
            detail::subtract_modulo(all, next, ring.value());
        }
      }
      u = ring.enter(sum);
    }

    detail::prime_power<Arch, S> powers;
    secret_words inverse;      ///< 1 / p modulo 2^(64 words of p^s)
    secret_words exponent;     ///< p - 1
    secret_words factor_words; ///< with zeros above
    residues<Arch> factor;
  };

  paillier_evaluator<Arch, S> with_;
  detail::key_holder_obfuscators<Arch, S> blinder_;
  secret_words q_power_; ///< q^s
  half_key p_, q_;
  residues<Arch> recombine_;
};

} // namespace privet
