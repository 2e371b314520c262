#pragma once
// Paillier ciphertexts and what anybody may compute with them: read, add, scale, write.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

struct ciphertext_access;

/// Numbers modulo n^(s+1) and whose they are.
template <class Arch>
class numbers_of_key {
 public:
  std::size_t size() const noexcept { return numbers_.size(); }
  /// Fingerprint of their key.
  const digest& key() const noexcept { return key_; }

 private:
  friend ciphertext_access;
  residues<Arch> numbers_;
  digest key_{};
};

} // namespace detail

/// Encrypted numbers of one key, in Montgomery form modulo n^2: adding costs one product each. They are made
/// by an encryptor or read by `paillier_evaluator::read`, and written by its `write`.
template <class Arch = simd::default_arch, std::size_t S = 1>
class ciphertexts : public detail::numbers_of_key<Arch> {
 public:
  ciphertexts() = default; // declared: no aggregate, which nude ones could be put into
};

/// Numbers in the form of ciphertexts, 1 + m n, that hide nothing: whoever sees them reads m. They can be
/// added to ciphertexts and encrypted by an encryptor; there is no way to write them.
template <class Arch = simd::default_arch, std::size_t S = 1>
class nude_ciphertexts : public detail::numbers_of_key<Arch> {
 public:
  nude_ciphertexts() = default;
};

namespace detail {

/// For the nouns of this room that make ciphertexts or open them.
struct ciphertext_access {
  template <class Ciphertexts, class Arch>
  static Ciphertexts make_as(residues<Arch> numbers, const digest& key) {
    Ciphertexts out;
    out.numbers_ = std::move(numbers);
    out.key_ = key;
    return out;
  }
  template <std::size_t S = 1, class Arch>
  static ciphertexts<Arch, S> make(residues<Arch> numbers, const digest& key) {
    return make_as<ciphertexts<Arch, S>>(std::move(numbers), key);
  }
  template <class Ciphertexts>
  static auto& numbers(Ciphertexts& of) noexcept {
    return of.numbers_;
  }
};

/// a = a + b or a - b modulo m, for a and b below m.
inline void add_modulo(std::span<std::uint64_t> a, std::span<const std::uint64_t> b,
                       std::span<const std::uint64_t> m) {
  const std::uint64_t carry = add(a, b);
  secret_words less(a.begin(), a.end());
  const std::uint64_t borrow = subtract(less, m);
  copy_if(mask_of(carry | (borrow ^ 1)), less, a);
}
inline void subtract_modulo(std::span<std::uint64_t> a, std::span<const std::uint64_t> b,
                            std::span<const std::uint64_t> m) {
  const std::uint64_t borrow = subtract(a, b);
  secret_words more(a.begin(), a.end());
  static_cast<void>(add(more, m));
  copy_if(mask_of(borrow), more, a);
}

/// One of several numbers that lie one after the other.
template <class Words>
auto nth(Words&& numbers, std::size_t i, std::size_t words) noexcept {
  return std::span(numbers).subspan(i * words, words);
}

/// n^exponent, of exponent times as many words.
template <class Words = std::vector<std::uint64_t>>
Words power_of(std::span<const std::uint64_t> n, std::size_t exponent) {
  Words power(n.begin(), n.end());
  for (std::size_t i = 1; i < exponent; ++i) {
    Words next(power.size() + n.size());
    privet::multiply(power, n, next);
    power.swap(next);
  }
  return power;
}

} // namespace detail

/// Arithmetic on the ciphertexts of a public key.
///
/// Formula   E(a) E(b) = E(a + b), E(a)^w = E(w a), all modulo n^2; sums wrap modulo n. With S = s > 1, modulo
///           n^(s+1) and n^s, the cryptosystem of Damgard and Jurik
/// Requires  plain numbers below n of `plain_words()` words each, ciphertexts of `cipher_words()` words each
/// Errors    N001 for ciphertexts of another key and for plain numbers from n on, N003 for counts that do not
///           fit; what `read` refuses it returns
/// Privacy   constant-time in ciphertexts and plain numbers; weights and factors are public. Sums of
///           ciphertexts tell whoever knows some of the terms nothing new, but a product E(a)^w and a sum
///           E(a) (1 + b n) show w and b to whoever knows E(a): `paillier_encryptor::rerandomise` hides them.
///           Ciphertexts can be changed by anybody (IND-CPA only): they travel signed or not at all
/// Source    Paillier, "Public-key cryptosystems based on composite degree residuosity classes", 1999; Damgard, Jurik,
///           "A generalisation, a simplification and some applications of Paillier's probabilistic public-key
///           system", 2001
/// Test      tests/crypto/paillier.test.cpp, tests/crypto/damgard_jurik.test.cpp
template <class Arch = simd::default_arch, std::size_t S = 1>
class paillier_evaluator {
  static_assert(S >= 1 && S <= 4, "Damgard and Jurik's plain numbers are below n^s, s from 1 to 4 here");

 public:
  explicit paillier_evaluator(const paillier_public_key& key)
      : key_(key), plain_modulus_(detail::power_of(key.n(), S)), ring_(detail::power_of(key.n(), S + 1)) {
    if constexpr (S == 1) return;
    bigint term = 1;
    const bigint modulus = from_words(ring_.value());
    for (std::size_t i = 1; i <= S; ++i) {
      term = term * from_words(key_.n()) % modulus * inverse_modulo(bigint(i), modulus) % modulus;
      terms_.push_back(ring_.enter(to_words(term, cipher_words())));
    }
  }

  const paillier_public_key& key() const noexcept { return key_; }
  std::size_t plain_words() const noexcept { return S * key_.n().size(); }
  std::size_t cipher_words() const noexcept { return (S + 1) * key_.n().size(); }
  /// n^s: plain numbers are below it, and obfuscators are powers of it.
  std::span<const std::uint64_t> plain_modulus() const noexcept { return plain_modulus_; }
  /// Arithmetic modulo n^(s+1).
  const modulus<Arch>& ring() const noexcept { return ring_; }

  /// Untrusted words as ciphertexts.
  ///
  /// Errors  N004 unless there is a whole number of them, each 0 < c < n^(s+1) with gcd(c, n) = 1: whatever has a
  ///         factor of n would give it away, or decrypt to nonsense (data61/python-paillier 77)
  /// Cost    one product each, and one greatest common divisor for all
  result<ciphertexts<Arch, S>> read(std::span<const std::uint64_t> words) const {
    const std::size_t each = cipher_words();
    if (words.size() % each != 0)
      return error::of(fault::format, "ciphertexts: got ", words.size(), " words, expected a multiple of ",
                       each);
    const std::size_t count = words.size() / each;
    for (std::size_t i = 0; i < count; ++i)
      if (!is_less(detail::nth(words, i, each), ring_.value()))
        return error::of(fault::format, "ciphertexts: number ", i, " is not below n^", S + 1);
    auto numbers = ring_.enter(words);
    if (!coprime(numbers)) {
      for (std::size_t i = 0; i < count; ++i)
        if (!coprime(ring_.enter(detail::nth(words, i, each))))
          return error::of(fault::format, "ciphertexts: number ", i, " has a common factor with n");
    }
    return detail::ciphertext_access::make<S>(std::move(numbers), key_.fingerprint());
  }

  /// Fills `cipher_words()` words for each ciphertext.
  void write(const ciphertexts<Arch, S>& c, std::span<std::uint64_t> words) const {
    ring_.leave(own(c), words);
  }
  std::vector<std::uint64_t> write(const ciphertexts<Arch, S>& c) const {
    std::vector<std::uint64_t> words(c.size() * cipher_words());
    write(c, words);
    return words;
  }

  /// 1 + m n for each plain number.
  nude_ciphertexts<Arch, S> nude(std::span<const std::uint64_t> plain) const {
    return detail::ciphertext_access::make_as<nude_ciphertexts<Arch, S>>(entered(plain), key_.fingerprint());
  }

  /// Encrypted sums a[i] + b[i], or a[i] + b[0] when b is one number.
  ciphertexts<Arch, S> add(ciphertexts<Arch, S> a, const ciphertexts<Arch, S>& b) const {
    add_to(a, b);
    return a;
  }
  ciphertexts<Arch, S> add(ciphertexts<Arch, S> a, const nude_ciphertexts<Arch, S>& b) const {
    add_to(a, b);
    return a;
  }
  /// a += b, without allocating.
  void add_to(ciphertexts<Arch, S>& a, const ciphertexts<Arch, S>& b) const { multiply_into(a, own(b)); }
  void add_to(ciphertexts<Arch, S>& a, const nude_ciphertexts<Arch, S>& b) const { multiply_into(a, own(b)); }

  /// Encrypted sums a[i] + plain[i].
  ciphertexts<Arch, S> add_plain(ciphertexts<Arch, S> a, std::span<const std::uint64_t> plain) const {
    multiply_into(a, entered(plain));
    return a;
  }

  /// The encrypted sum of all.
  ciphertexts<Arch, S> total(const ciphertexts<Arch, S>& c) const {
    require(c.size() > 0, fault::argument, "ciphertexts: a sum of none");
    residues<Arch> out;
    ring_.product(own(c), out);
    return detail::ciphertext_access::make<S>(std::move(out), key_.fingerprint());
  }

  /// Encrypted products factor c[i], for a public factor from 1 on.
  ///
  /// Errors  N001 for the factor 0: the result would be 1, which hides nothing. Encrypt a zero instead
  /// Cost    about a product for each bit of the factor
  ciphertexts<Arch, S> scale(const ciphertexts<Arch, S>& c, std::span<const std::uint64_t> factor) const {
    const std::size_t bits = bit_length(factor);
    require(bits > 0, fault::argument, "ciphertexts: scaled by 0, which would hide nothing");
    residues<Arch> out;
    ring_.power(own(c), factor, bits, out);
    return detail::ciphertext_access::make<S>(std::move(out), key_.fingerprint());
  }
  ciphertexts<Arch, S> scale(const ciphertexts<Arch, S>& c, std::uint64_t factor) const {
    return scale(c, {&factor, 1});
  }

  /// Encrypted sums of weights[j] terms[j][i] over j, all at once.
  ///
  /// Errors  N001 when there is no weight above 0
  /// Cost    for 32-bit weights about 30 squarings for all terms and 9 products for each
  ciphertexts<Arch, S> weighted_sum(std::span<const ciphertexts<Arch, S>* const> terms,
                                    std::span<const std::uint32_t> weights) const {
    require(std::ranges::any_of(weights, [](std::uint32_t w) { return w != 0; }), fault::argument,
            "ciphertexts: a weighted sum without a weight above 0 would hide nothing");
    std::vector<const residues<Arch>*> bases;
    for (const auto* term : terms) bases.push_back(&own(*term));
    residues<Arch> out;
    ring_.weighted_product(bases, weights, out);
    return detail::ciphertext_access::make<S>(std::move(out), key_.fingerprint());
  }

  /// The numbers of ciphertexts, after making sure that they are of this key.
  template <class Ciphertexts>
  const residues<Arch>& own(const Ciphertexts& c) const {
    require(c.key() == key_.fingerprint(), fault::argument, "ciphertexts: of the key ", hex(c.key()),
            ", expected ", hex(key_.fingerprint()));
    return detail::ciphertext_access::numbers(c);
  }

 private:
  void multiply_into(ciphertexts<Arch, S>& a, const residues<Arch>& b) const {
    own(a);
    auto& numbers = detail::ciphertext_access::numbers(a);
    ring_.multiply(numbers, b, numbers);
  }

  residues<Arch> entered(std::span<const std::uint64_t> plain) const {
    const std::size_t words = plain_words();
    require(plain.size() % words == 0, fault::shape, "plain numbers: got ", plain.size(),
            " words, expected a multiple of ", words);
    const std::size_t count = plain.size() / words;
    std::uint64_t below = ~std::uint64_t{0};
    for (std::size_t i = 0; i < count; ++i) below &= is_less(detail::nth(plain, i, words), plain_modulus_);
    require(below != 0, fault::argument, "plain numbers: one is not below n^", S);
    secret_words nude(count * cipher_words());
    if constexpr (S == 1)
      one_plus_multiples(plain, nude);
    else
      powers_of_one_plus(plain, nude);
    return ring_.enter(nude);
  }

  /// 1 + m n.
  void one_plus_multiples(std::span<const std::uint64_t> plain, std::span<std::uint64_t> out) const {
    secret_words one(cipher_words());
    one[0] = 1;
    for (std::size_t i = 0; i < out.size() / one.size(); ++i) {
      const auto number = detail::nth(out, i, one.size());
      multiply(detail::nth(plain, i, plain_words()), key_.n(), number);
      static_cast<void>(privet::add(number, one));
    }
  }

  /// (1 + n)^m: the sum over i of m (m - 1) ... (m - i + 1) n^i / i!
  void powers_of_one_plus(std::span<const std::uint64_t> plain, std::span<std::uint64_t> out) const {
    const std::size_t wide = cipher_words(), count = out.size() / wide;
    secret_words factor(out.size()), term(out.size()), one(wide);
    one[0] = 1;
    for (std::size_t i = 0; i < count; ++i) {
      std::ranges::copy(detail::nth(plain, i, plain_words()), detail::nth(factor, i, wide).begin());
      detail::nth(out, i, wide)[0] = 1;
    }
    auto falling = ring_.ones(count);
    residues<Arch> scaled;
    for (const auto& of_term : terms_) {
      ring_.multiply(falling, ring_.enter(factor), falling);
      ring_.multiply(falling, of_term, scaled);
      ring_.leave(scaled, term);
      for (std::size_t i = 0; i < count; ++i) {
        detail::add_modulo(detail::nth(out, i, wide), detail::nth(term, i, wide), ring_.value());
        detail::subtract_modulo(detail::nth(factor, i, wide), one, ring_.value());
      }
    }
  }

  /// Whether all are coprime to n. Ciphertexts are public.
  bool coprime(const residues<Arch>& numbers) const {
    residues<Arch> product;
    ring_.product(numbers, product);
    std::vector<std::uint64_t> words(cipher_words());
    ring_.leave(product, words);
    return greatest_common_divisor(from_words(words), from_words(key_.n())) == 1;
  }

  paillier_public_key key_;
  std::vector<std::uint64_t> plain_modulus_;
  modulus<Arch> ring_;
  std::vector<residues<Arch>> terms_; ///< n^i / i! modulo n^(s+1), from i = 1 on
};

namespace unsafe {

/// (1 + n)^m r^(n^s) modulo n^(s+1) for given r: the deterministic form of known answers.
template <class Arch, std::size_t S>
ciphertexts<Arch, S> raw_encrypt(const paillier_evaluator<Arch, S>& with,
                                 std::span<const std::uint64_t> plain, std::span<const std::uint64_t> r,
                                 std::string_view reason) {
  require(!reason.empty(), fault::argument, "unsafe::raw_encrypt: no reason is given");
  const std::size_t words = with.key().n().size(), count = plain.size() / with.plain_words();
  require(r.size() == count * words, fault::shape, "unsafe::raw_encrypt: ", r.size(),
          " words of r, expected ", count * words);
  secret_words wide(count * with.cipher_words());
  for (std::size_t i = 0; i < count; ++i)
    std::ranges::copy(detail::nth(r, i, words), detail::nth(wide, i, with.cipher_words()).begin());
  auto numbers = with.ring().enter(wide);
  with.ring().power_public(numbers, with.plain_modulus(), 64 * with.plain_modulus().size(), numbers);
  const auto nude = with.nude(plain);
  with.ring().multiply(numbers, with.own(nude), numbers);
  return detail::ciphertext_access::make<S>(std::move(numbers), with.key().fingerprint());
}

} // namespace unsafe

} // namespace privet
