// Keys, shares, ciphertexts and decimal numbers from any bytes: what is taken is what it claims to be.
#include "support/paillier.hpp"

#include <privet/core/bytes.hpp>
#include <privet/crypto/paillier.hpp>
#include <privet/crypto/threshold_paillier.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

using namespace privet;

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

const paillier_decryptor<>& holder() {
  static const paillier_decryptor<> decrypts(test::paillier::secret_key(128));
  return decrypts;
}

void numbers(std::span<const std::byte> bytes) {
  if (const auto x = parse_decimal(text_of(bytes), 200)) expect(to_decimal(*x) == text_of(bytes));
}

void public_key(std::span<const std::uint64_t> words) {
  if (words.size() > 8) return; // longer ones only take longer
  const auto key = paillier_public_key::from_modulus(words, test::paillier::small);
  if (!key) return;
  const auto n = from_words(words);
  expect(bit_length(n) == key->bits() && key->bits() % 128 == 0 && n % 2 == 1 && from_words(key->n()) == n);
}

void secret_key(std::span<const std::uint64_t> words) {
  if (words.size() < 4 || words.size() > 16) return;
  const std::size_t half = words.size() / 4;
  const auto p = from_words<secret_bigint>(words.first(half)),
             q = from_words<secret_bigint>(words.subspan(half, half));
  const auto key =
      paillier_secret_key::from_primes(p, q, from_words(words.last(2 * half)), test::paillier::small);
  if (key)
    expect(from_words<secret_bigint>(key->p()) * from_words<secret_bigint>(key->q()) == p * q && p != q);
}

void ciphertext(std::span<const std::uint64_t> words) {
  const auto& with = holder().evaluator();
  const auto read = with.read(words);
  if (!read) return;
  expect(std::ranges::equal(with.write(*read), words));
  const auto plain = holder().decrypt(*read);
  expect(holder().holds(*read, plain));
  for (std::size_t i = 0; i < read->size(); ++i)
    expect(is_less(std::span(plain).subspan(2 * i, 2), with.key().n()) != 0);
}

void share(std::span<const std::uint64_t> words) {
  if (words.size() < 3) return;
  const quorum of{words[0] % 70, words[1] % 70};
  const auto read =
      paillier_key_share::from_words(holder().evaluator().key(), of, words[2] % 70, words.subspan(3));
  if (read) expect(std::ranges::equal(read->words(), words.subspan(3)) && read->index() <= of.parties);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  std::vector<std::uint64_t> words(bytes.size() / 8);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = load_little<std::uint64_t>(bytes.data() + 8 * i);
  switch (data[0] % 5) {
    case 0:
      numbers(bytes);
      break;
    case 1:
      public_key(words);
      break;
    case 2:
      secret_key(words);
      break;
    case 3:
      ciphertext(words);
      break;
    default:
      share(words);
  }
  return 0;
}
