#pragma once
// Who deals the keys of an encrypted federation, once, before it begins.

#include <privet/crypto/certified_key.hpp>
#include <privet/crypto/paillier_key.hpp>
#include <privet/federated/encrypted_office.hpp>
#include <privet/federated/encrypted_server.hpp>
#include <privet/federated/opener.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// Keys of an encrypted federation: one set for each office, and what the server may know.
template <class Opener>
struct dealt_keys {
  std::vector<encrypted_office_keys<Opener>> offices;
  encrypted_server_keys server;
};

namespace detail {

/// Signing keys, their enrolment, the common secret and the certificate, around a Paillier key that is there.
/// `opener_of(i)` is the part of office i, from 0.
template <class Opener, class Source, class OpenerOf>
dealt_keys<Opener> deal_around(const paillier_public_key& key, const key_statement& says, std::size_t offices,
                               Source& source, OpenerOf&& opener_of) {
  const auto authority = signing_key::generate(source);
  std::vector<signing_key> signing;
  std::vector<enrolled_office> list;
  for (std::size_t i = 0; i < offices; ++i) {
    signing.push_back(signing_key::generate(source));
    list.push_back({concat("office ", i + 1), signing.back().public_key()});
  }
  const auto enrolled = enrolment::of(std::move(list)).value();
  const auto secret = cohort_secret::draw(source);
  std::array<std::byte, 16> number;
  fill_bytes(source, number);
  const auto certificate = certify(authority, says);
  dealt_keys<Opener> all{{}, {key, enrolled}};
  for (std::size_t i = 0; i < offices; ++i)
    all.offices.push_back({key, certificate, authority.public_key(), enrolled, std::move(signing[i]),
                           cohort_secret(secret.bytes()), hex(number), opener_of(i)});
  return all;
}

} // namespace detail

/// Every office gets the whole secret key.
///
/// Privacy   the server sees nothing but sums' ciphertexts; any one office together with it reads every update
template <class Arch = simd::default_arch, class Source>
dealt_keys<key_opener<Arch>> deal_whole_key(const paillier_secret_key& key, std::size_t offices,
                                            Source& source) {
  const auto& open = key.public_key();
  const auto says = statement_of(open);
  return detail::deal_around<key_opener<Arch>>(open, says, offices, source,
                                               [&](std::size_t) { return key_opener<Arch>(key); });
}

/// Every office gets its share of a key that nobody holds any more.
///
/// Privacy   what the offices open together is opened; the server and fewer offices than the threshold read
///           nothing else. Whoever dealt the key could open everything until it was erased
template <class Arch = simd::default_arch, class Source>
dealt_keys<threshold_opener<Arch>> deal_shares(dealt_paillier_key key, Source& source) {
  const auto& open = key.public_key;
  const quorum of = key.shares.at(0).of();
  const auto says = statement_of(open, of);
  return detail::deal_around<threshold_opener<Arch>>(
      open, says, of.parties, source, [&](std::size_t i) { return threshold_opener<Arch>(key.shares[i]); });
}

} // namespace privet
