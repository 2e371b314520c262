#pragma once
// A client's update in fewer bytes than four a number: some of its numbers, or coarser ones. What is on the
// wire is on docs/federated/thin_links.md.

#include <privet/federated/message.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// Which numbers of a vector an encoded one holds.
enum class support : std::uint8_t {
  all = 0,    ///< every one, in order
  listed = 1, ///< those whose places it lists
  masked = 2  ///< those whose places public coins draw (`draw_places`)
};

/// So many of the places 0 .. n - 1, ascending, every set of them equally likely; the same on every target.
///
/// Requires  places.size() <= n
/// Source    Knuth, The Art of Computer Programming 2, algorithm 3.4.2S
inline void draw_places(std::uint64_t seed, std::uint64_t stream, std::size_t n,
                        std::span<std::uint32_t> places) {
  replayable_random source(seed, stream);
  for (std::size_t i = 0, to = 0; to < places.size(); ++i)
    if (uniform_below(source, n - i) < places.size() - to) places[to++] = static_cast<std::uint32_t>(i);
}

/// Some or all numbers of a vector, as they travel.
struct encoded_numbers {
  std::uint32_t parameters = 0; ///< length of the vector
  support holds = support::all;
  std::uint64_t seed = 0, stream = 0;  ///< of the coins, where they are masked
  std::vector<std::uint32_t> places{}; ///< ascending, where they are listed
  unsigned bits = 32;                  ///< of a number: 32 for a float, or 8, 4, 1 for a level
  std::uint16_t block = 0;             ///< how many levels share a scale; 0: all
  std::vector<float> values{};         ///< of 32 bits
  std::vector<std::int8_t> levels{};   ///< of fewer: -most to most without halves; of one bit: -1 or 1
  std::vector<float> scales{};         ///< what the level `most` stands for, block by block

  static constexpr int most_of(unsigned bits) noexcept { return bits == 8 ? 127 : bits == 4 ? 7 : 1; }
  static constexpr bool knows(unsigned bits) noexcept {
    return bits == 32 || bits == 8 || bits == 4 || bits == 1;
  }
  static constexpr std::size_t blocks(std::size_t count, std::uint16_t block) noexcept {
    return block == 0 ? 1 : (count + block - 1) / block;
  }

  std::size_t size() const noexcept { return bits == 32 ? values.size() : levels.size(); }
  float operator[](std::size_t i) const noexcept {
    if (bits == 32) return values[i];
    return static_cast<float>(levels[i]) *
           (scales[block == 0 ? 0 : i / block] / static_cast<float>(most_of(bits)));
  }

  /// f(place, i) for every number that it holds. Precondition: `check` found nothing wrong.
  template <class F>
  void for_each(F&& f) const {
    if (holds == support::all) {
      for (std::size_t i = 0; i < size(); ++i) f(i, i);
    } else if (holds == support::listed) {
      for (std::size_t i = 0; i < places.size(); ++i) f(std::size_t{places[i]}, i);
    } else {
      std::vector<std::uint32_t> drawn(size());
      draw_places(seed, stream, parameters, drawn);
      for (std::size_t i = 0; i < drawn.size(); ++i) f(std::size_t{drawn[i]}, i);
    }
  }

  /// Errors    N009 for places that are out of range, twice there or not in order, for sizes that contradict each
  ///           other, for a level that no writer makes, and for what is not finite
  status check() const {
    const auto wrong = [](const auto&... what) {
      return error::of(fault::message, "encoded update: ", what...);
    };
    const std::size_t count = size();
    if (!knows(bits)) return wrong(bits, " bits a number, expected 32, 8, 4 or 1");
    if (count == 0 || count > parameters || (holds == support::all && count != parameters))
      return wrong(count, " numbers of ", parameters);
    if (holds == support::listed) {
      if (places.size() != count) return wrong(places.size(), " places for ", count, " numbers");
      for (std::size_t i = 0; i < count; ++i) {
        if (places[i] >= parameters)
          return wrong("place ", i, " is ", places[i], ", beyond ", parameters, " numbers");
        if (i > 0 && places[i] == places[i - 1]) return wrong("place ", places[i], " is there twice");
        if (i > 0 && places[i] < places[i - 1])
          return wrong("place ", places[i], " comes after ", places[i - 1]);
      }
    }
    if (bits == 32) {
      for (std::size_t i = 0; i < count; ++i)
        if (!std::isfinite(values[i])) return wrong("number ", i, " is ", values[i]);
      return nothing{};
    }
    if (scales.size() != blocks(count, block))
      return wrong(scales.size(), " scales for ", count, " numbers in blocks of ", block);
    for (std::size_t i = 0; i < scales.size(); ++i)
      if (!(scales[i] >= 0 && scales[i] <= 0x1p64f)) return wrong("scale ", i, " is ", scales[i]);
    for (std::size_t i = 0; i < count; ++i)
      if (const int level = levels[i], most = most_of(bits);
          level > most || level < -most || (bits == 1 && level == 0))
        return wrong("level ", i, " is ", level, ", expected at most ", most);
    return nothing{};
  }
};

/// A client's contribution to one round, encoded. `numbers` are of weights received - weights after training; the
/// receiver multiplies them by `weight`.
struct encoded_update {
  std::uint32_t sender = 0;
  std::uint64_t schema_hash = 0;
  std::uint64_t examples = 0;
  std::uint64_t steps = 0;
  double weight = 0;
  double loss = 0;
  encoded_numbers numbers{};
};

/// The update as a vector of `parameters` numbers, zero where it says nothing.
/// Errors    N003 for another length, N009 as `encoded_numbers::check`
inline result<client_update> decode(const encoded_update& u, std::size_t parameters) {
  if (u.numbers.parameters != parameters)
    return error::of(fault::shape, "encoded update: of ", u.numbers.parameters, " numbers, the model has ",
                     parameters);
  if (auto good = u.numbers.check(); !good) return good.error();
  client_update whole{
      u.sender, u.schema_hash, u.examples, u.steps, u.weight, u.loss, std::vector<float>(parameters)};
  u.numbers.for_each([&](std::size_t place, std::size_t i) {
    whole.shared[place] = static_cast<float>(u.weight * static_cast<double>(u.numbers[i]));
  });
  return whole;
}

namespace detail {

/// Bits into bytes, the lowest first.
class bit_writer {
 public:
  void put(std::uint32_t word, unsigned count) {
    for (unsigned b = 0; b < count; ++b, ++used_) {
      if (used_ % 8 == 0) bytes_.push_back(std::byte{});
      bytes_.back() |= static_cast<std::byte>((word >> b & 1) << used_ % 8);
    }
  }
  std::span<const std::byte> view() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t used_ = 0;
};

/// Untrusted bits; those behind the last are zero.
class bit_reader {
 public:
  explicit bit_reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t left() const noexcept { return 8 * bytes_.size() - used_; }
  /// Precondition: count <= left().
  std::uint32_t take(unsigned count) noexcept {
    std::uint32_t word = 0;
    for (unsigned b = 0; b < count; ++b, ++used_)
      word |= (std::to_integer<std::uint32_t>(bytes_[used_ / 8]) >> used_ % 8 & 1u) << b;
    return word;
  }
  /// Bytes that were begun.
  std::size_t bytes() const noexcept { return (used_ + 7) / 8; }
  bool rest_is_zero() const noexcept {
    return used_ % 8 == 0 || std::to_integer<unsigned>(bytes_[used_ / 8]) >> used_ % 8 == 0;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t used_ = 0;
};

/// Low bits of a gap between places that are written as they are; the rest of it is counted (Rice's code). By the
/// mean gap, so that neither says it; `count` places take at most count (low + 3) bits.
inline unsigned low_bits(std::uint32_t parameters, std::size_t count) noexcept {
  return static_cast<unsigned>(std::bit_width(parameters / count)) - 1;
}

inline void put_places(byte_writer& out, const encoded_numbers& x) {
  const unsigned low = low_bits(x.parameters, x.places.size());
  bit_writer bits;
  std::uint32_t next = 0;
  for (const auto place : x.places) {
    const std::uint32_t gap = place - next;
    for (std::uint32_t q = gap >> low; q > 0; --q) bits.put(0, 1);
    bits.put(1, 1);
    bits.put(gap, low);
    next = place + 1;
  }
  out.put(bits.view());
}

/// Errors    N009: cut short, a place beyond the last, bits behind the last place
inline status take_places(byte_reader& in, std::span<const std::byte> left, std::size_t count,
                          encoded_numbers& x) {
  bit_reader bits(left);
  const auto short_of = [&] {
    return error::of(fault::message, "encoded update: cut short at place ", x.places.size(), " of ", count);
  };
  if (count > bits.left()) return short_of();
  const unsigned low = low_bits(x.parameters, count);
  x.places.reserve(count);
  for (std::uint64_t next = 0; x.places.size() < count;) {
    std::uint64_t gap = 0;
    for (;; ++gap) {
      if (bits.left() == 0) return short_of();
      if (bits.take(1) == 1) break;
    }
    if (low > bits.left()) return short_of();
    gap = gap << low | bits.take(low);
    if (next + gap >= x.parameters)
      return error::of(fault::message, "encoded update: place ", x.places.size(), " is ", next + gap,
                       ", beyond ", x.parameters, " numbers");
    x.places.push_back(static_cast<std::uint32_t>(next + gap));
    next += gap + 1;
  }
  if (!bits.rest_is_zero())
    return error::of(fault::message, "encoded update: bits behind the last place are not zero");
  return *in.take_bytes(bits.bytes()), status(nothing{});
}

inline void put_levels(byte_writer& out, const encoded_numbers& x) {
  put_numbers(out, std::span<const float>(x.scales));
  bit_writer bits;
  for (const auto level : x.levels)
    bits.put(x.bits == 1 ? static_cast<std::uint32_t>(level < 0) : static_cast<std::uint32_t>(level), x.bits);
  out.put(bits.view());
}

/// Errors    N009 for any other length than these levels have, and for bits behind the last
inline status take_levels(byte_reader& in, std::size_t count, encoded_numbers& x) {
  const std::uint64_t scales = encoded_numbers::blocks(count, x.block),
                      bytes = (std::uint64_t{count} * x.bits + 7) / 8;
  if (in.left() != 4 * scales + bytes)
    return error::of(fault::message, "encoded update: ", in.left(), " bytes of levels, ", count, " of ",
                     x.bits, " bits take ", 4 * scales + bytes);
  for (std::uint64_t i = 0; i < scales; ++i) x.scales.push_back(*in.take<float>());
  bit_reader bits(*in.take_bytes(bytes));
  x.levels.resize(count);
  for (auto& level : x.levels) {
    const auto word = bits.take(x.bits);
    level = x.bits == 1 ? static_cast<std::int8_t>(word == 0 ? 1 : -1)
            : x.bits == 4
                ? static_cast<std::int8_t>(word < 8 ? static_cast<int>(word) : static_cast<int>(word) - 16)
                : static_cast<std::int8_t>(word);
  }
  if (!bits.rest_is_zero())
    return error::of(fault::message, "encoded update: bits behind the last level are not zero");
  return nothing{};
}

} // namespace detail

/// The body of `encoded_update`; sender and schema hash stand in the header. Precondition: `check` of the numbers
/// found nothing wrong.
inline std::vector<std::byte> encode_update(const encoded_update& u) {
  const auto& x = u.numbers;
  byte_writer out;
  detail::put_update_head(out, u);
  out.put(x.parameters).put(static_cast<std::uint32_t>(x.size()));
  out.put(static_cast<std::uint8_t>(x.holds)).put(static_cast<std::uint8_t>(x.bits)).put(x.block);
  if (x.holds == support::masked) out.put(x.seed).put(x.stream);
  if (x.holds == support::listed) detail::put_places(out, x);
  if (x.bits == 32)
    detail::put_numbers(out, std::span<const float>(x.values));
  else
    detail::put_levels(out, x);
  return std::move(out).take();
}

/// Nothing of it is believed, and nothing is allocated for a number that is not there: `decode` makes a whole
/// vector of it, for a receiver that knows how long that is.
///
/// Errors    N009, with the place where it is wrong
inline result<encoded_update> decode_encoded_update(const message& m) {
  byte_reader in(m.body, "encoded update");
  auto u = detail::take_update_head<encoded_update>(in, m, "encoded update", detail::update_head + 12);
  if (!u) return u;
  auto& x = u->numbers;
  x.parameters = *in.take<std::uint32_t>();
  const std::size_t count = *in.take<std::uint32_t>();
  const unsigned holds = *in.take<std::uint8_t>();
  x.bits = *in.take<std::uint8_t>();
  x.block = *in.take<std::uint16_t>();
  if (holds > 2) return error::of(fault::message, "encoded update: support ", holds, " is none of 0 to 2");
  if (!encoded_numbers::knows(x.bits))
    return error::of(fault::message, "encoded update: ", x.bits, " bits a number, expected 32, 8, 4 or 1");
  if (x.bits == 32 && x.block != 0)
    return error::of(fault::message, "encoded update: blocks of ", x.block, " floats, which have no scale");
  if (count == 0 || count > x.parameters)
    return error::of(fault::message, "encoded update: ", count, " numbers of ", x.parameters);
  x.holds = static_cast<support>(holds);
  if (x.holds == support::masked) {
    if (in.left() < 16) return error::of(fault::message, "encoded update: cut short in its mask");
    x.seed = *in.take<std::uint64_t>();
    x.stream = *in.take<std::uint64_t>();
  } else if (x.holds == support::listed) {
    const auto left = std::span<const std::byte>(m.body).subspan(in.offset());
    if (auto good = detail::take_places(in, left, count, x); !good) return good.error();
  }
  if (x.bits == 32) {
    if (in.left() != 4 * std::uint64_t{count})
      return error::of(fault::message, "encoded update: ", in.left(), " bytes for ", count, " floats");
    auto values = detail::take_numbers<float>(in, "encoded update");
    if (!values) return values.error();
    x.values = std::move(*values);
  } else if (auto good = detail::take_levels(in, count, x); !good) {
    return good.error();
  }
  if (auto good = x.check(); !good) return good.error();
  return u;
}

} // namespace privet
