#pragma once
// Human Activity Recognition Using Smartphones (UCI): 561 numbers for 2.56 s of a phone on a belt.

#include <privet/core/file.hpp>
#include <privet/core/npy.hpp>
#include <privet/core/result.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/lines.hpp>
#include <privet/data/split.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace privet::uci_har {

/// The nine subjects whose windows are the published test set; the other 21 are for training.
inline constexpr std::array<std::int32_t, 9> test_subjects{2, 4, 9, 10, 12, 13, 18, 20, 24};

/// Names of the labels 0 to 5 (1 to 6 in the files) when `activity_labels.txt` is not there.
inline const std::vector<std::string>& activities() {
  static const std::vector<std::string> names{"WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS",
                                              "SITTING", "STANDING",         "LAYING"};
  return names;
}

namespace detail {

using namespace privet::detail;
namespace fs = std::filesystem;

inline bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// `1 WALKING` and so on: the names, whose numbers must count from 1.
inline result<std::vector<std::string>> read_names(const fs::path& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  const std::string file = path.string();
  std::vector<std::string> names;
  for (line_reader lines(*text); lines.next();) {
    const std::string_view line = trimmed(lines.line());
    if (line.empty()) continue;
    const auto blank = std::min(line.find(' '), line.size());
    const auto number = number_in<std::size_t>(line.substr(0, blank));
    if (number != names.size() + 1)
      return error::of(fault::format, file, ':', lines.number(), ": ", in_quotes(line), ", expected '",
                       names.size() + 1, "' and a name");
    names.emplace_back(trimmed(line.substr(blank)));
  }
  if (names.empty()) return error::of(fault::format, file, ": no names in it");
  return names;
}

/// Reads blank-separated finite numbers, as many per line as `columns`, which the first line sets
/// when it is 0. Appends them to `values` and returns the number of lines.
template <class Number>
result<std::size_t> read_numbers(const fs::path& path, std::size_t& columns, std::vector<Number>& values) {
  const auto text = read_text(path);
  if (!text) return text.error();
  const std::string file = path.string();
  values.reserve(values.size() + text->size() / (std::is_same_v<Number, float> ? 16 : 2));
  std::size_t rows = 0;
  for (line_reader lines(*text); lines.next(); ++rows) {
    std::string_view rest = trimmed(lines.line());
    if (rest.empty() && lines.rest().empty()) break;
    std::size_t column = 0;
    for (; !rest.empty(); ++column) {
      const auto field = rest.substr(0, rest.find_first_of(" \t"));
      if (columns != 0 && column == columns)
        return error::of(fault::shape, place(file, lines.number(), column + 1),
                         ": a value too many, expected ", columns);
      const auto number = number_in<Number>(field);
      if (!number) return not_a_number(place(file, lines.number(), column + 1), field);
      if constexpr (std::is_floating_point_v<Number>)
        if (!std::isfinite(*number)) return not_a_number(place(file, lines.number(), column + 1), field);
      values.push_back(*number);
      rest = trimmed(rest.substr(field.size()));
    }
    if (columns == 0) columns = column;
    if (column == 0 || column != columns)
      return error::of(fault::shape, file, ':', lines.number(), ": the row ends after ", column,
                       " values, expected ", columns);
  }
  if (rows == 0) return error::of(fault::format, file, ": no rows in it");
  return rows;
}

/// Names of columns and classes from the description files in any of `folders`.
inline result<privet::schema> read_schema(std::initializer_list<fs::path> folders) {
  privet::schema names{{}, activities(), {}};
  for (const auto& [file, list] :
       {std::pair{"features.txt", &names.features}, {"activity_labels.txt", &names.classes}})
    for (const auto& folder : folders)
      if (is_there(folder / file)) {
        auto read = read_names(folder / file);
        if (!read) return read.error();
        *list = *std::move(read);
        break;
      }
  return names;
}

/// One label per row, 1 to the number of classes in the file; moved to count from 0.
inline status add_labels(std::string_view file, bool lines, std::span<const std::int32_t> found,
                         dataset<>& out) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] < 1 || static_cast<std::size_t>(found[i]) > out.classes())
      return error::of(fault::label, file, lines ? ":" : ", element ", lines ? i + 1 : i, ": activity ",
                       found[i], ", expected 1 to ", out.classes());
    out.labels.push_back(found[i] - 1);
  }
  return nothing{};
}

inline error disagree(const fs::path& features, std::size_t rows, const fs::path& other, std::size_t others) {
  return error::of(fault::shape, other.string(), ": ", others, " rows, but ", features.string(), " has ",
                   rows);
}

/// The folders `train` and `test` with `X_`, `y_` and `subject_` files.
inline result<dataset<>> read_text_layout(const fs::path& folder) {
  auto names = read_schema({folder});
  if (!names) return names.error();
  std::size_t columns = names->features.size();
  dataset<> out{*std::move(names), {}, {}, {}};
  std::vector<float> values;
  for (const std::string part : {"train", "test"}) {
    const auto file = [&](const char* what) { return folder / part / concat(what, part, ".txt"); };
    const auto rows = read_numbers(file("X_"), columns, values);
    if (!rows) return rows.error();
    std::size_t one = 1;
    std::vector<std::int32_t> labels;
    for (auto* numbers : {&labels, &out.groups}) {
      const auto path = file(numbers == &labels ? "y_" : "subject_");
      const auto found = read_numbers(path, one, *numbers);
      if (!found) return found.error();
      if (*found != *rows) return disagree(file("X_"), *rows, path, *found);
    }
    if (const auto done = add_labels(file("y_").string(), true, labels, out); !done) return done.error();
  }
  if (out.schema.features.empty())
    for (std::size_t c = 1; c <= columns; ++c) out.schema.features.push_back(concat("feature", c));
  out.features = make_matrix<float>(out.labels.size(), columns);
  std::ranges::copy(values, out.features.data());
  return out;
}

/// One .npy array of `rank` dimensions as numbers of type `T`; `shape` receives its extents.
template <class T>
result<std::vector<T>> read_array(const fs::path& path, std::size_t rank, std::vector<std::size_t>& shape) {
  const auto array = load_npy(path);
  if (!array) return array.error();
  if (array->shape.size() != rank)
    return error::of(fault::shape, path.string(), ": ", array->shape.size(), " dimensions, expected ", rank);
  shape = array->shape;
  auto values = array->as<T>();
  if (!values) return error{values.error().kind, concat(values.error().message, " in ", path.string())};
  return values;
}

/// `features561_f32.npy`, `y_u8.npy` and `subject_u8.npy` in one folder.
inline result<dataset<>> read_npy_layout(const fs::path& folder) {
  auto names = read_schema({folder, folder / "UCI HAR Dataset"});
  if (!names) return names.error();
  const auto features = folder / "features561_f32.npy";
  std::vector<std::size_t> shape, one;
  const auto values = read_array<float>(features, 2, shape);
  if (!values) return values.error();
  if (names->features.empty())
    for (std::size_t c = 1; c <= shape[1]; ++c) names->features.push_back(concat("feature", c));
  if (shape[1] != names->features.size())
    return error::of(fault::shape, features.string(), ": ", shape[1], " columns, but features.txt names ",
                     names->features.size());
  if (shape[0] == 0) return error::of(fault::format, features.string(), ": no rows in it");
  for (std::size_t i = 0; i < values->size(); ++i)
    if (!std::isfinite((*values)[i]))
      return error::of(fault::format, features.string(), ", row ", i / shape[1], ", column ",
                       i % shape[1] + 1, ": not a finite number");

  dataset<> out{*std::move(names), make_matrix<float>(shape[0], shape[1]), {}, {}};
  std::ranges::copy(*values, out.features.data());
  const auto labels = read_array<std::int32_t>(folder / "y_u8.npy", 1, one);
  if (!labels) return labels.error();
  if (labels->size() != shape[0]) return disagree(features, shape[0], folder / "y_u8.npy", labels->size());
  if (const auto done = add_labels((folder / "y_u8.npy").string(), false, *labels, out); !done)
    return done.error();
  auto subjects = read_array<std::int32_t>(folder / "subject_u8.npy", 1, one);
  if (!subjects) return subjects.error();
  if (subjects->size() != shape[0])
    return disagree(features, shape[0], folder / "subject_u8.npy", subjects->size());
  out.groups = *std::move(subjects);
  return out;
}

} // namespace detail

/// Reads the published folder (`train/X_train.txt` and so on, here or in `UCI HAR Dataset/`), or
/// `features561_f32.npy`, `y_u8.npy` and `subject_u8.npy` in one folder.
///
/// Shape   10,299 rows: 7,352 for training, then 2,947 for testing; 561 features named by
///         `features.txt` (else feature1, ...), in [-1, 1]; groups are the 30 subjects
/// Errors  N002 no such folder or file, N003 to N006 for what is wrong inside: the text names file,
///         line and column
/// Source  Anguita, Ghio, Oneto, Parra, Reyes-Ortiz, ESANN 2013
/// Test    tests/data/uci_har.test.cpp
inline result<dataset<>> read(const std::filesystem::path& folder) {
  for (const auto& at : {folder, folder / "UCI HAR Dataset"})
    if (detail::is_there(at / "train" / "X_train.txt")) return detail::read_text_layout(at);
  if (detail::is_there(folder / "features561_f32.npy")) return detail::read_npy_layout(folder);
  return error::of(
      fault::file, folder.string(),
      ": neither train/X_train.txt, UCI HAR Dataset/train/X_train.txt nor features561_f32.npy is there");
}

/// The published split: the nine test subjects against the others.
template <class T>
train_test<T> split_as_published(const dataset<T>& data) {
  return split_by_groups(data, test_subjects);
}

} // namespace privet::uci_har
