#pragma once
// The offices that take part, each with its verifying key: the list that the key authority signs.

#include <privet/crypto/signing.hpp>

#include <optional>

namespace privet {

struct enrolled_office {
  std::string name; ///< 1 to 64 bytes, for people
  verifying_key key;
  friend bool operator==(const enrolled_office&, const enrolled_office&) = default;
};

/// Distinct offices in a fixed order: office 1 of every message is the first.
class enrolment {
 public:
  static constexpr std::size_t most_offices = 65'536, longest_name = 64;

  enrolment() = default;

  /// Errors  N001: two offices of one name or one key, an empty or long name, too many offices
  static result<enrolment> of(std::vector<enrolled_office> offices, std::string_view place = "enrolment") {
    const auto wrong = [&](const auto&... what) { return error::of(fault::argument, place, ": ", what...); };
    if (offices.size() > most_offices)
      return wrong("got ", offices.size(), " offices, expected at most ", most_offices);
    std::vector<std::string_view> names;
    std::vector<verifying_key> keys;
    for (const auto& o : offices) {
      if (o.name.empty() || o.name.size() > longest_name)
        return wrong("got a name of ", o.name.size(), " bytes, expected 1 to ", longest_name);
      names.push_back(o.name);
      keys.push_back(o.key);
    }
    std::ranges::sort(names);
    std::ranges::sort(keys);
    // One office under two names would count twice where distinct offices are asked for.
    if (const auto same = std::ranges::adjacent_find(names); same != names.end())
      return wrong("two offices are called ", in_quotes(*same));
    if (const auto same = std::ranges::adjacent_find(keys); same != keys.end())
      return wrong("two offices have the key ", same->text());
    enrolment made;
    made.offices_ = std::move(offices);
    return made;
  }

  const std::vector<enrolled_office>& offices() const noexcept { return offices_; }
  std::size_t size() const noexcept { return offices_.size(); }

  /// The number of the office that has this key, if it is enrolled.
  std::optional<std::size_t> find(const verifying_key& key) const noexcept {
    const auto found = std::ranges::find(offices_, key, &enrolled_office::key);
    if (found == offices_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - offices_.begin());
  }

  /// The list as bytes: magic, version, count, then name and key of each.
  std::vector<std::byte> bytes() const {
    byte_writer out;
    out.put(magic).put(version).put(static_cast<std::uint32_t>(offices_.size()));
    for (const auto& o : offices_)
      out.put(static_cast<std::uint8_t>(o.name.size())).put(o.name).put(o.key.bytes);
    return std::move(out).take();
  }
  digest fingerprint() const { return sha256(bytes()); }

  friend bool operator==(const enrolment&, const enrolment&) = default;

  static constexpr std::string_view magic = "PRIVETEN";
  static constexpr std::uint32_t version = 1;

 private:
  std::vector<enrolled_office> offices_;
};

/// The list with the authority's signature at its end.
inline std::vector<std::byte> write_enrolment(const enrolment& offices, const signing_key& authority) {
  byte_writer out;
  const auto list = offices.bytes();
  out.put(list).put(authority.sign(purposes::enrolment, list).bytes);
  return std::move(out).take();
}

/// Untrusted bytes as a list that this authority has signed.
///
/// Errors  N009: not signed by the authority. N004: not a list, cut short, too long, an impossible or
///         repeated office. N011: another version
inline result<enrolment> read_enrolment(std::span<const std::byte> bytes, const verifying_key& authority,
                                        std::string_view place = "enrolment") {
  byte_reader in(bytes, place);
  const auto magic = in.take_bytes(enrolment::magic.size());
  if (!magic) return magic.error();
  if (text_of(*magic) != enrolment::magic)
    return error::of(fault::format, place, ": is not a list of enrolled offices");
  const auto version = in.take<std::uint32_t>();
  if (!version) return version.error();
  if (*version != enrolment::version)
    return error::of(fault::unsupported, place, ": version ", *version, ", this build reads ",
                     enrolment::version);
  const auto count = in.take<std::uint32_t>();
  if (!count) return count.error();
  if (*count > enrolment::most_offices)
    return error::of(fault::format, place, ": got ", *count, " offices, expected at most ",
                     enrolment::most_offices);

  std::vector<enrolled_office> offices;
  for (std::uint32_t i = 0; i < *count; ++i) { // grows as bytes bear it out
    const auto length = in.take<std::uint8_t>();
    if (!length) return length.error();
    const auto name = in.take_bytes(*length);
    if (!name) return name.error();
    enrolled_office office{std::string(text_of(*name)), {}};
    const auto key = in.take_bytes(office.key.bytes.size());
    if (!key) return key.error();
    std::ranges::copy(*key, office.key.bytes.begin());
    offices.push_back(std::move(office));
  }
  const std::size_t signed_bytes = in.offset();
  signature made;
  const auto raw = in.take_bytes(made.bytes.size());
  if (!raw) return raw.error();
  if (const auto end = in.expect_end(); !end) return end.error();
  std::ranges::copy(*raw, made.bytes.begin());
  if (const auto good = verify(authority, purposes::enrolment, bytes.first(signed_bytes), made, place); !good)
    return good.error();
  auto list = enrolment::of(std::move(offices), place);
  if (!list) return error{fault::format, list.error().message};
  return list;
}

} // namespace privet
