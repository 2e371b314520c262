// Any bytes are an image or an error, and an image becomes a row of any size.
#include <privet/data/image_file.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace privet;
  if (size > 1 << 16) return 0;
  auto read = decode_image(std::as_bytes(std::span(data, size)), {.most_pixels = 1 << 18});
  if (!read) return 0;
  if (read->pixels.size() != read->height * read->width * read->channels ||
      read->height * read->width > 1 << 18)
    std::abort();
  const bitmap gray = resize(with_channels(std::move(*read), 1), 5, 7, image_fit::cover);
  std::vector<float> row(35);
  to_row(gray, row);
  for (const float x : row)
    if (!(x >= 0 && x <= 1)) std::abort();
  return 0;
}
