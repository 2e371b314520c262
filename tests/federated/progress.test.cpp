#include "support/catch.hpp"

#include <privet/federated/progress.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

using namespace privet;

namespace {

// For text without wide or joined symbols: every byte that does not continue another one is a column.
std::size_t symbols(std::string_view text) {
  std::size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
  return count;
}

} // namespace

TEST_CASE("a progress line shows name, bar, percent and time left") {
  CHECK(progress_line("federated", 10, 25, 28, 60) ==
        "federated  ███████████▏                  40%       0:42 left");
  CHECK(progress_line("federated", 25, 25, 85, 60) ==
        "federated  ████████████████████████████ 100%       took 1:25");
  CHECK(progress_line("federated", 0, 25, 3, 60) ==
        "federated                                 0%                ");
}

TEST_CASE("narrow progress lines give up the time, then the bar, then the name") {
  CHECK(progress_line("federated", 10, 25, 28, 30) == "federated  █████▌          40%");
  CHECK(progress_line("federated", 10, 25, 28, 20) == "federated        40%");
  CHECK(progress_line("federated", 10, 25, 28, 10) == "fed…   40%");
  CHECK(progress_line("federated", 10, 25, 28, 4) == " 40%");
  CHECK(progress_line("federated", 10, 25, 28, 3) == "40%");
  CHECK(progress_line("federated", 10, 25, 28, 2) == "4…");
  CHECK(progress_line("federated", 10, 25, 28, 1) == "…");
  CHECK(progress_line("federated", 10, 25, 28, 0) == "");
}

TEST_CASE("a progress line is as wide as asked") {
  for (const std::string_view name :
       {"", "x", "federated", "Zürich", "a name that is longer than any line would like it to be"})
    for (const std::uint64_t done : {0u, 1u, 7u, 24u, 25u, 26u})
      for (const double seconds : {0.0, .5, 61.0, 1e9, -1.0, std::numeric_limits<double>::quiet_NaN()})
        for (std::size_t width = 0; width <= 200; ++width) {
          const std::string line = progress_line(name, done, 25, seconds, width);
          if (symbols(line) != width) FAIL("'" << line << "' at width " << width);
        }
}

TEST_CASE("wide and joined symbols count as the columns a terminal gives them") {
  CHECK(progress_line("東京", 1, 4, 0, 12) == "東京     25%");          // two columns each
  CHECK(progress_line("e\u0301", 1, 4, 0, 12) == "e\u0301        25%"); // one column together
  CHECK(progress_line("東京", 1, 4, 0, 9) == "東…   25%");
}

TEST_CASE("no work counts as done and too much work as all of it") {
  CHECK(progress_line("empty", 0, 0, 1, 60).find("100%") != std::string::npos);
  CHECK(progress_line("more", 9, 4, 1, 60) == progress_line("more", 4, 4, 1, 60));
}

TEST_CASE("100 % means done") {
  const auto huge = std::numeric_limits<std::uint64_t>::max();
  CHECK(progress_line("x", huge - 1, huge, 1, 30).find(" 99%") != std::string::npos);
  CHECK(progress_line("x", huge, huge, 1, 30).find("100%") != std::string::npos);
}

TEST_CASE("the time left follows the pace so far") {
  const auto time = [](std::uint64_t done, double seconds) {
    const std::string line = progress_line("", done, 100, seconds, 60);
    return line.substr(line.find('%') + 1 + 2);
  };
  CHECK(time(50, 61) == "     1:01 left");
  CHECK(time(1, 99) == "  2:43:21 left"); // 99 times 99 s
  CHECK(time(1, 1e6) == "over 99 h left");
  CHECK(time(100, 7322) == "  took 2:02:02");
  CHECK(time(100, 1e9) == "took over 99 h");
  CHECK(time(50, std::numeric_limits<double>::quiet_NaN()) == std::string(14, ' '));
}

TEST_CASE("a name cannot steer the terminal") {
  // An escape sequence, a control of two bytes, a reversal of direction, a line feed, and broken UTF-8.
  const std::string line = progress_line("a\x1b[2J\xc2\x9b\u202e\nb\xff\xe2\x82", 1, 2, 0, 80);
  CHECK(line.substr(0, line.find("  ")) == "a\ufffd[2J\ufffd\ufffd b\ufffd\ufffd\ufffd");
  CHECK(symbols(line) == 80);
  CHECK(detail::fit_columns("\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80", 40).text ==
        "\ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd\ufffd\ufffd"); // overlong, surrogate, beyond Unicode
}

TEST_CASE("text that fits is kept symbol by symbol") {
  for (const std::string_view text : {"plain", "é", "…", "東", "\U0001f600", "\U0010ffff", ""}) {
    CHECK(detail::fit_columns(text, 40).text == text);
    CHECK(detail::fit_columns(text, 0).text == "");
  }
  CHECK(detail::fit_columns("abcdef", 6).text == "abcdef");
  CHECK(detail::fit_columns("abcdefg", 6).text == "abcde…");
}

TEST_CASE("a progress bar keeps what does not change") {
  const progress_bar bar{.name = "federated", .total = 25, .width = 60};
  CHECK(bar.line(10, 28) == progress_line("federated", 10, 25, 28, 60));
}
