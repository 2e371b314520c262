#pragma once
// Values less their mean, over their standard deviation: of examples that lie side by side in the lanes, and
// of rows. Means and variances take two passes. What belongs to one lane, or to one row, is summed in an
// order that depends on how many values there are and, of rows, on the architecture; never on other lanes or
// rows. Products from which something is taken are held, so that no compiler makes one instruction of both:
// the delta of a value that is alone is zero.

#include <privet/simd/convolution.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>

namespace privet::simd::inline PRIVET_ISA {

/// What may be added to a variance before its root is divided by: normal numbers of every type, also
/// inverted.
inline constexpr double least_epsilon = 1e-30, most_epsilon = 1e30;

namespace detail {

/// sums[k] = the k-th of `Sums` sums of `count` terms: `add(i, sums)` adds the i-th to each. In four chains,
/// and in pieces, so that many terms round as few do.
template <class Arch, class T, std::size_t Sums, class Add>
[[gnu::always_inline]] inline void sum_terms(std::size_t count, batch<T, Arch> (&sums)[Sums], Add&& add) {
  constexpr std::size_t chains = 4, piece = 256;
  const auto zero = simd::broadcast<Arch>(T{});
  for (auto& sum : sums) sum = zero;
  for (std::size_t first = 0; first < count; first += piece) {
    batch<T, Arch> part[chains][Sums];
    PRIVET_UNROLL for (std::size_t c = 0; c < chains; ++c)
        PRIVET_UNROLL for (std::size_t k = 0; k < Sums; ++k) part[c][k] = zero;
    const std::size_t end = std::min(count, first + piece);
    std::size_t i = first;
    for (; i + chains <= end; i += chains) PRIVET_UNROLL
    for (std::size_t c = 0; c < chains; ++c) add(i + c, part[c]);
    for (; i < end; ++i) add(i, part[0]);
    PRIVET_UNROLL for (std::size_t k = 0; k < Sums; ++k) sums[k] =
        sums[k] + ((part[0][k] + part[1][k]) + (part[2][k] + part[3][k]));
  }
}

} // namespace detail

/// The mean of `count` values of each lane and 1 / sqrt(their variance + epsilon).   x (count, lane_block),
/// mean and rate (lane_block)
template <class Arch = default_arch, class T>
void lane_moments(std::size_t count, const T* x, T epsilon, T* mean, T* rate) noexcept {
  const auto n = simd::broadcast<Arch>(static_cast<T>(count)), one = simd::broadcast<Arch>(T{1}),
             least = simd::broadcast<Arch>(epsilon);
  for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
    batch<T, Arch> sum[1];
    detail::sum_terms<Arch, T>(
        count, sum, [&](std::size_t i, auto& s) __attribute__((always_inline)) {
          s[0] = s[0] + simd::load<Arch>(x + i * lane_block + v);
        });
    const batch<T, Arch> middle = simd::divide(sum[0], n);
    detail::sum_terms<Arch, T>(
        count, sum, [&](std::size_t i, auto& s) __attribute__((always_inline)) {
          const batch<T, Arch> d = simd::load<Arch>(x + i * lane_block + v) - middle;
          s[0] = simd::fma(d, d, s[0]);
        });
    const batch<T, Arch> variance = simd::divide(sum[0], n);
    simd::store<Arch, T>(mean + v, middle);
    simd::store<Arch, T>(rate + v, simd::divide(one, simd::sqrt(batch<T, Arch>(variance + least))));
  }
}

/// y = finish((x - mean) rate w + b).   x and y (count, lane_block), mean and rate (lane_block)
template <class Arch = default_arch, class T, class F>
void lane_affine(std::size_t count, const T* x, const T* mean, const T* rate, T w, T b, T* y,
                 const F& finish) noexcept {
  const auto factor = simd::broadcast<Arch>(w), start = simd::broadcast<Arch>(b);
  for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
    const auto m = simd::load<Arch>(mean + v), r = simd::load<Arch>(rate + v);
    for (std::size_t i = v; i < count * lane_block; i += lane_block) {
      const batch<T, Arch> normal = (simd::load<Arch>(x + i) - m) * r;
      simd::store<Arch, T>(y + i, finish(simd::fma(normal, factor, start)));
    }
  }
}

/// The gradients of w and b of `lane_affine` in each lane: products = sum of dy (x - mean) rate, sums = sum
/// of dy.
template <class Arch = default_arch, class T>
void lane_products(std::size_t count, const T* x, const T* mean, const T* rate, const T* dy, T* products,
                   T* sums) noexcept {
  for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
    const auto m = simd::load<Arch>(mean + v), r = simd::load<Arch>(rate + v);
    batch<T, Arch> sum[2];
    detail::sum_terms<Arch, T>(
        count, sum, [&](std::size_t i, auto& s) __attribute__((always_inline)) {
          const auto d = simd::load<Arch>(dy + i * lane_block + v);
          const batch<T, Arch> normal = (simd::load<Arch>(x + i * lane_block + v) - m) * r;
          s[0] = simd::fma(d, normal, s[0]);
          s[1] = s[1] + d;
        });
    simd::store<Arch, T>(products + v, sum[0]);
    simd::store<Arch, T>(sums + v, sum[1]);
  }
}

/// dx = finish(rate (w dy - shift - (x - mean) rate tilt), x): back through `lane_affine` and the moments of
/// x, whose shares of the delta are `shift` and `tilt` (lane_block).
template <class Arch = default_arch, class T, class F>
void lane_affine_back(std::size_t count, const T* x, const T* mean, const T* rate, T w, const T* dy,
                      const T* shift, const T* tilt, T* dx, const F& finish) noexcept {
  const auto factor = simd::broadcast<Arch>(w);
  for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
    const auto m = simd::load<Arch>(mean + v), r = simd::load<Arch>(rate + v);
    const batch<T, Arch> from = simd::load<Arch>(shift + v), minus_tilt = -simd::load<Arch>(tilt + v);
    for (std::size_t i = v; i < count * lane_block; i += lane_block) {
      const auto value = simd::load<Arch>(x + i);
      const batch<T, Arch> normal = (value - m) * r,
                           straight = simd::held(batch<T, Arch>(simd::load<Arch>(dy + i) * factor)) - from;
      simd::store<Arch, T>(dx + i,
                           finish(batch<T, Arch>(simd::fma(normal, minus_tilt, straight) * r), value));
    }
  }
}

/// A mean and 1 / sqrt(variance + epsilon).
template <class T>
struct moments {
  T mean, rate;
};

namespace detail {

/// x less its mean, the lanes that do not count zero.
template <class Arch, class T, class Lanes>
[[gnu::always_inline]] inline batch<T, Arch> centred(const T* x, const batch<T, Arch>& mean, Lanes lanes) {
  return simd::kept(batch<T, Arch>(simd::load_lanes<Arch>(x, lanes) - mean), lanes);
}

/// Sums over `width` values: `add(i, lanes, sums)` adds those of the batch that begins at i.
template <class Arch, class T, std::size_t Sums, class Width, class Add>
[[gnu::always_inline]] inline void sum_row(Width width, T (&sums)[Sums], Add&& add) {
  constexpr std::size_t wide = simd::width<T, Arch>;
  batch<T, Arch> sum[Sums];
  const std::size_t whole = width / wide;
  detail::sum_terms<Arch, T>(
      whole,
      sum, [&](std::size_t i, auto& s) __attribute__((always_inline)) { add(i * wide, all_lanes{}, s); });
  if (whole * wide < width) add(whole * wide, some_lanes{width - whole * wide}, sum);
  for (std::size_t k = 0; k < Sums; ++k) sums[k] = simd::reduce_add(sum[k]);
}

} // namespace detail

// `width` is how many values a row has, as a constant where it is known.

/// The moments of one row.
template <class Arch = default_arch, class Width, class T>
moments<T> row_moments(Width width, const T* x, T epsilon) noexcept {
  const T n = static_cast<T>(static_cast<std::size_t>(width));
  T sum[1];
  detail::sum_row<Arch, T>(
      width, sum, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        s[0] = s[0] + simd::load_lanes<Arch>(x + i, lanes);
      });
  const T mean = sum[0] / n;
  const auto m = simd::broadcast<Arch>(mean);
  detail::sum_row<Arch, T>(
      width, sum, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        const auto d = detail::centred<Arch>(x + i, m, lanes);
        s[0] = simd::fma(d, d, s[0]);
      });
  return {mean, T{1} / simd::sqrt(T(sum[0] / n + epsilon))};
}

/// y = finish((x - mean) rate w + b), of one row.
template <class Arch = default_arch, class Width, class T, class F>
void row_affine(Width width, const T* x, moments<T> of, const T* w, const T* b, T* y,
                const F& finish) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate);
  for_each_batch<Arch, T>(
      width, [&](std::size_t i, auto lanes) __attribute__((always_inline)) {
        const batch<T, Arch> normal = (simd::load_lanes<Arch>(x + i, lanes) - m) * r;
        simd::store_lanes<Arch, T>(y + i,
                                   finish(simd::fma(normal, simd::load_lanes<Arch>(w + i, lanes),
                                                    simd::load_lanes<Arch>(b + i, lanes))),
                                   lanes);
      });
}

/// dx = finish(the delta of one row, x): back through `row_affine` and the moments of the row.
template <class Arch = default_arch, class Width, class T, class F>
void row_affine_back(Width width, const T* x, moments<T> of, const T* w, const T* dy, T* dx,
                     const F& finish) noexcept {
  const T n = static_cast<T>(static_cast<std::size_t>(width));
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate);
  T sums[2];
  detail::sum_row<Arch, T>(
      width, sums, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        const auto d = simd::held(
            batch<T, Arch>(simd::load_lanes<Arch>(dy + i, lanes) * simd::load_lanes<Arch>(w + i, lanes)));
        s[0] = s[0] + d;
        s[1] = simd::fma(d, batch<T, Arch>(detail::centred<Arch>(x + i, m, lanes) * r), s[1]);
      });
  const auto shift = simd::broadcast<Arch>(sums[0] / n), minus_tilt = simd::broadcast<Arch>(-sums[1] / n);
  for_each_batch<Arch, T>(
      width, [&](std::size_t i, auto lanes) __attribute__((always_inline)) {
        const auto value = simd::load_lanes<Arch>(x + i, lanes);
        const batch<T, Arch> normal = (value - m) * r,
                             straight = simd::held(batch<T, Arch>(simd::load_lanes<Arch>(dy + i, lanes) *
                                                                  simd::load_lanes<Arch>(w + i, lanes))) -
                                        shift;
        simd::store_lanes<Arch, T>(
            dx + i, finish(batch<T, Arch>(simd::fma(normal, minus_tilt, straight) * r), value), lanes);
      });
}

/// The squared norm of the gradients of w and b of `row_affine`: the sum of dy^2 (((x - mean) rate)^2 + 1).
///
/// Ensures  never less than it by more than rounding: squares that underflow count as if they did not
template <class Arch = default_arch, class Width, class T>
T row_squares(Width width, const T* x, moments<T> of, const T* dy) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate),
             one = simd::broadcast<Arch>(T{1});
  T sum[1];
  detail::sum_row<Arch, T>(
      width, sum, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        const auto d = simd::load_lanes<Arch>(dy + i, lanes);
        const batch<T, Arch> normal = detail::centred<Arch>(x + i, m, lanes) * r;
        s[0] = simd::fma(batch<T, Arch>(d * d), simd::fma(normal, normal, one), s[0]);
      });
  // The squares of what is normalised add up to no more than the width.
  return sum[0] + 4 * static_cast<T>(static_cast<std::size_t>(width)) * std::numeric_limits<T>::min();
}

/// gw += dy (x - mean) rate and gb += dy, of one row.
template <class Arch = default_arch, class Width, class T>
void add_row_gradient(Width width, const T* x, moments<T> of, const T* dy, T* gw, T* gb) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate);
  for_each_batch<Arch, T>(
      width, [&](std::size_t i, auto lanes) __attribute__((always_inline)) {
        const auto d = simd::load_lanes<Arch>(dy + i, lanes);
        const batch<T, Arch> normal = (simd::load_lanes<Arch>(x + i, lanes) - m) * r;
        const auto old = simd::load_lanes<Arch>(static_cast<const T*>(gw + i), lanes);
        simd::store_lanes<Arch, T>(gw + i, simd::fma(d, normal, old), lanes);
        simd::store_lanes<Arch, T>(gb + i, simd::load_lanes<Arch>(static_cast<const T*>(gb + i), lanes) + d,
                                   lanes);
      });
}

// One channel of images that lie as rows: `pixels` values in each of `rows` rows, `next` scalars apart.

namespace detail {

/// Sums over all pixels of all rows: `add(i, lanes, sums)` adds those of the batch that begins at i.
template <class Arch, class T, std::size_t Sums, class Add>
[[gnu::always_inline]] inline void sum_channel(std::size_t rows, std::size_t next, std::size_t pixels,
                                               T (&sums)[Sums], Add&& add) {
  batch<T, Arch> sum[Sums];
  for (auto& s : sum) s = simd::broadcast<Arch>(T{});
  for (std::size_t r = 0; r < rows; ++r)
    for_each_batch<Arch, T>(
        pixels, [&](std::size_t i, auto lanes)
                    __attribute__((always_inline)) { add(r * next + i, lanes, sum); });
  for (std::size_t k = 0; k < Sums; ++k) sums[k] = simd::reduce_add(sum[k]);
}

} // namespace detail

template <class Arch = default_arch, class T>
moments<T> channel_moments(std::size_t rows, std::size_t next, std::size_t pixels, const T* x,
                           T epsilon) noexcept {
  const T n = static_cast<T>(rows * pixels);
  T sum[1];
  detail::sum_channel<Arch, T>(
      rows, next, pixels, sum, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        s[0] = s[0] + simd::load_lanes<Arch>(x + i, lanes);
      });
  const T mean = sum[0] / n;
  const auto m = simd::broadcast<Arch>(mean);
  detail::sum_channel<Arch, T>(
      rows, next, pixels, sum, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        const auto d = detail::centred<Arch>(x + i, m, lanes);
        s[0] = simd::fma(d, d, s[0]);
      });
  return {mean, T{1} / simd::sqrt(T(sum[0] / n + epsilon))};
}

/// y = finish((x - mean) rate w + b).
template <class Arch = default_arch, class T, class F>
void channel_affine(std::size_t rows, std::size_t next, std::size_t pixels, const T* x, moments<T> of, T w,
                    T b, T* y, const F& finish) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate),
             factor = simd::broadcast<Arch>(w), start = simd::broadcast<Arch>(b);
  for (std::size_t row = 0; row < rows; ++row, x += next, y += next)
    for_each_batch<Arch, T>(
        pixels, [&](std::size_t i, auto lanes) __attribute__((always_inline)) {
          const batch<T, Arch> normal = (simd::load_lanes<Arch>(x + i, lanes) - m) * r;
          simd::store_lanes<Arch, T>(y + i, finish(simd::fma(normal, factor, start)), lanes);
        });
}

/// The gradients of w and b of `channel_affine`.
template <class T>
struct channel_sums {
  T product, sum;
};
template <class Arch = default_arch, class T>
channel_sums<T> channel_products(std::size_t rows, std::size_t next, std::size_t pixels, const T* x,
                                 moments<T> of, const T* dy) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate);
  T sums[2];
  detail::sum_channel<Arch, T>(
      rows, next, pixels, sums, [&](std::size_t i, auto lanes, auto& s) __attribute__((always_inline)) {
        const auto d = simd::load_lanes<Arch>(dy + i, lanes);
        s[0] = simd::fma(d, batch<T, Arch>(detail::centred<Arch>(x + i, m, lanes) * r), s[0]);
        s[1] = s[1] + d;
      });
  return {sums[0], sums[1]};
}

/// dx = finish(rate (w dy - shift - (x - mean) rate tilt), x): back through `channel_affine` and the moments.
template <class Arch = default_arch, class T, class F>
void channel_affine_back(std::size_t rows, std::size_t next, std::size_t pixels, const T* x, moments<T> of,
                         T w, const T* dy, T shift, T tilt, T* dx, const F& finish) noexcept {
  const auto m = simd::broadcast<Arch>(of.mean), r = simd::broadcast<Arch>(of.rate),
             factor = simd::broadcast<Arch>(w), from = simd::broadcast<Arch>(shift),
             minus_tilt = simd::broadcast<Arch>(-tilt);
  for (std::size_t row = 0; row < rows; ++row, x += next, dy += next, dx += next)
    for_each_batch<Arch, T>(
        pixels, [&](std::size_t i, auto lanes) __attribute__((always_inline)) {
          const auto value = simd::load_lanes<Arch>(x + i, lanes);
          const batch<T, Arch> normal = (value - m) * r,
                               straight = simd::held(batch<T, Arch>(simd::load_lanes<Arch>(dy + i, lanes) *
                                                                    factor)) -
                                          from;
          simd::store_lanes<Arch, T>(
              dx + i, finish(batch<T, Arch>(simd::fma(normal, minus_tilt, straight) * r), value), lanes);
        });
}

} // namespace privet::simd::inline PRIVET_ISA
