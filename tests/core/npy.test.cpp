#include "support/catch.hpp"

#include <privet/core/npy.hpp>

#include <cstdlib>

using namespace privet;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = fs::path(PRIVET_PROJECT_ROOT) / "tests/fixtures/npy";

npy_array fixture(std::string_view name) { return load_npy(fixtures / concat(name, ".npy")).value(); }

/// A file with this header text and so many zero bytes of data.
std::vector<std::byte> file_with(std::string_view header, std::size_t data) {
  byte_writer out;
  out.put("\x93NUMPY").put<std::uint16_t>(1).put(static_cast<std::uint16_t>(header.size())).put(header);
  out.put(std::vector<std::byte>(data));
  return std::move(out).take();
}

error refusal(std::span<const std::byte> bytes) {
  const auto array = read_npy(bytes, "file");
  REQUIRE_FALSE(array.has_value());
  return array.error();
}

bool contains(const std::string& text, std::string_view piece) { return text.find(piece) != text.npos; }

} // namespace

TEST_CASE("npy: every type, byte order and format of numpy reads as the same numbers") {
  std::vector<int> counts(24);
  for (int i = 0; i < 24; ++i) counts[static_cast<std::size_t>(i)] = i;
  const std::vector<double> halves{0.5, -1.5, 2.5, 3.5, 4.5, -5.5};
  int seen = 0;
  for (const auto& file : fs::directory_iterator(fixtures)) {
    const auto name = file.path().stem().string();
    CAPTURE(name);
    if (name.starts_with("counts")) {
      const auto array = fixture(name);
      CHECK(array.shape == std::vector<std::size_t>{2, 3, 4});
      CHECK(array.as<std::int32_t>().value() == counts);
      CHECK(array.as<float>().value() == std::vector<float>(counts.begin(), counts.end()));
      ++seen;
    } else if (name.starts_with("halves")) {
      const auto array = fixture(name);
      CHECK(array.shape == std::vector<std::size_t>{2, 3});
      CHECK(array.as<double>().value() == halves);
      CHECK(array.as<float>().value() == std::vector<float>(halves.begin(), halves.end()));
      ++seen;
    }
  }
  CHECK(seen == 22);
  CHECK(fixture("booleans").as<std::uint8_t>().value() == std::vector<std::uint8_t>{1, 0, 1});
  CHECK(fixture("scalar").as<double>().value() == std::vector<double>{0.5});
  CHECK(fixture("scalar").shape.empty());
  CHECK(fixture("empty").shape == std::vector<std::size_t>{0, 3});
  CHECK(fixture("empty").as<float>().value().empty());
}

TEST_CASE("npy: our bytes are numpy's") {
  for (const char* name : {"counts_u1_little", "counts_i1_little", "counts_u2_little", "counts_i2_little",
                           "counts_u4_little", "counts_i4_little", "counts_u8_little", "counts_i8_little",
                           "halves_f4_little", "halves_f8_little", "booleans", "scalar", "one", "empty"}) {
    CAPTURE(name);
    CHECK(write_npy(fixture(name)) == read_file(fixtures / concat(name, ".npy")).value());
  }
  const std::vector<float> values{0.5f, -1.5f, 2.5f, 3.5f, 4.5f, -5.5f};
  CHECK(write_npy(npy_array::of<float>({2, 3}, values)) ==
        read_file(fixtures / "halves_f4_little.npy").value());
}

TEST_CASE("npy: what is not a plain array of numbers is refused by name") {
  for (const char* name : {"text", "complex", "half", "records", "pickle"}) {
    CAPTURE(name);
    const auto array = load_npy(fixtures / concat("refused_", name, ".npy"));
    REQUIRE_FALSE(array.has_value());
    CHECK(array.error().kind == fault::unsupported);
  }
}

TEST_CASE("npy: integers arrive unchanged or not at all") {
  const auto array = [](auto... values) {
    const std::vector<std::common_type_t<decltype(values)...>> all{values...};
    return npy_array::of<std::common_type_t<decltype(values)...>>({all.size()}, all);
  };
  CHECK(array(-1, 128).as<std::int8_t>().error().message == "[N008 range] element 1: 128 is not a I8");
  CHECK(array(-1).as<std::uint64_t>().error().message == "[N008 range] element 0: -1 is not a U64");
  CHECK(array(-128.0, 127.0).as<std::int8_t>().value() == std::vector<std::int8_t>{-128, 127});
  CHECK_FALSE(array(128.0).as<std::int8_t>().has_value());
  CHECK_FALSE(array(-129.0).as<std::int8_t>().has_value());
  CHECK_FALSE(array(0.5).as<std::int32_t>().has_value());
  CHECK_FALSE(array(-1.0f).as<std::uint32_t>().has_value());
  CHECK_FALSE(array(std::nan("")).as<std::int64_t>().has_value());
  CHECK_FALSE(array(HUGE_VAL).as<std::int64_t>().has_value());
  CHECK_FALSE(array(9223372036854775808.0).as<std::int64_t>().has_value());
  CHECK(array(-9223372036854775808.0).as<std::int64_t>().value()[0] ==
        std::numeric_limits<std::int64_t>::min());
  CHECK_FALSE(array(4294967296.0f).as<std::uint32_t>().has_value());
  CHECK(npy_array{dtype::f16, {1}, std::vector<std::byte>(2)}.as<float>().error().kind == fault::unsupported);
}

TEST_CASE("npy: headers as other writers may space them are read") {
  for (const char* header : {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n",
                             "{\"shape\":(2,1),\"fortran_order\":False,\"descr\":\"<f4\"}",
                             " { 'fortran_order' :False , 'descr': '=f4', 'shape': ( 2 , 1 , ) }  \n \n",
                             "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}"}) {
    CAPTURE(header);
    CHECK(read_npy(file_with(header, 8)).value().size() == 2);
  }
}

TEST_CASE("npy: a lying or broken header is refused with the lie") {
  using namespace std::string_literals;
  struct lie {
    std::string header;
    std::size_t data;
    const char* message;
  };
  const auto with_shape = [](std::string_view shape) {
    return concat("{'descr': '<f4', 'fortran_order': False, 'shape': ", shape, "}");
  };
  for (const auto& [header, data, message] : {
           lie{"", 0, "byte 0: expected '{'"},
           lie{"{", 0, "expected a key"},
           lie{"{}", 0, "header without"},
           lie{"{'shape': (1,)}", 0, "header without"},
           lie{"{'descr", 0, "expected a key"},
           lie{"{'descr' '<f4'}", 0, "expected ':'"},
           lie{"{'shape': 3}", 0, "expected '('"},
           lie{"{'shape': (3", 0, "expected ',' or ')'"},
           lie{"{'shape': (-3,)}", 0, "expected an extent"},
           lie{"{'shape': (99999999999999999999,)}", 0, "expected an extent"},
           lie{"{'fortran_order': 1}", 0, "expected True or False"},
           lie{"{'colour': 'red'}", 0, "key 'colour' is unknown"},
           lie{"{'shape': (), 'shape': ()}", 0, "appears twice"},
           lie{with_shape("(2, 3)") + "x", 24, "expected the end"},
           lie{with_shape("(2, 3)") + "\0"s, 24, "expected the end"},
           lie{with_shape("(2, 3)"), 23, "23 bytes of data, but <f4(2, 3) needs 24"},
           lie{with_shape("(2, 3)"), 25, "25 bytes of data, but <f4(2, 3) needs 24"},
           lie{with_shape("(2000000000, 2000000000)"), 4, "needs 16000000000000000000"},
           lie{with_shape("(4611686018427387904, 4)"), 0, "more than memory can hold"},
           lie{with_shape("(0, 18446744073709551615)"), 1, "needs 0"},
       }) {
    CAPTURE(header);
    const auto said = refusal(file_with(header, data));
    CAPTURE(said.message);
    CHECK(said.kind == fault::format);
    CHECK(contains(said.message, message));
  }
  CHECK(refusal(file_with(with_shape("(1,1,1,1,1,1,1,1,1)"), 4)).kind == fault::unsupported);
  CHECK(read_npy(file_with(with_shape("(1,1,1,1,1,1,1,1)"), 4)).has_value());
  for (const char* descr : {"<i3", "f4", "<f16", "", "|f4", "<O8", "|O", "<m8[s]", "<U1"}) {
    CAPTURE(descr);
    CHECK(refusal(file_with(concat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (1,)}"), 4))
              .kind == fault::unsupported);
  }
}

TEST_CASE("npy: wrong magic, unknown versions and hostile header lengths are refused") {
  auto bytes = write_npy(npy_array{dtype::u8, {1}, {std::byte{1}}});
  const auto changed = [&](std::size_t at, int value) {
    auto copy = bytes;
    copy[at] = static_cast<std::byte>(value);
    return refusal(copy).message;
  };
  CHECK(contains(changed(0, 'x'), "does not start with"));
  CHECK(contains(changed(6, 4), "npy format 4.0"));
  CHECK(contains(changed(6, 0), "npy format 0.0"));
  CHECK(contains(changed(7, 1), "npy format 1.1"));
  CHECK(contains(changed(9, 0xff), "at most 10000"));
  CHECK(contains(changed(9, 0x01), "cut short"));
  byte_writer second;
  second.put("\x93NUMPY").put<std::uint16_t>(2).put<std::uint32_t>(0xffffffff);
  CHECK(contains(refusal(second.view()).message, "header of 4294967295 bytes"));
}

TEST_CASE("npy: a file cut anywhere is refused") {
  for (const char* name : {"counts_fortran_big", "counts_v2", "booleans", "empty"}) {
    const auto whole = read_file(fixtures / concat(name, ".npy")).value();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(name, length);
      REQUIRE_FALSE(read_npy(std::span(whole).first(length)).has_value());
    }
  }
}

TEST_CASE("npy: Fortran order of any rank becomes row-major") {
  std::vector<std::byte> column_major(2 * 3 * 5);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 5; ++k)
        column_major[i + 2 * j + 6 * k] = static_cast<std::byte>(100 * i + 10 * j + k);
  byte_writer out;
  auto bytes = file_with("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 5)}", 30);
  std::ranges::copy(column_major, bytes.end() - 30);
  const auto array = read_npy(bytes).value();
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 5; ++k)
        CHECK(std::to_integer<std::size_t>(array.data[(i * 3 + j) * 5 + k]) == 100 * i + 10 * j + k);
}

TEST_CASE("npy: what the writer is given wrongly is thrown") {
  CHECK_THROWS_WITH(write_npy({dtype::f32, {3}, std::vector<std::byte>(8)}),
                    "[N003 shape] npy: 8 bytes, but F32(3) has 12");
  CHECK_THROWS_AS(write_npy({dtype::bf16, {1}, std::vector<std::byte>(2)}), exception);
  CHECK_THROWS_AS(write_npy({dtype::u8, std::vector<std::size_t>(9, 1), std::vector<std::byte>(1)}),
                  exception);
}

TEST_CASE("npy: files for the oracle", "[.oracle]") {
  const char* folder = std::getenv("PRIVET_FORMATS_OUT");
  REQUIRE(folder != nullptr);
  for (const auto& file : fs::directory_iterator(fixtures))
    if (const auto array = load_npy(file.path()))
      CHECK(save_npy(fs::path(folder) / file.path().filename(), *array).has_value());
}
