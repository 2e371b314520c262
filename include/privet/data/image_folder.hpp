#pragma once
// A folder of folders of images: each folder is a class, each image becomes a row.

#include <privet/core/file.hpp>
#include <privet/core/image_shape.hpp>
#include <privet/core/parallel.hpp>
#include <privet/data/bitmap.hpp>
#include <privet/data/dataset.hpp>
#include <privet/data/pnm.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::image_folder {

struct options {
  image_shape shape{3, 32, 32};     ///< of every row; 1 channel makes colour gray, 3 make gray colour
  image_fit fit = image_fit::cover; ///< how another aspect comes to it
  std::vector<std::string>
      classes;             ///< folders to read, in the order that gives them their labels; empty: all, sorted
  image_limits limits;     ///< for each image
  std::size_t threads = 1; ///< that decode
};

/// The images of a folder, by class and then by name.
struct listing {
  std::vector<std::string> classes;
  std::vector<std::filesystem::path> files;
  std::vector<std::int32_t> labels;
};

namespace detail {

/// Names in a folder of folders (`folders`) or of images, sorted; hidden ones are passed over.
inline result<std::vector<std::string>> classes_or_images(const std::filesystem::path& folder, bool folders) {
  constexpr std::array<std::string_view, 13> endings = {".png",  ".jpg",  ".jpeg", ".ppm", ".pgm",
                                                        ".pnm",  ".gif",  ".webp", ".bmp", ".tif",
                                                        ".tiff", ".heic", ".avif"};
  return names_in(folder, [&](const std::filesystem::directory_entry& entry) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with('.') || entry.is_directory(ignored) != folders)
      return false;
    std::string ending = entry.path().extension().string();
    for (char& c : ending)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folders || std::ranges::find(endings, ending) != endings.end();
  });
}

} // namespace detail

/// Lists what `read` would read, without opening an image. Files that are called like no image are passed over;
/// folders within the folder of a class, too.
/// Errors  N002 a folder that cannot be listed; N006 a class without folder or images, no class at all
inline result<listing> list(const std::filesystem::path& folder, const options& wanted = {}) {
  auto found = detail::classes_or_images(folder, true);
  if (!found) return found.error();
  listing out{wanted.classes.empty() ? *found : wanted.classes, {}, {}};
  if (out.classes.empty())
    return error::of(fault::label, folder.string(), ": no folders, expected one for each class");
  for (std::size_t c = 0; c < out.classes.size(); ++c) {
    if (std::ranges::find(*found, out.classes[c]) == found->end())
      return error::of(fault::label, folder.string(), ": no folder '", out.classes[c], "' among its ",
                       found->size(),
                       found->empty() ? std::string() : concat(", such as '", found->front(), "'"));
    const auto files = detail::classes_or_images(folder / out.classes[c], false);
    if (!files) return files.error();
    if (files->empty())
      return error::of(fault::label, (folder / out.classes[c]).string(), ": no images, expected at least 1");
    for (const auto& name : *files) {
      out.files.push_back(folder / out.classes[c] / name);
      out.labels.push_back(static_cast<std::int32_t>(c));
    }
  }
  return out;
}

/// Reads the images of a listing as rows.
///
/// Errors  N001 a shape of another number of channels than 1 or 3, or empty; N002 an unreadable file; those of
///         `decode`, naming the file. Of several bad files the first in the listing is named
inline result<dataset<>> read(listing files, const options& wanted = {}, image_decoder decode = decode_pnm) {
  const image_shape shape = wanted.shape;
  if ((shape.channels != 1 && shape.channels != 3) || shape.height == 0 || shape.width == 0 ||
      shape.height > 65536 || shape.width > 65536)
    return error::of(fault::argument, "image_folder: shape ", shape.channels, " x ", shape.height, " x ",
                     shape.width, ", expected 1 or 3 channels of 1 x 1 to 65536 x 65536");
  const std::size_t count = files.files.size();
  dataset<> out{{shape.names(), std::move(files.classes), {}},
                make_matrix<float>(count, shape.size()),
                std::move(files.labels),
                {}};
  std::vector<std::optional<error>> failures(count);
  std::atomic<std::size_t> first_bad{count};
  for_each_parallel(count, wanted.threads, [&](std::size_t i) {
    if (i > first_bad) return;
    const auto fail_with = [&](const error& why) {
      failures[i] = why;
      std::size_t first = first_bad;
      while (i < first && !first_bad.compare_exchange_weak(first, i)) {
      }
    };
    const auto bytes = read_file(files.files[i]);
    if (!bytes) return fail_with(bytes.error());
    auto picture = decode(*bytes, wanted.limits, files.files[i].string());
    if (!picture) return fail_with(picture.error());
    const auto fitting =
        resize(with_channels(std::move(*picture), shape.channels), shape.height, shape.width, wanted.fit);
    to_row(fitting, row(out.features, i));
  });
  if (first_bad < count) return *failures[first_bad];
  return out;
}

/// Reads a folder of folders: `image_folder::read("photos", {.shape = {3, 64, 64}}, decode_image)`.
///
/// Shape   (images, channels x height x width) by channel, then row, then column; pixels divided by 255; classes
///         are the names of the folders, sorted; rows by class, then by name; no groups
/// Errors  as of `list` and `read` of a listing. PNG and JPEG need `decode_image` of <privet/data/image_file.hpp>
/// Test    tests/data/image_folder.test.cpp
inline result<dataset<>> read(const std::filesystem::path& folder, const options& wanted = {},
                              image_decoder decode = decode_pnm) {
  auto files = list(folder, wanted);
  if (!files) return files.error();
  return read(std::move(*files), wanted, decode);
}

} // namespace privet::image_folder
