#pragma once
// The image formats that need no library: PGM (gray) and PPM (colour) in bytes.

#include <privet/data/bitmap.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace privet {

namespace detail {

/// Takes a number of a PNM header with the blanks and comments before it; -1 if there is none below 2^31.
inline std::int64_t take_pnm_number(std::span<const std::byte> bytes, std::size_t& at) {
  const auto now = [&] { return at < bytes.size() ? std::to_integer<int>(bytes[at]) : -1; };
  for (;; ++at) {
    if (now() == '#')
      while (now() >= 0 && now() != '\n') ++at;
    if (now() != ' ' && (now() < '\t' || now() > '\r')) break;
  }
  if (now() < '0' || now() > '9') return -1;
  std::int64_t number = 0;
  for (; now() >= '0' && now() <= '9'; ++at) {
    number = 10 * number + (now() - '0');
    if (number > 0x7fffffff) return -1;
  }
  return number;
}

} // namespace detail

/// Decodes PGM (`P5`) or PPM (`P6`), one byte per value or two, scaled to 255 by its stated maximum.
///
/// Errors  N004 empty, no PNM, a damaged header, cut short or more bytes than pixels, a value above the maximum;
///         N011 another format or more pixels than `limits`
/// Source  Netpbm, the format specifications pgm(5) and ppm(5)
/// Test    tests/data/pnm.test.cpp
inline result<bitmap> decode_pnm(std::span<const std::byte> bytes, const image_limits& limits = {},
                                 std::string_view place = "PNM") {
  const auto format = detail::image_format(bytes);
  if (format != "PGM" && format != "PPM")
    return detail::no_image(bytes, "PGM or PPM in bytes (P5, P6)", place);
  std::size_t at = 2;
  std::int64_t numbers[3];
  for (int i = 0; i < 3; ++i) {
    numbers[i] = detail::take_pnm_number(bytes, at);
    if (numbers[i] < 0)
      return error::of(fault::format, place, ", byte ", at, ": expected ",
                       i == 0   ? "the width"
                       : i == 1 ? "the height"
                                : "the largest value",
                       ", a number below 2^31");
  }
  if (numbers[2] < 1 || numbers[2] > 65535)
    return error::of(fault::format, place, ": the largest value is ", numbers[2], ", expected 1 to 65535");
  if (at == bytes.size()) return error::of(fault::format, place, ": cut short after its header");
  ++at; // one blank
  bitmap out{static_cast<std::size_t>(numbers[1]),
             static_cast<std::size_t>(numbers[0]),
             format == "PPM" ? std::size_t{3} : std::size_t{1},
             {}};
  const auto fits = detail::plausible_size(out.height, out.width, bytes.size(), 1, limits, place);
  if (!fits) return fits.error();
  const auto most = static_cast<unsigned>(numbers[2]);
  const std::size_t count = out.height * out.width * out.channels, each = most > 255 ? 2 : 1;
  if (bytes.size() - at != count * each)
    return error::of(fault::format, place, ": ", bytes.size() - at, " bytes of pixels, expected ",
                     count * each, " for ", out.width, " x ", out.height, " of ", out.channels * each);
  out.pixels.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto byte = [&](std::size_t b) { return std::to_integer<unsigned>(bytes[at + i * each + b]); };
    const unsigned value = each == 1 ? byte(0) : byte(0) << 8 | byte(1);
    if (value > most)
      return error::of(fault::format, place, ", byte ", at + i * each, ": value ", value,
                       ", its header says at most ", most);
    out.pixels[i] = static_cast<std::uint8_t>((value * 255u + most / 2) / most);
  }
  return out;
}

} // namespace privet
