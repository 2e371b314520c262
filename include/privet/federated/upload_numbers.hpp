#pragma once
// What the encodings of uploads share: who encodes, and how numbers become levels.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>
#include <privet/federated/encoded_update.hpp>
#include <privet/random/replayable.hpp>
#include <privet/simd/quantise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// Whose update is encoded: names the public coins.
struct upload_context {
  std::uint64_t seed = 0;
  std::uint64_t round = 0;
  std::uint32_t client = 0;
};

namespace detail {

inline void check_bits(std::string_view name, unsigned bits) {
  require(encoded_numbers::knows(bits), fault::argument, name, ": ", bits,
          " bits a number, expected 32, 8, 4 or 1");
}

/// Of a stage that keeps part of the numbers.
inline void check_part(std::string_view name, double fraction, std::size_t count) {
  require(count > 0 || (fraction > 0 && fraction <= 1), fault::argument, name, ": fraction ", fraction,
          ", expected 0 < fraction <= 1, or a count");
}
inline std::size_t part_of(std::size_t n, double fraction, std::size_t count) noexcept {
  if (count > 0) return std::min(count, n);
  return std::clamp<std::size_t>(static_cast<std::size_t>(fraction * static_cast<double>(n) + 0.5), 1, n);
}

/// Errors    N008 for a number that is not finite, N003 for none or too many
inline status check_upload(std::span<const float> x) {
  if (x.empty() || x.size() > std::numeric_limits<std::uint32_t>::max())
    return error::of(fault::shape, "upload: ", x.size(), " numbers, expected 1 to 2^32 - 1");
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i])) return error::of(fault::range, "upload: number ", i, " is ", x[i]);
  return nothing{};
}

/// f(first, numbers) block by block, and adds what f returns to the scales.
template <class F>
status for_each_block(std::span<const float> x, encoded_numbers& out, F&& f) {
  const std::size_t length = out.block == 0 ? x.size() : out.block;
  out.levels.resize(x.size());
  for (std::size_t first = 0; first < x.size(); first += length) {
    const auto part = x.subspan(first, std::min(length, x.size() - first));
    const float scale = f(first, part);
    if (!(scale <= 0x1p64f))
      return error::of(fault::range, "upload: numbers from ", first, " on have the scale ", scale,
                       ", beyond 2^64");
    out.scales.push_back(scale);
  }
  return nothing{};
}

inline float largest(std::span<const float> x) noexcept {
  float most = 0;
  for (const float v : x) most = std::max(most, std::abs(v));
  return most;
}

/// The numbers of an encoded vector from floats: as they are, or as levels, rounded at random so that the
/// expectation stays.
template <class Arch>
status put_rounded(std::span<const float> x, unsigned bits, std::uint16_t block, const upload_context& who,
                   encoded_numbers& out) {
  out.bits = bits;
  if (bits == 32) {
    out.values.assign(x.begin(), x.end());
    return nothing{};
  }
  out.block = block;
  std::vector<std::uint32_t> words(x.size());
  replayable_random(who.seed, stream_id(purpose::upload_rounding, who.round, who.client)).fill(words);
  return for_each_block(x, out, [&](std::size_t first, std::span<const float> part) {
    const float bound = largest(part);
    const auto coins = std::span<const std::uint32_t>(words).subspan(first, part.size());
    const auto levels = std::span(out.levels).subspan(first, part.size());
    if (bits == 1) { // up with the probability (1 + x / bound) / 2
      for (std::size_t i = 0; i < part.size(); ++i) {
        const double up = bound > 0 ? 0.5 + 0.5 * (static_cast<double>(part[i]) / bound) : 0.5;
        levels[i] = static_cast<double>(coins[i]) < up * 0x1p32 ? 1 : -1;
      }
    } else if (bound >= 0x1p-64f && bound <= 0x1p64f) {
      simd::quantise<Arch>(part, {bound, encoded_numbers::most_of(bits)}, coins, levels);
    } else if (bound < 0x1p-64f) {
      return 0.0F; // levels are zero
    }
    return bound;
  });
}

} // namespace detail

} // namespace privet
