// Any bytes are read or refused as a key, a share or ciphertexts. The fingerprint keeps a fuzzer out, so the bytes
// are also tried with the right one.
#include <privet/crypto/share_file.hpp>

#include <cstdlib>

using namespace privet;

namespace {

const unsafe::small_keys small{"a fuzzer makes no key of 2048 bits"};

void check(std::span<const std::byte> bytes) {
  if (const auto key = read_public_key(bytes, "fuzz", small))
    if (!std::ranges::equal(write_key(*key), bytes)) std::abort();
  if (const auto key = read_secret_key(bytes, "fuzz", small)) {
    const auto again = read_secret_key(write_key(*key), "fuzz", small);
    if (!again || !(again->public_key() == key->public_key())) std::abort();
  }
  if (const auto share = read_key_share(bytes, "fuzz", small))
    if (!std::ranges::equal(write_key(*share), bytes)) std::abort();
}

/// p = 0xf4d0d6a5b3c8e73f, q = 0xe6b3a1c95d2f8b8f
const paillier_public_key& toy() {
  static const std::uint64_t n[] = {0x8d290c88da596131, 0xdc9f6996dd77492f};
  static const auto key = paillier_public_key::from_modulus(n, small).value();
  return key;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  check(bytes);

  std::vector<std::byte> fixed(bytes.begin(), bytes.end());
  if (size >= 56 + 16 && size < 300) { // with the fingerprint of what follows as a modulus
    byte_writer form;
    form.put("privet paillier n").put(static_cast<std::uint32_t>(8 * (size - 56))).put(bytes.subspan(56));
    std::ranges::copy(sha256(form.view()), fixed.begin() + 20);
    check(fixed);
  }
  if (size >= 72 + 16) { // a share of the toy key
    store_little(std::uint32_t{4}, fixed.data() + 12);
    store_little(std::uint32_t{128}, fixed.data() + 16);
    std::ranges::copy(toy().fingerprint(), fixed.begin() + 20);
    std::ranges::copy(std::as_bytes(toy().n()), fixed.begin() + 72);
    check(fixed);
    std::ranges::copy(bytes, fixed.begin());
  }
  if (size >= 52) {
    store_little(std::uint32_t{128}, fixed.data() + 16);
    std::ranges::copy(toy().fingerprint(), fixed.begin() + 20);
    check(fixed);
    if (const auto c = read_ciphertexts(fixed, toy()))
      if (!std::ranges::equal(write_ciphertexts(toy(), *c), fixed)) std::abort();
  }
  return 0;
}
