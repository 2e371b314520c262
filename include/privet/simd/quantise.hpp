#pragma once
// Floats to small integers and back, rounded at random so that the expectation stays, or to the
// nearest. The same words give the same integers on every target: docs/simd/quantise.md.

#include <privet/simd/arch.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// The integers q from -most to most stand for q bound / most: 2 most + 1 levels, zero one of them.
///
/// Requires  2^-64 <= bound <= 2^64, 1 <= most <= 2^24
struct quantise_grid {
  float bound = 1;
  std::int32_t most = 127;

  /// The widest that integers of so many bits hold, 2 to 25.
  static constexpr quantise_grid of_bits(int bits, float bound) noexcept {
    return {bound, (1 << (bits - 1)) - 1};
  }
  constexpr float step() const noexcept { return bound / static_cast<float>(most); }
  constexpr float per_unit() const noexcept { return static_cast<float>(most) / bound; }
};

namespace detail::quantiser {

inline constexpr std::int32_t infinity = 0x7F800000, no_sign = 0x7FFFFFFF;

/// The integer for x: rounded away from zero if the upper 31 bits of the word are below the fraction.
/// One product is rounded; all that follows is exact, so every target gives the same.
inline std::int32_t one(float x, quantise_grid grid, std::uint32_t word) noexcept {
  const auto bits = std::bit_cast<std::int32_t>(x), size = bits & no_sign;
  const float steps = std::bit_cast<float>(size > infinity ? 0 : size) * grid.per_unit();
  const auto most = static_cast<float>(grid.most);
  const auto fixed = static_cast<std::int64_t>((steps < most ? steps : most) * 0x1p31f);
  const auto whole = static_cast<std::int32_t>(fixed >> 31),
             fraction = static_cast<std::int32_t>(fixed & no_sign),
             q = whole + (static_cast<std::int32_t>(word >> 1) < fraction);
  return bits != size ? -q : q;
}
inline bool is_outside(float x, quantise_grid grid) noexcept {
  return (std::bit_cast<std::int32_t>(x) & no_sign) > std::bit_cast<std::int32_t>(grid.bound);
}

/// Words that round to the nearest, halves away from zero: half of all words are below them.
struct middle {
  static constexpr std::uint32_t word = 0x7FFFFFFE;
  static std::uint32_t at(std::size_t) noexcept { return word; }
  template <class Arch>
  static batch<std::uint32_t, Arch> batch_at(std::size_t) noexcept {
    return simd::broadcast<Arch>(word);
  }
};
struct drawn {
  const std::uint32_t* words;
  std::uint32_t at(std::size_t i) const noexcept { return words[i]; }
  template <class Arch>
  batch<std::uint32_t, Arch> batch_at(std::size_t i) const noexcept {
    return simd::load<Arch>(words + i);
  }
};

/// As `one`, lane by lane.
template <class Arch>
class lanes {
  using integers = batch<std::int32_t, Arch>;
  using words = batch<std::uint32_t, Arch>;
  using floats = batch<float, Arch>;

 public:
  explicit lanes(quantise_grid grid) noexcept
      : per_unit_(grid.per_unit()),
        most_(static_cast<float>(grid.most)),
        bound_(std::bit_cast<std::int32_t>(grid.bound)) {}

  integers operator()(floats x, words word) noexcept {
    const integers bits = std::bit_cast<integers>(x), size = bits & integers(no_sign);
    outside_ = outside_ - below(bound_, size);
    const integers number = size & ~below(integers(infinity), size);
    // Held, so that no compiler fuses the product with the difference below and spares its rounding.
    const floats steps = simd::held(xsimd::min(floats(std::bit_cast<floats>(number) * per_unit_), most_));
    const integers whole = xsimd::to_int(steps);
    const integers fraction = xsimd::to_int(floats(floats(steps - xsimd::to_float(whole)) * floats(0x1p31f)));
    const integers q = whole - below(std::bit_cast<integers>(words(word >> 1)), fraction), sign = bits >> 31;
    return (q ^ sign) - sign;
  }
  std::size_t outside() const noexcept {
    std::int32_t counts[width<std::int32_t, Arch>];
    simd::store<Arch, std::int32_t>(counts, outside_);
    std::size_t sum = 0;
    for (const auto n : counts) sum += static_cast<std::uint32_t>(n);
    return sum;
  }

 private:
  /// -1 where a < b, otherwise 0. None is negative, so the difference fits.
  static integers below(integers a, integers b) noexcept { return integers(a - b) >> 31; }

  floats per_unit_, most_;
  integers bound_, outside_ = integers(0);
};

/// Numbers that are narrowed together, by a loop of known length that compilers turn into vectors.
inline constexpr std::size_t block = 64;

template <class Arch, class Int, class Words>
std::size_t run(std::span<const float> x, quantise_grid grid, Words words, std::span<Int> out) noexcept {
  static_assert(std::signed_integral<Int> && sizeof(Int) <= 4);
  std::size_t outside = 0, i = 0;
  if constexpr (!std::same_as<Arch, scalar>) {
    lanes<Arch> rounded(grid);
    for (; i + block <= x.size(); i += block) {
      alignas(64) std::int32_t wide[block];
      for (std::size_t j = 0; j < block; j += width<float, Arch>)
        simd::store<Arch, std::int32_t>(
            wide + j, rounded(simd::load<Arch>(x.data() + i + j), words.template batch_at<Arch>(i + j)));
      Int* const to = out.data() + i;
      for (std::size_t j = 0; j < block; ++j) to[j] = static_cast<Int>(wide[j]);
    }
    outside = rounded.outside();
  }
  for (; i < x.size(); ++i) {
    out[i] = static_cast<Int>(one(x[i], grid, words.at(i)));
    outside += is_outside(x[i], grid);
  }
  return outside;
}

} // namespace detail::quantiser

/// Rounds at random: |x| most / bound goes up with the probability of its fraction, down otherwise.
/// What lies beyond the bound becomes `most` with its sign, NaN becomes 0; returns how many did.
///
/// Requires  words and out as long as x; grid.most fits into Int; words uniform, one for each number
/// Ensures   |E[dequantised] - x| <= 2^-22 |x| + 2^-31 step within the bound
template <class Arch = default_arch, class Int>
std::size_t quantise(std::span<const float> x, quantise_grid grid, std::span<const std::uint32_t> words,
                     std::span<Int> out) noexcept {
  return detail::quantiser::run<Arch>(x, grid, detail::quantiser::drawn{words.data()}, out);
}

/// Rounds to the nearest integer, halves away from zero; the rest as above.
template <class Arch = default_arch, class Int>
std::size_t quantise(std::span<const float> x, quantise_grid grid, std::span<Int> out) noexcept {
  return detail::quantiser::run<Arch>(x, grid, detail::quantiser::middle{}, out);
}

/// Scalar reference of one number.
inline std::int32_t quantise_reference(float x, quantise_grid grid, std::uint32_t word) noexcept {
  return detail::quantiser::one(x, grid, word);
}

/// out = q step. Sums of integers may be given as well as single ones.
template <class Arch = default_arch, class Int>
void dequantise(std::span<const Int> q, quantise_grid grid, std::span<float> out) noexcept {
  static_assert(std::signed_integral<Int> && sizeof(Int) <= 4);
  const float step = grid.step();
  constexpr std::size_t block = detail::quantiser::block;
  const Int* from = q.data();
  float* to = out.data();
  std::size_t left = q.size();
  for (; left >= block; left -= block, from += block, to += block)
    for (std::size_t i = 0; i < block; ++i) to[i] = static_cast<float>(from[i]) * step;
  for (std::size_t i = 0; i < left; ++i) to[i] = static_cast<float>(from[i]) * step;
}

} // namespace privet::simd::inline PRIVET_ISA
