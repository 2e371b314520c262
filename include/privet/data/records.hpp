#pragma once
// Records of fields between separators, with the quotes of RFC 4180: what is under the csv reader.

#include <privet/core/result.hpp>
#include <privet/data/lines.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace privet::detail {

/// The fields of a text, record by record. A record may span lines inside quotes.
class record_reader {
 public:
  record_reader(std::string_view text, std::string_view file, std::size_t line, char separator)
      : rest_(text), file_(file), next_line_(line), separator_(separator) {}

  std::size_t line() const noexcept { return line_; } ///< where the record starts

  /// Reads the next record that is not a blank line into `fields`; false at the end. Fields are
  /// views into the text, or into the reader until the next call where a quote was doubled.
  result<bool> next(std::vector<std::string_view>& fields) {
    fields.clear();
    unescaped_.clear();
    while (!rest_.empty() && skip_blank_line()) {
    }
    if (rest_.empty()) return false;
    line_ = next_line_;
    for (;;) {
      const auto field = take_field(fields.size() + 1);
      if (!field) return field.error();
      fields.push_back(*field);
      if (rest_.empty() || rest_.front() != separator_) break;
      rest_.remove_prefix(1);
    }
    if (rest_.starts_with('\r')) rest_.remove_prefix(1);
    if (!rest_.empty()) rest_.remove_prefix(1);
    ++next_line_;
    return true;
  }

 private:
  bool skip_blank_line() noexcept {
    const auto end = rest_.find_first_not_of(separator_ == '\t' ? " \r" : " \t\r");
    if (end == rest_.npos)
      rest_ = {};
    else if (rest_[end] == '\n')
      rest_.remove_prefix(end + 1), ++next_line_;
    else
      return false;
    return true;
  }

  /// True at a line end or at the end of the text.
  bool at_end() const noexcept {
    return rest_.empty() || rest_.front() == '\n' || rest_ == "\r" || rest_.starts_with("\r\n");
  }

  result<std::string_view> take_field(std::size_t column) {
    while (!rest_.empty() && is_blank(rest_.front()) && rest_.front() != separator_) rest_.remove_prefix(1);
    if (rest_.starts_with('"')) return take_quoted(column);
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != separator_ && rest_[end] != '\n') ++end;
    auto field = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (field.ends_with('\r')) field.remove_suffix(1);
    return trimmed(field);
  }

  result<std::string_view> take_quoted(std::size_t column) {
    const auto where = [&] { return place(file_, line_, column); };
    std::string* copy = nullptr;
    std::size_t from = 1;
    for (std::size_t i = 1;; ++i) {
      i = rest_.find('"', i);
      if (i == rest_.npos) return error::of(fault::format, where(), ": the quote is never closed");
      if (!rest_.substr(i + 1).starts_with('"')) {
        const auto last = rest_.substr(from, i - from);
        next_line_ += static_cast<std::size_t>(
            std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(i), '\n'));
        const auto field = copy ? std::string_view(copy->append(last)) : last;
        rest_.remove_prefix(i + 1);
        while (!rest_.empty() && is_blank(rest_.front()) && rest_.front() != separator_)
          rest_.remove_prefix(1);
        if (!at_end() && rest_.front() != separator_)
          return error::of(fault::format, where(), ": ", in_quotes(rest_.substr(0, 1)),
                           " after a closing quote, expected ", in_quotes(std::string_view(&separator_, 1)));
        return field;
      }
      if (!copy) copy = &unescaped_.emplace_back();
      copy->append(rest_.substr(from, i + 1 - from));
      from = ++i + 1;
    }
  }

  std::string_view rest_, file_;
  std::size_t line_ = 0, next_line_;
  char separator_;
  std::deque<std::string> unescaped_; // a deque, so that views into it stay valid
};

} // namespace privet::detail
