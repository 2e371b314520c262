#pragma once
// Layers that read a row as the steps of a sequence and carry a state from one to the next: what lstm
// (nn/lstm.hpp) and gru (nn/gru.hpp) share.

#include <privet/nn/layer.hpp>
#include <privet/simd/gemm.hpp>
#include <privet/simd/reduce.hpp>
#include <privet/simd/transpose.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace privet {

namespace detail {

/// Scalars of a gradient that are formed at a time for its norm.
inline constexpr std::size_t formed_at_once = 2048;

/// |sum over t of a_t d_t^T|^2 for one example, a (steps, k) and d (steps, n): of the gradient as it is added
/// up, formed piece by piece in `room` (max(n, formed_at_once)).
///
/// Ensures  never less than it by more than rounding of a sum of squares: those that underflow count as if
///          they did not
template <class Arch, class T>
T formed_square(std::size_t steps, std::size_t k, std::size_t n, const T* a, const T* d, T* room) {
  const std::size_t most = std::max<std::size_t>(1, formed_at_once / n);
  T sum{};
  for (std::size_t i = 0; i < k; i += most) {
    const std::size_t some = std::min(most, k - i);
    simd::outer<Arch>(steps, some, n, a + i, k, d, room, simd::write{});
    sum += simd::sum_squares<Arch>(std::span<const T>(room, some * n));
  }
  return sum + static_cast<T>(k * n) * std::numeric_limits<T>::min();
}
/// The same of the biases beside them: |sum over t of d_t|^2.
template <class Arch, class T>
T formed_bias_square(std::size_t steps, std::size_t n, const T* d, T* room) {
  simd::sum_rows<Arch>(steps, n, d, room, simd::write{});
  return simd::sum_squares<Arch>(std::span<const T>(room, n)) +
         static_cast<T>(n) * std::numeric_limits<T>::min();
}

/// Columns of a table of products of steps: whole batches.
template <class Arch, class T>
constexpr std::size_t gram_columns(std::size_t steps) noexcept {
  constexpr std::size_t wide = simd::width<T, Arch>;
  return (steps + wide - 1) / wide * wide;
}
/// gram (steps, across) = a a^T for a (steps, k), or += it; `turned` holds (k, across).
template <class Arch, class T, class How>
void gram(std::size_t steps, std::size_t across, std::size_t k, const T* a, T* turned, T* gram, How how) {
  simd::turn<Arch>(steps, k, a, turned, across);
  simd::outer<Arch>(k, steps, across, turned, across, turned, gram, how);
}

/// |sum over t of (a_t, 1 .. 1) d_t^T|^2 with `ones` ones, from the products of steps: `left` = a a^T over
/// `k` numbers each, `right` = d d^T over `n`.
///
/// Formula  sum over s, t of (a_s . a_t + ones) (d_s . d_t)
/// Ensures  not below the squared norm of the gradient as it is added up: what both may be off by, with
///          S = sum over t of |(a_t, 1)| |d_t|, is added. Where steps do not cancel that is a few 1e-5 of it
///          in float
/// Source   Li, Tramer, Liang, Hashimoto, ICLR 2022, arXiv:2110.05679, section 4
template <class Arch, class T>
T ghost_square(std::size_t steps, std::size_t across, std::size_t k, std::size_t n, T ones, const T* left,
               const T* right) {
  const auto every = simd::broadcast<Arch>(ones);
  T sum{}, lengths{}, of_a{}, of_d{};
  for (std::size_t t = 0; t < steps; ++t) {
    auto row = simd::broadcast<Arch>(T{});
    simd::for_each_batch<Arch, T>(across, [&](std::size_t i, auto lanes) {
      const std::size_t at = t * across + i;
      row = simd::fma(simd::load_lanes<Arch>(left + at, lanes) + every,
                      simd::load_lanes<Arch>(right + at, lanes), row);
    });
    sum += simd::reduce_add(row);
    const T a = std::sqrt(left[t * across + t] + ones), d = std::sqrt(right[t * across + t]);
    lengths = simd::fma(a, d, lengths);
    of_a += a;
    of_d += d;
  }
  const T u = std::numeric_limits<T>::epsilon() / 2, least = std::numeric_limits<T>::min();
  const auto number = [](std::size_t count) { return static_cast<T>(count); };
  const T off = u * number(k + n + across + steps + 16); // of each product of steps, and of their sum
  lengths *= 1 + off;
  const T squares =
      simd::fma(T(number(k) * of_d), of_d, simd::fma(T(number(n) * of_a), of_a, number(steps * across)));
  const T square = simd::fma(least, squares, simd::fma(T(off * lengths), lengths, std::max(sum, T{})));
  // The last sum is as that over steps of each number is. What is returned will be added.
  const T norm = simd::fma(T(u * number(steps + 1)), lengths, std::sqrt(square));
  return simd::fma(norm, norm, T{});
}

} // namespace detail

/// A layer that reads step after step of a sequence, each with the state that the one before it left; the
/// first state is zero. `lstm` and `gru` are this one with their cells.
///
/// Shapes    x (rows, Steps * In), one step after the other; y (rows, Written * Hidden), the states of the
///           last Written steps: all of them unless stated, 1 is `output[:, -1]`. `lstm<28, 28, 64, 1>{}` has
///           the sizes in the type, `lstm<>{28, 28, 64, 1}` carries them; both give the same bits
/// Order     W (In, G), U (Hidden, G), b (G), c (G) for G = gates * Hidden, gate after gate. Files hold
///           `weight_ih_l0` (G, In), `weight_hh_l0` (G, Hidden), `bias_ih_l0` (G) and `bias_hh_l0` (G), as
///           torch does
/// Begins    with numbers of deviation 1 / sqrt(3 Hidden), biases too, as torch's: under `glorot_uniform`
///           uniform in +-1 / sqrt(Hidden), its very law; under `he_normal` normal
/// Norms     exact, of the sum over the steps: from products of steps, (X X^T) (D D^T), where that costs less
///           than the gradient of an example, which else is formed piece by piece. The first adds what
///           rounding may have taken away, so that neither is below the norm of what is added up
///           (docs/nn/recurrent.md)
/// Requires  1 <= Steps, In, Hidden; 1 <= Written <= Steps
/// Test      tests/nn/recurrent.test.cpp, against PyTorch
template <class Cell, std::size_t Steps = dynamic, std::size_t In = dynamic, std::size_t Hidden = dynamic,
          std::size_t Written = Steps>
struct recurrent {
  [[no_unique_address]] extent<Steps> steps{};
  [[no_unique_address]] extent<In> in{};
  [[no_unique_address]] extent<Hidden> hidden{};
  [[no_unique_address]] extent<Written> written{Written == dynamic ? std::size_t{steps} : Written};

  using cell = Cell;
  static constexpr bool weighs = true;
  static constexpr std::size_t static_in = Steps == dynamic || In == dynamic ? dynamic : Steps * In;
  static constexpr std::size_t static_out =
      Written == dynamic || Hidden == dynamic ? dynamic : Written * Hidden;
  static constexpr std::size_t static_size =
      In == dynamic || Hidden == dynamic ? dynamic : Cell::gates * Hidden * (In + Hidden + 2);

  constexpr std::size_t in_width() const noexcept { return steps * std::size_t{in}; }
  constexpr std::size_t out_width(std::size_t) const noexcept { return written * std::size_t{hidden}; }
  constexpr bool accepts(std::size_t width) const noexcept { return width == in_width(); }
  constexpr std::size_t size(std::size_t) const noexcept { return width() * (in + hidden + std::size_t{2}); }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for sizes that are none, with both sides.
  void check() const {
    const auto possible = [](const char* what, std::size_t n, std::size_t most) {
      require(n >= 1 && n <= most, fault::argument, Cell::name, ": ", what, " of ", n, ", possible is 1 to ",
              most);
    };
    possible("a number of steps", steps, widest_layer);
    possible("steps with a width", in, widest_layer / steps);
    possible("states with a width", hidden, widest_layer / steps);
    possible("a number of written states", written, steps);
  }

  /// Of each step: gates, then their deltas; cells, or the deltas of what comes from the state; the state
  /// before it.
  std::array<std::size_t, 3> kept_widths() const noexcept {
    return {steps * width(), steps * Cell::second(hidden), steps * std::size_t{hidden}};
  }
  std::size_t scratch(std::size_t rows) const noexcept {
    const std::size_t back = rows * (2 * hidden + width()) + simd::back_scratch(rows * steps, width());
    return std::max({hidden + back, formed_at_once(), gram_room()});
  }
  /// Additions in a row of the sum of an example's squares.
  std::size_t norm_depth() const noexcept { return formed_at_once() + width() + in + hidden; }

  template <class Arch, class T>
  void forward(std::span<const T> p, const layer_rows<T>& call, T* y, layer_context) const {
    const std::size_t rows = call.rows, count = steps, h = hidden, g = width(), wide = Cell::second(h),
                      unwritten = steps - written;
    const auto weights = weights_of(p.data());
    const auto own = arrays(call);
    simd::affine<Arch>(rows * count, g, std::size_t{in}, call.input, weights.input, weights.bias, own.deltas);
    T* const zeros = call.scratch;
    T* const state = zeros + h;
    T* const sums = state + rows * h;
    std::fill_n(zeros, h + rows * h, T{});
    for (std::size_t t = 0; t < count; ++t) {
      simd::affine<Arch>(rows, g, h, static_cast<const T*>(state), weights.state, weights.state_bias, sums);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = r * count + t;
        T* const second = own.second + at * wide;
        std::copy_n(state + r * h, h, own.before + at * h);
        Cell::template forward<Arch>(h, own.deltas + at * g, second, t > 0 ? second - wide : zeros,
                                     static_cast<const T*>(sums + r * g), state + r * h);
        if (t >= unwritten) std::copy_n(state + r * h, h, y + (r * written + t - unwritten) * h);
      }
    }
  }

  /// `dx` is null for the first layer of a network.
  template <class Arch, class T>
  void backward(std::span<const T> p, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    const std::size_t rows = call.rows, count = steps, h = hidden, g = width(), wide = Cell::second(h),
                      unwritten = steps - written;
    const auto weights = weights_of(p.data());
    const auto own = arrays(call);
    const auto as_computed = [](const auto& d, const auto&) { return d; };
    T* const zeros = call.scratch;
    T* const later = zeros + h;        // what the step after this one hands back, through U
    T* const carry = later + rows * h; // and past it
    T* const deltas = carry + rows * h;
    T* const room = deltas + rows * g;
    std::fill_n(zeros, h + 2 * rows * h, T{});
    for (std::size_t t = count; t-- > 0;) {
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t at = r * count + t;
        T* const second = own.second + at * wide;
        const T* const given = t >= unwritten ? dy + (r * written + t - unwritten) * h : zeros;
        Cell::template backward<Arch>(h, own.deltas + at * g, second, t > 0 ? second - wide : zeros,
                                      static_cast<const T*>(own.before + at * h), given,
                                      static_cast<const T*>(later + r * h), carry + r * h);
        std::copy_n(own.of_state(at * g), g, deltas + r * g);
      }
      if (t > 0)
        simd::back_by_input<Arch>(rows, g, h, static_cast<const T*>(deltas), weights.state,
                                  static_cast<const T*>(later), later, room, as_computed);
    }
    if (dx)
      simd::back_by_input<Arch>(rows * count, g, std::size_t{in}, static_cast<const T*>(own.deltas),
                                weights.input, call.input, dx, room, as_computed);
  }

  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T*, std::span<T> norms) const {
    add_squared_norms<Arch>(call, norms, by_products());
  }
  /// In one way or the other. From products of steps `scratch` has to hold gram_room().
  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, std::span<T> norms, bool from_products) const {
    const std::size_t count = steps, k = in, h = hidden, g = width();
    const auto own = arrays(call);
    for (std::size_t r = 0; r < call.rows; ++r) {
      const T* const x = call.input + r * count * k;
      const T* const before = own.before + r * count * h;
      const T* const d = own.deltas + r * count * g;
      const T* const e = own.of_state(r * count * g);
      T* const room = call.scratch;
      if (!from_products) {
        const T bias = detail::formed_bias_square<Arch>(count, g, d, room);
        norms[r] += detail::formed_square<Arch>(count, k, g, x, d, room) +
                    detail::formed_square<Arch>(count, h, g, before, e, room) + bias +
                    (Cell::one_delta ? bias : detail::formed_bias_square<Arch>(count, g, e, room));
        continue;
      }
      const std::size_t across = detail::gram_columns<Arch, T>(count);
      T* const left = room;
      T* const right = left + count * across;
      T* const turned = right + count * across;
      detail::gram<Arch>(count, across, k, x, turned, left, simd::write{});
      detail::gram<Arch>(count, across, g, d, turned, right, simd::write{});
      if constexpr (Cell::one_delta) {
        detail::gram<Arch>(count, across, h, before, turned, left, simd::add{});
        norms[r] += detail::ghost_square<Arch>(count, across, k + h, g, T{2}, left, right);
      } else {
        norms[r] += detail::ghost_square<Arch>(count, across, k, g, T{1}, left, right);
        detail::gram<Arch>(count, across, h, before, turned, left, simd::write{});
        detail::gram<Arch>(count, across, g, e, turned, right, simd::write{});
        norms[r] += detail::ghost_square<Arch>(count, across, h, g, T{1}, left, right);
      }
    }
  }
  /// Whether norms are made from products of steps: where that is less work.
  bool by_products() const noexcept {
    const std::size_t both = in + hidden, deltas = Cell::one_delta ? width() : 2 * width();
    return padded_steps() * (both + deltas) < width() * both;
  }
  std::size_t gram_room() const noexcept {
    return by_products() ? padded_steps() * (2 * steps + std::max<std::size_t>(in, width())) : 0;
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T*, std::span<T> g) const {
    if (call.coefficients)
      add_weighed<Arch>(call, T{-1}, g.data());
    else
      add_all<Arch>(call, g.data(), simd::add{});
  }
  template <class Arch, class T>
  void descend(const layer_rows<T>& call, const T*, T scale, std::span<T> p) const {
    if (call.coefficients)
      add_weighed<Arch>(call, scale, p.data());
    else
      add_all<Arch>(call, p.data(), simd::subtract<T>{scale});
  }

  /// Biases are drawn too, as torch does.
  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&& fill) const {
    fill(p, 6 * hidden, std::size_t{0}); // a deviation of sqrt(2 / (6 Hidden)), or +-sqrt(6 / (6 Hidden))
  }

  std::vector<named_tensor> tensors() const {
    const std::size_t g = width(), k = in, h = hidden;
    return {{"weight_ih_l0", {g, k}, 0, g * k, true},
            {"weight_hh_l0", {g, h}, g * k, g * h, true},
            {"bias_ih_l0", {g}, g * (k + h), g, false},
            {"bias_hh_l0", {g}, g * (k + h + 1), g, false}};
  }

 private:
  static_assert(
      Steps > 0 && In > 0 && Hidden > 0 && Written > 0 && (Written <= Steps || Written == dynamic),
      "a recurrent layer: no steps, a width of nothing, or more states to write than there are steps");

  static constexpr std::size_t widest_batch = 16; // lanes of the widest vectors

  constexpr std::size_t width() const noexcept { return Cell::gates * hidden; }
  std::size_t padded_steps() const noexcept {
    return (steps + widest_batch - 1) / widest_batch * widest_batch;
  }
  std::size_t formed_at_once() const noexcept { return std::max(detail::formed_at_once, width()); }

  template <class T>
  struct weight_pointers {
    const T *input, *state, *bias, *state_bias;
  };
  template <class T>
  weight_pointers<T> weights_of(const T* p) const noexcept {
    const T* const state = p + in * width();
    const T* const bias = state + hidden * width();
    return {p, state, bias, bias + width()};
  }

  /// What it keeps, (rows, steps, ..) each.
  template <class T>
  struct kept_arrays {
    T *deltas, *second, *before;
    /// Deltas of U h + c, which an lstm adds to W x + b.
    const T* of_state(std::size_t at) const noexcept { return (Cell::one_delta ? deltas : second) + at; }
  };
  template <class T>
  kept_arrays<T> arrays(const layer_rows<T>& call) const noexcept {
    const auto widths = kept_widths();
    T* const second = call.kept + call.rows * widths[0];
    return {call.kept, second, second + call.rows * widths[1]};
  }

  /// Some rows at a time, whose steps stay in cache.
  template <class Arch, class T, class How>
  void add_all(const layer_rows<T>& call, T* g, How how) const {
    const auto own = arrays(call);
    const std::size_t most = std::max<std::size_t>(1, 64 / steps);
    for (std::size_t r = 0; r < call.rows; r += most)
      add<Arch>(own, call, r, std::min(most, call.rows - r), g, how);
  }
  /// g -= scale * the sum: the gradient of each example is summed over the steps, times what it counts, one
  /// after another. So the numbers that are added up are those whose norm was taken.
  template <class Arch, class T>
  void add_weighed(const layer_rows<T>& call, T scale, T* g) const {
    const auto own = arrays(call);
    for (std::size_t r = 0; r < call.rows; ++r)
      add<Arch>(own, call, r, 1, g, simd::subtract<T>{scale * call.coefficients[r]});
  }
  template <class Arch, class T, class How>
  void add(const kept_arrays<T>& own, const layer_rows<T>& call, std::size_t row, std::size_t rows, T* to,
           How how) const {
    const std::size_t k = in, h = hidden, g = width(), first = row * steps, count = rows * steps;
    const T* const d = own.deltas + first * g;
    const T* const e = own.of_state(first * g);
    simd::outer<Arch>(count, k, g, call.input + first * k, k, d, to, how);
    simd::outer<Arch>(count, h, g, static_cast<const T*>(own.before + first * h), h, e, to + k * g, how);
    simd::sum_rows<Arch>(count, g, d, to + (k + h) * g, how);
    simd::sum_rows<Arch>(count, g, e, to + (k + h + 1) * g, how);
  }
};

} // namespace privet
