#pragma once
// privet's own form of Paillier keys and ciphertexts: fixed width, little-endian, one length for one content.

#include <privet/core/bytes.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/bigint.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// Bytes of a secret, wiped before their memory goes back.
using wiped_bytes = wiped_vector<std::byte>;

/// As in crypto/phe.hpp: exponents beyond are refused.
inline constexpr std::int32_t most_file_exponent = 65'536;

/// Ciphertexts as a file holds them: nothing of them was checked but their number and their key.
struct ciphertext_file {
  std::vector<std::int32_t> exponents; ///< of 16, one for each number (crypto/phe.hpp)
  std::vector<std::uint64_t> words;    ///< bits / 32 words each, one number after the other

  std::size_t count() const noexcept { return exponents.size(); }
};

namespace detail {

inline constexpr std::string_view paillier_file_magic = "PRIVETPF";
inline constexpr std::uint32_t paillier_file_version = 1;

enum class paillier_file_kind : std::uint32_t { public_key = 1, secret_key = 2, ciphertexts = 3, share = 4 };

constexpr std::string_view name_of(paillier_file_kind kind) noexcept {
  constexpr std::string_view names[] = {"", "public key", "secret key", "file of ciphertexts",
                                        "share of a key"};
  return names[static_cast<unsigned>(kind)];
}

/// What every file begins with: magic, version, kind, bits of n, fingerprint.
struct paillier_file_head {
  std::uint32_t bits = 0;
  digest key{};
};
inline constexpr std::size_t paillier_head_bytes = 8 + 4 + 4 + 4 + 32;

/// Appends numbers to bytes of any allocator.
template <class Bytes>
class little_endian_writer {
 public:
  explicit little_endian_writer(std::size_t size) { bytes_.reserve(size); }
  template <Wire T>
  little_endian_writer& put(T number) {
    bytes_.resize(bytes_.size() + sizeof(T));
    store_little(number, bytes_.data() + bytes_.size() - sizeof(T));
    return *this;
  }
  little_endian_writer& put(std::span<const std::byte> piece) {
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return *this;
  }
  little_endian_writer& words(std::span<const std::uint64_t> numbers) {
    for (const std::uint64_t w : numbers) put(w);
    return *this;
  }
  little_endian_writer& head(paillier_file_kind kind, std::size_t bits, const digest& key) {
    put(bytes_of(paillier_file_magic)).put(paillier_file_version).put(static_cast<std::uint32_t>(kind));
    return put(static_cast<std::uint32_t>(bits)).put(key);
  }
  Bytes take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

inline result<paillier_file_head> read_paillier_head(byte_reader& in, paillier_file_kind expected,
                                                     std::string_view place) {
  const auto magic = in.take_bytes(paillier_file_magic.size());
  if (!magic || text_of(*magic) != paillier_file_magic)
    return error::of(fault::format, place, ": is no Paillier file of privet");
  const auto version = in.take<std::uint32_t>();
  if (!version) return version.error();
  if (*version != paillier_file_version)
    return error::of(fault::unsupported, place, ": version ", *version, ", this build reads ",
                     paillier_file_version);
  const auto kind = in.take<std::uint32_t>();
  if (!kind) return kind.error();
  if (*kind < 1 || *kind > 4) return error::of(fault::format, place, ": of the unknown kind ", *kind);
  if (*kind != static_cast<std::uint32_t>(expected))
    return error::of(fault::format, place, ": is a ", name_of(static_cast<paillier_file_kind>(*kind)),
                     ", expected a ", name_of(expected));
  paillier_file_head head;
  const auto bits = in.take<std::uint32_t>();
  if (!bits) return bits.error();
  // The sizes that are taken are for `from_modulus`; this keeps what follows bounded.
  if (*bits < 128 || *bits > 7680 || *bits % 128 != 0)
    return error::of(fault::unsupported, place, ": a key of ", *bits, " bits");
  head.bits = *bits;
  const auto key = in.take_bytes(head.key.size());
  if (!key) return key.error();
  std::ranges::copy(*key, head.key.begin());
  return head;
}

inline status expect_left(const byte_reader& in, std::size_t expected, std::string_view place) {
  if (in.left() != expected)
    return error::of(fault::format, place, ": got ", in.left(), " bytes after the header, expected ",
                     expected);
  return nothing{};
}

/// Requires that there are as many.
inline void take_words(byte_reader& in, std::span<std::uint64_t> out) {
  for (auto& word : out) word = *in.take<std::uint64_t>();
}

/// The key of a modulus that stood behind this head.
template <class... SmallKeys>
result<paillier_public_key> key_of_file(std::span<const std::uint64_t> n, const paillier_file_head& head,
                                        bool blum, std::string_view place, const SmallKeys&... small) {
  if (bit_length(n) != head.bits)
    return error::of(fault::format, place, ": got a modulus of ", bit_length(n), " bits, expected ",
                     head.bits);
  auto key = paillier_public_key::from_modulus(n, small...);
  if (!key) return error{key.error().kind, concat(key.error().message, " (", place, ')')};
  if (key->fingerprint() != head.key)
    return error::of(fault::format, place, ": the fingerprint is not that of the modulus");
  if (blum) key->certify_blum(head.key);
  return key;
}

} // namespace detail

/// A public key as bytes: whoever trusts the file trusts n and, as much, the byte that says Blum.
inline std::vector<std::byte> write_key(const paillier_public_key& key) {
  detail::little_endian_writer<std::vector<std::byte>> out(detail::paillier_head_bytes + 4 +
                                                           8 * key.n().size());
  out.head(detail::paillier_file_kind::public_key, key.bits(), key.fingerprint());
  return std::move(out.put(std::uint32_t{key.blum()}).words(key.n())).take();
}

/// Untrusted bytes as a public key.
///
/// Errors  N004: not such a file, cut short, too long, another fingerprint than that of its n, a modulus that
///         is none; N011: another version, a refused size. With `unsafe::small_keys` small ones pass.
template <class... SmallKeys>
result<paillier_public_key> read_public_key(std::span<const std::byte> bytes,
                                            std::string_view place = "public key",
                                            const SmallKeys&... small) {
  byte_reader in(bytes, place);
  const auto head = detail::read_paillier_head(in, detail::paillier_file_kind::public_key, place);
  if (!head) return head.error();
  if (const auto whole = detail::expect_left(in, 4 + head->bits / 8, place); !whole) return whole.error();
  const auto blum = *in.take<std::uint32_t>();
  if (blum > 1) return error::of(fault::format, place, ": got ", blum, " for Blum, expected 0 or 1");
  std::vector<std::uint64_t> n(head->bits / 64);
  detail::take_words(in, n);
  return detail::key_of_file(n, *head, blum == 1, place, small...);
}

/// A secret key as bytes, to be sealed (`save_sealed`) or kept in a file of mode 0600.
inline wiped_bytes write_key(const paillier_secret_key& key) {
  const auto& pub = key.public_key();
  detail::little_endian_writer<wiped_bytes> out(detail::paillier_head_bytes + pub.bits() / 8);
  out.head(detail::paillier_file_kind::secret_key, pub.bits(), pub.fingerprint());
  return std::move(out.words(key.p()).words(key.q())).take();
}

/// Untrusted bytes as a secret key.
///
/// Errors  as `read_public_key`, and those of `paillier_secret_key::from_primes`
template <class... SmallKeys>
result<paillier_secret_key> read_secret_key(std::span<const std::byte> bytes,
                                            std::string_view place = "secret key",
                                            const SmallKeys&... small) {
  byte_reader in(bytes, place);
  const auto head = detail::read_paillier_head(in, detail::paillier_file_kind::secret_key, place);
  if (!head) return head.error();
  if (const auto whole = detail::expect_left(in, head->bits / 8, place); !whole) return whole.error();
  secret_words p(head->bits / 128), q(head->bits / 128);
  detail::take_words(in, p);
  detail::take_words(in, q);
  const auto a = from_words<secret_bigint>(p), b = from_words<secret_bigint>(q);
  auto key = paillier_secret_key::from_primes(a, b, bigint(secret_bigint(a * b)), small...);
  if (!key) return error{key.error().kind, concat(key.error().message, " (", place, ')')};
  if (key->public_key().fingerprint() != head->key)
    return error::of(fault::format, place, ": the fingerprint is not that of the primes");
  return key;
}

/// Ciphertexts under a key as bytes.
///
/// Errors  N001 unless there are bits / 32 words for each exponent
inline std::vector<std::byte> write_ciphertexts(const paillier_public_key& key, const ciphertext_file& c) {
  const std::size_t each = key.bits() / 32;
  require(c.words.size() == c.count() * each, fault::argument, "write_ciphertexts: got ", c.words.size(),
          " words for ", c.count(), " numbers, expected ", c.count() * each);
  detail::little_endian_writer<std::vector<std::byte>> out(detail::paillier_head_bytes + 8 +
                                                           c.count() * (4 + 8 * each));
  out.head(detail::paillier_file_kind::ciphertexts, key.bits(), key.fingerprint());
  out.put(static_cast<std::uint64_t>(c.count()));
  for (const std::int32_t e : c.exponents) out.put(e);
  return std::move(out.words(c.words)).take();
}

/// Untrusted bytes as ciphertexts under this key. Whether each lies in (0, n^2) and is coprime to n is for
/// whoever computes with them.
///
/// Errors  N004: not such a file, cut short, too long. N009: made under another key. N011: another version
/// Cost    memory for what is there, whatever the file claims
inline result<ciphertext_file> read_ciphertexts(std::span<const std::byte> bytes,
                                                const paillier_public_key& key,
                                                std::string_view place = "ciphertexts") {
  byte_reader in(bytes, place);
  const auto head = detail::read_paillier_head(in, detail::paillier_file_kind::ciphertexts, place);
  if (!head) return head.error();
  if (head->key != key.fingerprint() || head->bits != key.bits())
    return error::of(fault::message, place, ": made under the key ", hex(head->key), ", expected ",
                     hex(key.fingerprint()));
  const auto count = in.take<std::uint64_t>();
  if (!count) return count.error();
  const std::size_t each = head->bits / 32, needed = 4 + 8 * each;
  if (*count != in.left() / needed || in.left() % needed != 0)
    return error::of(fault::format, place, ": got ", in.left(), " bytes for ", *count, " ciphertexts of ",
                     needed, " each");
  ciphertext_file out;
  out.exponents.resize(static_cast<std::size_t>(*count));
  for (auto& e : out.exponents) {
    e = *in.take<std::int32_t>();
    if (e < -most_file_exponent || e > most_file_exponent)
      return error::of(fault::format, place, ": got the exponent ", e, ", expected at most ",
                       most_file_exponent, " in size");
  }
  out.words.resize(out.count() * each);
  detail::take_words(in, out.words);
  return out;
}

} // namespace privet
