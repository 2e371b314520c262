#pragma once
// Convolutions and pools of examples that lie side by side in the lanes: no matrix of patches is made,
// and no example waits for a tail of another. Every output element is one chain of fused multiply-adds
// in the order of channel, row and column of the window, from the bias or from zero; every element of a
// gradient one chain in the order of the positions. Neither depends on tiles, lanes or on what the
// compiler knows of the shape.

#include <privet/simd/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace privet::simd::inline PRIVET_ISA {

/// Examples of a block, the same on every target: features lie as (feature, lane_block). It takes one
/// batch of AVX-512 floats, four of SSE or NEON.
inline constexpr std::size_t lane_block = 16;

/// How many places a window takes along a side, which it fits into once `padding` is on both ends.
constexpr std::size_t positions(std::size_t side, std::size_t window, std::size_t stride,
                                std::size_t padding) noexcept {
  return (side + 2 * padding - window) / stride + 1;
}

/// The sizes of a convolution.
struct convolution {
  std::size_t channels, height, width; ///< of what it reads
  std::size_t outs;                    ///< channels that it writes
  std::size_t window_height, window_width;
  std::size_t stride = 1, padding = 0, groups = 1;

  /// From a row to the next one where zeros lie between them.
  constexpr std::size_t padded_width() const noexcept { return width + padding; }
  constexpr std::size_t out_height() const noexcept {
    return positions(height, window_height, stride, padding);
  }
  constexpr std::size_t out_width() const noexcept { return positions(width, window_width, stride, padding); }
  constexpr std::size_t group_channels() const noexcept { return channels / groups; }
  constexpr std::size_t group_outs() const noexcept { return outs / groups; }
  constexpr std::size_t window_size() const noexcept { return window_height * window_width; }
  /// Weights of one output channel.
  constexpr std::size_t taps() const noexcept { return group_channels() * window_size(); }
  constexpr std::size_t weights() const noexcept { return outs * taps(); }
};

namespace detail {

/// Tiles of output channels by positions, and of output channels by taps in the weight gradient: as many
/// accumulators as leave registers for what they are fed with.
inline constexpr std::size_t tile_outs = registers == 32 ? 6 : 3, tile_positions = 4;
inline constexpr std::size_t gradient_outs = registers == 32 ? 4 : 3, gradient_taps = registers == 32 ? 6 : 3;
/// Scalars of activations that should be found in L1: by a pass over rows of the weight gradient, and by a tile in all
/// its passes over output channels; and those that a strip of rows between zeros moves on by, to stay in L2.
inline constexpr std::size_t band_scalars = 5500, strip_scalars = 80 * 1024;

/// How many of `count` pieces of so many scalars to take at a time, nearly equal shares of them: as many as stay within
/// `most` floats; one at least.
template <class T>
constexpr std::size_t share(std::size_t most, std::size_t piece, std::size_t count) noexcept {
  const std::size_t fit = std::max<std::size_t>(most * sizeof(float) / sizeof(T) / piece, 1),
                    shares = (count + fit - 1) / fit;
  return (count + shares - 1) / shares;
}

/// Calls f(size_constant, first) for parts of `n`, none above `Most`: nearly equal ones of a size that the
/// compiler knows, else `Most`, perhaps half of it, and ones, so that few tiles are compiled.
template <std::size_t Most, bool Halves, class N, class F>
[[gnu::always_inline]] inline void for_each_part(N n, F&& f) {
  std::size_t i = 0;
  if constexpr (known<N> != 0) {
    constexpr parts p = cut(known<N>, Most);
    constexpr std::size_t larger = known<N> - p.count * p.smallest;
    for (std::size_t c = 0; c < larger; ++c, i += p.largest) f(size_constant<p.largest>{}, i);
    for (std::size_t c = larger; c < p.count; ++c, i += p.smallest) f(size_constant<p.smallest>{}, i);
  } else {
    for (; i + Most <= n; i += Most) f(size_constant<Most>{}, i);
    if constexpr (Halves && Most > 3)
      for (; i + Most / 2 <= n; i += Most / 2) f(size_constant<Most / 2>{}, i);
    for (; i < n; ++i) f(size_constant<1>{}, i);
  }
}

/// How a row of outputs is gathered: steps from one to the next, in scalars.
struct walk {
  std::size_t channels, rows, taps; ///< how many of each are summed over
  std::ptrdiff_t in_channel, in_row, in_tap, in_position;
  std::ptrdiff_t w_out, w_channel, w_row, w_tap;
  std::ptrdiff_t out_plane, out_position;
  /// Where sums go on from what lies in `start` as outputs do: its steps. Zero where they begin with what is the same
  /// at each position.
  std::ptrdiff_t start_plane = 0, start_position = 0;
};

/// out[a][p] = start[a] + sum over channels, rows and taps of w in, for `Outs` by `Positions`.
///
/// Taps   0, or how many there are, where taps and positions are neighbours: each input of a row is then loaded once.
///        Negative where a tap is a step back
template <class Arch, std::size_t Outs, std::size_t Positions, int Taps, class T>
[[gnu::always_inline]] inline void walk_tile(const walk& by, const T* in, const T* w, const T* start,
                                             T* out) {
  constexpr std::size_t wide = width<T, Arch>;
  for (std::size_t v = 0; v < lane_block; v += wide) {
    batch<T, Arch> sum[Outs][Positions], x[Positions];
    const auto multiply = [&](const T* weight) __attribute__((always_inline)) {
      PRIVET_UNROLL for (std::size_t a = 0; a < Outs; ++a, weight += by.w_out) {
        const auto left = simd::broadcast<Arch>(*weight);
        PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p) sum[a][p] =
            simd::fma(left, x[p], sum[a][p]);
      }
    };
    if (by.start_position != 0) {
      const T* plane = start + v;
      PRIVET_UNROLL for (std::size_t a = 0; a < Outs; ++a, plane += by.start_plane) {
        const T* at = plane;
        PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p, at += by.start_position) {
          sum[a][p] = simd::load<Arch>(at);
        }
      }
    } else {
      PRIVET_UNROLL for (std::size_t a = 0; a < Outs; ++a) {
        const auto first = simd::broadcast<Arch>(start ? start[a] : T{});
        PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p) sum[a][p] = first;
      }
    }
    const T *in_channel = in + v, *w_channel = w;
    for (std::size_t c = by.channels; c > 0; --c, in_channel += by.in_channel, w_channel += by.w_channel) {
      const T *in_row = in_channel, *w_row = w_channel;
      for (std::size_t r = by.rows; r > 0; --r, in_row += by.in_row, w_row += by.w_row) {
        const T *from = in_row, *weight = w_row;
        if constexpr (Taps != 0) {
          PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p, from += lane_block) x[p] =
              simd::held(simd::load<Arch>(from));
          multiply(weight);
          if constexpr (Taps < 0) from = in_row - lane_block;
          PRIVET_UNROLL for (int t = 1; t < (Taps < 0 ? -Taps : Taps); ++t) {
            if constexpr (Taps > 0) {
              PRIVET_UNROLL for (std::size_t p = 1; p < Positions; ++p) x[p - 1] = x[p];
              x[Positions - 1] = simd::held(simd::load<Arch>(from));
              from += lane_block;
            } else {
              PRIVET_UNROLL for (std::size_t p = Positions - 1; p > 0; --p) x[p] = x[p - 1];
              x[0] = simd::held(simd::load<Arch>(from));
              from -= lane_block;
            }
            multiply(weight + t);
          }
        } else {
          for (std::size_t t = by.taps; t > 0; --t, from += by.in_tap, weight += by.w_tap) {
            const T* at = from;
            PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p, at += by.in_position) {
              x[p] = simd::held(simd::load<Arch>(at));
            }
            multiply(weight);
          }
        }
      }
    }
    T* plane = out + v;
    PRIVET_UNROLL for (std::size_t a = 0; a < Outs; ++a, plane += by.out_plane) {
      T* at = plane;
      PRIVET_UNROLL for (std::size_t p = 0; p < Positions; ++p, at += by.out_position) {
        simd::store<Arch, T>(at, sum[a][p]);
      }
    }
  }
}

/// A row of outputs of one group: position m, one of `columns`, reads from m steps behind `in` on. A function of
/// its own, so that what is done with its result is not compiled into it.
///
/// length   0, or where a tap is a step back: position m reads inputs m + ahead, m + ahead - 1, ... of `length` in
///          all, and taps that no position of a tile needs are left out, unless `Taps` says how many there are
template <class Arch, int Taps, class Outs, class Columns, class T>
[[gnu::noinline]] void walk_row(Outs outs, Columns columns, const walk& by, std::ptrdiff_t ahead,
                                std::ptrdiff_t length, const T* in, const T* w, const T* start, T* out) {
  for_each_part<tile_positions, false>(
      columns, [&](auto positions, std::size_t p) __attribute__((always_inline)) {
        const auto at = static_cast<std::ptrdiff_t>(p);
        std::ptrdiff_t from = 0, to = static_cast<std::ptrdiff_t>(by.taps);
        if (Taps == 0 && length > 0) {
          from = std::max<std::ptrdiff_t>(0, at + ahead - length + 1);
          to = std::min(to, at + ahead + static_cast<std::ptrdiff_t>(positions()));
        }
        walk own = by;
        own.taps = static_cast<std::size_t>(std::max<std::ptrdiff_t>(to - from, 0));
        for_each_part<tile_outs, true>(
            outs, [&](auto some, std::size_t a) __attribute__((always_inline)) {
              const auto o = static_cast<std::ptrdiff_t>(a);
              const T* const first = by.start_position != 0
                                         ? start + o * by.start_plane + at * by.start_position
                                     : start ? start + a
                                             : start;
              walk_tile<Arch, some(), positions(), Taps>(own, in + at * by.in_position + from * by.in_tap,
                                                         w + o * by.w_out + from * by.w_tap, first,
                                                         out + o * by.out_plane + at * by.out_position);
            });
      });
}

/// g[o][t] += sum over `rows` by `columns` positions of dy[o] x[t], for `Outs` planes and `Taps` offsets;
/// from zero if `fresh`.
template <class Arch, std::size_t Outs, std::size_t Taps, class T>
[[gnu::always_inline]] inline void gradient_tile(std::size_t rows, std::size_t columns, bool fresh,
                                                 const T* x, const std::size_t* offsets, std::size_t x_row,
                                                 std::size_t x_step, const T* dy, std::size_t plane, T* g,
                                                 std::size_t g_out) {
  constexpr std::size_t wide = width<T, Arch>;
  for (std::size_t v = 0; v < lane_block; v += wide) {
    batch<T, Arch> sum[Outs][Taps];
    PRIVET_UNROLL for (std::size_t o = 0; o < Outs; ++o) PRIVET_UNROLL for (std::size_t t = 0; t < Taps; ++t)
        sum[o][t] = fresh ? simd::broadcast<Arch>(T{}) : simd::load<Arch>(g + o * g_out + t * lane_block + v);
    const T* from[Taps];
    PRIVET_UNROLL for (std::size_t t = 0; t < Taps; ++t) from[t] = x + offsets[t] + v;
    const T* delta = dy + v;
    for (std::size_t r = 0; r < rows; ++r) {
      std::size_t at = r * x_row;
      for (std::size_t i = columns; i > 0; --i, at += x_step, delta += lane_block) {
        batch<T, Arch> right[Taps];
        PRIVET_UNROLL for (std::size_t t = 0; t < Taps; ++t) right[t] =
            simd::held(simd::load<Arch>(from[t] + at));
        const T* one = delta;
        PRIVET_UNROLL for (std::size_t o = 0; o < Outs; ++o, one += plane) {
          const auto left = simd::held(simd::load<Arch>(one));
          PRIVET_UNROLL for (std::size_t t = 0; t < Taps; ++t) sum[o][t] =
              simd::fma(left, right[t], sum[o][t]);
        }
      }
    }
    PRIVET_UNROLL for (std::size_t o = 0; o < Outs; ++o) PRIVET_UNROLL for (std::size_t t = 0; t < Taps; ++t)
        simd::store<Arch, T>(g + o * g_out + t * lane_block + v, sum[o][t]);
  }
}

/// Adds to the gradient of the weights of one group what `rows` rows of deltas make of it.   x (channels, `high`
/// rows, padded width)
template <class Arch, class Outs, class Taps, class T>
[[gnu::noinline]] void group_gradient(Outs outs, Taps taps, const convolution& c, std::size_t rows,
                                      std::size_t high, bool fresh, const T* x, const T* dy, T* g) {
  const std::size_t columns = c.out_width(), across = c.padded_width();
  const std::size_t plane = c.out_height() * columns * lane_block, x_row = c.stride * across * lane_block;
  const std::size_t band =
      share<T>(band_scalars, (gradient_outs * columns + c.stride * across) * lane_block, rows);
  for (std::size_t first = 0; first < rows; first += band) {
    const std::size_t some_rows = std::min(band, rows - first);
    // The deltas of a tile stay in L1 while its taps go by.
    const std::size_t next_row = (across - c.window_width) * lane_block,
                      next_channel = (high - c.window_height) * across * lane_block;
    for_each_part<gradient_outs, false>(
        outs, [&](auto some_outs, std::size_t o) __attribute__((always_inline)) {
          std::size_t at = 0, row = 0, column = 0; // of the next tap
          for_each_part<gradient_taps, true>(
              taps, [&](auto some_taps, std::size_t t) __attribute__((always_inline)) {
                std::size_t offsets[some_taps()];
                for (std::size_t i = 0; i < some_taps(); ++i) {
                  offsets[i] = at;
                  at += lane_block;
                  if (++column < c.window_width) continue;
                  column = 0;
                  at += next_row;
                  if (++row < c.window_height) continue;
                  row = 0;
                  at += next_channel;
                }
                gradient_tile<Arch, some_outs(), some_taps()>(
                    some_rows, columns, fresh && first == 0, x + first * x_row, offsets, x_row,
                    c.stride * lane_block, dy + o * plane + first * columns * lane_block, plane,
                    g + (o * taps + t) * lane_block, taps * lane_block);
              });
        });
  }
}

/// to (channels, rows, side + width) = rows from `first` on of from (channels, height, width), behind zeros; `side`
/// zeros follow on the last one, so that each row lies between zeros. Those above and below are zeros too. Of lanes.
template <class Arch, class T>
void copy_between_zeros(std::size_t channels, std::size_t height, std::size_t width, std::ptrdiff_t first,
                        std::size_t rows, std::size_t side, const T* from, T* to) noexcept {
  constexpr std::size_t wide = simd::width<T, Arch>;
  const auto zero = simd::broadcast<Arch>(T{});
  const auto put_zeros = [&](std::size_t count) {
    for (const T* const end = to + count * lane_block; to < end; to += wide) simd::store<Arch, T>(to, zero);
  };
  for (std::size_t i = 0; i < channels; ++i, from += height * width * lane_block)
    for (std::size_t r = 0; r < rows; ++r) {
      put_zeros(side);
      const auto at =
          static_cast<std::size_t>(first + static_cast<std::ptrdiff_t>(r)); // large where negative
      if (at >= height) {
        put_zeros(width);
        continue;
      }
      const T* row = from + at * width * lane_block;
      for (const T* const end = row + width * lane_block; row < end; row += wide, to += wide)
        simd::store<Arch, T>(to, simd::load<Arch>(row));
    }
  put_zeros(side);
}

/// How many rows of outputs to make of one strip, and how many rows that strip has at most.
struct strips {
  std::size_t rows, high;
};
template <class T>
constexpr strips ahead_strips(const convolution& c) noexcept {
  if (c.padding == 0) return {c.out_height(), c.height};
  const std::size_t piece = c.group_channels() * c.padded_width() * lane_block * c.stride,
                    rows = share<T>(strip_scalars, piece, c.out_height());
  return {rows, (rows - 1) * c.stride + c.window_height};
}
template <class T>
constexpr strips back_strips(const convolution& c) noexcept {
  const std::size_t piece = c.group_outs() * (c.out_width() + tile_positions - 1) * lane_block,
                    rows = share<T>(strip_scalars * c.stride, piece, c.height);
  return {rows, std::min(c.out_height(), (rows + c.window_height - 2) / c.stride + 1)};
}

} // namespace detail

/// Scalars of scratch that the kernels below need, of any type: rows of a group between zeros.
constexpr std::size_t convolution_scratch(const convolution& c) noexcept {
  const std::size_t ahead = c.group_channels() * detail::ahead_strips<float>(c).high * c.padded_width(),
                    back = c.group_outs() * detail::back_strips<float>(c).high *
                           (c.out_width() + detail::tile_positions - 1);
  return std::max(c.padding > 0 ? ahead + c.padding : 0, back + detail::tile_positions - 1) * lane_block;
}

/// y = x * w + bias, of one block of lanes.   x (channels, height, width), w (outs, channels of a group, window
/// height, window width), y (outs, out height, out width).
///
/// Taps            0, or the width of the window, where the stride is 1
/// outs, columns   group_outs() and out_width(), as constants where they are known
/// scratch         as large as `convolution_scratch` says; of no use where nothing is padded
/// done(first, n)  is called for each finished piece of y, `first` scalars from its start
template <class Arch = default_arch, int Taps = 0, class Outs, class Columns, class T, class Done>
void convolve(const convolution& c, Outs outs, Columns columns, const T* x, const T* w, const T* bias, T* y,
              T* scratch, const Done& done) {
  const std::size_t plane = c.height * c.width * lane_block, across = c.padded_width() * lane_block,
                    out_plane = c.out_height() * c.out_width() * lane_block,
                    out_row = c.out_width() * lane_block;
  const auto step = [](std::size_t n) { return static_cast<std::ptrdiff_t>(n); };
  detail::walk by{.channels = 0,
                  .rows = 0,
                  .taps = c.window_width,
                  .in_channel = step(plane),
                  .in_row = step(across),
                  .in_tap = step(lane_block),
                  .in_position = step(c.stride * lane_block),
                  .w_out = step(c.taps()),
                  .w_channel = step(c.window_size()),
                  .w_row = step(c.window_width),
                  .w_tap = 1,
                  .out_plane = step(out_plane),
                  .out_position = step(lane_block)};
  const std::size_t some_rows = detail::ahead_strips<T>(c).rows;
  const std::size_t window = c.window_height * (detail::tile_positions * c.stride + c.window_width);
  const std::size_t some = detail::share<T>(detail::band_scalars, window * lane_block, c.group_channels());
  for (std::size_t g = 0; g < c.groups; ++g, x += c.group_channels() * plane)
    for (std::size_t first = 0; first < c.out_height(); first += some_rows) {
      const std::size_t last = std::min(first + some_rows, c.out_height()) - 1;
      // Rows of the image that this strip reads; none beyond its edges.
      const std::size_t top = std::max(first * c.stride, c.padding) - c.padding,
                        end = std::min(last * c.stride + c.window_height - c.padding, c.height);
      const T* strip = x + top * across;
      if (c.padding > 0) {
        detail::copy_between_zeros<Arch>(c.group_channels(), c.height, c.width, step(top), end - top,
                                         c.padding, x, scratch);
        strip = scratch;
        by.in_channel = step((end - top) * across);
      }
      for (std::size_t r = first; r <= last; ++r) {
        const std::size_t at = r * c.stride, skipped = std::max(at, c.padding) - at;
        by.rows = std::min(c.window_height, c.height + c.padding - at) - skipped;
        const std::size_t from = g * c.group_outs() * out_plane + r * out_row;
        for (std::size_t i = 0; i < c.group_channels(); i += some) {
          by.channels = std::min(some, c.group_channels() - i);
          by.start_plane = i > 0 ? by.out_plane : 0;
          by.start_position = i > 0 ? by.out_position : 0;
          detail::walk_row<Arch, Taps>(
              detail::size_of(outs), detail::size_of(columns), by, 0, 0,
              strip + step(i) * by.in_channel + (at + skipped - c.padding - top) * across,
              w + g * c.group_outs() * c.taps() + i * c.window_size() + skipped * c.window_width,
              i > 0 ? y + from : bias + g * c.group_outs(), y + from);
        }
        for (std::size_t o = 0; o < c.group_outs(); ++o) done(from + o * out_plane, out_row);
      }
    }
}

/// The widest window that `convolve_back` takes as a constant.
inline constexpr std::size_t most_taps_back = detail::tile_positions;

/// dx = the deltas of the input, of one block of lanes.   dy (outs, out height, out width), dx (channels,
/// height, width).
///
/// Taps            0, or the width of the window, where the stride is 1; `most_taps_back` at most
/// channels        group_channels(), as a constant where it is known
/// columns         width, as a constant where it is known and the stride is 1; else any number
/// scratch         as large as `convolution_scratch` says
/// done(first, n)  as in `convolve`, of dx
template <class Arch = default_arch, int Taps = 0, class Channels, class Columns, class T, class Done>
void convolve_back(const convolution& c, Channels channels, Columns columns, const T* dy, const T* w, T* dx,
                   T* scratch, const Done& done) {
  // A tile of positions reads past both ends of a row of deltas, by less than its length, or by what the window does:
  // zeros there.
  const std::size_t past_ends = Taps > 0 ? c.window_width - 1 - c.padding : detail::tile_positions - 1,
                    side = past_ends * lane_block, long_row = c.out_width() * lane_block + side;
  const auto step = [](std::size_t n) { return static_cast<std::ptrdiff_t>(n); };
  const std::size_t s = c.stride, plane = c.height * c.width * lane_block;
  detail::walk by{.channels = 0,
                  .rows = 0,
                  .taps = 0,
                  .in_channel = 0,
                  .in_row = -step(long_row),
                  .in_tap = -step(lane_block),
                  .in_position = step(lane_block),
                  .w_out = step(c.window_size()),
                  .w_channel = step(c.taps()),
                  .w_row = step(s * c.window_width),
                  .w_tap = step(s),
                  .out_plane = step(plane),
                  .out_position = step(s * lane_block)};
  const std::size_t some_rows = detail::back_strips<T>(c).rows;
  const std::size_t window =
      ((c.window_height - 1) / s + 1) * (detail::tile_positions + (c.window_width - 1) / s);
  const std::size_t some = detail::share<T>(detail::band_scalars, window * lane_block, c.group_outs());
  const std::size_t past = c.out_height() - 1;
  for (std::size_t g = 0; g < c.groups;
       ++g, dy += c.group_outs() * c.out_height() * c.out_width() * lane_block)
    for (std::size_t first = 0; first < c.height; first += some_rows) {
      const std::size_t behind = std::min(first + some_rows, c.height);
      // Rows of deltas that meet this strip.
      const std::size_t end = std::min((behind - 1 + c.padding) / s, past) + 1,
                        top = std::min(
                            (std::max(first + c.padding + s, c.window_height) - c.window_height) / s, end);
      detail::copy_between_zeros<Arch>(c.group_outs(), c.out_height(), c.out_width(), step(top), end - top,
                                       past_ends, dy, scratch);
      by.in_channel = step((end - top) * long_row);
      for (std::size_t y = first; y < behind; ++y) {
        // Taps that meet row y: ky of one remainder by the stride, with 0 <= (y + padding - ky) / s < rows.
        const std::size_t at = y + c.padding;
        std::size_t ky = at % s;
        if (at > past * s) ky = std::max(ky, at - past * s);
        by.rows = ky < c.window_height && ky <= at ? (std::min(c.window_height - 1, at) - ky) / s + 1 : 0;
        const T* const deltas = scratch + side + (by.rows > 0 ? (at - ky) / s - top : 0) * long_row;
        T* const out = dx + g * c.group_channels() * plane + y * c.width * lane_block;
        for (std::size_t x = 0; x < std::min(s, c.width); ++x) { // positions x, x + s, ...
          const std::size_t kx = (x + c.padding) % s, count = (c.width - x + s - 1) / s;
          by.taps = kx < c.window_width ? (c.window_width - 1 - kx) / s + 1 : 0;
          const T* const weights = w + g * c.group_outs() * c.taps() +
                                   (by.rows > 0 ? ky * c.window_width : 0) + (by.taps > 0 ? kx : 0);
          const std::ptrdiff_t ahead = step((x + c.padding - kx) / s);
          const auto run = [&](auto n) {
            for (std::size_t i = 0; i < c.group_outs(); i += some) {
              by.channels = std::min(some, c.group_outs() - i);
              by.start_plane = i > 0 ? by.out_plane : 0;
              by.start_position = i > 0 ? by.out_position : 0;
              detail::walk_row<Arch, -Taps>(
                  detail::size_of(channels), n, by, ahead, step(c.out_width()),
                  deltas + step(i) * by.in_channel + ahead * step(lane_block), weights + i * c.taps(),
                  i > 0 ? out + x * lane_block : static_cast<const T*>(nullptr), out + x * lane_block);
            }
          };
          if constexpr (detail::known<Columns> != 0)
            run(columns);
          else
            run(count);
        }
        for (std::size_t i = 0; i < c.group_channels(); ++i)
          done(static_cast<std::size_t>(out - dx) + i * plane, c.width * lane_block);
      }
    }
}

/// g (outs, taps) = the gradients of the weights and, behind them, of the biases (outs), of each lane.
///
/// scratch   as for `convolve`
/// fresh     false: they are added to g
template <class Arch = default_arch, class Outs, class Taps, class T>
void convolution_gradient(const convolution& c, Outs outs, Taps taps, const T* x, const T* dy, T* g,
                          T* scratch, bool fresh = true) {
  const std::size_t positions = c.out_height() * c.out_width(), plane = positions * lane_block;
  const auto [some_rows, most_high] = detail::ahead_strips<T>(c);
  for (std::size_t i = 0; i < c.groups; ++i, x += c.group_channels() * c.height * c.width * lane_block)
    for (std::size_t first = 0; first < c.out_height(); first += some_rows) {
      const std::size_t rows = std::min(some_rows, c.out_height() - first);
      const T* strip = x;
      if (c.padding > 0) {
        const auto top =
            static_cast<std::ptrdiff_t>(first * c.stride) - static_cast<std::ptrdiff_t>(c.padding);
        detail::copy_between_zeros<Arch>(c.group_channels(), c.height, c.width, top, most_high, c.padding, x,
                                         scratch);
        strip = scratch;
      }
      detail::group_gradient<Arch>(detail::size_of(outs), detail::size_of(taps), c, rows, most_high,
                                   fresh && first == 0, strip,
                                   dy + i * c.group_outs() * plane + first * c.out_width() * lane_block,
                                   g + i * c.group_outs() * c.taps() * lane_block);
    }
  constexpr std::size_t wide = width<T, Arch>;
  T* const biases = g + c.weights() * lane_block;
  for (std::size_t o = 0; o < c.outs * lane_block; o += 4 * wide) {
    // Four sums at a time hide the latency of an addition.
    const auto place = [&](std::size_t i) {
      const std::size_t at = std::min(o + i * wide, c.outs * lane_block - wide);
      return dy + at / lane_block * plane + at % lane_block;
    };
    const T *a = place(0), *b = place(1), *d = place(2), *e = place(3);
    auto p = simd::broadcast<Arch>(T{}), q = p, r = p, s = p;
    for (std::size_t i = 0; i < plane; i += lane_block) {
      p = p + simd::load<Arch>(a + i);
      q = q + simd::load<Arch>(b + i);
      r = r + simd::load<Arch>(d + i);
      s = s + simd::load<Arch>(e + i);
    }
    const auto put = [&](std::size_t i, const batch<T, Arch>& sum) {
      T* const to = biases + o + i * wide;
      if (to >= biases + c.outs * lane_block) return;
      simd::store<Arch, T>(to,
                           fresh ? sum : batch<T, Arch>(simd::load<Arch>(static_cast<const T*>(to)) + sum));
    };
    put(0, p);
    put(1, q);
    put(2, r);
    put(3, s);
  }
}

/// Additions one after another that `add_lane_squares` makes of so many numbers.
constexpr std::size_t lane_squares_depth(std::size_t count) noexcept { return count / 4 + 6; }

/// norms[lane] += sum of the squares of g (count, lane_block) in the lane, in four chains.
///
/// Ensures  never less than it by more than rounding: squares that underflow count as if they did not
template <class Arch = default_arch, class T>
void add_lane_squares(std::size_t count, const T* g, T* norms) noexcept {
  constexpr std::size_t chains = 4;
  const auto zero = simd::broadcast<Arch>(T{}),
             least = simd::broadcast<Arch>(static_cast<T>(count) * std::numeric_limits<T>::min());
  for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
    batch<T, Arch> sum[chains] = {zero, zero, zero, zero};
    const auto add = [&](std::size_t i, std::size_t k) __attribute__((always_inline)) {
      const auto x = simd::load<Arch>(g + i * lane_block + v);
      sum[k] = simd::fma(x, x, sum[k]);
    };
    std::size_t i = 0;
    for (; i + chains <= count; i += chains) PRIVET_UNROLL
    for (std::size_t k = 0; k < chains; ++k) add(i + k, k);
    for (; i < count; ++i) add(i, 0);
    const auto all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    simd::store<Arch, T>(norms + v, simd::load<Arch>(static_cast<const T*>(norms + v)) + (all + least));
  }
}

/// total (count, lane_block) += g, or += weights[lane] g: a lane of weight zero is masked, whatever it holds.
template <class Arch = default_arch, class T>
void add_lanes(std::size_t count, const T* g, const T* weights, T* total) noexcept {
  constexpr std::size_t wide = width<T, Arch>;
  const auto zero = simd::broadcast<Arch>(T{});
  for (std::size_t v = 0; v < lane_block; v += wide) {
    const auto c = weights ? simd::load<Arch>(weights + v) : zero;
    for (std::size_t i = v; i < count * lane_block; i += lane_block) {
      const auto x = simd::load<Arch>(g + i), sum = simd::load<Arch>(static_cast<const T*>(total + i));
      simd::store<Arch, T>(total + i,
                           weights ? simd::fma(c, simd::select(c == zero, zero, x), sum) : sum + x);
    }
  }
}

/// to[i] = the sum of g[i] over the lanes of all blocks, each lane times its weight, as `add_lanes` would add them;
/// or that added, or subtracted. g (count, lane_block) of the first block; the next ones `next` scalars on;
/// weights (blocks, lane_block) or none; to (count).
template <class Arch = default_arch, class T, class How>
void sum_lanes(std::size_t count, std::size_t blocks, const T* g, std::size_t next, const T* weights, T* to,
               [[maybe_unused]] How how) {
  constexpr std::size_t wide = width<T, Arch>;
  const auto zero = simd::broadcast<Arch>(T{});
  const auto over_blocks = [&](const T* from, std::size_t v) __attribute__((always_inline)) {
    auto sum = zero;
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto x = simd::load<Arch>(from + b * next + v);
      if (weights) {
        const auto c = simd::load<Arch>(weights + b * lane_block + v);
        sum = simd::fma(c, simd::select(c == zero, zero, x), sum);
      } else {
        sum = sum + x;
      }
    }
    return sum;
  };
  const auto over_lanes = [&](const T* from) __attribute__((always_inline)) {
    auto sum = over_blocks(from, 0);
    for (std::size_t v = wide; v < lane_block; v += wide) sum = sum + over_blocks(from, v);
    return sum;
  };
  for_each_batch<Arch, T>(count, [&](std::size_t i, auto lanes) {
    batch<T, Arch> each[wide];
    PRIVET_UNROLL for (std::size_t j = 0; j < wide; ++j) each[j] =
        i + j < count ? over_lanes(g + (i + j) * lane_block) : zero;
    auto sum = simd::reduce_each<Arch, T>(each);
    const auto held = [&] { return simd::load_lanes<Arch>(static_cast<const T*>(to + i), lanes); };
    if constexpr (std::is_same_v<How, add>) sum = held() + sum;
    if constexpr (std::is_same_v<How, subtract<T>>)
      sum = simd::fma(simd::broadcast<Arch>(-how.scale), sum, held());
    simd::store_lanes<Arch, T>(to + i, sum, lanes);
  });
}

/// The sizes of a pool, of `channels` planes one by one.
struct pooling {
  std::size_t channels, height, width;
  std::size_t window_height, window_width;
  std::size_t stride = 1, padding = 0;

  constexpr std::size_t out_height() const noexcept {
    return positions(height, window_height, stride, padding);
  }
  constexpr std::size_t out_width() const noexcept { return positions(width, window_width, stride, padding); }
};

namespace detail {

/// What a window covers inside the plane, along one side.
struct range {
  std::size_t from, to;
};
constexpr range covered(std::size_t at, std::size_t stride, std::size_t padding, std::size_t window,
                        std::size_t size) noexcept {
  const std::size_t first = at * stride;
  return {first > padding ? first - padding : 0, std::min(first + window - padding, size)};
}

/// Calls f(out, first, rows, columns) for each window: where its result goes, where it starts inside the plane, and
/// how much of it lies there, which is a constant where the window's sizes are and nothing is padded.
template <class High, class Across, class F>
[[gnu::always_inline]] inline void for_each_window(const pooling& p, High high, Across across, F&& f) {
  const std::size_t rows = p.out_height(), columns = p.out_width(), row = p.width * lane_block;
  std::size_t out = 0;
  for (std::size_t c = 0; c < p.channels; ++c)
    for (std::size_t r = 0; r < rows; ++r) {
      if (p.padding == 0) {
        std::size_t first = (c * p.height + r * p.stride) * row;
        for (std::size_t i = 0; i < columns; ++i, out += lane_block, first += p.stride * lane_block)
          f(out, first, high, across);
        continue;
      }
      const range y = covered(r, p.stride, p.padding, p.window_height, p.height);
      for (std::size_t i = 0; i < columns; ++i, out += lane_block) {
        const range x = covered(i, p.stride, p.padding, p.window_width, p.width);
        f(out, (c * p.height + y.from) * row + x.from * lane_block, y.to - y.from, x.to - x.from);
      }
    }
}

/// The largest of rows by columns; a NaN if there is one.
template <class Arch, class T, class Rows, class Columns>
[[gnu::always_inline]] inline batch<T, Arch> largest(const T* from, std::size_t row, Rows rows,
                                                     Columns columns) {
  auto most = simd::load<Arch>(from);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < columns; ++i) {
      const auto next = simd::load<Arch>(from + r * row + i * lane_block);
      most = simd::select(next > most, next, simd::select(next == next, most, next));
    }
  return most;
}

} // namespace detail

// `high` and `across` are the window's sizes, as constants where they are known.

/// y = the largest of each window; NaN where there is one.
template <class Arch = default_arch, class High, class Across, class T, class F>
void max_pool(const pooling& p, High high, Across across, const T* x, T* y, const F& finish) {
  const std::size_t row = p.width * lane_block;
  detail::for_each_window(p, high, across, [&](std::size_t out, std::size_t first, auto rows, auto columns) {
    for (std::size_t v = 0; v < lane_block; v += width<T, Arch>)
      simd::store<Arch, T>(y + out + v, finish(detail::largest<Arch>(x + first + v, row, rows, columns)));
  });
}

/// dx = finish(dy at the first largest of each window and zero elsewhere, x).
template <class Arch = default_arch, class High, class Across, class T, class F>
void max_pool_back(const pooling& p, High high, Across across, const T* x, const T* dy, T* dx,
                   const F& finish) {
  const auto zero = simd::broadcast<Arch>(T{});
  const std::size_t size = p.channels * p.height * p.width * lane_block, row = p.width * lane_block;
  const auto run = [&](auto put) {
    // What was written may have gone through an activation: the largest is found again.
    detail::for_each_window(p, high, across,
                            [&](std::size_t out, std::size_t first, auto rows, auto columns) {
                              for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
                                const T* const from = x + first + v;
                                const auto most = detail::largest<Arch>(from, row, rows, columns);
                                auto left = simd::load<Arch>(dy + out + v);
                                for (std::size_t r = 0; r < rows; ++r)
                                  for (std::size_t i = 0; i < columns; ++i) {
                                    const std::size_t at = r * row + i * lane_block;
                                    const auto value = simd::load<Arch>(from + at);
                                    const auto less = value < most; // not where one of them is NaN
                                    put(dx + first + v + at, simd::select(less, zero, left), value);
                                    left = simd::select(less, left, zero);
                                  }
                              }
                            });
  };
  // Where windows lie side by side without a gap each element is written once, and finished at once.
  if (p.stride == p.window_height && p.stride == p.window_width && p.padding == 0 &&
      p.height % p.stride == 0 && p.width % p.stride == 0)
    return run([&](T * to, const auto& d, const auto& value)
                   __attribute__((always_inline)) { simd::store<Arch, T>(to, finish(d, value)); });
  std::fill_n(dx, size, T{});
  run([](T * to, const auto& d, const auto&) __attribute__((always_inline)) {
    simd::store<Arch, T>(to, simd::load<Arch>(static_cast<const T*>(to)) + d);
  });
  for (std::size_t i = 0; i < size; i += width<T, Arch>)
    simd::store<Arch, T>(dx + i,
                         finish(simd::load<Arch>(static_cast<const T*>(dx + i)), simd::load<Arch>(x + i)));
}

/// y = the sum of each window over its size, of which padding is a part.
template <class Arch = default_arch, class High, class Across, class T, class F>
void average_pool(const pooling& p, High high, Across across, const T* x, T* y, const F& finish) {
  const auto share = simd::broadcast<Arch>(T{1} / static_cast<T>(p.window_height * p.window_width));
  detail::for_each_window(p, high, across, [&](std::size_t out, std::size_t first, auto rows, auto columns) {
    for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
      auto sum = simd::broadcast<Arch>(T{});
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < columns; ++i)
          sum = sum + simd::load<Arch>(x + first + v + (r * p.width + i) * lane_block);
      simd::store<Arch, T>(y + out + v, finish(sum * share));
    }
  });
}

/// dx = finish(each element's share of its windows' dy, x).
template <class Arch = default_arch, class High, class Across, class T, class F>
void average_pool_back(const pooling& p, High high, Across across, const T* x, const T* dy, T* dx,
                       const F& finish) {
  const auto share = simd::broadcast<Arch>(T{1} / static_cast<T>(p.window_height * p.window_width));
  const std::size_t size = p.channels * p.height * p.width * lane_block;
  std::fill_n(dx, size, T{});
  detail::for_each_window(p, high, across, [&](std::size_t out, std::size_t first, auto rows, auto columns) {
    for (std::size_t v = 0; v < lane_block; v += width<T, Arch>) {
      const auto part = simd::load<Arch>(dy + out + v) * share;
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < columns; ++i) {
          T* const to = dx + first + v + (r * p.width + i) * lane_block;
          simd::store<Arch, T>(to, simd::load<Arch>(static_cast<const T*>(to)) + part);
        }
    }
  });
  for (std::size_t i = 0; i < size; i += width<T, Arch>)
    simd::store<Arch, T>(dx + i,
                         finish(simd::load<Arch>(static_cast<const T*>(dx + i)), simd::load<Arch>(x + i)));
}

} // namespace privet::simd::inline PRIVET_ISA
