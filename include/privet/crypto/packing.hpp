#pragma once
// How many numbers share a plaintext, and why their sums cannot overflow.

#include <privet/core/error.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace privet {

/// The numbers that clients and whoever opens their sum agree on before the first ciphertext.
///
/// A plaintext of k - 2 bits, from the lowest: slots of b bits, one number each, biased so that none is
/// negative; then the canary (crypto/cohort_key.hpp) in the bits that are left, at least 40 and guard bits.
///
/// Overflow  cannot happen: an integer lies in [-most, most], a slot holds it plus `most` in value_bits()
///           bits, and guard_bits() above them hold the carries of `clients` of them
/// Accuracy  sum_error(): a sum is off by at most half a step for each client whose numbers were in range
/// Errors    N001 from check(), naming both sides, for bits and clients that do not fit each other
/// Test      tests/crypto/packing.test.cpp
struct packing {
  std::size_t key_bits = 3072;  ///< k, the bits of the modulus n: a plaintext is below 2^(k - 2) < n
  std::uint32_t slot_bits = 32; ///< b
  std::uint32_t clients = 2;    ///< the most that one sum holds
  double range = 1;             ///< numbers lie between -range and range, both excluded, or are clipped
  int fraction_bits = 24;       ///< the integer 1 stands for 2^-fraction_bits

  /// The widest a canary is, and the narrowest.
  static constexpr std::uint32_t most_canary_bits = 64, least_canary_bits = 40;
  /// Beyond so many ranges a number is no outlier but a training that diverged: refused, not clipped.
  static constexpr double huge = 1024;

  friend bool operator==(const packing&, const packing&) = default;

  /// Largest magnitude of an integer: the last one within the range.
  std::int64_t most() const noexcept {
    return static_cast<std::int64_t>(std::ceil(std::ldexp(range, fraction_bits))) - 1;
  }
  double step() const noexcept { return std::ldexp(1.0, -fraction_bits); }
  /// How far a sum of all clients lies from that of numbers within the range, rounded to the nearest.
  double sum_error() const noexcept { return clients * step() / 2; }

  std::uint32_t value_bits() const noexcept {
    return static_cast<std::uint32_t>(std::bit_width(2 * static_cast<std::uint64_t>(most())));
  }
  /// ceil(log2(clients)).
  std::uint32_t guard_bits() const noexcept {
    return static_cast<std::uint32_t>(std::bit_width(clients - 1));
  }

  /// Numbers in one plaintext: all slots of k - 2 bits but those that the canary takes, and one at least.
  std::size_t slots() const noexcept { return (key_bits - 2 - least_canary_bits - guard_bits()) / slot_bits; }
  /// Where the canary starts, its bits before anything is added, and those of its sum.
  std::size_t canary_offset() const noexcept { return slots() * slot_bits; }
  std::uint32_t canary_bits() const noexcept { return canary_sum_bits() - guard_bits(); }
  std::uint32_t canary_sum_bits() const noexcept {
    const std::size_t left = key_bits - 2 - canary_offset();
    return left < most_canary_bits ? static_cast<std::uint32_t>(left) : most_canary_bits;
  }

  /// Little-endian 64-bit words of one plaintext.
  std::size_t words() const noexcept { return (key_bits + 63) / 64; }
  /// Plaintexts that so many numbers take.
  std::size_t plaintexts(std::size_t numbers) const noexcept {
    return numbers / slots() + (numbers % slots() != 0);
  }

  /// What is wrong with these numbers, or nothing.
  std::string problem() const {
    if (!(key_bits >= 128 && key_bits <= 16384))
      return concat("keys of ", key_bits, " bits, expected 128 to 16384");
    if (!(slot_bits >= 8 && slot_bits <= 64))
      return concat("slots of ", slot_bits, " bits, expected 8 to 64");
    if (!(clients >= 1 && clients <= (1u << 20))) return concat(clients, " clients, expected 1 to 2^20");
    if (!(fraction_bits >= 0 && fraction_bits <= 60))
      return concat(fraction_bits, " fraction bits, expected 0 to 60");
    if (const double steps = std::ldexp(range, fraction_bits); !(steps > 1 && steps <= 0x1p62))
      return concat("a range of ", range, " at ", fraction_bits, " fraction bits, which is ", steps,
                    " steps, expected more than 1 and at most 2^62");
    if (value_bits() + guard_bits() > slot_bits)
      return concat(clients, " clients need ", guard_bits(), " guard bits above numbers of ", value_bits(),
                    " bits (range ", range, ", ", fraction_bits, " fraction bits), slots of ", slot_bits,
                    " bits leave ", slot_bits < value_bits() ? 0 : slot_bits - value_bits());
    return {};
  }
  void check() const {
    const auto found = problem();
    require(found.empty(), fault::argument, "packing: ", found);
  }
};

} // namespace privet
