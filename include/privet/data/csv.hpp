#pragma once
// Tables as text: one row per line, fields between commas, semicolons or tabs, quotes as in RFC 4180.

#include <privet/core/file.hpp>
#include <privet/core/result.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/lines.hpp>
#include <privet/data/records.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace privet::csv {

/// Whether the first row names the columns.
enum class header {
  automatic, ///< it does if none of its fields is a number and the second row has one; with
             ///< `options::like`, if it holds the name of a column there
  yes,
  no ///< columns are called column1, column2, ...
};

struct options {
  csv::header header = header::automatic;
  std::vector<std::string> names{};   ///< what to call the columns, instead of a header's names
  std::string label_column{};         ///< empty: the last one
  std::string group_column{};         ///< whole numbers; empty: the file has no groups
  std::vector<std::string> drop{};    ///< columns to leave out, such as a row number
  std::vector<std::string> nominal{}; ///< columns of numbers that are names of something
  char separator = '\0';              ///< 0: the one of , ; and tab that the first line has most of
  std::vector<std::string> missing{"?", "", "NA"}; ///< fields without a value
  std::vector<std::string> classes{};              ///< the labels in order; empty: those found
  std::optional<schema> like{};                    ///< columns and classes that the file must fit
  std::size_t skip_lines = 0;                      ///< in front of everything else
  std::string trim_label{};                        ///< characters to take off the end of labels
  std::size_t most_categories = 256;               ///< of one nominal column
};

namespace detail {

using namespace privet::detail;

/// Different texts and the order they came in.
struct dictionary {
  std::vector<std::string> names;
  bool closed = false; ///< nothing may be added

  /// Position of `name`, added if it is new; nothing if it is new and may not be added.
  std::optional<std::size_t> find_or_add(std::string_view name) {
    const std::string key(name);
    if (const auto found = index_.find(key); found != index_.end()) return found->second;
    if (closed) return std::nullopt;
    index_.emplace(key, names.size());
    names.push_back(key);
    return names.size() - 1;
  }

  /// Sorts the names, whole numbers by value if all are, and says where each went.
  std::vector<std::size_t> sort() {
    const auto number = [](const std::string& name) { return number_in<std::int64_t>(name); };
    const bool numbers =
        std::ranges::all_of(names, [&](const auto& name) { return number(name).has_value(); });
    std::vector<std::size_t> order(names.size()), place_of(names.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      const auto x = numbers ? *number(names[a]) : 0, y = numbers ? *number(names[b]) : 0;
      return x != y ? x < y : names[a] < names[b];
    });
    std::vector<std::string> sorted;
    for (std::size_t i = 0; i < order.size(); ++i) {
      place_of[order[i]] = i;
      sorted.push_back(std::move(names[order[i]]));
    }
    names = std::move(sorted);
    index_.clear();
    return place_of;
  }

 private:
  std::unordered_map<std::string, std::size_t> index_;
};

/// One column of features while it is read: each cell is a number, or the position of a name.
struct column {
  enum { undecided, numeric, nominal } kind = undecided;
  std::size_t position; ///< in the file, from 0
  std::string name;
  dictionary categories;
  std::size_t decided_at = 0; ///< line
};

class table_reader {
 public:
  table_reader(std::string_view text, std::string_view file, const options& how)
      : file_(file), how_(how), text_(text) {}

  result<dataset<>> read() {
    std::size_t line = 1;
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
    for (; line <= how_.skip_lines && !text_.empty(); ++line)
      text_.remove_prefix(std::min(text_.find('\n'), text_.size() - 1) + 1);

    record_reader records(text_, file_, line, separator());
    std::vector<std::string_view> fields;
    auto more = records.next(fields);
    if (!more) return more.error();
    if (!*more) return error::of(fault::format, file_, ": no rows in it");
    if (const auto done = name_columns(records, fields); !done) return done.error();
    if (const auto done = choose_columns(); !done) return done.error();
    if (has_header_) more = records.next(fields);
    for (; more && *more; more = records.next(fields))
      if (const auto done = add_row(records.line(), fields); !done) return done.error();
    if (!more) return more.error();
    if (labels_.empty()) return error::of(fault::format, file_, ": no rows below the header");
    return finish();
  }

 private:
  bool is_missing(std::string_view field) const {
    return std::ranges::find(how_.missing, field) != how_.missing.end();
  }
  static bool contains(const std::vector<std::string>& list, std::string_view name) {
    return std::ranges::find(list, name) != list.end();
  }

  char separator() const {
    if (how_.separator != '\0') return how_.separator;
    std::size_t commas = 0, semicolons = 0, tabs = 0;
    bool inside = false;
    const auto first = text_.substr(std::min(text_.find_first_not_of("\r\n"), text_.size()));
    for (const char c : first) {
      if (c == '"') inside = !inside;
      if (inside) continue;
      if (c == '\n') break;
      commas += c == ',', semicolons += c == ';', tabs += c == '\t';
    }
    return tabs > commas && tabs > semicolons ? '\t' : semicolons > commas ? ';' : ',';
  }

  static bool has_number(const std::vector<std::string_view>& fields) {
    return std::ranges::any_of(fields, [](auto field) { return number_in<double>(field).has_value(); });
  }

  status name_columns(record_reader records, const std::vector<std::string_view>& first) {
    const std::size_t line = records.line();
    has_header_ = how_.header == header::yes;
    if (how_.header == header::automatic && how_.like) {
      has_header_ =
          std::ranges::any_of(first, [&](auto field) { return names_a_column_of(*how_.like, field); });
    } else if (how_.header == header::automatic && !has_number(first)) {
      std::vector<std::string_view> second;
      const auto more = records.next(second);
      if (!more) return more.error();
      has_header_ = *more && has_number(second);
    }
    if (!how_.names.empty() && how_.names.size() != first.size())
      return error::of(fault::shape, file_, ':', line, ": ", first.size(), " columns, but ",
                       how_.names.size(), " names were given");
    for (std::size_t c = 0; c < first.size(); ++c) {
      std::string name = !how_.names.empty()                ? how_.names[c]
                         : has_header_ && !first[c].empty() ? std::string(first[c])
                                                            : concat("column", c + 1);
      if (!positions_.emplace(name, c).second)
        return error::of(fault::format, place(file_, line, c + 1, name), ": the name is used twice");
      names_.push_back(std::move(name));
    }
    return nothing{};
  }

  /// Position of a column that the options speak of.
  result<std::size_t> find(const std::string& name) const {
    const auto found = positions_.find(name);
    if (found == positions_.end())
      return error::of(fault::schema, file_, ": no column ", in_quotes(name), " among ", names_.size(),
                       " from ", in_quotes(names_.front()), " to ", in_quotes(names_.back()));
    return found->second;
  }

  status choose_columns() {
    label_ = names_.size() - 1;
    for (const auto* list : {&how_.drop, &how_.nominal})
      for (const auto& name : *list)
        if (const auto found = find(name); !found) return found.error();
    if (!how_.label_column.empty()) {
      const auto found = find(how_.label_column);
      if (!found) return found.error();
      label_ = *found;
    }
    if (!how_.group_column.empty()) {
      const auto found = find(how_.group_column);
      if (!found) return found.error();
      group_ = *found;
    }
    for (std::size_t c = 0; c < names_.size(); ++c) {
      if (c == label_ || c == group_ || contains(how_.drop, names_[c])) continue;
      column one{
          contains(how_.nominal, names_[c]) ? column::nominal : column::undecided, c, names_[c], {}, 0};
      if (how_.like) take_kind_of(*how_.like, one);
      columns_.push_back(std::move(one));
    }
    if (columns_.empty()) return error::of(fault::schema, file_, ": no columns of features are left");
    for (const auto& name : how_.like ? how_.like->classes : how_.classes) classes_.find_or_add(name);
    classes_.closed = !classes_.names.empty();
    return nothing{};
  }

  static bool names_a_column_of(const schema& like, std::string_view field) {
    return std::ranges::any_of(like.features, [&](std::string_view name) {
      return !field.empty() && name.starts_with(field) &&
             (name.size() == field.size() || name[field.size()] == '=');
    });
  }

  /// A column of that name, or one per category as `finish` names them.
  static void take_kind_of(const schema& like, column& one) {
    if (contains(like.features, one.name)) {
      one.kind = column::numeric;
      return;
    }
    const std::string prefix = one.name + '=';
    for (const auto& name : like.features)
      if (name.starts_with(prefix)) one.categories.find_or_add(std::string_view(name).substr(prefix.size()));
    if (one.categories.names.empty()) return;
    one.kind = column::nominal;
    one.categories.closed = true;
  }

  status add_row(std::size_t line, const std::vector<std::string_view>& fields) {
    if (fields.size() > names_.size())
      return error::of(fault::shape, place(file_, line, names_.size() + 1), ": a value too many, expected ",
                       names_.size());
    if (fields.size() < names_.size())
      return error::of(fault::shape, file_, ':', line, ": the row ends after ", fields.size(),
                       " values, expected ", names_.size());
    const auto where = [&](std::size_t c) { return place(file_, line, c + 1, names_[c]); };

    auto label = fields[label_];
    if (is_missing(label))
      return error::of(fault::label, where(label_), ": ", in_quotes(label), ", expected a class");
    while (!label.empty() && how_.trim_label.find(label.back()) != std::string::npos) label.remove_suffix(1);
    const auto index = classes_.find_or_add(label);
    if (!index)
      return error::of(fault::label, where(label_), ": ", in_quotes(label), " is none of the ",
                       classes_.names.size(), " classes from ", in_quotes(classes_.names.front()), " to ",
                       in_quotes(classes_.names.back()));
    labels_.push_back(static_cast<std::int32_t>(*index));

    if (group_) {
      const auto group = number_in<std::int32_t>(fields[*group_]);
      if (!group)
        return error::of(fault::format, where(*group_), ": ", in_quotes(fields[*group_]),
                         ", expected a whole number for a group");
      groups_.push_back(*group);
    }
    for (auto& one : columns_) {
      auto cell = read_cell(one, fields[one.position], line);
      if (!cell) return cell.error();
      cells_.push_back(*cell);
    }
    return nothing{};
  }

  result<float> read_cell(column& one, std::string_view field, std::size_t line) {
    if (is_missing(field)) return std::numeric_limits<float>::quiet_NaN();
    const auto where = [&] { return place(file_, line, one.position + 1, one.name); };
    if (one.kind != column::nominal) {
      const auto number = number_in<float>(field);
      if (number && std::isfinite(*number)) {
        if (one.kind == column::undecided) one.kind = column::numeric, one.decided_at = line;
        return *number;
      }
      if (number || one.kind == column::numeric)
        return error::of(fault::format, where(), ": ", in_quotes(field), ", expected a finite number",
                         one.decided_at ? concat(" as in line ", one.decided_at) : std::string());
      one.kind = column::nominal;
    }
    const auto index = one.categories.find_or_add(field);
    if (!index)
      return error::of(fault::schema, where(), ": ", in_quotes(field), " is none of the ",
                       one.categories.names.size(), " known categories");
    if (!one.categories.closed && one.categories.names.size() > how_.most_categories)
      return error::of(fault::unsupported, where(), ": more than ", how_.most_categories,
                       " different texts; leave the column out or allow more categories");
    return static_cast<float>(*index);
  }

  result<dataset<>> finish() {
    schema names;
    if (!classes_.closed) {
      const auto place_of = classes_.sort();
      for (auto& label : labels_)
        label = static_cast<std::int32_t>(place_of[static_cast<std::size_t>(label)]);
    }
    names.classes = std::move(classes_.names);
    std::vector<std::size_t> start; // of each column among the features
    std::vector<std::vector<std::size_t>> place_of(columns_.size());
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      auto& [kind, position, name, categories, line] = columns_[c];
      start.push_back(names.features.size());
      if (kind != column::nominal) {
        names.features.push_back(name);
        continue;
      }
      if (categories.closed) {
        place_of[c].resize(categories.names.size());
        std::iota(place_of[c].begin(), place_of[c].end(), std::size_t{0});
      } else {
        place_of[c] = categories.sort();
      }
      for (const auto& category : categories.names) names.features.push_back(concat(name, '=', category));
    }
    if (how_.like) {
      schema like{how_.like->features, how_.like->classes, {}};
      if (const auto difference = first_difference(names, like))
        return error::of(fault::schema, file_, " against the given schema: ", *difference);
    }

    const std::size_t rows = labels_.size(), width = names.features.size();
    constexpr std::size_t most_cells = std::size_t{1} << 31;
    if (width != 0 && rows > most_cells / width)
      return error::of(fault::unsupported, file_, ": ", rows, " rows of ", width, " columns, at most ",
                       most_cells, " numbers are read");
    dataset<> out{std::move(names), make_matrix<float>(rows, width), std::move(labels_), std::move(groups_)};
    for (std::size_t r = 0; r < rows; ++r) {
      const auto to = row(out.features, r);
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const float cell = cells_[r * columns_.size() + c];
        if (columns_[c].kind != column::nominal)
          to[start[c]] = cell;
        else if (!std::isnan(cell))
          to[start[c] + place_of[c][static_cast<std::size_t>(cell)]] = 1;
        else
          std::ranges::fill(to.subspan(start[c], place_of[c].size()), cell);
      }
    }
    return out;
  }

  std::string_view file_;
  const options& how_;
  std::string_view text_;
  bool has_header_ = false;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> positions_;
  std::size_t label_ = 0;
  std::optional<std::size_t> group_;
  std::vector<column> columns_;
  dictionary classes_;
  std::vector<std::int32_t> labels_, groups_;
  std::vector<float> cells_; // (rows, columns_)
};

} // namespace detail

/// `read` for a text in memory; `file` is the name used in errors.
inline result<dataset<>> parse(std::string_view text, const options& how = {},
                               std::string_view file = "csv") {
  return detail::table_reader(text, file, how).read();
}

/// Reads a table with one label per row.
///
/// Columns  the first value decides: a number makes the column numeric, and text further down is
///          then an error; text makes it nominal, and it becomes one column of 0 and 1 per category,
///          called `name=category`, sorted by bytes (whole numbers by value)
/// Labels   the classes are the different labels, sorted likewise, or `options::classes` in order
/// Missing  NaN, in every column of a nominal one; a missing label is an error
/// Blanks   around an unquoted field are not part of it; blank lines are passed over
/// Errors   N002 unreadable; N003 a row too short or too long; N004 not a number (NaN and infinity
///          included), an open quote, no rows; N005 a column or category that is not as expected;
///          N006 an unknown class; N011 too many categories. The text names file, line and column
/// Cost     one pass, 4 bytes per cell beside the file and the result
/// Test     tests/data/csv.test.cpp
inline result<dataset<>> read(const std::filesystem::path& path, const options& how = {}) {
  const auto text = read_text(path);
  if (!text) return text.error();
  return parse(*text, how, path.string());
}

} // namespace privet::csv
