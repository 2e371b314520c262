#include "support/catch.hpp"

#include <privet/core/safetensors.hpp>

#include <cstdlib>

using namespace privet;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = fs::path(PRIVET_PROJECT_ROOT) / "tests/fixtures/safetensors";

/// The tensors of tests/oracles/formats.py.
struct known_weights {
  std::vector<float> bias{0.25f, -0.5f}, weight{1, 2, 3, -4, 5, 6};
  std::vector<std::int64_t> labels{0, 5, -1};
  std::vector<std::byte> mask{std::byte{1}, std::byte{0}, std::byte{1}};
  std::vector<double> mean{1.5};
  std::vector<std::uint8_t> pixels{0, 255};
  std::vector<std::int32_t> steps{7, -7};

  std::vector<tensor_entry> entries() const {
    return {tensor_entry::of<float>("1.weight", {2, 3}, weight),
            tensor_entry::of<float>("1.bias", {2}, bias),
            tensor_entry::of<std::int64_t>("labels", {3}, labels),
            {"mask", dtype::boolean, {3}, mask},
            tensor_entry::of<double>("mean", {}, mean),
            tensor_entry::of<float>("none", {0, 3}, {}),
            tensor_entry::of<std::uint8_t>("pixels", {1, 2}, pixels),
            tensor_entry::of<std::int32_t>("steps", {2}, steps)};
  }
};

/// A file with this header and so many zero bytes of data.
std::vector<std::byte> file_with(std::string_view header, std::size_t data) {
  byte_writer out;
  out.put<std::uint64_t>(header.size()).put(header).put(std::vector<std::byte>(data));
  return std::move(out).take();
}

std::string complaint(std::vector<std::byte> bytes, fault kind = fault::format) {
  const auto file = read_safetensors(std::move(bytes), "file");
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().kind == kind);
  return file.error().message;
}

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != text.npos; }

template <class T>
std::vector<T> values(const safetensors_file& file, std::string_view name) {
  const auto view = file.find(name)->view<T>().value();
  return {view.begin(), view.end()};
}

} // namespace

TEST_CASE("safetensors: our bytes are the reference implementation's") {
  const known_weights known;
  const auto ours = write_safetensors(known.entries(), {{"format", "pt"}});
  CHECK(ours == read_file(fixtures / "weights.safetensors").value());
}

TEST_CASE("safetensors: a file of the reference implementation is read") {
  const known_weights known;
  const auto file = load_safetensors(fixtures / "weights.safetensors").value();
  CHECK(file.entries().size() == 8);
  CHECK(file.metadata() == safetensors_metadata{{"format", "pt"}});
  CHECK(values<float>(file, "1.weight") == known.weight);
  CHECK(values<float>(file, "1.bias") == known.bias);
  CHECK(values<std::int64_t>(file, "labels") == known.labels);
  CHECK(values<double>(file, "mean") == known.mean);
  CHECK(values<std::uint8_t>(file, "pixels") == known.pixels);
  CHECK(values<std::int32_t>(file, "steps") == known.steps);
  CHECK(values<float>(file, "none").empty());
  CHECK(file.find("1.weight")->shape == std::vector<std::size_t>{2, 3});
  CHECK(file.find("mean")->shape.empty());
  CHECK(file.find("mask")->type == dtype::boolean);
  CHECK(file.find("absent") == nullptr);
}

TEST_CASE("safetensors: entries outlive a move of their file") {
  auto file = load_safetensors(fixtures / "weights.safetensors").value();
  const safetensors_file moved = std::move(file);
  CHECK(values<double>(moved, "mean") == std::vector<double>{1.5});
}

TEST_CASE("safetensors: a tensor asked for as something else names both sides") {
  const auto file = load_safetensors(fixtures / "weights.safetensors").value();
  std::vector<float> out(5);
  CHECK(file.find("mean")->view<float>().error().message == "[N003 shape] tensor 'mean': F64, expected F32");
  CHECK(file.find("mean")->copy_to<float>(out).error().message ==
        "[N003 shape] tensor 'mean': F64, expected F32");
  CHECK(file.find("1.weight")->copy_to<float>(out).error().message ==
        "[N003 shape] tensor '1.weight': 6 elements (2, 3), expected 5");
}

TEST_CASE("safetensors: unaligned tensors cannot be viewed but can be copied") {
  const auto file = load_safetensors(fixtures / "unaligned.safetensors").value();
  std::vector<float> out(2);
  REQUIRE(file.find("w")->copy_to<float>(out).has_value());
  CHECK(out == std::vector<float>{0.5f, -0.5f});
  // The header is one byte past a multiple of 8 and so is the tensor: 2 modulo 4.
  CHECK(file.find("w")->view<float>().error().kind == fault::unsupported);
}

TEST_CASE("safetensors: a file cut anywhere is refused") {
  const auto whole = read_file(fixtures / "weights.safetensors").value();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE_FALSE(
        read_safetensors({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}).has_value());
  }
  auto longer = whole;
  longer.push_back({});
  CHECK(contains(complaint(longer), "the tensors end at 77, the data at 78"));
}

TEST_CASE("safetensors: any one byte changed is read or refused, never more") {
  const auto whole = read_file(fixtures / "weights.safetensors").value();
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int flip : {0x01, 0x04, 0x20, 0x80, 0xff}) {
      auto bytes = whole;
      bytes[at] ^= static_cast<std::byte>(flip);
      if (const auto file = read_safetensors(bytes)) {
        const auto again = read_safetensors(write_safetensors(file->entries(), file->metadata()));
        REQUIRE(again.has_value());
        REQUIRE(again->entries().size() == file->entries().size());
      }
    }
}

TEST_CASE("safetensors: hostile header lengths are refused before anything is allocated") {
  const auto length = [](std::uint64_t claimed) {
    byte_writer out;
    out.put(claimed).put("{}");
    return std::move(out).take();
  };
  CHECK(contains(complaint({}), "cut short at byte 0: 0 left, 8 needed"));
  CHECK(contains(complaint(length(3)), "2 left, 3 needed"));
  CHECK(contains(complaint(length(100'000'000)), "cut short"));
  CHECK(contains(complaint(length(100'000'001)), "header of 100000001 bytes, at most 100000000"));
  CHECK(contains(complaint(length(~0ull)), "at most 100000000"));
  CHECK(contains(complaint(length(~0ull - 7)), "at most 100000000"));
  CHECK(contains(complaint(length(0)), "does not start with '{'"));
  CHECK(read_safetensors(length(2)).value().entries().empty());
}

TEST_CASE("safetensors: a lying header is refused with the lie") {
  struct lie {
    const char* header;
    std::size_t data;
    const char* message;
  };
  for (
      const auto& [header, data, message] : {
          lie{R"([])", 0, "does not start with '{'"},
          lie{R"( {})", 0, "does not start with '{'"},
          lie{R"({"a":1})", 0, "'a': got number, expected object"},
          lie{R"({"a":{}})", 0, "no member 'dtype'"},
          lie{R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "no member 'shape'"},
          lie{R"({"a":{"dtype":"F32","shape":[1]}})", 4, "no member 'data_offsets'"},
          lie{R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4,
              "dtype: got number, expected string"},
          lie{R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4,
              "shape: got number, expected array"},
          lie{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "shape: got -1"},
          lie{R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "expected integer"},
          lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "1 data_offsets, expected 2"},
          lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "3 data_offsets, expected 2"},
          lie{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "data_offsets 4 to 0"},
          lie{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "0 to 4, but 8 bytes of F32"},
          lie{R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,4]}})", 4, "0 to 4, but 8 bytes of F64"},
          lie{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
              "memory can hold"},
          lie{R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4,
              "memory can hold"},
          lie{R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})", 4,
              "expected integer"},
          lie{R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8, "ends at 9, the data at 8"},
          lie{R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 9, "end at 8, the data at 9"},
          lie{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5,
              "'a' starts at 1, the one before it ends at 0"},
          lie{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
              7, "'b' starts at 3, the one before it ends at 4"},
          lie{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
              4, "'b' starts at 0, the one before it ends at 4"},
          lie{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
              8, "'b' starts at 5, the one before it ends at 4"},
          lie{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
              1, "key 'a' appears twice"},
          lie{R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "nested more than 3 deep"},
          lie{R"({"__metadata__":1})", 0, "__metadata__: got number, expected object"},
          lie{R"({"__metadata__":{"a":1}})", 0, "'a': got number, expected string"},
          lie{R"({} x)", 0, "parse error"},
      }) {
    CAPTURE(header);
    const auto said = complaint(file_with(header, data));
    CAPTURE(said);
    CHECK(contains(said, message));
    CHECK(said.starts_with("[N004 format] file: "));
  }
  CHECK(contains(
      complaint(file_with(R"({"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}})", 1), fault::unsupported),
      "unknown dtype 'F4'"));
}

TEST_CASE("safetensors: empty tensors may share an offset") {
  const auto file = read_safetensors(file_with(
      R"({"b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
      R"("a":{"dtype":"F32","shape":[0,9],"data_offsets":[1,1]}}  )",
      1));
  REQUIRE(file.has_value());
  CHECK(file->entries()[1].name == "c");
}

TEST_CASE("safetensors: what the writer is given wrongly is thrown") {
  const std::vector<float> two{1, 2};
  const auto entry = [&](std::string name, std::vector<std::size_t> shape) {
    return tensor_entry::of<float>(std::move(name), std::move(shape), two);
  };
  using list = std::vector<tensor_entry>;
  CHECK_THROWS_WITH(write_safetensors(list{entry("a", {3})}),
                    "[N003 shape] tensor 'a': 8 bytes, but F32(3) has 12");
  CHECK_THROWS_AS(write_safetensors(list{entry("a", {static_cast<std::size_t>(-1), 2})}), exception);
  CHECK_THROWS_AS(write_safetensors(list{entry("a", {2}), entry("a", {2})}), exception);
  CHECK_THROWS_AS(write_safetensors(list{entry("__metadata__", {2})}), exception);
  CHECK_THROWS_AS(write_safetensors(list{entry("\xff", {2})}), exception);
  CHECK_THROWS_AS(write_safetensors({}, {{"a", "\xff"}}), exception);
}

TEST_CASE("safetensors: the order of the entries does not change the file, and data starts aligned") {
  const known_weights known;
  auto entries = known.entries();
  const auto first = write_safetensors(entries);
  std::ranges::reverse(entries);
  CHECK(write_safetensors(entries) == first);
  CHECK(load_little<std::uint64_t>(first.data()) % 8 == 0);
  CHECK(read_safetensors(write_safetensors({})).value().entries().empty());
}

TEST_CASE("safetensors: an unwritable folder and an unreadable path are errors") {
  const auto none = load_safetensors("/no/such/file");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().kind == fault::file);
  CHECK_FALSE(save_safetensors("/no/such/file", {}).has_value());
}

TEST_CASE("safetensors: files for the oracle", "[.oracle]") {
  const char* folder = std::getenv("PRIVET_FORMATS_OUT");
  REQUIRE(folder != nullptr);
  const auto file = load_safetensors(fixtures / "weights.safetensors").value();
  CHECK(save_safetensors(fs::path(folder) / "weights.safetensors", file.entries(), file.metadata())
            .has_value());
}
