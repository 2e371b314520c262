#pragma once
// Prime numbers: is this one, and a new secret one.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/modulus.hpp>
#include <privet/crypto/random_words.hpp>
#include <privet/crypto/words.hpp>
#include <privet/random/distributions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// The primes below 2^18.
inline const std::vector<std::uint32_t>& small_primes() {
  static const std::vector<std::uint32_t> primes = [] {
    constexpr std::uint32_t end = std::uint32_t{1} << 18;
    std::vector<bool> composite(end);
    std::vector<std::uint32_t> found;
    for (std::uint32_t i = 2; i < end; ++i) {
      if (composite[i]) continue;
      found.push_back(i);
      for (std::uint64_t j = std::uint64_t{i} * i; j < end; j += i) composite[j] = true;
    }
    return found;
  }();
  return primes;
}

namespace detail {

/// The number modulo a small one.
inline std::uint32_t remainder(std::span<const std::uint64_t> number, std::uint32_t divisor) noexcept {
  std::uint64_t rest = 0;
  for (std::size_t i = number.size(); i-- > 0;) {
    rest = (rest << 32 | number[i] >> 32) % divisor;
    rest = (rest << 32 | (number[i] & 0xFFFFFFFF)) % divisor;
  }
  return static_cast<std::uint32_t>(rest);
}

/// Strong tests of one number (Miller, Rabin): with bases a, whether a^d = 1 or a^(d 2^i) = -1 for an
/// i < s, where n - 1 = d 2^s with odd d.
template <class Arch, Bigint Big>
class strong_test {
 public:
  /// Requires  an odd n >= 5
  explicit strong_test(const Big& n)
      : n_(to_words<secret_words>(n, (bit_length(n) + 63) / 64)), minus_one_(n_) {
    --minus_one_[0];
    Big d = n - 1;
    twos_ = boost::multiprecision::lsb(d);
    d >>= twos_;
    bits_ = bit_length(d);
    odd_ = to_words<secret_words>(d, (bits_ + 63) / 64);
  }

  std::span<const std::uint64_t> number() const noexcept { return n_; }
  std::span<const std::uint64_t> minus_one() const noexcept { return minus_one_; }

  /// Whether it passes for each of these bases, one number of words after the other.
  bool passes(const modulus<Arch>& ring, std::span<const std::uint64_t> bases) const {
    const std::size_t words = n_.size();
    auto power = ring.enter(bases);
    ring.power(power, odd_, bits_, power);
    secret_words plain(bases.size()), one(words);
    one[0] = 1;
    std::vector<bool> passed(bases.size() / words);
    for (std::size_t turn = 0; turn < twos_; ++turn) {
      if (turn) ring.square(power, power);
      ring.leave(power, plain);
      for (std::size_t i = 0; i < passed.size(); ++i) {
        const auto x = std::span<const std::uint64_t>(plain).subspan(i * words, words);
        if (equal(x, minus_one_) || (turn == 0 && equal(x, one))) passed[i] = true;
      }
      if (std::ranges::find(passed, false) == passed.end()) return true;
    }
    return false;
  }

  /// With secret random bases from 2 to n - 2.
  template <class Source>
  bool passes_random(const modulus<Arch>& ring, std::size_t count, Source& source) const {
    const std::size_t words = n_.size();
    secret_words bases(count * words), one(words);
    one[0] = 1;
    for (std::size_t i = 0; i < count; ++i) {
      const auto base = std::span(bases).subspan(i * words, words);
      do draw_positive_below(source, n_, base);
      while (equal(base, one) || equal(base, minus_one_));
    }
    return passes(ring, bases);
  }

 private:
  secret_words n_, minus_one_, odd_;
  std::size_t twos_ = 0, bits_ = 0;
};

inline constexpr std::size_t strong_rounds = 64;

/// Whether n passes `strong_rounds` tests with random bases; the first eight sort out the composite ones.
template <class Arch, Bigint Big, class Source>
bool passes_strong_tests(const Big& n, Source& source) {
  const strong_test<Arch, Big> test(n);
  const modulus<Arch> ring(test.number());
  return test.passes_random(ring, 8, source) && test.passes_random(ring, strong_rounds - 8, source);
}

/// As many by Boost for numbers below the smallest that `modulus` takes.
template <Bigint Big, class Source>
bool passes_small_strong_tests(const Big& n, Source& source) {
  const Big minus_one = n - 1;
  const auto twos = boost::multiprecision::lsb(minus_one);
  const Big odd = minus_one >> twos;
  const auto words = to_words<secret_words>(n, (bit_length(n) + 63) / 64);
  secret_words drawn(words.size());
  for (std::size_t round = 0; round < strong_rounds; ++round) {
    Big base;
    do {
      draw_positive_below(source, words, drawn);
      base = from_words<Big>(drawn);
    } while (base == 1 || base == minus_one);
    Big power = power_modulo(base, odd, n);
    bool passed = power == 1 || power == minus_one;
    for (unsigned i = 1; i < twos && !passed; ++i) {
      power = power * power % n;
      passed = power == minus_one;
    }
    if (!passed) return false;
  }
  return true;
}

} // namespace detail

/// Whether n is prime: trial division, then 64 strong tests with secret random bases. A prime always
/// passes; a composite number, whoever chose it, with probability below 4^-64 (Rabin, 1980), which is why
/// no Lucas test follows.
///
/// Errors   N001 for numbers beyond 16384 bits
/// Privacy  takes a time that depends on n
/// Cost     65 powers modulo n when n is prime; a composite n mostly ends before the ninth
/// Source   Rabin, "Probabilistic algorithm for testing primality", 1980, theorem 1
/// Test     tests/crypto/prime.test.cpp
template <class Arch = simd::default_arch, Bigint Big, class Source>
bool is_prime(const Big& n, Source& source) {
  detail::check_key_source(source);
  if (n < 2) return false;
  const std::size_t bits = bit_length(n);
  require(bits <= 16384, fault::argument, "is_prime: got a number of ", bits,
          " bits, expected at most 16384");
  const auto words = to_words<secret_words>(n, (bits + 63) / 64);
  for (const auto p : small_primes()) {
    if (p >= 2048) break;
    if (detail::remainder(words, p) == 0) return n == p;
  }
  if (bits < 23) return true; // below 2048^2
  return bits < 128 ? detail::passes_small_strong_tests(n, source)
                    : detail::passes_strong_tests<Arch>(n, source);
}

namespace detail {

/// Which of first + 4 i have no small factor.
inline std::vector<std::uint32_t> sieved(std::span<const std::uint64_t> first, std::uint32_t count) {
  std::vector<bool> composite(count);
  for (const auto p : small_primes()) {
    if (p == 2) continue;
    // first + 4 i = 0 modulo p
    const std::uint64_t quarter = p % 4 == 3 ? (p + 1) / 4 : (3 * std::uint64_t{p} + 1) / 4;
    const std::uint64_t start = (p - remainder(first, p)) * quarter % p;
    for (std::uint64_t i = start; i < count; i += p) composite[i] = true;
  }
  std::vector<std::uint32_t> left;
  for (std::uint32_t i = 0; i < count; ++i)
    if (!composite[i]) left.push_back(i);
  return left;
}

/// Of a number without small factors: one test with base 2, which most composite numbers fail, then all.
template <class Arch, class Source>
bool passes_after_sieve(const secret_bigint& n, Source& source) {
  if (bit_length(n) < 128) return passes_small_strong_tests(n, source);
  const strong_test<Arch, secret_bigint> test(n);
  const modulus<Arch> ring(test.number());
  secret_words two(test.number().size());
  two[0] = 2;
  return test.passes(ring, two) && test.passes_random(ring, strong_rounds, source);
}

} // namespace detail

/// A new secret prime p = 3 mod 4 of so many bits, the highest two of them 1: the product of two such
/// primes has exactly twice as many.
///
/// A window of 8192 candidates begins at a random place; those without a small factor are tried in a random
/// order. So a prime is drawn with a probability in proportion to how few neighbours share its windows, which
/// costs less of the entropy than the common search for the next prime (Brandt, Damgard, CRYPTO 1992).
///
/// Errors   N001 unless bits is a multiple of 64 from 64 to 8192
/// Privacy  for the making of a key, once: takes a time that depends on the prime and on the candidates
///          before it, and a list of small offsets that is not wiped
/// Cost     some 48 powers for bits = 1536, then 64
/// Test     tests/crypto/prime.test.cpp
template <class Arch = simd::default_arch, class Source>
secret_bigint draw_prime(std::size_t bits, Source& source) {
  detail::check_key_source(source);
  require(bits >= 64 && bits <= 8192 && bits % 64 == 0, fault::argument, "draw_prime: got ", bits,
          " bits, expected a multiple of 64 from 64 to 8192");
  constexpr std::uint32_t window = 8192;
  secret_words first(bits / 64);
  for (;;) {
    fill_words(source, first);
    first.back() |= std::uint64_t{3} << 62;
    first.front() |= 3;
    const auto start = from_words<secret_bigint>(first);
    for (auto left = detail::sieved(first, window); !left.empty();) {
      auto& chosen = left[static_cast<std::size_t>(uniform_below(source, left.size()))];
      const secret_bigint candidate = start + 4 * std::uint64_t{chosen};
      chosen = left.back();
      left.pop_back();
      if (bit_length(candidate) == bits && detail::passes_after_sieve<Arch>(candidate, source))
        return candidate;
    }
  }
}

} // namespace privet
