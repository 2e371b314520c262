// The code of docs/crypto/packing.md and docs/crypto/cohort_key.md.

#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/packed_header.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/slots.hpp>
#include <privet/random/system.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace privet;

[[maybe_unused]] status pack_and_open(const cohort_key& key, std::uint32_t round,
                                      std::span<const float> update, std::span<const std::uint64_t> opened,
                                      std::span<float> mean) {
  const packing how{.key_bits = 3072, .slot_bits = 32, .clients = 4, .range = 16, .fraction_bits = 24};
  how.check(); // before anybody encrypts

  std::vector<std::uint64_t> plaintexts(how.plaintexts(update.size()) * how.words());
  const example_weight weight{.examples = 347, .all = 1421};
  const auto clipped = pack(how, {key, round, 1}, weight, update, plaintexts); // at client 1
  if (!clipped) return clipped.error();

  std::vector<std::int64_t> sums(update.size());
  const std::uint32_t cohort[] = {1, 2, 3, 4};
  auto whole = unpack_sum(how, key, round, cohort, opened, sums); // at whoever opens the sum of all four
  if (!whole) return whole;
  from_fixed_update(how, std::span<const std::int64_t>(sums), mean);
  return nothing{};
}

[[maybe_unused]] result<packed_header> announce(const packing& how, std::uint32_t round,
                                                const digest& fingerprint,
                                                std::span<const std::byte> ciphertexts,
                                                std::uint64_t numbers) {
  system_random source;
  const auto secret = cohort_secret::draw(source);                  // once, by the key authority
  const cohort_key key(secret, fingerprint, "2026-11-22 8f1d6c52"); // by each client, for each run

  const packed_header header{.how = how,
                             .numbers = numbers,
                             .ciphertexts = how.plaintexts(numbers),
                             .round = round,
                             .client = 1,
                             .key = key.fingerprint(),
                             .contents = sha256(ciphertexts)};
  const auto bytes = encode(header, key);
  return authentic_header(bytes, key); // at another client; the server reads claimed_header(bytes)
}

} // namespace
