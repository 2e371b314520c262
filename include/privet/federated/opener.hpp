#pragma once
// An office's part in opening sums.

#include <privet/core/result.hpp>
#include <privet/crypto/key_certificate.hpp>
#include <privet/crypto/paillier_decryptor.hpp>
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/federated/encrypted_update.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet {

/// What an office contributed to opening a sum.
struct opening_part {
  std::uint32_t office = 0; ///< from 1
  std::vector<std::byte> share;
};

/// Opens sums by the whole secret key, which every office has. One office that gives it to the server gives away
/// every update: `threshold_opener` needs as many as the threshold.
template <class Arch = simd::default_arch>
class key_opener {
 public:
  explicit key_opener(const paillier_secret_key& key) : decryptor_(key) {}

  /// Throws N009 for a key that is certified to be shared, or of another fingerprint.
  void check(const key_statement& says, std::uint32_t, std::size_t) const {
    require(says.fingerprint == decryptor_.evaluator().key().fingerprint(), fault::message,
            "Paillier key: certified as ", hex(says.fingerprint), ", this office has the secret of ",
            hex(decryptor_.evaluator().key().fingerprint()));
    require(says.holding == key_holding::one_holder, fault::message, "Paillier key: certified as held by ",
            name_of(says.holding), ", this office has all of it");
  }
  /// Offices that must have a part in a sum: all, so that all have seen the same updates.
  std::size_t needed(std::size_t members) const noexcept { return members; }
  /// Nothing: nobody's help is needed.
  std::vector<std::byte> share(const ciphertexts<Arch>&) const { return {}; }
  result<secret_words> open(const ciphertexts<Arch>& sum, std::span<const opening_part>) const {
    secret_words plain(sum.size() * decryptor_.evaluator().plain_words());
    decryptor_.decrypt(sum, plain); // a miscomputed one fails its canaries, and nobody sees it
    return plain;
  }

 private:
  paillier_decryptor<Arch> decryptor_;
};

/// Opens sums together with other offices, by a share of a key that nobody holds.
///
/// Requires  2 threshold > offices + 1: an office helps with one sum of each of its updates, so two sums of one round
///           cannot both find enough, were even one office to help with both
template <class Arch = simd::default_arch>
class threshold_opener {
 public:
  explicit threshold_opener(const paillier_key_share& share)
      : decryptor_(share),
        combiner_(share.public_key(), share.of()),
        of_(share.of()),
        index_(share.index()) {}

  /// Throws N009 for a share that is not the office's by the certificate, N007 for a threshold too low.
  void check(const key_statement& says, std::uint32_t office, std::size_t offices) const {
    require(says.fingerprint == decryptor_.evaluator().key().fingerprint() && of_.parties == offices,
            fault::message, "Paillier key: certified as ", hex(says.fingerprint),
            ", this office has a share of ", hex(decryptor_.evaluator().key().fingerprint()), " for ",
            of_.parties, " of ", offices, " offices");
    require(says.holding != key_holding::one_holder && says.parties == of_.parties &&
                says.threshold == of_.threshold && index_ == office,
            fault::message, "Paillier key: certified for ", says.threshold, " of ", says.parties,
            " parties, office ", office, " has share ", index_, " of ", of_.threshold, " of ", of_.parties);
    require(2 * of_.threshold > of_.parties + 1, fault::leak, "Paillier key: ", of_.threshold, " of ",
            of_.parties,
            " offices open a sum, so the others, with one of these, could open another one; more than ",
            (of_.parties + 1) / 2, " are needed");
  }
  std::size_t needed(std::size_t) const noexcept { return of_.threshold; }
  std::vector<std::byte> share(const ciphertexts<Arch>& sum) const {
    const auto words = combiner_.write(decryptor_.decrypt(sum));
    const auto bytes = bytes_of_words(words);
    return {bytes.begin(), bytes.end()};
  }
  result<secret_words> open(const ciphertexts<Arch>& sum, std::span<const opening_part> parts) const {
    std::vector<partial_decryptions<Arch>> all;
    for (const auto& part : parts) {
      const auto words = words_of_bytes(part.share, "partial decryption");
      if (!words) return words.error();
      auto read = combiner_.read(part.office, *words);
      if (!read) return read.error();
      if (read->size() != sum.size())
        return error::of(fault::message, "partial decryption: of ", read->size(), " numbers by office ",
                         part.office, ", the sum has ", sum.size());
      all.push_back(std::move(*read));
    }
    std::vector<const partial_decryptions<Arch>*> list;
    for (const auto& one : all) list.push_back(&one);
    return combiner_.combine(list);
  }

 private:
  partial_decryptor<Arch> decryptor_;
  partial_combiner<Arch> combiner_;
  quorum of_;
  std::size_t index_;
};

} // namespace privet
