// Any text is a table or an error, and the wisdm reader on top of it gives checked data or an error.
#include <privet/core/bytes.hpp>
#include <privet/data/wisdm.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto table = privet::arff::parse(text);
      table && table->values.size() != table->rows() * table->columns())
    std::abort();
  if (const auto rows = privet::wisdm::parse(text)) rows->check();
  return 0;
}
