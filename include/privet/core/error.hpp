#pragma once
// What went wrong, as a code, a name and a sentence. A caller's mistake is thrown; anything
// that came from a file, a wire or a peer is returned (core/result.hpp).

#include <charconv>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace privet {

/// The kinds of failure; the number is the N-code in the message.
enum class fault : unsigned {
  argument = 1,    ///< a value outside its stated range
  file = 2,        ///< cannot be opened, read or written
  shape = 3,       ///< two shapes that must agree do not
  format = 4,      ///< bytes that are not what they claim to be
  schema = 5,      ///< two parties describe their columns or classes differently
  label = 6,       ///< a class index or name that does not exist
  leak = 7,        ///< rows would show: one group on both sides of an evaluation, a release without a budget
  range = 8,       ///< a number that the fixed-point encoding cannot hold
  message = 9,     ///< a late, repeated, corrupt or foreign message
  state = 10,      ///< a checkpoint that does not belong to this run
  unsupported = 11 ///< well-formed, but not something this build can do
};

constexpr std::string_view name_of(fault kind) noexcept {
  constexpr std::string_view names[] = {"",      "argument", "file",  "shape",   "format", "schema",
                                        "label", "leak",     "range", "message", "state",  "unsupported"};
  return names[static_cast<unsigned>(kind)];
}

namespace detail {

inline void append(std::string& out, std::string_view text) { out += text; }
inline void append(std::string& out, char c) { out += c; }
template <class N>
  requires(std::is_arithmetic_v<N> && !std::same_as<N, char>)
void append(std::string& out, N number) {
  if constexpr (std::same_as<N, bool>) {
    out += number ? "true" : "false";
  } else {
    char digits[64];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }
}

} // namespace detail

/// Joins text and numbers without a stream: `concat("got ", 107, " columns")`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

/// A failure as a value. `message` starts with its code: `[N003 shape] ...`.
struct error {
  fault kind;
  std::string message;

  /// The sentence names the place first and then both sides of the mismatch.
  template <class... Parts>
  static error of(fault kind, const Parts&... parts) {
    const auto code = static_cast<unsigned>(kind);
    return {kind, concat("[N0", code < 10 ? "0" : "", code, ' ', name_of(kind), "] ", parts...)};
  }
};

/// A caller's mistake, or a `result` that was asked for its value and held an error.
class exception : public std::runtime_error {
 public:
  explicit exception(const error& e) : std::runtime_error(e.message), kind_(e.kind) {}
  fault kind() const noexcept { return kind_; }

 private:
  fault kind_;
};

/// Throws `exception` with the sentence made from `parts`.
template <class... Parts>
[[noreturn]] void fail(fault kind, const Parts&... parts) {
  throw exception(error::of(kind, parts...));
}

/// Throws unless `holds`; keep it out of inner loops.
template <class... Parts>
void require(bool holds, fault kind, const Parts&... parts) {
  if (!holds) fail(kind, parts...);
}

} // namespace privet
