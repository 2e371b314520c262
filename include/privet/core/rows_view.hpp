#pragma once
// Rows of examples as a kernel sees them: a pointer and two sizes, no tensor type.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// `rows` x `columns` scalars, row-major and dense, owned by somebody else.
template <class T>
struct rows_view {
  const T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;

  std::span<const T> row(std::size_t i) const noexcept { return {data + i * columns, columns}; }
};

/// Rows with a class index each: the least that training needs. `dataset` offers the same.
template <class T>
struct labelled_rows {
  rows_view<T> rows;
  std::span<const std::int32_t> labels;

  rows_view<T> view() const noexcept { return rows; }
};

/// What training reads: rows as scalars and a class index for each.
template <class D, class T>
concept LabelledRows = requires(const D& data) {
  { data.view() } -> std::convertible_to<rows_view<T>>;
  { std::span<const std::int32_t>(data.labels) };
};

} // namespace privet
