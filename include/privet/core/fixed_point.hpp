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
/// Range     |x| < 2^whole_bits; a sum of 2^(126 - whole_bits - fraction_bits) numbers fits int128
/// Accuracy  each number is off by at most 2^-(fraction_bits + 1)
struct fixed_point {
  int fraction_bits = 40;
  int whole_bits = 22; ///< up to 62 bits in all are the fast path

  double limit() const noexcept { return std::ldexp(1.0, whole_bits); }
  bool holds(double x) const noexcept { return std::abs(x) < limit(); } // false for NaN
  /// Precondition: `holds(x)`.
  int128 encode(double x) const noexcept {
    return static_cast<int128>(std::rint(std::ldexp(x, fraction_bits)));
  }
  double decode(int128 sum) const noexcept { return std::ldexp(static_cast<double>(sum), -fraction_bits); }
};

/// A vector of exact sums: adding in any order, on any thread, gives the same bits.
class fixed_sum {
 public:
  explicit fixed_sum(std::size_t size, fixed_point encoding = {}) : encoding_(encoding), sums_(size) {}

  std::size_t size() const noexcept { return sums_.size(); }
  const fixed_point& encoding() const noexcept { return encoding_; }
  void reset() { sums_.assign(sums_.size(), 0); }

  /// Whether `add` would take the vector. Errors: N003 another length, N008 a number out of range,
  /// NaN and infinity among them.
  template <class T>
  status check(std::span<const T> values) const {
    if (values.size() != sums_.size())
      return error::of(fault::shape, "fixed-point sum of ", sums_.size(), " numbers: got ", values.size());
    const double limit = encoding_.limit();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(std::abs(static_cast<double>(values[i])) < limit))
        return error::of(fault::range, "fixed-point sum: number ", i, " is ", values[i],
                         ", the encoding holds less than ", limit, " in magnitude");
    return nothing{};
  }

  /// Adds a vector, all of it or nothing. Errors: as of `check`.
  template <class T>
  status add(std::span<const T> values) {
    if (auto good = check(values); !good) return good;
    if (encoding_.whole_bits + encoding_.fraction_bits > 62) {
      for (std::size_t i = 0; i < values.size(); ++i) sums_[i] += encoding_.encode(values[i]);
    } else {
      const double scale = std::ldexp(1.0, encoding_.fraction_bits);
      for (std::size_t i = 0; i < values.size(); ++i)
        sums_[i] += std::llrint(static_cast<double>(values[i]) * scale);
    }
    return nothing{};
  }

  double operator[](std::size_t i) const noexcept { return encoding_.decode(sums_[i]); }

 private:
  fixed_point encoding_;
  std::vector<int128> sums_;
};

} // namespace privet
