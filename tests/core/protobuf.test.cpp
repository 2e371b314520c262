#include "support/catch.hpp"

#include <privet/core/protobuf.hpp>
#include <privet/core/sha256.hpp>

#include <string>

using namespace privet;

namespace {

template <class F>
std::string written(F&& fill) {
  protobuf_writer out;
  fill(out);
  const auto bytes = std::move(out).take();
  return hex(bytes);
}

} // namespace

// The first three are the examples of protobuf.dev, "Encoding".
TEST_CASE("protobuf: the published examples") {
  CHECK(written([](auto& out) { out.number(1, 150); }) == "089601");
  CHECK(written([](auto& out) { out.text(2, "testing"); }) == "120774657374696e67");
  CHECK(written([](auto& out) { out.message(3, [&] { out.number(1, 150); }); }) == "1a03089601");
  CHECK(written([](auto& out) { out.number(2, -2); }) == "10feffffffffffffffff01");
}

TEST_CASE("protobuf: numbers at the edges of their forms") {
  CHECK(written([](auto& out) { out.number(1, 0); }) == "0800");
  CHECK(written([](auto& out) { out.number(1, 127); }) == "087f");
  CHECK(written([](auto& out) { out.number(1, 128); }) == "088001");
  CHECK(written([](auto& out) { out.number(16, std::int64_t{1} << 62); }) == "8001808080808080808040");
  CHECK(written([](auto& out) { out.number(1, ~std::uint64_t{0}); }) == "08ffffffffffffffffff01");
  CHECK(written([](auto& out) { out.number(1, true); }) == "0801");
  CHECK(written([](auto& out) { out.number(2, 1.5f); }) == "150000c03f");
  CHECK(written([](auto& out) { out.number(2, -0.f); }) == "1500000080");
}

TEST_CASE("protobuf: messages inside messages, also long ones") {
  CHECK(written([](auto& out) { out.message(1, [] {}); }) == "0a00");
  CHECK(written([](auto& out) {
          out.number(1, 1);
          out.message(2, [&] {
            out.message(3, [&] { out.text(4, "a"); });
            out.text(5, "");
          });
          out.number(6, 2);
        }) ==
        "0801"
        "1207"
        "1a03"
        "220161"
        "2a00"
        "3002");
  const std::string inner(300, 'x');
  const auto text = written([&](auto& out) { out.message(1, [&] { out.text(2, inner); }); });
  CHECK(text.substr(0, 12) == "0aaf0212ac02"); // 303 bytes, 300 of them text
  CHECK(text.size() == 2 * (3 + 303));
}
