#pragma once
// Keys of the Paillier cryptosystem: made, and read with every check.

#include <privet/core/bytes.hpp>
#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/prime.hpp>
#include <privet/crypto/words.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

namespace unsafe {
/// Lets Paillier keys of any multiple of 128 bits from 128 to 7680 through, for tests and known answers.
class small_keys {
 public:
  /// The reason is for whoever searches for `unsafe::`.
  explicit small_keys(std::string_view reason) {
    require(!reason.empty(), fault::argument, "unsafe::small_keys: no reason is given");
  }
};
} // namespace unsafe

namespace detail {

/// Bits of n: NIST SP 800-57 gives 2048, 3072 and 7680 a strength of 112, 128 and 192 bits.
inline constexpr std::array<std::size_t, 4> paillier_sizes{2048, 3072, 4096, 7680};

inline status check_paillier_size(std::size_t bits) {
  if (std::ranges::find(paillier_sizes, bits) != paillier_sizes.end()) return nothing{};
  return error::of(fault::unsupported, "Paillier key: got ", bits,
                   " bits, expected 2048, 3072, 4096 or 7680");
}
inline status check_paillier_size(std::size_t bits, const unsafe::small_keys&) {
  if (bits >= 128 && bits <= 7680 && bits % 128 == 0) return nothing{};
  return error::of(fault::unsupported, "Paillier key: got ", bits,
                   " bits, expected a multiple of 128 from 128 to 7680");
}

/// Whether n = x^e for an e >= 2. Requires no factor of n below 2^16.
inline bool is_perfect_power(const bigint& n) {
  for (const auto degree : small_primes()) {
    if (16 * std::size_t{degree} > bit_length(n)) return false;
    if (boost::multiprecision::pow(integer_root(n, degree), degree) == n) return true;
  }
  return false;
}

inline status check_paillier_modulus(std::span<const std::uint64_t> n) {
  const auto wrong = [](const auto&... what) { return error::of(fault::format, "Paillier key: ", what...); };
  if ((n[0] & 1) == 0) return wrong("its modulus is even");
  for (const auto p : small_primes()) {
    if (p >= 1 << 16) break;
    if (remainder(n, p) == 0) return wrong("its modulus has the factor ", p);
  }
  const auto number = from_words<bigint>(n);
  if (is_perfect_power(number)) return wrong("its modulus is a power of a smaller number");
  if (is_prime(number, thread_system_random())) return wrong("its modulus is a prime number");
  return nothing{};
}

/// log(1 + n) modulo p^(s+1) for a multiple n of p, by its series.
inline secret_bigint logarithm_of_one_plus(const secret_bigint& n, const secret_bigint& p, unsigned s) {
  const secret_bigint modulus = boost::multiprecision::pow(p, s + 1);
  secret_bigint sum, power = 1;
  for (unsigned k = 1; k <= s; ++k) {
    power = power * n % modulus;
    const secret_bigint term = power * inverse_modulo(secret_bigint(k), modulus) % modulus;
    sum = (k % 2 == 1 ? sum + term : sum + modulus - term) % modulus;
  }
  return sum;
}

/// What whoever holds p and q computes with, for plain numbers modulo n^s: docs/crypto/paillier.md.
struct crt_constants {
  secret_words p_factor;        ///< 1 / (s! l q^s) modulo p^s, p l = (p - 1) log(1 + n); for s = 1: -1 / q^2
  secret_words q_factor;        ///< 1 / (s! l) modulo q^s, q l = (q - 1) log(1 + n); for s = 1: -1 / p
  secret_words recombine;       ///< p (1 / q^s modulo p^s)
  secret_words q_power_inverse; ///< 1 / q^(s+1) modulo p^(s+1)

  crt_constants(const secret_bigint& p, const secret_bigint& q, unsigned s) {
    const std::size_t half = (bit_length(p) + 63) / 64;
    const secret_bigint p_s = boost::multiprecision::pow(p, s), q_s = boost::multiprecision::pow(q, s);
    unsigned factorial = 1;
    for (unsigned k = 2; k <= s; ++k) factorial *= k;
    const secret_bigint of_p = logarithm_of_one_plus(p * q, p, s) * (p - 1) % (p_s * p) / p;
    const secret_bigint of_q = logarithm_of_one_plus(p * q, q, s) * (q - 1) % (q_s * q) / q;
    p_factor = to_words<secret_words>(inverse_modulo(secret_bigint(factorial * of_p * q_s), p_s), s * half);
    q_factor = to_words<secret_words>(inverse_modulo(secret_bigint(factorial * of_q), q_s), s * half);
    recombine = to_words<secret_words>(secret_bigint(p * inverse_modulo(q_s, p_s)), (s + 1) * half);
    q_power_inverse = to_words<secret_words>(inverse_modulo(secret_bigint(q_s * q), secret_bigint(p_s * p)),
                                             (s + 1) * half);
  }
};

} // namespace detail

/// What encrypts: n = p q, and whether somebody who can know says that p and q are Blum primes.
class paillier_public_key {
 public:
  /// The key of a modulus from outside, given as words without leading zeros.
  ///
  /// Errors  N011 for a refused size: 2048, 3072, 4096 and 7680 bits are taken. N004 for a modulus that is
  ///         even, prime, a power of a smaller number (CVE-2023-33241 and its kin) or has a factor below 2^16
  /// Cost    some eight powers modulo n, and the roots of n
  static result<paillier_public_key> from_modulus(std::span<const std::uint64_t> n) {
    return checked(n, detail::check_paillier_size(bit_length(n)));
  }
  static result<paillier_public_key> from_modulus(std::span<const std::uint64_t> n,
                                                  const unsafe::small_keys& reason) {
    return checked(n, detail::check_paillier_size(bit_length(n), reason));
  }

  /// Bits of n: exact, and even.
  std::size_t bits() const noexcept { return 64 * n_.size(); }
  std::span<const std::uint64_t> n() const noexcept { return n_; }

  /// SHA-256 of "privet paillier n", the bits of n in four bytes and n itself, both little-endian.
  const digest& fingerprint() const noexcept { return fingerprint_; }

  /// Whether p = q = 3 modulo 4 and gcd(p - 1, q - 1) = 2, which nobody sees from n: whoever made the key
  /// knows, others are told by `certify_blum`.
  bool blum() const noexcept { return blum_; }

  /// Believes a certificate, whose signature was checked, that the key of this fingerprint is Blum.
  ///
  /// Errors  N001 when it is the certificate of another key
  void certify_blum(const digest& of_key) {
    require(of_key == fingerprint_, fault::argument, "Paillier key: a certificate of the key ", hex(of_key),
            " for the key ", hex(fingerprint_));
    blum_ = true;
  }

  friend bool operator==(const paillier_public_key& a, const paillier_public_key& b) noexcept {
    return a.n_ == b.n_;
  }

 private:
  friend class paillier_secret_key;
  paillier_public_key() = default;
  explicit paillier_public_key(std::span<const std::uint64_t> n) : n_(n.begin(), n.end()) {
    byte_writer form;
    form.put("privet paillier n").put(static_cast<std::uint32_t>(bits()));
    for (const std::uint64_t word : n_) form.put(word);
    fingerprint_ = sha256(form.view());
  }

  static result<paillier_public_key> checked(std::span<const std::uint64_t> n, const status& size) {
    if (!size) return size.error();
    n = n.first((bit_length(n) + 63) / 64);
    if (const auto sound = detail::check_paillier_modulus(n); !sound) return sound.error();
    return paillier_public_key(n);
  }

  std::vector<std::uint64_t> n_;
  digest fingerprint_{};
  bool blum_ = false;
};

/// What decrypts: the primes p and q, and constants made of them once. It is moved, not copied, and wipes
/// itself.
///
/// Privacy   making and reading one uses integers whose arithmetic takes a time that depends on them
///           (`secret_bigint`), once; whatever is computed with it later is constant-time
/// Source    Paillier, EUROCRYPT 1999; the form of the primes: Damgard, Jurik, Nielsen, "A generalization of
///           Paillier's public-key system with applications to electronic voting", 2010, section 4.1
/// Test      tests/crypto/paillier_key.test.cpp
class paillier_secret_key {
 public:
  /// A new key whose n has exactly so many bits. Both primes are 3 modulo 4, gcd(p - 1, q - 1) = 2, and
  /// |p - q| > 2^(bits / 2 - 100).
  ///
  /// Errors  N011 unless bits is 2048, 3072, 4096 or 7680
  template <class Arch = simd::default_arch, class Source>
  static paillier_secret_key generate(std::size_t bits, Source&& source) {
    return generate_checked<Arch>(bits, source, detail::check_paillier_size(bits));
  }
  template <class Arch = simd::default_arch, class Source>
  static paillier_secret_key generate(std::size_t bits, Source&& source, const unsafe::small_keys& reason) {
    return generate_checked<Arch>(bits, source, detail::check_paillier_size(bits, reason));
  }

  /// The key of two primes from a file, in either order. Primes of another form than ours (python-paillier's)
  /// are taken; `blum` of the public key says which they are.
  ///
  /// Errors  N011 for a refused size of n. N004 unless n = p q for different primes of half its size that
  ///         lie 2^(bits / 2 - 100) apart, with gcd(n, (p - 1) (q - 1)) = 1
  static result<paillier_secret_key> from_primes(const secret_bigint& p, const secret_bigint& q,
                                                 const bigint& n) {
    return checked(p, q, n, detail::check_paillier_size(bit_length(n)));
  }
  static result<paillier_secret_key> from_primes(const secret_bigint& p, const secret_bigint& q,
                                                 const bigint& n, const unsafe::small_keys& reason) {
    return checked(p, q, n, detail::check_paillier_size(bit_length(n), reason));
  }

  paillier_secret_key(paillier_secret_key&&) noexcept = default;
  paillier_secret_key& operator=(paillier_secret_key&&) noexcept = default;
  paillier_secret_key(const paillier_secret_key&) = delete;
  paillier_secret_key& operator=(const paillier_secret_key&) = delete;

  const paillier_public_key& public_key() const noexcept { return public_key_; }

  /// The primes, p above q, of bits / 128 words each.
  std::span<const std::uint64_t> p() const noexcept { return p_; }
  std::span<const std::uint64_t> q() const noexcept { return q_; }

  /// Constants of decryption, and of encryption by whoever holds the key.
  const detail::crt_constants& of_crt() const noexcept { return constants_; }

 private:
  paillier_secret_key(const secret_bigint& one, const secret_bigint& other)
      : constants_(one < other ? other : one, one < other ? one : other, 1) {
    const secret_bigint &p = one < other ? other : one, &q = one < other ? one : other, n = p * q;
    const std::size_t words = (bit_length(n) + 63) / 64;
    p_ = to_words<secret_words>(p, words / 2);
    q_ = to_words<secret_words>(q, words / 2);
    public_key_ = paillier_public_key(to_words<secret_words>(n, words));
    public_key_.blum_ = p % 4 == 3 && q % 4 == 3 && greatest_common_divisor<secret_bigint>(p - 1, q - 1) == 2;
  }

  static bool far_apart(const secret_bigint& p, const secret_bigint& q, std::size_t bits) {
    const secret_bigint distance = p < q ? q - p : p - q;
    return bit_length(distance) > (bits / 2 > 100 ? bits / 2 - 100 : 0);
  }

  template <class Arch, class Source>
  static paillier_secret_key generate_checked(std::size_t bits, Source& source, const status& size) {
    if (!size) throw exception(size.error());
    const auto p = draw_prime<Arch>(bits / 2, source);
    for (;;) {
      const auto q = draw_prime<Arch>(bits / 2, source);
      if (far_apart(p, q, bits) && greatest_common_divisor<secret_bigint>(p - 1, q - 1) == 2)
        return paillier_secret_key(p, q);
    }
  }

  static result<paillier_secret_key> checked(const secret_bigint& p, const secret_bigint& q, const bigint& n,
                                             const status& size) {
    const auto wrong = [](const auto&... what) {
      return error::of(fault::format, "Paillier secret key: ", what...);
    };
    if (!size) return size.error();
    const std::size_t bits = bit_length(n);
    if (p < 2 || q < 2 || bit_length(p) != bits / 2 || bit_length(q) != bits / 2)
      return wrong("its primes do not have ", bits / 2, " bits");
    if (p * q != secret_bigint(n)) return wrong("the product of its primes is not its modulus");
    if (!far_apart(p, q, bits)) return wrong("its primes are too close to each other");
    if (!is_prime(p, thread_system_random()) || !is_prime(q, thread_system_random()))
      return wrong("one of its factors is not prime");
    if (greatest_common_divisor<secret_bigint>(p * q, (p - 1) * (q - 1)) != 1)
      return wrong("its modulus and (p - 1) (q - 1) have a common factor");
    return paillier_secret_key(p, q);
  }

  paillier_public_key public_key_;
  secret_words p_, q_;
  detail::crt_constants constants_;
};

/// Keys of a size that is known to the compiler: `paillier<3072>::generate(system_random{})`.
template <std::size_t Bits>
struct paillier {
  static_assert(Bits == 2048 || Bits == 3072 || Bits == 4096 || Bits == 7680,
                "Paillier keys have 2048, 3072, 4096 or 7680 bits; a test makes smaller ones by "
                "paillier_secret_key::generate(bits, source, unsafe::small_keys{\"why\"})");
  template <class Arch = simd::default_arch, class Source>
  static paillier_secret_key generate(Source&& source) {
    return paillier_secret_key::generate<Arch>(Bits, source);
  }
};

} // namespace privet
