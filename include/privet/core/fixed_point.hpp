#pragma once
// Sums that do not depend on order: numbers become integers first. Plain and sealed sums use the
// same encoding, so they agree to the bit.

#include <privet/core/error.hpp>
#include <privet/core/result.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

__extension__ typedef __int128 int128;

/// x as the integer nearest to x 2^fraction_bits (ties to even).
///
/// Range     |x| < 2^(62 - fraction_bits); a sum of fewer than 2^64 encoded numbers fits int128
/// Accuracy  each number is off by at most 2^-(fraction_bits + 1)
struct fixed_point {
  int fraction_bits = 40;

  double limit() const noexcept { return std::ldexp(1.0, 62 - fraction_bits); }
  bool holds(double x) const noexcept { return std::abs(x) < limit(); } // false for NaN
  /// Precondition: `holds(x)`.
  std::int64_t encode(double x) const noexcept { return std::llrint(std::ldexp(x, fraction_bits)); }
  double decode(int128 sum) const noexcept { return std::ldexp(static_cast<double>(sum), -fraction_bits); }
};

/// A vector of exact sums: adding in any order, on any thread, gives the same bits.
class fixed_sum {
 public:
  explicit fixed_sum(std::size_t size, fixed_point encoding = {}) : encoding_(encoding), sums_(size) {}

  std::size_t size() const noexcept { return sums_.size(); }
  void reset() { sums_.assign(sums_.size(), 0); }

  /// Adds a vector, all of it or nothing. Errors: N003 another length, N008 a number out of range,
  /// NaN and infinity among them.
  template <class T>
  status add(std::span<const T> values) {
    if (values.size() != sums_.size())
      return error::of(fault::shape, "fixed-point sum of ", sums_.size(), " numbers: got ", values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!encoding_.holds(values[i]))
        return error::of(fault::range, "fixed-point sum: number ", i, " is ", values[i], ", the encoding holds less than ",
                         encoding_.limit(), " in magnitude");
    const double scale = std::ldexp(1.0, encoding_.fraction_bits);
    for (std::size_t i = 0; i < values.size(); ++i) sums_[i] += std::llrint(static_cast<double>(values[i]) * scale);
    return nothing{};
  }

  double operator[](std::size_t i) const noexcept { return encoding_.decode(sums_[i]); }

 private:
  fixed_point encoding_;
  std::vector<int128> sums_;
};

} // namespace privet
