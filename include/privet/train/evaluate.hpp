#pragma once
// Running a trained model over rows: predictions, and how good they are.

#include <privet/core/parameters.hpp>
#include <privet/core/rows_view.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/outputs.hpp>
#include <privet/train/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

namespace privet {

/// What an error may say of a row.
enum class about_rows {
  everything, ///< which row, and what is wrong with it
  nothing     ///< in a private run: an error is a message, and nobody pays for it
};

namespace detail {
inline constexpr std::string_view silent =
    "; a private run says no more, check_rows does where rows may be seen";
}

/// Throws N006 for a label that is none of so many classes.
inline void check_labels(std::span<const std::int32_t> labels, std::size_t classes,
                         about_rows said = about_rows::everything) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < classes) continue;
    if (said == about_rows::nothing)
      fail(fault::label, "a row has a label that is none of the model's ", classes, " outputs",
           detail::silent);
    fail(fault::label, "row ", i, " has label ", labels[i], ", the model has ", classes, " outputs");
  }
}

/// Throws N003 unless rows are as wide as the model (or step) reads, N001 for a value that is missing or
/// infinite, N006 for a label that is no output.
template <class Model, class T>
void check_rows(const Model& model, rows_view<T> rows, std::span<const std::int32_t> labels,
                about_rows said = about_rows::everything) {
  require(rows.columns == model.in_width(), fault::shape, "the model reads rows ", model.in_width(),
          " wide, got ", rows.columns);
  require(labels.size() == rows.rows, fault::shape, rows.rows, " rows with ", labels.size(), " labels");
  check_labels(labels, model.out_width(), said);
  for (std::size_t i = 0; i < rows.rows * rows.columns; ++i)
    if (!std::isfinite(rows.data[i])) {
      if (said == about_rows::nothing)
        fail(fault::argument, "a row holds what is no finite number; a standardiser fills in missing values",
             detail::silent);
      fail(fault::argument, "row ", i / rows.columns, ", column ", i % rows.columns, " is ", rows.data[i],
           ", expected a finite number; a standardiser fills in missing values");
    }
}

/// The class with the largest output, for every row; the first of equals.
template <class Arch = simd::default_arch, class Model, class T>
std::vector<std::int32_t> predict(const Model& model, const parameters<T>& p, rows_view<T> rows) {
  std::vector<std::int32_t> classes(rows.rows);
  const std::size_t width = model.out_width();
  for_each_output<Arch>(model, p, rows, [&](std::size_t first, std::size_t n, const T* z) {
    for (std::size_t r = 0; r < n; ++r, z += width)
      classes[first + r] = static_cast<std::int32_t>(std::max_element(z, z + width) - z);
  });
  return classes;
}

struct evaluation {
  confusion_matrix confusion;
  double log_loss = 0; ///< mean cross-entropy, in nats
};

/// Predictions against labels. Throws as `check_rows`.
template <class Arch = simd::default_arch, class Model, class T>
evaluation evaluate(const Model& model, const parameters<T>& p, rows_view<T> rows,
                    std::span<const std::int32_t> labels) {
  check_rows(model, rows, labels);
  evaluation result{confusion_matrix(model.out_width()), 0};
  const std::size_t width = model.out_width();
  std::vector<T> losses(detail::most_rows_at_once), deltas(detail::most_rows_at_once * width);
  double total = 0;
  for_each_output<Arch>(model, p, rows, [&](std::size_t first, std::size_t n, const T* z) {
    softmax_cross_entropy{}.evaluate<Arch>(n, width, z, labels.data() + first, losses.data(), deltas.data());
    for (std::size_t r = 0; r < n; ++r, z += width) {
      total += losses[r];
      result.confusion.add(static_cast<std::size_t>(labels[first + r]),
                           static_cast<std::size_t>(std::max_element(z, z + width) - z));
    }
  });
  if (rows.rows) result.log_loss = total / static_cast<double>(rows.rows);
  return result;
}

template <class Arch = simd::default_arch, class Model, class T, LabelledRows<T> Data>
evaluation evaluate(const Model& model, const parameters<T>& p, const Data& data) {
  return evaluate<Arch>(model, p, rows_view<T>(data.view()), std::span<const std::int32_t>(data.labels));
}

} // namespace privet
