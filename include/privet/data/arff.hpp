#pragma once
// Weka's attribute-relation files: a header that declares every column, then comma-separated rows.

#include <privet/core/file.hpp>
#include <privet/core/result.hpp>
#include <privet/data/lines.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace privet::arff {

/// One declared column.
struct attribute {
  std::string name;
  std::vector<std::string> values; ///< the names a nominal column may hold; empty: numeric
};

/// The file as numbers: a nominal value is its position in `attribute::values`, `?` is NaN.
struct table {
  std::vector<attribute> attributes;
  std::vector<float> values;        ///< (rows, attributes), row-major
  std::vector<std::size_t> line_of; ///< line number of each row, for error texts

  std::size_t rows() const noexcept { return line_of.size(); }
  std::size_t columns() const noexcept { return attributes.size(); }
  float at(std::size_t row, std::size_t column) const { return values[row * columns() + column]; }

  /// Position of the attribute of that name; `columns()` if there is none.
  std::size_t find(std::string_view name) const noexcept {
    return static_cast<std::size_t>(std::ranges::find(attributes, name, &attribute::name) -
                                    attributes.begin());
  }
};

namespace detail {

using namespace privet::detail;

inline bool same_word(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// Takes the token in front of `text`, with or without quotes; ends before any of `stops`.
/// False if a quote is never closed.
inline bool take_token(std::string_view& text, std::string_view stops, std::string& token) {
  token.clear();
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  if (text.empty() || (text.front() != '\'' && text.front() != '"')) {
    const auto end = std::min(text.find_first_of(stops), text.size());
    token = trimmed(text.substr(0, end));
    text.remove_prefix(end);
    return true;
  }
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      text.remove_prefix(i + 1);
      while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
      return true;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    token += text[i];
  }
  return false;
}

/// Names are compared one by one, so a header of millions would take hours.
inline constexpr std::size_t most_names = 65'536;

/// What follows `@attribute`: a name and a type.
inline result<attribute> parse_attribute(std::string_view text, std::string_view where) {
  attribute out;
  if (!take_token(text, " \t{", out.name))
    return error::of(fault::format, where, ": the quote is never closed");
  text = trimmed(text);
  if (out.name.empty() || text.empty())
    return error::of(fault::format, where, ": '@attribute' without a name and a type");
  if (text.front() != '{') {
    for (const auto type : {"numeric", "real", "integer"})
      if (same_word(text, type)) return out;
    return error::of(fault::unsupported, where, ": ", in_quotes(out.name), " has type ", in_quotes(text),
                     ", expected numeric, real, integer or {names}");
  }
  do {
    text.remove_prefix(1);
    std::string value;
    if (!take_token(text, ",}", value)) return error::of(fault::format, where, ": the quote is never closed");
    if (std::ranges::find(out.values, value) != out.values.end())
      return error::of(fault::format, where, ": ", in_quotes(out.name), " lists ", in_quotes(value),
                       " twice");
    if (out.values.size() == most_names)
      return error::of(fault::unsupported, where, ": ", in_quotes(out.name), " lists more than ", most_names,
                       " names");
    out.values.push_back(std::move(value));
  } while (text.starts_with(','));
  if (trimmed(text) != "}")
    return error::of(fault::format, where, ": the names of ", in_quotes(out.name), " end in ",
                     in_quotes(text), ", expected '}'");
  return out;
}

/// Appends one data row to `out.values`.
inline status parse_row(std::string_view text, std::string_view file, std::size_t line, table& out,
                        std::string& token) {
  if (text.starts_with('{'))
    return error::of(fault::unsupported, file, ':', line, ": sparse rows are not read");
  for (std::size_t column = 0;; ++column) {
    const auto where = [&] {
      return place(
          file, line, column + 1,
          column < out.columns() ? std::string_view(out.attributes[column].name) : std::string_view());
    };
    if (column == out.columns())
      return error::of(fault::shape, where(), ": a value too many, expected ", out.columns(), " values");
    const bool is_quoted = trimmed(text).starts_with('\'') || trimmed(text).starts_with('"');
    if (!take_token(text, ",", token))
      return error::of(fault::format, where(), ": the quote is never closed");
    const auto& names = out.attributes[column].values;
    float value = std::numeric_limits<float>::quiet_NaN();
    if (token != "?" || is_quoted) {
      if (names.empty()) {
        const auto number = number_in<float>(token);
        if (!number || !std::isfinite(*number)) return not_a_number(where(), token);
        value = *number;
      } else {
        const auto found = std::ranges::find(names, token);
        if (found == names.end())
          return error::of(fault::label, where(), ": ", in_quotes(token), " is none of the ", names.size(),
                           " declared names");
        value = static_cast<float>(found - names.begin());
      }
    }
    out.values.push_back(value);
    if (text.empty()) {
      if (column + 1 != out.columns())
        return error::of(fault::shape, file, ':', line, ": the row ends after ", column + 1,
                         " values, expected ", out.columns());
      return nothing{};
    }
    if (text.front() != ',')
      return error::of(fault::format, where(), ": ", in_quotes(text),
                       " after a closing quote, expected a comma");
    text.remove_prefix(1);
  }
}

} // namespace detail

/// Reads numeric and nominal columns, quoted or not, LF or CRLF, `?` for missing, `%` comments.
///
/// `file` is the name used in errors.
/// Errors  N004 malformed header or number (NaN and infinity included), N003 too few or too many
///         values in a row, N006 a name that was not declared, N011 string, date or sparse data
/// Source  weka.wikispaces.com, "ARFF (stable version)"
inline result<table> parse(std::string_view text, std::string_view file = "arff") {
  table out;
  privet::detail::line_reader lines(text);
  bool in_data = false;
  std::string token;
  while (lines.next()) {
    std::string_view line = privet::detail::trimmed(lines.line());
    if (line.empty() || line.front() == '%') continue;
    if (in_data) {
      if (const auto done = detail::parse_row(line, file, lines.number(), out, token); !done)
        return done.error();
      out.line_of.push_back(lines.number());
      continue;
    }
    const auto where = concat(file, ':', lines.number());
    const auto word = line.substr(0, line.find_first_of(" \t{'\""));
    if (detail::same_word(word, "@data")) {
      if (out.attributes.empty()) return error::of(fault::format, where, ": '@data' before any '@attribute'");
      in_data = true;
    } else if (detail::same_word(word, "@attribute")) {
      auto one = detail::parse_attribute(line.substr(word.size()), where);
      if (!one) return one.error();
      if (out.find(one->name) != out.columns())
        return error::of(fault::format, where, ": attribute ", in_quotes(one->name), " is declared twice");
      if (out.columns() == detail::most_names)
        return error::of(fault::unsupported, where, ": more than ", detail::most_names, " attributes");
      out.attributes.push_back(std::move(*one));
    } else if (!detail::same_word(word, "@relation")) {
      return error::of(fault::format, where, ": ", in_quotes(line),
                       ", expected '@relation', '@attribute' or '@data'");
    }
  }
  if (!in_data)
    return error::of(fault::format, file, ": no '@data' line in ", lines.number(),
                     " lines: not an ARFF file");
  return out;
}

/// The same for a file; N002 when it cannot be read.
inline result<table> read(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  return parse(*text, path.string());
}

} // namespace privet::arff
