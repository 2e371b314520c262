#pragma once
// Paths that part and meet again: residual blocks, and the two layers that they become in a list.

#include <privet/nn/layer.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/simd/elementwise.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace privet {

/// Adds the output of an earlier layer to what it reads: y = x + the output of the layer `back` places before it, or
/// the rows that the network reads where that is the place before the first. Called so because `privet::add` adds long
/// numbers.
///
/// Requires  2 <= back <= its place + 1, else N001; equal widths, else N003
struct add_layer : elementwise {
  static constexpr bool joins = true, fuses = true;
  std::size_t back = 0;

  constexpr add_layer() = default;
  explicit constexpr add_layer(std::size_t entries) noexcept : back(entries) {}

  template <class Arch, class T, class Finish = simd::as_it_is>
  void forward(std::span<const T>, const layer_rows<T>& call, T* y, layer_context,
               const Finish& finish = {}) const {
    simd::for_each_batch<Arch, T>(call.rows * call.in, [&](std::size_t i, auto lanes) {
      const auto sum =
          simd::load_lanes<Arch>(call.input + i, lanes) + simd::load_lanes<Arch>(call.other + i, lanes);
      if constexpr (std::is_same_v<Finish, simd::as_it_is>)
        simd::store_lanes<Arch, T>(y + i, sum, lanes);
      else
        simd::store_lanes<Arch, T>(y + i, finish(sum), lanes);
    });
  }
  template <class Arch, class T, class Finish = simd::as_it_is>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context,
                const Finish& finish = {}) const {
    if constexpr (std::is_same_v<Finish, simd::as_it_is>) {
      if (dx != dy) std::copy_n(dy, call.rows * call.in, dx);
    } else {
      simd::for_each_batch<Arch, T>(call.rows * call.in, [&](std::size_t i, auto lanes) {
        simd::store_lanes<Arch, T>(
            dx + i,
            finish(simd::load_lanes<Arch>(dy + i, lanes), simd::load_lanes<Arch>(call.input + i, lanes)),
            lanes);
      });
    }
  }
};

/// Begins another path: the layer behind it reads the output of the layer `back` places before this one, counted as
/// of `add_layer`. Computes nothing and holds nothing.
///
/// Requires  2 <= back <= its place + 1, and that a later layer adds what the layer before it writes, else N001
struct branch_layer : elementwise {
  static constexpr bool branches = true;
  std::size_t back = 0;

  constexpr branch_layer() = default;
  explicit constexpr branch_layer(std::size_t entries) noexcept : back(entries) {}

  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t, std::size_t, std::size_t, const T*, T*, layer_context) const {
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>&, const T*, T*, layer_context) const {}
};

namespace detail {

template <class List>
List joined(List list) {
  return list;
}
template <class... A, class... B, class... Rest>
auto joined(const indexed_list<A...>& a, const indexed_list<B...>& b, const Rest&... rest) {
  const auto both = [&]<std::size_t... I, std::size_t... J>(std::index_sequence<I...>,
                                                            std::index_sequence<J...>) {
    return indexed_list<A..., B...>(a.template get<I>()..., b.template get<J>()...);
  };
  return joined(both(std::index_sequence_for<A...>{}, std::index_sequence_for<B...>{}), rest...);
}

/// What stands in a list for a layer or a block.
template <class L>
auto entries(const L& layer) {
  if constexpr (is_block<L>)
    return layer.list;
  else
    return indexed_list<L>(layer);
}
template <class... L>
struct listed<true, L...> {
  static auto of(const L&... layers) { return joined(entries(layers)...); }
  using type = decltype(of(std::declval<const L&>()...));
};

template <class L>
inline constexpr bool is_shortcut = requires { L::is_shortcut; };

/// The entries of a residual block.
template <class... L>
auto residual_list(const L&... layers) {
  const auto main_path = joined(indexed_list<>(), [&] {
    if constexpr (is_shortcut<L>)
      return indexed_list<>();
    else
      return entries(layers);
  }()...);
  const auto other_path = joined(indexed_list<>(), [&] {
    if constexpr (is_shortcut<L>)
      return layers.list;
    else
      return indexed_list<>();
  }()...);
  constexpr std::size_t main_size = decltype(main_path)::size(), other_size = decltype(other_path)::size();
  if constexpr (other_size > 0)
    return joined(main_path, indexed_list<branch_layer>(branch_layer(main_size + 1)), other_path,
                  indexed_list<add_layer>(add_layer(other_size + 2)));
  else
    return joined(main_path, indexed_list<add_layer>(add_layer(main_size + 1)));
}

/// The width that the first layer reads which has one of its own, where its type states it.
template <class... L>
consteval std::size_t first_static_width() {
  std::size_t width = dynamic;
  bool found = false;
  const auto look = [&]<class One>(const One*) {
    if (found) return;
    if constexpr (requires { One::static_in; }) {
      width = One::static_in;
      found = true;
    } else if constexpr (ParametricLayer<One> || is_branch<One>) {
      found = true;
    }
  };
  (look(static_cast<const L*>(nullptr)), ...);
  return width;
}

/// What the last type of a list says of itself: whether it alone is a shortcut, or none is.
template <class... L>
inline constexpr bool shortcut_is_last = [] {
  constexpr bool found[] = {is_shortcut<L>...};
  for (std::size_t i = 0; i + 1 < sizeof...(L); ++i)
    if (found[i]) return false;
  return sizeof...(L) > 1 || !found[0];
}();

} // namespace detail

/// The layers of the other path of a `residual`, at its end: a projection where the widths differ.
template <class... L>
  requires(sizeof...(L) > 0 && ((Layer<L> || detail::is_block<L>)&&...))
struct shortcut {
  static constexpr bool is_shortcut = true;
  static constexpr detail::static_shape shape = detail::shape_of<L...>();
  static constexpr std::size_t first_width = detail::first_static_width<L...>();
  static_assert(
      shape.fits,
      "[P012 layer-shape] two neighbouring layers disagree about the width between them: the second reads "
      "another number of columns than the first writes. Compare the widths in shortcut{...}. "
      "docs/errors/P012.md");
  static constexpr bool mixes_examples(mode m) noexcept { return (L::mixes_examples(m) || ...); }

  explicit shortcut(const L&... layers) : list(detail::joined(detail::entries(layers)...)) {}

  decltype(detail::joined(detail::entries(std::declval<const L&>())...)) list;
};

/// Layers whose output is added to what they read: y = x + f(x), or y = s(x) + f(x) with a `shortcut{...}` at the
/// end. `residual{dense<64, 64>{}, relu{}, dense<64, 64>{}}`;
/// `residual{conv2d<...>{}, relu{}, conv2d<...>{}, shortcut{conv2d<...>{}}}`.
///
/// It is no layer: in the list of a model stand f, `add_layer`, or f, `branch_layer`, s, `add_layer`, one after
/// another. So parameters lie in that order and are named by their place in it, norms of single examples are exact,
/// and a `network` of the same entries gives the same bits. Blocks may hold blocks.
///
/// Sum       the main path plus the other one; on the way back, the delta of the main path first
/// Lanes     a block of layers on lanes is run 16 examples at a time. Layers on rows and on lanes may mix where paths
///           part and meet on rows; on lanes that is N011
/// Alone     residual{residual{...}} copies the inner block, as any type does that is made of one of its own
/// Requires  f and s (or x) of equal widths: where types know them P012, else N003
/// Source    He, Zhang, Ren, Sun, CVPR 2016
/// Test      tests/nn/residual.test.cpp
template <class... L>
  requires(sizeof...(L) > 0 && ((Layer<L> || detail::is_block<L> || detail::is_shortcut<L>)&&...))
class residual {
  static_assert(detail::shortcut_is_last<L...>,
                "residual: a shortcut stands at the end, behind other layers");
  static constexpr detail::static_shape main_path = detail::shape_of<L...>();
  static constexpr detail::static_shape other_path = [] {
    detail::static_shape shape{.width = detail::first_static_width<L...>()};
    const auto look = [&]<class One>(const One*) {
      if constexpr (detail::is_shortcut<One>) {
        shape = One::shape;
        if (One::first_width != dynamic && detail::first_static_width<L...>() != dynamic &&
            One::first_width != detail::first_static_width<L...>())
          shape.fits = false;
      }
    };
    (look(static_cast<const L*>(nullptr)), ...);
    return shape;
  }();
  static_assert(main_path.fits && other_path.fits &&
                    (main_path.width == dynamic || other_path.width == dynamic ||
                     main_path.width == other_path.width),
                "[P012 layer-shape] two neighbouring layers of a residual block disagree about the width "
                "between them, or "
                "its two paths about what they write or read. Compare the widths in residual{...}. "
                "docs/errors/P012.md");

 public:
  static constexpr bool is_block = true;
  static constexpr std::size_t static_in = detail::first_static_width<L...>();
  static constexpr std::size_t static_out = main_path.width != dynamic ? main_path.width : other_path.width;
  static constexpr std::size_t static_size =
      main_path.parameters == dynamic || other_path.parameters == dynamic
          ? dynamic
          : main_path.parameters + other_path.parameters;
  static constexpr bool mixes_examples(mode m) noexcept { return (L::mixes_examples(m) || ...); }

  explicit residual(const L&... layers) : list(detail::residual_list(layers...)) {}

  decltype(detail::residual_list(std::declval<const L&>()...)) list; ///< its entries
};

} // namespace privet
