#pragma once
// Moving lanes between batches: pairs apart and together again, and sixteen batches turned into
// the blocks their lanes hold. A batch is cut into spans of bytes, a span into units; lanes never
// leave their span, so spans of 16 bytes cost one instruction on every target.

#include <privet/simd/arch.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace privet::simd::inline PRIVET_ISA {

namespace detail {

/// Which lane of `a` followed by `b` comes to `lane`; all counted in lanes.
using lane_map = std::size_t (*)(std::size_t lane, std::size_t lanes, std::size_t unit, std::size_t span);

/// Units 0, 2, 4, ... (or 1, 3, 5, ...) of a span of `a`, then those of `b`.
template <std::size_t Odd>
constexpr std::size_t every_other(std::size_t lane, std::size_t lanes, std::size_t unit, std::size_t span) {
  const std::size_t half = span / unit / 2, at = lane % span / unit;
  const std::size_t from = lane / span * span + (at % half * 2 + Odd) * unit + lane % unit;
  return at < half ? from : lanes + from;
}

/// Units of the lower (or upper) half of a span, one of `a`, one of `b`, in turn.
template <std::size_t Upper>
constexpr std::size_t in_turn(std::size_t lane, std::size_t lanes, std::size_t unit, std::size_t span) {
  const std::size_t half = span / unit / 2, at = lane % span / unit;
  const std::size_t from = lane / span * span + (at / 2 + Upper * half) * unit + lane % unit;
  return at % 2 == 0 ? from : lanes + from;
}

/// The same by way of memory: for other compilers, and what the tests compare with.
template <lane_map Map, class T, std::size_t Unit, std::size_t Span, class B>
B moved_in_memory(const B& a, const B& b) noexcept {
  constexpr std::size_t lanes = sizeof(B) / sizeof(T);
  T from[2 * lanes], to[lanes];
  std::memcpy(from, &a, sizeof a);
  std::memcpy(from + lanes, &b, sizeof b);
  for (std::size_t i = 0; i < lanes; ++i) to[i] = from[Map(i, lanes, Unit / sizeof(T), Span / sizeof(T))];
  B result = a;
  std::memcpy(static_cast<void*>(&result), to, sizeof result);
  return result;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PRIVET_SHUFFLES_REGISTERS
#endif
#endif

#if defined(PRIVET_SHUFFLES_REGISTERS)
template <lane_map Map, class T, std::size_t Unit, std::size_t Span, class B, std::size_t... I>
[[gnu::always_inline]] inline B moved_in_registers(const B& a, const B& b,
                                                   std::index_sequence<I...>) noexcept {
  typedef T native __attribute__((vector_size(sizeof(B))));
  return std::bit_cast<B>(
      __builtin_shufflevector(std::bit_cast<native>(a), std::bit_cast<native>(b),
                              Map(I, sizeof...(I), Unit / sizeof(T), Span / sizeof(T))...));
}
#endif

template <lane_map Map, std::size_t Unit, std::size_t Span, class B>
[[gnu::always_inline]] inline B moved(const B& a, const B& b) noexcept {
  using T = std::conditional_t<Unit % 8 == 0, double, float>; // compilers know more shuffles of these
#if defined(PRIVET_SHUFFLES_REGISTERS)
  return moved_in_registers<Map, T, Unit, Span>(a, b, std::make_index_sequence<sizeof(B) / sizeof(T)>());
#else
  return moved_in_memory<Map, T, Unit, Span>(a, b);
#endif
}

#undef PRIVET_SHUFFLES_REGISTERS

} // namespace detail

/// Two batches of pairs become one of first and one of second halves, within 16 bytes. What is
/// one lane wide stays as it is: `a` is all first halves, `b` all second ones.
template <class T, class Arch>
void unzip_pairs(xsimd::batch<T, Arch>& a, xsimd::batch<T, Arch>& b) noexcept {
  const auto first = detail::moved<detail::every_other<0>, sizeof(T), 16>(a, b);
  b = detail::moved<detail::every_other<1>, sizeof(T), 16>(a, b);
  a = first;
}
template <class T>
  requires std::is_arithmetic_v<T>
void unzip_pairs(T&, T&) noexcept {}

/// The way back.
template <class T, class Arch>
void zip_pairs(xsimd::batch<T, Arch>& a, xsimd::batch<T, Arch>& b) noexcept {
  const auto first = detail::moved<detail::in_turn<0>, sizeof(T), 16>(a, b);
  b = detail::moved<detail::in_turn<1>, sizeof(T), 16>(a, b);
  a = first;
}
template <class T>
  requires std::is_arithmetic_v<T>
void zip_pairs(T&, T&) noexcept {}

/// Lane l of x[i] goes to to[16 l + i].
template <class Arch>
[[gnu::always_inline]] inline void store_blocks(std::uint32_t* to,
                                                const batch<std::uint32_t, Arch> (&x)[16]) noexcept {
  using word = batch<std::uint32_t, Arch>;
  if constexpr (std::same_as<Arch, scalar>) {
    std::memcpy(to, x, sizeof x);
  } else {
    // Four words of four neighbouring blocks are a square within 16 bytes ...
    constexpr std::size_t bytes = sizeof(word), squares = bytes / 16;
    static_assert(bytes % 16 == 0 && squares <= 4 && squares != 3);
    word part[4][4]; // [block within its four][quarter of a block]
    PRIVET_UNROLL for (std::size_t q = 0; q < 4; ++q) {
      const word *a = &x[4 * q], *b = a + 1, *c = a + 2, *d = a + 3;
      const word low_ab = detail::moved<detail::in_turn<0>, 4, 16>(*a, *b),
                 high_ab = detail::moved<detail::in_turn<1>, 4, 16>(*a, *b),
                 low_cd = detail::moved<detail::in_turn<0>, 4, 16>(*c, *d),
                 high_cd = detail::moved<detail::in_turn<1>, 4, 16>(*c, *d);
      part[0][q] = detail::moved<detail::in_turn<0>, 8, 16>(low_ab, low_cd);
      part[1][q] = detail::moved<detail::in_turn<1>, 8, 16>(low_ab, low_cd);
      part[2][q] = detail::moved<detail::in_turn<0>, 8, 16>(high_ab, high_cd);
      part[3][q] = detail::moved<detail::in_turn<1>, 8, 16>(high_ab, high_cd);
    }
    // ... and then the quarters of a block have to meet.
    PRIVET_UNROLL for (std::size_t k = 0; k < 4; ++k) {
      const auto put = [&](std::size_t four, std::size_t at, const word& v) {
        simd::store<Arch, std::uint32_t>(to + (4 * four + k) * 16 + at, v);
      };
      const word* q = part[k];
      if constexpr (squares == 1) {
        for (std::size_t i = 0; i < 4; ++i) put(0, 4 * i, q[i]);
      } else {
        const word even01 = detail::moved<detail::every_other<0>, 16, bytes>(q[0], q[1]),
                   odd01 = detail::moved<detail::every_other<1>, 16, bytes>(q[0], q[1]),
                   even23 = detail::moved<detail::every_other<0>, 16, bytes>(q[2], q[3]),
                   odd23 = detail::moved<detail::every_other<1>, 16, bytes>(q[2], q[3]);
        if constexpr (squares == 2) {
          put(0, 0, even01), put(0, 8, even23), put(1, 0, odd01), put(1, 8, odd23);
        } else {
          put(0, 0, detail::moved<detail::every_other<0>, 16, bytes>(even01, even23));
          put(1, 0, detail::moved<detail::every_other<0>, 16, bytes>(odd01, odd23));
          put(2, 0, detail::moved<detail::every_other<1>, 16, bytes>(even01, even23));
          put(3, 0, detail::moved<detail::every_other<1>, 16, bytes>(odd01, odd23));
        }
      }
    }
  }
}

} // namespace privet::simd::inline PRIVET_ISA
