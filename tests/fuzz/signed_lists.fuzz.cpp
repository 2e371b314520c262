// Any bytes are read or refused as a certificate and as a list of offices. The authority's signature keeps a
// fuzzer out, so the bytes are also tried as ones that it has signed.
#include <privet/crypto/enrolment.hpp>
#include <privet/crypto/key_certificate.hpp>

#include <cstdlib>

using namespace privet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  static const signing_key authority{std::vector<std::byte>(signing_key::seed_size)};

  if (const auto c = read_certificate(bytes)) {
    if (!c->says.check() || write_certificate(*c).size() != size ||
        !std::ranges::equal(write_certificate(*c), bytes))
      std::abort();
    const auto again = certify(authority, c->says);
    if (!check_certificate(again, authority.public_key(), c->says.fingerprint)) std::abort();
  }
  if (read_enrolment(bytes, signing_key(authority.seed()).public_key())) { // only seeds of the corpus
    if (size < 64) std::abort();
  }
  std::vector<std::byte> whole(bytes.begin(), bytes.end());
  const auto made = authority.sign(purposes::enrolment, bytes);
  whole.insert(whole.end(), made.bytes.begin(), made.bytes.end());
  if (const auto list = read_enrolment(whole, authority.public_key())) {
    if (!std::ranges::equal(list->bytes(), bytes)) std::abort();
    for (std::size_t i = 0; i < list->size(); ++i)
      if (list->find(list->offices()[i].key) != i) std::abort();
  }
  return 0;
}
