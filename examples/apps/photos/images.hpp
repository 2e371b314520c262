#pragma once
// Photos: CIFAR-10 from its binary files, a folder with a folder of images for each class, or drawn by ourselves.

#include "../support/command_line.hpp"

#include <privet/data/cifar.hpp>
#include <privet/data/image_folder.hpp>
#include <privet/data/split.hpp>
#include <privet/random/replayable.hpp>
#ifdef PHOTOS_READ_PNG_AND_JPEG // by CMake, where libpng and libjpeg are found
#include <privet/data/image_file.hpp>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace photo_study {

using namespace privet;

/// Of every image, whatever it comes from.
inline constexpr image_shape shape{3, 32, 32};

#ifdef PHOTOS_READ_PNG_AND_JPEG
inline constexpr image_decoder decoder = decode_image;
inline constexpr std::string_view readable = "PNG, JPEG, PGM or PPM";
#else
inline constexpr image_decoder decoder = decode_pnm;
inline constexpr std::string_view readable =
    "PGM or PPM (PNG and JPEG need libpng and libjpeg when it is built)";
#endif

struct photos {
  dataset<> train, test; ///< the test images of the data set, if it has some; pixels from 0 to 1
  std::string source;    ///< in words
};

/// Throws N006 for a class that there is not, with all that there are; N001 for one asked for twice or fewer than two.
inline void check_classes(const std::vector<std::string>& wanted, const std::vector<std::string>& known,
                          std::string_view place) {
  std::string all;
  for (const auto& name : known) all += (all.empty() ? "" : ", ") + name;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (std::ranges::find(known, wanted[i]) == known.end())
      fail(
          fault::label, place, ": no class '", wanted[i], "', ",
          known.empty() ? "there are none" : concat("the nearest is '", apps::nearest(wanted[i], known), "'"),
          "; known: ", all);
    require(std::ranges::count(wanted, wanted[i]) == 1, fault::argument, place, ": class '", wanted[i],
            "' is asked for twice");
  }
  require((wanted.empty() ? known : wanted).size() >= 2, fault::argument, place, ": ",
          (wanted.empty() ? known : wanted).size(), " classes (", all, "), expected at least 2");
}

/// Four shapes in random colours, places, sizes and light, before a background of two colours; the same for a seed.
inline dataset<> draw_shapes(std::size_t count, std::uint64_t seed) {
  dataset<> out{{shape.names(), {"disc", "square", "cross", "ring"}, {}},
                make_matrix<float>(count, shape.size()),
                std::vector<std::int32_t>(count),
                {}};
  replayable_random source(seed, stream_id(purpose::split));
  const auto between = [&](float least, float most) { return least + (most - least) * uniform01(source); };
  for (std::size_t i = 0; i < count; ++i) {
    const auto kind = static_cast<std::int32_t>(uniform_below(source, 4));
    out.labels[i] = kind;
    std::array<float, 3> ink{}, above{}, below{};
    for (auto* colour : {&ink, &above, &below})
      for (float& c : *colour) c = between(0, 1);
    const float cx = between(10, 22), cy = between(10, 22), size = between(5, 9), turn = between(-0.5F, 0.5F),
                horizon = between(4, 28);
    const auto image = row(out.features, i);
    for (std::size_t p = 0; p < shape.pixels(); ++p) {
      const float y = static_cast<float>(p / shape.width), dy = y - cy,
                  dx = static_cast<float>(p % shape.width) - cx;
      const float u = std::abs(dx * std::cos(turn) - dy * std::sin(turn)),
                  v = std::abs(dx * std::sin(turn) + dy * std::cos(turn)), r = std::hypot(dx, dy);
      const std::array<float, 4> outside = {r - size, std::max(u, v) - 0.85F * size,
                                            std::max(std::min(u, v) - 0.3F * size, std::max(u, v) - size),
                                            std::abs(r - 0.8F * size) - 0.2F * size};
      const float shown = std::clamp(0.5F - outside[static_cast<std::size_t>(kind)], 0.0F, 1.0F);
      for (std::size_t c = 0; c < 3; ++c) {
        const float behind = y < horizon ? above[c] : below[c];
        image[c * shape.pixels() + p] =
            std::clamp(behind + shown * (ink[c] - behind) + between(-0.25F, 0.25F), 0.0F, 1.0F);
      }
    }
  }
  return out;
}

/// The classes of `all` that are wanted, in that order.
inline dataset<> of_classes(const dataset<>& all, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return all;
  std::vector<std::uint32_t> rows;
  std::vector<std::int32_t> labels;
  for (std::uint32_t i = 0; i < all.rows(); ++i) {
    const auto at = std::ranges::find(wanted, all.schema.classes[static_cast<std::size_t>(all.labels[i])]);
    if (at == wanted.end()) continue;
    rows.push_back(i), labels.push_back(static_cast<std::int32_t>(at - wanted.begin()));
  }
  auto out = all.select(rows);
  out.labels = std::move(labels), out.schema.classes = wanted;
  return out;
}

/// `data`: "generated"; a folder with data_batch_*.bin; or one with a folder for each class. Without classes all of
/// them, of CIFAR-10 four. Throws as the readers, and as `check_classes`.
inline photos read_photos(const std::string& data, std::vector<std::string> classes, std::size_t drawn,
                          std::size_t threads) {
  if (data == "generated") {
    auto all = draw_shapes(drawn, 1);
    check_classes(classes, all.schema.classes, "generated images");
    return {of_classes(all, classes), {}, "generated shapes"};
  }
  require(
      std::filesystem::is_directory(data), fault::file, data,
      ": no such folder; expected CIFAR-10's data_batch_*.bin, or a folder for each class, or 'generated'");
  if (!cifar::detail::files_named(data, "data_batch_", ".bin").value().empty()) {
    if (classes.empty()) classes = {"cat", "dog", "ship", "frog"};
    check_classes(classes, {cifar10::classes.begin(), cifar10::classes.end()}, "CIFAR-10");
    auto parts = cifar10::read_folder(data, {.classes = classes}).value();
    return {std::move(parts.train), std::move(parts.test), "CIFAR-10"};
  }
  check_classes(classes, image_folder::detail::classes_or_images(data, true).value(), data);
  return {
      image_folder::read(data, {.shape = shape, .classes = std::move(classes), .threads = threads}, decoder)
          .value(),
      {},
      "images of a folder"};
}

} // namespace photo_study
