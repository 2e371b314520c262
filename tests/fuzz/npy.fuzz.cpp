// Any bytes are read or refused; what was read, written and read again is the same.
#include <privet/core/npy.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto array = read_npy(std::as_bytes(std::span(data, size)));
  if (!array) return 0;

  const auto again = read_npy(write_npy(*array));
  if (!again || *again != *array) std::abort();
  const auto numbers = array->as<double>();
  if (!numbers || numbers->size() != array->size()) std::abort();
  if (const auto whole = array->as<std::int32_t>()) // exact, so the way back through double agrees
    if (!std::ranges::equal(*whole, *numbers)) std::abort();
  return 0;
}
