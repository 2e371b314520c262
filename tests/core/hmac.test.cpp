#include "support/catch.hpp"

#include <privet/core/hmac.hpp>

#include <string>
#include <vector>

using namespace privet;

namespace {

std::string tag_of(std::string_view key, std::string_view message) {
  return hex(hmac_sha256(bytes_of(key), bytes_of(message)));
}

} // namespace

TEST_CASE("hmac: the test cases of RFC 4231") {
  CHECK(tag_of(std::string(20, '\x0b'), "Hi There") ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(tag_of("Jefe", "what do ya want for nothing?") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(tag_of(std::string(20, '\xaa'), std::string(50, '\xdd')) ==
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  std::string counting;
  for (char c = 1; c <= 25; ++c) counting += c;
  CHECK(tag_of(counting, std::string(50, '\xcd')) ==
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK(tag_of(std::string(20, '\x0c'), "Test With Truncation").substr(0, 32) ==
        "a3b6167473100ee06e0c796c2955552b");
  CHECK(tag_of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(tag_of(std::string(131, '\xaa'),
               "This is a test using a larger than block-size key and a larger than block-size data. The key "
               "needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("hmac: a key of a block is taken as it is, one byte more is hashed") {
  std::string counting; // an example of NIST for FIPS 198-1
  for (int i = 0; i < 64; ++i) counting += static_cast<char>(i);
  CHECK(tag_of(counting, "Sample message for keylen=blocklen") ==
        "8bb9a1db9806f20df7f77b82138c7914d174d59e13dc4d0169c9057b133e1d62");
  const std::string longer(65, 'k');
  const digest hashed = sha256(longer);
  CHECK(tag_of(longer, "m") == tag_of(text_of(hashed), "m"));
  CHECK(tag_of("k", "m") == tag_of(std::string("k\0", 2), "m")); // keys are filled up with zeros
}

TEST_CASE("equal_in_constant_time sees every bit and every length") {
  std::vector<std::byte> a(33, std::byte{0x5a}), b = a;
  CHECK(equal_in_constant_time(a, b));
  CHECK(equal_in_constant_time({}, {}));
  CHECK_FALSE(equal_in_constant_time(a, std::span(b).first(32)));
  for (std::size_t i = 0; i < b.size(); ++i)
    for (unsigned bit = 1; bit < 256; bit *= 2) {
      b[i] ^= static_cast<std::byte>(bit);
      REQUIRE_FALSE(equal_in_constant_time(a, b));
      b[i] ^= static_cast<std::byte>(bit);
    }
}
