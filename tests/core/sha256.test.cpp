#include "support/catch.hpp"

#include <privet/core/sha256.hpp>

using namespace privet;

TEST_CASE("sha256: the examples of FIPS 180-4 and NIST") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
                   "lmnopqrsmnopqrstnopqrstu")) ==
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(hex(sha256(std::string(1'000'000, 'a'))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256: how the input is split does not matter") {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i * 7);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const auto bytes = bytes_of(std::string_view(text).substr(0, length));
    const auto whole = sha256(bytes);
    for (const std::size_t piece : {1u, 13u, 64u}) {
      sha256_stream stream;
      for (std::size_t at = 0; at < length; at += piece)
        stream.update(bytes.subspan(at, std::min(piece, length - at)));
      REQUIRE(stream.finish() == whole);
      REQUIRE(stream.finish() == whole); // asking twice changes nothing
    }
  }
}
