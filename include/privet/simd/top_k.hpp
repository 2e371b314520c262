#pragma once
// The k largest of many floats by magnitude. Without its sign bit a float orders as an integer, so
// the k-th is found by counting leading bits, exactly, and nothing is sorted: docs/simd/top_k.md.

#include <privet/simd/arch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// |x| as an integer of the same order: zero, denormals, numbers, infinity, then every NaN.
inline std::uint32_t magnitude(float x) noexcept { return std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFF; }
/// Of a magnitude: itself.
inline std::uint32_t magnitude(std::uint32_t x) noexcept { return x; }

/// Where the k largest end: all magnitudes above `bits`, and the first `equal` of those equal to it.
struct top_k_cut {
  std::uint32_t bits = 0x7FFFFFFF;
  std::size_t equal = 0;
};

namespace detail::selection {

/// Magnitudes from `first` to `last`, both in.
struct magnitudes {
  std::uint32_t first = 0, last = 0x7FFFFFFF;
};

/// The k-th magnitude of x, which lies in `range`, by halving it: one count of x for each bit.
template <class T>
top_k_cut halve(std::span<const T> x, std::size_t k, magnitudes range) noexcept {
  const auto count_from = [&](std::uint32_t least) {
    std::size_t count = 0;
    for (const T v : x) count += simd::magnitude(v) >= least;
    return count;
  };
  while (range.first < range.last) {
    const std::uint32_t middle = range.last - (range.last - range.first) / 2;
    if (count_from(middle) >= k)
      range.first = middle;
    else
      range.last = middle - 1;
  }
  return {range.first, k - count_from(range.first + 1)};
}

} // namespace detail::selection

/// Scalar reference of `top_k`.
inline void top_k_reference(std::span<const float> x, std::span<std::uint32_t> indices,
                            std::span<float> values) noexcept {
  const std::size_t k = indices.size();
  top_k_cut cut;
  if (k > 0) cut = detail::selection::halve(x, k, {});
  for (std::size_t i = 0, to = 0; to < k; ++i) {
    const std::uint32_t m = simd::magnitude(x[i]);
    if (m < cut.bits || (m == cut.bits && cut.equal == 0)) continue;
    if (m == cut.bits) --cut.equal;
    indices[to] = static_cast<std::uint32_t>(i);
    values[to++] = x[i];
  }
}

namespace detail::selection {

// ---- lanes that are kept, moved together -------------------------------------------------------

inline std::size_t ones(unsigned mask) noexcept { return static_cast<std::size_t>(__builtin_popcount(mask)); }

/// A vector of 32-bit lanes whose comparisons give one bit for each lane, where the target can move
/// the lanes of a mask together in a few instructions.
template <std::size_t Bytes>
struct packed_lanes {
  static constexpr bool available = false;
};

#if defined(__AVX512F__)
template <>
struct packed_lanes<64> {
  static constexpr bool available = true;
  using vector = __m512i;
  static vector load(const void* from) noexcept { return _mm512_loadu_si512(from); }
  static void store(void* to, vector v) noexcept { _mm512_storeu_si512(to, v); }
  static vector all(std::uint32_t x) noexcept { return _mm512_set1_epi32(static_cast<int>(x)); }
  static vector both(vector a, vector b) noexcept { return _mm512_and_si512(a, b); }
  static vector sum(vector a, vector b) noexcept { return _mm512_add_epi32(a, b); }
  static vector numbers() noexcept {
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  static unsigned above(vector a, vector b) noexcept { return _mm512_cmpgt_epi32_mask(a, b); }
  static unsigned equal(vector a, vector b) noexcept { return _mm512_cmpeq_epi32_mask(a, b); }
  static vector pack(unsigned mask, vector v) noexcept { // the form that writes to memory is slow on some
    return _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), v);
  }
};
#endif

#if defined(__AVX2__)
/// Row m: the numbers of the bits that are set in m, ascending.
inline constexpr auto set_bits = [] {
  std::array<std::array<std::uint8_t, 8>, 256> rows{};
  for (unsigned m = 0; m < 256; ++m)
    for (std::uint8_t bit = 0, to = 0; bit < 8; ++bit)
      if (m >> bit & 1) rows[m][to++] = bit;
  return rows;
}();

template <>
struct packed_lanes<32> {
  static constexpr bool available = true;
  using vector = __m256i;
  static vector load(const void* from) noexcept {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static void store(void* to, vector v) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(to), v); }
  static vector all(std::uint32_t x) noexcept { return _mm256_set1_epi32(static_cast<int>(x)); }
  static vector both(vector a, vector b) noexcept { return _mm256_and_si256(a, b); }
  static vector sum(vector a, vector b) noexcept { return _mm256_add_epi32(a, b); }
  static vector numbers() noexcept { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
  static unsigned above(vector a, vector b) noexcept { return bits(_mm256_cmpgt_epi32(a, b)); }
  static unsigned equal(vector a, vector b) noexcept { return bits(_mm256_cmpeq_epi32(a, b)); }
  static vector pack(unsigned mask, vector v) noexcept {
    const auto row = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(set_bits.data() + mask));
    return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(row));
  }

 private:
  static unsigned bits(__m256i mask) noexcept {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
  }
};
#endif

template <class Arch>
using packed_lanes_of = packed_lanes<std::same_as<Arch, scalar> ? 0 : sizeof(batch<float, Arch>)>;

/// Elements that may be passed over together when none of them counts.
template <class Arch>
inline constexpr std::size_t group = 4 * width<float, Arch>;

template <class Arch, class T>
bool any_at_least(const T* x, std::uint32_t least) noexcept {
  if constexpr (std::same_as<Arch, scalar>) {
    return true;
  } else {
    using vector = batch<std::int32_t, Arch>;
    const vector no_sign(0x7FFFFFFF);
    auto top = std::bit_cast<vector>(simd::load<Arch>(x)) & no_sign;
    PRIVET_UNROLL for (std::size_t v = 1; v < 4; ++v) {
      const auto next = std::bit_cast<vector>(simd::load<Arch>(x + v * width<float, Arch>));
      top = xsimd::max(top, vector(next & no_sign));
    }
    return xsimd::any(top > vector(static_cast<std::int32_t>(least) - 1));
  }
}

/// Whether to look for such groups, of which one in eight may count: a branch that nobody can foresee
/// costs more than the work that it spares.
template <class Arch>
bool worth_a_look(std::size_t expected, std::size_t of) noexcept {
  return !packed_lanes_of<Arch>::available || expected * group<Arch> < of / 8;
}

// ---- the k-th magnitude ------------------------------------------------------------------------

/// How many elements lie in a range, and how many above it.
struct found {
  std::size_t inside = 0, above = 0;
};

template <class T>
found count(std::span<const T> x, magnitudes range) noexcept {
  found f;
  for (const T v : x) {
    const std::uint32_t m = simd::magnitude(v);
    f.inside += m - range.first <= range.last - range.first;
    f.above += m > range.last;
  }
  return f;
}

/// Copies the magnitudes in a range to `room`, in order, and counts those above; ends early when
/// `room` is full. It may begin where x does. `expected` to lie in the range or above it.
template <class Arch, class T>
found gather(std::span<const T> x, magnitudes range, std::size_t expected,
             std::span<std::uint32_t> room) noexcept {
  const bool look = worth_a_look<Arch>(expected, x.size());
  found f;
  std::size_t i = 0;
  const auto one_by_one = [&](std::size_t end) {
    for (; i < end && f.inside < room.size(); ++i) {
      const std::uint32_t m = simd::magnitude(x[i]);
      room[f.inside] = m;
      f.inside += m - range.first <= range.last - range.first;
      f.above += m > range.last;
    }
  };
  using lanes = packed_lanes_of<Arch>;
  while (i + group<Arch> <= x.size() && f.inside + group<Arch> <= room.size()) {
    if (look && !any_at_least<Arch>(x.data() + i, range.first)) {
      i += group<Arch>;
    } else if constexpr (!lanes::available) {
      one_by_one(i + group<Arch>);
    } else {
      const auto no_sign = lanes::all(0x7FFFFFFF), below = lanes::all(range.first - 1),
                 last = lanes::all(range.last);
      PRIVET_UNROLL for (std::size_t v = 0; v < 4; ++v, i += width<float, Arch>) {
        const auto m = lanes::both(lanes::load(x.data() + i), no_sign);
        const unsigned above = lanes::above(m, last), inside = lanes::above(m, below) & ~above;
        lanes::store(room.data() + f.inside, lanes::pack(inside, m));
        f.inside += ones(inside);
        f.above += ones(above);
      }
    }
  }
  one_by_one(x.size());
  return f;
}

inline constexpr int digit_bits = 11, sample_bits = 13;
/// Neighbours are counted in different tables: equal ones would wait for each other's count to
/// arrive in memory.
inline constexpr std::size_t tables = 4;
inline constexpr std::size_t block = 1024;

/// What a search needs beside x, on the stack.
struct memory {
  std::uint32_t counts[tables << digit_bits];
  std::uint32_t part[block + 64], set_apart[4096];
};

/// Counts by (m - first) >> shift.
template <class T>
void add_counts(std::span<const T> x, std::uint32_t first, int shift, std::uint32_t* counts) noexcept {
  std::size_t i = 0;
  for (; i + tables <= x.size(); i += tables) {
    PRIVET_UNROLL for (std::size_t t = 0; t < tables; ++t) {
      counts[((simd::magnitude(x[i + t]) - first) >> shift) + (t << digit_bits)] += 1;
    }
  }
  for (; i < x.size(); ++i) counts[(simd::magnitude(x[i]) - first) >> shift] += 1;
}

/// The shift that leaves so many bits of what differs within a range.
inline int shift_to(int bits, magnitudes range) noexcept {
  const int differing = 32 - __builtin_clz((range.last - range.first) | 1);
  return differing > bits ? differing - bits : 0;
}

/// Narrows a range to the bin that holds the k-th from the top, or to the lowest; `f.above` grows by
/// those above.
template <std::size_t Tables>
void narrow_to_bin(std::size_t k, int shift, const std::uint32_t* counts, magnitudes& range,
                   found& f) noexcept {
  constexpr std::uint32_t bins = (tables << digit_bits) / Tables;
  std::uint32_t number = bins;
  f.inside = 0;
  do {
    --number;
    f.above += f.inside;
    f.inside = 0;
    PRIVET_UNROLL for (std::size_t t = 0; t < Tables; ++t) f.inside += counts[t * bins + number];
  } while (f.above + f.inside < k && number > 0);
  range.first += number << shift;
  range.last = std::min(range.last, range.first + ((1u << shift) - 1));
}

/// For so few, halving takes less time than clearing the tables.
inline constexpr std::size_t few = 192;

/// The k-th magnitude of x, which lies in `range`. `f` are the numbers of elements inside and above.
template <class Arch, class T>
top_k_cut search(std::span<const T> x, std::size_t k, magnitudes range, found f,
                 std::span<std::uint32_t> room, memory& mine) noexcept {
  while (range.first != range.last) {
    if (f.inside <= few || (f.inside < room.size() && f.inside < x.size())) {
      gather<Arch>(x, range, f.above + f.inside, room);
      const std::span<const std::uint32_t> rest = room.first(f.inside);
      if (f.inside <= few) return halve(rest, k - f.above, range);
      return search<Arch>(rest, k - f.above, range, {f.inside, 0}, room, mine);
    }
    const int shift = shift_to(digit_bits, range);
    std::memset(mine.counts, 0, sizeof mine.counts);
    if (f.inside == x.size()) {
      add_counts(x, range.first, shift, mine.counts);
    } else {
      for (std::size_t i = 0; i < x.size(); i += block) {
        const auto some = gather<Arch>(x.subspan(i, std::min(block, x.size() - i)), range, block, mine.part);
        add_counts(std::span<const std::uint32_t>(mine.part, some.inside), range.first, shift, mine.counts);
      }
    }
    narrow_to_bin<tables>(k, shift, mine.counts, range, f);
  }
  return {range.first, k - f.above};
}

/// From so many on, a sample says where the k-th is likely to be.
inline constexpr std::size_t many = 1u << 15;

/// The range in which the k-th should lie by a sample, four standard deviations away on either side.
/// Sampled is one line of 16 floats in 61, a prime, so that no column of a matrix is missed; again
/// with finer bins, until no more than `room` elements are expected, or the range stays wide.
inline magnitudes guess(std::span<const float> x, std::size_t k, std::size_t room,
                        std::uint32_t* counts) noexcept {
  constexpr std::size_t line = 16, stride = 61 * line;
  const std::size_t lines = x.size() / stride, size = lines * line;
  const double share = static_cast<double>(k) / static_cast<double>(x.size()),
               mean = share * static_cast<double>(size), away = 4 * std::sqrt(mean * (1 - share)) + 4;
  const std::size_t from = mean > away ? static_cast<std::size_t>(mean - away) : 0,
                    to = std::min(size, static_cast<std::size_t>(mean + away) + 1);
  magnitudes range;
  for (std::size_t above = 0;;) {
    const int shift = shift_to(sample_bits, range);
    std::memset(counts, 0, sizeof(std::uint32_t) << sample_bits);
    for (std::size_t l = 0; l < lines; ++l)
      for (std::size_t j = 0; j < line; ++j) {
        const std::uint32_t m = simd::magnitude(x[l * stride + j]) - range.first;
        if (m <= range.last - range.first) ++counts[m >> shift];
      }
    magnitudes top = range, bottom = range;
    found at_top{0, above}, at_bottom{0, above};
    narrow_to_bin<1>(std::max<std::size_t>(from, 1), shift, counts, top, at_top);
    narrow_to_bin<1>(to, shift, counts, bottom, at_bottom);
    const bool narrower = top.last - bottom.first < (range.last - range.first) / 2;
    range = {bottom.first, top.last};
    above = at_top.above;
    const std::size_t inside = at_bottom.above + at_bottom.inside - above;
    if (narrower && inside * (x.size() / size) > room) continue;
    if (range.first == range.last) return range; // one value, shared by many
    if (from == 0) range.last = magnitudes{}.last;
    if (to == size) range.first = magnitudes{}.first; // the sample knows no bound
    return range;
  }
}

// ---- the result --------------------------------------------------------------------------------

/// Writes the first `count` lanes; all of them where there is room.
template <class Lanes>
void put(std::span<std::uint32_t> to, typename Lanes::vector v, std::size_t count) noexcept {
  constexpr std::size_t w = sizeof(v) / sizeof(std::uint32_t);
  if (to.size() >= w) return Lanes::store(to.data(), v);
  std::uint32_t lanes[w];
  Lanes::store(lanes, v);
  std::memcpy(to.data(), lanes, std::min(to.size(), count) * sizeof(std::uint32_t));
}

/// What a cut leaves, in order.
template <class Arch>
void take(std::span<const float> x, top_k_cut cut, std::span<std::uint32_t> indices,
          std::span<float> values) noexcept {
  const bool look = worth_a_look<Arch>(indices.size(), x.size());
  std::size_t i = 0, to = 0;
  const auto one_by_one = [&](std::size_t end) {
    for (; i < end && to < indices.size(); ++i) {
      const std::uint32_t m = simd::magnitude(x[i]);
      const bool same = m == cut.bits && cut.equal > 0;
      indices[to] = static_cast<std::uint32_t>(i);
      to += same || m > cut.bits;
      cut.equal -= same;
    }
  };
  using lanes = packed_lanes_of<Arch>;
  while (i + group<Arch> <= x.size() && to < indices.size()) {
    if (look && !any_at_least<Arch>(x.data() + i, cut.bits)) {
      i += group<Arch>;
    } else if constexpr (!lanes::available) {
      one_by_one(i + group<Arch>);
    } else {
      const auto no_sign = lanes::all(0x7FFFFFFF), kth = lanes::all(cut.bits);
      PRIVET_UNROLL for (std::size_t v = 0; v < 4; ++v, i += width<float, Arch>) {
        const auto m = lanes::both(lanes::load(x.data() + i), no_sign);
        unsigned same = lanes::equal(m, kth);
        if (same != 0) [[unlikely]] {
          if (cut.equal == 0) same = 0;
          while (ones(same) > cut.equal) same &= ~(1u << (31 - __builtin_clz(same)));
          cut.equal -= ones(same);
        }
        const unsigned keep = lanes::above(m, kth) | same;
        const auto number = lanes::sum(lanes::numbers(), lanes::all(static_cast<std::uint32_t>(i)));
        put<lanes>(indices.subspan(to), lanes::pack(keep, number), ones(keep));
        to += ones(keep);
      }
    }
  }
  one_by_one(x.size());
  for (std::size_t j = 0; j < to; ++j) values[j] = x[indices[j]];
}

} // namespace detail::selection

/// Where the k largest magnitudes of x end.   `room` is memory to write into: with k words a large
/// search is quicker, but it needs none.
///
/// Requires  k <= x.size()
template <class Arch = default_arch>
top_k_cut find_top_k(std::span<const float> x, std::size_t k, std::span<std::uint32_t> room = {}) noexcept {
  using namespace detail::selection;
  if (k == 0) return {};
  memory mine;
  if (room.size() < std::size(mine.set_apart)) room = mine.set_apart;
  if (x.size() >= many) {
    const auto range = guess(x, k, room.size(), mine.counts);
    const bool one_value = range.first == range.last;
    const auto f = one_value ? detail::selection::count(x, range) : gather<Arch>(x, range, k, room);
    if (f.above < k && k <= f.above + f.inside) {
      if (one_value) return {range.first, k - f.above};
      if (f.inside < room.size())
        return search<Arch>(std::span<const std::uint32_t>(room.first(f.inside)), k - f.above, range,
                            {f.inside, 0}, room, mine);
    }
  }
  return search<Arch>(x, k, {}, {x.size(), 0}, room, mine);
}

/// The elements of x that are largest by magnitude, as many as `indices` holds, in the order of x.
/// Of equal ones at the end the first are taken. NaN is larger than infinity.
///
/// Requires  indices.size() == values.size() <= x.size() <= 2^32
/// Cost      two passes over x for most data, up to five; 53 KB of stack, no allocation
template <class Arch = default_arch>
void top_k(std::span<const float> x, std::span<std::uint32_t> indices, std::span<float> values) noexcept {
  detail::selection::take<Arch>(x, simd::find_top_k<Arch>(x, indices.size(), indices), indices, values);
}

} // namespace privet::simd::inline PRIVET_ISA
