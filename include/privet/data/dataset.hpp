#pragma once
// Rows of numbers with a class each and, where known, the person or site each row came from.

#include <privet/core/error.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/core/tensor.hpp>
#include <privet/data/schema.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// Labelled rows in memory.
template <class T = float>
struct dataset {
  privet::schema schema;
  matrix<T> features;               ///< (rows, columns); NaN means missing until imputed
  std::vector<std::int32_t> labels; ///< one per row: index into schema.classes
  std::vector<std::int32_t> groups; ///< one per row, such as a subject id; empty: no groups known

  std::size_t rows() const noexcept { return labels.size(); }
  std::size_t columns() const noexcept { return schema.features.size(); }
  std::size_t classes() const noexcept { return schema.classes.size(); }

  /// The rows as kernels and training read them.
  rows_view<T> view() const noexcept { return {features.data(), rows(), columns()}; }

  /// Number of missing values.
  std::size_t missing() const noexcept {
    const auto all = as_span(features);
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](T x) { return std::isnan(x); }));
  }

  /// Rows per class; a class that no row has counts 0.
  std::vector<std::size_t> class_counts() const {
    std::vector<std::size_t> counts(classes());
    for (const auto label : labels) ++counts[static_cast<std::size_t>(label)];
    return counts;
  }

  /// A copy of the given rows, in the given order; a row may be named twice.
  /// Throws [N001] when an index is not a row.
  dataset select(std::span<const std::uint32_t> which) const {
    dataset out{schema, make_matrix<T>(which.size(), columns()), {}, {}};
    out.labels.reserve(which.size());
    if (!groups.empty()) out.groups.reserve(which.size());
    for (std::size_t i = 0; i < which.size(); ++i) {
      const std::size_t from = which[i];
      if (from >= rows())
        fail(fault::argument, "select: row ", from, " of a data set with ", rows(), " rows");
      std::ranges::copy(row(features, from), row(out.features, i).begin());
      out.labels.push_back(labels[from]);
      if (!groups.empty()) out.groups.push_back(groups[from]);
    }
    return out;
  }

  /// Throws [N003] when the parts disagree in size and [N006] for a label that is no class.
  /// Readers return checked data; call it for data put together by hand.
  void check() const {
    require(privet::rows(features) == rows() && privet::columns(features) == columns(), fault::shape,
            "dataset: features are (", privet::rows(features), ", ", privet::columns(features),
            "), labels and names say (", rows(), ", ", columns(), ")");
    require(groups.empty() || groups.size() == rows(), fault::shape, "dataset: ", groups.size(),
            " groups for ", rows(), " rows");
    for (std::size_t i = 0; i < rows(); ++i)
      if (labels[i] < 0 || static_cast<std::size_t>(labels[i]) >= classes())
        fail(fault::label, "dataset: row ", i, " has label ", labels[i], ", expected 0 to ", classes(),
             " - 1");
  }
};

/// The rows of all parts in one data set, in order. Groups are kept where every part has them.
/// Throws [N001] for no parts, [N005] for parts of different schemas.
template <class T>
dataset<T> joined(std::span<const dataset<T>> parts) {
  require(!parts.empty(), fault::argument, "joined: no data sets");
  std::size_t rows = 0;
  bool grouped = true;
  for (const auto& part : parts) {
    require(part.schema.hash() == parts[0].schema.hash(), fault::schema, "joined: data set ",
            &part - parts.data(), " has another schema than data set 0");
    rows += part.rows();
    grouped = grouped && part.groups.size() == part.rows();
  }
  dataset<T> all{parts[0].schema, make_matrix<T>(rows, parts[0].columns()), {}, {}};
  T* to = all.features.data();
  for (const auto& part : parts) {
    to = std::ranges::copy(as_span(part.features), to).out;
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
    if (grouped) all.groups.insert(all.groups.end(), part.groups.begin(), part.groups.end());
  }
  return all;
}

} // namespace privet
