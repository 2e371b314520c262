#pragma once
// privet's own form of a share of a Paillier key.

#include <privet/crypto/paillier_file.hpp>
#include <privet/crypto/threshold_paillier.hpp>

namespace privet {

/// A share as bytes, with the public key it belongs to: to be sealed (`save_sealed`) or kept in a file of
/// mode 0600.
inline wiped_bytes write_key(const paillier_key_share& share) {
  const auto& key = share.public_key();
  detail::little_endian_writer<wiped_bytes> out(detail::paillier_head_bytes + 20 + key.bits() / 8 +
                                                8 * share.words().size());
  out.head(detail::paillier_file_kind::share, key.bits(), key.fingerprint());
  out.put(std::uint32_t{key.blum()});
  for (const std::size_t number :
       {share.index(), share.of().threshold, share.of().parties, share.words().size()})
    out.put(static_cast<std::uint32_t>(number));
  return std::move(out.words(key.n()).words(share.words())).take();
}

/// Untrusted bytes as a share.
///
/// Errors  N004: not such a file, cut short, too long, a fingerprint that is not of its modulus, a modulus that
///         is none, a party that does not exist, a share of another length. N011: another version, a refused
///         size
template <class... SmallKeys>
result<paillier_key_share> read_key_share(std::span<const std::byte> bytes,
                                          std::string_view place = "key share", const SmallKeys&... small) {
  byte_reader in(bytes, place);
  const auto head = detail::read_paillier_head(in, detail::paillier_file_kind::share, place);
  if (!head) return head.error();
  if (in.left() < 20) return detail::expect_left(in, 20, place).error();
  const auto blum = *in.take<std::uint32_t>(), index = *in.take<std::uint32_t>(),
             threshold = *in.take<std::uint32_t>(), parties = *in.take<std::uint32_t>(),
             words = *in.take<std::uint32_t>();
  if (blum > 1) return error::of(fault::format, place, ": got ", blum, " for Blum, expected 0 or 1");
  if (const auto whole = detail::expect_left(in, head->bits / 8 + std::size_t{8} * words, place); !whole)
    return whole.error();
  std::vector<std::uint64_t> n(head->bits / 64);
  secret_words share(words);
  detail::take_words(in, n);
  detail::take_words(in, share);
  auto key = detail::key_of_file(n, *head, blum == 1, place, small...);
  if (!key) return key.error();
  auto made = paillier_key_share::from_words(*key, {threshold, parties}, index, share);
  if (!made) return error{made.error().kind, concat(made.error().message, " (", place, ')')};
  return made;
}

} // namespace privet
