#pragma once
// Montgomery products of as many numbers as a vector has lanes, all modulo the same N: one digit of every
// number in a vector. A product is computed column by column, in tiles of 4 by 4 digits (2 by 2 where there
// are no vectors) whose sums stay in registers; the multiples of N that cancel the lower half are found and added on the way. Values stay below
// 2 N, R is above 4 N, and nothing is subtracted between products.

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet::simd::inline PRIVET_ISA {

/// How a kernel writes numbers: `limbs` digits of `digit` bits, the lowest first.
struct montgomery_shape {
  unsigned digit;
  std::size_t limbs;
};

/// An odd modulus N as a kernel reads it. R = 2^(digit limbs).
struct montgomery_view {
  const std::uint64_t* limbs;
  std::size_t count;
  std::uint64_t inverse; ///< -1 / N modulo 2^digit
  unsigned digit;
};

/// The kernel over what `Lanes` says of a target: how lanes are multiplied and added (montgomery_lanes.hpp).
/// Numbers are (limbs, lanes), the limbs a multiple of `side`. Time and memory accesses depend on sizes alone.
template <class Lanes>
struct montgomery_tiles {
  using word = std::uint64_t;
  using vector = typename Lanes::vector;
  using sum = typename Lanes::sum;
  using operand = typename Lanes::operand;
  static constexpr std::size_t lanes = Lanes::width;
  static constexpr std::size_t side = Lanes::side; ///< digits of a tile
  static constexpr std::size_t block = side;       ///< limbs that lie together in a table
  static constexpr std::size_t longest = 16384;    ///< bits of N
  /// Of one entry of a table, in products divided by the limbs.
  static constexpr double lookup_cost = Lanes::lookup_cost;

  static constexpr montgomery_shape shape(std::size_t bits) noexcept {
    const std::size_t room = std::max(bits + 2, (bits + 63) / 64 * 64); // R above 4 N and above every word
    unsigned digit = Lanes::widest;
    while (!Lanes::fits(digit, limbs_for(room, digit))) --digit;
    return {digit, limbs_for(room, digit)};
  }

  /// Words of memory that a product needs beside its operands. What is left there is for the caller to wipe.
  static constexpr std::size_t room(std::size_t limbs) noexcept {
    return limbs / side < Lanes::split ? 0 : (2 * limbs + room_of_halves(limbs / side)) * lanes;
  }

  /// out = a b / R modulo N, below 2 N for a, b below 2 N. `out` overlaps neither.
  [[gnu::noinline]] static void multiply(const montgomery_view& n, const word* a, const word* b, word* out,
                                         word* room) noexcept {
    const std::size_t tiles = n.count / side;
    if (tiles < Lanes::split) return reduce(n, out, product_of{a, b, tiles});
    if constexpr (Lanes::split < longest) {
      multiply_halves(a, b, tiles, room, room + 2 * n.count * lanes);
      reduce(n, out, known{room});
    }
  }

  /// out = a a / R modulo N, in three quarters of the time.
  [[gnu::noinline]] static void square(const montgomery_view& n, const word* a, word* out,
                                       word* room) noexcept {
    const std::size_t tiles = n.count / side;
    if (tiles < Lanes::split) return reduce(n, out, square_of{a});
    if constexpr (Lanes::split < longest) {
      square_halves(a, tiles, room, room + 2 * n.count * lanes);
      reduce(n, out, known{room});
    }
  }

  /// The most entries of a table.
  static constexpr std::size_t most_entries = 256;

  /// out = table[digit] for each lane with its own table, by reading all of it.
  /// table (limbs / block, entries, block, lanes)
  static void lookup(std::size_t limbs, const word* table, std::size_t entries, const word* digits,
                     word* out) noexcept {
    with_places(
        entries, digits, [&](const auto& place) __attribute__((always_inline)) {
          for (std::size_t l = 0; l < limbs; l += side, out += step) {
            vector found[side];
            PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) found[j] = Lanes::all(0);
            for (std::size_t e = 0; e < entries; ++e, table += step) {
              const auto here = place(e);
              PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
                found[j] = Lanes::add_where(found[j], here, Lanes::load(table + j * lanes));
              }
            }
            PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) Lanes::store(out + j * lanes, found[j]);
          }
        });
  }
  /// out = table[digit] from one table for all lanes. table (limbs, entries)
  static void lookup_shared(std::size_t limbs, const word* table, std::size_t entries, const word* digits,
                            word* out) noexcept {
    with_places(
        entries, digits, [&](const auto& place) __attribute__((always_inline)) {
          for (std::size_t l = 0; l < limbs; ++l, table += entries, out += lanes) {
            vector found = Lanes::all(0);
            std::size_t e = 0;
            if constexpr (requires { Lanes::pick_of_16(table, found); }) {
              const vector wanted = Lanes::load(digits), upper = Lanes::shift_right(wanted, 4);
              for (; e + 16 <= entries; e += 16)
                found = Lanes::add_where(found, Lanes::equal(upper, Lanes::all(e / 16)),
                                         Lanes::pick_of_16(table + e, wanted));
            }
            for (; e < entries; ++e) found = Lanes::add_where(found, place(e), Lanes::all(table[e]));
            Lanes::store(out, found);
          }
        });
  }

 private:
  static constexpr std::size_t step = side * lanes;

  /// Calls f(place), where place(e) tells the lanes whose digit is e. One lane alone finds all of them first:
  /// a compiler that sees a word compared where it is used makes a branch of it.
  template <class F>
  [[gnu::always_inline]] static inline void with_places(std::size_t entries, const word* digits,
                                                        const F& f) noexcept {
    const vector wanted = Lanes::load(digits);
    if constexpr (lanes == 1) {
      word places[most_entries];
      for (std::size_t e = 0; e < entries; ++e) places[e] = Lanes::equal(wanted, e);
      f([&](std::size_t e) { return places[e]; });
      wipe(std::span(places).first(entries));
    } else {
      f([&](std::size_t e) { return Lanes::equal(wanted, Lanes::all(e)); });
    }
  }

  static constexpr std::size_t limbs_for(std::size_t bits, unsigned digit) noexcept {
    return (bits + side * digit - 1) / (side * digit) * side;
  }

  /// The sums of the columns that a tile reaches: products of digits i and j go to i + j, or their halves to i + j and,
  /// where the target multiplies so, i + j + 1 (kept at i + j too: apart, the sums wait less for each other).
  struct columns {
    sum low[2 * side - 1], high[Lanes::halves ? 2 * side - 1 : 1];
  };

  [[gnu::always_inline]] static inline void add_product(columns& sums, std::size_t at, operand a,
                                                        operand b) noexcept {
    sums.low[at] = Lanes::add_low(sums.low[at], a, b);
    if constexpr (Lanes::halves) sums.high[at] = Lanes::add_high(sums.high[at], a, b);
  }
  [[gnu::always_inline]] static inline void add_tile(columns& sums, const word* a,
                                                     const operand (&b)[side]) noexcept {
    PRIVET_UNROLL for (std::size_t i = 0; i < side; ++i) {
      const auto left = Lanes::ready(Lanes::load(a + i * lanes));
      PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) add_product(sums, i + j, left, b[j]);
    }
  }
  [[gnu::always_inline]] static inline void add_beside_diagonal(columns& sums, const word* a) noexcept {
    operand digits[side];
    PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) digits[j] = Lanes::ready(Lanes::load(a + j * lanes));
    PRIVET_UNROLL for (std::size_t i = 0; i < side; ++i) {
      PRIVET_UNROLL for (std::size_t j = i + 1; j < side; ++j) add_product(sums, i + j, digits[i], digits[j]);
    }
  }
  [[gnu::always_inline]] static inline void add_diagonal(columns& sums, const word* a) noexcept {
    PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
      const auto digit = Lanes::ready(Lanes::load(a + j * lanes));
      add_product(sums, 2 * j, digit, digit);
    }
  }
  [[gnu::always_inline]] static inline void double_up(columns& sums) noexcept {
    PRIVET_UNROLL for (std::size_t j = 0; j < 2 * side - 1; ++j) {
      sums.low[j] = Lanes::add(sums.low[j], sums.low[j]);
      if constexpr (Lanes::halves) sums.high[j] = Lanes::add(sums.high[j], sums.high[j]);
    }
  }

  // What adds the tiles i + j = k of a product to `side` columns, i from `first` to `last`.

  struct product_of {
    const word *a, *b;
    std::size_t tiles;
    [[gnu::always_inline]] inline void operator()(columns& sums, std::size_t k, std::size_t first,
                                                  std::size_t last) const noexcept {
      if (k == 2 * tiles - 1) return; // carries alone
      const word *from = a + first * step, *other = b + (k - first) * step;
      const word* const end = a + last * step;
      do {
        operand right[side];
        PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
          right[j] = Lanes::ready(Lanes::load(other + j * lanes));
        }
        add_tile(sums, from, right);
        from += step;
        other -= step;
      } while (from <= end);
    }
  };
  struct square_of {
    const word* a;
    [[gnu::always_inline]] inline void operator()(columns& sums, std::size_t k, std::size_t first,
                                                  std::size_t) const noexcept {
      // a_i a_j with i < j once, then doubled; the tile on the diagonal has both kinds.
      const word *from = a + first * step, *other = a + (k - first) * step;
      for (; from < other; from += step, other -= step) {
        operand right[side];
        PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
          right[j] = Lanes::ready(Lanes::load(other + j * lanes));
        }
        add_tile(sums, from, right);
      }
      if (from == other) add_beside_diagonal(sums, from);
      double_up(sums);
      if (from == other) add_diagonal(sums, from);
    }
  };
  /// Columns that are there.
  struct known {
    const word* from;
    [[gnu::always_inline]] inline void operator()(columns& sums, std::size_t k, std::size_t,
                                                  std::size_t) const noexcept {
      PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
        sums.low[j] = Lanes::load(from + k * step + j * lanes);
      }
    }
  };

  [[gnu::always_inline]] static inline void clear(columns& sums) noexcept {
    PRIVET_UNROLL for (std::size_t j = 0; j < 2 * side - 1; ++j) {
      sums.low[j] = Lanes::zero();
      if constexpr (Lanes::halves) sums.high[j] = Lanes::zero();
    }
  }
  /// The columns of which `sums` are the parts; `next` came from those before.
  [[gnu::always_inline]] static inline void collect(const columns& sums, const sum (&next)[side],
                                                    sum (&column)[2 * side]) noexcept {
    PRIVET_UNROLL for (std::size_t j = 0; j < 2 * side; ++j) {
      column[j] = j < 2 * side - 1 ? sums.low[std::min(j, 2 * side - 2)] : Lanes::zero();
      if constexpr (Lanes::halves)
        if (j > 0) column[j] = Lanes::add(column[j], sums.high[j > 0 ? j - 1 : 0]);
      if (j < side) column[j] = Lanes::add(column[j], next[j < side ? j : 0]);
    }
  }

  /// The product that `add` adds up, divided by R: `side` columns at a time. `out` holds the multipliers of N
  /// until the digits of the result take their place.
  template <class F>
  [[gnu::always_inline]] static inline void reduce(const montgomery_view& n, word* out,
                                                   const F& add) noexcept {
    const std::size_t tiles = n.count / side;
    sum next[side];
    PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) next[j] = Lanes::zero();
    for (std::size_t k = 0; k < 2 * tiles; ++k) {
      const bool lower = k < tiles;
      const std::size_t first = lower ? 0 : k - tiles + 1, last = lower ? k : tiles - 1;
      columns sums;
      clear(sums);
      add(sums, k, first, last);
      const std::size_t count = lower ? k : 2 * tiles - 1 - k;
      if (count > 0) {
        const word *multipliers = out + first * step, *digits = n.limbs + (k - first) * side;
        const word* const end = multipliers + count * step;
        do {
          operand right[side];
          PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) right[j] = Lanes::ready_all(digits[j]);
          add_tile(sums, multipliers, right);
          multipliers += step;
          digits -= side;
        } while (multipliers < end);
      }
      sum column[2 * side];
      collect(sums, next, column);
      if (lower)
        cancel(n, column, out + k * step);
      else
        carry(n.digit, column, out + (k - tiles) * step);
      PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) next[j] = column[side + j];
    }
  }

  /// The columns of a product as they are, without carries.
  template <class F>
  [[gnu::always_inline]] static inline void add_up(std::size_t tiles, word* out, const F& add) noexcept {
    sum next[side];
    PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) next[j] = Lanes::zero();
    for (std::size_t k = 0; k < 2 * tiles; ++k, out += step) {
      columns sums;
      clear(sums);
      add(sums, k, k < tiles ? 0 : k - tiles + 1, k < tiles ? k : tiles - 1);
      sum column[2 * side];
      collect(sums, next, column);
      PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
        Lanes::store(out + j * lanes, column[j]);
        next[j] = column[side + j];
      }
    }
  }

  // Long numbers, by A. Karatsuba and Yu. Ofman, Multiplication of multidigit numbers on automata, 1962:
  // (a0 + a1 x) (b0 + b1 x) = a0 b0 + ((a0 + a1) (b0 + b1) - a0 b0 - a1 b1) x + a1 b1 x^2. There are no carries
  // between columns: a digit of a sum grows by one bit each time a number is split, which 32 bits have
  // room for, and what overflows 64 bits on the way comes back.

  static constexpr std::size_t room_of_halves(std::size_t tiles) noexcept { // in digits
    const std::size_t half = (tiles + 1) / 2;
    return tiles < Lanes::split ? 0 : 16 * half + room_of_halves(half);
  }

  [[gnu::noinline]] static void multiply_halves(const word* a, const word* b, std::size_t tiles, word* out,
                                                word* room) noexcept {
    if (tiles < Lanes::split) return add_up(tiles, out, product_of{a, b, tiles});
    const std::size_t half = (tiles + 1) / 2, rest = tiles - half;
    word *left = room, *right = left + half * step, *middle = right + half * step;
    word* const below = middle + 2 * half * step;
    add_halves(a, half, rest, left);
    add_halves(b, half, rest, right);
    multiply_halves(left, right, half, middle, below);
    multiply_halves(a, b, half, out, below);
    multiply_halves(a + half * step, b + half * step, rest, out + 2 * half * step, below);
    add_middle(middle, half, rest, out);
  }
  [[gnu::noinline]] static void square_halves(const word* a, std::size_t tiles, word* out,
                                              word* room) noexcept {
    if (tiles < Lanes::split) return add_up(tiles, out, square_of{a});
    const std::size_t half = (tiles + 1) / 2, rest = tiles - half;
    word *sum = room, *middle = sum + 2 * half * step;
    word* const below = middle + 2 * half * step;
    add_halves(a, half, rest, sum);
    square_halves(sum, half, middle, below);
    square_halves(a, half, out, below);
    square_halves(a + half * step, rest, out + 2 * half * step, below);
    add_middle(middle, half, rest, out);
  }

  static void add_halves(const word* a, std::size_t half, std::size_t rest, word* out) noexcept {
    std::size_t i = 0;
    for (; i < rest * step; i += lanes)
      Lanes::store(out + i, Lanes::add(Lanes::load(a + i), Lanes::load(a + half * step + i)));
    for (; i < half * step; i += lanes) Lanes::store(out + i, Lanes::load(a + i));
  }
  static void add_middle(word* middle, std::size_t half, std::size_t rest, word* out) noexcept {
    const word *low = out, *high = out + 2 * half * step;
    for (std::size_t i = 0; i < 2 * half * step; i += lanes) {
      vector sum = Lanes::subtract(Lanes::load(middle + i), Lanes::load(low + i));
      if (i < 2 * rest * step) sum = Lanes::subtract(sum, Lanes::load(high + i));
      Lanes::store(middle + i, sum);
    }
    out += half * step;
    for (std::size_t i = 0; i < std::min(2 * half, half + 2 * rest) * step; i += lanes)
      Lanes::store(out + i, Lanes::add(Lanes::load(out + i), Lanes::load(middle + i)));
  }

  /// Finds the digits of the multiplier that make the lowest `side` columns zero, and adds the multiple of N.
  [[gnu::always_inline]] static inline void cancel(const montgomery_view& n, sum (&column)[2 * side],
                                                   word* multipliers) noexcept {
    const auto inverse = Lanes::ready_all(n.inverse);
    const vector mask = Lanes::all((word{1} << n.digit) - 1);
    operand right[side];
    PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) right[j] = Lanes::ready_all(n.limbs[j]);
    PRIVET_UNROLL for (std::size_t i = 0; i < side; ++i) {
      const vector found = Lanes::both(Lanes::add_low(Lanes::zero(), Lanes::ready(column[i]), inverse), mask);
      Lanes::store(multipliers + i * lanes, found);
      const auto left = Lanes::ready(found);
      PRIVET_UNROLL for (std::size_t j = 0; j < side; ++j) {
        if constexpr (Lanes::halves) {
          if (j > 0) column[i + j] = Lanes::add_low(column[i + j], left, right[j]);
          column[i + j + 1] = Lanes::add_high(column[i + j + 1], left, right[j]);
        } else {
          column[i + j] = Lanes::add_low(column[i + j], left, right[j]);
        }
      }
      // The digit is zero now. With halves, its low product was left out: it carries 1 unless it was zero before.
      if constexpr (Lanes::halves) column[i] = Lanes::add(column[i], mask);
      column[i + 1] = Lanes::add(column[i + 1], Lanes::shift_right(column[i], n.digit));
    }
  }

  [[gnu::always_inline]] static inline void carry(unsigned digit, sum (&column)[2 * side],
                                                  word* out) noexcept {
    const vector mask = Lanes::all((word{1} << digit) - 1);
    PRIVET_UNROLL for (std::size_t i = 0; i < side; ++i) {
      Lanes::store(out + i * lanes, Lanes::both(column[i], mask));
      column[i + 1] = Lanes::add(column[i + 1], Lanes::shift_right(column[i], digit));
    }
  }
};

} // namespace privet::simd::inline PRIVET_ISA
