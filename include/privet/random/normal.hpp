#pragma once
// The fast normal: Box-Muller on vectors, with its own logarithm, sine and cosine.
// Box, Muller, "A note on the generation of random normal deviates", 1958. The polynomials are
// those of fdlibm (log, double sine and cosine) and Cephes (float sine and cosine).

#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/fork_generation.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

namespace privet {

namespace detail {

template <class T>
struct normal_constants;

template <>
struct normal_constants<float> {
  using word = std::uint32_t;
  using integer = std::int32_t;
  static constexpr int mantissa = 23, uniform = 32;
  static constexpr float ln2_high = 0x1.62e300p-1f, ln2_low = 0x1.2fefa2p-17f;
  static constexpr float log[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f, 0xf89e26.0p-26f};
  static constexpr float sin[] = {-1.6666654611e-1f, 8.3321608736e-3f, -1.9515295891e-4f};
  static constexpr float cos[] = {4.166664568298827e-2f, -1.388731625493765e-3f, 2.443315711809948e-5f};

  /// (w + 1), rounded once: both halves and the product are exact.
  static float plus_one(word w) noexcept {
    const auto high = static_cast<float>(static_cast<integer>(w >> 16));
    return high * 65536.0f + static_cast<float>(static_cast<integer>((w & 0xFFFF) + 1));
  }
};

template <>
struct normal_constants<double> {
  using word = std::uint64_t;
  using integer = std::int64_t;
  static constexpr int mantissa = 52, uniform = 53;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double log[] = {
      6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
      1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01};
  static constexpr double sin[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,
                                   -1.98412698298579493134e-04, 2.75573137070700676789e-06,
                                   -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  static constexpr double cos[] = {4.16666666666666019037e-02, -1.38888888888741095749e-03,
                                   2.48015872894767294178e-05, -2.75573143513906633035e-07,
                                   2.08757232129817482790e-09, -1.13596475577881948265e-11};

  static double plus_one(word w) noexcept { return static_cast<double>(static_cast<integer>((w >> 11) + 1)); }
};

/// c[0] + x (c[1] + x (c[2] + ...)).
template <class Arch, class T, std::size_t N>
simd::batch<T, Arch> polynomial(const simd::batch<T, Arch>& x, const T (&c)[N]) noexcept {
  auto sum = simd::broadcast<Arch>(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) sum = simd::fma(sum, x, simd::broadcast<Arch>(c[i]));
  return sum;
}

// No product below meets a sum outside `simd::fma`, so a compiler that contracts changes nothing;
// where rounding the product first matters most, it is rounded on every target.

template <class Arch, class T>
simd::batch<T, Arch> add_rounded(const simd::batch<T, Arch>& product,
                                 const simd::batch<T, Arch>& x) noexcept {
  return simd::fma(product, simd::broadcast<Arch>(T(1)), x);
}

/// log(mantissa 2^exponent) for a mantissa in [sqrt(1/2), sqrt(2)).
template <class Arch, class T>
simd::batch<T, Arch> log_parts(const simd::batch<T, Arch>& mantissa,
                               const simd::batch<T, Arch>& exponent) noexcept {
  using constants = normal_constants<T>;
  using vector = simd::batch<T, Arch>;
  const vector f = mantissa - simd::broadcast<Arch>(T(1));
  const vector s = simd::divide(f, vector(simd::broadcast<Arch>(T(2)) + f));
  const vector z = s * s;
  const vector half_square = simd::broadcast<Arch>(T(0.5)) * f * f;
  const vector series = simd::fma(z, polynomial<Arch, T>(z, constants::log), half_square);
  const vector small = simd::fma(s, series, vector(exponent * simd::broadcast<Arch>(constants::ln2_low)));
  const vector rest = f - add_rounded<Arch, T>(half_square, vector(-small));
  return simd::fma(exponent, simd::broadcast<Arch>(constants::ln2_high), rest);
}

template <class Arch, class T>
simd::batch<T, Arch> sin_small(const simd::batch<T, Arch>& x) noexcept {
  using vector = simd::batch<T, Arch>;
  const vector z = x * x;
  return add_rounded<Arch, T>(vector(x * z * polynomial<Arch, T>(z, normal_constants<T>::sin)), x);
}
template <class Arch, class T>
simd::batch<T, Arch> cos_small(const simd::batch<T, Arch>& x) noexcept {
  using vector = simd::batch<T, Arch>;
  const vector z = x * x;
  const vector start = simd::fma(z, simd::broadcast<Arch>(T(-0.5)), simd::broadcast<Arch>(T(1)));
  return add_rounded<Arch, T>(vector(z * z * polynomial<Arch, T>(z, normal_constants<T>::cos)), start);
}

inline constexpr std::size_t normal_chunk = 64; // numbers made at once, in pairs

/// Pair i: words 2i (radius) and 2i + 1 (angle) give numbers 2i and 2i + 1.
template <class Arch, class T>
void normal_pairs(const std::array<typename normal_constants<T>::word, normal_chunk>& words,
                  std::array<T, normal_chunk>& out) noexcept {
  using constants = normal_constants<T>;
  using word = typename constants::word;
  using integer = typename constants::integer;
  constexpr std::size_t pairs = normal_chunk / 2;
  constexpr int bits = sizeof(word) * 8;
  constexpr auto sqrt_half = std::bit_cast<integer>(T(1) / std::numbers::sqrt2_v<T>);
  constexpr T turn = 2 * std::numbers::pi_v<T> / (T(word{1} << (bits - 1)) * 2);

  alignas(64) T mantissa[pairs], exponent[pairs], angle[pairs];
  word quarter[pairs];
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto u = std::bit_cast<integer>(constants::plus_one(words[2 * i]));
    const integer power = (u - sqrt_half) >> constants::mantissa;
    mantissa[i] = std::bit_cast<T>(static_cast<integer>(u - (power << constants::mantissa)));
    exponent[i] = static_cast<T>(power - constants::uniform);
    // The nearest quarter turn, and the signed rest of at most an eighth, exact in integers.
    quarter[i] = (words[2 * i + 1] + (word{1} << (bits - 3))) >> (bits - 2);
    angle[i] = static_cast<T>(static_cast<integer>(words[2 * i + 1] - (quarter[i] << (bits - 2)))) * turn;
  }

  alignas(64) T with_cos[pairs], with_sin[pairs];
  for (std::size_t i = 0; i < pairs; i += simd::width<T, Arch>) {
    using vector = simd::batch<T, Arch>;
    const vector x = simd::load<Arch>(angle + i);
    const vector log = log_parts<Arch, T>(simd::load<Arch>(mantissa + i), simd::load<Arch>(exponent + i));
    const vector radius = simd::sqrt(vector(simd::broadcast<Arch>(T(-2)) * log));
    simd::store<Arch, T>(with_cos + i, vector(radius * cos_small<Arch, T>(x)));
    simd::store<Arch, T>(with_sin + i, vector(radius * sin_small<Arch, T>(x)));
  }

  for (std::size_t i = 0; i < pairs; ++i) {
    const auto c = std::bit_cast<word>(with_cos[i]), s = std::bit_cast<word>(with_sin[i]);
    const bool swapped = quarter[i] & 1;
    const word first_sign = ((quarter[i] + 1) >> 1 & 1) << (bits - 1), second_sign = (quarter[i] >> 1 & 1)
                                                                                     << (bits - 1);
    out[2 * i] = std::bit_cast<T>((swapped ? s : c) ^ first_sign);
    out[2 * i + 1] = std::bit_cast<T>((swapped ? c : s) ^ second_sign);
  }
}

} // namespace detail

/// Fills `out` with independent standard normals, drawn in pairs: one word per number (float) or
/// two (double); an odd size draws for one more and drops it.
///
/// Ensures  every number depends on its own pair alone, so filling an even part and then the rest
///          equals one fill; results agree to 2 ulp between targets, to the bit on one target
/// Limits   |x| <= 6.7 (float), 8.6 (double). The float radius has 2^-24 steps near zero.
/// Privacy  floating-point noise shows in its low bits which inputs were possible (Mironov, CCS
///          2012): a mechanism must round what it releases to a grid
/// Test     tests/random/normal.test.cpp
template <class Arch = simd::default_arch, std::floating_point T, RandomSource Source>
void fill_normal(Source& source, std::span<T> out) {
  using word = typename detail::normal_constants<T>::word;
  constexpr std::size_t halves = sizeof(word) / sizeof(std::uint32_t);
  std::array<std::uint32_t, detail::normal_chunk * halves> drawn{};
  std::array<word, detail::normal_chunk> words;
  std::array<T, detail::normal_chunk> made;
  while (!out.empty()) {
    const std::size_t count = std::min(out.size(), detail::normal_chunk);
    source.fill(std::span(drawn).first((count + 1) / 2 * 2 * halves));
    for (std::size_t i = 0; i < words.size(); ++i) {
      if constexpr (halves == 1)
        words[i] = drawn[i];
      else
        words[i] = drawn[2 * i] | word{drawn[2 * i + 1]} << 32;
    }
    detail::normal_pairs<Arch, T>(words, made);
    std::copy_n(made.begin(), count, out.begin());
    out = out.subspan(count);
  }
  if constexpr (SecretRandomSource<Source>) {
    wipe(std::span(drawn));
    wipe(std::span(words));
    wipe(std::span(made));
  }
}

/// A stream of standard normals that does not depend on how calls split it: the second half of a
/// pair waits for the next call. One per thread; the source must outlive it.
///
/// Privacy  a spare made from secret words is wiped when used, on destruction, and after a fork
template <RandomSource Source, std::floating_point T = float>
class normal_stream {
 public:
  explicit normal_stream(Source& source) : source_(&source), generation_(generation()) {}
  normal_stream(const normal_stream&) = delete;
  normal_stream& operator=(const normal_stream&) = delete;
  ~normal_stream() { wipe(std::span(spare_)); }

  template <class Arch = simd::default_arch>
  void fill(std::span<T> out) {
    if (const auto now = generation(); now != generation_) {
      wipe(std::span(spare_));
      has_spare_ = false;
      generation_ = now;
    }
    if (has_spare_ && !out.empty()) {
      out.front() = spare_[0];
      wipe(std::span(spare_));
      has_spare_ = false;
      out = out.subspan(1);
    }
    fill_normal<Arch>(*source_, out.first(out.size() / 2 * 2));
    if (out.size() % 2 != 0) {
      std::array<T, 2> pair;
      fill_normal<Arch>(*source_, std::span<T>(pair));
      out.back() = pair[0];
      spare_[0] = pair[1];
      has_spare_ = true;
      wipe(std::span(pair));
    }
  }

 private:
  static std::uint64_t generation() {
    if constexpr (SecretRandomSource<Source>)
      return fork_generation();
    else
      return 0;
  }

  Source* source_;
  std::uint64_t generation_;
  std::array<T, 1> spare_{};
  bool has_spare_ = false;
};

} // namespace privet
