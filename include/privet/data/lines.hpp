#pragma once
// The small change of the text readers: lines, fields and numbers of an untrusted file, and the
// place to name when something is wrong with them.

#include <privet/core/bytes.hpp>
#include <privet/core/error.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace privet::detail {

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Walks through a text line by line; LF and CRLF both end one, and a UTF-8 byte order mark is passed over.
class line_reader {
 public:
  explicit line_reader(std::string_view text) noexcept : rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }

  /// Moves to the next line; false at the end.
  bool next() noexcept {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line_ = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    ++number_;
    return true;
  }

  std::string_view line() const noexcept { return line_; }
  std::string_view rest() const noexcept { return rest_; }
  std::size_t number() const noexcept { return number_; } ///< counts from 1

 private:
  std::string_view rest_, line_;
  std::size_t number_ = 0;
};

/// The number that fills the whole of `text`; nothing if it is anything else. May be NaN or infinite.
template <class Number>
std::optional<Number> number_in(std::string_view text) noexcept {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  Number number{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// `wisdm.arff:51, column 3 'X1'`; columns count from 1.
inline std::string place(std::string_view file, std::size_t line, std::size_t column,
                         std::string_view name = {}) {
  return concat(file, ':', line, ", column ", column, name.empty() ? std::string() : ' ' + in_quotes(name));
}

/// Why a field is not a finite number.
inline error not_a_number(std::string_view where, std::string_view field) {
  return error::of(fault::format, where, ": ", in_quotes(field), ", expected a finite number");
}

} // namespace privet::detail
