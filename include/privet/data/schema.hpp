#pragma once
// What the columns and classes of a data set are called. Two parties who learn together must
// mean the same by column 7; they compare a hash, and on a mismatch find the first difference.

#include <privet/core/error.hpp>
#include <privet/core/sha256.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace privet {

/// Names of columns and classes, in order, and how the numbers were scaled.
struct schema {
  std::vector<std::string> features; ///< one name per column
  std::vector<std::string> classes;  ///< label i means classes[i]
  std::string scaling;               ///< empty: as in the file; a standardiser writes its fingerprint here

  bool operator==(const schema&) const = default;

  /// The first 8 bytes (big-endian) of the SHA-256 of every name with its length in front, so that
  /// moving a letter from one name to the next changes it. The same on every target.
  std::uint64_t hash() const {
    std::uint64_t number = 0;
    for (const std::byte b : short_digest()) number = number << 8 | std::to_integer<std::uint64_t>(b);
    return number;
  }

  /// `hash()` as 16 hexadecimal digits.
  std::string hash_text() const { return hex(short_digest()); }

 private:
  std::array<std::byte, 8> short_digest() const {
    std::string text = "privet schema 1\n";
    for (const auto* names : {&features, &classes}) {
      text += concat(names->size(), '\n');
      for (const auto& name : *names) text += concat(name.size(), ':', name, '\n');
    }
    text += concat(scaling.size(), ':', scaling, '\n');
    const digest whole = sha256(text);
    std::array<std::byte, 8> first;
    std::copy_n(whole.begin(), first.size(), first.begin());
    return first;
  }
};

namespace detail {

inline std::optional<std::string> first_difference(std::string_view kind,
                                                   const std::vector<std::string>& mine,
                                                   const std::vector<std::string>& theirs) {
  const auto name = [](const std::vector<std::string>& names, std::size_t i) {
    return i < names.size() ? concat('\'', names[i], '\'') : std::string("nothing");
  };
  for (std::size_t i = 0; i < mine.size() || i < theirs.size(); ++i)
    if (i >= mine.size() || i >= theirs.size() || mine[i] != theirs[i])
      return concat(kind, ' ', i + 1, ": ", name(mine, i), " here, ", name(theirs, i), " there");
  return std::nullopt;
}

} // namespace detail

/// One sentence that names the first column, class or scaling in which two schemas differ and both
/// sides of it (positions count from 1); nothing when they agree.
inline std::optional<std::string> first_difference(const schema& mine, const schema& theirs) {
  if (auto d = detail::first_difference("column", mine.features, theirs.features)) return d;
  if (auto d = detail::first_difference("class", mine.classes, theirs.classes)) return d;
  if (mine.scaling != theirs.scaling)
    return concat("scaling: '", mine.scaling, "' here, '", theirs.scaling, "' there");
  return std::nullopt;
}

} // namespace privet
