#pragma once
// What the key authority says about a Paillier public key, signed.

#include <privet/crypto/signing.hpp>

namespace privet {

/// Who holds the secret of a key.
enum class key_holding : std::uint8_t {
  one_holder = 1, ///< a secret key, which opens everything alone
  all_shares = 2, ///< n-of-n shares
  some_shares = 3 ///< t-of-n shares
};

constexpr std::string_view name_of(key_holding holding) noexcept {
  constexpr std::string_view names[] = {"", "one holder", "all shares", "some shares"};
  return names[static_cast<unsigned>(holding)];
}

/// What is said of a public key.
struct key_statement {
  digest fingerprint{};   ///< of the public key
  std::uint32_t bits = 0; ///< of n
  key_holding holding = key_holding::one_holder;
  /// Both primes are 3 modulo 4, with gcd(p - 1, q - 1) = 2: what encryption with short exponents
  /// (Damgard, Jurik, Nielsen) assumes, and nobody can see from n.
  bool blum = false;
  std::uint32_t parties = 1;   ///< who hold shares; 1 for one holder
  std::uint32_t threshold = 1; ///< how many of them open together

  friend bool operator==(const key_statement&, const key_statement&) = default;

  /// Errors  N001: an unknown holding, no bits, or parties and a threshold that do not fit the holding
  status check(std::string_view place = "key_statement") const {
    const auto wrong = [&](const auto&... what) { return error::of(fault::argument, place, ": ", what...); };
    if (bits == 0) return wrong("got a key of 0 bits");
    if (holding < key_holding::one_holder || holding > key_holding::some_shares)
      return wrong("got the holding ", static_cast<unsigned>(holding), ", expected 1 to 3");
    const bool fits = holding == key_holding::one_holder   ? parties == 1 && threshold == 1
                      : holding == key_holding::all_shares ? parties >= 2 && threshold == parties
                                                           : threshold >= 2 && threshold < parties;
    if (!fits) return wrong("got ", threshold, " of ", parties, " parties, which is not ", name_of(holding));
    return nothing{};
  }
};

/// A statement and the authority's signature of it.
struct key_certificate {
  key_statement says;
  signature by_authority;
  friend bool operator==(const key_certificate&, const key_certificate&) = default;
};

namespace detail {

inline constexpr std::string_view certificate_magic = "PRIVETKC";
inline constexpr std::uint32_t certificate_version = 1;

/// What is signed, and the front of the file.
inline byte_writer statement_bytes(const key_statement& s) {
  byte_writer out;
  out.put(certificate_magic).put(certificate_version);
  out.put(s.fingerprint).put(s.bits).put(static_cast<std::uint8_t>(s.holding));
  out.put(static_cast<std::uint8_t>(s.blum)).put(s.parties).put(s.threshold);
  return out;
}

} // namespace detail

/// The authority vouches for a key.
///
/// Errors  N001 when the statement contradicts itself
inline key_certificate certify(const signing_key& authority, const key_statement& says) {
  if (const auto sound = says.check(); !sound) throw exception(sound.error());
  const auto bytes = detail::statement_bytes(says);
  return {says, authority.sign(purposes::key_certificate, bytes.view())};
}

/// What the authority says of the key that has this fingerprint.
///
/// Errors  N009: not signed by this authority, or a certificate of another key
inline result<key_statement> check_certificate(const key_certificate& c, const verifying_key& authority,
                                               const digest& fingerprint,
                                               std::string_view place = "certificate") {
  const auto bytes = detail::statement_bytes(c.says);
  if (const auto good = verify(authority, purposes::key_certificate, bytes.view(), c.by_authority, place);
      !good)
    return good.error();
  if (c.says.fingerprint != fingerprint)
    return error::of(fault::message, place, ": is of the key ", hex(c.says.fingerprint), ", expected ",
                     hex(fingerprint));
  return c.says;
}

/// The certificate as bytes; little-endian, see docs/crypto/key_certificate.md.
inline std::vector<std::byte> write_certificate(const key_certificate& c) {
  auto out = detail::statement_bytes(c.says);
  out.put(c.by_authority.bytes);
  return std::move(out).take();
}

/// Untrusted bytes as a certificate; whether it is signed is for `check_certificate`.
///
/// Errors  N004: not a certificate, cut short, too long, impossible values. N011: another version
inline result<key_certificate> read_certificate(std::span<const std::byte> bytes,
                                                std::string_view place = "certificate") {
  byte_reader in(bytes, place);
  const std::size_t expected = detail::statement_bytes({}).size() + crypto_sign_ed25519_BYTES;
  const auto magic = in.take_bytes(detail::certificate_magic.size());
  if (!magic) return magic.error();
  if (text_of(*magic) != detail::certificate_magic)
    return error::of(fault::format, place, ": is not a key certificate");
  const auto version = in.take<std::uint32_t>();
  if (!version) return version.error();
  if (*version != detail::certificate_version)
    return error::of(fault::unsupported, place, ": version ", *version, ", this build reads ",
                     detail::certificate_version);
  if (bytes.size() != expected)
    return error::of(fault::format, place, ": got ", bytes.size(), " bytes, expected ", expected);

  key_certificate c;
  std::ranges::copy(*in.take_bytes(c.says.fingerprint.size()), c.says.fingerprint.begin());
  c.says.bits = *in.take<std::uint32_t>();
  c.says.holding = static_cast<key_holding>(*in.take<std::uint8_t>());
  const auto blum = *in.take<std::uint8_t>();
  if (blum > 1)
    return error::of(fault::format, place, ": got ", unsigned{blum}, " for blum, expected 0 or 1");
  c.says.blum = blum == 1;
  c.says.parties = *in.take<std::uint32_t>();
  c.says.threshold = *in.take<std::uint32_t>();
  std::ranges::copy(*in.take_bytes(c.by_authority.bytes.size()), c.by_authority.bytes.begin());
  if (const auto sound = c.says.check(place); !sound) return error{fault::format, sound.error().message};
  return c;
}

} // namespace privet
