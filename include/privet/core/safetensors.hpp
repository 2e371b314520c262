#pragma once
// Weights on disk: https://github.com/huggingface/safetensors, which Python, Rust and browsers read.

#include <privet/core/bytes.hpp>
#include <privet/core/dtype.hpp>
#include <privet/core/file.hpp>
#include <privet/core/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace privet {

/// Free text that travels with the tensors.
using safetensors_metadata = std::map<std::string, std::string, std::less<>>;

/// One named array, row-major. It views its bytes and does not own them.
struct tensor_entry {
  std::string name;
  dtype type = dtype::f32;
  std::vector<std::size_t> shape; ///< empty for a scalar
  std::span<const std::byte> data;

  /// An entry over the caller's numbers, which must outlive it.
  template <Stored T>
  static tensor_entry of(std::string name, std::vector<std::size_t> shape, std::span<const T> values) {
    static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");
    return {std::move(name), dtype_of<T>(), std::move(shape), std::as_bytes(values)};
  }

  /// The elements in place. Errors: N003 another type; N011 bytes that are not aligned for `T`, as
  /// a foreign file may have them: use `copy_to`.
  template <Stored T>
  result<std::span<const T>> view() const {
    static_assert(std::endian::native == std::endian::little, "files hold little-endian numbers");
    if (dtype_of<T>() != type) return other_type(dtype_of<T>());
    if (reinterpret_cast<std::uintptr_t>(data.data()) % alignof(T) != 0)
      return error::of(fault::unsupported, "tensor ", in_quotes(name),
                       ": not aligned in its file, must be copied");
    return std::span(reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T));
  }

  /// Copies the elements. Errors: N003 another type or another number of elements.
  template <Stored T>
  status copy_to(std::span<T> out) const {
    if (dtype_of<T>() != type) return other_type(dtype_of<T>());
    if (out.size() != data.size() / sizeof(T))
      return error::of(fault::shape, "tensor ", in_quotes(name), ": ", data.size() / sizeof(T), " elements ",
                       shape_text(shape), ", expected ", out.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = load_little<T>(data.data() + i * sizeof(T));
    return nothing{};
  }

 private:
  error other_type(dtype expected) const {
    return error::of(fault::shape, "tensor ", in_quotes(name), ": ", name_of(type), ", expected ",
                     name_of(expected));
  }
};

/// A safetensors file in memory. Its entries view its bytes and live as long as it does.
class safetensors_file {
 public:
  safetensors_file(safetensors_file&&) = default; // a moved vector keeps its bytes where they are
  safetensors_file& operator=(safetensors_file&&) = default;

  /// In the order of their data.
  std::span<const tensor_entry> entries() const noexcept { return entries_; }
  const safetensors_metadata& metadata() const noexcept { return metadata_; }

  /// The entry of this name, or null.
  const tensor_entry* find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(entries_, name, &tensor_entry::name);
    return found == entries_.end() ? nullptr : &*found;
  }

  friend result<safetensors_file> read_safetensors(std::vector<std::byte>, std::string_view);

 private:
  safetensors_file() = default;
  status read_header(std::string_view text, std::span<const std::byte> data, std::string_view place);

  std::vector<std::byte> bytes_;
  std::vector<tensor_entry> entries_;
  safetensors_metadata metadata_;
};

namespace detail {

inline constexpr std::size_t longest_safetensors_header = 100'000'000; // the reference's own limit

/// One tensor of the header; its data is checked against the file by the caller.
struct safetensors_claim {
  std::string name;
  dtype type;
  std::vector<std::size_t> shape;
  std::uint64_t begin, end;
};

inline result<safetensors_claim> read_claim(const std::string& name, const json& facts,
                                            std::string_view place) {
  const std::string here = concat(place, ": tensor ", in_quotes(name));
  const auto type_name = read_member<std::string>(facts, "dtype", here);
  if (!type_name) return type_name.error();
  const auto type = dtype_named(*type_name);
  if (!type) return error::of(fault::unsupported, here, ": unknown dtype ", in_quotes(*type_name));
  auto shape = read_member<std::vector<std::size_t>>(facts, "shape", here);
  if (!shape) return shape.error();
  const auto offsets = read_member<std::vector<std::uint64_t>>(facts, "data_offsets", here);
  if (!offsets) return offsets.error();
  if (offsets->size() != 2)
    return error::of(fault::format, here, ": ", offsets->size(), " data_offsets, expected 2");

  const std::uint64_t begin = (*offsets)[0], end = (*offsets)[1];
  const auto expected = byte_count(*type, *shape);
  if (!expected) return error::of(fault::format, here, ": more elements than memory can hold");
  if (end < begin || end - begin != *expected)
    return error::of(fault::format, here, ": data_offsets ", begin, " to ", end, ", but ", *expected,
                     " bytes of ", *type_name);
  return safetensors_claim{name, *type, std::move(*shape), begin, end};
}

} // namespace detail

inline status safetensors_file::read_header(std::string_view text, std::span<const std::byte> data,
                                            std::string_view place) {
  if (!text.starts_with('{')) return error::of(fault::format, place, ": header does not start with '{'");
  const auto header = parse_json(text, place, 3); // file, tensor, shape
  if (!header) return header.error();

  std::vector<detail::safetensors_claim> claims;
  for (const auto& [name, facts] : header->items()) {
    if (name == "__metadata__") {
      if (!facts.is_object())
        return error::of(fault::format, place, ": __metadata__: got ", facts.type_name(),
                         ", expected object");
      for (const auto& [key, value] : facts.items()) {
        auto entry = read_as<std::string>(value, concat(place, ": __metadata__: ", in_quotes(key)));
        if (!entry) return entry.error();
        metadata_.emplace(key, std::move(*entry));
      }
      continue;
    }
    auto claim = detail::read_claim(name, facts, place);
    if (!claim) return claim.error();
    claims.push_back(std::move(*claim));
  }

  std::ranges::sort(claims, {}, [](const auto& c) { return std::tie(c.begin, c.end, c.name); });
  std::uint64_t used = 0;
  for (auto& claim : claims) {
    if (claim.begin != used)
      return error::of(fault::format, place, ": tensor ", in_quotes(claim.name), " starts at ", claim.begin,
                       ", the one before it ends at ", used);
    if (claim.end > data.size())
      return error::of(fault::format, place, ": tensor ", in_quotes(claim.name), " ends at ", claim.end,
                       ", the data at ", data.size());
    const auto count = static_cast<std::size_t>(claim.end - claim.begin);
    entries_.push_back({std::move(claim.name), claim.type, std::move(claim.shape),
                        data.subspan(static_cast<std::size_t>(claim.begin), count)});
    used = claim.end;
  }
  if (used != data.size())
    return error::of(fault::format, place, ": the tensors end at ", used, ", the data at ", data.size());
  return nothing{};
}

/// Reads a safetensors file, as strict as the reference implementation.
///
/// Requires  nothing: every byte is untrusted
/// Ensures   the tensors cover the data without holes or overlap, and each has exactly the bytes
///           its shape and type ask for
/// Errors    N004 naming `place`, N011 for an element type this build does not know
/// Cost      memory linear in the file; no allocation follows a number claimed in it
inline result<safetensors_file> read_safetensors(std::vector<std::byte> bytes,
                                                 std::string_view place = "safetensors") {
  safetensors_file file;
  file.bytes_ = std::move(bytes);
  byte_reader reader(file.bytes_, place);
  const auto length = reader.take<std::uint64_t>();
  if (!length) return length.error();
  if (*length > detail::longest_safetensors_header)
    return error::of(fault::format, place, ": header of ", *length, " bytes, at most ",
                     detail::longest_safetensors_header, " are read");
  const auto header = reader.take_bytes(static_cast<std::size_t>(*length));
  if (!header) return header.error();
  const auto data = reader.take_bytes(reader.left());
  if (const status read = file.read_header(text_of(*header), *data, place); !read) return read.error();
  return file;
}

inline result<safetensors_file> load_safetensors(const std::filesystem::path& path,
                                                 std::size_t limit = file_limit) {
  auto bytes = read_file(path, limit);
  if (!bytes) return bytes.error();
  return read_safetensors(std::move(*bytes), path.string());
}

/// The bytes of a safetensors file, the same as the reference implementation writes: tensors by
/// falling type and then name, data at a multiple of 8. No time stamp: one input, one output.
///
/// Throws  N001: two equal names, the reserved name `__metadata__`; N003: data that is not as long
///         as its shape and type ask for; N004: a name or metadata that is not UTF-8
inline std::vector<std::byte> write_safetensors(std::span<const tensor_entry> entries,
                                                const safetensors_metadata& metadata = {}) {
  std::vector<const tensor_entry*> order;
  std::set<std::string_view> names{"__metadata__"};
  std::size_t data_size = 0;
  for (const tensor_entry& entry : entries) {
    require(names.insert(entry.name).second, fault::argument, "tensor ", in_quotes(entry.name),
            ": this name is taken already");
    const auto expected = byte_count(entry.type, entry.shape);
    require(expected == entry.data.size(), fault::shape, "tensor ", in_quotes(entry.name), ": ",
            entry.data.size(), " bytes, but ", name_of(entry.type), shape_text(entry.shape), " has ",
            expected.value_or(0));
    order.push_back(&entry);
    data_size += entry.data.size();
  }
  std::ranges::sort(order, [](const tensor_entry* a, const tensor_entry* b) {
    return std::tie(b->type, a->name) < std::tie(a->type, b->name);
  });

  std::string text = "{";
  if (!metadata.empty()) text += concat("\"__metadata__\":", json_text(json(metadata)));
  std::size_t offset = 0;
  for (const tensor_entry* entry : order) {
    const std::size_t end = offset + entry->data.size();
    text += concat(text.size() > 1 ? "," : "", json_text(json(entry->name)), ":{\"dtype\":\"",
                   name_of(entry->type), "\",\"shape\":", json_text(json(entry->shape)),
                   ",\"data_offsets\":[", offset, ',', end, "]}");
    offset = end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');

  byte_writer out;
  out.reserve(8 + text.size() + data_size);
  out.put<std::uint64_t>(text.size()).put(text);
  for (const tensor_entry* entry : order) out.put(entry->data);
  return std::move(out).take();
}

/// Writes the file in one step. Errors N002; throws as `write_safetensors`.
inline status save_safetensors(const std::filesystem::path& path, std::span<const tensor_entry> entries,
                               const safetensors_metadata& metadata = {}) {
  return write_file_atomically(path, write_safetensors(entries, metadata));
}

} // namespace privet
