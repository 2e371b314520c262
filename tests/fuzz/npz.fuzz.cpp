// Any bytes are read or refused, as an archive, as a deflate stream and as gzip; what was read,
// written and read again is the same.
#include <privet/core/npz.hpp>
#include <privet/core/zlib.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t limit = 1 << 20;
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto arrays = read_npz(bytes, inflate_raw, "npz", limit)) {
    const auto again = read_npz(write_npz(*arrays));
    if (!again || *again != *arrays) std::abort();
  }
  if (const auto text = gunzip(bytes, limit); text && text->size() > limit) std::abort();
  if (const auto text = inflate_raw(bytes, size); text && text->size() != size) std::abort();
  return 0;
}
