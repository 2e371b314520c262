#pragma once
// A Paillier public key and the certificate of the key authority, put together.

#include <privet/crypto/key_certificate.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/crypto/threshold_paillier.hpp>

#include <string_view>
#include <utility>

namespace privet {

/// What there is to say of a key that one party holds.
inline key_statement statement_of(const paillier_public_key& key) {
  return {
      .fingerprint = key.fingerprint(), .bits = static_cast<std::uint32_t>(key.bits()), .blum = key.blum()};
}
/// What there is to say of a key that was dealt.
inline key_statement statement_of(const paillier_public_key& key, const quorum& of) {
  auto says = statement_of(key);
  says.holding = of.all() ? key_holding::all_shares : key_holding::some_shares;
  says.parties = static_cast<std::uint32_t>(of.parties);
  says.threshold = static_cast<std::uint32_t>(of.threshold);
  return says;
}

/// A key from a peer, believed as far as the authority vouches for it: `blum()` is then what the certificate
/// says.
///
/// Errors  N009: not signed by the authority, of another key, of another size
inline result<paillier_public_key> certified_key(paillier_public_key key, const key_certificate& certificate,
                                                 const verifying_key& authority,
                                                 std::string_view place = "certificate") {
  const auto says = check_certificate(certificate, authority, key.fingerprint(), place);
  if (!says) return says.error();
  if (says->bits != key.bits())
    return error::of(fault::message, place, ": is of a key of ", says->bits, " bits, got one of ",
                     key.bits());
  if (says->blum) key.certify_blum(says->fingerprint);
  return key;
}

} // namespace privet
