#include "support/catch.hpp"

#include <privet/data/records.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace privet::detail;

namespace {

using record = std::vector<std::string>;

/// All records and the lines where they start; the message where reading ends early, as a last record.
std::vector<record> records_of(std::string_view text, std::vector<std::size_t>* starts = nullptr,
                               char separator = ',') {
  std::vector<record> all;
  std::vector<std::string_view> fields;
  record_reader reader(text, "file", 1, separator);
  for (;;) {
    const auto more = reader.next(fields);
    if (!more) {
      all.push_back({more.error().message});
      return all;
    }
    if (!*more) return all;
    all.emplace_back(fields.begin(), fields.end());
    if (starts) starts->push_back(reader.line());
  }
}

} // namespace

TEST_CASE("records: fields between separators, blanks around them left out") {
  CHECK(records_of("a, b ,\tc\n1,,3\r\n") == std::vector<record>{{"a", "b", "c"}, {"1", "", "3"}});
  CHECK(records_of("a\tb c\t\n", nullptr, '\t') == std::vector<record>{{"a", "b c", ""}});
  CHECK(records_of("").empty());
  CHECK(records_of("a") == std::vector<record>{{"a"}});
}

TEST_CASE("records: quotes hold separators, line ends and doubled quotes") {
  std::vector<std::size_t> starts;
  CHECK(records_of("\"a,b\", \"c\nd\" ,\"say \"\"no\"\"\"\n\n \t\nx,y\n", &starts) ==
        std::vector<record>{{"a,b", "c\nd", "say \"no\""}, {"x", "y"}});
  CHECK(starts == std::vector<std::size_t>{1, 5});
  CHECK(records_of("\"\"\n") == std::vector<record>{{""}});
  CHECK(records_of("\"a\"\"\"") == std::vector<record>{{"a\""}});
}

TEST_CASE("records: quotes that do not end, or end too early, are named by their place") {
  CHECK(records_of("a,b\nc,\"d\n") ==
        std::vector<record>{{"a", "b"}, {"[N004 format] file:2, column 2: the quote is never closed"}});
  CHECK(records_of("\"a\"b,c\n") ==
        std::vector<record>{{"[N004 format] file:1, column 1: 'b' after a closing "
                             "quote, expected ','"}});
  CHECK(records_of("\"") ==
        std::vector<record>{{"[N004 format] file:1, column 1: the quote is never closed"}});
}
