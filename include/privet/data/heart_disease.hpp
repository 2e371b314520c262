#pragma once
// Heart Disease (UCI): 920 patients of four hospitals, and whether an artery was found narrowed.

#include <privet/core/file.hpp>
#include <privet/core/result.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/records.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::heart_disease {

/// Group g of a data set is the hospital `site_names[g]`, whose rows are in `file_names[g]`.
inline constexpr std::array<std::string_view, 4> site_names{"Cleveland", "Hungary", "Switzerland",
                                                            "Long Beach"};
inline constexpr std::array<std::string_view, 4> file_names{
    "processed.cleveland.data", "processed.hungarian.data", "processed.switzerland.data",
    "processed.va.data"};

namespace detail {

using namespace privet::detail;

/// A column of the files: the codes that it may hold, none for a measured number, and for one the mean and the
/// deviation that a cardiologist would expect. The latter are round public numbers, not taken from the rows.
struct column {
  std::string_view name;
  std::string_view codes{};   ///< digits
  bool often_missing = false; ///< at one hospital at least
  bool zero_is_missing = false;
  float centre = 0.5f, deviation = 0.5f;

  bool is_one_of_many() const noexcept { return codes.size() > 2 && name != "ca"; }
};
inline constexpr std::array<column, 13> columns{{{"age", "", false, false, 55, 10},
                                                 {"sex", "01"},
                                                 {"cp", "1234"},
                                                 {"trestbps", "", true, true, 130, 20},
                                                 {"chol", "", true, true, 240, 50},
                                                 {"fbs", "01", true},
                                                 {"restecg", "012"},
                                                 {"thalach", "", true, false, 140, 25},
                                                 {"exang", "01", true},
                                                 {"oldpeak", "", true, false, 1, 1},
                                                 {"slope", "123", true},
                                                 {"ca", "0123", true, false, 1, 1},
                                                 {"thal", "367", true}}};
inline constexpr std::string_view diagnoses = "01234";
inline constexpr float farthest = 2.5f; ///< deviations from the centre to which public ranges reach

/// 3 and 3.0 are the same code.
inline bool is_code(float number, std::string_view codes) {
  return std::ranges::any_of(codes, [&](char c) { return number == static_cast<float>(c - '0'); });
}

inline result<float> number_at(std::string_view field, std::string_view codes, const std::string& where,
                               fault kind = fault::format) {
  const auto number = number_in<float>(field);
  if (!number || !std::isfinite(*number))
    return error::of(kind, where, ": ", in_quotes(field), ", expected a finite number or '?'");
  if (!codes.empty() && !is_code(*number, codes))
    return error::of(kind, where, ": ", in_quotes(field), ", expected one of the codes ", codes);
  return *number;
}

} // namespace detail

/// The 13 columns as in the files, and the two classes.
inline privet::schema schema() {
  privet::schema names{{}, {"healthy", "disease"}, {}};
  for (const auto& c : detail::columns) names.features.emplace_back(c.name);
  return names;
}

/// The rows of one hospital in a text; `file` is the name used in errors. Errors as `read`, N001 for a site that is
/// none of `site_names`.
inline result<dataset<>> parse(std::string_view text, std::size_t site, std::string_view file = "heart") {
  if (site >= site_names.size())
    return error::of(fault::argument, file, ": site ", site, ", expected 0 to ", site_names.size() - 1);
  constexpr std::size_t fields_per_row = detail::columns.size() + 1;
  std::vector<float> cells;
  dataset<> out{schema(), {}, {}, {}};
  detail::record_reader records(text, file, 1, ',');
  for (std::vector<std::string_view> fields;;) {
    const auto more = records.next(fields);
    if (!more) return more.error();
    if (!*more) break;
    if (fields.size() != fields_per_row)
      return error::of(fault::shape, file, ':', records.line(), ": ", fields.size(), " values, expected ",
                       fields_per_row);
    for (std::size_t c = 0; c < detail::columns.size(); ++c) {
      const auto& column = detail::columns[c];
      float value = std::numeric_limits<float>::quiet_NaN();
      if (fields[c] != "?") {
        const auto number = detail::number_at(fields[c], column.codes,
                                              detail::place(file, records.line(), c + 1, column.name));
        if (!number) return number.error();
        if (!(column.zero_is_missing && *number == 0)) value = *number;
      }
      cells.push_back(value);
    }
    const std::string where = detail::place(file, records.line(), fields_per_row, "num");
    if (fields.back() == "?")
      return error::of(fault::label, where, ": '?', expected a diagnosis from 0 to 4");
    const auto diagnosis = detail::number_at(fields.back(), detail::diagnoses, where, fault::label);
    if (!diagnosis) return diagnosis.error();
    out.labels.push_back(*diagnosis > 0);
  }
  if (out.labels.empty()) return error::of(fault::format, file, ": no rows");
  out.features = make_matrix<float>(out.rows(), out.columns());
  std::ranges::copy(cells, out.features.data());
  out.groups.assign(out.rows(), static_cast<std::int32_t>(site));
  return out;
}

/// Reads the four `processed.*.data` files of a folder as one data set: 303 + 294 + 123 + 200 rows.
///
/// Shape   the 13 columns of `schema()`, labels 0 (num is 0) and 1 (1 to 4), groups as `site_names`
/// Missing `?` is NaN, and so is a blood pressure or a cholesterol of 0, which nobody has
/// Errors  N002 unreadable, N003 for a row of another length, N004 for what is no number or none of a column's
///         codes, N006 for a diagnosis: the text names file, line, column and both sides
/// Source  Janosi, Steinbrunn, Pfisterer, Detrano, "Heart Disease", UCI Machine Learning Repository, 1988
/// Test    tests/data/heart_disease.test.cpp
inline result<dataset<>> read(const std::filesystem::path& folder) {
  std::array<dataset<>, site_names.size()> sites;
  for (std::size_t s = 0; s < sites.size(); ++s) {
    const auto path = folder / file_names[s];
    const auto text = read_text(path);
    if (!text) return text.error();
    auto site = parse(*text, s, path.string());
    if (!site) return site.error();
    sites[s] = *std::move(site);
  }
  return joined(std::span<const dataset<>>(sites));
}

/// The columns as a linear model reads them: numbers and yes or no as they are (still with NaN), one column of 0
/// and 1 for each code of the others, and `name missing` for every column that some hospital does not fill.
///
/// Ensures   the same columns whatever the rows hold. Throws N005 for another schema than `schema()`
inline dataset<> expanded(const dataset<>& data) {
  if (const auto difference = first_difference(data.schema, schema()))
    fail(fault::schema, "heart_disease: got columns that are not those of the files: ", *difference);
  privet::schema names{{}, data.schema.classes, {}};
  for (const auto& c : detail::columns) {
    if (!c.is_one_of_many())
      names.features.emplace_back(c.name);
    else
      for (const char code : c.codes) names.features.push_back(concat(c.name, '=', code));
    if (c.often_missing) names.features.push_back(concat(c.name, " missing"));
  }
  const std::size_t width = names.features.size();
  dataset<> out{std::move(names), make_matrix<float>(data.rows(), width), data.labels, data.groups};
  for (std::size_t r = 0; r < data.rows(); ++r) {
    float* to = row(out.features, r).data();
    for (std::size_t c = 0; c < detail::columns.size(); ++c) {
      const auto& column = detail::columns[c];
      const float x = row(data.features, r)[c];
      if (!column.is_one_of_many())
        *to++ = x;
      else
        for (const char code : column.codes) *to++ = x == static_cast<float>(code - '0');
      if (column.often_missing) *to++ = std::isnan(x);
    }
  }
  return out;
}

/// `expanded`, scaled by public constants for a private run: (x - centre) / deviation of a measured number, cut at
/// 2.5 deviations; -1 and 1 for yes and no; 0 and 1 as they are; 0 where a value is missing.
///
/// Privacy   no constant was read off the rows, so scaling tells nothing of them
inline dataset<> by_public_ranges(const dataset<>& data) {
  dataset<> out = expanded(data);
  for (std::size_t i = 0; i < out.columns(); ++i) {
    const auto column = std::ranges::find(detail::columns, out.schema.features[i], &detail::column::name);
    if (column == detail::columns.end()) continue; // 0 and 1
    for (std::size_t r = 0; r < out.rows(); ++r) {
      float& x = row(out.features, r)[i];
      x = std::isnan(x)
              ? 0
              : std::clamp((x - column->centre) / column->deviation, -detail::farthest, detail::farthest);
    }
  }
  out.schema.scaling = "heart disease by public ranges 1";
  return out;
}

} // namespace privet::heart_disease
