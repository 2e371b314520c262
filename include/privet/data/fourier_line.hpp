#pragma once
// Fourier transforms of short sequences, one per lane: what scattering coefficients are made of.

#include <privet/simd/arch.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace privet {

namespace detail {

/// A complex number, or one in each lane of a batch.
template <class B>
struct complex_lanes {
  B re, im;
};

/// The discrete Fourier transform of n complex numbers, of one sequence per lane. Its inverse, up to the
/// factor n, is the same with real and imaginary parts exchanged.
///
/// Method    Stockham's, decimation in frequency: radices 4, 3 and 2, and any prime by its definition
template <class T, class Arch>
class fourier_line {
  using B = simd::batch<T, Arch>;
  using cell = complex_lanes<B>;

 public:
  explicit fourier_line(std::size_t n = 1) : size_(n) {
    for (std::size_t rest = n; rest > 1; rest /= radices_.back())
      for (std::size_t p : {std::size_t{4}, std::size_t{2}, std::size_t{3}, rest}) {
        for (std::size_t f = 5; p == rest && f * f <= rest; f += 2)
          if (rest % f == 0) p = f;
        if (rest % p != 0) continue;
        radices_.push_back(p);
        break;
      }
    for (std::size_t k = 0; k < n; ++k) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      roots_.push_back({static_cast<T>(std::cos(angle)), static_cast<T>(std::sin(angle))});
    }
  }

  std::size_t size() const noexcept { return size_; }
  /// Cells that a transform needs beside its own.
  std::size_t scratch() const noexcept { return 3 * size_; }

  /// In place, of numbers that lie `stride` apart.
  void operator()(cell* x, std::size_t stride, cell* room) const {
    cell *const one = room, *const other = room + size_, *const inner = room + 2 * size_;
    const cell* from = x;
    std::size_t from_stride = stride, n = size_, s = 1;
    for (std::size_t i = 0; i < radices_.size(); ++i) {
      const bool last = i + 1 == radices_.size();
      cell* const to = last ? x : from == one ? other : one;
      const std::size_t to_stride = last ? stride : 1, p = radices_[i];
      if (p == 4)
        stage<4>(n / p, s, from, from_stride, to, to_stride);
      else if (p == 3)
        stage<3>(n / p, s, from, from_stride, to, to_stride);
      else if (p == 2)
        stage<2>(n / p, s, from, from_stride, to, to_stride);
      else
        stage_by_definition(p, n / p, s, from, from_stride, to, to_stride, inner);
      from = to;
      from_stride = to_stride;
      n /= p;
      s *= p;
    }
  }

 private:
  struct root {
    T re, im;
  };

  static cell add(const cell& a, const cell& b) noexcept { return {B(a.re + b.re), B(a.im + b.im)}; }
  static cell subtract(const cell& a, const cell& b) noexcept { return {B(a.re - b.re), B(a.im - b.im)}; }
  static cell times(const cell& a, const root& w) noexcept {
    const B re(w.re), im(w.im);
    return {simd::fma(a.re, re, B(-(a.im * im))), simd::fma(a.re, im, B(a.im * re))};
  }

  /// The transform of P numbers, in place.
  template <std::size_t P>
  static void butterfly(std::array<cell, P>& a) noexcept {
    if constexpr (P == 2) {
      a = {add(a[0], a[1]), subtract(a[0], a[1])};
    } else if constexpr (P == 3) {
      const B half(T(-0.5)), height(std::numbers::sqrt3_v<T> / 2);
      const cell sum = add(a[1], a[2]), gap = subtract(a[1], a[2]);
      const cell middle{simd::fma(half, sum.re, a[0].re), simd::fma(half, sum.im, a[0].im)};
      const cell turned{B(height * gap.im), B(-(height * gap.re))};
      a = {add(a[0], sum), add(middle, turned), subtract(middle, turned)};
    } else {
      const cell even = add(a[0], a[2]), odd = add(a[1], a[3]);
      const cell left = subtract(a[0], a[2]), gap = subtract(a[1], a[3]);
      const cell turned{gap.im, B(-gap.re)};
      a = {add(even, odd), add(left, turned), subtract(even, odd), subtract(left, turned)};
    }
  }

  template <std::size_t P>
  void stage(std::size_t m, std::size_t s, const cell* x, std::size_t xs, cell* y, std::size_t ys) const {
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t q = 0; q < s; ++q) {
        std::array<cell, P> a;
        PRIVET_UNROLL
        for (std::size_t j = 0; j < P; ++j) a[j] = x[(q + s * (k + m * j)) * xs];
        butterfly(a);
        y[(q + s * P * k) * ys] = a[0];
        PRIVET_UNROLL
        for (std::size_t r = 1; r < P; ++r)
          y[(q + s * (P * k + r)) * ys] = k == 0 ? a[r] : times(a[r], roots_[k * r * s]);
      }
  }
  void stage_by_definition(std::size_t p, std::size_t m, std::size_t s, const cell* x, std::size_t xs,
                           cell* y, std::size_t ys, cell* inner) const {
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t q = 0; q < s; ++q) {
        for (std::size_t r = 0; r < p; ++r) {
          cell sum = x[(q + s * k) * xs];
          for (std::size_t j = 1; j < p; ++j)
            sum = add(sum, times(x[(q + s * (k + m * j)) * xs], roots_[j * r % p * (size_ / p)]));
          inner[r] = times(sum, roots_[k * r * s]);
        }
        for (std::size_t r = 0; r < p; ++r) y[(q + s * (p * k + r)) * ys] = inner[r];
      }
  }

  std::size_t size_;
  std::vector<std::size_t> radices_;
  std::vector<root> roots_;
};

} // namespace detail

} // namespace privet
