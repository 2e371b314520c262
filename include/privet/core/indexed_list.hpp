#pragma once
// A heterogeneous list for layers and stages: flat, constexpr, cheaper to compile than
// std::tuple, and visitable by a run-time index.

#include <cstddef>
#include <type_traits>
#include <utility>

namespace privet {

namespace detail {

template <std::size_t I, class T>
struct indexed_element {
  [[no_unique_address]] T value;
};

template <class Indices, class... T>
struct indexed_list_base;
template <std::size_t... I, class... T>
struct indexed_list_base<std::index_sequence<I...>, T...> : indexed_element<I, T>... {};

template <std::size_t I, class T>
constexpr T& element(indexed_element<I, T>& e) noexcept {
  return e.value;
}
template <std::size_t I, class T>
constexpr const T& element(const indexed_element<I, T>& e) noexcept {
  return e.value;
}

} // namespace detail

template <class... T>
struct indexed_list : detail::indexed_list_base<std::index_sequence_for<T...>, T...> {
  static constexpr std::size_t size() noexcept { return sizeof...(T); }

  constexpr indexed_list(T... values)
      : detail::indexed_list_base<std::index_sequence_for<T...>, T...>{{std::move(values)}...} {}

  template <std::size_t I>
  constexpr auto& get() noexcept {
    return detail::element<I>(*this);
  }
  template <std::size_t I>
  constexpr const auto& get() const noexcept {
    return detail::element<I>(*this);
  }

  /// Calls `f(element)` for each, in order.
  template <class F>
  constexpr void for_each(F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) { (f(get<I>()), ...); }(std::index_sequence_for<T...>{});
  }

  /// Calls `f(element)` for the element at a run-time index.
  template <class F>
  constexpr void visit(std::size_t index, F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (void)((I == index ? (f(get<I>()), true) : false) || ...);
    }(std::index_sequence_for<T...>{});
  }

  /// Calls `f(element, next element)`; nothing for the last one.
  template <class F>
  constexpr void visit_pair(std::size_t index, F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (void)((I == index ? (f(get<I>(), get<I + 1>()), true) : false) || ...);
    }(std::make_index_sequence<sizeof...(T) - 1>{});
  }
};

} // namespace privet
