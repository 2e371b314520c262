#pragma once
// CIFAR-10 and CIFAR-100 in their binary versions: a label or two, then 3,072 bytes of pixels, again and again.

#include <privet/core/file.hpp>
#include <privet/core/image_shape.hpp>
#include <privet/core/result.hpp>
#include <privet/data/dataset.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

namespace cifar {

/// Colour, height and width of every image: 1,024 red bytes, 1,024 green, 1,024 blue, each row by row.
inline constexpr image_shape shape{3, 32, 32};

/// Which part of a file becomes rows.
struct options {
  /// Names of classes to keep, in the order that gives them their labels; empty: all, in the data set's order.
  std::vector<std::string> classes;
};

/// A data set as its authors split it. The test rows are theirs and never among the training rows.
struct parts {
  dataset<> train, test;
};

namespace detail {

/// How one of the two data sets lies in its records.
struct layout {
  std::string_view name;
  std::span<const std::string_view> classes;
  std::size_t labels; ///< label bytes before the pixels; the last one counts, or the first if `coarse`
  bool coarse = false;

  std::size_t record() const noexcept { return labels + shape.size(); }
};

/// The label that each class of the data set gets, -1 for those left out; the names in order of the labels.
struct selection {
  std::vector<std::int32_t> labels;
  std::vector<std::string> names;
};

inline result<selection> select(const layout& of, const options& wanted) {
  if (wanted.classes.empty()) {
    selection all{std::vector<std::int32_t>(of.classes.size()), {of.classes.begin(), of.classes.end()}};
    for (std::size_t i = 0; i < all.labels.size(); ++i) all.labels[i] = static_cast<std::int32_t>(i);
    return all;
  }
  selection some{std::vector<std::int32_t>(of.classes.size(), -1), wanted.classes};
  for (std::size_t i = 0; i < wanted.classes.size(); ++i) {
    const auto found = std::ranges::find(of.classes, std::string_view(wanted.classes[i]));
    if (found == of.classes.end())
      return error::of(fault::label, of.name, ": no class '", wanted.classes[i], "' among its ",
                       of.classes.size(), ", such as '", of.classes.front(), "' and '", of.classes.back(),
                       "'");
    auto& label = some.labels[static_cast<std::size_t>(found - of.classes.begin())];
    if (label >= 0) return error::of(fault::argument, of.name, ": class '", *found, "' is asked for twice");
    label = static_cast<std::int32_t>(i);
  }
  return some;
}

/// Appends the records of the selected classes.
inline status append(const layout& of, const selection& wanted, std::span<const std::byte> bytes,
                     std::string_view place, std::vector<std::byte>& pixels,
                     std::vector<std::int32_t>& labels) {
  const std::size_t record = of.record(), count = bytes.size() / record;
  if (bytes.empty()) return error::of(fault::format, place, ": 0 bytes, expected records of ", record);
  if (bytes.size() % record != 0)
    return error::of(fault::shape, place, ": record ", count, " has ", bytes.size() % record,
                     " bytes, expected ", record, " as each record of ", of.name, " has");
  // Of two labels the first is a coarse one, below 20, and the last a fine one, below 100.
  const std::size_t read = of.coarse ? 0 : of.labels - 1, coarse = 20, fine = 100;
  const auto label_of = [&](std::size_t i, std::size_t l) {
    return std::to_integer<std::size_t>(bytes[i * record + l]);
  };
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t l = 0; l < of.labels; ++l)
      if (const std::size_t below = l == read ? of.classes.size()
                                    : l == 0  ? coarse
                                              : fine;
          label_of(i, l) >= below)
        return error::of(fault::label, place, ", record ", i, ", byte ", i * record + l, ": label ",
                         label_of(i, l), ", expected 0 to ", below, " - 1");
    kept += wanted.labels[label_of(i, read)] >= 0;
  }
  labels.reserve(labels.size() + kept);
  pixels.reserve(pixels.size() + kept * shape.size());
  for (std::size_t i = 0; i < count; ++i)
    if (const auto label = wanted.labels[label_of(i, read)]; label >= 0) {
      const auto image = bytes.subspan(i * record + of.labels, shape.size());
      labels.push_back(label);
      pixels.insert(pixels.end(), image.begin(), image.end());
    }
  return nothing{};
}

inline dataset<> rows_of(selection wanted, std::span<const std::byte> pixels,
                         std::vector<std::int32_t> labels) {
  dataset<> out{{shape.names(), std::move(wanted.names), {}},
                make_matrix<float>(labels.size(), shape.size()),
                std::move(labels),
                {}};
  auto* const to = out.features.data();
  for (std::size_t i = 0; i < pixels.size(); ++i)
    to[i] = static_cast<float>(std::to_integer<unsigned>(pixels[i])) / 255;
  return out;
}

inline result<dataset<>> parse(const layout& of, std::span<const std::byte> bytes, const options& wanted,
                               std::string_view place) {
  auto chosen = select(of, wanted);
  if (!chosen) return chosen.error();
  std::vector<std::byte> pixels;
  std::vector<std::int32_t> labels;
  if (const auto done = append(of, *chosen, bytes, place, pixels, labels); !done) return done.error();
  return rows_of(std::move(*chosen), pixels, std::move(labels));
}

inline result<dataset<>> read(const layout& of, std::span<const std::filesystem::path> files,
                              const options& wanted) {
  auto chosen = select(of, wanted);
  if (!chosen) return chosen.error();
  if (files.empty()) return error::of(fault::argument, of.name, ": no files to read");
  std::vector<std::byte> pixels;
  std::vector<std::int32_t> labels;
  for (const auto& file : files) {
    const auto bytes = read_file(file);
    if (!bytes) return bytes.error();
    if (const auto done = append(of, *chosen, *bytes, file.string(), pixels, labels); !done)
      return done.error();
  }
  return rows_of(std::move(*chosen), pixels, std::move(labels));
}

/// The files of a folder whose names start and end so, sorted.
inline result<std::vector<std::filesystem::path>> files_named(const std::filesystem::path& folder,
                                                              std::string_view start, std::string_view end) {
  const auto names = names_in(folder, [&](const std::filesystem::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    return name.starts_with(start) && name.ends_with(end);
  });
  if (!names) return names.error();
  std::vector<std::filesystem::path> files;
  for (const auto& name : *names) files.push_back(folder / name);
  return files;
}

inline result<parts> read_folder(const layout& of, const std::filesystem::path& folder,
                                 std::string_view train, std::string_view test, const options& wanted) {
  const auto training = files_named(folder, train, ".bin"), testing = files_named(folder, test, ".bin");
  if (!training) return training.error();
  if (!testing) return testing.error();
  if (training->empty())
    return error::of(fault::file, folder.string(), ": no file ", train, "*.bin, as ", of.name, " has");
  if (testing->size() != 1)
    return error::of(fault::file, folder.string(), ": ", testing->size(), " files ", test,
                     "*.bin, expected the 1 test set of ", of.name);
  auto rows = read(of, *training, wanted);
  if (!rows) return rows.error();
  auto held_out = read(of, *testing, wanted);
  if (!held_out) return held_out.error();
  return parts{std::move(*rows), std::move(*held_out)};
}

} // namespace detail

} // namespace cifar

/// CIFAR-10: 10 classes, records of 1 + 3,072 bytes.
///
/// Shape   (records kept, 3 x 32 x 32) by channel (red, green, blue), then row, then column, as torch's NCHW;
///         pixels divided by 255; no groups
/// Errors  N002 unreadable, a folder without training files or without exactly one test file; N003 a file that
///         is no whole number of records; N004 an empty file; N006 a label above 9, or a class asked for that
///         there is not; N001 a class asked for twice
/// Source  A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009
/// Test    tests/data/cifar.test.cpp
namespace cifar10 {

using cifar::options, cifar::parts, cifar::shape;

inline constexpr std::array<std::string_view, 10> classes = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};

namespace detail {
inline constexpr cifar::detail::layout layout{"CIFAR-10", classes, 1};
}

/// Records in memory. `place` is the name used in errors.
inline result<dataset<>> parse(std::span<const std::byte> bytes, const options& wanted = {},
                               std::string_view place = "CIFAR-10") {
  return cifar::detail::parse(detail::layout, bytes, wanted, place);
}

/// Reads files one after another: `cifar10::read({"data_batch_1.bin"}, {.classes = {"cat", "dog"}})`.
inline result<dataset<>> read(const std::vector<std::filesystem::path>& files, const options& wanted = {}) {
  return cifar::detail::read(detail::layout, files, wanted);
}

/// Reads a folder: every `data_batch_*.bin` to train on, the one `test_batch*.bin` to test on.
inline result<parts> read_folder(const std::filesystem::path& folder, const options& wanted = {}) {
  return cifar::detail::read_folder(detail::layout, folder, "data_batch_", "test_batch", wanted);
}

} // namespace cifar10

/// CIFAR-100: 100 fine classes in 20 coarse ones, records of 2 + 3,072 bytes. Otherwise as `cifar10`.
namespace cifar100 {

using cifar::parts, cifar::shape;

struct options {
  std::vector<std::string> classes; ///< as of `cifar::options`, of the fine or of the coarse names
  bool coarse = false;              ///< labels are the 20 coarse classes
};

inline constexpr std::array<std::string_view, 100> classes = {
    "apple",      "aquarium_fish", "baby",         "bear",       "beaver",      "bed",         "bee",
    "beetle",     "bicycle",       "bottle",       "bowl",       "boy",         "bridge",      "bus",
    "butterfly",  "camel",         "can",          "castle",     "caterpillar", "cattle",      "chair",
    "chimpanzee", "clock",         "cloud",        "cockroach",  "couch",       "crab",        "crocodile",
    "cup",        "dinosaur",      "dolphin",      "elephant",   "flatfish",    "forest",      "fox",
    "girl",       "hamster",       "house",        "kangaroo",   "keyboard",    "lamp",        "lawn_mower",
    "leopard",    "lion",          "lizard",       "lobster",    "man",         "maple_tree",  "motorcycle",
    "mountain",   "mouse",         "mushroom",     "oak_tree",   "orange",      "orchid",      "otter",
    "palm_tree",  "pear",          "pickup_truck", "pine_tree",  "plain",       "plate",       "poppy",
    "porcupine",  "possum",        "rabbit",       "raccoon",    "ray",         "road",        "rocket",
    "rose",       "sea",           "seal",         "shark",      "shrew",       "skunk",       "skyscraper",
    "snail",      "snake",         "spider",       "squirrel",   "streetcar",   "sunflower",   "sweet_pepper",
    "table",      "tank",          "telephone",    "television", "tiger",       "tractor",     "train",
    "trout",      "tulip",         "turtle",       "wardrobe",   "whale",       "willow_tree", "wolf",
    "woman",      "worm"};

inline constexpr std::array<std::string_view, 20> coarse_classes = {"aquatic_mammals",
                                                                    "fish",
                                                                    "flowers",
                                                                    "food_containers",
                                                                    "fruit_and_vegetables",
                                                                    "household_electrical_devices",
                                                                    "household_furniture",
                                                                    "insects",
                                                                    "large_carnivores",
                                                                    "large_man-made_outdoor_things",
                                                                    "large_natural_outdoor_scenes",
                                                                    "large_omnivores_and_herbivores",
                                                                    "medium_mammals",
                                                                    "non-insect_invertebrates",
                                                                    "people",
                                                                    "reptiles",
                                                                    "small_mammals",
                                                                    "trees",
                                                                    "vehicles_1",
                                                                    "vehicles_2"};

namespace detail {
inline cifar::detail::layout layout_of(const options& wanted) {
  if (wanted.coarse) return {"CIFAR-100", coarse_classes, 2, true};
  return {"CIFAR-100", classes, 2, false};
}
} // namespace detail

/// Records in memory. `place` is the name used in errors.
inline result<dataset<>> parse(std::span<const std::byte> bytes, const options& wanted = {},
                               std::string_view place = "CIFAR-100") {
  return cifar::detail::parse(detail::layout_of(wanted), bytes, {wanted.classes}, place);
}

/// Reads files one after another: `cifar100::read({"train.bin"}, {.coarse = true})`.
inline result<dataset<>> read(const std::vector<std::filesystem::path>& files, const options& wanted = {}) {
  return cifar::detail::read(detail::layout_of(wanted), files, {wanted.classes});
}

/// Reads a folder: `train.bin` to train on, `test.bin` to test on.
inline result<parts> read_folder(const std::filesystem::path& folder, const options& wanted = {}) {
  return cifar::detail::read_folder(detail::layout_of(wanted), folder, "train", "test", {wanted.classes});
}

} // namespace cifar100

} // namespace privet
