#pragma once
// The optional gateway to zlib: whoever includes it links with -lz.

#include <privet/core/result.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace privet {

namespace detail {

/// Expands `packed` to at most `limit` bytes. The output grows as bytes arrive, so a claimed size
/// costs nothing until the data bears it out.
inline result<std::vector<std::byte>> inflate_bounded(std::span<const std::byte> packed, std::size_t limit,
                                                      int window_bits, bool many_members,
                                                      std::string_view place) {
  struct stream : z_stream {
    explicit stream(int bits) : z_stream{} { ready = inflateInit2(this, bits) == Z_OK; }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    ~stream() {
      if (ready) inflateEnd(this);
    }
    bool ready;
  } zlib(window_bits);
  if (!zlib.ready) return error::of(fault::unsupported, place, ": zlib does not start");

  constexpr std::size_t longest_piece = std::size_t{1} << 30; // zlib counts in 32 bits
  std::vector<std::byte> out;
  std::size_t filled = 0;
  for (;;) {
    if (filled == out.size()) // one byte past the limit tells too much from just enough
      out.resize(std::min(std::min(limit, out.max_size() - 1) + 1, std::max<std::size_t>(2 * filled, 16384)));
    const std::size_t piece = std::min(packed.size(), longest_piece),
                      room = std::min(out.size() - filled, longest_piece);
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    zlib.avail_in = static_cast<uInt>(piece);
    zlib.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    zlib.avail_out = static_cast<uInt>(room);
    const int state = ::inflate(&zlib, Z_NO_FLUSH);
    packed = packed.subspan(piece - zlib.avail_in);
    filled += room - zlib.avail_out;

    if (filled > limit) return error::of(fault::format, place, ": expands to more than ", limit, " bytes");
    if (state == Z_STREAM_END) {
      if (packed.empty()) break;
      if (!many_members) return error::of(fault::format, place, ": ", packed.size(), " bytes left over");
      inflateReset(&zlib);
    } else if (state == Z_BUF_ERROR) {
      return error::of(fault::format, place, ": cut short after ", filled, " bytes of output");
    } else if (state != Z_OK) {
      return error::of(fault::format, place, ": ", zlib.msg ? zlib.msg : "damaged");
    }
  }
  out.resize(filled);
  return out;
}

} // namespace detail

/// Expands a raw deflate stream (RFC 1951) to exactly `size` bytes.
/// Errors  N004: damaged, cut short, bytes left over, or of another size
inline result<std::vector<std::byte>> inflate_raw(std::span<const std::byte> deflated, std::size_t size) {
  auto out = detail::inflate_bounded(deflated, size, -MAX_WBITS, false, "deflate");
  if (out && out->size() != size)
    return error::of(fault::format, "deflate: expands to ", out->size(), " bytes, expected ", size);
  return out;
}

/// Expands a gzip file (RFC 1952), also one of several members, checking its checksums.
/// Errors  N004: damaged, cut short, followed by junk, or larger than `limit` bytes when expanded
inline result<std::vector<std::byte>> gunzip(std::span<const std::byte> bytes, std::size_t limit,
                                             std::string_view place = "gzip") {
  return detail::inflate_bounded(bytes, limit, MAX_WBITS + 16, true, place);
}

} // namespace privet
