#pragma once

#include <privet/core/result.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/reduce.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace privet {

/// Words as vectors: the number of each word in a row is replaced by its row of a table.
///
/// Shapes    x (rows, Steps) of whole numbers 0 .. Words - 1, y (rows, Steps * Width). `embedding<20, 5000,
///           32>{}` has the sizes in the type, `embedding<>{20, 5000, 32}` carries them; both give the same
///           bits
/// Order     the table (Words, Width), in memory as in files: `weight` of torch.nn.Embedding
/// Begins    with numbers of mean 0 and variance 1, as torch's: under `he_normal` normal, under
///           `glorot_uniform` uniform
/// Norms     |g_i|^2 = sum over the words of row i of |sum of their deltas|^2, exact
/// Requires  the first layer of its network; 1 <= Steps, Width; 1 <= Words <= 2^24, whose numbers float holds
/// Invalid   a number that is none of a word makes all that the row writes NaN, so that a chain with a bound
///           leaves the row out; nothing is read or written beside the table. `check_rows` finds such a row
///           beforehand
/// Privacy   which addresses are read and written depends on the words
/// Test      tests/nn/embedding.test.cpp; against PyTorch tests/nn/recurrent.test.cpp
template <std::size_t Steps = dynamic, std::size_t Words = dynamic, std::size_t Width = dynamic>
struct embedding {
  [[no_unique_address]] extent<Steps> steps{};
  [[no_unique_address]] extent<Words> words{};
  [[no_unique_address]] extent<Width> width{};

  static constexpr bool weighs = true;
  static constexpr bool only_first = true;
  static constexpr std::size_t static_in = Steps;
  static constexpr std::size_t static_out = Steps == dynamic || Width == dynamic ? dynamic : Steps * Width;
  static constexpr std::size_t static_size = Words == dynamic || Width == dynamic ? dynamic : Words * Width;

  constexpr std::size_t in_width() const noexcept { return steps; }
  constexpr std::size_t out_width(std::size_t) const noexcept { return steps * std::size_t{width}; }
  constexpr bool accepts(std::size_t columns) const noexcept { return columns == steps; }
  constexpr std::size_t size(std::size_t) const noexcept { return words * std::size_t{width}; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }

  /// Throws N001 for sizes that are none, with both sides.
  void check() const {
    const auto possible = [](const char* what, std::size_t n, std::size_t most) {
      require(n >= 1 && n <= most, fault::argument, "embedding: ", what, " of ", n, ", possible is 1 to ",
              most);
    };
    possible("a number of steps", steps, widest_layer);
    possible("a number of words", words, widest_layer);
    possible("a width", width, widest_layer / steps);
  }

  /// Whether all rows hold numbers of words. Errors: N003 for rows of another width; N001 for the first
  /// number that is none, with its row and column.
  template <class T>
  status check_rows(rows_view<T> rows) const {
    if (rows.columns != steps)
      return error::of(fault::shape, "embedding reads rows ", std::size_t{steps}, " wide, got ",
                       rows.columns);
    for (std::size_t r = 0; r < rows.rows; ++r)
      for (std::size_t t = 0; t < steps; ++t)
        if (const T x = rows.row(r)[t]; word(x) == none)
          return error::of(fault::argument, "embedding: row ", r, ", column ", t, " is ", x,
                           ", expected a whole number from 0 to ", words - std::size_t{1});
    return nothing{};
  }

  /// The places of a row in the order of their words, and the sum of the deltas of one word.
  std::size_t scratch(std::size_t) const noexcept { return steps + width; }

  template <class Arch, class T>
  void forward(std::span<const T> p, std::size_t rows, std::size_t, std::size_t, const T* x, T* y,
               layer_context) const {
    const std::size_t wide = width;
    for (std::size_t r = 0; r < rows; ++r, x += steps, y += steps * wide) {
      if (!all_words(x)) {
        std::fill_n(y, steps * wide, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      for (std::size_t t = 0; t < steps; ++t) std::copy_n(p.data() + word(x[t]) * wide, wide, y + t * wide);
    }
  }

  /// Numbers of words have no delta, and the first layer is not asked for one.
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>&, const T*, T*, layer_context) const {}

  template <class Arch, class T>
  void add_squared_norms(const layer_rows<T>& call, const T* dy, std::span<T> norms) const {
    for (std::size_t r = 0; r < call.rows; ++r) {
      T sum = static_cast<T>(steps * std::size_t{width}) *
              std::numeric_limits<T>::min(); // where squares underflow
      if (!all_words(call.input + r * steps)) sum = std::numeric_limits<T>::quiet_NaN();
      for_each_word<Arch>(call, r, dy,
                          [&](std::size_t, std::span<const T> d) { sum += simd::sum_squares<Arch>(d); });
      norms[r] += sum;
    }
  }

  template <class Arch, class T>
  void accumulate(const layer_rows<T>& call, const T* dy, std::span<T> g) const {
    descend<Arch>(call, dy, T{-1}, g);
  }
  /// The deltas of one word in one row are added up first, so that what is added to the table is what norms
  /// are of.
  template <class Arch, class T>
  void descend(const layer_rows<T>& call, const T* dy, T scale, std::span<T> p) const {
    for (std::size_t r = 0; r < call.rows; ++r) {
      const T by = -scale * (call.coefficients ? call.coefficients[r] : T{1});
      for_each_word<Arch>(call, r, dy, [&](std::size_t id, std::span<const T> d) {
        simd::axpy<Arch>(by, d, p.subspan(id * width, width));
      });
    }
  }

  template <class T, class Fill>
  void initialise(std::span<T> p, Fill&& fill) const {
    fill(p, std::size_t{2}, std::size_t{0}); // a variance of 2 / 2, or of 6 / 2 over 3
  }
  std::vector<named_tensor> tensors() const { return {{"weight", {words, width}, 0, size(0), false}}; }

 private:
  static_assert(Steps > 0 && Words > 0 && Width > 0, "embedding: no steps, no words or no width");
  static_assert(Words == dynamic || Words <= widest_layer,
                "embedding: numbers of words above 2^24 are no floats");

  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The word that a number names, or none.
  template <class T>
  std::size_t word(T x) const noexcept {
    if (!(x >= T{} && x < static_cast<T>(std::size_t{words}))) return none;
    const auto id = static_cast<std::size_t>(x);
    return static_cast<T>(id) == x ? id : none;
  }
  template <class T>
  bool all_words(const T* x) const noexcept {
    bool all = true;
    for (std::size_t t = 0; t < steps; ++t) all &= word(x[t]) != none;
    return all;
  }

  /// f(word, sum of its deltas) for the words of row r, ascending. Of a row with a number that is none it is
  /// not called.
  template <class Arch, class T, class F>
  void for_each_word(const layer_rows<T>& call, std::size_t r, const T* dy, F&& f) const {
    const std::size_t count = steps, wide = width;
    const T* const x = call.input + r * count;
    if (!all_words(x)) return;
    T* const places = call.scratch; // as scalars, which hold them exactly
    T* const sum = places + count;
    for (std::size_t t = 0; t < count; ++t) places[t] = static_cast<T>(t);
    const auto word_at = [&](T place) { return x[static_cast<std::size_t>(place)]; };
    std::sort(places, places + count,
              [&](T a, T b) { return word_at(a) != word_at(b) ? word_at(a) < word_at(b) : a < b; });
    const auto delta = [&](std::size_t i) {
      return std::span<const T>(dy + (r * count + static_cast<std::size_t>(places[i])) * wide, wide);
    };
    for (std::size_t i = 0; i < count;) {
      const T id = word_at(places[i]);
      std::span<const T> total = delta(i++);
      if (i < count && word_at(places[i]) == id) {
        std::ranges::copy(total, sum);
        for (; i < count && word_at(places[i]) == id; ++i)
          simd::axpy<Arch>(T{1}, delta(i), std::span<T>(sum, wide));
        total = {sum, wide};
      }
      f(static_cast<std::size_t>(id), total);
    }
  }
};

} // namespace privet
