#pragma once
// Several named arrays in one zip archive, as numpy's savez writes them (APPNOTE.TXT of PKWARE,
// sections 4.3 and 4.4). Compressed archives need an inflater: core/zlib.hpp has one.

#include <privet/core/npy.hpp>

#include <map>

namespace privet {

/// Arrays by name, without the `.npy` that their members end in.
using npz_arrays = std::map<std::string, npy_array, std::less<>>;

/// Expands a raw deflate stream to exactly `size` bytes, or says why it cannot.
using inflater = result<std::vector<std::byte>> (*)(std::span<const std::byte> deflated, std::size_t size);

/// All arrays of an archive may expand to this many bytes unless the caller names another limit.
inline constexpr std::size_t npz_limit = std::size_t{1} << 30;

namespace detail {

/// CRC-32 of zip and gzip (polynomial 0xedb88320, reflected).
inline std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0xedb88320 : 0);
    }
    return t;
  }();
  std::uint32_t crc = 0xffffffff;
  for (const std::byte b : bytes) crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xff];
  return ~crc;
}

inline constexpr std::uint32_t zip_local_mark = 0x04034b50;
inline constexpr std::uint32_t zip_central_mark = 0x02014b50;
inline constexpr std::uint32_t zip_end_mark = 0x06054b50;
inline constexpr std::size_t zip_local_size = 30, zip_central_size = 46, zip_end_size = 22;

/// One line of the archive's table of contents.
struct zip_member {
  std::string_view name;
  std::uint16_t flags, method;
  std::uint32_t crc, packed_size, size, offset;
  std::span<const std::byte> packed; // set once the local header was read
};

/// Where the end record starts: the last one whose comment reaches exactly to the end.
inline std::optional<std::size_t> find_zip_end(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < zip_end_size) return std::nullopt;
  const std::size_t last = bytes.size() - zip_end_size;
  for (std::size_t comment = 0; comment <= std::min<std::size_t>(last, 0xffff); ++comment) {
    const std::byte* at = bytes.data() + last - comment;
    if (load_little<std::uint32_t>(at) == zip_end_mark && load_little<std::uint16_t>(at + 20) == comment)
      return last - comment;
  }
  return std::nullopt;
}

/// The table of contents, with the data of each member found and no two sharing a byte.
inline result<std::vector<zip_member>> zip_contents(std::span<const std::byte> bytes,
                                                    std::string_view place) {
  const auto end = find_zip_end(bytes);
  if (!end) return error::of(fault::format, place, ": no end record of a zip archive");
  const std::byte* tail = bytes.data() + *end;
  const auto disks = load_little<std::uint32_t>(tail + 4);
  const auto here = load_little<std::uint16_t>(tail + 8), count = load_little<std::uint16_t>(tail + 10);
  const auto table_size = load_little<std::uint32_t>(tail + 12),
             table_offset = load_little<std::uint32_t>(tail + 16);
  if (disks != 0 || here != count || count == 0xffff || table_offset == 0xffffffff)
    return error::of(fault::unsupported, place, ": archives of several disks or of zip64 are not read");
  if (table_offset > *end || table_size != *end - table_offset)
    return error::of(fault::format, place, ": table of contents of ", table_size, " bytes at ", table_offset,
                     ", the end record at ", *end);

  std::vector<zip_member> members;
  byte_reader table(bytes.subspan(table_offset, table_size), place);
  for (unsigned i = 0; i < count; ++i) {
    const auto fixed = table.take_bytes(zip_central_size);
    if (!fixed) return fixed.error();
    const std::byte* at = fixed->data();
    if (load_little<std::uint32_t>(at) != zip_central_mark)
      return error::of(fault::format, place, ": entry ", i, " of the table of contents has no mark");
    const auto name = table.take_bytes(load_little<std::uint16_t>(at + 28));
    if (!name) return name.error();
    const auto rest = table.take_bytes(std::size_t{load_little<std::uint16_t>(at + 30)} +
                                       load_little<std::uint16_t>(at + 32));
    if (!rest) return rest.error();
    members.push_back({text_of(*name),
                       load_little<std::uint16_t>(at + 8),
                       load_little<std::uint16_t>(at + 10),
                       load_little<std::uint32_t>(at + 16),
                       load_little<std::uint32_t>(at + 20),
                       load_little<std::uint32_t>(at + 24),
                       load_little<std::uint32_t>(at + 42),
                       {}});
  }
  if (const status done = table.expect_end(); !done) return done.error();

  // Members that share bytes would let a small archive expand to more than its limit per byte.
  std::ranges::sort(members, {}, &zip_member::offset);
  std::size_t used = 0;
  for (zip_member& member : members) {
    const auto broken = [&](const auto&... why) {
      return error::of(fault::format, place, ": member ", in_quotes(member.name), ": ", why...);
    };
    if (member.offset < used)
      return broken("starts at ", member.offset, ", the one before it ends at ", used);
    byte_reader local(bytes.first(table_offset).subspan(std::min(member.offset, table_offset)), place);
    const auto fixed = local.take_bytes(zip_local_size);
    if (!fixed) return fixed.error();
    if (load_little<std::uint32_t>(fixed->data()) != zip_local_mark) return broken("no local header");
    const auto name = local.take_bytes(load_little<std::uint16_t>(fixed->data() + 26));
    if (!name) return name.error();
    if (text_of(*name) != member.name) return broken("its local header says ", in_quotes(text_of(*name)));
    const auto extra = local.take_bytes(load_little<std::uint16_t>(fixed->data() + 28));
    if (!extra) return extra.error();
    const auto packed = local.take_bytes(member.packed_size);
    if (!packed) return packed.error();
    member.packed = *packed;
    used = member.offset + local.offset();
  }
  return members;
}

inline result<std::vector<std::byte>> unpack(const zip_member& member, inflater inflate,
                                             const std::string& place) {
  if (member.flags & 1) return error::of(fault::unsupported, place, ": encrypted");
  if (member.method == 0) {
    if (member.packed_size != member.size)
      return error::of(fault::format, place, ": stored in ", member.packed_size, " bytes, but of size ",
                       member.size);
    return std::vector<std::byte>(member.packed.begin(), member.packed.end());
  }
  if (member.method != 8)
    return error::of(fault::unsupported, place, ": compression method ", member.method,
                     ", known are 0 and 8");
  if (!inflate)
    return error::of(fault::unsupported, place, ": compressed; pass inflate_raw of <privet/core/zlib.hpp>");
  auto bytes = inflate(member.packed, member.size);
  if (!bytes) return error{bytes.error().kind, concat(bytes.error().message, ", in ", place)};
  return bytes;
}

} // namespace detail

/// Reads an archive of .npy files.
///
/// Requires  nothing: every byte is untrusted; `inflate` for archives of `savez_compressed`
/// Errors    N004 naming `place` and member: not a zip archive, cut short, a checksum that does
///           not fit, members that overlap or share a name, anything `read_npy` refuses; arrays
///           that expand to more than `limit` bytes. N011: a member that is not .npy, encrypted,
///           zip64, or compressed when `inflate` is null
inline result<npz_arrays> read_npz(std::span<const std::byte> bytes, inflater inflate = nullptr,
                                   std::string_view place = "npz", std::size_t limit = npz_limit) {
  const auto members = detail::zip_contents(bytes, place);
  if (!members) return members.error();
  npz_arrays arrays;
  std::size_t left = limit;
  for (const detail::zip_member& member : *members) {
    const std::string here = concat(place, ": member ", in_quotes(member.name));
    if (!member.name.ends_with(".npy")) return error::of(fault::unsupported, here, ": not a .npy file");
    if (member.size > left)
      return error::of(fault::format, here, ": ", member.size, " bytes, ", left, " left of the limit of ",
                       limit);
    left -= member.size;
    const auto unpacked = detail::unpack(member, inflate, here);
    if (!unpacked) return unpacked.error();
    if (const auto crc = detail::crc32(*unpacked); crc != member.crc)
      return error::of(fault::format, here, ": checksum ", crc, ", the archive says ", member.crc);
    auto array = read_npy(*unpacked, here);
    if (!array) return array.error();
    if (!arrays.try_emplace(std::string(member.name.substr(0, member.name.size() - 4)), std::move(*array))
             .second)
      return error::of(fault::format, here, ": appears twice");
  }
  return arrays;
}

inline result<npz_arrays> load_npz(const std::filesystem::path& path, inflater inflate = nullptr,
                                   std::size_t limit = npz_limit) {
  const auto bytes = read_file(path, limit);
  if (!bytes) return bytes.error();
  return read_npz(*bytes, inflate, path.string(), limit);
}

/// The bytes of an uncompressed archive, members by name. Its dates are those of 1 January 1980:
/// one input, one output.
///
/// Throws  N008: an archive of 4 GiB or more, or of 65,535 arrays or more; N001: a name longer than
///         65,531 bytes; else as `write_npy`
inline std::vector<std::byte> write_npz(const npz_arrays& arrays) {
  constexpr std::uint32_t longest = 0xffffffff;
  constexpr std::uint32_t first_of_january = 0x00210000;
  require(arrays.size() < 0xffff, fault::range, "npz: ", arrays.size(), " arrays, at most 65534");
  byte_writer out, table;
  for (const auto& [name, array] : arrays) {
    require(name.size() <= 0xffff - 4, fault::argument, "npz: name of ", name.size(),
            " bytes, at most 65531");
    const std::string file = name + ".npy";
    const auto npy = write_npy(array);
    const std::size_t offset = out.size();
    require(npy.size() < longest && offset + table.size() + 2 * file.size() + npy.size() < longest - 1000,
            fault::range, "npz: array ", in_quotes(name), " would take the archive past 4 GiB");

    byte_writer facts; // what both headers say: version, UTF-8 flag, method, date, checksum, sizes, lengths
    facts.put<std::uint16_t>(20).put<std::uint16_t>(0x800).put<std::uint16_t>(0).put(first_of_january);
    facts.put(detail::crc32(npy)).put(static_cast<std::uint32_t>(npy.size()));
    facts.put(static_cast<std::uint32_t>(npy.size())).put(static_cast<std::uint16_t>(file.size()));
    facts.put<std::uint16_t>(0);
    out.put(detail::zip_local_mark).put(facts.view()).put(file).put(npy);
    table.put(detail::zip_central_mark).put<std::uint16_t>(20).put(facts.view()); // made by: version 2.0
    table.put<std::uint16_t>(0).put<std::uint16_t>(0).put<std::uint16_t>(0).put<std::uint32_t>(0);
    table.put(static_cast<std::uint32_t>(offset)).put(file);
  }
  const auto count = static_cast<std::uint16_t>(arrays.size());
  const auto table_offset = static_cast<std::uint32_t>(out.size());
  out.put(table.view()).put(detail::zip_end_mark).put<std::uint32_t>(0).put(count).put(count);
  out.put(static_cast<std::uint32_t>(table.size())).put(table_offset).put<std::uint16_t>(0);
  return std::move(out).take();
}

/// Writes the file in one step. Errors N002; throws as `write_npz`.
inline status save_npz(const std::filesystem::path& path, const npz_arrays& arrays) {
  return write_file_atomically(path, write_npz(arrays));
}

} // namespace privet
