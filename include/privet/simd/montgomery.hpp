#pragma once
// Which kernel multiplies numbers modulo N for an architecture.

#include <privet/simd/arch.hpp>
#include <privet/simd/montgomery_lanes.hpp>
#include <privet/simd/montgomery_tiles.hpp>

#include <cstddef>
#include <cstdint>

namespace privet::simd::inline PRIVET_ISA {

namespace detail {

/// The kernel for batches of so many words.
template <std::size_t Width>
struct montgomery_for {
  using type = montgomery_tiles<montgomery_words>;
};
#if defined(__AVX512IFMA__)
template <>
struct montgomery_for<8> {
  using type = montgomery_tiles<montgomery_ifma>;
};
#elif defined(__AVX512F__)
template <>
struct montgomery_for<8> {
  using type = montgomery_tiles<montgomery_avx512>;
};
#endif
#if defined(__AVX2__)
template <>
struct montgomery_for<4> {
  using type = montgomery_tiles<montgomery_avx2>;
};
#endif
#if defined(__aarch64__)
template <>
struct montgomery_for<2> {
  using type = montgomery_tiles<montgomery_neon>;
};
#endif

template <class Arch>
struct montgomery_of : montgomery_for<width<std::uint64_t, Arch>> {};
template <class Lanes>
struct montgomery_of<montgomery_tiles<Lanes>> {
  using type = montgomery_tiles<Lanes>;
};

} // namespace detail

/// The kernel of an architecture. A kernel in the place of an architecture is itself.
template <class Arch = default_arch>
using montgomery = typename detail::montgomery_of<Arch>::type;

} // namespace privet::simd::inline PRIVET_ISA
