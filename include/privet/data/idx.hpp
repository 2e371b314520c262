#pragma once
// The idx format of MNIST and its relatives: big-endian sizes, then one byte per value.

#include <privet/core/file.hpp>
#include <privet/core/result.hpp>
#include <privet/data/dataset.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::idx {

/// Pixels from 0 to 255, image by image, row by row.
struct images {
  std::size_t count = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels; ///< (count, height, width)
};

/// Expands a gzip file to at most `limit` bytes: `gunzip` of <privet/core/zlib.hpp>.
using expander = result<std::vector<std::byte>> (*)(std::span<const std::byte> packed, std::size_t limit,
                                                    std::string_view place);

namespace detail {

inline std::size_t load_big(const std::byte* from) noexcept {
  std::size_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | std::to_integer<std::size_t>(from[i]);
  return number;
}

/// Checks magic and sizes; returns the extents and leaves the values in `bytes`.
inline result<std::vector<std::size_t>> take_extents(std::span<const std::byte>& bytes, std::size_t rank,
                                                     std::string_view place) {
  constexpr std::size_t unsigned_bytes = 0x0800; // element type in the third byte, rank in the fourth
  if (bytes.size() < 4) return error::of(fault::format, place, ": ", bytes.size(), " bytes, not an idx file");
  const std::size_t magic = load_big(bytes.data());
  if (magic != unsigned_bytes + rank)
    return error::of(fault::format, place, ": starts with the number ", magic, ", expected ",
                     unsigned_bytes + rank, " for bytes in ", rank, " dimensions");
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header)
    return error::of(fault::format, place, ": cut short: ", bytes.size(), " bytes, the header has ", header);
  std::vector<std::size_t> extents;
  std::size_t expected = 1;
  bool too_many = false;
  for (std::size_t i = 0; i < rank; ++i) {
    extents.push_back(load_big(bytes.data() + 4 + 4 * i));
    too_many =
        too_many || (extents[i] != 0 && expected > std::numeric_limits<std::size_t>::max() / extents[i]);
    expected *= extents[i];
  }
  bytes = bytes.subspan(header);
  if (too_many || bytes.size() != expected)
    return error::of(fault::shape, place, ": ", bytes.size(), " values, expected ",
                     too_many ? std::string("more than memory can hold") : concat(expected));
  return extents;
}

inline std::vector<std::uint8_t> values_of(std::span<const std::byte> bytes) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {first, first + bytes.size()};
}

/// The bytes of a file, expanded if it is a gzip file.
inline result<std::vector<std::byte>> load(const std::filesystem::path& path, expander expand) {
  auto bytes = read_file(path);
  if (!bytes || bytes->size() < 2 || (*bytes)[0] != std::byte{0x1f} || (*bytes)[1] != std::byte{0x8b})
    return bytes;
  if (!expand)
    return error::of(fault::unsupported, path.string(),
                     ": compressed; pass gunzip of <privet/core/zlib.hpp>");
  return expand(*bytes, file_limit, path.string());
}

} // namespace detail

/// Images in memory: magic 0x00000803, three sizes, bytes. `place` is the name used in errors.
inline result<images> parse_images(std::span<const std::byte> bytes, std::string_view place = "idx") {
  const auto extents = detail::take_extents(bytes, 3, place);
  if (!extents) return extents.error();
  return images{(*extents)[0], (*extents)[1], (*extents)[2], detail::values_of(bytes)};
}

/// Labels in memory: magic 0x00000801, one size, bytes.
inline result<std::vector<std::uint8_t>> parse_labels(std::span<const std::byte> bytes,
                                                      std::string_view place = "idx") {
  const auto extents = detail::take_extents(bytes, 1, place);
  if (!extents) return extents.error();
  return detail::values_of(bytes);
}

/// Reads an image file; `expand` is needed for `.gz`.
inline result<images> read_images(const std::filesystem::path& path, expander expand = nullptr) {
  const auto bytes = detail::load(path, expand);
  if (!bytes) return bytes.error();
  return parse_images(*bytes, path.string());
}

/// Reads a label file; `expand` is needed for `.gz`.
inline result<std::vector<std::uint8_t>> read_labels(const std::filesystem::path& path,
                                                     expander expand = nullptr) {
  const auto bytes = detail::load(path, expand);
  if (!bytes) return bytes.error();
  return parse_labels(*bytes, path.string());
}

/// Reads a pair of files as rows: `idx::read(images, labels, 10, gunzip)`.
///
/// Shape   (images, height * width), pixels divided by 255; columns are called pixel0, pixel1, ...,
///         classes 0 to `classes` - 1; no groups
/// Errors  N002 unreadable; N003 not as long as its header says, or not as many labels as images;
///         N004 wrong magic; N006 a label of `classes` or more; N011 compressed without `expand`
/// Source  Y. LeCun, C. Cortes, "The MNIST database of handwritten digits"
/// Test    tests/data/idx.test.cpp
inline result<dataset<>> read(const std::filesystem::path& images_path,
                              const std::filesystem::path& labels_path, std::size_t classes = 10,
                              expander expand = nullptr) {
  const auto pictures = read_images(images_path, expand);
  if (!pictures) return pictures.error();
  const auto labels = read_labels(labels_path, expand);
  if (!labels) return labels.error();
  if (labels->size() != pictures->count)
    return error::of(fault::shape, labels_path.string(), ": ", labels->size(), " labels, but ",
                     images_path.string(), " has ", pictures->count, " images");
  const std::size_t width = pictures->height * pictures->width;
  if (pictures->pixels.empty()) return error::of(fault::format, images_path.string(), ": no pixels in it");

  dataset<> out{{}, make_matrix<float>(pictures->count, width), {}, {}};
  for (std::size_t c = 0; c < width; ++c) out.schema.features.push_back(concat("pixel", c));
  for (std::size_t c = 0; c < classes; ++c) out.schema.classes.push_back(concat(c));
  for (std::size_t i = 0; i < pictures->pixels.size(); ++i)
    out.features.data()[i] = static_cast<float>(pictures->pixels[i]) / 255;
  for (std::size_t i = 0; i < labels->size(); ++i) {
    if ((*labels)[i] >= classes)
      return error::of(fault::label, labels_path.string(), ", element ", i, ": label ", (*labels)[i],
                       ", expected 0 to ", classes, " - 1");
    out.labels.push_back((*labels)[i]);
  }
  return out;
}

} // namespace privet::idx
