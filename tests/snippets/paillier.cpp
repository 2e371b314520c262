// The code of docs/crypto/bigint.md, prime.md, paillier_key.md, paillier.md and threshold_paillier.md.

#include <privet/crypto/bigint.hpp>
#include <privet/crypto/paillier.hpp>
#include <privet/crypto/prime.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/random/system.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

using namespace privet;

status numbers(std::string_view text, std::span<const std::byte> bytes) {
  const auto n = parse_decimal(text, 2000); // untrusted: a result
  if (!n) return n.error();
  const bigint m = from_big_endian(bytes);
  const auto words = to_words(bigint(m % *n), 48); // 48 words, the lowest first
  static_cast<void>(words);
  return nothing{};
}

bool primes(const bigint& n) {
  system_random source;
  const secret_bigint p = draw_prime(1536, source); // p = 3 modulo 4, its two highest bits are 1
  return is_prime(p, source) && is_prime(n, source);
}

status keys(std::span<const std::uint64_t> n, const digest& certified) {
  const auto key =
      paillier<3072>::generate(system_random{}); // or paillier_secret_key::generate(bits, source)
  const paillier_public_key& mine = key.public_key();

  auto theirs = paillier_public_key::from_modulus(n); // untrusted words
  if (!theirs) return theirs.error();
  theirs->certify_blum(certified); // the fingerprint in a certificate whose signature was checked
  static_cast<void>(mine);
  return nothing{};
}

status encryption_and_sums(const paillier_secret_key& key, std::span<const std::uint64_t> plain,
                           std::span<const std::uint64_t> received, std::span<std::uint64_t> opened) {
  // A client: the public key is all it needs.
  system_random source;
  const paillier_encryptor<> encrypts(key.public_key(), source);
  const ciphertexts<> mine = encrypts.encrypt(plain, source);

  // Whoever adds up.
  const paillier_evaluator<> adds(key.public_key());
  auto sum = adds.read(received);
  if (!sum) return sum.error();
  adds.add_to(*sum, mine);

  // Whoever has the key.
  const paillier_decryptor<> decrypts(key);
  decrypts.decrypt(*sum, opened);
  return nothing{};
}

void pools(const paillier_public_key& key, std::span<const std::uint64_t> plain) {
  system_random source;
  const paillier_encryptor<> encrypts(key, source);
  paillier_pool<> pool(encrypts.evaluator());
  pool.prepare(encrypts, 803, source); // while nobody waits
  const auto c = pool.encrypt(plain);  // two products for each number
  static_cast<void>(c);
}

result<secret_words> together(const ciphertexts<>& sum) {
  auto keys = threshold_paillier<3072>::deal(4, system_random{}); // nobody holds the whole key
  // deal({.threshold = 3, .parties = 4}, source): any three of four

  std::vector<partial_decryptions<>> parts;
  for (const auto& share : keys.shares) // each at its party
    parts.push_back(partial_decryptor<>(share).decrypt(sum));

  const partial_combiner<> combines(keys.public_key, quorum::all_of(4));
  std::vector<const partial_decryptions<>*> all;
  for (const auto& part : parts) all.push_back(&part);
  return combines.combine(all);
}
