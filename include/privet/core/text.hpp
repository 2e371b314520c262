#pragma once
// Text from outside, made fit to be shown: broken bytes and what steers a terminal or a page do not pass.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace privet {

namespace detail {

inline constexpr char32_t broken_symbol = 0xfffd;

/// Takes the first symbol off `text`. White space becomes a space; bytes that are not UTF-8 (RFC 3629) and
/// symbols that move the cursor or the reading direction become U+FFFD. Precondition: not empty.
inline char32_t take_symbol(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  text.remove_prefix(1);
  if (lead >= '\t' && lead <= '\r') return ' ';
  if (lead < 0x80) return lead < 0x20 || lead == 0x7f ? broken_symbol : lead;
  const unsigned tail = lead >= 0xc2 && lead < 0xe0   ? 1
                        : lead >= 0xe0 && lead < 0xf0 ? 2
                        : lead >= 0xf0 && lead < 0xf5 ? 3
                                                      : 0;
  if (tail == 0 || text.size() < tail) return broken_symbol;
  char32_t symbol = lead & (0x3fu >> tail);
  for (unsigned i = 0; i < tail; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return broken_symbol;
    symbol = symbol << 6 | (byte & 0x3f);
  }
  constexpr std::array<char32_t, 4> smallest{0, 0x80, 0x800, 0x10000};
  if (symbol < smallest[tail] || symbol > 0x10ffff || (symbol >= 0xd800 && symbol < 0xe000))
    return broken_symbol;
  text.remove_prefix(tail);
  const bool steers = symbol < 0xa0 || (symbol >= 0x200e && symbol <= 0x200f) ||
                      (symbol >= 0x2028 && symbol <= 0x202e) || (symbol >= 0x2066 && symbol <= 0x2069);
  return steers ? broken_symbol : symbol;
}

inline void append_symbol(std::string& out, char32_t symbol) {
  if (symbol < 0x80) {
    out += static_cast<char>(symbol);
    return;
  }
  const unsigned tail = symbol < 0x800 ? 1 : symbol < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xff00u >> (tail + 1) & 0xff) | symbol >> 6 * tail);
  for (unsigned i = tail; i-- > 0;) out += static_cast<char>(0x80 | (symbol >> 6 * i & 0x3f));
}

} // namespace detail

/// Text from outside for element content and quoted attributes of HTML and SVG.
inline std::string escaped(std::string_view text) {
  constexpr std::string_view special = "&<>\"'";
  constexpr std::array<std::string_view, 5> entities{"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  std::string out;
  while (!text.empty()) {
    const char32_t symbol = detail::take_symbol(text);
    const auto at = symbol < 0x80 ? special.find(static_cast<char>(symbol)) : special.npos;
    if (at == special.npos)
      detail::append_symbol(out, symbol);
    else
      out += entities[at];
  }
  return out;
}

} // namespace privet
