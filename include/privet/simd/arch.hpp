#pragma once
// The gateway to xsimd, 8 to 14: one vocabulary of vector operations for every kernel, with a
// scalar architecture beside the vector ones. Version differences are settled here.

#include <privet/simd/isa.hpp>

#include <xsimd/xsimd.hpp>

#include <math.h> // fmaf and the like, outside of std
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__AVX__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

/// Before a loop of a few rounds, known at compile time: all of them in a row, at every level of
/// optimisation, so that an array they index lies in registers.
#if defined(__SANITIZE_ADDRESS__) // every access is checked anyway, and long code takes g++ minutes
#define PRIVET_UNROLL
#elif defined(__clang__)
#define PRIVET_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PRIVET_UNROLL _Pragma("GCC unroll 32")
#endif

namespace privet::simd::inline PRIVET_ISA {

/// The architecture of the scalar reference: a batch of it is the number itself.
struct scalar {};

#if XSIMD_VERSION_MAJOR >= 8 && !defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
using default_arch = xsimd::default_arch;
#else
using default_arch = scalar;
#endif

namespace detail {
template <class T, class Arch>
struct batch_of {
  using type = xsimd::batch<T, Arch>;
  static constexpr std::size_t width = type::size;
};
template <class T>
struct batch_of<T, scalar> {
  using type = T;
  static constexpr std::size_t width = 1;
};
} // namespace detail

template <class T, class Arch = default_arch>
using batch = typename detail::batch_of<T, Arch>::type;

/// Lanes in one batch.
template <class T, class Arch = default_arch>
inline constexpr std::size_t width = detail::batch_of<T, Arch>::width;

/// Vector registers the compiler may keep accumulators in.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr std::size_t registers = 32;
#else
inline constexpr std::size_t registers = 16;
#endif

template <class Arch, class T>
batch<T, Arch> broadcast(T value) noexcept {
  return batch<T, Arch>(value);
}

template <class Arch, class T>
batch<T, Arch> load(const T* from) noexcept {
  if constexpr (std::same_as<Arch, scalar>)
    return *from;
  else
    return batch<T, Arch>::load_unaligned(from);
}

template <class Arch, class T>
void store(T* to, batch<T, Arch> v) noexcept {
  if constexpr (std::same_as<Arch, scalar>)
    *to = v;
  else
    v.store_unaligned(to);
}

#if defined(__AVX2__)
namespace detail {
/// All bits of the first `n` of eight lanes.
inline __m256i first_lanes(std::size_t n) noexcept {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
} // namespace detail
#endif

/// The first `n` lanes from memory, the others zero; nothing past `from + n` is touched.
template <class Arch, class T>
batch<T, Arch> load_partial(const T* from, std::size_t n) noexcept {
  if constexpr (std::same_as<Arch, scalar>) {
    return n ? *from : T{};
  } else {
    using B = batch<T, Arch>;
#if defined(__AVX512F__)
    if constexpr (sizeof(B) == 64 && std::same_as<T, float>)
      return B(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), from));
    else if constexpr (sizeof(B) == 64 && std::same_as<T, double>)
      return B(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1u), from));
    else
#endif
#if defined(__AVX2__)
        if constexpr (sizeof(B) == 32 && std::same_as<T, float>)
      return B(_mm256_maskload_ps(from, detail::first_lanes(n)));
    else
#endif
    {
      alignas(B) T lanes[width<T, Arch>] = {};
      std::memcpy(lanes, from, n * sizeof(T));
      return B::load_aligned(lanes);
    }
  }
}

/// Stores the first `n` lanes.
template <class Arch, class T>
void store_partial(T* to, batch<T, Arch> v, std::size_t n) noexcept {
  if constexpr (std::same_as<Arch, scalar>) {
    if (n) *to = v;
  } else {
    using B = batch<T, Arch>;
#if defined(__AVX512F__)
    if constexpr (sizeof(B) == 64 && std::same_as<T, float>)
      _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1u), v);
    else if constexpr (sizeof(B) == 64 && std::same_as<T, double>)
      _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << n) - 1u), v);
    else
#endif
#if defined(__AVX2__)
        if constexpr (sizeof(B) == 32 && std::same_as<T, float>)
      _mm256_maskstore_ps(to, detail::first_lanes(n), v);
    else
#endif
    {
      alignas(B) T lanes[width<T, Arch>];
      v.store_aligned(lanes);
      std::memcpy(to, lanes, n * sizeof(T));
    }
  }
}

/// The same value, held in a register from here on: without it g++ reads an operand from memory
/// again for each of its uses, and the loads become the limit.
template <class T, class Arch>
[[gnu::always_inline]] inline xsimd::batch<T, Arch> held(xsimd::batch<T, Arch> v) noexcept {
#if defined(__x86_64__)
  asm("" : "+v"(v.data));
#elif defined(__aarch64__)
  asm("" : "+w"(v.data));
#endif
  return v;
}
template <class T>
  requires std::is_arithmetic_v<T>
[[gnu::always_inline]] inline T held(T v) noexcept {
  return v;
}

// Below, floats go to the functions of C: std::fma(float, float, float) is an inline function, and
// without optimisation files with different flags would share it.

/// a * b + c, rounded once wherever the target has a fused instruction. xsimd 8.1's own is a
/// product and a sum on AVX-512, which g++ happens to contract and clang does not.
template <std::floating_point T>
T fma(T a, T b, T c) noexcept {
  if constexpr (std::same_as<T, float>) return ::fmaf(a, b, c);
  return std::fma(a, b, c);
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> fma(xsimd::batch<T, Arch> a, xsimd::batch<T, Arch> b,
                          xsimd::batch<T, Arch> c) noexcept {
  using B [[maybe_unused]] = xsimd::batch<T, Arch>;
#if defined(__AVX512F__)
  if constexpr (sizeof(B) == 64 && std::same_as<T, float>) return B(_mm512_fmadd_ps(a, b, c));
  if constexpr (sizeof(B) == 64 && std::same_as<T, double>) return B(_mm512_fmadd_pd(a, b, c));
#endif
#if defined(__FMA__)
  if constexpr (sizeof(B) == 32 && std::same_as<T, float>) return B(_mm256_fmadd_ps(a, b, c));
  if constexpr (sizeof(B) == 32 && std::same_as<T, double>) return B(_mm256_fmadd_pd(a, b, c));
  if constexpr (sizeof(B) == 16 && std::same_as<T, float>) return B(_mm_fmadd_ps(a, b, c));
  if constexpr (sizeof(B) == 16 && std::same_as<T, double>) return B(_mm_fmadd_pd(a, b, c));
#endif
#if defined(__aarch64__)
  if constexpr (sizeof(B) == 16 && std::same_as<T, float>) return B(vfmaq_f32(c, a, b));
  if constexpr (sizeof(B) == 16 && std::same_as<T, double>) return B(vfmaq_f64(c, a, b));
#endif
  return xsimd::fma(a, b, c);
}

namespace detail {
/// c[0] + x (c[1] + x (c[2] + ...)).
template <class Arch, class T, std::size_t N>
batch<T, Arch> polynomial(const batch<T, Arch>& x, const T (&c)[N]) noexcept {
  auto sum = simd::broadcast<Arch>(c[N - 1]);
  for (std::size_t i = N - 1; i-- > 0;) sum = simd::fma(sum, x, simd::broadcast<Arch>(c[i]));
  return sum;
}
} // namespace detail

/// The sum of the lanes.
template <std::floating_point T>
T reduce_add(T v) noexcept {
  return v;
}
template <std::floating_point T, class Arch>
T reduce_add(const xsimd::batch<T, Arch>& v) noexcept {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

/// a / b, correctly rounded on every target.
template <std::floating_point T>
T divide(T a, T b) noexcept {
  return a / b;
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> divide(const xsimd::batch<T, Arch>& a, const xsimd::batch<T, Arch>& b) noexcept {
#if defined(__aarch64__)
  if constexpr (std::same_as<T, float>) return xsimd::batch<T, Arch>(vdivq_f32(a, b));
#endif
  return a / b;
}

/// Rounded correctly on every target.
template <std::floating_point T>
T sqrt(T x) noexcept {
  if constexpr (std::same_as<T, float>) return ::sqrtf(x);
  return std::sqrt(x);
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> sqrt(const xsimd::batch<T, Arch>& x) noexcept {
#if defined(__aarch64__) // xsimd 8.1 only estimates root and quotient of floats here
  if constexpr (std::same_as<T, float>) return xsimd::batch<T, Arch>(vsqrtq_f32(x));
#endif
  return xsimd::sqrt(x);
}

/// Lane-wise `condition ? yes : no`; the lane that is not chosen may hold anything, NaN too.
template <std::floating_point T>
T select(bool condition, T yes, T no) noexcept {
  return condition ? yes : no;
}
template <std::floating_point T, class Arch>
xsimd::batch<T, Arch> select(const xsimd::batch_bool<T, Arch>& condition, const xsimd::batch<T, Arch>& yes,
                             const xsimd::batch<T, Arch>& no) noexcept {
  return xsimd::select(condition, yes, no);
}

/// max(v, 0), and NaN for NaN.
template <class T>
  requires std::is_arithmetic_v<T>
T positive_part(T v) noexcept {
  return v < T(0) ? T(0) : v;
}
template <class T, class Arch>
xsimd::batch<T, Arch> positive_part(const xsimd::batch<T, Arch>& v) noexcept {
  using B = xsimd::batch<T, Arch>;
  // x86's maximum of a zero and a NaN is the second operand; xsimd puts them either way round.
  [[maybe_unused]] const B zero(T(0));
#if defined(__AVX512F__)
  if constexpr (sizeof(B) == 64 && std::same_as<T, float>) return B(_mm512_max_ps(zero, v));
  if constexpr (sizeof(B) == 64 && std::same_as<T, double>) return B(_mm512_max_pd(zero, v));
#endif
#if defined(__AVX__)
  if constexpr (sizeof(B) == 32 && std::same_as<T, float>) return B(_mm256_max_ps(zero, v));
  if constexpr (sizeof(B) == 32 && std::same_as<T, double>) return B(_mm256_max_pd(zero, v));
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(B) == 16 && std::same_as<T, float>) return B(_mm_max_ps(zero, v));
  if constexpr (sizeof(B) == 16 && std::same_as<T, double>) return B(_mm_max_pd(zero, v));
#endif
  return xsimd::select(v < zero, zero, v);
}

/// How many lanes of a batch count: all of them, known at compile time, or the first `count`.
struct all_lanes {};
struct some_lanes {
  std::size_t count;
};

template <class Arch, class T>
batch<T, Arch> load_lanes(const T* from, all_lanes) noexcept {
  return simd::load<Arch>(from);
}
template <class Arch, class T>
batch<T, Arch> load_lanes(const T* from, some_lanes part) noexcept {
  return simd::load_partial<Arch>(from, part.count);
}
template <class Arch, class T>
void store_lanes(T* to, batch<T, Arch> v, all_lanes) noexcept {
  simd::store<Arch, T>(to, v);
}
template <class Arch, class T>
void store_lanes(T* to, batch<T, Arch> v, some_lanes part) noexcept {
  simd::store_partial<Arch, T>(to, v, part.count);
}

/// A size that the compiler knows.
template <std::size_t N>
using size_constant = std::integral_constant<std::size_t, N>;

/// `v` with the lanes that do not count set to zero.
template <class B>
B kept(const B& v, all_lanes) noexcept {
  return v;
}
template <class T, class Arch>
xsimd::batch<T, Arch> kept(const xsimd::batch<T, Arch>& v, some_lanes part) noexcept {
  alignas(xsimd::batch<T, Arch>) T lanes[width<T, Arch>];
  v.store_aligned(lanes);
  return simd::load_partial<Arch>(static_cast<const T*>(lanes), part.count);
}
template <std::floating_point T>
T kept(T v, some_lanes part) noexcept {
  return part.count ? v : T{};
}

/// Calls `f(offset, lanes)` over a range: whole batches, then the tail. `f` reads and writes with
/// `load_lanes` and `store_lanes`.
template <class Arch, class T, class F>
void for_each_batch(std::size_t n, F&& f) {
  constexpr std::size_t w = width<T, Arch>;
  std::size_t i = 0;
  for (; i + w <= n; i += w) f(i, all_lanes{});
  if (i < n) f(i, some_lanes{n - i});
}

} // namespace privet::simd::inline PRIVET_ISA
