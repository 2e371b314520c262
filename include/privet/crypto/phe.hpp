#pragma once
// python-paillier's forms (phe 1.5): its encoding of numbers, its JSON keys and its JSON ciphertexts.

#include <privet/core/bytes.hpp>
#include <privet/core/json.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/bigint.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace privet::phe {

/// A number as phe's EncodedNumber holds it: mantissa * 16^exponent, negative mantissas as n - |mantissa|.
struct encoded_number {
  secret_words mantissa; ///< modulo n, as many words as n
  int exponent = 0;
};

/// Exponents outside are refused where they are read: 16^65536 is far beyond any modulus.
inline constexpr int most_exponent = 65'536;
inline constexpr std::size_t most_key_bits = 16'384;

namespace detail {

using words_view = std::span<const std::uint64_t>;

inline std::size_t bits_of(words_view a) {
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != 0) return 64 * i + static_cast<std::size_t>(std::bit_width(a[i]));
  return 0;
}
inline bool bit_at(words_view a, std::size_t i) {
  return i / 64 < a.size() && (a[i / 64] >> i % 64 & 1) != 0;
}

/// Whether a < b; both have as many words.
inline bool below(words_view a, words_view b) {
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}
/// a - b for a >= b, both of as many words.
inline secret_words minus(words_view a, words_view b) {
  secret_words out(a.size());
  bool borrow = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    out[i] = a[i] - b[i] - borrow;
    borrow = borrow ? a[i] <= b[i] : a[i] < b[i];
  }
  return out;
}
/// a * 2^count, cut to `size` words.
inline secret_words shifted_left(words_view a, std::size_t count, std::size_t size) {
  secret_words out(size);
  for (std::size_t i = count / 64; i < size; ++i) {
    const std::size_t from = i - count / 64;
    if (from < a.size()) out[i] = a[from] << count % 64;
    if (count % 64 != 0 && from > 0 && from - 1 < a.size()) out[i] |= a[from - 1] >> (64 - count % 64);
  }
  return out;
}
/// a / 2^count to the nearest integer, halves to even. Requires a result below 2^64 - 1.
inline std::uint64_t shifted_right(words_view a, std::size_t count) {
  std::uint64_t out = 0;
  const std::size_t bits = bits_of(a);
  for (std::size_t i = bits; i-- > count;) out = out << 1 | bit_at(a, i);
  if (count == 0 || count > bits || !bit_at(a, count - 1)) return out;
  bool more = false;
  for (std::size_t i = 0; i + 1 < count && !more; ++i) more = bit_at(a, i);
  return out + (more || (out & 1) != 0);
}

} // namespace detail

/// Encodes and decodes for one public modulus n. A mantissa of at most n / 3 - 1 is positive, from there
/// below n negative, and the third between is where sums that grew too large are caught.
///
/// Timing  depends on the numbers: it runs where they lie in the clear
/// Source  phe 1.5, encoding.py (base 16), paillier.py (max_int)
/// Test    tests/crypto/phe.test.cpp, with values of phe itself
class encoding {
 public:
  /// Errors  N001: n below 2^8
  explicit encoding(std::span<const std::uint64_t> n) : n_(n.begin(), n.end()) {
    while (!n_.empty() && n_.back() == 0) n_.pop_back();
    require(detail::bits_of(n_) > 8, fault::argument, "phe::encoding: got a modulus of ", detail::bits_of(n_),
            " bits, expected at least 9");
    const bigint whole = from_words(n_);
    const bigint most = whole / 3 - 1;
    most_ = to_words(most, n_.size());
    least_negative_ = to_words(bigint(whole - most), n_.size());
  }

  std::size_t words() const noexcept { return n_.size(); }

  /// The double as it is, or to within `precision`; the exponent at most `max_exponent`.
  ///
  /// Errors  N008: NaN, infinity, a mantissa beyond max_int. N001: a precision that is not positive
  result<encoded_number> encode(double x, std::optional<double> precision = {},
                                std::optional<int> max_exponent = {}) const {
    if (!std::isfinite(x)) return error::of(fault::range, "phe: ", x, " cannot be encoded");
    int exponent = 0; // of two, of the lowest bit of 53
    const double scaled = std::frexp(x, &exponent) * 0x1p53;
    exponent -= 53;
    const auto mantissa = static_cast<std::uint64_t>(std::abs(scaled));

    int sixteens = floor_quarter(exponent);
    if (precision) {
      if (!(*precision > 0) || !std::isfinite(*precision))
        return error::of(fault::argument, "phe: got the precision ", *precision, ", expected a positive one");
      sixteens = static_cast<int>(std::floor(std::log(*precision) / std::log(16.0)));
    }
    if (max_exponent) sixteens = std::min(sixteens, *max_exponent);
    return encoded(std::span(&mantissa, 1), exponent - 4 * std::int64_t{sixteens}, x < 0, sixteens);
  }

  /// A whole number, as it is; the exponent at most `max_exponent`, or 0.
  ///
  /// Errors  N008: a mantissa beyond max_int
  result<encoded_number> encode_integer(const bigint& x, int max_exponent = 0) const {
    const bigint size = x < 0 ? bigint(-x) : x;
    const int sixteens = std::min(max_exponent, 0);
    return encoded(to_words(size, bit_length(size) / 64 + 1), -4 * std::int64_t{sixteens}, x < 0, sixteens);
  }

  /// The nearest double to what the number means, halves to even.
  ///
  /// Errors  N008: a mantissa between the positive and the negative third ("overflow"), one that is not
  ///         below n, a value no double can hold
  result<double> decode(std::span<const std::uint64_t> mantissa, int exponent) const {
    const auto parts = sign_and_size(mantissa, exponent);
    if (!parts) return parts.error();
    const auto& [negative, size] = *parts;
    const std::int64_t scale = 4 * std::int64_t{exponent};
    const auto bits = static_cast<std::int64_t>(detail::bits_of(size));
    if (bits == 0) return 0.0;
    if (bits + scale > 1024) return error::of(fault::range, "phe: decodes to more than a double can hold");
    const std::int64_t lowest = std::max<std::int64_t>(bits + scale - 53, -1074);
    if (lowest - scale > bits + 1) return negative ? -0.0 : 0.0; // far below the least double
    const auto dropped = std::max<std::int64_t>(lowest - scale, 0);
    const double found =
        std::ldexp(static_cast<double>(detail::shifted_right(size, static_cast<std::size_t>(dropped))),
                   static_cast<int>(scale + dropped));
    if (std::isinf(found)) return error::of(fault::range, "phe: decodes to more than a double can hold");
    return negative ? -found : found;
  }

  /// What the number means if it is a whole one, of any size; nothing if it has a fraction.
  ///
  /// Errors  as `decode`
  result<std::optional<bigint>> decode_integer(std::span<const std::uint64_t> mantissa, int exponent) const {
    const auto parts = sign_and_size(mantissa, exponent);
    if (!parts) return parts.error();
    const auto& [negative, size] = *parts;
    bigint whole = from_words(size);
    if (exponent >= 0) {
      if (exponent > 4096) return error::of(fault::range, "phe: 16^", exponent, " is too large to write out");
      whole <<= 4 * exponent;
    } else if (whole != 0) {
      const auto places = 4 * static_cast<std::size_t>(-exponent);
      if (lsb(whole) < places) return std::optional<bigint>();
      whole >>= places;
    }
    return std::optional<bigint>(negative ? bigint(-whole) : whole);
  }

  /// The same number with a lower exponent, so that it can be added to one that has it.
  ///
  /// Errors  N001: a higher one, which would need rounding. N008: the mantissa would pass max_int, or the
  ///         exponent is below -65536
  result<encoded_number> with_exponent(const encoded_number& x, int lower) const {
    if (lower > x.exponent)
      return error::of(fault::argument, "phe: got the exponent ", lower, ", expected at most ", x.exponent);
    const auto parts = sign_and_size(x.mantissa, x.exponent);
    if (!parts) return parts.error();
    return encoded(parts->second, 4 * (std::int64_t{x.exponent} - lower), parts->first, lower);
  }

  /// 16^(from - to), by which a ciphertext is multiplied to take its exponent from one to the other.
  ///
  /// Errors  N001: to > from. N008: a factor beyond max_int, after which only zero would still be right
  result<std::vector<std::uint64_t>> factor_between(int from, int to) const {
    if (to > from) return error::of(fault::argument, "phe: exponents only go down, got ", from, " to ", to);
    const std::uint64_t one = 1;
    const auto factor = encoded(std::span(&one, 1), 4 * (std::int64_t{from} - to), false, 0);
    if (!factor) return factor.error();
    return std::vector<std::uint64_t>(factor->mantissa.begin(), factor->mantissa.end());
  }

 private:
  static int floor_quarter(int x) { return x >= 0 ? x / 4 : -((3 - x) / 4); }

  static error beyond(int exponent) {
    return error::of(fault::range, "phe: got the exponent ", exponent, ", expected at most ", most_exponent,
                     " in size");
  }

  /// size * 2^shift, rounded, with its sign, modulo n.
  result<encoded_number> encoded(detail::words_view size, std::int64_t shift, bool negative,
                                 int exponent) const {
    const auto too_large = [&] {
      return error::of(fault::range, "phe: a mantissa beyond max_int of a modulus of ", detail::bits_of(n_),
                       " bits");
    };
    if (exponent < -most_exponent || exponent > most_exponent) return beyond(exponent);
    encoded_number out{secret_words(n_.size()), exponent};
    const auto bits = static_cast<std::int64_t>(detail::bits_of(size));
    if (shift >= 0) {
      if (bits != 0 && bits + shift > static_cast<std::int64_t>(64 * n_.size())) return too_large();
      if (bits != 0) out.mantissa = detail::shifted_left(size, static_cast<std::size_t>(shift), n_.size());
    } else {
      out.mantissa[0] = detail::shifted_right(size, static_cast<std::size_t>(-shift));
    }
    if (detail::below(most_, out.mantissa)) return too_large();
    if (negative && detail::bits_of(out.mantissa) != 0) out.mantissa = detail::minus(n_, out.mantissa);
    return out;
  }

  result<std::pair<bool, secret_words>> sign_and_size(detail::words_view mantissa, int exponent) const {
    if (exponent < -most_exponent || exponent > most_exponent) return beyond(exponent);
    secret_words m(mantissa.begin(), mantissa.end());
    if (detail::bits_of(m) > 64 * n_.size()) return error::of(fault::range, "phe: a mantissa not below n");
    m.resize(n_.size());
    if (!detail::below(m, n_)) return error::of(fault::range, "phe: a mantissa not below n");
    if (!detail::below(most_, m)) return std::pair(false, std::move(m));
    if (detail::below(m, least_negative_))
      return error::of(fault::range, "phe: overflow: a mantissa between n / 3 and 2 n / 3");
    return std::pair(true, detail::minus(n_, m));
  }

  std::vector<std::uint64_t> n_, most_, least_negative_;
};

// ---- JSON -------------------------------------------------------------------------------------------

/// A public key as phe writes it.
struct public_key {
  std::vector<std::uint64_t> n;
  std::string comment{}; ///< "kid"
};

/// A private key as phe writes it: the two primes, and the public key inside. Can be moved, not copied.
struct private_key {
  secret_words p, q;
  public_key pub;
  std::string comment{};

  private_key(secret_words p_, secret_words q_, public_key pub_, std::string comment_ = {})
      : p(std::move(p_)), q(std::move(q_)), pub(std::move(pub_)), comment(std::move(comment_)) {}
  private_key(private_key&&) = default;
  private_key& operator=(private_key&&) = default;
};

/// A ciphertext as phe's command line writes it.
struct ciphertext {
  bigint value;
  int exponent = 0;
};

namespace detail {

inline constexpr std::string_view base64url_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A non-negative number as phe writes it: big-endian bytes in base64url (RFC 4648, section 5), no padding.
inline std::string base64url_of(words_view number) {
  const std::size_t bytes = std::max<std::size_t>((bits_of(number) + 7) / 8, 1);
  std::string text;
  text.reserve((bytes * 4 + 2) / 3);
  std::uint32_t held = 0;
  int bits = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    held = held << 8 | static_cast<std::uint32_t>(number[i / 8] >> 8 * (i % 8) & 0xff);
    for (bits += 8; bits >= 6; bits -= 6) text += base64url_digits[held >> (bits - 6) & 63];
  }
  if (bits > 0) text += base64url_digits[held << (6 - bits) & 63];
  return text;
}

template <class Words>
result<Words> number_of_base64url(std::string_view text, std::string_view place) {
  const auto wrong = [&](const auto&... what) { return error::of(fault::format, place, ": ", what...); };
  if (text.empty() || text.size() > (most_key_bits / 8 * 4 + 2) / 3)
    return wrong("got ", text.size(), " characters, expected 1 to ", (most_key_bits / 8 * 4 + 2) / 3);
  if (text.size() % 4 == 1) return wrong("base64url text cannot be ", text.size(), " characters long");
  const std::size_t bytes = text.size() * 3 / 4;
  Words words((bytes + 7) / 8);
  std::uint32_t held = 0;
  int bits = 0;
  std::size_t left = bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = base64url_digits.find(text[i]);
    if (digit == base64url_digits.npos) return wrong("character ", i, " is not of base64url");
    held = held << 6 | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    --left;
    words[left / 8] |= std::uint64_t{held >> bits & 0xff} << 8 * (left % 8);
  }
  if ((held & ((1u << bits) - 1)) != 0) return wrong("bits left over after the last byte");
  while (words.size() > 1 && words.back() == 0) words.pop_back();
  return words;
}

inline status expect_word(const json& object, std::string_view member, std::string_view expected,
                          std::string_view place) {
  const auto found = read_member<std::string>(object, member, place);
  if (!found) return found.error();
  if (*found != expected)
    return error::of(fault::format, place, ": ", member, ": got ", in_quotes(*found), ", expected ",
                     in_quotes(expected));
  return nothing{};
}

inline status expect_operation(const json& object, std::string_view operation, std::string_view place) {
  const auto found = read_member<std::vector<std::string>>(object, "key_ops", place);
  if (!found) return found.error();
  if (std::ranges::find(*found, operation) == found->end())
    return error::of(fault::format, place, ": key_ops lacks ", in_quotes(operation));
  return nothing{};
}

inline std::string comment_of(const json& object) {
  const auto found = object.find("kid");
  if (found == object.end() || !found->is_string()) return {};
  const auto& text = found->get_ref<const std::string&>();
  std::size_t length = std::min<std::size_t>(text.size(), 200);
  while (length > 0 && length < text.size() && (text[length] & 0xc0) == 0x80) --length; // not within a letter
  return printable(std::string_view(text).substr(0, length), length);
}

inline result<public_key> public_key_of(const json& object, std::string_view place) {
  if (const auto good = expect_word(object, "kty", "DAJ", place); !good) return good.error();
  if (const auto good = expect_word(object, "alg", "PAI-GN1", place); !good) return good.error();
  const auto text = read_member<std::string>(object, "n", place);
  if (!text) return text.error();
  auto n = number_of_base64url<std::vector<std::uint64_t>>(*text, concat(place, ": n"));
  if (!n) return n.error();
  return public_key{std::move(*n), comment_of(object)};
}

/// A prime out of the document, whose own copy is wiped.
inline result<secret_words> take_secret(json& object, std::string_view member, std::string_view place) {
  const auto found = object.find(member);
  if (found == object.end() || !found->is_string())
    return error::of(fault::format, place, ": no text ", in_quotes(member));
  auto& text = found->get_ref<std::string&>();
  auto number = number_of_base64url<secret_words>(text, concat(place, ": ", member));
  wipe(std::span(text));
  return number;
}

inline ordered_json document_of(const public_key& key) {
  return {{"kty", "DAJ"},
          {"alg", "PAI-GN1"},
          {"key_ops", {"encrypt"}},
          {"n", base64url_of(key.n)},
          {"kid", key.comment.empty() ? "Paillier public key generated by privet" : key.comment}};
}

inline constexpr std::size_t longest_key_text = 65'536;

inline result<json> parse_bounded(std::string_view text, std::string_view place, std::size_t longest) {
  if (text.size() > longest)
    return error::of(fault::format, place, ": got ", text.size(), " bytes, expected at most ", longest);
  return parse_json(text, place, 8);
}

} // namespace detail

/// The JWK of a public key: kty DAJ, alg PAI-GN1, n in base64url.
inline std::string write_public_key(const public_key& key) {
  return json_text(detail::document_of(key)) + '\n';
}

/// Untrusted text as a public key. The private form is refused, so nobody hands it on by mistake. Whether n
/// is fit for a key is for whoever makes a key of it.
///
/// Errors  N004: not JSON, other members than phe's, more than 16384 bits
inline result<public_key> read_public_key(std::string_view text, std::string_view place = "public key") {
  const auto document = detail::parse_bounded(text, place, detail::longest_key_text);
  if (!document) return document.error();
  if (document->is_object() && (document->contains("p") || document->contains("q")))
    return error::of(fault::format, place, ": is a private key, expected a public one");
  return detail::public_key_of(*document, place);
}

/// The JWK of a private key. It holds the primes in the clear: write it with `write_secret_file`, and wipe
/// it (`wipe(std::span(text))`).
inline std::string write_private_key(const private_key& key) {
  // Put together by hand: a JSON library's own copies would stay in memory.
  std::string p = detail::base64url_of(key.p), q = detail::base64url_of(key.q);
  const std::string front = R"({"kty":"DAJ","key_ops":["decrypt"],"p":")",
                    back =
                        concat(R"(","pub":)", json_text(detail::document_of(key.pub)), R"(,"kid":)",
                               json_text(json(key.comment.empty() ? "Paillier private key generated by privet"
                                                                  : key.comment)),
                               "}\n");
  std::string text;
  text.reserve(front.size() + p.size() + q.size() + back.size() + 16);
  text.append(front).append(p).append(R"(","q":")").append(q).append(back);
  wipe(std::span(p));
  wipe(std::span(q));
  return text;
}

/// Untrusted text as a private key. That p and q are primes whose product is n is for whoever makes a key
/// of them.
///
/// Errors   N004: not JSON, other members than phe's, numbers of more than 16384 bits
/// Privacy  what the JSON parser keeps while it reads is not wiped, and reading takes a time that depends on
///          the text: for keys that must be kept, import once and seal
inline result<private_key> read_private_key(std::string_view text, std::string_view place = "private key") {
  auto document = detail::parse_bounded(text, place, detail::longest_key_text);
  if (!document) return document.error();
  if (const auto good = detail::expect_word(*document, "kty", "DAJ", place); !good) return good.error();
  if (const auto good = detail::expect_operation(*document, "decrypt", place); !good) return good.error();
  auto p = detail::take_secret(*document, "p", place), q = detail::take_secret(*document, "q", place);
  if (!p) return p.error();
  if (!q) return q.error();
  const auto pub = document->find("pub");
  if (pub == document->end()) return error::of(fault::format, place, ": no member 'pub'");
  auto inside = detail::public_key_of(*pub, concat(place, ": pub"));
  if (!inside) return inside.error();
  return private_key(std::move(*p), std::move(*q), std::move(*inside), detail::comment_of(*document));
}

namespace detail {

inline std::string text_of(const ciphertext& c) {
  return concat(R"({"v": ")", to_decimal(c.value), R"(", "e": )", c.exponent, '}');
}

inline std::size_t digits_of(std::size_t bits) { return bits * 30103 / 100000 + 1; }

inline result<ciphertext> ciphertext_of(const json& object, std::size_t bits, std::string_view place) {
  const auto v = read_member<std::string>(object, "v", place);
  if (!v) return v.error();
  const auto e = read_member<int>(object, "e", place);
  if (!e) return e.error();
  if (*e < -most_exponent || *e > most_exponent)
    return error::of(fault::format, place, ": e: got ", *e, ", expected at most ", most_exponent, " in size");
  auto value = parse_decimal(*v, digits_of(bits));
  if (!value) return error{fault::format, concat(value.error().message, " (", place, ": v)")};
  if (bit_length(*value) > bits)
    return error::of(fault::format, place, ": v: got ", bit_length(*value), " bits, expected at most ", bits);
  return ciphertext{std::move(*value), *e};
}

} // namespace detail

/// {"v": "<decimal>", "e": exponent}, as phe's command line writes it.
inline std::string write_ciphertext(const ciphertext& c) { return detail::text_of(c) + '\n'; }

/// One ciphertext as phe's command line has it; several as an array of such objects.
inline std::string write_ciphertexts(std::span<const ciphertext> many) {
  if (many.size() == 1) return write_ciphertext(many[0]);
  std::string text = "[";
  for (const auto& c : many) text += (text.size() > 1 ? ",\n " : "") + detail::text_of(c);
  return text + "]\n";
}

/// Untrusted text as a ciphertext of at most `bits` bits, twice those of the key. Whether it is one of this
/// key is for whoever opens it.
///
/// Errors  N004: not JSON, no "v" of digits, no "e", a number too long, an exponent beyond 65536
inline result<ciphertext> read_ciphertext(std::string_view text, std::size_t bits = 2 * most_key_bits,
                                          std::string_view place = "ciphertext") {
  const auto document = detail::parse_bounded(text, place, detail::digits_of(bits) + 256);
  if (!document) return document.error();
  return detail::ciphertext_of(*document, bits, place);
}

/// Untrusted text as one ciphertext or an array of them.
///
/// Errors  as `read_ciphertext`; more than `longest` bytes
inline result<std::vector<ciphertext>> read_ciphertexts(std::string_view text, std::size_t bits,
                                                        std::string_view place = "ciphertexts",
                                                        std::size_t longest = std::size_t{1} << 28) {
  const auto document = detail::parse_bounded(text, place, longest);
  if (!document) return document.error();
  std::vector<ciphertext> many;
  const auto take = [&](const json& object, std::string_view where) -> status {
    auto c = detail::ciphertext_of(object, bits, where);
    if (!c) return c.error();
    many.push_back(std::move(*c));
    return nothing{};
  };
  if (!document->is_array()) {
    if (const auto one = take(*document, place); !one) return one.error();
    return many;
  }
  for (const json& object : *document)
    if (const auto one = take(object, concat(place, '[', many.size(), ']')); !one) return one.error();
  return many;
}

} // namespace privet::phe
