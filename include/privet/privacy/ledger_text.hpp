#pragma once
// The lines of a ledger: JSON objects, each sealed by a digest and naming that of the line before.

#include <privet/core/json.hpp>
#include <privet/core/sha256.hpp>
#include <privet/privacy/event_json.hpp>
#include <privet/privacy/ledger.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace privet {

inline constexpr std::uint64_t ledger_format_version = 1;

/// What the bytes of a ledger say.
struct ledger_log {
  ledger_state state;
  std::vector<digest> digests;     ///< of the first line, then of every entry
  std::size_t whole = 0;           ///< bytes up to the last line that is complete and believed
  std::size_t torn = 0;            ///< bytes after them
  bool newline_is_missing = false; ///< of the last entry, which is complete but for it

  ledger_head head() const { return {digests.size() - 1, digests.back()}; }
};

namespace detail {

inline constexpr std::size_t longest_ledger_line = 1 << 16;  // of an entry
inline constexpr std::size_t longest_ledger_terms = 1 << 22; // of the first line
inline constexpr std::size_t longest_ledger = 1 << 28;

/// A line ends with the digest of all that comes before it in the line.
inline std::string sealed_line(const std::string& body) {
  return concat(body, ",\"digest\":\"", hex(sha256(body)), "\"}");
}
inline constexpr std::size_t seal_length = 77; // ,"digest":" 64 digits "}

inline std::string ledger_text(const ledger_terms& t) {
  json filter{{"kind", std::string(std::visit([](const auto& f) { return f.name; }, t.filter))}};
  if (const auto* s = std::get_if<schedule_filter>(&t.filter)) {
    filter["stop"] = std::string(name_of(s->stop));
    filter["events"] = json::array();
    for (const auto& e : s->events) filter["events"].push_back(to_json(e));
  } else if (const auto* z = std::get_if<zcdp_filter>(&t.filter)) {
    filter["rho"] = z->rho;
    filter["distance"] = z->distance;
  } else {
    filter["order"] = std::get<renyi_filter>(t.filter).order;
    filter["divergence"] = std::get<renyi_filter>(t.filter).divergence;
    filter["distance"] = std::get<renyi_filter>(t.filter).distance;
  }
  return sealed_line(concat("{\"ledger\":\"privet\",\"version\":", ledger_format_version, ",\"data\":\"",
                            hex(t.data), "\",\"unit\":\"", name_of(t.unit), "\",\"relation\":\"",
                            name_of(t.relation), "\",\"delta\":", json_text(json(t.delta)),
                            ",\"epsilon\":", json_text(json(t.epsilon)), ",\"filter\":", json_text(filter)));
}

/// The event comes first: it is then known even when the rest of the line did not reach the disk.
inline std::string ledger_text(const ledger_entry& e, const digest& previous) {
  std::string body = "{";
  if (e.event) body += concat("\"event\":", json_text(to_json(*e.event)), ',');
  body += concat("\"index\":", e.index, ",\"session\":", e.session);
  using type = ledger_entry::type;
  if (e.kind == type::settlement)
    body += concat(",\"settles\":", e.reservation, ",\"used\":", e.used);
  else
    body += concat(",\"kind\":\"",
                   e.kind == type::debit  ? "debit"
                   : e.kind == type::torn ? "torn"
                                          : "reservation",
                   '"');
  if (!e.what.empty()) body += concat(",\"what\":", json_text(json(e.what)));
  if (!e.time.empty()) body += concat(",\"time\":", json_text(json(e.time)));
  return sealed_line(concat(body, ",\"previous\":\"", hex(previous), '"'));
}

inline result<digest> read_digest(std::string_view text, std::string_view place) {
  digest out;
  const auto nibble = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = text.size() == 64 ? nibble(text[2 * i]) : -1,
              low = text.size() == 64 ? nibble(text[2 * i + 1]) : -1;
    if (high < 0 || low < 0)
      return error::of(fault::format, place, ": got ", in_quotes(text), ", expected 64 hexadecimal digits");
    out[i] = static_cast<std::byte>(high * 16 + low);
  }
  return out;
}

/// One line: its object without members that are not among `known`, its digest checked.
inline result<json> read_ledger_line(std::string_view line, std::initializer_list<std::string_view> known,
                                     std::string_view place) {
  auto object = parse_json(line, place, 8);
  if (!object) return object;
  if (!object->is_object())
    return error::of(fault::format, place, ": got ", object->type_name(), ", expected object");
  if (object->contains("version")) {
    const auto version = read_member<std::uint64_t>(*object, "version", place);
    if (!version) return version.error();
    if (*version != ledger_format_version)
      return error::of(fault::unsupported, place, ": got a ledger of version ", *version,
                       ", this build reads version ", ledger_format_version);
  }
  const std::string_view body = line.substr(0, line.size() - std::min(line.size(), seal_length));
  if (sealed_line(std::string(body)) != line) {
    const auto named = read_member<std::string>(*object, "digest", place);
    if (!named) return named.error();
    return error::of(fault::format, place, ": broken line: got the digest ", in_quotes(*named), ", expected ",
                     hex(sha256(body)));
  }
  for (const auto& [key, value] : object->items())
    if (std::ranges::find(known, key) == known.end())
      return error::of(fault::format, place, ": no member ", in_quotes(key), " is known in this line");
  return object;
}

inline result<ledger_terms> read_ledger_terms(std::string_view line, std::string_view place) {
  const auto object = read_ledger_line(
      line, {"ledger", "version", "data", "unit", "relation", "delta", "epsilon", "filter", "digest"}, place);
  if (!object) return object.error();
  const auto kind = read_member<std::string>(*object, "ledger", place);
  if (!kind) return kind.error();
  const auto version = read_member<std::uint64_t>(*object, "version", place);
  if (!version) return version.error();
  if (*kind != "privet")
    return error::of(fault::format, place, ": got a ledger of ", in_quotes(*kind), ", expected 'privet'");
  const auto data = read_member<std::string>(*object, "data", place),
             unit = read_member<std::string>(*object, "unit", place),
             relation = read_member<std::string>(*object, "relation", place);
  for (const auto* text : {&data, &unit, &relation})
    if (!*text) return text->error();
  const auto delta = read_member<double>(*object, "delta", place),
             epsilon = read_member<double>(*object, "epsilon", place);
  if (!delta) return delta.error();
  if (!epsilon) return epsilon.error();

  ledger_terms t;
  t.delta = *delta, t.epsilon = *epsilon;
  const auto fingerprint = read_digest(*data, place);
  if (!fingerprint) return fingerprint.error();
  t.data = *fingerprint;
  bool known = false;
  for (const auto u : {privacy_unit::example, privacy_unit::user, privacy_unit::site})
    if (*unit == name_of(u)) t.unit = u, known = true;
  if (!known)
    return error::of(fault::format, place, ": got the unit ", in_quotes(*unit),
                     ", expected 'example', 'user' or 'site'");
  const auto between = read_relation(*relation, place);
  if (!between) return between.error();
  t.relation = *between;

  const auto found = object->find("filter");
  if (found == object->end()) return error::of(fault::format, place, ": no member 'filter'");
  const json& filter = *found;
  const std::string inside = concat(place, ": filter");
  const auto name = read_member<std::string>(filter, "kind", inside);
  if (!name) return name.error();
  const auto holds = [&](std::size_t members) { return filter.size() == members; };
  bool sized = false;
  if (*name == schedule_filter::name) {
    sized = holds(3);
    schedule_filter s;
    const auto stop = read_member<std::string>(filter, "stop", inside);
    if (!stop) return stop.error();
    if (*stop != name_of(stop_rule::any) && *stop != name_of(stop_rule::public_only))
      return error::of(fault::format, inside, ": got the stop ", in_quotes(*stop),
                       ", expected 'any' or 'public'");
    s.stop = *stop == name_of(stop_rule::any) ? stop_rule::any : stop_rule::public_only;
    const auto events = filter.find("events");
    if (events == filter.end() || !events->is_array())
      return error::of(fault::format, inside, ": no array 'events'");
    for (const json& item : *events) {
      const auto e = read_event(item, concat(inside, ": event ", s.events.size()));
      if (!e) return e.error();
      s.events.push_back(*e);
    }
    t.filter = std::move(s);
  } else if (*name == zcdp_filter::name) {
    sized = holds(3);
    const auto rho = read_member<double>(filter, "rho", inside);
    if (!rho) return rho.error();
    const auto off = read_member<double>(filter, "distance", inside);
    if (!off) return off.error();
    t.filter = zcdp_filter{*rho, *off};
  } else if (*name == renyi_filter::name) {
    sized = holds(4);
    const auto order = read_member<double>(filter, "order", inside),
               all = read_member<double>(filter, "divergence", inside);
    if (!order) return order.error();
    if (!all) return all.error();
    const auto off = read_member<double>(filter, "distance", inside);
    if (!off) return off.error();
    t.filter = renyi_filter{*order, *all, *off};
  } else {
    return error::of(fault::format, inside, ": got ", in_quotes(*name),
                     ", expected 'schedule', 'zcdp' or 'renyi'");
  }
  if (!sized)
    return error::of(fault::format, inside, ": got ", filter.size(), " members, expected those of ", *name);
  try {
    if (std::holds_alternative<schedule_filter>(t.filter))
      t.check_numbers(); // its bound takes a while, and `spent` finds it anew
    else
      t.check(ledger_slack);
  } catch (const exception& why) {
    return error_at(place, why);
  }
  return t;
}

inline result<ledger_entry> read_ledger_entry(std::string_view line, const digest& previous,
                                              std::string_view place) {
  const auto object = read_ledger_line(
      line, {"event", "index", "session", "kind", "settles", "used", "what", "time", "previous", "digest"},
      place);
  if (!object) return object.error();
  ledger_entry e;
  const auto before = read_member<std::string>(*object, "previous", place);
  const auto index = read_member<std::uint64_t>(*object, "index", place),
             session = read_member<std::uint64_t>(*object, "session", place);
  if (!before) return before.error();
  if (*before != hex(previous))
    return error::of(fault::format, place, ": broken chain: follows ", in_quotes(*before),
                     ", but the line before is ", hex(previous));
  if (!index) return index.error();
  if (!session) return session.error();
  e.index = *index, e.session = *session;
  const bool settles = object->contains("settles");
  if (settles == object->contains("kind") || settles != object->contains("used"))
    return error::of(fault::format, place, ": got neither a debit nor a settlement");
  if (settles) {
    e.kind = ledger_entry::type::settlement;
    const auto of = read_member<std::uint64_t>(*object, "settles", place),
               used = read_member<std::uint64_t>(*object, "used", place);
    if (!of) return of.error();
    if (!used) return used.error();
    e.reservation = *of, e.used = *used;
  } else {
    const auto kind = read_member<std::string>(*object, "kind", place);
    if (!kind) return kind.error();
    if (*kind == "debit")
      e.kind = ledger_entry::type::debit;
    else if (*kind == "reservation")
      e.kind = ledger_entry::type::reservation;
    else if (*kind == "torn")
      e.kind = ledger_entry::type::torn;
    else
      return error::of(fault::format, place, ": got the kind ", in_quotes(*kind),
                       ", expected 'debit', 'reservation' or 'torn'");
  }
  if (const auto found = object->find("event"); found != object->end()) {
    const auto event = read_event(*found, place);
    if (!event) return event.error();
    e.event = *event;
  }
  if (e.kind == ledger_entry::type::torn ? false : settles == e.event.has_value())
    return error::of(fault::format, place, ": got ", settles ? "a settlement with" : "a debit without",
                     " an event");
  for (auto [key, into] : {std::pair{"what", &e.what}, {"time", &e.time}})
    if (object->contains(key)) {
      auto text = read_member<std::string>(*object, key, place);
      if (!text) return text.error();
      *into = std::move(*text);
    }
  return e;
}

/// What a line that ends in mid-write would have debited, if that much of it is there.
inline std::optional<privacy_event> torn_event(std::string_view fragment) {
  constexpr std::string_view start = "{\"event\":";
  const auto end = fragment.find('}');
  if (!fragment.starts_with(start) || end == fragment.npos) return std::nullopt;
  const auto object = parse_json(fragment.substr(start.size(), end + 1 - start.size()));
  if (!object) return std::nullopt;
  const auto e = read_event(*object, "torn line");
  return e ? std::optional(*e) : std::nullopt;
}

} // namespace detail

/// Reads the bytes of a ledger; nothing in them is believed.
///
/// Ensures  every debit whose line is complete is in `state`. Of a line without its newline, which a crash in
///          mid-write leaves: a debit counts if it is complete but for that; else its event counts, as of
///          kind torn, if the event can be read; else nothing does, since a debit returns only after its line
///          is on disk.
/// Errors   N004: no ledger; a line or the chain is broken. N011: another version. N010: entries out of
///          order, or more spent than the terms allow. Each names file and line. Never throws for what `text`
///          holds.
inline result<ledger_log> parse_ledger(std::string_view text, std::string_view place = "ledger") {
  const auto line_at = [&](std::size_t number) { return concat(place, ':', number); };
  const auto first = text.find('\n');
  if (first == text.npos || first > detail::longest_ledger_terms)
    return error::of(fault::format, line_at(1), ": no complete first line in ", text.size(), " bytes");
  const auto terms = detail::read_ledger_terms(text.substr(0, first), line_at(1));
  if (!terms) return terms.error();
  ledger_log log{
      ledger_state(*terms), {sha256(text.substr(0, first - detail::seal_length))}, first + 1, 0, false};

  const auto add = [&](std::string_view line, const std::string& where, bool ended) -> status {
    if (line.size() > detail::longest_ledger_line)
      return error::of(fault::format, where, ": got ", line.size(), " bytes, expected at most ",
                       detail::longest_ledger_line);
    auto entry = detail::read_ledger_entry(line, log.digests.back(), where);
    if (!entry) return entry.error();
    if (!ended && entry->kind == ledger_entry::type::settlement)
      return error::of(fault::format, where, ": a settlement without its line end gives nothing back");
    if (auto counted = log.state.apply(std::move(*entry), where); !counted) return counted;
    log.digests.push_back(sha256(line.substr(0, line.size() - detail::seal_length)));
    return nothing{};
  };
  for (auto end = text.find('\n', log.whole); end != text.npos; end = text.find('\n', log.whole)) {
    if (auto added = add(text.substr(log.whole, end - log.whole), line_at(log.digests.size() + 1), true);
        !added)
      return added.error();
    log.whole = end + 1;
  }

  const auto rest = text.substr(log.whole);
  if (rest.empty()) return log;
  const std::string where = line_at(log.digests.size() + 1);
  if (rest.size() > detail::longest_ledger_line / 2)
    return error::of(fault::format, where, ": got ", rest.size(),
                     " bytes without a line end, expected at most ", detail::longest_ledger_line / 2);
  if (rest.back() == '}' && add(rest, where, false)) {
    log.whole = text.size();
    log.newline_is_missing = true;
    return log;
  }
  ledger_entry e;
  e.kind = ledger_entry::type::torn;
  e.index = log.state.entries().size() + 1;
  e.session = log.state.last_session() + 1;
  e.event = detail::torn_event(rest);
  e.what = concat("a torn line of ", rest.size(), " bytes");
  // It replaces the torn line in one write, whose last byte is its newline: so it must not be shorter.
  if (e.what.size() < rest.size()) e.what.resize(rest.size(), '.');
  if (auto counted = log.state.apply(std::move(e), where); !counted) return counted.error();
  log.torn = rest.size();
  return log;
}

/// The head that `ledger_head::text` wrote.
///
/// Errors  N004: not of the form "count:digest"
inline result<ledger_head> read_head(std::string_view text, std::string_view place = "ledger head") {
  ledger_head head;
  const auto colon = text.find(':');
  const char* const end = text.data() + std::min(colon, text.size());
  const auto [stop, fault_code] = std::from_chars(text.data(), end, head.count);
  if (colon == text.npos || fault_code != std::errc{} || stop != end)
    return error::of(fault::format, place, ": got ", in_quotes(text), ", expected count:digest");
  const auto last = detail::read_digest(text.substr(colon + 1), place);
  if (!last) return last.error();
  head.last = *last;
  return head;
}

} // namespace privet
