#pragma once
// One line of a terminal that says how far a job is. Text in, text out: whoever calls keeps the clock and
// prints.

#include <privet/core/error.hpp>
#include <privet/core/text.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace privet {

namespace detail {

/// The columns a symbol takes: 0 for marks that join the one before, 2 for East Asian and pictures, else 1.
inline std::size_t columns_of(char32_t symbol) {
  using range = std::pair<char32_t, char32_t>;
  constexpr std::array<range, 5> joined{
      {{0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}};
  constexpr std::array<range, 9> broad{{{0x1100, 0x115f},
                                        {0x2e80, 0xa4cf},
                                        {0xac00, 0xd7a3},
                                        {0xf900, 0xfaff},
                                        {0xfe30, 0xfe6f},
                                        {0xff00, 0xff60},
                                        {0xffe0, 0xffe6},
                                        {0x1f300, 0x1faff},
                                        {0x20000, 0x3fffd}}};
  const auto holds = [symbol](range r) { return r.first <= symbol && symbol <= r.second; };
  return std::ranges::any_of(joined, holds) ? 0 : std::ranges::any_of(broad, holds) ? 2 : 1;
}

/// A piece of text and how many columns of a fixed-width font it fills.
struct measured_text {
  std::string text;
  std::size_t columns = 0;
};

/// `text` as harmless UTF-8 on one line, cut to `columns`; what was cut leaves an ellipsis.
inline measured_text fit_columns(std::string_view text, std::size_t columns) {
  measured_text whole, cut; // `cut` stays one column short, for the ellipsis
  while (!text.empty()) {
    const char32_t symbol = take_symbol(text);
    const std::size_t wide = columns_of(symbol);
    if (whole.columns + wide > columns) {
      if (columns == 0) return {};
      return {cut.text + "…", cut.columns + 1};
    }
    append_symbol(whole.text, symbol);
    whole.columns += wide;
    if (whole.columns < columns) cut = whole;
  }
  return whole;
}

/// "0:42", "12:05", "1:02:03", "over 99 h".
inline std::string clock_text(double seconds) {
  if (!(seconds < 360000)) return "over 99 h";
  const auto total = static_cast<unsigned>(std::max(0.0, std::ceil(seconds)));
  const auto two = [](unsigned n) { return concat(n < 10 ? "0" : "", n); };
  const unsigned hours = total / 3600, minutes = total / 60 % 60;
  return hours ? concat(hours, ':', two(minutes), ':', two(total % 60))
               : concat(minutes, ':', two(total % 60));
}

/// A bar in eighths of a column.
inline std::string bar_text(double part, std::size_t columns) {
  constexpr std::array<std::string_view, 8> eighths{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto filled = static_cast<std::size_t>(part * 8 * static_cast<double>(columns));
  std::string out;
  for (std::size_t i = 0; i < columns; ++i)
    out += filled >= 8 * (i + 1) ? "█" : filled > 8 * i ? eighths[filled - 8 * i] : " ";
  return out;
}

} // namespace detail

/// One line: name, bar, percent and, from the pace so far, the time left.
///
/// Requires  `seconds` since the job began, by the caller's clock; `width` in terminal columns
/// Ensures   exactly `width` columns of UTF-8 without control characters, so that a line written over
///           its predecessor covers it; narrow lines give up the time, then the bar, then the name.
///           Nothing to do counts as done, and `done` beyond `total` as `total`. 100 % means done.
/// Test      tests/federated/progress.test.cpp
inline std::string progress_line(std::string_view name, std::uint64_t done, std::uint64_t total,
                                 double seconds, std::size_t width) {
  constexpr std::size_t time_columns = 14, percent_columns = 4, shortest_bar = 8, longest_name = 16, gap = 2;
  const bool finished = done >= total;
  const double part = finished ? 1 : static_cast<double>(done) / static_cast<double>(total);

  // Rounded down: a job that still runs never shows 100 %, even where the quotient rounds to one.
  std::string tail = concat(finished ? 100u : std::min(99u, static_cast<unsigned>(part * 100)), '%');
  if (width < tail.size()) return detail::fit_columns(tail, width).text;
  tail.insert(0, std::min(width, percent_columns) - tail.size(), ' ');
  if (width < percent_columns) return tail;

  std::size_t left = width - percent_columns;
  if (left >= time_columns + 2 * (shortest_bar + gap)) {
    std::string time = "";
    if (finished && seconds >= 0)
      time = concat("took ", detail::clock_text(seconds));
    else if (done > 0 && seconds > 0)
      time = concat(detail::clock_text(seconds * (1 - part) / part), " left");
    tail += concat(std::string(time_columns - time.size() + gap, ' '), time);
    left -= time_columns + gap;
  }

  const bool with_bar = left >= 2 * (shortest_bar + gap);
  const std::size_t name_room =
      with_bar ? std::max(left / 3, std::min(left - shortest_bar - gap - 1, longest_name))
               : left - std::min(left, gap);
  const auto title = detail::fit_columns(name, name_room);
  std::string line = title.text;
  left -= title.columns;
  if (with_bar) {
    const std::size_t before = title.columns ? gap : 0;
    line += concat(std::string(before, ' '), detail::bar_text(part, left - before - 1), " ");
  } else {
    line.append(left, ' ');
  }
  return line + tail;
}

/// The same in words, for a page: "Round 7 of 50, 0:42 left."
inline std::string progress_text(std::string_view step, std::uint64_t done, std::uint64_t total,
                                 double seconds_left) {
  return concat(
      step, ' ', done, " of ", total,
      seconds_left >= 0 ? concat(", ", detail::clock_text(seconds_left), " left.") : std::string("."));
}

/// A job with a name and a known amount of work: `progress_bar{.name = "federated", .total = 25}`.
struct progress_bar {
  std::string name{};
  std::uint64_t total = 0; ///< steps
  std::size_t width = 80;  ///< columns

  std::string line(std::uint64_t done, double seconds) const {
    return progress_line(name, done, total, seconds, width);
  }
};

} // namespace privet
