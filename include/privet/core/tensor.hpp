#pragma once
// The gateway to xtensor, 0.24 to 0.27. Tensors store and travel; kernels work on the spans
// beneath them. xt::xarray and xtensor-blas are not used: clang 19 rejects the first with
// xtensor <= 0.25, and with it the second.

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp> // 0.26 and later: sub-folders
#elif __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xtensor.hpp> // up to 0.25: flat
#else
#error "privet needs xtensor 0.24 to 0.27: apt install libxtensor-dev"
#endif

#include <array>
#include <cstddef>
#include <span>

namespace privet {

/// A dense row-major tensor of fixed rank.
template <class T, std::size_t Rank>
using tensor = xt::xtensor<T, Rank, xt::layout_type::row_major>;

/// Rows of examples: (rows, columns).
template <class T>
using matrix = tensor<T, 2>;

/// A zero-filled matrix.
template <class T>
matrix<T> make_matrix(std::size_t rows, std::size_t columns) {
  return matrix<T>(std::array<std::size_t, 2>{rows, columns}, T{});
}

template <class T, std::size_t Rank>
std::span<T> as_span(tensor<T, Rank>& t) noexcept {
  return {t.data(), t.size()};
}
template <class T, std::size_t Rank>
std::span<const T> as_span(const tensor<T, Rank>& t) noexcept {
  return {t.data(), t.size()};
}

template <class T>
std::span<T> row(matrix<T>& m, std::size_t i) noexcept {
  return {m.data() + i * m.shape()[1], m.shape()[1]};
}
template <class T>
std::span<const T> row(const matrix<T>& m, std::size_t i) noexcept {
  return {m.data() + i * m.shape()[1], m.shape()[1]};
}
template <class T>
std::size_t rows(const matrix<T>& m) noexcept {
  return m.shape()[0];
}
template <class T>
std::size_t columns(const matrix<T>& m) noexcept {
  return m.shape()[1];
}

} // namespace privet
