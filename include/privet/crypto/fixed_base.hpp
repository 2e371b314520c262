#pragma once
// Powers of one number that is known in advance: a product for each window of the exponent, no squaring.

#include <privet/core/error.hpp>
#include <privet/crypto/modulus.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace privet {

/// Tables of the powers base^(e 2^(width j)) for every digit e and every window j.
///
/// Ensures   look-ups read the whole table of their window, so that time and memory accesses do not depend
///           on exponents
/// Cost      `power_each`: one product and one look-up for each window and number; tables of
///           `table_bytes()`, made once with a product for each entry
/// Errors    [N003] for a base that is not one number, or exponents that do not fit `exponent_bits`
/// Source    E. F. Brickell, D. M. Gordon, K. S. McCurley, D. B. Wilson, Fast exponentiation with
///           precomputation, EUROCRYPT 1992
/// Test      tests/crypto/fixed_base.test.cpp
template <class Arch = simd::default_arch>
class fixed_base {
  using kernel = simd::montgomery<Arch>;
  using word = std::uint64_t;
  static constexpr std::size_t lanes = kernel::lanes;

 public:
  /// Larger tables save products as long as they stay in the cache.
  static constexpr std::size_t preferred_bytes = std::size_t{16} << 20;

  /// Keeps a copy of the modulus.
  fixed_base(const modulus<Arch>& of, const residues<Arch>& base, std::size_t exponent_bits)
      : fixed_base(of, base, exponent_bits, width_for(of, exponent_bits)) {}
  /// With windows of `width` bits, 1 to 8.
  fixed_base(const modulus<Arch>& of, const residues<Arch>& base, std::size_t exponent_bits, unsigned width)
      : modulus_(of), bits_(exponent_bits), width_(width) {
    modulus_.check(base);
    require(base.size() == 1, fault::shape, "fixed_base: ", base.size(), " numbers, expected 1");
    require(exponent_bits > 0, fault::argument, "fixed_base: exponents of 0 bits");
    require(width >= 1 && width <= 8, fault::argument, "fixed_base: windows of ", width,
            " bits, expected 1 to 8");
    table_.resize(windows() * slice());
    fill(base);
  }

  std::size_t exponent_bits() const noexcept { return bits_; }
  std::size_t table_bytes() const noexcept { return table_.size() * sizeof(word); }

  /// out[i] = base^exponents[i]: (exponent_bits + 63) / 64 words for each, of which the low
  /// `exponent_bits` count.
  void power_each(std::span<const std::uint64_t> exponents, residues<Arch>& out) const {
    const std::size_t each = (bits_ + 63) / 64;
    require(exponents.size() % each == 0, fault::shape, "fixed_base: ", exponents.size(),
            " words of exponents, expected a multiple of ", each);
    const std::size_t count = exponents.size() / each, size = modulus_.group_size();
    out.resize(count, modulus_.limbs_.size());
    // A slice of the table serves several groups while it is in the cache.
    constexpr std::size_t together = 8;
    word *room = modulus_.workspace(out, 1 + together), *factor = room + modulus_.kernel_room();
    alignas(64) word digits[lanes];
    for (std::size_t first = 0; first < out.groups(); first += together) {
      const std::size_t groups = std::min(together, out.groups() - first);
      word *now[together], *other[together];
      for (std::size_t g = 0; g < groups; ++g) {
        now[g] = out.group(first + g);
        other[g] = factor + (1 + g) * size;
      }
      for (std::size_t j = 0; j < windows(); ++j)
        for (std::size_t g = 0; g < groups; ++g) {
          const std::size_t number = (first + g) * lanes;
          modulus<Arch>::read_digits(exponents.data() + number * each, each, each,
                                     std::min(lanes, count - number) - 1, j * width_, width_of(j), digits);
          kernel::lookup_shared(modulus_.limbs_.size(), table_.data() + j * slice(), entries(), digits,
                                j == 0 ? now[g] : factor);
          if (j == 0) continue;
          modulus_.multiply(now[g], factor, other[g], room);
          std::swap(now[g], other[g]);
        }
      for (std::size_t g = 0; g < groups; ++g)
        if (now[g] != out.group(first + g)) modulus_.copy(now[g], out.group(first + g));
    }
    wipe(std::span(digits));
    modulus_.wipe_workspace(out, 1 + together);
  }

 private:
  std::size_t windows() const noexcept { return (bits_ + width_ - 1) / width_; }
  std::size_t entries() const noexcept { return std::size_t{1} << width_; }
  std::size_t slice() const noexcept { return entries() * modulus_.limbs_.size(); }
  /// The last window may be narrower.
  unsigned width_of(std::size_t j) const noexcept {
    return static_cast<unsigned>(std::min<std::size_t>(width_, bits_ - j * width_));
  }

  /// The widest window, of 7 bits at most, whose tables are within `preferred_bytes`.
  static unsigned width_for(const modulus<Arch>& of, std::size_t bits) noexcept {
    for (unsigned width = 7; width > 4; --width)
      if (((bits + width - 1) / width << width) * of.limbs_.size() * sizeof(word) <= preferred_bytes)
        return width;
    return 4;
  }

  /// Digit e of each limb of window j goes to table[j][limb][e].
  void put(const word* group, std::size_t lane, std::size_t window, std::size_t entry) noexcept {
    word* to = table_.data() + window * slice() + entry;
    for (std::size_t limb = 0; limb < modulus_.limbs_.size(); ++limb)
      to[limb * entries()] = group[limb * lanes + lane];
  }

  /// As many windows at once as there are lanes.
  void fill(const residues<Arch>& base) {
    const std::size_t size = modulus_.group_size(), limbs = modulus_.limbs_.size();
    secret_words unit(size), power(size), next(size), start(size), room(modulus_.kernel_room());
    modulus_.repeat(base.group(0), start.data());
    for (std::size_t first = 0; first < windows(); first += lanes) {
      // unit: base^(2^(width (first + lane))) in each lane.
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        for (std::size_t limb = 0; limb < limbs; ++limb) unit[limb * lanes + lane] = start[limb * lanes];
        for (unsigned i = 0; i < width_; ++i) {
          modulus_.square(start.data(), next.data(), room.data());
          start.swap(next);
        }
      }
      const std::size_t used = std::min(lanes, windows() - first);
      power = modulus_.r_;
      for (std::size_t e = 0; e < entries(); ++e) {
        for (std::size_t lane = 0; lane < used; ++lane) put(power.data(), lane, first + lane, e);
        modulus_.multiply(power.data(), unit.data(), next.data(), room.data());
        power.swap(next);
      }
    }
  }

  modulus<Arch> modulus_;
  std::size_t bits_;
  unsigned width_;
  secret_words table_; ///< (windows, limbs, entries)
};

} // namespace privet
