#pragma once
// What clients and server of an encrypted federation tell each other, as bytes. Reading never throws and
// never allocates what a message merely claims.

#include <privet/core/bytes.hpp>
#include <privet/core/fixed_point.hpp>
#include <privet/core/result.hpp>
#include <privet/crypto/enrolment.hpp>
#include <privet/crypto/packed_header.hpp>
#include <privet/crypto/packing.hpp>
#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/crypto/signing.hpp>
#include <privet/federated/message.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// A client of a sum, and the rows it counts for.
struct sum_member {
  std::uint32_t client = 0;
  std::uint64_t rows = 0;
  friend bool operator==(const sum_member&, const sum_member&) = default;
};

inline std::uint64_t rows_of(std::span<const sum_member> members) {
  std::uint64_t all = 0;
  for (const auto& one : members) all += one.rows;
  return all;
}

/// The body of `ask_sum`.
inline std::vector<std::byte> encode_members(std::span<const sum_member> members) {
  byte_writer out;
  for (const auto& m : members) out.put(m.client).put(m.rows);
  return std::move(out).take();
}
/// Errors: N009 for bytes that are no list, clients that do not ascend, or one without rows.
inline result<std::vector<sum_member>> decode_members(std::span<const std::byte> body) {
  constexpr std::size_t each = sizeof(std::uint32_t) + sizeof(std::uint64_t);
  if (body.size() % each != 0)
    return error::of(fault::message, "sum: ", body.size(), " bytes are no list of clients");
  byte_reader in(body, "sum");
  std::vector<sum_member> members(body.size() / each);
  std::uint32_t last = 0;
  for (auto& m : members) {
    m.client = *in.take<std::uint32_t>();
    m.rows = *in.take<std::uint64_t>();
    if (m.client <= last || m.rows == 0 || m.rows > std::uint32_t(-1))
      return error::of(fault::message, "sum: client ", m.client, " with ", m.rows, " rows after client ",
                       last, "; clients ascend and have 1 to 2^32 - 1 rows");
    last = m.client;
  }
  return members;
}

/// Byte strings one after the other, each behind its length.
inline std::vector<std::byte> encode_pieces(std::span<const std::vector<std::byte>> pieces) {
  std::size_t size = 0;
  for (const auto& piece : pieces) size += sizeof(std::uint64_t) + piece.size();
  byte_writer out;
  out.reserve(size);
  for (const auto& piece : pieces)
    out.put<std::uint64_t>(piece.size()).put(std::span<const std::byte>(piece));
  return std::move(out).take();
}
/// Views into `body`. Errors: N009 for more than `most` pieces, N004 for a piece that is cut short.
inline result<std::vector<std::span<const std::byte>>> decode_pieces(std::span<const std::byte> body,
                                                                     std::size_t most,
                                                                     std::string_view place) {
  byte_reader in(body, place);
  std::vector<std::span<const std::byte>> pieces;
  while (in.left() > 0) {
    if (pieces.size() == most) return error::of(fault::message, place, ": more than ", most, " pieces");
    const auto size = in.take<std::uint64_t>();
    if (!size) return size.error();
    const auto piece = in.take_bytes(*size);
    if (!piece) return piece.error();
    pieces.push_back(*piece);
  }
  return pieces;
}

/// One client's encrypted numbers: a header under the tag that clients share, the ciphertexts that it names the
/// digest of, and the client's signature of the header.
struct encrypted_update {
  packed_header header;
  std::span<const std::byte> ciphertexts;
  std::span<const std::byte> whole; ///< all bytes, as they were sent
};

/// `agreed` is what all clients of the sum must go by; it is not sent.
inline std::vector<std::byte> encode_encrypted(packed_header header, std::span<const std::byte> ciphertexts,
                                               const cohort_key& key, const digest& agreed,
                                               const signing_key& by) {
  header.contents = sha256(ciphertexts);
  const auto front = encode(header, key, agreed);
  const auto made = by.sign(purposes::encrypted_update, front);
  byte_writer out;
  out.reserve(front.size() + ciphertexts.size() + made.bytes.size());
  out.put(std::span<const std::byte>(front)).put(ciphertexts).put(std::span<const std::byte>(made.bytes));
  return std::move(out).take();
}

namespace detail {

/// `header_of(bytes)` reads the header.
template <class HeaderOf>
result<encrypted_update> read_encrypted(std::span<const std::byte> bytes, const enrolment& offices,
                                        const HeaderOf& header_of) {
  signature by;
  if (bytes.size() < packed_header_bytes + by.bytes.size())
    return error::of(fault::message, "encrypted update: ", bytes.size(), " bytes, header and signature have ",
                     packed_header_bytes + by.bytes.size());
  const auto front = bytes.first(packed_header_bytes);
  auto header = header_of(front);
  if (!header) return header.error();
  if (header->client > offices.size())
    return error::of(fault::message, "encrypted update: of client ", header->client, ", ", offices.size(),
                     " are enrolled");
  std::ranges::copy(bytes.last(by.bytes.size()), by.bytes.begin());
  const auto& key = offices.offices()[header->client - 1].key;
  if (auto good = verify(key, purposes::encrypted_update, front, by, "encrypted update"); !good)
    return good.error();
  const auto ciphertexts = bytes.subspan(front.size(), bytes.size() - front.size() - by.bytes.size());
  if (auto whole = check_contents(*header, ciphertexts); !whole) return whole.error();
  return encrypted_update{std::move(*header), ciphertexts, bytes};
}

} // namespace detail

/// An update as the server reads it: signed by the office that it names, its ciphertexts are those that were
/// signed.
///
/// Errors    N009 for a client that is not enrolled, a signature that is not its own, other ciphertexts; N004 for
///           a header that none may be
inline result<encrypted_update> claimed_update(std::span<const std::byte> bytes, const enrolment& offices) {
  return detail::read_encrypted(bytes, offices, [](auto front) { return claimed_header(front); });
}
/// As a client reads it: the tag says besides that a client of this run made it for this key, and goes by the same.
inline result<encrypted_update> authentic_update(std::span<const std::byte> bytes, const enrolment& offices,
                                                 const cohort_key& key, const digest& agreed) {
  return detail::read_encrypted(bytes, offices,
                                [&](auto front) { return authentic_header(front, key, agreed); });
}

/// Words as they are sent: little-endian.
inline std::span<const std::byte> bytes_of_words(std::span<const std::uint64_t> words) noexcept {
  static_assert(std::endian::native == std::endian::little, "messages hold little-endian numbers");
  return std::as_bytes(words);
}

/// Errors: N009 for bytes that are no whole number of words.
inline result<std::vector<std::uint64_t>> words_of_bytes(std::span<const std::byte> bytes,
                                                         std::string_view place) {
  if (bytes.size() % sizeof(std::uint64_t) != 0)
    return error::of(fault::message, place, ": ", bytes.size(), " bytes are no whole number of words");
  std::vector<std::uint64_t> words(bytes.size() / sizeof(std::uint64_t));
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] = load_little<std::uint64_t>(bytes.data() + i * sizeof(std::uint64_t));
  return words;
}

/// The ciphertexts of an update, as many as its header says.
///
/// Errors    N009 for the header of another key or another number of bytes; as `paillier_evaluator::read`
template <class Arch>
result<ciphertexts<Arch>> read_ciphertexts(const paillier_evaluator<Arch>& with,
                                           const encrypted_update& update) {
  const auto& h = update.header;
  if (h.key != with.key().fingerprint() || h.how.key_bits != with.key().bits())
    return error::of(fault::message, "encrypted update: for the key ", hex(h.key), " of ", h.how.key_bits,
                     " bits, expected ", hex(with.key().fingerprint()), " of ", with.key().bits());
  const std::size_t each = with.cipher_words() * sizeof(std::uint64_t), size = update.ciphertexts.size();
  if (size % each != 0 || size / each != h.ciphertexts)
    return error::of(fault::message, "encrypted update: ", size, " bytes of ciphertexts, ", h.ciphertexts,
                     " of ", each, " bytes are announced");
  const auto words = words_of_bytes(update.ciphertexts, "encrypted update");
  if (!words) return words.error();
  return with.read(*words);
}

/// How updates of so many clients are packed: numbers up to 4 in magnitude, and a sum off by less than 2^-20.
inline packing update_packing(std::size_t key_bits, std::uint32_t clients) {
  packing how{.key_bits = key_bits, .clients = clients, .range = 4};
  const auto guard = static_cast<int>(how.guard_bits());
  how.slot_bits = static_cast<std::uint32_t>(std::max(32, 23 + 2 * guard));
  how.fraction_bits = std::min(static_cast<int>(how.slot_bits) - guard - 3, 49);
  return how;
}

/// Numbers of any column's magnitude, as three integers each: the sums are those of `moments_encoding`, to the bit.
struct wide_numbers {
  static constexpr fixed_point encoding = moments_encoding;
  static constexpr std::size_t pieces = 3;
  static constexpr int piece_bits = 36;

  static packing packing_for(std::size_t key_bits, std::uint32_t clients) {
    packing how{.key_bits = key_bits,
                .clients = clients,
                .range = std::ldexp(1.0, piece_bits) + 1,
                .fraction_bits = 0};
    how.slot_bits = how.value_bits() + how.guard_bits();
    return how;
  }
  /// Precondition: `encoding.holds(x)`.
  static void split(double x, std::int64_t* out) noexcept {
    const int128 all = encoding.encode(x);
    constexpr std::int64_t low = (std::int64_t{1} << piece_bits) - 1;
    out[0] = static_cast<std::int64_t>(all) & low;
    out[1] = static_cast<std::int64_t>(all >> piece_bits) & low;
    out[2] = static_cast<std::int64_t>(all >> 2 * piece_bits);
  }
  static double join(const std::int64_t* sums) noexcept {
    int128 all = sums[2];
    for (int i = 1; i >= 0; --i) all = all * (int128{1} << piece_bits) + sums[i];
    return encoding.decode(all);
  }
};

} // namespace privet
