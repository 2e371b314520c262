#pragma once
// The optional gateway to libpng and libjpeg: whoever includes it links with -lpng -ljpeg (privet::images).

#include <privet/data/bitmap.hpp>
#include <privet/data/pnm.hpp>

#include <cstdio> // jpeglib.h needs it before itself

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace privet {

namespace detail {

/// Lets memory grow with what has been decoded: rows are asked for in pieces of about this many bytes.
inline constexpr std::size_t image_piece = std::size_t{1} << 20;

/// Decodes `out.height` rows through `read(first, count)`, which returns false on an error.
template <class Read>
bool decode_rows(bitmap& out, Read&& read) {
  const std::size_t stride = out.width * out.channels, piece = std::max<std::size_t>(image_piece / stride, 1);
  for (std::size_t first = 0; first < out.height; first += piece) {
    const std::size_t count = std::min(piece, out.height - first);
    out.pixels.resize((first + count) * stride);
    if (!read(first, count)) return false;
  }
  return true;
}

// Both libraries leave by longjmp. The functions that call setjmp own nothing: what has a destructor lives in a
// state object of their caller.

struct png_state {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
  std::array<char, 128> message{};
  png_structp png = nullptr;
  png_infop info = nullptr;

  png_state() = default;
  png_state(const png_state&) = delete;
  png_state& operator=(const png_state&) = delete;
  ~png_state() {
    if (png) png_destroy_read_struct(&png, info ? &info : nullptr, nullptr);
  }
};

inline void on_png_error(png_structp png, png_const_charp why) {
  auto& state = *static_cast<png_state*>(png_get_error_ptr(png));
  std::snprintf(state.message.data(), state.message.size(), "%s", why);
  png_longjmp(png, 1);
}
inline void on_png_warning(png_structp, png_const_charp) {}
inline void on_png_read(png_structp png, png_bytep to, std::size_t count) {
  auto& state = *static_cast<png_state*>(png_get_io_ptr(png));
  if (count > state.bytes.size() - state.at) png_error(png, "cut short");
  std::memcpy(to, state.bytes.data() + state.at, count);
  state.at += count;
}

inline bool png_start(png_state& s) {
  s.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_png_error, on_png_warning);
  s.info = s.png ? png_create_info_struct(s.png) : nullptr;
  if (!s.info) return false;
  if (setjmp(png_jmpbuf(s.png))) return false;
  png_set_read_fn(s.png, &s, on_png_read);
  png_set_user_limits(s.png, 0x7fffffff, 0x7fffffff); // ours have been asked already
  // Comments and profiles, which nobody reads: -1 names all that libpng knows but does not need for the pixels.
  png_set_keep_unknown_chunks(s.png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_set_keep_unknown_chunks(s.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_chunk_malloc_max(s.png, 1u << 20);
  png_set_chunk_cache_max(s.png, 1);
  png_read_info(s.png, s.info);
  png_set_expand(s.png); // palettes and 1 to 4 bits
  png_set_scale_16(s.png);
  png_set_strip_alpha(s.png);
  return true;
}
inline bool png_update(png_state& s, int& passes) {
  if (setjmp(png_jmpbuf(s.png))) return false;
  passes = png_set_interlace_handling(s.png);
  png_read_update_info(s.png, s.info);
  return true;
}
inline bool png_rows(png_state& s, std::uint8_t* to, std::size_t stride, std::size_t count, int passes) {
  if (setjmp(png_jmpbuf(s.png))) return false;
  for (int pass = 0; pass < passes; ++pass)
    for (std::size_t y = 0; y < count; ++y) png_read_row(s.png, to + y * stride, nullptr);
  return true;
}
inline bool png_finish(png_state& s) {
  if (setjmp(png_jmpbuf(s.png))) return false;
  png_read_end(s.png, nullptr);
  return true;
}

struct jpeg_state {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> message{};

  jpeg_state() = default;
  jpeg_state(const jpeg_state&) = delete;
  jpeg_state& operator=(const jpeg_state&) = delete;
  ~jpeg_state() { jpeg_destroy_decompress(&info); } // of a struct of zeros, too
};

[[noreturn]] inline void on_jpeg_error(j_common_ptr common) {
  auto& state = *static_cast<jpeg_state*>(common->client_data);
  common->err->format_message(common, state.message.data());
  std::longjmp(state.back, 1);
}
/// libjpeg makes gray of what is missing and says so in a warning: damage is an error here.
inline void on_jpeg_message(j_common_ptr common, int level) {
  if (level >= 0) return;
  for (const int damage : {int{JWRN_JPEG_EOF}, int{JWRN_HIT_MARKER}, int{JWRN_HUFF_BAD_CODE},
                           int{JWRN_NOT_SEQUENTIAL}, int{JWRN_BOGUS_PROGRESSION}, int{JWRN_MUST_RESYNC}})
    if (common->err->msg_code == damage) on_jpeg_error(common);
}
/// A small file can ask for a large image to be gone over any number of times.
inline void on_jpeg_progress(j_common_ptr common) {
  constexpr int most_scans = 100;
  auto& state = *static_cast<jpeg_state*>(common->client_data);
  if (state.info.input_scan_number <= most_scans) return;
  std::snprintf(state.message.data(), state.message.size(), "more than %d scans", most_scans);
  std::longjmp(state.back, 1);
}

inline bool jpeg_header(jpeg_state& s, std::span<const std::byte> bytes) {
  s.info.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_jpeg_error;
  s.errors.emit_message = on_jpeg_message;
  s.info.client_data = &s;
  if (setjmp(s.back)) return false;
  jpeg_create_decompress(&s.info);
  s.progress.progress_monitor = on_jpeg_progress;
  s.info.progress = &s.progress;
  jpeg_mem_src(&s.info, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&s.info, TRUE);
  return true;
}
inline bool jpeg_start(jpeg_state& s) {
  if (setjmp(s.back)) return false;
  s.info.out_color_space = s.info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  return jpeg_start_decompress(&s.info) == TRUE;
}
inline bool jpeg_rows(jpeg_state& s, std::uint8_t* to, std::size_t stride, std::size_t count) {
  if (setjmp(s.back)) return false;
  for (std::size_t y = 0; y < count; ++y) {
    JSAMPROW row = to + y * stride;
    if (jpeg_read_scanlines(&s.info, &row, 1) != 1) return false;
  }
  return true;
}
inline bool jpeg_finish(jpeg_state& s) {
  if (setjmp(s.back)) return false;
  return jpeg_finish_decompress(&s.info) == TRUE;
}

} // namespace detail

/// Decodes a PNG: gray or colour, palettes and 1 to 16 bits made 8, transparency left out, no gamma applied.
///
/// Errors  N004 empty, no PNG, damaged, cut short, or more pixels than its bytes can hold; N011 more pixels
///         than `limits`
/// Cost    memory grows with what has been decoded; that of an interlaced image is asked for at once
inline result<bitmap> decode_png(std::span<const std::byte> bytes, const image_limits& limits = {},
                                 std::string_view place = "PNG") {
  if (detail::image_format(bytes) != "PNG") return detail::no_image(bytes, "PNG", place);
  constexpr std::size_t header = 8 + 8 + 13; // signature, length and name of the first chunk, IHDR
  if (bytes.size() < header)
    return error::of(fault::format, place, ": cut short: ", bytes.size(), " bytes, the header has ", header);
  const auto big = [&](std::size_t at) {
    std::size_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | std::to_integer<std::size_t>(bytes[at + i]);
    return number;
  };
  // Deflate makes at most 1,032 bytes of one. What the other two bytes claim libpng checks.
  const auto depth = std::to_integer<std::size_t>(bytes[24]), kind = std::to_integer<std::size_t>(bytes[25]);
  const std::size_t bits = depth * (kind == 2 ? 3 : kind == 4 ? 2 : kind == 6 ? 4 : 1);
  const auto fits = detail::plausible_size(big(20), big(16), bytes.size(),
                                           8 * 1032 / std::clamp<std::size_t>(bits, 1, 64), limits, place);
  if (!fits) return fits.error();

  detail::png_state state;
  state.bytes = bytes;
  const auto damaged = [&] {
    return error::of(fault::format, place,
                     ": a damaged PNG: ", state.message[0] ? state.message.data() : "libpng does not start");
  };
  int passes = 1;
  if (!detail::png_start(state) || !detail::png_update(state, passes)) return damaged();
  bitmap out{png_get_image_height(state.png, state.info),
             png_get_image_width(state.png, state.info),
             png_get_channels(state.png, state.info),
             {}};
  const std::size_t stride = out.width * out.channels;
  if (png_get_rowbytes(state.png, state.info) != stride || (out.channels != 1 && out.channels != 3))
    return error::of(fault::unsupported, place, ": a PNG of ", png_get_rowbytes(state.png, state.info),
                     " bytes per row of ", out.width, " pixels, expected 1 or 3 for each");
  bool good = false;
  if (passes == 1) {
    good = detail::decode_rows(out, [&](std::size_t first, std::size_t count) {
      return detail::png_rows(state, out.pixels.data() + first * stride, stride, count, 1);
    });
  } else {
    out.pixels.resize(out.height * stride);
    good = detail::png_rows(state, out.pixels.data(), stride, out.height, passes);
  }
  if (!good || !detail::png_finish(state)) return damaged();
  return out;
}

/// Decodes a JPEG, baseline or progressive: gray or colour, orientation as stored (EXIF is not read).
///
/// Errors  N004 empty, no JPEG, damaged, cut short, more pixels than its bytes can hold, more than 100 scans;
///         N011 CMYK, arithmetic coding, more pixels than `limits`
/// Cost    memory grows with what has been decoded; a progressive image asks for 6 bytes per pixel at once
inline result<bitmap> decode_jpeg(std::span<const std::byte> bytes, const image_limits& limits = {},
                                  std::string_view place = "JPEG") {
  if (detail::image_format(bytes) != "JPEG") return detail::no_image(bytes, "JPEG", place);
  detail::jpeg_state state;
  const auto damaged = [&] {
    return error::of(fault::format, place,
                     ": a damaged JPEG: ", state.message[0] ? state.message.data() : "libjpeg stopped");
  };
  if (!detail::jpeg_header(state, bytes)) return damaged();
  const auto& info = state.info;
  if (info.num_components == 4 || info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK)
    return error::of(fault::unsupported, place, ": a CMYK JPEG (", info.num_components,
                     " components), expected gray or RGB (1 or 3): convert it first");
  if (info.num_components != 1 && info.num_components != 3)
    return error::of(fault::unsupported, place, ": a JPEG of ", info.num_components,
                     " components, expected 1 (gray) or 3 (colour)");
  if (info.arith_code)
    return error::of(fault::unsupported, place, ": a JPEG in arithmetic coding, expected Huffman coding");
  // A block of 8 x 8 pixels takes one bit or more.
  const auto fits =
      detail::plausible_size(info.image_height, info.image_width, bytes.size(), 8 * 64, limits, place);
  if (!fits) return fits.error();
  if (!detail::jpeg_start(state)) return damaged();
  bitmap out{info.output_height, info.output_width, static_cast<std::size_t>(info.output_components), {}};
  const std::size_t stride = out.width * out.channels;
  const bool good = detail::decode_rows(out, [&](std::size_t first, std::size_t count) {
    return detail::jpeg_rows(state, out.pixels.data() + first * stride, stride, count);
  });
  if (!good || !detail::jpeg_finish(state)) return damaged();
  return out;
}

/// Decodes PNG, JPEG, PGM or PPM, whatever the bytes say they are: the name of a file is not asked.
///
/// Errors  as of the format; N004 for what is none, such as text in a file called .png; N011 for GIF, WebP and others
/// Test    tests/data/image_file.test.cpp
inline result<bitmap> decode_image(std::span<const std::byte> bytes, const image_limits& limits = {},
                                   std::string_view place = "image") {
  const auto format = detail::image_format(bytes);
  if (format == "PNG") return decode_png(bytes, limits, place);
  if (format == "JPEG") return decode_jpeg(bytes, limits, place);
  if (format == "PGM" || format == "PPM") return decode_pnm(bytes, limits, place);
  return detail::no_image(bytes, "PNG, JPEG, or PGM and PPM in bytes", place);
}

} // namespace privet
