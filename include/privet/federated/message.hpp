#pragma once
// The messages of a federation as bytes. A message says its format version, schema hash, round,
// sender and length before anything in it is believed; reading never throws and never allocates
// what a message merely claims. None of the kinds can carry a row.

#include <privet/core/bytes.hpp>
#include <privet/core/fixed_point.hpp>
#include <privet/core/json.hpp>
#include <privet/core/result.hpp>
#include <privet/data/schema.hpp>
#include <privet/federated/update.hpp>

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace privet {

/// How moments are added up. The range of 2^44 is that of a column's mean square, so values up to four million fit.
inline constexpr fixed_point moments_encoding{.fraction_bits = 64, .whole_bits = 44};

/// Errors: N008, with the name of the column, for a number that the sum cannot hold.
inline status check_moments(std::span<const double> values, std::span<const std::string> features) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!moments_encoding.holds(values[i]))
      return error::of(fault::range, "column ", in_quotes(features[i % features.size()]),
                       " has numbers too large to agree on a scaling (beyond four million); divide it by a "
                       "constant first");
  return nothing{};
}

/// What a message is. Odd kinds go to a client, even ones come back.
enum class message_kind : std::uint16_t {
  ask_schema = 1,   ///< empty
  schema = 2,       ///< JSON: features, classes, scaling, rows
  ask_moments = 3,  ///< all clients' rows, u64
  moments = 4,      ///< f64: count, sum, sum of squares per column, each divided by all rows
  agree = 5,        ///< f64: the moments that all clients scale by
  agreed = 6,       ///< empty; the header's schema hash names the scaling
  architecture = 7, ///< JSON: the model (nn/describe.hpp)
  ready = 8,        ///< u64: parameters
  ask_start = 9,    ///< u64: seed; the first client starts the weights
  start = 10,       ///< f32: weights
  train = 11,       ///< u64: rows of all clients of this round; f32: weights
  update = 12,      ///< u64 examples, u64 steps, f64 weight, f64 loss; f32: update
  refusal = 14,     ///< text: why the client will not
  share = 16,       ///< u64 examples, u64 steps, f64 grid, u64 holders; i64: share of a noisy sum

  // Of encrypted federations (federated/encrypted_update.hpp); the round is the number of a sum.
  begin = 17,         ///< u64: seed; all clients start from the same weights
  begun = 18,         ///< u64: parameters
  ask_sum = 19,       ///< the clients of a sum and their rows
  encrypted = 20,     ///< header, ciphertexts, signature
  ask_share = 21,     ///< the encrypted updates of a sum, whole
  opening_share = 22, ///< a box that clients open
  open = 23,          ///< the boxes of a sum
  opened = 24,        ///< empty

  encoded_update = 26, ///< an update in fewer bytes (federated/encoded_update.hpp)

  // Of federations that weigh clients by their classes (federated/class_aware.hpp).
  ask_classes = 27,    ///< all clients' rows, u64
  classes = 28,        ///< f64: rows of each class, each divided by all rows
  agree_classes = 29,  ///< f64: the same of all clients together
  agreed_classes = 30, ///< empty

  train_part = 31 ///< as train, of some of the weights (federated/partial_download.hpp)
};

struct message {
  message_kind kind = message_kind::ask_schema;
  std::uint64_t schema_hash = 0;
  std::uint32_t round = 0;
  std::uint32_t sender = 0; ///< 0 is the server, clients count from 1
  std::vector<std::byte> body;
};

inline constexpr std::size_t message_header_bytes = 40;

namespace detail {

inline constexpr std::string_view message_magic = "PRIV";
inline constexpr std::uint16_t message_version = 1;

/// Tells accidents, not attackers, from what was sent. `head` is the header before the checksum.
inline std::uint64_t message_checksum(std::span<const std::byte> head,
                                      std::span<const std::byte> bytes) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325u;
  const auto mix = [&](std::uint64_t word) { sum = (sum ^ word) * 0x9E3779B97F4A7C15u, sum ^= sum >> 29; };
  for (std::size_t i = 0; i + 8 <= head.size(); i += 8) mix(load_little<std::uint64_t>(head.data() + i));
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) mix(load_little<std::uint64_t>(bytes.data() + i));
  std::uint64_t last = 0;
  for (; i < bytes.size(); ++i) last = last << 8 | static_cast<std::uint64_t>(bytes[i]);
  mix(last);
  return sum;
}

} // namespace detail

inline std::vector<std::byte> encode(const message& m) {
  byte_writer out;
  out.reserve(message_header_bytes + m.body.size());
  out.put(detail::message_magic)
      .put(detail::message_version)
      .put(static_cast<std::uint16_t>(m.kind))
      .put(m.schema_hash);
  out.put(m.round).put(m.sender).put<std::uint64_t>(m.body.size());
  out.put(detail::message_checksum(out.view(), m.body));
  out.put(std::span<const std::byte>(m.body));
  return std::move(out).take();
}

namespace detail {

/// Why client `id` will not.
inline std::vector<std::byte> encode_refusal(std::uint64_t schema_hash, std::uint32_t round, std::uint32_t id,
                                             std::string_view why) {
  const auto text = bytes_of(why);
  return encode({message_kind::refusal, schema_hash, round, id, {text.begin(), text.end()}});
}

} // namespace detail

/// Errors: N004 for bytes that are no message, N009 for one that was damaged or is not whole.
inline result<message> decode_message(std::span<const std::byte> bytes) {
  byte_reader in(bytes, "message");
  const auto magic = in.take_bytes(detail::message_magic.size());
  if (!magic) return magic.error();
  if (text_of(*magic) != detail::message_magic)
    return error::of(fault::format, "message: does not start with 'PRIV'");
  if (in.left() < message_header_bytes - detail::message_magic.size())
    return error::of(fault::format, "message: ", bytes.size(), " bytes, a header alone has ",
                     message_header_bytes);
  const auto version = *in.take<std::uint16_t>(), kind = *in.take<std::uint16_t>();
  message m;
  m.kind = static_cast<message_kind>(kind);
  m.schema_hash = *in.take<std::uint64_t>();
  m.round = *in.take<std::uint32_t>();
  m.sender = *in.take<std::uint32_t>();
  const auto length = *in.take<std::uint64_t>(), checksum = *in.take<std::uint64_t>();
  if (version != detail::message_version)
    return error::of(fault::unsupported, "message: format version ", version, ", this build reads ",
                     detail::message_version);
  if (length != in.left())
    return error::of(fault::message, "message: says ", length, " bytes follow, ", in.left(), " do");
  const auto body = *in.take_bytes(in.left());
  if (detail::message_checksum(bytes.first(message_header_bytes - sizeof checksum), body) != checksum)
    return error::of(fault::message, "message: damaged on the way, its checksum differs");
  m.body.assign(body.begin(), body.end());
  return m;
}

namespace detail {

/// The rest of a body as little-endian numbers, all finite where they are fractions.
template <class T>
result<std::vector<T>> take_numbers(byte_reader& in, std::string_view what) {
  if (in.left() % sizeof(T) != 0)
    return error::of(fault::message, what, ": ", in.left(), " bytes are no whole number of ", sizeof(T),
                     "-byte numbers");
  const auto raw = *in.take_bytes(in.left());
  std::vector<T> numbers(raw.size() / sizeof(T));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = load_little<T>(raw.data() + i * sizeof(T));
    if constexpr (std::floating_point<T>)
      if (!std::isfinite(numbers[i]))
        return error::of(fault::message, what, ": number ", i, " is ", numbers[i]);
  }
  return numbers;
}

template <class T>
void put_numbers(byte_writer& out, std::span<const T> numbers) {
  static_assert(std::endian::native == std::endian::little, "messages hold little-endian numbers");
  out.put(std::as_bytes(numbers));
}

} // namespace detail

/// A body of numbers alone.
template <class T>
std::vector<std::byte> encode_numbers(std::span<const T> numbers) {
  byte_writer out;
  detail::put_numbers(out, numbers);
  return std::move(out).take();
}
template <class T>
result<std::vector<T>> decode_numbers(std::span<const std::byte> body, std::string_view what) {
  byte_reader in(body, what);
  return detail::take_numbers<T>(in, what);
}

/// A body of one unsigned number.
inline std::vector<std::byte> encode_number(std::uint64_t number) {
  byte_writer out;
  out.put(number);
  return std::move(out).take();
}
inline result<std::uint64_t> decode_number(std::span<const std::byte> body, std::string_view what) {
  byte_reader in(body, what);
  auto number = in.take<std::uint64_t>();
  if (number && in.left()) return in.expect_end().error();
  return number;
}

/// The body of `schema`: what a client's columns are called, and how many rows it has.
struct client_schema {
  privet::schema schema;
  std::uint64_t rows = 0;
};
inline std::vector<std::byte> encode_schema(const client_schema& c) {
  const auto text = json_text(json{{"features", c.schema.features},
                                   {"classes", c.schema.classes},
                                   {"scaling", c.schema.scaling},
                                   {"rows", c.rows}});
  const auto bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}
inline result<client_schema> decode_schema(std::span<const std::byte> body) {
  constexpr std::string_view place = "schema";
  const auto facts = parse_json(text_of(body), place, 3);
  if (!facts) return facts.error();
  auto features = read_member<std::vector<std::string>>(*facts, "features", place);
  auto classes = read_member<std::vector<std::string>>(*facts, "classes", place);
  auto scaling = read_member<std::string>(*facts, "scaling", place);
  const auto rows = read_member<std::uint64_t>(*facts, "rows", place);
  if (!features) return features.error();
  if (!classes) return classes.error();
  if (!scaling) return scaling.error();
  if (!rows) return rows.error();
  return client_schema{{std::move(*features), std::move(*classes), std::move(*scaling)}, *rows};
}

/// The body of `train`.
struct training_order {
  std::uint64_t examples = 0; ///< rows of all clients of this round
  std::vector<float> weights;
};
inline std::vector<std::byte> encode_order(std::uint64_t examples, std::span<const float> weights,
                                           std::span<const float> behind = {}) {
  byte_writer out;
  out.reserve(8 + weights.size_bytes() + behind.size_bytes());
  out.put(examples);
  detail::put_numbers(out, weights);
  detail::put_numbers(out, behind);
  return std::move(out).take();
}
inline result<training_order> decode_order(std::span<const std::byte> body) {
  byte_reader in(body, "training order");
  const auto examples = in.take<std::uint64_t>();
  if (!examples) return examples.error();
  auto weights = detail::take_numbers<float>(in, "training order");
  if (!weights) return weights.error();
  return training_order{*examples, std::move(*weights)};
}

namespace detail {

/// What updates of every form begin with: u64 examples, u64 steps, f64 weight, f64 loss.
inline constexpr std::size_t update_head = 32;
template <class Update>
void put_update_head(byte_writer& out, const Update& u) {
  out.put(u.examples).put(u.steps).put(u.weight).put(u.loss);
}
template <class Update>
result<Update> take_update_head(byte_reader& in, const message& m, std::string_view what,
                                std::size_t least = update_head) {
  if (in.left() < least)
    return error::of(fault::message, what, ": ", in.left(), " bytes, at least ", least, " are needed");
  Update u;
  u.sender = m.sender;
  u.schema_hash = m.schema_hash;
  u.examples = *in.take<std::uint64_t>();
  u.steps = *in.take<std::uint64_t>();
  u.weight = *in.take<double>();
  u.loss = *in.take<double>();
  if (!std::isfinite(u.weight) || !std::isfinite(u.loss))
    return error::of(fault::message, what, ": weight ", u.weight, ", loss ", u.loss);
  return u;
}

} // namespace detail

/// The body of `update`; sender and schema hash stand in the header.
inline std::vector<std::byte> encode_update(const client_update& u) {
  byte_writer out;
  out.reserve(detail::update_head + u.shared.size() * sizeof(float));
  detail::put_update_head(out, u);
  detail::put_numbers(out, std::span<const float>(u.shared));
  return std::move(out).take();
}
inline result<client_update> decode_update(const message& m) {
  byte_reader in(m.body, "update");
  auto u = detail::take_update_head<client_update>(in, m, "update");
  if (!u) return u;
  auto shared = detail::take_numbers<float>(in, "update");
  if (!shared) return shared.error();
  u->shared = std::move(*shared);
  return u;
}

/// The body of `share`; sender and schema hash stand in the header.
inline std::vector<std::byte> encode_share(const client_share& s) {
  byte_writer out;
  out.reserve(32 + s.shared.size() * sizeof(std::int64_t));
  out.put(s.examples).put(s.steps).put(s.grid).put(s.holders);
  detail::put_numbers(out, std::span<const std::int64_t>(s.shared));
  return std::move(out).take();
}
inline result<client_share> decode_share(const message& m) {
  byte_reader in(m.body, "share");
  if (in.left() < 32)
    return error::of(fault::message, "share: ", in.left(), " bytes, at least 32 are needed");
  client_share s{m.sender, m.schema_hash, *in.take<std::uint64_t>(), *in.take<std::uint64_t>(), {}};
  s.grid = *in.take<double>();
  s.holders = *in.take<std::uint64_t>();
  if (!std::isfinite(s.grid)) return error::of(fault::message, "share: grid ", s.grid);
  auto shared = detail::take_numbers<std::int64_t>(in, "share");
  if (!shared) return shared.error();
  s.shared = std::move(*shared);
  return s;
}

} // namespace privet
