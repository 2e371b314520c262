#pragma once
// The images of tests/fixtures/images, made by tests/oracles/images.py.

#include "support/catch.hpp"

#include <privet/core/file.hpp>
#include <privet/data/pnm.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace privet::test {

inline std::filesystem::path image_fixture(std::string_view name) {
  return std::filesystem::path(PRIVET_PROJECT_ROOT) / "tests/fixtures/images" / name;
}
inline std::vector<std::byte> image_bytes(std::string_view name) {
  return read_file(image_fixture(name)).value();
}

/// A PPM or PGM of the folder.
inline bitmap fixture(std::string_view name) { return decode_pnm(image_bytes(name), {}, name).value(); }

/// The largest difference of two values of images of one shape; -1 for two shapes.
inline int furthest(const bitmap& a, const bitmap& b) {
  if (a.height != b.height || a.width != b.width || a.channels != b.channels ||
      a.pixels.size() != b.pixels.size())
    return -1;
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    most = std::max(most, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return most;
}

} // namespace privet::test
