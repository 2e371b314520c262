#pragma once
// The discrete Gaussian law P(x) ~ exp(-x^2 / 2 sigma^2) on the integers: an exact sampler, and one for
// small sigma whose time does not depend on what it draws. docs/random/discrete_gaussian.md

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/random/discrete_laplace.hpp>
#include <privet/random/exact_coins.hpp>
#include <privet/random/normal.hpp>
#include <privet/simd/arch.hpp>
#include <privet/simd/rounded_normal.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace privet {

/// The discrete Gaussian of a rational variance, exact: integers only.
///
/// Errors   N001 unless the variance n / d is positive, n is below 2^52, and t^2 d is at most 2^52
///          for t the integer nearest to sigma, or 1
/// Limits   |x| < 1024 t; the law is changed by less than exp(-1023)
/// Cost     about twelve words for a number
/// Privacy  added to an integer vector that neighbours change by at most D in l2: rho = D^2 / (2 sigma^2)
///          zCDP, as for the continuous law. The running time depends on |x| (Jin, McMurtry, Rubinstein,
///          Ohrimenko, IEEE S&P 2022): `discrete_gaussian_table` has none of that.
/// Source   Canonne, Kamath, Steinke, "The discrete Gaussian for differential privacy", 2020,
///          Algorithm 3 and Theorem 4
/// Test     tests/random/discrete_gaussian.test.cpp
class discrete_gaussian {
 public:
  explicit discrete_gaussian(ratio variance) : variance_(checked(variance)), proposal_({scale(variance), 1}) {
    const std::uint64_t t = scale(variance);
    step_ = t * variance.denominator;
    divisor_ = detail::uint128{2 * variance.numerator} * (t * step_);
    most_ = static_cast<std::int64_t>(t << 10);
    small_ = divisor_ >> 32 == 0 && t * step_ <= 1 << 21; // the square below is less than 2^62
  }

  ratio variance() const noexcept { return variance_; }

  template <RandomSource Source>
  void fill(Source& source, std::span<std::int64_t> out) const {
    detail::word_buffer<Source> words(source, 12 * out.size());
    for (auto& x : out) x = draw(words);
  }

  /// One number from a `detail::word_buffer`.
  template <class Words>
  std::int64_t draw(Words& words) const {
    for (;;) {
      const std::int64_t y = proposal_.draw(words), magnitude = y < 0 ? -y : y;
      if (magnitude < most_ && stays(words, static_cast<std::uint64_t>(magnitude))) return y;
    }
  }

 private:
  static ratio checked(ratio variance) {
    constexpr std::uint64_t most = std::uint64_t{1} << 52;
    const bool positive = variance.numerator > 0 && variance.denominator > 0;
    bool fits = positive && variance.numerator < most && variance.denominator <= most;
    if (fits) {
      const std::uint64_t t = scale(variance);
      fits = detail::uint128{t * t} * variance.denominator <= most;
    }
    if (!fits)
      fail(fault::argument, "discrete_gaussian: variance is ", variance.numerator, " / ",
           variance.denominator,
           ", must be positive, with a numerator below 2^52 and t^2 times the denominator at most 2^52 for "
           "the integer t nearest to sigma");
    return variance;
  }
  /// The integer nearest to sigma, at least 1. The paper has floor(sigma) + 1; any is right, and this one
  /// has the fewest attempts.
  static std::uint64_t scale(ratio variance) noexcept {
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 26; bit > 0; bit >>= 1)
      if ((root | bit) * (root | bit) <= variance.numerator / variance.denominator) root |= bit;
    const auto twice = detail::uint128{2 * root + 1} * (2 * root + 1) * variance.denominator;
    return std::max<std::uint64_t>(1, root + (twice <= detail::uint128{variance.numerator} * 4));
  }

  /// A coin of exp(-(|y| - sigma^2 / t)^2 / 2 sigma^2), for t the scale of the proposal: with n / d the
  /// variance it is (|y| t d - n)^2 / (2 n d t^2).
  template <class Words>
  bool stays(Words& words, std::uint64_t magnitude) const {
    const std::uint64_t product = magnitude * step_, n = variance_.numerator,
                        away = product > n ? product - n : n - product;
    if (small_) {
      const std::uint64_t divisor = static_cast<std::uint64_t>(divisor_), square = away * away,
                          whole = square / divisor;
      return detail::ones_of_exp(words, whole) == whole &&
             detail::exp_of_minus(words, detail::digits_of_small(square - whole * divisor, divisor));
    }
    detail::uint128 square = detail::uint128{away} * away;
    std::uint64_t whole = 0;
    if (square >= divisor_) {
      whole = static_cast<std::uint64_t>(square / divisor_);
      square -= whole * divisor_;
    }
    return detail::ones_of_exp(words, whole) == whole &&
           detail::exp_of_minus(words, detail::digits_of_large(square, divisor_));
  }

  ratio variance_;
  discrete_laplace proposal_;
  detail::uint128 divisor_ = 0;
  std::uint64_t step_ = 0;
  std::int64_t most_ = 0;
  bool small_ = false;
};

/// The discrete Gaussian of a rational variance by a table of its distribution, in constant time: each
/// number is compared with every entry, whichever it is.
///
/// Errors   N001 unless the variance n / d is positive and at most 2^14 (sigma <= 128), n < 2^46, d < 2^32
/// Ensures  the law is within `distance` of the true one, in total variation and for each number; the
///          same words give the same numbers on every target. |x| <= 12.8 sigma + 1.
/// Cost     four words for a number, drawn for up to 256 at once, and 12.8 sigma + 1 comparisons of 128
///          bits; 16 bytes for each entry
/// Privacy  as `discrete_gaussian`, plus d times the distance on delta for d numbers. Neither the time nor
///          the addresses depend on the numbers or the words, but on sigma and on how many there are.
/// Test     tests/random/discrete_gaussian.test.cpp
class discrete_gaussian_table {
 public:
  /// Total variation between the law of one number and the true one, at most.
  static constexpr double distance = 0x1p-110;

  explicit discrete_gaussian_table(ratio variance) : variance_(variance) {
    const std::uint64_t n = variance.numerator, d = variance.denominator;
    if (n == 0 || d == 0 || n >> 46 != 0 || d >> 32 != 0 || n > d << 14)
      fail(fault::argument, "discrete_gaussian_table: variance is ", n, " / ", d,
           ", must be positive and at most 16384, with a numerator below 2^46 and a denominator below 2^32");
    // Up to the first integer beyond 12.8 sigma.
    std::uint64_t last = 1;
    while (detail::uint128{last * last} * d * 100 < detail::uint128{n} * 16384) ++last;
    std::vector<detail::uint128> beyond(last + 1); // 2^117 times the weight of all |x| > i
    for (std::uint64_t i = last; i > 0; --i) beyond[i - 1] = beyond[i] + 2 * weight(i);
    const detail::uint128 all = beyond[0] + weight(0);
    for (std::uint64_t i = 0; i < last; ++i) {
      const auto t = detail::fraction_of(beyond[i], all);
      high_.push_back(static_cast<std::int64_t>(t >> 64));
      low_.push_back(from_zero(static_cast<std::uint64_t>(t)));
      wide_ += high_.back() > 0;
    }
  }

  ratio variance() const noexcept { return variance_; }

  /// The entries: 2^127 P(|x| > i), rounded down, for i = 0, 1, ... The next is 0.
  std::size_t size() const noexcept { return high_.size(); }
  detail::uint128 entry(std::size_t i) const noexcept {
    return detail::uint128{static_cast<std::uint64_t>(high_[i])} << 64 |
           (static_cast<std::uint64_t>(low_[i]) ^ top);
  }

  template <class Arch = simd::default_arch, RandomSource Source>
  void fill(Source& source, std::span<std::int64_t> out) const {
    constexpr std::size_t chunk = 256;
    alignas(64) std::array<std::int64_t, 2 * chunk> words; // the upper halves of all, then the lower
    const auto used = std::span(words).first(2 * std::min(out.size(), chunk));
    [[maybe_unused]] const detail::wiped_at_exit<std::int64_t> guard(
        used.first(SecretRandomSource<Source> ? used.size() : 0));
    while (!out.empty()) {
      const std::size_t n = std::min(out.size(), chunk);
      std::array<std::uint32_t, 4 * chunk> drawn;
      [[maybe_unused]] const detail::wiped_at_exit<std::uint32_t> drawn_guard(
          std::span<std::uint32_t>(drawn).first(SecretRandomSource<Source> ? 4 * n : 0));
      source.fill(std::span(drawn).first(4 * n));
      for (std::size_t i = 0; i < 2 * n; ++i)
        words[i] = static_cast<std::int64_t>(drawn[2 * i] | std::uint64_t{drawn[2 * i + 1]} << 32);
      scan<Arch>(words.data(), words.data() + n, out.first(n));
      out = out.subspan(n);
    }
  }

 private:
  static constexpr std::uint64_t top = std::uint64_t{1} << 63;
  /// Unsigned order as signed order.
  static std::int64_t from_zero(std::uint64_t x) noexcept { return static_cast<std::int64_t>(x ^ top); }

  /// 2^117 exp(-x^2 / 2 sigma^2).
  detail::uint128 weight(std::uint64_t x) const noexcept {
    // x^2 d / (512 n) as a fraction of 2^128: two digits of a division.
    const detail::uint128 above = detail::uint128{x * x} * variance_.denominator,
                          below = detail::uint128{512} * variance_.numerator;
    if (above * 3 >= below) return 0; // beyond exp(-85); only the last of a small sigma
    const detail::uint128 first = (above << 64) / below, rest = (above << 64) - first * below,
                          y = first << 64 | (rest << 64) / below;
    return simd::detail::rounded_gaussian::exp_of_minus_256(y) >> 11;
  }

  /// |x| is the number of entries above a random number of 127 bits; the first bit is the sign.
  template <class Arch>
  void scan(const std::int64_t* high, const std::int64_t* low, std::span<std::int64_t> out) const noexcept {
    using vector = simd::batch<std::int64_t, Arch>;
    constexpr std::size_t lanes = simd::width<std::int64_t, Arch>, side = 4;
    std::size_t i = 0;
    for (; i + side * lanes <= out.size(); i += side * lanes)
      scan_some<Arch, vector, side>(high + i, low + i, out.data() + i);
    if constexpr (lanes > 1)
      for (; i + lanes <= out.size(); i += lanes)
        scan_some<Arch, vector, 1>(high + i, low + i, out.data() + i);
    for (; i < out.size(); ++i) scan_some<simd::scalar, std::int64_t, 1>(high + i, low + i, out.data() + i);
  }

  template <class Arch, class Vector, std::size_t Side>
  void scan_some(const std::int64_t* high, const std::int64_t* low, std::int64_t* out) const noexcept {
    constexpr std::size_t lanes = simd::width<std::int64_t, Arch>;
    const auto all = [](std::uint64_t x) { return simd::broadcast<Arch>(static_cast<std::int64_t>(x)); };
    Vector h[Side], l[Side], count[Side];
    PRIVET_UNROLL for (std::size_t v = 0; v < Side; ++v) {
      h[v] = simd::load<Arch>(high + v * lanes) & all(~top);
      l[v] = simd::load<Arch>(low + v * lanes) ^ all(top);
      count[v] = all(0);
    }
    // (h, l) < (eh, el) if h < eh, or h - 1 < eh where l < el.
    for (std::size_t e = 0; e < wide_; ++e) {
      const Vector eh = simd::broadcast<Arch>(high_[e]), el = simd::broadcast<Arch>(low_[e]);
      PRIVET_UNROLL for (std::size_t v = 0; v < Side; ++v) {
        const Vector borrowed = minus_one_where_less(h[v], l[v], el);
        count[v] = minus_one_where_less(count[v], borrowed, eh);
      }
    }
    // From here on eh = 0: they are above numbers with h = 0 only.
    PRIVET_UNROLL for (std::size_t v = 0; v < Side; ++v) {
      const Vector zero = minus_one_where_less(all(0), h[v], all(1));
      l[v] = (l[v] & zero) | (all(~top) & ~zero); // the largest is below none
    }
    for (std::size_t e = wide_; e < low_.size(); ++e) {
      const Vector el = simd::broadcast<Arch>(low_[e]);
      PRIVET_UNROLL for (std::size_t v = 0; v < Side; ++v) count[v] =
          minus_one_where_less(count[v], l[v], el);
    }
    PRIVET_UNROLL for (std::size_t v = 0; v < Side; ++v) {
      // -count with the sign: negated again where the first bit is 0.
      const Vector sign =
          minus_one_where_less(all(0), all(~std::uint64_t{0}), simd::load<Arch>(high + v * lanes));
      simd::store<Arch, std::int64_t>(out + v * lanes, (count[v] ^ sign) - sign);
    }
  }

  /// x - 1 where a < b, else x, without a branch.
  static std::int64_t minus_one_where_less(std::int64_t x, std::int64_t a, std::int64_t b) noexcept {
    return x - static_cast<std::int64_t>(a < b);
  }
  template <class Arch>
  static xsimd::batch<std::int64_t, Arch> minus_one_where_less(
      const xsimd::batch<std::int64_t, Arch>& x, const xsimd::batch<std::int64_t, Arch>& a,
      const xsimd::batch<std::int64_t, Arch>& b) noexcept {
    using vector = xsimd::batch<std::int64_t, Arch>;
#if defined(__AVX512F__)
    if constexpr (sizeof(vector) == 64)
      return vector(_mm512_mask_sub_epi64(x, _mm512_cmplt_epi64_mask(a, b), x, _mm512_set1_epi64(1)));
#endif
#if defined(__AVX2__)
    if constexpr (sizeof(vector) == 32) return vector(_mm256_add_epi64(x, _mm256_cmpgt_epi64(b, a)));
#endif
    // xsimd 8.1's AVX-512 select of integers does not compile without optimisation.
    if constexpr (sizeof(vector) != 64) return x - xsimd::select(a < b, vector(1), vector(0));
  }

  ratio variance_;
  std::vector<std::int64_t> high_, low_;
  std::size_t wide_ = 0; // entries that are not below 2^64
};

} // namespace privet
