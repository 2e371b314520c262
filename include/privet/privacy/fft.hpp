#pragma once
// A Fourier transform whose error is bounded entry by entry; the accountant adds that bound to
// what it reports.

#include <privet/core/error.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Discrete Fourier transform of 2^k complex numbers in double precision, real and imaginary parts in
/// arrays of their own.
///
/// Formula   X[k] = sum_j x[j] exp(-2 pi i j k / n); `inverse` divides by n
/// Errors    N001 for a size that is no power of two
/// Accuracy  |X^[k] - X[k]| <= error() * sum_j |x[j]|, for every k. Each output is a sum of products along
///           a tree of log2(n) levels; a level multiplies by one rounded root of unity and adds, which
///           costs at most 8 unit round-offs (Higham, Accuracy and Stability, 2nd ed., sections 3.6, 24.1).
/// Cost      n log2(n), Stockham's order in radix 4; roots are computed once per size
class fft {
 public:
  explicit fft(std::size_t n) : n_(n) {
    require(std::has_single_bit(n), fault::argument, "fft: got ", n, " points, expected a power of two");
    const std::size_t quarter = n / 4;
    cos_.resize(quarter);
    sin_.resize(quarter);
    const double unit = 2 * std::numbers::pi / static_cast<double>(n);
    for (std::size_t i = 0; i <= quarter / 2 && i < quarter; ++i) {
      const double angle = unit * static_cast<double>(i);
      cos_[i] = std::cos(angle);
      sin_[i] = std::sin(angle);
      if (i > 0) {
        cos_[quarter - i] = sin_[i];
        sin_[quarter - i] = cos_[i];
      }
    }
    spare_re_.resize(n);
    spare_im_.resize(n);
  }

  std::size_t size() const noexcept { return n_; }
  double error() const noexcept {
    return 8 * 0.5 * std::numeric_limits<double>::epsilon() * static_cast<double>(std::bit_width(n_));
  }

  void forward(std::vector<double>& re, std::vector<double>& im) {
    std::size_t n = n_, s = 1;
    for (; n >= 4; n /= 4, s *= 4) {
      if (s == 1)
        first(re.data(), im.data(), spare_re_.data(), spare_im_.data());
      else
        pass(n, s, re.data(), im.data(), spare_re_.data(), spare_im_.data());
      re.swap(spare_re_);
      im.swap(spare_im_);
    }
    if (n == 2)
      for (std::size_t q = 0; q < s; ++q) {
        const double ar = re[q], ai = im[q], br = re[q + s], bi = im[q + s];
        re[q] = ar + br, im[q] = ai + bi;
        re[q + s] = ar - br, im[q + s] = ai - bi;
      }
  }
  void inverse(std::vector<double>& re, std::vector<double>& im) {
    forward(im, re);
    const double scale = 1 / static_cast<double>(n_);
    for (std::size_t i = 0; i < n_; ++i) re[i] *= scale, im[i] *= scale;
  }

 private:
  struct roots {
    double c1, s1, c2, s2, c3, s3;
  };
  roots at(std::size_t i) const noexcept {
    const double c = cos_[i], s = sin_[i], c2 = c * c - s * s, s2 = 2 * c * s;
    return {c, s, c2, s2, c * c2 - s * s2, c * s2 + s * c2};
  }

  static void butterfly(const double* xr, const double* xi, std::size_t from, std::size_t step, double* yr,
                        double* yi, std::size_t to, std::size_t apart, const roots& w) noexcept {
    const double ar = xr[from], ai = xi[from], br = xr[from + step], bi = xi[from + step],
                 cr = xr[from + 2 * step], ci = xi[from + 2 * step], dr = xr[from + 3 * step],
                 di = xi[from + 3 * step];
    const double pr = ar + cr, pi = ai + ci, mr = ar - cr, mi = ai - ci, qr = br + dr, qi = bi + di,
                 jr = di - bi, ji = br - dr; // i (b - d)
    const double ur = mr - jr, ui = mi - ji, vr = pr - qr, vi = pi - qi, tr = mr + jr, ti = mi + ji;
    yr[to] = pr + qr, yi[to] = pi + qi;
    yr[to + apart] = ur * w.c1 + ui * w.s1, yi[to + apart] = ui * w.c1 - ur * w.s1;
    yr[to + 2 * apart] = vr * w.c2 + vi * w.s2, yi[to + 2 * apart] = vi * w.c2 - vr * w.s2;
    yr[to + 3 * apart] = tr * w.c3 + ti * w.s3, yi[to + 3 * apart] = ti * w.c3 - tr * w.s3;
  }
  void first(const double* __restrict xr, const double* __restrict xi, double* __restrict yr,
             double* __restrict yi) const noexcept {
    for (std::size_t p = 0; p < n_ / 4; ++p) butterfly(xr, xi, p, n_ / 4, yr, yi, 4 * p, 1, at(p));
  }
  void pass(std::size_t n, std::size_t s, const double* __restrict xr, const double* __restrict xi,
            double* __restrict yr, double* __restrict yi) const noexcept {
    const std::size_t m = n / 4;
    for (std::size_t p = 0; p < m; ++p) {
      const roots w = at(p * (n_ / n));
      for (std::size_t q = 0; q < s; ++q) butterfly(xr, xi, q + s * p, s * m, yr, yi, q + 4 * s * p, s, w);
    }
  }

  std::size_t n_;
  std::vector<double> cos_, sin_, spare_re_, spare_im_;
};

} // namespace privet
