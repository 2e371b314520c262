#pragma once
// One array on disk as numpy writes it: numpy.org/doc/stable/reference/generated/numpy.lib.format.

#include <privet/core/bytes.hpp>
#include <privet/core/dtype.hpp>
#include <privet/core/file.hpp>

#include <cmath>
#include <limits>
#include <optional>

namespace privet {

/// An array of numbers that owns its bytes: little-endian, row-major, whatever its file was.
struct npy_array {
  dtype type = dtype::f32;
  std::vector<std::size_t> shape; ///< empty for a scalar
  std::vector<std::byte> data;

  template <Stored T>
  static npy_array of(std::vector<std::size_t> shape, std::span<const T> values) {
    npy_array array{dtype_of<T>(), std::move(shape), std::vector<std::byte>(values.size_bytes())};
    for (std::size_t i = 0; i < values.size(); ++i)
      store_little(values[i], array.data.data() + i * sizeof(T));
    return array;
  }

  std::size_t size() const noexcept { return data.size() / size_of(type); }

  /// The elements as another type: floating-point numbers are rounded to nearest, integers must
  /// arrive unchanged.
  ///
  /// Errors  N008: an element that the integer type `T` cannot hold, with its index; N011: a half-
  ///         precision type
  template <Stored T>
  result<std::vector<T>> as() const;

  bool operator==(const npy_array&) const = default;
};

namespace detail {

inline constexpr std::size_t longest_npy_header = 10'000; // numpy's own limit
inline constexpr std::size_t highest_npy_rank = 8;

/// Calls `visit` with a zero of the C++ type that stores `type`, one of `npy_kinds`; booleans are bytes.
template <class Visit>
auto with_stored(dtype type, Visit&& visit) {
  switch (type) {
    case dtype::i8:
      return visit(std::int8_t{});
    case dtype::i16:
      return visit(std::int16_t{});
    case dtype::u16:
      return visit(std::uint16_t{});
    case dtype::i32:
      return visit(std::int32_t{});
    case dtype::u32:
      return visit(std::uint32_t{});
    case dtype::i64:
      return visit(std::int64_t{});
    case dtype::u64:
      return visit(std::uint64_t{});
    case dtype::f32:
      return visit(float{});
    case dtype::f64:
      return visit(double{});
    default:
      return visit(std::uint8_t{});
  }
}

/// Whether the integer type `To` holds `value` exactly. NaN fits nowhere.
template <class To, class From>
bool fits_exactly(From value) noexcept {
  if constexpr (std::floating_point<From>) {
    // Both bounds are powers of two (or zero), so they are exact in any floating-point type.
    const From above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    return value >= (std::is_signed_v<To> ? -above : From{0}) && value < above && std::trunc(value) == value;
  } else {
    return std::in_range<To>(value);
  }
}

/// `<f4` and its like, as numpy spells element types.
struct npy_descr {
  dtype type;
  bool big_endian;
};
inline constexpr std::pair<std::string_view, dtype> npy_kinds[] = {
    {"b1", dtype::boolean}, {"u1", dtype::u8},  {"i1", dtype::i8},  {"i2", dtype::i16},
    {"u2", dtype::u16},     {"i4", dtype::i32}, {"u4", dtype::u32}, {"f4", dtype::f32},
    {"f8", dtype::f64},     {"i8", dtype::i64}, {"u8", dtype::u64}};

/// Null for half-precision types.
constexpr const std::pair<std::string_view, dtype>* npy_kind_of(dtype type) noexcept {
  for (const auto& kind : npy_kinds)
    if (kind.second == type) return &kind;
  return nullptr;
}

inline std::optional<npy_descr> parse_descr(std::string_view text) noexcept {
  if (text.size() != 3 || std::string_view("<>|=").find(text[0]) == text.npos) return std::nullopt;
  for (const auto& [kind, type] : npy_kinds)
    if (text.substr(1) == kind && (text[0] != '|' || size_of(type) == 1))
      return npy_descr{type, text[0] == '>'};
  return std::nullopt;
}

/// Reads the Python dictionary that describes the array:
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
class npy_header {
 public:
  npy_header(std::string_view text, std::string_view place) : text_(text), place_(place) {}

  std::optional<std::string_view> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::size_t>> shape;

  status parse() {
    if (!eat('{')) return expected("'{'");
    while (!eat('}')) {
      const auto key = string();
      if (!key) return expected("a key in quotes");
      if (!eat(':')) return expected("':'");
      if (const status read = value(*key); !read) return read;
      if (!eat(',') && peek() != '}') return expected("',' or '}'");
    }
    if (peek() != '\0' || at_ != text_.size()) return expected("the end of the header");
    if (!descr || !fortran_order || !shape)
      return error::of(fault::format, place_, ": header without 'descr', 'fortran_order' or 'shape'");
    return nothing{};
  }

 private:
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool eat(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool eat(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  error expected(std::string_view what) const {
    return error::of(fault::format, place_, ": header byte ", at_, ": expected ", what);
  }

  std::optional<std::string_view> string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    const auto end = text_.find(quote, at_ + 1);
    if (end == text_.npos) return std::nullopt;
    const auto inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }

  status value(std::string_view key) {
    if (key == "descr" && !descr) {
      descr = string();
      if (!descr) return error::of(fault::unsupported, place_, ": records of several fields are not read");
    } else if (key == "fortran_order" && !fortran_order) {
      if (eat("True"))
        fortran_order = true;
      else if (eat("False"))
        fortran_order = false;
      else
        return expected("True or False");
    } else if (key == "shape" && !shape) {
      return extents(shape.emplace());
    } else {
      return error::of(fault::format, place_, ": header key ", in_quotes(key),
                       " is unknown or appears twice");
    }
    return nothing{};
  }

  status extents(std::vector<std::size_t>& out) {
    if (!eat('(')) return expected("'('");
    while (!eat(')')) {
      std::size_t extent = 0;
      peek();
      const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), extent);
      if (failed != std::errc{}) return expected("an extent that fits in memory");
      at_ = static_cast<std::size_t>(end - text_.data());
      out.push_back(extent);
      if (!eat(',') && peek() != ')') return expected("',' or ')'");
    }
    return nothing{};
  }

  std::string_view text_, place_;
  std::size_t at_ = 0;
};

/// Reorders column-major elements to row-major ones.
inline std::vector<std::byte> row_major(std::span<const std::byte> data, std::span<const std::size_t> shape,
                                        std::size_t width) {
  std::vector<std::size_t> stride(shape.size(), width), index(shape.size());
  for (std::size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
  std::vector<std::byte> out(data.size());
  std::size_t from = 0;
  for (std::size_t to = 0; to < out.size(); to += width) {
    std::memcpy(out.data() + to, data.data() + from, width);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += stride[d];
      if (++index[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

} // namespace detail

template <Stored T>
result<std::vector<T>> npy_array::as() const {
  if (!detail::npy_kind_of(type)) return error::of(fault::unsupported, name_of(type), " has no C++ type");
  return detail::with_stored(type, [&](auto zero) -> result<std::vector<T>> {
    using From = decltype(zero);
    std::vector<T> out(size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const From value = load_little<From>(data.data() + i * sizeof(From));
      if constexpr (std::integral<T>)
        if (!detail::fits_exactly<T>(value))
          return error::of(fault::range, "element ", i, ": ", value, " is not a ", name_of(dtype_of<T>()));
      out[i] = static_cast<T>(value);
    }
    return out;
  });
}

/// Reads one .npy file, format 1.0, 2.0 or 3.0; big-endian and Fortran-ordered ones are converted.
///
/// Requires  nothing: every byte is untrusted
/// Errors    N004 naming `place`: wrong magic, cut short, bytes left over, a header that is not
///           what numpy writes, a shape larger than the data. N011: pickled objects, records,
///           text, complex or half-precision numbers, more than 8 dimensions
/// Cost      memory linear in `bytes`; no allocation follows a number claimed in them
inline result<npy_array> read_npy(std::span<const std::byte> bytes, std::string_view place = "npy") {
  byte_reader reader(bytes, place);
  const auto magic = reader.take_bytes(6);
  if (!magic) return magic.error();
  if (text_of(*magic) != "\x93NUMPY")
    return error::of(fault::format, place, ": does not start with \\x93NUMPY");
  const auto version = reader.take<std::uint16_t>();
  if (!version) return version.error();
  const unsigned major = *version & 0xff, minor = *version >> 8;
  if (major < 1 || major > 3 || minor != 0)
    return error::of(fault::unsupported, place, ": npy format ", major, '.', minor,
                     ", known are 1.0, 2.0 and 3.0");

  std::size_t length = 0;
  if (major == 1) {
    const auto claimed = reader.take<std::uint16_t>();
    if (!claimed) return claimed.error();
    length = *claimed;
  } else {
    const auto claimed = reader.take<std::uint32_t>();
    if (!claimed) return claimed.error();
    length = *claimed;
  }
  if (length > detail::longest_npy_header)
    return error::of(fault::format, place, ": header of ", length, " bytes, at most ",
                     detail::longest_npy_header, " are read");
  const auto text = reader.take_bytes(length);
  if (!text) return text.error();
  detail::npy_header header(text_of(*text), place);
  if (const status parsed = header.parse(); !parsed) return parsed.error();

  const auto descr = detail::parse_descr(*header.descr);
  if (!descr)
    return error::of(fault::unsupported, place, ": dtype ", in_quotes(*header.descr),
                     " is not read, only booleans, integers, f4 and f8");
  auto& shape = *header.shape;
  if (shape.size() > detail::highest_npy_rank)
    return error::of(fault::unsupported, place, ": ", shape.size(), " dimensions, at most ",
                     detail::highest_npy_rank);
  const auto expected = byte_count(descr->type, shape);
  if (!expected || *expected != reader.left())
    return error::of(fault::format, place, ": ", reader.left(), " bytes of data, but ", *header.descr,
                     shape_text(shape), " needs ",
                     expected ? concat(*expected) : "more than memory can hold");

  const std::size_t width = size_of(descr->type);
  const auto raw = bytes.subspan(reader.offset());
  npy_array array{descr->type, std::move(shape), {}};
  if (*header.fortran_order)
    array.data = detail::row_major(raw, array.shape, width);
  else
    array.data.assign(raw.begin(), raw.end());
  if (descr->big_endian)
    for (auto at = array.data.begin(); at != array.data.end(); at += static_cast<std::ptrdiff_t>(width))
      std::reverse(at, at + static_cast<std::ptrdiff_t>(width));
  return array;
}

inline result<npy_array> load_npy(const std::filesystem::path& path, std::size_t limit = file_limit) {
  const auto bytes = read_file(path, limit);
  if (!bytes) return bytes.error();
  return read_npy(*bytes, path.string());
}

/// The bytes of a .npy file, format 1.0, the same as numpy's.
///
/// Throws  N003: data that is not as long as its shape and type ask for; N011: more than 8
///         dimensions or a type numpy has no name for
inline std::vector<std::byte> write_npy(const npy_array& array) {
  const auto* kind = detail::npy_kind_of(array.type);
  require(kind && array.shape.size() <= detail::highest_npy_rank, fault::unsupported, "npy: cannot hold ",
          name_of(array.type), shape_text(array.shape));
  const auto expected = byte_count(array.type, array.shape);
  require(expected == array.data.size(), fault::shape, "npy: ", array.data.size(), " bytes, but ",
          name_of(array.type), shape_text(array.shape), " has ", expected.value_or(0));

  // Python writes a tuple of one as (3,). numpy leaves room for the first extent to grow to 21
  // digits, then pads until the data starts at a multiple of 64.
  const bool one = array.shape.size() == 1;
  std::string shape = shape_text(array.shape);
  if (one) shape.insert(shape.size() - 1, ",");
  std::string header = concat("{'descr': '", size_of(array.type) == 1 ? '|' : '<', kind->first,
                              "', 'fortran_order': False, 'shape': ", shape, ", }");
  if (!array.shape.empty()) header.append(21 - concat(array.shape[0]).size(), ' ');
  header.append(64 - (10 + header.size() + 1) % 64, ' ');
  header += '\n';

  byte_writer out;
  out.reserve(10 + header.size() + array.data.size());
  out.put("\x93NUMPY").put<std::uint16_t>(1).put(static_cast<std::uint16_t>(header.size())).put(header);
  out.put(array.data);
  return std::move(out).take();
}

/// Writes the file in one step. Errors N002; throws as `write_npy`.
inline status save_npy(const std::filesystem::path& path, const npy_array& array) {
  return write_file_atomically(path, write_npy(array));
}

} // namespace privet
