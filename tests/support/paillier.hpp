#pragma once
// The keys of tests/fixtures/paillier.hpp.

#include "fixtures/paillier.hpp"

#include <privet/crypto/paillier_key.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet::test::paillier {

/// Numbers with known answers. Rows are numbers of so many words, one after the other.
struct vectors {
  std::size_t bits;
  std::span<const std::uint64_t> p, q, n;
  std::span<const std::uint32_t> fingerprint;
  std::vector<std::uint64_t> plain, r, cipher, exponents, djn;
  std::span<const std::uint64_t> sum, scaled, sum_plus_plain, x, h_s;

  std::size_t words() const { return bits / 64; }
  std::size_t count() const { return plain.size() / words(); }
  std::span<const std::uint64_t> row(const std::vector<std::uint64_t>& rows, std::size_t i) const {
    const std::size_t width = rows.size() / count();
    return std::span(rows).subspan(i * width, width);
  }
};

template <std::size_t Rows, std::size_t Words>
std::vector<std::uint64_t> flat(const std::uint64_t (&rows)[Rows][Words]) {
  std::vector<std::uint64_t> all;
  for (const auto& row : rows) all.insert(all.end(), row, row + Words);
  return all;
}

#define PRIVET_TEST_PAILLIER(prefix, bits)                                                                  \
  vectors {                                                                                                 \
    bits, prefix##_p, prefix##_q, prefix##_n, prefix##_fingerprint, flat(prefix##_plain), flat(prefix##_r), \
        flat(prefix##_cipher), flat(prefix##_exponents), flat(prefix##_djn), prefix##_sum, prefix##_scaled, \
        prefix##_sum_plus_plain, prefix##_x, prefix##_h_s                                                   \
  }
inline vectors of_bits(std::size_t bits) {
  switch (bits) {
    case 128:
      return PRIVET_TEST_PAILLIER(toy, 128);
    case 1024:
      return PRIVET_TEST_PAILLIER(bits_1024, 1024);
    case 2048:
      return PRIVET_TEST_PAILLIER(bits_2048, 2048);
    default:
      return PRIVET_TEST_PAILLIER(bits_3072, 3072);
  }
}
/// Of ISO/IEC 18033-6; a key that is no Blum key, gcd(p - 1, q - 1) is 6.
inline vectors of_standard() { return PRIVET_TEST_PAILLIER(iso, 2048); }
#undef PRIVET_TEST_PAILLIER

inline const unsafe::small_keys small{"known answers of a test"};

inline paillier_secret_key secret_key(const vectors& v) {
  return paillier_secret_key::from_primes(from_words<secret_bigint>(v.p), from_words<secret_bigint>(v.q),
                                          from_words(v.n), small)
      .value();
}
inline paillier_secret_key secret_key(std::size_t bits) { return secret_key(of_bits(bits)); }

} // namespace privet::test::paillier
