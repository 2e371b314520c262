#pragma once
// exp, log and tanh: of batches of every length and of single numbers by one sequence of operations.
//
// No product below meets a sum outside `simd::fma`, nor can the caller's sum reach one, so a compiler that
// contracts changes nothing: the bits are the same at every level of optimisation, in every lane, and on all
// targets with a fused multiply-add. SSE2 rounds products before it adds; there lanes and single numbers
// differ in the last place.
//
// Errors, in units in the last place (ulp): exp and log 1, tanh 2. Zeros, infinities and NaN go in and come
// out as in <cmath>, and so does the sign of zero.
//
// Source    Cody and Waite, "Software manual for the elementary functions", 1980 (reduction by log 2 in two
//           parts); Muller, "Elementary functions", 3rd edition, 2016, chapters 3 and 11; coefficients of exp
//           and tanh by Remez' exchange, tests/oracles/exponential.py; those of log are fdlibm's
// Test      tests/simd/exponential.test.cpp

#include <privet/simd/arch.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

namespace privet::simd::inline PRIVET_ISA {

namespace detail {

template <class T>
struct exponential_constants;

template <>
struct exponential_constants<float> {
  using word = std::uint32_t;
  static constexpr float log2_e = 0x1.715476p0f;
  static constexpr float ln2_high = 0x1.62e300p-1f, ln2_low = 0x1.2fefa2p-17f; // times 2^7: exact
  static constexpr float exp[] = {0x1.fffffcp-2f, 0x1.55549p-3f, 0x1.5558e6p-5f, 0x1.123acep-7f,
                                  0x1.6a32dep-10f};
  static constexpr float exp_first = -0x1.5d589ep6f, exp_last = 0x1.62e42ep6f;
  static constexpr float log[] = {0xaaaaaa.0p-24f, 0xccce13.0p-25f, 0x91e9ee.0p-25f, 0xf89e26.0p-26f};
  static constexpr float tanh[] = {-0x1.555532p-2f, 0x1.110726p-3f, -0x1.b83c5cp-5f, 0x1.5226ap-6f,
                                   -0x1.75e1dap-8f};
  static constexpr float tanh_last = 10;
};

template <>
struct exponential_constants<double> {
  using word = std::uint64_t;
  static constexpr double log2_e = 0x1.71547652b82fep0;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp[] = {0x1.000000000000ap-1, 0x1.55555555554fbp-3,  0x1.555555555076fp-5,
                                   0x1.111111112752fp-7, 0x1.6c16c18467d24p-10, 0x1.a01a012d87125p-13,
                                   0x1.a019995deee6p-16, 0x1.71df1c2bc251ap-19, 0x1.28ae19ebbb0fcp-22,
                                   0x1.ad911fe6c7cabp-26};
  static constexpr double exp_first = -0x1.6232bdd7abcd2p9, exp_last = 0x1.62e42fefa39efp9;
  static constexpr double log[] = {
      6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
      1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01};
  static constexpr double tanh[] = {-0x1.55555555554ffp-2,  0x1.111111110accep-3,  -0x1.ba1ba1b50652cp-5,
                                    0x1.664f477adbb2ap-6,   -0x1.226e162c06f85p-7, 0x1.d6cf280fd4e27p-9,
                                    -0x1.7d68a33291f03p-10, 0x1.336612c90e34fp-11, -0x1.df557794775b7p-13,
                                    0x1.43911a1d8c691p-14,  -0x1.0da71596f1c0cp-16};
  static constexpr double tanh_last = 20;
};

template <class T>
using exponent_word = typename exponential_constants<T>::word;

/// exp(x) = 2^k (1 + r p), k at the place of the exponent; |x| < 2^9 (float), 2^12 (double).
template <class Arch, class T>
struct split_exp {
  batch<T, Arch> r, p;
  batch<exponent_word<T>, Arch> k;
};

template <class Arch, class T>
split_exp<Arch, T> exp_parts(const batch<T, Arch>& x) noexcept {
  using constants = exponential_constants<T>;
  using B = batch<T, Arch>;
  using words = batch<exponent_word<T>, Arch>;
  constexpr int mantissa = std::numeric_limits<T>::digits - 1;
  constexpr T anchor = T(exponent_word<T>{3} << (mantissa - 1)); // a sum with it has k in its low bits
  const B anchored = simd::fma(x, B(constants::log2_e), B(anchor)), k = anchored - B(anchor);
  const B r = simd::fma(k, B(-constants::ln2_low), simd::fma(k, B(-constants::ln2_high), x));
  const B second = detail::polynomial<Arch, T>(r, constants::exp);
  return {r, simd::fma(r, second, B(T(1))), words(std::bit_cast<words>(anchored) << mantissa)};
}

template <class Arch, class T>
batch<T, Arch> exp(const batch<T, Arch>& x) noexcept {
  using constants = exponential_constants<T>;
  using B = batch<T, Arch>;
  using words = batch<exponent_word<T>, Arch>;
  const auto parts = detail::exp_parts<Arch, T>(x);
  const B mantissa = simd::fma(parts.r, parts.p, B(T(1)));
  // By integers, as 2^k may be no number where the product is one.
  const B power = std::bit_cast<B>(words(std::bit_cast<words>(mantissa) + parts.k));
  const B result = simd::select(x < B(constants::exp_first), B(T(0)), power);
  return simd::select(x <= B(constants::exp_last), result, B(x + B(std::numeric_limits<T>::infinity())));
}

/// log(1 + f) = 2 s + s z P(z) for s = f / (2 + f), z = s s and |f| < sqrt(2) - 1, as in fdlibm.
template <class Arch, class T>
batch<T, Arch> log(const batch<T, Arch>& x) noexcept {
  using constants = exponential_constants<T>;
  using limits = std::numeric_limits<T>;
  using word = exponent_word<T>;
  using words = batch<word, Arch>;
  using B = batch<T, Arch>;
  constexpr int mantissa = limits::digits - 1;
  constexpr word one = std::bit_cast<word>(T(1)), sqrt_half = std::bit_cast<word>(T(0.70710678118654752));
  constexpr T anchor = T(word{1} << mantissa); // an integer in its low bits is added to it
  constexpr T smallest = limits::min(), infinity = limits::infinity(), nan = limits::quiet_NaN();

  // x = 2^k (1 + f), by way of integers.
  const auto tiny = x < B(smallest);
  const B normal = simd::select(tiny, B(x * B(anchor)), x);
  const words above = std::bit_cast<words>(normal) + words(one - sqrt_half);
  const words biased = (above >> mantissa) | words(std::bit_cast<word>(anchor));
  constexpr T bias = anchor + T(limits::max_exponent - 1);
  const B k = std::bit_cast<B>(biased) - simd::select(tiny, B(bias + T(mantissa)), B(bias));
  const B f =
      std::bit_cast<B>(words((above & words((word{1} << mantissa) - 1)) + words(sqrt_half))) - B(T(1));

  const B s = simd::divide(f, B(B(T(2)) + f)), z = s * s;
  const B half = B(T(0.5)) * f * f;
  const B series = simd::fma(z, detail::polynomial<Arch, T>(z, constants::log), half);
  const B small = simd::fma(s, series, B(k * B(constants::ln2_low)));
  const B rest = simd::fma(half, B(T(-1)), small); // a difference could be contracted
  B result = simd::fma(k, B(constants::ln2_high), B(rest + f));

  result = simd::select(x < B(infinity), result, x); // infinity and NaN are their own
  result = simd::select(x < B(T(0)), B(nan), result);
  return simd::select(x == B(T(0)), B(-infinity), result);
}

template <class Arch, class T>
batch<T, Arch> tanh(const batch<T, Arch>& x) noexcept {
  using constants = exponential_constants<T>;
  using B = batch<T, Arch>;
  using word = exponent_word<T>;
  using words = batch<word, Arch>;
  const B one(T(1)), last(2 * constants::tanh_last);
  const words bits = std::bit_cast<words>(x), sign = bits & words(std::bit_cast<word>(T(-0.0)));
  const B size = std::bit_cast<B>(words(bits ^ sign));

  const B z = size * size;
  const B below = simd::fma(B(size * z), detail::polynomial<Arch, T>(z, constants::tanh), size);

  // 1 - 2 / (exp(2 size) + 1)
  const B twice = size + size;
  const auto parts = detail::exp_parts<Arch, T>(simd::select(twice > last, last, twice));
  const B scale = std::bit_cast<B>(words(parts.k + words(std::bit_cast<word>(T(1)))));
  const B denominator = simd::fma(B(parts.r * scale), parts.p, B(scale + one));
  const B above = one - simd::divide(B(T(2)), denominator);

  const B result = simd::select(size < B(T(0.625)), below, above);
  return std::bit_cast<B>(words(std::bit_cast<words>(result) | sign));
}

} // namespace detail

// A long double, of which there are no lanes, goes to <cmath>.

/// Below the smallest normal number the result is 0, whatever the thread does with denormals.
template <std::floating_point T>
T exp(T x) noexcept {
  if constexpr (std::same_as<T, long double>)
    return std::exp(x);
  else
    return detail::exp<scalar, T>(x);
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> exp(const xsimd::batch<T, Arch>& x) noexcept {
  return detail::exp<Arch, T>(x);
}

template <std::floating_point T>
T log(T x) noexcept {
  if constexpr (std::same_as<T, long double>)
    return std::log(x);
  else
    return detail::log<scalar, T>(x);
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> log(const xsimd::batch<T, Arch>& x) noexcept {
  return detail::log<Arch, T>(x);
}

template <std::floating_point T>
T tanh(T x) noexcept {
  if constexpr (std::same_as<T, long double>)
    return std::tanh(x);
  else
    return detail::tanh<scalar, T>(x);
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> tanh(const xsimd::batch<T, Arch>& x) noexcept {
  return detail::tanh<Arch, T>(x);
}

} // namespace privet::simd::inline PRIVET_ISA
