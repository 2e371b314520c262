#pragma once
// For tests of kernels: every architecture and type, addresses that nothing is aligned to, guards
// on both sides, numbers that are not normal.

#include "support/numbers.hpp"

#include <privet/simd/arch.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet::test {

/// Whether `simd::fma` of `Arch` rounds once.
template <class Arch>
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
inline constexpr bool fused = true;
#else
inline constexpr bool fused = std::same_as<Arch, simd::scalar>;
#endif

/// Calls f<Arch, T>() for the vectors of this build and the scalar reference, float and double; thinned tests leave out
/// scalar doubles, which are one code on every target.
template <class F>
void for_each_kind(F f) {
  f.template operator()<simd::default_arch, float>();
  f.template operator()<simd::default_arch, double>();
  f.template operator()<simd::scalar, float>();
#if !defined(PRIVET_THIN_TESTS)
  f.template operator()<simd::scalar, double>();
#endif
}

/// `values` one scalar past an aligned address, between guards.
template <class T>
class guarded {
 public:
  explicit guarded(const std::vector<T>& values)
      : all_(values.size() + 2 * fence, guard),
        offset_(fence + (reinterpret_cast<std::uintptr_t>(all_.data() + fence) % 64 == 0)) {
    for (std::size_t i = 0; i < values.size(); ++i) data()[i] = values[i];
  }
  T* data() noexcept { return all_.data() + offset_; }
  std::size_t size() const noexcept { return all_.size() - 2 * fence; }
  std::vector<T> values() { return {data(), data() + size()}; }
  /// Nothing outside was written.
  bool intact() const noexcept {
    for (std::size_t i = 0; i < all_.size(); ++i)
      if ((i < offset_ || i >= offset_ + size()) && all_[i] != guard) return false;
    return true;
  }

 private:
  static constexpr std::size_t fence = 20;
  static constexpr T guard = 77;
  std::vector<T> all_;
  std::size_t offset_;
};

/// Zeros, denormals, the ends of the normal range, infinities and NaN.
template <class T>
std::vector<T> awkward() {
  using limits = std::numeric_limits<T>;
  return {T(0),
          T(-0.0),
          limits::denorm_min(),
          -3 * limits::denorm_min(),
          limits::min() / 2,
          -limits::min(),
          limits::max() / 4,
          limits::lowest() / 4,
          limits::infinity(),
          -limits::infinity(),
          limits::quiet_NaN()};
}

/// Normals, every third of them replaced by an awkward number.
template <class T>
std::vector<T> mixed(std::size_t n, std::uint64_t seed) {
  auto out = normals<T>(n, seed);
  const auto odd = awkward<T>();
  for (std::size_t i = seed % 3; i < n; i += 3) out[i] = odd[(i / 3 + seed) % odd.size()];
  return out;
}

/// Both NaN, or equal with the sign of zero.
template <class T>
bool same(T a, T b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

/// As `same`, or finite and no further apart than `tolerance`.
template <class T>
bool near(T a, T b, T tolerance) {
  return same(a, b) || std::abs(a - b) <= tolerance;
}

} // namespace privet::test
