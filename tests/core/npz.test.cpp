#include "support/catch.hpp"

#include <privet/core/npz.hpp>

#include <cstdlib>

using namespace privet;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = fs::path(PRIVET_PROJECT_ROOT) / "tests/fixtures";

npz_arrays two_arrays() {
  const std::vector<float> a{1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> b{-1};
  return {{"a", npy_array::of<float>({2, 3}, a)}, {"b/ö", npy_array::of<std::int32_t>({}, b)}};
}

void check_known(const npz_arrays& arrays) {
  REQUIRE(arrays.size() == 3);
  CHECK(arrays.at("counts").shape == std::vector<std::size_t>{2, 3, 4});
  CHECK(arrays.at("counts").as<std::int32_t>().value()[23] == 23);
  CHECK(arrays.at("halves").as<double>().value() == std::vector<double>{0.5, -1.5, 2.5, 3.5, 4.5, -5.5});
  CHECK(arrays.at("zeros").as<float>().value() == std::vector<float>(1000));
}

error refusal(std::span<const std::byte> bytes, std::size_t limit = npz_limit) {
  const auto arrays = read_npz(bytes, nullptr, "file", limit);
  REQUIRE_FALSE(arrays.has_value());
  return arrays.error();
}

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != text.npos; }

/// Where the n-th copy of a four-byte mark starts.
std::size_t mark(const std::vector<std::byte>& bytes, std::uint32_t value, int n = 0) {
  for (std::size_t at = 0; at + 4 <= bytes.size(); ++at)
    if (load_little<std::uint32_t>(bytes.data() + at) == value && n-- == 0) return at;
  FAIL("no such mark");
  return 0;
}

template <Wire T>
std::vector<std::byte> with(std::vector<std::byte> bytes, std::size_t at, T value) {
  store_little(value, bytes.data() + at);
  return bytes;
}

} // namespace

TEST_CASE("npz: arrays survive an archive, and equal input gives equal bytes") {
  const auto bytes = write_npz(two_arrays());
  CHECK(read_npz(bytes).value() == two_arrays());
  CHECK(write_npz(two_arrays()) == bytes);
  CHECK(read_npz(write_npz({})).value().empty());
}

TEST_CASE("npz: what numpy stored is read") { check_known(load_npz(fixtures / "npz/stored.npz").value()); }

TEST_CASE("npz: crc32 of the check string of its definition") {
  CHECK(detail::crc32(bytes_of("123456789")) == 0xcbf43926);
}

TEST_CASE("npz: a compressed archive without an inflater says what to pass") {
  const auto said = refusal(read_file(fixtures / "npz/deflated.npz").value());
  CHECK(said.kind == fault::unsupported);
  CHECK(
      contains(said.message, "member 'counts.npy': compressed; pass inflate_raw of <privet/core/zlib.hpp>"));
}

TEST_CASE("npz: a file cut anywhere is refused") {
  for (const auto& whole : {write_npz(two_arrays()), read_file(fixtures / "npz/stored.npz").value()})
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      REQUIRE_FALSE(read_npz(std::span(whole).first(length)).has_value());
    }
}

TEST_CASE("npz: any one byte changed is refused or was not data") {
  const auto whole = write_npz(two_arrays());
  int accepted = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const int flip : {0x01, 0x10, 0x80, 0xff})
      if (const auto arrays =
              read_npz(with(whole, at, static_cast<unsigned char>(std::to_integer<int>(whole[at]) ^ flip)))) {
        // Names are covered by no checksum; numbers and shapes are.
        CHECK(arrays->begin()->second == two_arrays().at("a"));
        ++accepted;
      }
  CHECK(accepted > 0); // dates and version fields are not looked at
}

TEST_CASE("npz: a comment after the end record is allowed, junk is not") {
  auto bytes = write_npz(two_arrays());
  const std::size_t end = bytes.size() - 22;
  bytes.resize(bytes.size() + 7, std::byte{'c'});
  CHECK_FALSE(read_npz(bytes).has_value());
  CHECK(read_npz(with<std::uint16_t>(bytes, end + 20, 7)).value() == two_arrays());
}

TEST_CASE("npz: a lying archive is refused with the lie") {
  const auto bytes = write_npz(two_arrays());
  const std::size_t end = bytes.size() - 22, local = mark(bytes, detail::zip_local_mark),
                    second = mark(bytes, detail::zip_local_mark, 1),
                    first_line = mark(bytes, detail::zip_central_mark),
                    second_line = mark(bytes, detail::zip_central_mark, 1);
  const auto message = [&](const std::vector<std::byte>& changed) { return refusal(changed).message; };

  CHECK(contains(message({}), "no end record"));
  CHECK(contains(message(with<std::uint32_t>(bytes, end, 0)), "no end record"));
  CHECK(contains(message(with<std::uint16_t>(bytes, end + 4, 1)), "several disks"));
  CHECK(contains(message(with<std::uint16_t>(bytes, end + 8, 1)), "several disks"));
  CHECK(contains(message(with<std::uint32_t>(bytes, end + 16, 0xffffffff)), "zip64"));
  CHECK(contains(message(with<std::uint32_t>(bytes, end + 16, 0xfffffffe)), "table of contents of"));
  CHECK(contains(message(with<std::uint32_t>(bytes, end + 12, 1)), "table of contents of 1 bytes"));
  CHECK(contains(message(with<std::uint32_t>(with<std::uint32_t>(bytes, end + 8, 0x00030003), 0, 0x04034b50)),
                 "cut short"));
  CHECK(contains(message(with<std::uint32_t>(bytes, end + 8, 0x00010001)), "bytes left over"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line, 0)),
                 "entry 0 of the table of contents has no mark"));
  CHECK(contains(message(with<std::uint16_t>(bytes, first_line + 28, 0xffff)), "cut short"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line + 42, 0xffffffff)), "cut short"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line + 42, 1)), "no local header"));
  CHECK(contains(message(with<std::uint32_t>(bytes, local, 0)), "no local header"));
  CHECK(
      contains(message(with<char>(bytes, local + 30, 'x')), "member 'a.npy': its local header says 'x.npy'"));
  CHECK(contains(message(with<std::uint32_t>(bytes, second_line + 42, 0)),
                 "starts at 0, the one before it ends at"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line + 20, 0x7fffffff)), "cut short"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line + 24, 7)), "but of size 7"));
  CHECK(contains(message(with<std::uint32_t>(bytes, first_line + 16, 7)), "the archive says 7"));
  CHECK(contains(message(with<char>(bytes, second - 1, 1)), "member 'a.npy': checksum"));
  CHECK(contains(message(with<char>(bytes, second - 1, 1)), "checksum"));
  CHECK(refusal(with<std::uint16_t>(bytes, first_line + 8, 1)).kind == fault::unsupported);
  CHECK(refusal(with<std::uint16_t>(bytes, first_line + 10, 12)).kind == fault::unsupported);
  CHECK(contains(refusal(bytes, 200).message, "left of the limit of 200"));
}

TEST_CASE("npz: members that are not arrays or share a name are refused") {
  const auto rename = [](npz_arrays arrays, std::string_view from, std::string_view to) {
    auto bytes = write_npz(arrays);
    for (std::size_t at = 0; at + from.size() <= bytes.size(); ++at)
      if (text_of(std::span(bytes).subspan(at, from.size())) == from)
        std::ranges::copy(bytes_of(to), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return bytes;
  };
  const npy_array one{dtype::u8, {1}, {std::byte{1}}};
  CHECK(contains(refusal(rename({{"a", one}}, "a.npy", "a.txt")).message, "member 'a.txt': not a .npy file"));
  CHECK(contains(refusal(rename({{"a", one}, {"b", one}}, "b.npy", "a.npy")).message,
                 "member 'a.npy': appears twice"));
}

TEST_CASE("npz: what the writer is given wrongly is thrown") {
  CHECK_THROWS_AS(write_npz({{"a", {dtype::f32, {3}, std::vector<std::byte>(8)}}}), exception);
  CHECK_THROWS_AS(write_npz({{std::string(65'532, 'n'), {dtype::u8, {0}, {}}}}), exception);
}

TEST_CASE("npz: an unreadable path and an unwritable folder are errors") {
  CHECK_FALSE(load_npz("/no/such/file").has_value());
  CHECK_FALSE(save_npz("/no/such/file", two_arrays()).has_value());
}

TEST_CASE("npz: files for the oracle", "[.oracle]") {
  const char* folder = std::getenv("PRIVET_FORMATS_OUT");
  REQUIRE(folder != nullptr);
  const auto arrays = load_npz(fixtures / "npz/stored.npz").value();
  CHECK(save_npz(fs::path(folder) / "stored.npz", arrays).has_value());
  CHECK(save_npz(fs::path(folder) / "deflated.npz", arrays).has_value()); // the same arrays, stored
}
