// Any bytes are images, labels, or an error.
#include <privet/data/idx.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (const auto images = privet::idx::parse_images(bytes);
      images && images->pixels.size() != images->count * images->height * images->width)
    std::abort();
  if (const auto labels = privet::idx::parse_labels(bytes); labels && labels->size() + 8 != size)
    std::abort();
  return 0;
}
