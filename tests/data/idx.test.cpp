#include "support/catch.hpp"
#include "support/data.hpp"

#include <privet/data/idx.hpp>

#if __has_include(<zlib.h>)
#include <privet/core/zlib.hpp>
#endif

using namespace privet;
using namespace std::string_view_literals;

namespace {

constexpr auto two_images = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\x00\x33\xff\x01\x02\x03"sv;
constexpr auto two_labels = "\0\0\x08\x01\0\0\0\x02\x09\x00"sv;

fault fault_of(std::string_view bytes) { return idx::parse_images(bytes_of(bytes)).error().kind; }

} // namespace

TEST_CASE("idx images become rows between 0 and 1") {
  const scratch_folder folder;
  const auto images = folder.write("images", two_images), labels = folder.write("labels", two_labels);
  const auto d = idx::read(images, labels).value();
  d.check();
  CHECK(d.rows() == 2);
  CHECK(d.schema.features == std::vector<std::string>{"pixel0", "pixel1", "pixel2"});
  CHECK(d.classes() == 10);
  CHECK(d.labels == std::vector<std::int32_t>{9, 0});
  CHECK(row(d.features, 0)[1] == 0.2f);
  CHECK(row(d.features, 0)[2] == 1);
  CHECK(row(d.features, 1)[0] == 1 / 255.f);

  const auto refused = idx::read(images, labels, 9);
  CHECK(refused.error().message ==
        concat("[N006 label] ", labels.string(), ", element 0: label 9, expected 0 to 9 - 1"));
  CHECK(idx::read(images, folder.write("one label", "\0\0\x08\x01\0\0\0\x01\x00"sv)).error().kind ==
        fault::shape);
  CHECK(idx::read(folder.path() / "none", labels).error().kind == fault::file);
}

TEST_CASE("a damaged idx file is an error") {
  CHECK(idx::parse_images(bytes_of(two_images)).value().pixels.size() == 6);
  CHECK(fault_of("") == fault::format);
  CHECK(fault_of("\0\0\x08"sv) == fault::format);
  CHECK(fault_of("\0\0\x0d\x03\0\0\0\x02\0\0\0\x01\0\0\0\x03\x00\x33\xff\x01\x02\x03"sv) ==
        fault::format); // float values
  CHECK(fault_of(two_labels) == fault::format);
  CHECK(fault_of(two_images.substr(0, 15)) == fault::format);
  CHECK(fault_of(two_images.substr(0, two_images.size() - 1)) == fault::shape);
  CHECK(fault_of(std::string(two_images) + "x") == fault::shape);
  CHECK(fault_of("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv) ==
        fault::shape); // 2^96 pixels
  CHECK(idx::parse_labels(bytes_of(two_images)).error().kind == fault::format);
}

TEST_CASE("a compressed idx file needs an expander") {
  const scratch_folder folder;
  const auto path = folder.write("images.gz", "\x1f\x8b\x08\x00"sv);
  CHECK(idx::read_images(path).error().kind == fault::unsupported);
#if __has_include(<zlib.h>)
  CHECK(idx::read_images(path, gunzip).error().kind == fault::format);
#endif
}

#if __has_include(<zlib.h>)
TEST_CASE("the published digits have their published counts") {
  const auto folder = real_data("mnist");
  SKIP_WITHOUT(folder);
  const auto d =
      idx::read(*folder / "t10k-images-idx3-ubyte.gz", *folder / "t10k-labels-idx1-ubyte.gz", 10, gunzip)
          .value();
  CHECK(d.rows() == 10000);
  CHECK(d.columns() == 784);
  CHECK(d.class_counts() == std::vector<std::size_t>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009});
  const auto labels = idx::read_labels(*folder / "train-labels-idx1-ubyte.gz", gunzip).value();
  CHECK(labels.size() == 60000);
  CHECK(std::vector<std::uint8_t>(labels.begin(), labels.begin() + 10) ==
        std::vector<std::uint8_t>{5, 0, 4, 1, 9, 2, 1, 3, 1, 4});
}
#endif
