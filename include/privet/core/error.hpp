#pragma once
// What went wrong, as a code, a name and a sentence. A caller's mistake is thrown; anything
// that came from a file, a wire or a peer is returned (core/result.hpp).

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

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

/// Text or a number, so that a sentence of any parts is joined by code that is compiled once.
class sentence_part {
 public:
  constexpr sentence_part(std::string_view text) noexcept : value_(text) {}
  constexpr sentence_part(const char* text) noexcept : value_(std::string_view(text)) {}
  template <class P>
    requires(!std::same_as<std::remove_cv_t<P>, char>)
  sentence_part(P*) = delete; // it would say "true"
  sentence_part(const std::string& text) noexcept : value_(std::string_view(text)) {}
  constexpr sentence_part(char c) noexcept : value_(c) {}
  constexpr sentence_part(bool yes) noexcept : value_(std::string_view(yes ? "true" : "false")) {}
  template <class N>
    requires std::integral<N>
  constexpr sentence_part(N number) noexcept
      : value_(
            static_cast<std::conditional_t<std::signed_integral<N>, std::int64_t, std::uint64_t>>(number)) {}
  constexpr sentence_part(float number) noexcept : value_(number) {}
  constexpr sentence_part(double number) noexcept : value_(number) {}

  void append_to(std::string& out) const {
    std::visit(
        [&]<class V>(const V& value) {
          if constexpr (std::same_as<V, std::string_view> || std::same_as<V, char>) {
            out += value;
          } else {
            char digits[64];
            out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
          }
        },
        value_);
  }

 private:
  std::variant<std::string_view, char, std::int64_t, std::uint64_t, float, double> value_;
};

[[gnu::cold]] inline std::string joined(std::initializer_list<sentence_part> parts) {
  std::string out;
  for (const auto& part : parts) part.append_to(out);
  return out;
}

} // namespace detail

/// Joins text and numbers without a stream: `concat("got ", 107, " columns")`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  return detail::joined({detail::sentence_part(parts)...});
}

/// A failure as a value. `message` starts with its code: `[N003 shape] ...`.
struct error {
  fault kind;
  std::string message;

  /// The sentence names the place first and then both sides of the mismatch.
  template <class... Parts>
  static error of(fault kind, const Parts&... parts) {
    return of(kind, {detail::sentence_part(parts)...});
  }
  static error of(fault kind, std::initializer_list<detail::sentence_part> parts) {
    const auto code = static_cast<unsigned>(kind);
    return {kind, concat("[N0", code < 10 ? "0" : "", code, ' ', name_of(kind), "] ", detail::joined(parts))};
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

namespace detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void throw_sentence(
    fault kind, std::initializer_list<sentence_part> parts) {
  throw exception(error::of(kind, parts));
}

} // namespace detail

/// Throws `exception` with the sentence made from `parts`.
template <class... Parts>
[[noreturn, gnu::cold]] void fail(fault kind, const Parts&... parts) {
  detail::throw_sentence(kind, {detail::sentence_part(parts)...});
}

/// Throws unless `holds`; keep it out of inner loops.
template <class... Parts>
void require(bool holds, fault kind, const Parts&... parts) {
  if (!holds) fail(kind, parts...);
}

} // namespace privet
