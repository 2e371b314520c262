#pragma once
// The WISDM activity prediction data, v1.1: 43 numbers for ten seconds of a phone in a pocket.

#include <privet/data/arff.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/wisdm_features.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::wisdm {

/// The 43 columns and six activities of the published file.
inline privet::schema schema() {
  return {{wisdm_feature_names.begin(), wisdm_feature_names.end()},
          {wisdm_class_names.begin(), wisdm_class_names.end()},
          {}};
}

/// `read` for a text in memory; `file` is the name used in errors.
inline result<dataset<>> parse(std::string_view text, std::string_view file = "wisdm") {
  const auto table = arff::parse(text, file);
  if (!table) return table.error();

  const std::size_t user = table->find("user"), label = table->find("class");
  if (user == table->columns() || label == table->columns())
    return error::of(fault::schema, file, ": no attribute '", user == table->columns() ? "user" : "class",
                     "' among ", table->columns());
  std::vector<std::size_t> from;
  privet::schema found{{}, table->attributes[label].values, {}};
  for (std::size_t c = 0; c < table->columns(); ++c) {
    const auto& [name, values] = table->attributes[c];
    if (c == user || c == label || name == "UNIQUE_ID") continue;
    if (!values.empty())
      return error::of(fault::schema, file, ": attribute ", in_quotes(name), " is nominal, expected numeric");
    from.push_back(c);
    found.features.push_back(name);
  }
  if (const auto difference = first_difference(found, schema()))
    return error::of(fault::schema, file, " against WISDM v1.1: ", *difference);

  std::vector<std::int32_t> ids; // of the declared user names
  if (table->attributes[user].values.empty())
    return error::of(fault::schema, file, ": attribute 'user' is numeric, expected {names}");
  for (const auto& name : table->attributes[user].values) {
    const auto id = privet::detail::number_in<std::int32_t>(name);
    if (!id) return error::of(fault::format, file, ": user ", in_quotes(name), ", expected a whole number");
    ids.push_back(*id);
  }

  if (table->rows() == 0) return error::of(fault::format, file, ": no rows after '@data'");
  dataset<> out{std::move(found), make_matrix<float>(table->rows(), from.size()), {}, {}};
  for (std::size_t r = 0; r < table->rows(); ++r) {
    for (const std::size_t c : {user, label})
      if (std::isnan(table->at(r, c)))
        return error::of(fault::label,
                         privet::detail::place(file, table->line_of[r], c + 1, table->attributes[c].name),
                         ": '?', expected a name");
    out.groups.push_back(ids[static_cast<std::size_t>(table->at(r, user))]);
    out.labels.push_back(static_cast<std::int32_t>(table->at(r, label)));
    for (std::size_t c = 0; c < from.size(); ++c) row(out.features, r)[c] = table->at(r, from[c]);
  }
  return out;
}

/// Reads `WISDM_ar_v1.1_transformed.arff`: 5,418 rows, 36 users.
///
/// Shape   43 features as in `schema()` (UNIQUE_ID and user are left out, XAVG is 0 throughout),
///         labels 0 to 5 as in its classes, groups are the user ids
/// Missing `?` becomes NaN, counted by `dataset::missing()`: 615, all of them times between peaks
/// Errors  N002 unreadable, N003 to N006 for what is wrong inside: the text names file, line, column
/// Source  Kwapisz, Weiss, Moore, "Activity Recognition using Cell Phone Accelerometers", SensorKDD 2010
/// Test    tests/data/wisdm.test.cpp
inline result<dataset<>> read(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  return parse(*text, path.string());
}

} // namespace privet::wisdm
