#pragma once
// Small made-up data sets: classes a little apart from each other, so that there is something to learn.

#include "support/numbers.hpp"

#include <privet/data/dataset.hpp>

#include <cstddef>
#include <cstdint>

namespace privet::test {

/// Rows of class r mod `classes`; column c of class k lies around ((3 k + c) mod 5) - 2.
inline dataset<float> rows_of(std::size_t rows, std::size_t columns, std::size_t classes,
                              std::uint64_t seed) {
  dataset<float> data;
  for (std::size_t c = 0; c < columns; ++c) data.schema.features.push_back(concat("column ", c + 1));
  for (std::size_t k = 0; k < classes; ++k) data.schema.classes.push_back(concat("class ", k + 1));
  data.features = make_matrix<float>(rows, columns);
  const auto noise = normals<float>(rows * columns, seed);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t k = r % classes;
    data.labels.push_back(static_cast<std::int32_t>(k));
    for (std::size_t c = 0; c < columns; ++c)
      row(data.features, r)[c] = static_cast<float>((3 * k + c) % 5) - 2 + noise[r * columns + c];
  }
  return data;
}

} // namespace privet::test
