// Any text is checked data or an error; what was read fits its own schema when read again.
#include <privet/data/csv.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  privet::csv::options how;
  how.header = static_cast<privet::csv::header>(data[0] % 3);
  if (data[0] & 4) how.separator = ';';
  if (data[0] & 8) how.group_column = "column1";
  const auto first = privet::csv::parse(text, how);
  if (!first) return 0;
  first->check();
  how.like = first->schema;
  if (const auto again = privet::csv::parse(text, how)) {
    again->check();
    // Whether an unnamed first row is a header is a guess, and a schema at hand may change it.
    const bool guessed = how.header == privet::csv::header::automatic;
    if (again->schema != first->schema || (!guessed && again->labels != first->labels)) std::abort();
  }
  return 0;
}
