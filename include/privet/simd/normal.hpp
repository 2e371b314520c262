#pragma once
// Words to normals: Box-Muller on vectors, with its own logarithm, sine and cosine.
// Box, Muller, "A note on the generation of random normal deviates", 1958. The polynomials are
// those of fdlibm (log, double sine and cosine) and Cephes (float sine and cosine).

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/shuffle.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// Words of a normal: one for a float, two for a double, the low half first.
template <std::floating_point T>
inline constexpr std::size_t words_per_normal = sizeof(T) / sizeof(std::uint32_t);

namespace detail {

template <class T>
struct normal_constants;

template <>
struct normal_constants<float> {
  using word = std::uint32_t;
  using integer = std::int32_t;
  static constexpr int mantissa = 23, uniform = 32;
  static constexpr float ln2_high = 0x1.62e300p-1f, ln2_low = 0x1.2fefa2p-17f;
  static constexpr float twice_log[] = {0xaaaaaa.0p-23f, 0xccce13.0p-24f, 0x91e9ee.0p-24f, 0xf89e26.0p-25f};
  static constexpr float sin[] = {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f};
  static constexpr float cos[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};
};

template <>
struct normal_constants<double> {
  using word = std::uint64_t;
  using integer = std::int64_t;
  static constexpr int mantissa = 52, uniform = 53;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double twice_log[] = {2 * 6.666666666666735130e-01, 2 * 3.999999999940941908e-01,
                                         2 * 2.857142874366239149e-01, 2 * 2.222219843214978396e-01,
                                         2 * 1.818357216161805012e-01, 2 * 1.531383769920937332e-01,
                                         2 * 1.479819860511658591e-01};
  static constexpr double sin[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,
                                   -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                                   -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  static constexpr double cos[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03,
                                   2.48015872894767294178e-05, -2.75573143513906633035e-07,
                                   2.08757232129817482790e-09, -1.13596475577881948265e-11};
};

template <class T>
using word_of = typename normal_constants<T>::word;
template <class T, class Arch>
using words_of = batch<word_of<T>, Arch>;

// No product below meets a sum outside `simd::fma` and these two, so a compiler that contracts
// changes nothing.

/// Whether `held` keeps a compiler from contracting; an addition is then cheaper than a product with 1.
template <class Arch>
inline constexpr bool held_is_opaque =
#if defined(__x86_64__) || defined(__aarch64__)
    !std::same_as<Arch, scalar>;
#else
    false;
#endif

/// product + x and product - x, the product rounded first on every target.
template <class Arch, class T>
batch<T, Arch> add_rounded(const batch<T, Arch>& product, const batch<T, Arch>& x) noexcept {
  if constexpr (held_is_opaque<Arch>)
    return simd::held(product) + x;
  else
    return simd::fma(product, simd::broadcast<Arch>(T(1)), x);
}
template <class Arch, class T>
batch<T, Arch> subtract_rounded(const batch<T, Arch>& product, const batch<T, Arch>& x) noexcept {
  if constexpr (held_is_opaque<Arch>)
    return simd::held(product) - x;
  else
    return simd::fma(product, simd::broadcast<Arch>(T(1)), batch<T, Arch>(-x));
}

/// 2 log(mantissa 2^exponent) for a mantissa in [sqrt(1/2), sqrt(2)). Computed doubled, which is
/// exact at every step and spares two products.
template <class Arch, class T>
batch<T, Arch> twice_log(const batch<T, Arch>& mantissa, const batch<T, Arch>& exponent) noexcept {
  using constants = normal_constants<T>;
  using vector = batch<T, Arch>;
  const vector f = mantissa - simd::broadcast<Arch>(T(1));
  const vector s = simd::divide(f, vector(simd::broadcast<Arch>(T(2)) + f));
  const vector z = s * s;
  const vector square = f * f;
  const vector series = simd::fma(z, polynomial<Arch, T>(z, constants::twice_log), square);
  const vector small = simd::fma(s, series, vector(exponent * simd::broadcast<Arch>(2 * constants::ln2_low)));
  const vector rest = (f + f) - subtract_rounded<Arch, T>(square, small);
  return simd::fma(exponent, simd::broadcast<Arch>(2 * constants::ln2_high), rest);
}

template <class Arch, class T>
batch<T, Arch> sin_small(const batch<T, Arch>& x) noexcept {
  using vector = batch<T, Arch>;
  const vector z = x * x;
  return add_rounded<Arch, T>(vector(x * z * polynomial<Arch, T>(z, normal_constants<T>::sin)), x);
}
template <class Arch, class T>
batch<T, Arch> cos_small(const batch<T, Arch>& x) noexcept {
  using vector = batch<T, Arch>;
  const vector z = x * x;
  const vector start = simd::fma(z, simd::broadcast<Arch>(T(-0.5)), simd::broadcast<Arch>(T(1)));
  return add_rounded<Arch, T>(vector(z * z * polynomial<Arch, T>(z, normal_constants<T>::cos)), start);
}

/// A lane's bits as a signed integer, rounded once to a number.
template <class Arch, class T>
batch<T, Arch> signed_to_number(const words_of<T, Arch>& bits) noexcept {
  using integers = batch<typename normal_constants<T>::integer, Arch>;
  [[maybe_unused]] const auto x = std::bit_cast<integers>(bits);
  if constexpr (std::same_as<Arch, scalar>) {
    return static_cast<T>(x);
  } else if constexpr (std::same_as<T, float>) {
    return xsimd::to_float(x);
  } else {
#if defined(__AVX512DQ__)
    if constexpr (sizeof(x) == 64) return batch<T, Arch>(_mm512_cvtepi64_pd(x));
#endif
#if defined(__aarch64__)
    if constexpr (sizeof(x) == 16) return batch<T, Arch>(vcvtq_f64_s64(x));
#endif
    // Both halves land exactly in the low bits of 2^84 and of 2^52; their sum is rounded.
    using words = words_of<T, Arch>;
    const auto all = [](std::uint64_t v) { return simd::broadcast<Arch>(v); };
    const words high = (bits ^ all(0x8000000000000000)) >> 32, low = bits & all(0xFFFFFFFF);
    const auto upper = std::bit_cast<batch<T, Arch>>(words(high | all(0x4530000000000000)));
    const auto lower = std::bit_cast<batch<T, Arch>>(words(low | all(0x4330000000000000)));
    return (upper - simd::broadcast<Arch>(0x1p84 + 0x1p63 + 0x1p52)) + lower;
  }
}

/// What the radius comes from: (w + 1), rounded once, as mantissa 2^exponent / 2^uniform.
template <class Arch, class T>
struct radius_parts {
  batch<T, Arch> mantissa, exponent;

  explicit radius_parts(const words_of<T, Arch>& w) noexcept {
    using constants = normal_constants<T>;
    using word = word_of<T>;
    using words = words_of<T, Arch>;
    const auto all = [](word v) { return simd::broadcast<Arch>(v); };
    constexpr auto sqrt_half = std::bit_cast<word>(T(1) / std::numbers::sqrt2_v<T>);
    constexpr word one = word{1} << constants::mantissa;

    // An integer exponent comes out of the bits: powers of two are constants away from each other.
    const auto u = std::bit_cast<words>(plus_one(w));
    if constexpr (std::same_as<T, float>) {
      const words above = u - all(sqrt_half + constants::uniform * one);
      mantissa = std::bit_cast<batch<T, Arch>>(words((above & all(one - 1)) + all(sqrt_half)));
      using integers = batch<typename constants::integer, Arch>;
      const integers power = std::bit_cast<integers>(above) >> constants::mantissa;
      exponent = signed_to_number<Arch, T>(std::bit_cast<words>(power));
    } else {                                  // few targets shift 64 bits with their sign
      const words above = u - all(sqrt_half); // plus_one >= 1
      mantissa = std::bit_cast<batch<T, Arch>>(words((above & all(one - 1)) + all(sqrt_half)));
      constexpr T anchor = 0x1p52; // an integer in its low bits is added to it
      const words power = (above >> constants::mantissa) | all(std::bit_cast<word>(anchor));
      exponent = std::bit_cast<batch<T, Arch>>(power) - simd::broadcast<Arch>(anchor + constants::uniform);
    }
  }

  static batch<T, Arch> plus_one(const words_of<T, Arch>& w) noexcept {
    using words = words_of<T, Arch>;
    const auto all = [](word_of<T> v) { return simd::broadcast<Arch>(v); };
    if constexpr (std::same_as<T, double>) { // 53 bits fit
      return signed_to_number<Arch, T>(words((w >> 11) + all(1)));
    } else {
#if defined(__AVX512F__)
      if constexpr (sizeof(words) == 64) { // 2^32 wraps to zero
        const __m512i next = words(w + all(1));
        return batch<T, Arch>(_mm512_mask_mov_ps(
            _mm512_cvtepu32_ps(next), _mm512_testn_epi32_mask(next, next), _mm512_set1_ps(0x1p32f)));
      }
#endif
      // Both halves and the product are exact.
      const auto high = signed_to_number<Arch, T>(words(w >> 16)),
                 low = signed_to_number<Arch, T>(words((w & all(0xFFFF)) + all(1)));
      return simd::fma(high, simd::broadcast<Arch>(T(65536)), low);
    }
  }
};

/// Lane-wise bits of `yes` where bit `Bit` of `q` is set, of `no` where it is not.
template <class Arch, class T, int Bit>
batch<T, Arch> select_by_bit(const words_of<T, Arch>& q, const batch<T, Arch>& yes,
                             const batch<T, Arch>& no) noexcept {
  using vector = batch<T, Arch>;
#if defined(__AVX512F__)
  if constexpr (sizeof(vector) == 64 && std::same_as<T, float>)
    return vector(_mm512_mask_mov_ps(no, _mm512_test_epi32_mask(q, _mm512_set1_epi32(1 << Bit)), yes));
  if constexpr (sizeof(vector) == 64 && std::same_as<T, double>)
    return vector(_mm512_mask_mov_pd(no, _mm512_test_epi64_mask(q, _mm512_set1_epi64(1ll << Bit)), yes));
#endif
#if defined(__AVX__) // by the sign bit
  if constexpr (sizeof(vector) == 32 && std::same_as<T, float>)
    return vector(_mm256_blendv_ps(no, yes, std::bit_cast<vector>(words_of<T, Arch>(q << (31 - Bit)))));
  if constexpr (sizeof(vector) == 32 && std::same_as<T, double>)
    return vector(_mm256_blendv_pd(no, yes, std::bit_cast<vector>(words_of<T, Arch>(q << (63 - Bit)))));
#endif
  using words = words_of<T, Arch>;
  const words chosen =
      simd::broadcast<Arch>(word_of<T>{0}) - ((q >> Bit) & simd::broadcast<Arch>(word_of<T>{1}));
  const auto bits = std::bit_cast<words>(no);
  return std::bit_cast<vector>(words(bits ^ ((bits ^ std::bit_cast<words>(yes)) & chosen)));
}

/// x, negated where the top bit of `q` is set.
template <class Arch, class T>
batch<T, Arch> negate_by_top(const batch<T, Arch>& x, const words_of<T, Arch>& q) noexcept {
  using words = words_of<T, Arch>;
  constexpr int bits = sizeof(T) * 8;
  const words sign = q & simd::broadcast<Arch>(word_of<T>{1} << (bits - 1));
  return std::bit_cast<batch<T, Arch>>(words(std::bit_cast<words>(x) ^ sign));
}

/// The words behind one batch of numbers.
template <class Arch, class T>
words_of<T, Arch> load_words(const std::uint32_t* from) noexcept {
  if constexpr (std::same_as<T, float>)
    return simd::load<Arch>(from);
  else if constexpr (std::same_as<Arch, scalar>)
    return from[0] | std::uint64_t{from[1]} << 32;
  else
    return std::bit_cast<words_of<T, Arch>>(simd::load<Arch>(from));
}

/// `Steps` times two batches of numbers, one stage after the other: a chain of forty dependent
/// operations keeps a processor waiting, eight such chains side by side do not.
template <class Arch, class T, std::size_t Steps>
class normal_stages {
  using word = word_of<T>;
  using words = words_of<T, Arch>;
  using vector = batch<T, Arch>;
  static constexpr int bits = sizeof(word) * 8;
  static constexpr std::size_t lanes = width<T, Arch>, batch_words = lanes * words_per_normal<T>;

 public:
  static constexpr std::size_t numbers = 2 * Steps * lanes;

  normal_stages() = default;
  normal_stages(const normal_stages&) = delete;
  normal_stages& operator=(const normal_stages&) = delete;
  ~normal_stages() {
    wipe(std::span(angle_));
    wipe(std::span(radius_));
    wipe(std::span(cos_));
    wipe(std::span(sin_));
  }

  /// Pair i: words 2i (radius) and 2i + 1 (angle) give numbers 2i and 2i + 1. `take(i, batch)` gets
  /// those from number i on.
  template <class Take>
  void make(const std::uint32_t* from, const Take& take) noexcept {
    for (std::size_t k = 0; k < Steps; ++k) {
      auto first = load_words<Arch, T>(from + 2 * k * batch_words),
           second = load_words<Arch, T>(from + (2 * k + 1) * batch_words);
      simd::unzip_pairs(first, second);
      const radius_parts<Arch, T> u(first);
      radius_[k] = u.mantissa;
      cos_[k] = u.exponent;
      angle_[k] = second;
    }
    for (std::size_t k = 0; k < Steps; ++k) radius_[k] = twice_log<Arch, T>(radius_[k], cos_[k]);
    for (std::size_t k = 0; k < Steps; ++k) {
      radius_[k] = simd::sqrt(negate_by_top<Arch, T>(radius_[k], all(~word{0})));
      // The nearest quarter turn is in the top two bits of a sum below; the signed rest, of at
      // most an eighth, is the word without its top two bits. Shifted out, they leave four times it.
      constexpr T turn = 2 * std::numbers::pi_v<T> / (T(word{1} << (bits - 1)) * 2);
      const vector x = signed_to_number<Arch, T>(words(angle_[k] << 2)) * simd::broadcast<Arch>(turn / 4);
      cos_[k] = cos_small<Arch, T>(x);
      sin_[k] = sin_small<Arch, T>(x);
    }
    for (std::size_t k = 0; k < Steps; ++k) {
      constexpr word eighth = word{1} << (bits - 3);
      const words quarter = angle_[k] + all(eighth), next_quarter = angle_[k] + all(3 * eighth);
      const vector c = radius_[k] * cos_[k], s = radius_[k] * sin_[k];
      vector first = negate_by_top<Arch, T>(select_by_bit<Arch, T, bits - 2>(quarter, s, c), next_quarter),
             second = negate_by_top<Arch, T>(select_by_bit<Arch, T, bits - 2>(quarter, c, s), quarter);
      simd::zip_pairs(first, second);
      take(2 * k * lanes, first);
      take((2 * k + 1) * lanes, second);
    }
  }

 private:
  static words all(word value) noexcept { return simd::broadcast<Arch>(value); }

  words angle_[Steps];
  vector radius_[Steps], cos_[Steps], sin_[Steps]; // the first two hold mantissa and exponent at first
};

/// Hands the first `count` normals made from `words` to `take(i, batch)`, and those that fill no batch to
/// `take_rest(i, numbers)`.
template <class Arch, class T, class Take, class TakeRest>
void each_normal(std::span<const std::uint32_t> words, std::size_t count, const Take& take,
                 const TakeRest& take_rest) noexcept {
  constexpr std::size_t halves = words_per_normal<T>;
  using block = normal_stages<Arch, T, 8>;
  using step = normal_stages<Arch, T, 1>;
  std::size_t i = 0;
  // Copies, as a store may alias what is captured by reference.
  const auto from = [take](std::size_t first) {
    return [take, first](std::size_t k, const auto& numbers) { take(first + k, numbers); };
  };
  if (count >= block::numbers) {
    for (block many; count - i >= block::numbers; i += block::numbers) many.make(&words[i * halves], from(i));
  }
  if (i == count) return;
  step one;
  for (; count - i >= step::numbers; i += step::numbers) one.make(&words[i * halves], from(i));
  if (i == count) return;

  const std::size_t rest = count - i;
  std::uint32_t last_words[step::numbers * halves] = {};
  T last[step::numbers];
  std::memcpy(last_words, &words[i * halves], (rest + 1) / 2 * 2 * halves * sizeof(std::uint32_t));
  one.make(last_words, [&](std::size_t k, const auto& numbers) { simd::store<Arch, T>(last + k, numbers); });
  take_rest(i, std::span<const T>(last, rest));
  wipe(std::span(last_words));
  wipe(std::span(last));
}

} // namespace detail

/// Turns uniform words into standard normals. Pair i takes radius and angle from its own words
/// and gives numbers 2i and 2i + 1; of an odd size the last number is dropped, but not its words.
///
/// Requires  words for every begun pair: words_per_normal * (out.size() rounded up to even)
/// Ensures   a pair depends on its own words alone
template <class Arch = default_arch, std::floating_point T>
void normals(std::span<const std::uint32_t> words, std::span<T> out) noexcept {
  detail::each_normal<Arch, T>(
      words, out.size(),
      [to = out.data()](std::size_t i, const auto& numbers) { simd::store<Arch, T>(to + i, numbers); },
      [&](std::size_t i, std::span<const T> numbers) {
        std::memcpy(&out[i], numbers.data(), numbers.size_bytes());
      });
}

/// x += deviation times the normals made from `words`: `normals` and `axpy`, to the bit, in one pass.
template <class Arch = default_arch, std::floating_point T>
void add_normals(std::span<const std::uint32_t> words, T deviation, std::span<T> x) noexcept {
  detail::each_normal<Arch, T>(
      words, x.size(),
      [to = x.data(), deviation](std::size_t i, const auto& numbers) {
        simd::store<Arch, T>(to + i,
                             simd::fma(simd::broadcast<Arch>(deviation), numbers, simd::load<Arch>(to + i)));
      },
      [&](std::size_t i, std::span<const T> numbers) { simd::axpy<Arch>(deviation, numbers, x.subspan(i)); });
}

/// weights -= scale times (g + deviation times the normals made from `words`): `add_normals` to g and `axpy`,
/// to the bit, in one pass. Sizes agree.
template <class Arch = default_arch, std::floating_point T>
void descend_with_normals(std::span<const std::uint32_t> words, std::span<const T> g, T deviation, T scale,
                          std::span<T> weights) noexcept {
  detail::each_normal<Arch, T>(
      words, g.size(),
      [from = g.data(), to = weights.data(), deviation, scale](std::size_t i, const auto& numbers) {
        const auto step = simd::fma(simd::broadcast<Arch>(deviation), numbers, simd::load<Arch>(from + i));
        simd::store<Arch, T>(to + i,
                             simd::fma(simd::broadcast<Arch>(-scale), step, simd::load<Arch>(to + i)));
      },
      [&](std::size_t i, std::span<const T> numbers) {
        std::array<T, detail::normal_stages<Arch, T, 1>::numbers> rest;
        const auto step = std::span<T>(rest).first(numbers.size());
        std::ranges::copy(g.subspan(i), step.begin());
        simd::axpy<Arch>(deviation, numbers, step);
        simd::axpy<Arch>(-scale, std::span<const T>(step), weights.subspan(i));
      });
}

} // namespace privet::simd::inline PRIVET_ISA
