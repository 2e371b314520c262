#pragma once
// What a model makes of many rows, a chunk at a time.

#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/sequential.hpp>

#include <algorithm>
#include <cstddef>

namespace privet {

namespace detail {
inline constexpr std::size_t most_rows_at_once = 256;
}

/// Calls `f(first_row, rows, outputs)` for chunks of rows, outputs (rows, out_width). A chunk has 256 rows, or 16 and as
/// many more as take no more than 256 MiB. What a row gets does not depend on the rows beside it. Throws N003 for rows
/// of another width.
template <class Arch = simd::default_arch, class Model, class T, class F>
void for_each_output(const Model& model, const parameters<T>& p, rows_view<T> rows, F&& f) {
  require(rows.columns == model.in_width(), fault::shape, "the model reads rows ", model.in_width(),
          " wide, got ", rows.columns);
  const std::size_t chunk = model.template rows_within<T>(
      usual_tape_bytes, std::min(detail::most_rows_at_once, std::max<std::size_t>(rows.rows, 1)),
      passes::forward);
  auto memory = model.template make_tape<T>(chunk, passes::forward);
  for (std::size_t first = 0; first < rows.rows; first += chunk) {
    const std::size_t n = std::min(chunk, rows.rows - first);
    model.template forward<Arch>(p.trained(), n, rows.data + first * rows.columns, memory);
    f(first, n, static_cast<const T*>(memory.output(model.depth() - 1)));
  }
}

} // namespace privet
