// Any bytes are a header or are refused, with the key and without; what was read and encoded again is the same
// bytes. The tag keeps the fuzzer out of what lies behind it, so bodies are also tried with a tag of their own.
#include <privet/crypto/packed_header.hpp>

#include <cstdint>
#include <cstdlib>

using namespace privet;

namespace {

const std::array<std::byte, 32> secret{};

/// The fingerprint is part of a tag's key, so each input is read by clients of the key that it names.
cohort_key key_for(std::span<const std::byte> bytes) {
  digest fingerprint{};
  if (bytes.size() >= 88) std::ranges::copy(bytes.subspan(56, 32), fingerprint.begin());
  return cohort_key(cohort_secret(secret), fingerprint, "fuzz");
}

void check(const packed_header& h) {
  if (!h.how.problem().empty() || h.how.slots() == 0 || h.client == 0) std::abort();
  if (h.ciphertexts != h.how.plaintexts(h.numbers)) std::abort();
  if (h.how.canary_offset() + h.how.canary_sum_bits() > h.how.key_bits - 2) std::abort();
  if (!check_same_sum(h, h) || !check_cohort(std::span(&h, 1))) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto key = key_for(bytes);
  if (authentic_header(bytes, key) && !claimed_header(bytes)) std::abort();
  const auto claimed = claimed_header(bytes);
  if (claimed) check(*claimed);
  if (size < packed_header_bytes - 32) return 0;

  std::vector<std::byte> body(bytes.begin(), bytes.begin() + (packed_header_bytes - 32));
  const digest tag = key.tag(body);
  body.insert(body.end(), tag.begin(), tag.end());
  const auto read = authentic_header(body, key);
  if (claimed_header(body).has_value() != read.has_value()) std::abort();
  if (!read) return 0;
  check(*read);
  if (encode(*read, key) != body) std::abort();
  return 0;
}
