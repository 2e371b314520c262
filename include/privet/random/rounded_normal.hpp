#pragma once
// Gaussian noise on a grid: floor(2^20 x) of a standard normal x, by integers only.

#include <privet/core/random_source.hpp>
#include <privet/core/wipe.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/normal.hpp>
#include <privet/simd/rounded_normal.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace privet {

/// The grid of `fill_rounded_normal`, and how far its law is from the true one at most, in total
/// variation and for each number.
inline constexpr double rounded_normal_scale = 0x1p20;
inline constexpr double rounded_normal_distance = 0x1p-110;

namespace detail {

/// What the body of the rounded normal leaves, the residual, drawn by rejection. With f the density of |x|
/// and c that of the body, both known to 2^-116: a cell by the bound m of f - c in it, a point of the cell,
/// and the point stays with probability (f - c) / m. docs/random/rounded_normal.md
template <class Arch>
class rounded_normal_residual {
  using uint128 = simd::detail::rounded_gaussian::uint128;
  static constexpr std::uint32_t tail = simd::detail::rounded_gaussian::residual; // the first cell of it
  static constexpr std::uint32_t cells = 13 << 8;                                 // up to |x| = 13
  static constexpr int coin_bits = 22;

 public:
  static const rounded_normal_residual& instance() noexcept {
    static const rounded_normal_residual residual;
    return residual;
  }

  /// A magnitude. Five words for each attempt, 1.6 on average, and two more for one in the tail.
  template <RandomSource Source>
  std::int32_t draw(Source& source) const {
    std::uint32_t words[5];
    [[maybe_unused]] const wiped_at_exit<std::uint32_t> guard(
        std::span<std::uint32_t>(words, SecretRandomSource<Source> ? 5 : 0));
    for (;;) {
      source.fill(words);
      const auto [threshold, alias] = column(words[0] >> coin_bits);
      const bool own = (words[0] & ((1u << coin_bits) - 1)) < threshold;
      std::uint32_t cell = own ? words[0] >> coin_bits : alias;
      if (cell == tail) {
        std::uint64_t left = uniform_below(source, bound_of_tail());
        while (cell < cells && left >= bound_of(cell)) left -= bound_of(cell++);
        if (cell == cells) continue;
      }
      const std::uint64_t place = words[1] | std::uint64_t{words[2]} << 32,
                          height = words[3] | std::uint64_t{words[4]} << 32;
      const auto decided = stays(cell, place, height);
      if (decided ? *decided : stays_exactly(cell, place, height, draw64(source)))
        return static_cast<std::int32_t>(cell << 12 | static_cast<std::uint32_t>(place >> 52));
    }
  }

  /// f - c at a point of a cell, in units of 2^-64, to within `slack` of them.
  std::int64_t height_of(std::uint32_t cell, std::uint64_t place) const noexcept {
    // With d = place / 2^72 and y = d h / 256 + d^2 / 2 < 1/16, in units of 2^-68:
    // f(h / 256 + d) = f(h / 256) exp(-y), and exp(-y) = 1 - y (1 - y / 2 + y^2 / 6 - ...).
    const std::uint64_t y =
        static_cast<std::uint64_t>((uint128{place} * cell) >> 12) + (high(place, place) >> 13);
    constexpr std::uint64_t c[] = {~std::uint64_t{0},  0x8000000000000000, 0x2AAAAAAAAAAAAAAA,
                                   0x0AAAAAAAAAAAAAAA, 0x0222222222222222, 0x005B05B05B05B05B,
                                   0x000D00D00D00D00D, 0x0001A01A01A01A01, 0x00002E3BC74AAD8E};
    std::uint64_t sum = c[8];
    for (std::size_t k = 8; k-- > 0;) sum = c[k] - (high(y, sum) >> 4);
    const std::uint64_t fall = high(density_[cell], high(y, sum)) >> 4;
    return static_cast<std::int64_t>(density_[cell] - body_in(cell) - fall);
  }
  static constexpr std::int64_t slack = 16;

  /// Whether U m < f - c at the middle of a step of 2^-72, for a uniform U of which `height` is the
  /// first 64 bits; nothing if these do not decide it, once in 2^48.
  std::optional<bool> stays(std::uint32_t cell, std::uint64_t place, std::uint64_t height) const noexcept {
    const auto rough = static_cast<std::int64_t>(high(height, bound_of(cell))), at = height_of(cell, place);
    if (rough + slack < at) return true;
    if (rough > at + slack) return false;
    return std::nullopt;
  }

  /// The same by 128 bits of U, in units of 2^-128.
  bool stays_exactly(std::uint32_t cell, std::uint64_t place, std::uint64_t height,
                     std::uint64_t more) const noexcept {
    const uint128 x = (uint128{cell} << 65) + (uint128{place} << 1) + 1, body = uint128{body_in(cell)} << 64,
                  f = simd::detail::rounded_gaussian::folded_density(x);
    const std::uint64_t bound = bound_of(cell);
    return f > body && uint128{height} * bound + high(more, bound) < f - body;
  }

  /// The bound m of a cell, and that of all cells of the tail together, in units of 2^-64.
  std::uint64_t bound_of(std::uint32_t cell) const noexcept {
    return cell < tail ? weight(cell) * unit_ : density_[cell] + 2;
  }
  std::uint64_t bound_of_tail() const noexcept { return weight(tail) * unit_; }
  /// The alias table: weights of 2^-32, threshold and alias of a column.
  std::uint64_t weight(std::uint32_t cell) const noexcept { return weights_[cell]; }
  std::pair<std::uint32_t, std::uint32_t> column(std::uint32_t number) const noexcept {
    return {static_cast<std::uint32_t>(entries_[number] >> 32), static_cast<std::uint32_t>(entries_[number])};
  }

 private:
  static std::uint64_t high(std::uint64_t a, std::uint64_t b) noexcept {
    return static_cast<std::uint64_t>((uint128{a} * b) >> 64);
  }
  std::uint64_t body_in(std::uint32_t cell) const noexcept {
    return cell < tail ? simd::detail::rounded_gaussian::body_density(density_[cell + 1]) : 0;
  }

  rounded_normal_residual() noexcept {
    for (std::uint32_t h = 0; h < cells; ++h)
      density_[h] = simd::detail::rounded_gaussian::density_at_cell(h);
    std::array<std::uint64_t, tail + 1> bound{};
    for (std::uint32_t h = 0; h < tail; ++h) bound[h] = density_[h] + 2 - body_in(h);
    for (std::uint32_t h = tail; h < cells; ++h) bound[tail] += bound_of(h);
    uint128 total = 0;
    for (const auto b : bound) total += b;
    constexpr std::uint64_t all = std::uint64_t{1} << 32;
    unit_ = static_cast<std::uint64_t>(total / (all - (tail + 1))) + 1;
    std::uint64_t left = all;
    for (std::uint32_t h = 0; h <= tail; ++h) {
      weights_[h] = static_cast<std::uint32_t>(bound[h] / unit_ + 1);
      left -= weights_[h];
    }
    weights_[tail] += static_cast<std::uint32_t>(left);
    const simd::detail::rounded_gaussian::alias_table<tail + 1> table(weights_, 1u << coin_bits);
    for (std::uint32_t h = 0; h <= tail; ++h)
      entries_[h] = std::uint64_t{table.threshold[h]} << 32 | table.alias[h];
  }

  std::array<std::uint64_t, tail + 1> entries_;
  std::array<std::uint32_t, tail + 1> weights_;
  std::array<std::uint64_t, cells> density_;
  std::uint64_t unit_ = 0;
};

} // namespace detail

/// Fills `out` with independent draws of K = floor(2^20 x), x a standard normal:
/// P(K = k) = Phi((k + 1) / 2^20) - Phi(k / 2^20), so that (K + 1/2) / 2^20 has mean 0. Integer arithmetic
/// only.
///
/// Ensures   |K| <= 13 * 2^20; the law of each number is within `rounded_normal_distance` of the true one
///           in total variation; the same words give the same integers on every target and `Arch`
/// Cost      one word per number, drawn for up to 4096 numbers at once; then for one number in 384,
///           in order, eight more on average. So a fill in pieces equals one fill only when all pieces
///           but the last hold a multiple of 4096.
/// Errors    whatever the source throws; `out` is then unspecified
/// Privacy   nothing here rounds a floating-point number, so none of its low bits can tell the input
///           (Mironov, CCS 2012), if the value is rounded to the same grid before the noise is added.
///           Add d times the distance to delta for d numbers. The table look-ups depend on the noise:
///           8 KiB in the first cache for nearly all numbers, 60 KiB for one in 384, whose number and
///           places the running time shows.
/// Source    docs/random/rounded_normal.md; Walker's alias method (1977) with Vose's construction (1991)
/// Test      tests/random/rounded_normal.test.cpp
template <class Arch = simd::default_arch, RandomSource Source>
void fill_rounded_normal(Source& source, std::span<std::int32_t> out) {
  constexpr std::size_t chunk = 4096;
  std::array<std::uint16_t, chunk> late;
  while (!out.empty()) {
    const auto now = out.first(std::min(out.size(), chunk));
    // The words are drawn where the numbers go.
    source.fill(std::span(reinterpret_cast<std::uint32_t*>(now.data()), now.size()));
    const std::size_t count = simd::rounded_normals<Arch>(now, late);
    [[maybe_unused]] const detail::wiped_at_exit<std::uint16_t> guard(
        std::span<std::uint16_t>(late).first(SecretRandomSource<Source> ? count : 0));
    for (std::size_t i = 0; i < count; ++i) {
      std::int32_t& k = now[late[i]];
      const std::int32_t magnitude = detail::rounded_normal_residual<Arch>::instance().draw(source);
      k = k < 0 ? ~magnitude : magnitude;
    }
    out = out.subspan(now.size());
  }
}

} // namespace privet
