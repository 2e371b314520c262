#pragma once
// What a network asks of a layer. A layer is a small type that knows its shapes and how many
// parameters it reads; it owns no storage and receives its slice of the flat vector.

#include <privet/core/error.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/simd/arch.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace privet {

/// A width that is known only at run time.
inline constexpr std::size_t dynamic = static_cast<std::size_t>(-1);
/// The widest rows that a layer can read or write, so that products of widths do not overflow.
inline constexpr std::size_t widest_layer = std::size_t{1} << 24;

/// A width: a type when it is static, a number when it is dynamic; one code reads both.
template <std::size_t N>
struct extent {
  static constexpr std::size_t known = N;
  constexpr extent() = default;
  /// Throws N003 for another number than the type's.
  constexpr explicit(false) extent(std::size_t n) {
    if (n != N) fail(fault::shape, "a width is ", N, " by its type and was given as ", n);
  }
  constexpr operator std::size_t() const noexcept { return N; }
  /// As kernels like it: a constant when it is static.
  constexpr simd::size_constant<N> operator()() const noexcept { return {}; }
};
template <>
struct extent<dynamic> {
  static constexpr std::size_t known = dynamic;
  std::size_t value = 0;
  constexpr extent() = default;
  constexpr explicit(false) extent(std::size_t n) noexcept : value(n) {}
  constexpr operator std::size_t() const noexcept { return value; }
  constexpr std::size_t operator()() const noexcept { return value; }
};

enum class mode { training, inference };

/// What a layer may know about the run. Random layers draw from (seed, step, example, layer),
/// so the same example meets the same coins however the batch is cut.
struct layer_context {
  privet::mode mode = mode::inference;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t first_example = 0; ///< index in the logical batch of the first row
  std::uint32_t layer = 0;
};

/// A tensor of a layer as files name it: `offset` and sizes count scalars in the layer's slice.
struct named_tensor {
  std::string name;
  std::vector<std::size_t> shape; ///< in the file
  std::size_t offset = 0;
  std::size_t size = 0;
  bool transposed = false; ///< the file holds the transpose of what memory holds

  /// Where number i of the file lies in memory, counted from the tensor's first.
  std::size_t place_of(std::size_t i) const noexcept {
    const std::size_t columns = shape.back();
    return transposed ? i % columns * (size / columns) + i / columns : i;
  }
  /// Copies its `size` numbers from the order of memory to that of files, and back.
  template <class T>
  void to_file(const T* memory, T* file) const {
    for (std::size_t i = 0; i < size; ++i) file[i] = memory[place_of(i)];
  }
  template <class T>
  void to_memory(const T* file, T* memory) const {
    for (std::size_t i = 0; i < size; ++i) memory[place_of(i)] = file[i];
  }
};

/// How the activations of a layer lie in memory.
///
///   rows    (example, feature)
///   lanes   (block, feature, lane): blocks of simd::lane_block examples side by side, the last filled with zeros
enum class activation_layout { rows, lanes };

/// Whether a layer declares that it works on lanes. The network turns rows into lanes and back where neighbours
/// differ.
template <class L>
inline constexpr bool in_lanes = false;
template <class L>
  requires requires { L::layout; }
inline constexpr bool in_lanes<L> = L::layout == activation_layout::lanes;

/// Whether a layer reads the output of the layer `back` places before it in the list (nn/residual.hpp): to add it to
/// what it reads itself, or to begin another path there.
template <class L>
inline constexpr bool is_join = requires { L::joins; };
template <class L>
inline constexpr bool is_branch = requires { L::branches; };

/// Whether a layer on rows keeps more than its output from forward to the sums.
template <class L>
inline constexpr bool keeps_rows = requires(const L& layer) { layer.kept_widths(); };
/// Whether the sums of a layer on rows multiply by coefficients themselves, where those of others read deltas that are
/// multiplied.
template <class L>
inline constexpr bool weighs_rows = requires { requires L::weighs; };

/// The widths and pointers of one call on a chunk of rows, all arrays row-major and dense; of a layer on lanes on
/// one block, where `rows` is simd::lane_block and arrays are (feature, lane).
template <class T>
struct layer_rows {
  std::size_t rows;
  std::size_t in;
  std::size_t out;
  const T* input;           ///< (rows, in)
  const T* output;          ///< (rows, out), what forward wrote
  T* scratch;               ///< at least `scratch(rows)` of the layer that asks for some
  const T* other = nullptr; ///< (rows, in), the second input of a join
  /// (rows, width) for each of the `kept_widths()` of the layer, one behind the other; of a layer on lanes
  /// (kept_in_lanes(), lane).
  T* kept = nullptr;
  const T* coefficients =
      nullptr; ///< (rows), what each row counts in the sums of a layer that `weighs`; null: 1
  /// In backward of a layer on lanes: what its `lane_gradients` made of the block; null: not yet.
  const T* gradient = nullptr;
};

/// A layer. Law: gradients agree with finite differences; squared norms and sums agree with
/// batches of one.
///
///   out_width(in)                        the width it makes of `in`; `dynamic` if unknown
///   accepts(in)                          whether it can read rows this wide
///   size(in)                             how many parameters it reads
///   forward(p, rows, in, out, x, y, context)
///   backward(p, call, dy, dx, context)   dx = dy * Jacobian
///   add_squared_norms(call, dy, n)       n[i] += |gradient of example i|^2, exact
///   accumulate(call, dy, g)              g += sum over rows of the gradients
///   mixes_examples(mode)                 whether one row's output depends on other rows
///
/// It may also offer
///   check()                              throws what is wrong with its sizes
///   scratch(rows)                        scalars of room that backward needs, of a layer on lanes forward too
///   descend(call, dy, scale, p)          p -= scale * what accumulate would add, in one pass
///   piecewise(call, dy, room, f)         what accumulate would add to zero, piece by piece in
///                                        `room` (at least piece_size()): f(offset, piece)
///   kept_widths()                        widths of arrays of its own, by row, from forward to the sums (call.kept). It
///                                        then offers forward(p, call, y, context), and its backward is run with a
///                                        null dx where it is the first layer
///   weighs                               true: accumulate and descend multiply by call.coefficients
///   norm_depth()                         additions in a row of add_squared_norms, where that may be more than in + out
///   only_first                           true: reads the rows of the network alone
///
/// One that works on lanes offers instead
///   forward(p, call, y, context)         of one block; call.output is not there yet
///   lane_gradients(call, dy, g)          g (size, lane) = the gradient of each example of a block, in place of
///                                        add_squared_norms and accumulate: the network adds up
/// and it may offer
///   lane_gradients(call, dy, g, fresh)   the same, added to g if not `fresh`
///   kept_in_lanes()                      scalars of each example that it keeps from forward on (call.kept)
///
/// A join offers forward(p, call, y, context) too, on either layout.
template <class L>
concept Layer =
    requires(const L layer, std::size_t n, layer_rows<float> call, std::span<const float> p, const float* x,
             float* y, layer_context context) {
      { layer.out_width(n) } -> std::convertible_to<std::size_t>;
      { layer.accepts(n) } -> std::convertible_to<bool>;
      { layer.size(n) } -> std::convertible_to<std::size_t>;
      { L::mixes_examples(mode::training) } -> std::convertible_to<bool>;
      layer.template backward<simd::default_arch>(p, call, x, y, context);
    } &&
    (requires(const L layer, std::size_t n, std::span<const float> p, const float* x, float* y,
              layer_context context) {
      layer.template forward<simd::default_arch>(p, n, n, n, x, y, context);
    } ||
     ((in_lanes<L> || is_join<L> || keeps_rows<L>)&&requires(
         const L layer, layer_rows<float> call, std::span<const float> p, float* y, layer_context context) {
       layer.template forward<simd::default_arch>(p, call, y, context);
     }));

/// A layer that reads parameters.
template <class L>
concept ParametricLayer =
    Layer<L> && requires(const L layer) {
      { layer.tensors() } -> std::same_as<std::vector<named_tensor>>;
    } && (requires(const L layer, layer_rows<float> call, const float* dy, std::span<float> v) {
      layer.template add_squared_norms<simd::default_arch>(call, dy, v);
      layer.template accumulate<simd::default_arch>(call, dy, v);
    } || (in_lanes<L> && requires(const L layer, layer_rows<float> call, const float* dy, float* g) {
            layer.template lane_gradients<simd::default_arch>(call, dy, g);
          }));

/// A layer without parameters that works on batches of values, and whose derivative follows from
/// its output:
///
///   apply(x)           y, batch by batch
///   derivative(dy, y)  dx
///
/// A `Fusing` layer before it has its output overwritten and takes the activation along in its
/// kernels, as does one behind it on the way back: it costs no pass of its own.
template <class L>
concept Activation = Layer<L> && requires(const simd::batch<float>& v) {
  { L::apply(v) } -> std::convertible_to<simd::batch<float>>;
  { L::derivative(v, v) } -> std::convertible_to<simd::batch<float>>;
};

/// An activation that changes nothing: whoever takes it along has nothing to do.
template <class L>
concept Identity = Activation<L> && requires { requires L::is_identity; };

/// A layer with weights that takes the activation beside it along:
///
///   forward(.., y, context, finish)        y = finish(what it computes)
///   backward(.., dx, context, finish)      dx = finish(what it computes, its input)
template <class L>
concept Fusing = Layer<L> && L::fuses;

/// Base of layers without parameters that map each value on its own.
struct elementwise {
  static constexpr std::size_t out_width(std::size_t in) noexcept { return in; }
  static constexpr bool accepts(std::size_t) noexcept { return true; }
  static constexpr std::size_t size(std::size_t) noexcept { return 0; }
  static constexpr bool mixes_examples(mode) noexcept { return false; }
};

} // namespace privet
