#pragma once
// Paillier encryption. What differs between the policies is how the obfuscators, random n-th powers modulo
// n^2, are made: that is all the cost, and all the assumption.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/crypto/fixed_base.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/words.hpp>
#include <privet/random/fork_generation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>

namespace privet {

namespace detail {

/// r^(n^s) for r uniform below n.
template <class Arch, std::size_t S>
class uniform_obfuscators {
 public:
  using key_type = paillier_public_key;
  template <class Source>
  uniform_obfuscators(const paillier_evaluator<Arch, S>&, const key_type&, Source&) {}

  template <class Source>
  residues<Arch> draw(const paillier_evaluator<Arch, S>& with, std::size_t count, Source& source) const {
    const auto n = with.key().n();
    secret_words r(count * with.cipher_words());
    for (std::size_t i = 0; i < count; ++i)
      draw_positive_below(source, n, nth(r, i, with.cipher_words()).first(n.size()));
    auto numbers = with.ring().enter(r);
    with.ring().power_public(numbers, with.plain_modulus(), 64 * with.plain_modulus().size(), numbers);
    return numbers;
  }
};

/// (-x^2)^(n^s) modulo n^(s+1).
template <class Arch, std::size_t S>
residues<Arch> djn_base(const paillier_evaluator<Arch, S>& with, std::span<const std::uint64_t> x) {
  const auto& ring = with.ring();
  secret_words wide(with.cipher_words()), minus(ring.value().begin(), ring.value().end());
  std::ranges::copy(x, wide.begin());
  auto base = ring.enter(wide);
  ring.square(base, base);
  ring.leave(base, wide);
  static_cast<void>(subtract(minus, wide));
  base = ring.enter(minus);
  ring.power_public(base, with.plain_modulus(), 64 * with.plain_modulus().size(), base);
  return base;
}

/// Twice the strength of n in bits, by NIST SP 800-57 and, for 4096, FIPS 140-3 IG D.B.
inline std::size_t short_exponent_bits(std::size_t key_bits) noexcept {
  return 2 * (key_bits < 2048   ? 80
              : key_bits < 3072 ? 112
              : key_bits < 4096 ? 128
              : key_bits < 7680 ? 152
                                : 192);
}

/// h^a for random a, h = (-x^2)^n for one random x: a fixed base.
template <class Arch, std::size_t S, bool Short>
class djn_obfuscators {
 public:
  using key_type = paillier_public_key;
  template <class Source>
  djn_obfuscators(const paillier_evaluator<Arch, S>& with, const key_type& key, Source& source)
      : bits_(Short ? short_exponent_bits(key.bits()) : key.bits() / 2),
        powers_(with.ring(), random_base(with, source), bits_) {}

  template <class Source>
  residues<Arch> draw(const paillier_evaluator<Arch, S>&, std::size_t count, Source& source) const {
    const std::size_t words = (bits_ + 63) / 64;
    secret_words exponents(count * words);
    fill_words(source, exponents);
    for (std::size_t i = 0; i < count; ++i) keep_low_bits(nth(exponents, i, words), bits_);
    residues<Arch> out;
    powers_.power_each(exponents, out);
    return out;
  }

 private:
  template <class Source>
  static residues<Arch> random_base(const paillier_evaluator<Arch, S>& with, Source& source) {
    const auto& key = with.key();
    require(key.blum(), fault::argument, "encryption::djn: nothing certifies that the key ",
            hex(key.fingerprint()),
            " is of Blum primes; use encryption::naive, or certify_blum after checking a certificate");
    secret_words x(key.n().size());
    draw_positive_below(source, key.n(), x);
    return djn_base(with, x);
  }

  std::size_t bits_;
  fixed_base<Arch> powers_;
};

/// Arithmetic modulo p^(s+1) for whoever knows the prime p. Numbers modulo n^(s+1) are reduced to it.
template <class Arch, std::size_t S>
class prime_power {
 public:
  explicit prime_power(std::span<const std::uint64_t> prime)
      : prime_(prime.begin(), prime.end()),
        ring_(power_of<secret_words>(prime, S + 1)),
        shift_(shift_of(ring_)) {}

  const secret_words& prime() const noexcept { return prime_; }
  std::size_t prime_bits() const noexcept { return 64 * prime_.size(); }
  const modulus<Arch>& ring() const noexcept { return ring_; }

  /// Numbers of twice as many words as the ring has, reduced.
  residues<Arch> reduce(std::span<const std::uint64_t> wide) const {
    const std::size_t words = ring_.words(), count = wide.size() / (2 * words);
    secret_words low(count * words), high(count * words);
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = nth(wide, i, 2 * words);
      std::ranges::copy(number.first(words), nth(low, i, words).begin());
      std::ranges::copy(number.last(words), nth(high, i, words).begin());
    }
    auto shifted = ring_.enter(high);
    ring_.multiply(shifted, shift_, shifted);
    ring_.leave(shifted, high);
    ring_.leave(ring_.enter(low), low);
    for (std::size_t i = 0; i < count; ++i)
      add_modulo(nth(low, i, words), nth(high, i, words), ring_.value());
    return ring_.enter(low);
  }

 private:
  /// 2^(64 words).
  static residues<Arch> shift_of(const modulus<Arch>& ring) {
    secret_words all(ring.words(), ~std::uint64_t{0}), one(ring.words());
    one[0] = 1;
    ring.leave(ring.enter(all), all);
    add_modulo(all, one, ring.value());
    return ring.enter(all);
  }

  secret_words prime_;
  modulus<Arch> ring_;
  residues<Arch> shift_;
};

/// The constants of a key: for s = 1 it has them, others are made here, with integers whose time depends on them.
template <std::size_t S>
crt_constants constants_of(const paillier_secret_key& key) {
  if constexpr (S == 1) return key.of_crt();
  return {from_words<secret_bigint>(key.p()), from_words<secret_bigint>(key.q()), S};
}

/// As r^n for r uniform below n, made modulo p^2 and q^2: s^p and t^q for s and t twice as long as p and q.
/// Likewise (s^(p^s)) for plain numbers modulo n^s.
template <class Arch, std::size_t S>
class key_holder_obfuscators {
 public:
  using key_type = paillier_secret_key;
  template <class Source>
  key_holder_obfuscators(const paillier_evaluator<Arch, S>&, const key_type& key, Source&)
      : p_(key.p()), q_(key.q()), q_power_inverse_(p_.ring().enter(constants_of<S>(key).q_power_inverse)) {}

  template <class Source>
  residues<Arch> draw(const paillier_evaluator<Arch, S>& with, std::size_t count, Source& source) const {
    const std::size_t words = p_.ring().words();
    auto of_p = powers(p_, count, source), of_q = powers(q_, count, source);
    // of_q + q^(s+1) ((of_p - of_q) / q^(s+1) modulo p^(s+1))
    secret_words reduced(of_q.size());
    p_.ring().leave(p_.ring().enter(of_q), reduced);
    for (std::size_t i = 0; i < count; ++i)
      subtract_modulo(nth(of_p, i, words), nth(reduced, i, words), p_.ring().value());
    auto quotient = p_.ring().enter(of_p);
    p_.ring().multiply(quotient, q_power_inverse_, quotient);
    p_.ring().leave(quotient, of_p);
    secret_words whole(2 * of_p.size()), wide(2 * words);
    for (std::size_t i = 0; i < count; ++i) {
      const auto out = nth(whole, i, 2 * words);
      privet::multiply(nth(of_p, i, words), q_.ring().value(), out);
      std::ranges::copy(nth(of_q, i, words), wide.begin());
      static_cast<void>(add(out, wide));
    }
    return with.ring().enter(whole);
  }

 private:
  template <class Source>
  static secret_words powers(const prime_power<Arch, S>& of, std::size_t count, Source& source) {
    const auto& ring = of.ring();
    secret_words plain(count * ring.words());
    fill_words(source,
               plain); // s^p depends on s modulo p alone, of which p is not to show in how often one draws
    auto numbers = ring.enter(plain);
    ring.power(numbers, power_of<secret_words>(of.prime(), S), S * of.prime_bits(), numbers);
    ring.leave(numbers, plain);
    return plain;
  }

  prime_power<Arch, S> p_, q_;
  residues<Arch> q_power_inverse_;
};

/// The fast ones for a key that is certified Blum, else r^n.
template <class Arch, std::size_t S>
class certified_obfuscators {
 public:
  using key_type = paillier_public_key;
  template <class Source>
  certified_obfuscators(const paillier_evaluator<Arch, S>& with, const key_type& key, Source& source)
      : one_(key.blum() ? either(djn_obfuscators<Arch, S, false>(with, key, source))
                        : either(uniform_obfuscators<Arch, S>(with, key, source))) {}
  template <class Source>
  residues<Arch> draw(const paillier_evaluator<Arch, S>& with, std::size_t count, Source& source) const {
    return std::visit([&](const auto& of) { return of.draw(with, count, source); }, one_);
  }

 private:
  using either = std::variant<uniform_obfuscators<Arch, S>, djn_obfuscators<Arch, S, false>>;
  either one_;
};

inline const paillier_public_key& public_part(const paillier_public_key& key) { return key; }
inline const paillier_public_key& public_part(const paillier_secret_key& key) { return key.public_key(); }

} // namespace detail

/// How obfuscators are made; costs at 3072 bits, eight-lane AVX512-IFMA.
namespace encryption {

/// r^n for r uniform below n: the scheme as published. Assumes decisional composite residuosity.
/// Cost  2.6 ms each
struct naive {
  template <class Arch, std::size_t S = 1>
  using obfuscators = detail::uniform_obfuscators<Arch, S>;
};
/// h^a, h = (-x^2)^n for an x of one's own, a uniform with half as many bits as n: for certified Blum keys.
/// Assumes, beside composite residuosity, that such powers of h modulo n look like random ones of its group
/// (Damgard, Jurik, Nielsen 2010, section 4.2).
/// Cost  0.3 ms each, and tables of some megabytes
struct djn {
  template <class Arch, std::size_t S = 1>
  using obfuscators = detail::djn_obfuscators<Arch, S, false>;
};
/// As `djn` with exponents of twice the strength of n: 224, 256, 304 or 384 bits. Rests on discrete logarithms
/// with short exponents being hard modulo n, where 2^(bits / 2) steps find one: a choice to be made by name.
/// Cost  0.05 ms each
struct djn_short_exponent {
  template <class Arch, std::size_t S = 1>
  using obfuscators = detail::djn_obfuscators<Arch, S, true>;
};
/// As `naive`, by whoever holds the secret key.
/// Cost  0.75 ms each
struct key_holder {
  template <class Arch, std::size_t S = 1>
  using obfuscators = detail::key_holder_obfuscators<Arch, S>;
};
/// `djn` for a key that is certified Blum, else `naive`.
struct certified {
  template <class Arch, std::size_t S = 1>
  using obfuscators = detail::certified_obfuscators<Arch, S>;
};

} // namespace encryption

/// Encrypts plain numbers.
///
/// Formula   E(m) = (1 + n)^m r^(n^s) modulo n^(s+1), with s = 1 unless another is given, r^(n^s) made by the policy
/// Requires  plain numbers below n, `plain_words()` words each
/// Errors    N001 for a plain number from n on, and for `djn` with a key that nothing certifies
/// Privacy   constant-time in plain numbers, obfuscators and exponents. Two encryptions of one number differ.
///           What the base h of others is worth nobody can check, so everybody makes it from n alone
/// Source    Paillier 1999; Damgard, Jurik, Nielsen 2010, section 4; key holders: docs/crypto/paillier.md
/// Test      tests/crypto/paillier.test.cpp
template <class Policy = encryption::certified, class Arch = simd::default_arch, std::size_t S = 1>
class paillier_encryptor {
  using obfuscators = typename Policy::template obfuscators<Arch, S>;

 public:
  using key_type = typename obfuscators::key_type;

  /// From the public key, or for `encryption::key_holder` the secret one. The source is not kept.
  template <class Source>
  paillier_encryptor(const key_type& key, Source& source)
      : with_(detail::public_part(key)), obfuscators_(with_, key, checked(source)) {}

  const paillier_evaluator<Arch, S>& evaluator() const noexcept { return with_; }

  template <class Source>
  ciphertexts<Arch, S> encrypt(std::span<const std::uint64_t> plain, Source& source) const {
    return encrypt(with_.nude(plain), source);
  }
  template <class Source>
  ciphertexts<Arch, S> encrypt(const nude_ciphertexts<Arch, S>& plain, Source& source) const {
    const auto& numbers = with_.own(plain);
    auto out = obfuscators_.draw(with_, plain.size(), checked(source));
    with_.ring().multiply(out, numbers, out);
    return detail::ciphertext_access::make<S>(std::move(out), with_.key().fingerprint());
  }

  /// Other ciphertexts of the same numbers, which nobody can link to these.
  template <class Source>
  void rerandomise(ciphertexts<Arch, S>& c, Source& source) const {
    with_.own(c);
    auto& numbers = detail::ciphertext_access::numbers(c);
    with_.ring().multiply(numbers, obfuscators_.draw(with_, c.size(), checked(source)), numbers);
  }

 private:
  template <class P, class A, std::size_t T>
  friend class paillier_pool;
  template <class Source>
  static Source& checked(Source& source) {
    detail::check_key_source(source);
    return source;
  }

  paillier_evaluator<Arch, S> with_;
  obfuscators obfuscators_;
};

/// Obfuscators made beforehand, each used once: encryption is then two products.
///
/// Errors    N010 when fewer are left than numbers to encrypt, and after a fork in the child, in which all are
///           wiped: two encryptions with one obfuscator show the difference of their numbers
/// Privacy   cannot be copied; every obfuscator is wiped when it was used
/// Test      tests/crypto/paillier.test.cpp
template <class Policy = encryption::certified, class Arch = simd::default_arch, std::size_t S = 1>
class paillier_pool {
 public:
  explicit paillier_pool(const paillier_evaluator<Arch, S>& with)
      : with_(with), generation_(fork_generation()) {}
  paillier_pool(paillier_pool&&) noexcept = default;
  paillier_pool& operator=(paillier_pool&&) noexcept = default;
  paillier_pool(const paillier_pool&) = delete;
  paillier_pool& operator=(const paillier_pool&) = delete;

  /// How many are left.
  std::size_t size() const noexcept { return ready_.size() / with_.cipher_words(); }

  /// Makes `count` more.
  template <class Source>
  void prepare(const paillier_encryptor<Policy, Arch, S>& encryptor, std::size_t count, Source& source) {
    leave_parent();
    const auto& theirs = encryptor.evaluator().key();
    require(theirs == with_.key(), fault::argument, "paillier_pool: obfuscators of the key ",
            hex(theirs.fingerprint()), ", expected ", hex(with_.key().fingerprint()));
    const auto numbers = encryptor.obfuscators_.draw(with_, count, encryptor.checked(source));
    const std::size_t before = ready_.size();
    ready_.resize(before + count * with_.cipher_words());
    with_.ring().leave(numbers, std::span(ready_).subspan(before));
  }

  ciphertexts<Arch, S> encrypt(std::span<const std::uint64_t> plain) {
    const auto nude = with_.nude(plain);
    auto out = take(nude.size());
    with_.ring().multiply(out, with_.own(nude), out);
    return detail::ciphertext_access::make<S>(std::move(out), with_.key().fingerprint());
  }
  void rerandomise(ciphertexts<Arch, S>& c) {
    with_.own(c);
    auto& numbers = detail::ciphertext_access::numbers(c);
    with_.ring().multiply(numbers, take(c.size()), numbers);
  }

 private:
  void leave_parent() {
    const std::uint64_t now = fork_generation();
    if (generation_ == now) return;
    wipe(std::span(ready_));
    ready_.clear();
    generation_ = now;
  }

  residues<Arch> take(std::size_t count) {
    leave_parent();
    require(count <= size(), fault::state, "paillier_pool: ", size(), " obfuscators left, needed ", count);
    const auto used = std::span(ready_).last(count * with_.cipher_words());
    auto numbers = with_.ring().enter(used);
    wipe(used);
    ready_.resize(ready_.size() - used.size());
    return numbers;
  }

  paillier_evaluator<Arch, S> with_;
  secret_words ready_;
  std::uint64_t generation_;
};

} // namespace privet
