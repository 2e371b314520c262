#pragma once
// Paillier keys that nobody holds: shares of the exponent that decrypts, and what comes of them.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/words.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// How many of how many open together.
struct quorum {
  std::size_t threshold = 2, parties = 2;

  static constexpr quorum all_of(std::size_t parties) noexcept { return {parties, parties}; }
  constexpr bool all() const noexcept { return threshold == parties; }
  friend constexpr bool operator==(const quorum&, const quorum&) = default;

  /// Errors  N001 unless 2 <= threshold <= parties, with at most 64 parties
  void check() const {
    require(threshold >= 2 && threshold <= parties && parties <= 64, fault::argument, "quorum: got ",
            threshold, " of ", parties,
            " parties, expected 2 to 64 parties and a threshold from 2 to all of them");
  }
};

namespace detail {

/// Bits of the product of 1 to n.
inline bigint factorial(std::size_t n) {
  bigint product = 1;
  for (std::size_t i = 2; i <= n; ++i) product *= i;
  return product;
}

/// How far the shares of a quorum deviate from telling nothing: 2^-128.
inline constexpr std::size_t masking_bits = 128;

/// Bits of the coefficients that mask the exponent.
inline std::size_t coefficient_bits(std::size_t key_bits, const quorum& of) {
  return masking_bits + 2 * key_bits + bit_length(factorial(of.parties)) +
         static_cast<std::size_t>(std::bit_width(of.threshold));
}
/// Bits that hold any share.
inline std::size_t share_bits(std::size_t key_bits, const quorum& of) {
  if (of.all()) return 2 * key_bits;
  return coefficient_bits(key_bits, of) + 2 +
         (of.threshold - 1) * static_cast<std::size_t>(std::bit_width(of.parties));
}

} // namespace detail

/// One party's part of the exponent. It is moved, not copied, wipes itself, and is no `paillier_secret_key`:
/// alone it opens nothing.
class paillier_key_share {
 public:
  /// The share of a party, 1 to `of.parties`, from a file.
  ///
  /// Errors  N004 for an index that does not exist or a share of another length than shares of this key have
  static result<paillier_key_share> from_words(const paillier_public_key& key, const quorum& of,
                                               std::size_t index, std::span<const std::uint64_t> share) {
    const auto wrong = [](const auto&... what) { return error::of(fault::format, "key share: ", what...); };
    if (of.threshold < 2 || of.threshold > of.parties || of.parties > 64)
      return wrong("of ", of.threshold, " of ", of.parties, " parties");
    if (index < 1 || index > of.parties) return wrong("number ", index, " of ", of.parties);
    const std::size_t bits = detail::share_bits(key.bits(), of);
    if (share.size() != (bits + 63) / 64)
      return wrong("got ", share.size(), " words, expected ", (bits + 63) / 64);
    secret_words rest(share.begin(), share.end());
    keep_low_bits(rest, bits);
    if (!equal(rest, share)) return wrong("has more than ", bits, " bits");
    return paillier_key_share(key, of, index, std::move(rest));
  }

  paillier_key_share(paillier_key_share&&) noexcept = default;
  paillier_key_share& operator=(paillier_key_share&&) noexcept = default;
  paillier_key_share(const paillier_key_share&) = delete;
  paillier_key_share& operator=(const paillier_key_share&) = delete;

  const paillier_public_key& public_key() const noexcept { return key_; }
  const quorum& of() const noexcept { return of_; }
  /// Which party's, from 1 on.
  std::size_t index() const noexcept { return index_; }

  /// The secret itself, for files.
  std::span<const std::uint64_t> words() const noexcept { return share_; }
  /// Bits that shares of this key and quorum have at most; public.
  std::size_t bits() const noexcept { return detail::share_bits(key_.bits(), of_); }

 private:
  friend struct paillier_dealer;
  paillier_key_share(const paillier_public_key& key, const quorum& of, std::size_t index, secret_words share)
      : key_(key), of_(of), index_(index), share_(std::move(share)) {}

  paillier_public_key key_;
  quorum of_;
  std::size_t index_;
  secret_words share_;
};

/// A key after it was dealt.
struct dealt_paillier_key {
  paillier_public_key public_key;
  std::vector<paillier_key_share> shares; ///< of party 1, 2, ...
};

/// Whoever deals can open everything until the key is erased, which happens when `deal` returns.
///
/// Formula   d = 0 modulo lambda, 1 modulo n. All of them: d = d_1 + ... + d_n modulo n lambda, all but the last
///           uniform. Some of them: shares f(i) of a polynomial over the integers, f(0) = parties! d, whose other
///           coefficients are uniform below 2^128 parties! threshold 2^(2 bits)
/// Errors    N001 for an impossible quorum, or a key that is not Blum
/// Privacy   fewer shares than the threshold tell nothing of d (all of them) or differ from shares of 0 by at
///           most 2^-128 in total variation (some): docs/crypto/threshold_paillier.md. The exponent is computed
///           with `secret_bigint`, whose time depends on it; shares are constant-time
/// Source    Damgard, Jurik, "A generalisation, a simplification and some applications of Paillier's
///           probabilistic public-key system", 2001; over the integers: Rabin, "A simplified approach to
///           threshold and proactive RSA", 1998
/// Test      tests/crypto/threshold_paillier.test.cpp
struct paillier_dealer {
  template <class Source>
  static dealt_paillier_key deal(paillier_secret_key key, const quorum& of, Source&& source) {
    detail::check_key_source(source);
    of.check();
    require(key.public_key().blum(), fault::argument, "paillier_dealer: the primes of the key ",
            hex(key.public_key().fingerprint()), " are not Blum");
    const auto p = from_words<secret_bigint>(key.p()), q = from_words<secret_bigint>(key.q());
    const secret_bigint n = p * q, lambda = (p - 1) * (q - 1) / 2;
    const std::size_t words = 2 * key.public_key().n().size();
    const auto d = to_words<secret_words>(secret_bigint(lambda * inverse_modulo(lambda, n)), words);
    dealt_paillier_key out{key.public_key(), {}};
    if (of.all())
      deal_all(out, of, d, to_words<secret_words>(secret_bigint(n * lambda), words), source);
    else
      deal_some(out, of, d, source);
    return out;
  }

 private:
  template <class Source>
  static void deal_all(dealt_paillier_key& out, const quorum& of, const secret_words& d,
                       const secret_words& order, Source& source) {
    secret_words rest(d);
    for (std::size_t i = 1; i < of.parties; ++i) {
      secret_words share(d.size());
      draw_below(source, order, share);
      detail::subtract_modulo(rest, share, order);
      out.shares.push_back({out.public_key, of, i, std::move(share)});
    }
    out.shares.push_back({out.public_key, of, of.parties, std::move(rest)});
  }

  template <class Source>
  static void deal_some(dealt_paillier_key& out, const quorum& of, const secret_words& d, Source& source) {
    const std::size_t key_bits = out.public_key.bits(), bits = detail::coefficient_bits(key_bits, of);
    const std::size_t words = (detail::share_bits(key_bits, of) + 63) / 64;
    const auto factorial = detail::factorial(of.parties);
    const auto factor = to_words(factorial, (bit_length(factorial) + 63) / 64);
    secret_words coefficients(of.threshold * words);
    multiply_low(d, factor, detail::nth(coefficients, 0, words));
    for (std::size_t i = 1; i < of.threshold; ++i) {
      const auto coefficient = detail::nth(coefficients, i, words);
      fill_words(source, coefficient);
      keep_low_bits(coefficient, bits);
    }
    secret_words next(words);
    for (std::uint64_t x = 1; x <= of.parties; ++x) {
      secret_words value(words);
      for (std::size_t i = of.threshold; i-- > 0;) {
        multiply_low(value, {&x, 1}, next);
        value.swap(next);
        static_cast<void>(add(value, detail::nth(coefficients, i, words)));
      }
      out.shares.push_back({out.public_key, of, static_cast<std::size_t>(x), std::move(value)});
    }
  }
};

/// Keys of a size that is known to the compiler, and in nobody's hands.
template <std::size_t Bits>
struct threshold_paillier {
  /// Shares of a new key, of which it takes all, or those of a quorum, to open.
  template <class Arch = simd::default_arch, class Source>
  static dealt_paillier_key deal(std::size_t parties, Source&& source) {
    return deal<Arch>(quorum::all_of(parties), source);
  }
  template <class Arch = simd::default_arch, class Source>
  static dealt_paillier_key deal(const quorum& of, Source&& source) {
    of.check();
    return paillier_dealer::deal(paillier<Bits>::template generate<Arch>(source), of, source);
  }
};

/// What one party makes of ciphertexts with its share. Of fewer parties than the threshold they tell nothing.
template <class Arch = simd::default_arch>
class partial_decryptions {
 public:
  std::size_t size() const noexcept { return numbers_.size(); }
  std::size_t index() const noexcept { return index_; }
  const digest& key() const noexcept { return key_; }

 private:
  template <class A>
  friend class partial_decryptor;
  template <class A>
  friend class partial_combiner;
  partial_decryptions(residues<Arch> numbers, std::size_t index, const digest& key)
      : numbers_(std::move(numbers)), index_(index), key_(key) {}

  residues<Arch> numbers_;
  std::size_t index_;
  digest key_;
};

/// Decrypts as far as one share goes.
///
/// Formula   c^(share) modulo n^2
/// Errors    N001 for ciphertexts of another key
/// Privacy   constant-time in the share. Whoever gets partial decryptions of a ciphertext from enough parties
///           reads it: give them for sums that were checked
/// Cost      a power with an exponent of twice the bits of n, or some hundred more
/// Test      tests/crypto/threshold_paillier.test.cpp
template <class Arch = simd::default_arch>
class partial_decryptor {
 public:
  explicit partial_decryptor(const paillier_key_share& share)
      : with_(share.public_key()),
        index_(share.index()),
        bits_(share.bits()),
        share_(share.words().begin(), share.words().end()) {}
  partial_decryptor(partial_decryptor&&) noexcept = default;
  partial_decryptor(const partial_decryptor&) = delete;
  partial_decryptor& operator=(const partial_decryptor&) = delete;

  const paillier_evaluator<Arch>& evaluator() const noexcept { return with_; }

  partial_decryptions<Arch> decrypt(const ciphertexts<Arch>& c) const {
    residues<Arch> numbers;
    with_.ring().power(with_.own(c), share_, bits_, numbers);
    return {std::move(numbers), index_, with_.key().fingerprint()};
  }

 private:
  paillier_evaluator<Arch> with_;
  std::size_t index_, bits_;
  secret_words share_;
};

/// Puts partial decryptions together.
///
/// Formula   all parties: u = product of c_i. Some: u = product of c_i^(2 m_i), m_i = parties! times Lagrange's
///           coefficient of i at 0. Then u = 1 modulo n, and m = (u - 1) / n / (1 or 2 parties!^2) modulo n
/// Errors    N001 for partial decryptions of another key; what peers did wrong is returned
/// Privacy   constant-time in what is opened, but for one inverse modulo n of partial decryptions. Parties follow
///           the protocol: a wrong partial decryption is noticed unless it is wrong by a factor that is 1 modulo
///           n, and nobody proves whose it was
/// Test      tests/crypto/threshold_paillier.test.cpp
template <class Arch = simd::default_arch>
class partial_combiner {
 public:
  partial_combiner(const paillier_public_key& key, const quorum& of) : with_(key), of_(of), plain_(key.n()) {
    of.check();
    inverse_.resize(key.n().size());
    inverse_of_odd(key.n(), inverse_);
    const bigint factorial = detail::factorial(of.parties), n = from_words(key.n());
    const bigint scale = of.all() ? bigint(1) : inverse_modulo(bigint(2 * factorial * factorial), n);
    unscale_ = plain_.enter(to_words(scale, key.n().size()));
  }

  /// A party's untrusted words as its partial decryptions.
  ///
  /// Errors  N009 for a party that does not exist; N004 as `paillier_evaluator::read`
  result<partial_decryptions<Arch>> read(std::size_t index, std::span<const std::uint64_t> words) const {
    if (index < 1 || index > of_.parties)
      return error::of(fault::message, "partial decryption: of party ", index, ", expected 1 to ",
                       of_.parties);
    auto numbers = with_.read(words);
    if (!numbers) return error{numbers.error().kind, concat(numbers.error().message, " (party ", index, ")")};
    return partial_decryptions<Arch>(std::move(detail::ciphertext_access::numbers(*numbers)), index,
                                     with_.key().fingerprint());
  }
  /// `cipher_words()` words for each number.
  std::vector<std::uint64_t> write(const partial_decryptions<Arch>& part) const {
    std::vector<std::uint64_t> words(part.size() * with_.cipher_words());
    with_.ring().leave(own(part), words);
    return words;
  }

  /// The plain numbers, from the parts of different parties: all, or at least the threshold, of which the first
  /// count.
  ///
  /// Errors  N009 for too few parts, two of one party, parts of different lengths, or parts that do not fit
  ///         together: of other ciphertexts, of another deal or miscomputed
  result<secret_words> combine(std::span<const partial_decryptions<Arch>* const> parts) const {
    if (parts.size() < of_.threshold)
      return error::of(fault::message, "partial decryptions: of ", parts.size(), " parties, needed ",
                       of_.threshold);
    parts = parts.first(of_.threshold);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      own(*parts[i]);
      if (parts[i]->size() != parts[0]->size())
        return error::of(fault::message, "partial decryptions: party ", parts[i]->index(), " has ",
                         parts[i]->size(), " numbers, party ", parts[0]->index(), " has ", parts[0]->size());
      for (std::size_t j = 0; j < i; ++j)
        if (parts[i]->index() == parts[j]->index())
          return error::of(fault::message, "partial decryptions: two of party ", parts[i]->index());
    }
    return of_.all() ? opened(products(parts, true), with_.ring().ones(parts[0]->size()))
                     : opened(products(parts, true), products(parts, false));
  }

 private:
  const residues<Arch>& own(const partial_decryptions<Arch>& part) const {
    require(part.key() == with_.key().fingerprint(), fault::argument, "partial decryptions: of the key ",
            hex(part.key()), ", expected ", hex(with_.key().fingerprint()));
    return part.numbers_;
  }

  /// Of the parts with a positive exponent, or of the others.
  residues<Arch> products(std::span<const partial_decryptions<Arch>* const> parts, bool positive) const {
    const auto& ring = with_.ring();
    auto product = ring.ones(parts[0]->size());
    residues<Arch> power;
    for (const auto* part : parts) {
      if (of_.all()) {
        ring.multiply(product, part->numbers_, product);
        continue;
      }
      const bigint exponent = exponent_of(parts, part->index());
      if ((exponent > 0) != positive) continue;
      const std::size_t bits = bit_length(exponent);
      ring.power(part->numbers_, to_words(bigint(abs(exponent)), (bits + 63) / 64), bits, power);
      ring.multiply(product, power, product);
    }
    return product;
  }

  /// 2 parties! times the product of j / (j - i) over the other parties j.
  bigint exponent_of(std::span<const partial_decryptions<Arch>* const> parts, std::size_t i) const {
    bigint above = 2 * detail::factorial(of_.parties), below = 1;
    for (const auto* other : parts) {
      if (other->index() == i) continue;
      above *= other->index();
      below *= static_cast<std::int64_t>(other->index()) - static_cast<std::int64_t>(i);
    }
    return above / below;
  }

  /// m for above / below = 1 + m n: (above - below) / n / below modulo n.
  result<secret_words> opened(const residues<Arch>& above, const residues<Arch>& below) const {
    const std::size_t words = with_.plain_words(), wide = with_.cipher_words(), count = above.size();
    secret_words numerator(count * wide), denominator(count * wide), plain(count * words), product(wide);
    with_.ring().leave(above, numerator);
    with_.ring().leave(below, denominator);
    std::uint64_t whole = ~std::uint64_t{0};
    for (std::size_t i = 0; i < count; ++i) {
      const auto difference = detail::nth(numerator, i, wide), quotient = detail::nth(plain, i, words);
      detail::subtract_modulo(difference, detail::nth(denominator, i, wide), with_.ring().value());
      multiply_low(difference.first(words), inverse_, quotient);
      multiply(quotient, with_.key().n(), product);
      whole &= equal(product, difference);
    }
    if (!whole)
      return error::of(fault::message,
                       "partial decryptions: do not fit together; they are of other ciphertexts or "
                       "of another deal, or a party miscomputed");
    auto numbers = plain_.enter(plain);
    plain_.multiply(numbers, unscale_, numbers);
    if (!of_.all()) plain_.multiply(numbers, plain_.enter(inverses(denominator, count)), numbers);
    plain_.leave(numbers, plain);
    return plain;
  }

  /// 1 / x modulo n of wide numbers x, with one inverse for all (Montgomery, 1987).
  std::vector<std::uint64_t> inverses(std::span<const std::uint64_t> wide, std::size_t count) const {
    const bigint n = from_words(with_.key().n());
    std::vector<bigint> number(count), before(count);
    bigint product = 1;
    for (std::size_t i = 0; i < count; ++i) {
      number[i] = from_words(detail::nth(wide, i, with_.cipher_words())) % n;
      before[i] = product;
      product = product * number[i] % n;
    }
    bigint inverse = inverse_modulo(product, n);
    std::vector<std::uint64_t> out(count * with_.plain_words());
    for (std::size_t i = count; i-- > 0;) {
      to_words(bigint(inverse * before[i] % n), detail::nth(out, i, with_.plain_words()));
      inverse = inverse * number[i] % n;
    }
    return out;
  }

  paillier_evaluator<Arch> with_;
  quorum of_;
  modulus<Arch> plain_;  ///< n
  secret_words inverse_; ///< 1 / n modulo 2^(64 words)
  residues<Arch> unscale_;
};

} // namespace privet
