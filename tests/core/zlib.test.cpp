#include "support/catch.hpp"

#include <privet/core/npz.hpp>
#include <privet/core/zlib.hpp>

using namespace privet;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = fs::path(PRIVET_PROJECT_ROOT) / "tests/fixtures";

void check_known(const npz_arrays& arrays) {
  REQUIRE(arrays.size() == 3);
  CHECK(arrays.at("counts").shape == std::vector<std::size_t>{2, 3, 4});
  CHECK(arrays.at("counts").as<std::int32_t>().value()[23] == 23);
  CHECK(arrays.at("halves").as<double>().value() == std::vector<double>{0.5, -1.5, 2.5, 3.5, 4.5, -5.5});
  CHECK(arrays.at("zeros").as<float>().value() == std::vector<float>(1000));
}

std::string complaint(std::span<const std::byte> archive, std::size_t limit = npz_limit) {
  const auto arrays = read_npz(archive, inflate_raw, "file", limit);
  REQUIRE_FALSE(arrays.has_value());
  return arrays.error().message;
}

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != text.npos; }

template <Wire T>
std::vector<std::byte> with(std::vector<std::byte> bytes, std::size_t at, T value) {
  store_little(value, bytes.data() + at);
  return bytes;
}

} // namespace

TEST_CASE("npz: what numpy compressed is read, and cut anywhere refused") {
  check_known(load_npz(fixtures / "npz/deflated.npz", inflate_raw).value());
  const auto whole = read_file(fixtures / "npz/deflated.npz").value();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    REQUIRE_FALSE(read_npz(std::span(whole).first(length), inflate_raw).has_value());
  }
}

TEST_CASE("npz: a compressed member of another size than claimed is refused") {
  const auto whole = read_file(fixtures / "npz/deflated.npz").value();
  // The first line of the table of contents; the end record says where it starts.
  const auto line = load_little<std::uint32_t>(whole.data() + whole.size() - 6);
  const auto size = load_little<std::uint32_t>(whole.data() + line + 24);
  CHECK(contains(complaint(with(whole, line + 24, size - 1)), "expands to more than"));
  CHECK(contains(complaint(with(whole, line + 24, size + 1)), "expands to 224 bytes, expected 225"));
  CHECK(contains(complaint(with<std::uint32_t>(whole, line + 24, 0xffffffff)), "left of the limit"));
  CHECK(contains(complaint(whole, 4000), "left of the limit of 4000"));
}

TEST_CASE("zlib: gzip files of one and two members expand, cut ones do not") {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "one line\n";
  const auto one = read_file(fixtures / "gzip/text.gz").value();
  const auto two = read_file(fixtures / "gzip/two_members.gz").value();
  CHECK(text_of(gunzip(one, 180).value()) == text);
  CHECK(text_of(gunzip(two, 360).value()) == text + text);
  CHECK(gunzip(one, 179).error().message == "[N004 format] gzip: expands to more than 179 bytes");
  CHECK_FALSE(gunzip(two, 359).has_value());
  for (std::size_t length = 0; length < one.size(); ++length)
    CHECK_FALSE(gunzip(std::span(one).first(length), 180).has_value());
  for (std::size_t at = 0; at < one.size(); ++at)
    if (const auto read =
            gunzip(with(one, at, static_cast<unsigned char>(std::to_integer<int>(one[at]) ^ 0xff)), 180))
      CHECK(text_of(*read) == text);
  auto junk = one;
  junk.resize(junk.size() + 3, std::byte{'x'});
  CHECK_FALSE(gunzip(junk, 1000).has_value());
}

TEST_CASE("zlib: a bomb stops at the limit and a lying size costs nothing") {
  // 10 MB of zeros deflate to about 10 KB.
  std::vector<std::byte> zeros(10'000'000), packed(100'000);
  uLongf size = packed.size();
  REQUIRE(compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                    reinterpret_cast<const Bytef*>(zeros.data()), zeros.size(), 9) == Z_OK);
  const auto raw = std::span(packed).first(size).subspan(2, size - 6); // without zlib's own frame
  CHECK(inflate_raw(raw, zeros.size()).value() == zeros);
  CHECK_FALSE(inflate_raw(raw, 1000).has_value());
  CHECK_FALSE(inflate_raw(raw, static_cast<std::size_t>(-1)).has_value());
  CHECK(inflate_raw(raw, std::size_t{1} << 40).error().message ==
        "[N004 format] deflate: expands to 10000000 bytes, expected 1099511627776");
  CHECK_FALSE(inflate_raw({}, 0).has_value());
}
