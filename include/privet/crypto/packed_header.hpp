#pragma once
// What a client says in front of its ciphertexts, under a tag that the server cannot make.

#include <privet/core/bytes.hpp>
#include <privet/core/hmac.hpp>
#include <privet/core/result.hpp>
#include <privet/core/sha256.hpp>
#include <privet/crypto/cohort_key.hpp>
#include <privet/crypto/packing.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace privet {

/// One client's packed update of one round, without its ciphertexts.
struct packed_header {
  packing how;
  std::uint64_t numbers = 0;     ///< packed into the ciphertexts
  std::uint64_t ciphertexts = 0; ///< how.plaintexts(numbers)
  std::uint32_t round = 0;
  std::uint32_t client = 0; ///< from 1 on; 0 is the server
  digest key{};             ///< fingerprint of the public key
  digest contents{};        ///< SHA-256 of the ciphertexts as they are sent

  friend bool operator==(const packed_header&, const packed_header&) = default;
};

/// A header is always so many bytes, the tag among them.
inline constexpr std::size_t packed_header_bytes = 152;

namespace detail {

inline constexpr std::string_view packed_magic = "PRIVPACK";
inline constexpr std::uint16_t packed_version = 1;
inline constexpr std::size_t packed_tag_bytes = 32,
                             packed_body_bytes = packed_header_bytes - packed_tag_bytes;

/// What no header may say.
inline std::string problem_of(const packed_header& h) {
  if (auto found = h.how.problem(); !found.empty()) return found;
  if (h.client == 0) return "it is of client 0, which is the server";
  if (h.numbers == 0) return "it has no numbers";
  if (const auto needed = h.how.plaintexts(h.numbers); h.ciphertexts != needed)
    return concat(h.ciphertexts, " ciphertexts, ", h.numbers, " numbers take ", needed);
  return {};
}

inline digest packed_tag(std::span<const std::byte> body, const cohort_key& key,
                         std::span<const std::byte> agreed) {
  byte_writer all;
  all.put(body).put(agreed);
  return key.tag(all.view());
}

} // namespace detail

/// The canonical bytes of a header and the tag of its client. Errors: N001 for a header that none may be, N001
/// for a fingerprint of another key than the tag's.
///
/// Layout    little-endian: "PRIVPACK", u16 version, u16 slot bits, u32 key bits, u32 clients, i32 fraction bits,
///           f64 range, u64 numbers, u64 ciphertexts, u32 round, u32 client, 32 bytes fingerprint, 32 bytes
///           contents, 32 bytes HMAC-SHA256 of all before and of `agreed`: what clients must have in common besides,
///           and is not sent
inline std::vector<std::byte> encode(const packed_header& h, const cohort_key& key,
                                     std::span<const std::byte> agreed = {}) {
  const auto found = detail::problem_of(h);
  require(found.empty(), fault::argument, "packed header: ", found);
  require(h.key == key.fingerprint(), fault::argument, "packed header: for the key ", hex(h.key),
          ", the clients share one for ", hex(key.fingerprint()));
  byte_writer out;
  out.reserve(packed_header_bytes);
  out.put(detail::packed_magic).put(detail::packed_version);
  out.put(static_cast<std::uint16_t>(h.how.slot_bits)).put(static_cast<std::uint32_t>(h.how.key_bits));
  out.put(h.how.clients).put(static_cast<std::int32_t>(h.how.fraction_bits)).put(h.how.range);
  out.put(h.numbers).put(h.ciphertexts).put(h.round).put(h.client);
  out.put(std::span<const std::byte>(h.key)).put(std::span<const std::byte>(h.contents));
  const digest tag = detail::packed_tag(out.view(), key, agreed);
  out.put(std::span<const std::byte>(tag));
  return std::move(out).take();
}

/// What bytes claim to be, for a server that cannot check the tag. Whoever has the key reads
/// `authentic_header`. A header that is returned is one that may be: nothing in it overflows, and `how` passes
/// its check.
///
/// Errors    N004 for bytes that are no header, N011 for another version
inline result<packed_header> claimed_header(std::span<const std::byte> bytes) {
  if (bytes.size() != packed_header_bytes)
    return error::of(fault::format, "packed header: ", bytes.size(), " bytes, expected ",
                     packed_header_bytes);
  byte_reader in(bytes, "packed header");
  if (text_of(*in.take_bytes(detail::packed_magic.size())) != detail::packed_magic)
    return error::of(fault::format, "packed header: does not start with 'PRIVPACK'");
  if (const auto version = *in.take<std::uint16_t>(); version != detail::packed_version)
    return error::of(fault::unsupported, "packed header: format version ", version, ", this build reads ",
                     detail::packed_version);
  packed_header h;
  h.how.slot_bits = *in.take<std::uint16_t>();
  h.how.key_bits = *in.take<std::uint32_t>();
  h.how.clients = *in.take<std::uint32_t>();
  h.how.fraction_bits = *in.take<std::int32_t>();
  h.how.range = *in.take<double>();
  h.numbers = *in.take<std::uint64_t>();
  h.ciphertexts = *in.take<std::uint64_t>();
  h.round = *in.take<std::uint32_t>();
  h.client = *in.take<std::uint32_t>();
  std::ranges::copy(*in.take_bytes(h.key.size()), h.key.begin());
  std::ranges::copy(*in.take_bytes(h.contents.size()), h.contents.begin());
  if (const auto found = detail::problem_of(h); !found.empty())
    return error::of(fault::format, "packed header: ", found);
  return h;
}

/// A header that a client who shares the key has made. The tag is compared in constant time, before anything
/// in it is believed; a client that goes by something else than `agreed` has made another.
///
/// Errors    N009 for another Paillier key, naming both fingerprints, and for a wrong tag, which is also that of
///           another run; as claimed_header
inline result<packed_header> authentic_header(std::span<const std::byte> bytes, const cohort_key& key,
                                              std::span<const std::byte> agreed = {}) {
  if (bytes.size() != packed_header_bytes)
    return error::of(fault::format, "packed header: ", bytes.size(), " bytes, expected ",
                     packed_header_bytes);
  const digest tag = detail::packed_tag(bytes.first(detail::packed_body_bytes), key, agreed);
  const bool authentic = equal_in_constant_time(tag, bytes.last(detail::packed_tag_bytes));
  auto header = claimed_header(bytes);
  if (header && header->key != key.fingerprint())
    return error::of(fault::message, "packed header: for the key ", hex(header->key), ", this run's is ",
                     hex(key.fingerprint()));
  if (!authentic)
    return error::of(fault::message,
                     "packed header: its tag is not of a client of this run, or its bytes were changed");
  return header;
}

/// Whether these ciphertexts, as they were sent, belong to a header. Errors: N009.
inline status check_contents(const packed_header& h, std::span<const std::byte> ciphertexts) {
  if (const digest found = sha256(ciphertexts); found != h.contents)
    return error::of(fault::message, "packed header of client ", h.client,
                     ": announces ciphertexts with the digest ", hex(h.contents), ", got ", hex(found));
  return nothing{};
}

/// Whether two headers may be part of one sum: all but client and contents agree, another round is a replay.
///
/// Errors    N009 naming the first field that differs, both clients and both values
inline status check_same_sum(const packed_header& a, const packed_header& b) {
  const auto differ = [&](std::string_view field, const auto& ours, const auto& theirs) {
    return error::of(fault::message, "packed headers differ in ", field, ": ", ours, " from client ",
                     a.client, ", ", theirs, " from client ", b.client);
  };
  if (a.key != b.key) return differ("the key", hex(a.key), hex(b.key));
  if (a.round != b.round) return differ("the round", a.round, b.round);
  if (a.numbers != b.numbers) return differ("numbers", a.numbers, b.numbers);
  if (a.how.key_bits != b.how.key_bits) return differ("key bits", a.how.key_bits, b.how.key_bits);
  if (a.how.slot_bits != b.how.slot_bits) return differ("slot bits", a.how.slot_bits, b.how.slot_bits);
  if (a.how.fraction_bits != b.how.fraction_bits)
    return differ("fraction bits", a.how.fraction_bits, b.how.fraction_bits);
  if (a.how.range != b.how.range) return differ("the range", a.how.range, b.how.range);
  if (a.how.clients != b.how.clients) return differ("clients", a.how.clients, b.how.clients);
  if (a.ciphertexts != b.ciphertexts) return differ("ciphertexts", a.ciphertexts, b.ciphertexts);
  return nothing{};
}

/// Whether headers make one sum: each client once, no more than the guard bits are for, all alike. Errors: N009.
inline status check_cohort(std::span<const packed_header> headers) {
  if (headers.empty()) return error::of(fault::message, "packed headers: there are none");
  if (headers.size() > headers[0].how.clients)
    return error::of(fault::message, "packed headers: of ", headers.size(), " clients, guard bits are for ",
                     headers[0].how.clients);
  std::vector<std::uint32_t> clients;
  for (const auto& h : headers) {
    if (auto same = check_same_sum(headers[0], h); !same) return same;
    clients.push_back(h.client);
  }
  std::ranges::sort(clients);
  if (const auto twice = std::ranges::adjacent_find(clients); twice != clients.end())
    return error::of(fault::message, "packed headers: client ", *twice, " has sent two");
  return nothing{};
}

} // namespace privet
