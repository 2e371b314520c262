#pragma once
// The coins of local randomisers: their probabilities are fractions of 2^64 that are rounded to the side
// on which the claimed epsilon holds.

#include <privet/core/error.hpp>
#include <privet/core/random_source.hpp>
#include <privet/random/distributions.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace privet {

/// A coin that shows 1 with probability `threshold` / 2^64, exactly.
struct private_coin {
  std::uint64_t threshold = 0;

  /// At most p, by less than p 2^-47 + 2^-64.   The rounding of p itself, up to 2^-48 p, is allowed for.
  static private_coin at_most(double p) noexcept {
    return {static_cast<std::uint64_t>(std::clamp(p * (1 - 0x1p-48), 0.0, 1 - 0x1p-53) * 0x1p64)};
  }
  /// At least p, by less than p 2^-47 + 2^-63.
  static private_coin at_least(double p) noexcept {
    return {static_cast<std::uint64_t>(std::clamp(p * (1 + 0x1p-48), 0.0, 1 - 0x1p-53) * 0x1p64) + 1};
  }

  double probability() const noexcept { return static_cast<double>(threshold) * 0x1p-64; }

  /// 1 or 0 for a uniform word, without a branch.
  std::uint32_t shows(std::uint64_t word) const noexcept { return word < threshold; }
};

namespace detail {

/// The door of every local randomiser.
template <class Source>
constexpr void check_secret_coins() noexcept {
  static_assert(SecretRandomSource<Source>,
                "[P003 replayable-local-randomiser] whoever can replay these coins reads the answer: draw "
                "from a system_random. docs/errors/P003.md");
}

/// epsilon as the local randomisers take it. Throws N001 for any other.
inline double checked_epsilon(std::string_view who, double epsilon) {
  require(epsilon > 0 && epsilon <= 32, fault::argument, who, ": epsilon ", epsilon,
          ", expected 0 < epsilon <= 32");
  return epsilon;
}

/// `yes` if `coin` is 1, `no` if it is 0, without a branch.
constexpr std::uint32_t choose(std::uint32_t coin, std::uint32_t yes, std::uint32_t no) noexcept {
  return no ^ ((yes ^ no) & (0 - coin));
}

/// The number, counted from 0, of the x-th value when `without` is left out.
constexpr std::uint32_t skip(std::uint32_t x, std::uint32_t without) noexcept { return x + (x >= without); }

} // namespace detail

} // namespace privet
