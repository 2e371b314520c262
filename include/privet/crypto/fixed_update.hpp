#pragma once
// Updates as integers, by one rule for plain and encrypted sums, so that they agree to the bit.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/core/result.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/secret_memory.hpp>
#include <privet/crypto/words.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// What a client counts for in an average: two public whole numbers, their quotient rounded once.
struct example_weight {
  std::uint64_t examples = 1; ///< of this client
  std::uint64_t all = 1;      ///< of all clients of the round

  /// Errors: N001 unless 0 < examples <= all.
  double value() const {
    require(examples > 0 && examples <= all, fault::argument, "example weight: ", examples, " examples of ",
            all, ", expected at least 1 and at most all");
    return static_cast<double>(examples) / static_cast<double>(all);
  }
};

/// The integer nearest to a number, ties to even, as `fixed_point` has it.
struct round_to_nearest {};

/// Up with the probability of the fraction, so that the mean stays to 2^-32 of a step: one word for each
/// number, which need be secret only where the rounding is part of a privacy argument.
template <RandomSource Source>
struct round_at_random {
  Source& source;
};
template <class Source>
round_at_random(Source&) -> round_at_random<Source>;

namespace detail {

inline constexpr double to_integer = 0x1.8p52; // doubles around it are the integers, for |x| <= 2^51

/// Errors that a run of numbers holds, counted.
struct fixed_faults {
  std::int64_t clipped = 0, refused = 0;
};

/// The rule for a run of numbers, without a branch that depends on one.
template <class Arch, bool Random>
fixed_faults fixed_run(const packing& how, double weight, std::span<const float> x,
                       [[maybe_unused]] const std::uint32_t* words, std::int64_t* out) noexcept {
  // A compiler that knows the limits, or sees a choice of two numbers, may branch.
  const auto unknown = [](double limit) {
    return std::bit_cast<double>(opaque(std::bit_cast<std::uint64_t>(limit)));
  };
  const double scale = std::ldexp(1.0, how.fraction_bits), most = unknown(static_cast<double>(how.most())),
               refused = unknown(packing::huge * how.range * scale);
  fixed_faults found;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float scaled = static_cast<float>(weight * static_cast<double>(x[i]));
    const double steps = static_cast<double>(scaled) * scale, size = std::abs(steps);
    found.refused += !(size < refused);
    found.clipped += size > most;
    const double above = steps < most ? steps : most, y = above > -most ? above : -most;
    const double nearest = (y + to_integer) - to_integer;
    if constexpr (Random) {
      const auto over = static_cast<std::int64_t>(opaque(nearest > y));
      const double low = nearest - static_cast<double>(over);
      const auto up = static_cast<std::int64_t>(opaque(static_cast<double>(words[i]) < (y - low) * 0x1p32));
      out[i] = std::bit_cast<std::int64_t>(low + to_integer) - std::bit_cast<std::int64_t>(to_integer) + up;
    } else {
      out[i] = std::bit_cast<std::int64_t>(y + to_integer) - std::bit_cast<std::int64_t>(to_integer);
    }
  }
  return found;
}
template <class Arch>
fixed_faults fixed_run(const packing& how, double weight, std::span<const float> x, round_to_nearest,
                       std::int64_t* out) noexcept {
  return fixed_run<Arch, false>(how, weight, x, nullptr, out);
}
template <class Arch, class Source>
fixed_faults fixed_run(const packing& how, double weight, std::span<const float> x,
                       round_at_random<Source> rounding, std::int64_t* out) {
  fixed_faults all;
  constexpr std::size_t chunk = 256;
  secret_array<std::uint32_t, chunk> words;
  for (std::size_t i = 0; i < x.size(); i += chunk) {
    const auto piece = x.subspan(i, std::min(chunk, x.size() - i));
    rounding.source.fill(words.all().first(piece.size()));
    const auto found = fixed_run<Arch, true>(how, weight, piece, words.get().data(), out + i);
    all.clipped += found.clipped, all.refused += found.refused;
  }
  return all;
}

/// The sentence about the first number that is refused; there is one.
inline error refused_number(const packing& how, double weight, std::span<const float> x, std::size_t first) {
  std::size_t i = 0;
  const double limit = packing::huge * how.range;
  while (std::abs(static_cast<double>(static_cast<float>(weight * static_cast<double>(x[i])))) < limit) ++i;
  return error::of(fault::range, "fixed-point update: number ", first + i, " is ", x[i],
                   weight < 1 ? concat(" times ", weight) : "", ", the range is ", how.range,
                   " and a number beyond ", limit, " is not clipped but refused");
}

inline void check_rule(const packing& how) {
  how.check();
  require(how.most() <= std::int64_t{1} << 51, fault::argument, "packing: a range of ", how.range, " at ",
          how.fraction_bits, " fraction bits is too wide for floats, expected at most 2^51 steps");
}

} // namespace detail

/// A client's update as integers: what plain sums add, and what slots carry.
///
/// Formula   s = float(weight x): the number that a client sends where nothing is encrypted;
///           q = clip(s 2^fraction_bits, -most, most), rounded
/// Requires  out as long as x; how.range 2^fraction_bits at most 2^51
/// Ensures   on every target the same; equal to `fixed_point{fraction_bits}.encode(s)` where nothing is clipped
///           and rounding is to nearest. Returns how many were clipped
/// Errors    N008 naming the first that is NaN, infinite or beyond 1024 ranges; `out` is then zero. N003, N001
///           thrown
/// Cost      one pass without branches on numbers; random rounding draws a word for each
/// Test      tests/crypto/fixed_update.test.cpp
template <class Arch = simd::default_arch, class Rounding = round_to_nearest>
result<std::size_t> to_fixed_update(const packing& how, example_weight weight, std::span<const float> x,
                                    std::span<std::int64_t> out, Rounding rounding = {}) {
  detail::check_rule(how);
  require(out.size() == x.size(), fault::shape, "fixed-point update of ", x.size(), " numbers: room for ",
          out.size());
  const double w = weight.value();
  detail::wiped_at_exit<std::int64_t> guard(out);
  const auto found = detail::fixed_run<Arch>(how, w, x, rounding, out.data());
  if (found.refused != 0) return detail::refused_number(how, w, x, 0);
  guard.keep();
  return static_cast<std::size_t>(found.clipped);
}

/// Sums of such integers as numbers: exact in double up to 2^53 steps, then rounded once.
template <class Arch = simd::default_arch, std::floating_point T>
void from_fixed_update(const packing& how, std::span<const std::int64_t> sums, std::span<T> out) {
  require(out.size() == sums.size(), fault::shape, "fixed-point update of ", sums.size(),
          " numbers: room for ", out.size());
  const double step = how.step();
  for (std::size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<T>(static_cast<double>(sums[i]) * step);
}

} // namespace privet
