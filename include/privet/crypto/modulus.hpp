#pragma once
// Arithmetic modulo an odd number on batches: as many numbers side by side as the vectors have lanes.

#include <privet/core/error.hpp>
#include <privet/core/wipe.hpp>
#include <privet/crypto/residues.hpp>
#include <privet/crypto/words.hpp>
#include <privet/simd/montgomery.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace privet {

namespace detail {

/// The width of a window, in bits, with the fewest products: a table of 2^width, then one look-up that
/// reads all of the table, and one product, for each window.
inline unsigned window_width(std::size_t bits, double lookup_cost_of_entry) noexcept {
  unsigned best = 1;
  double least = 1e300;
  for (unsigned width = 1; width <= 7; ++width) {
    const auto entries = static_cast<double>(1u << width);
    const auto windows = static_cast<double>((bits + width - 1) / width);
    const double cost = 0.9 * (entries - 2) + (windows - 1) + windows * entries * lookup_cost_of_entry;
    if (cost < least) {
      least = cost;
      best = width;
    }
  }
  return best;
}

/// The same for windows that slide to the next bit of 1, over a table of odd powers.
inline unsigned sliding_width(std::size_t bits) noexcept {
  unsigned width = 1;
  while (width < 8 && bits / (width + 1) > bits / (width + 2) + (std::size_t{1} << (width - 1))) ++width;
  return width;
}

} // namespace detail

/// An odd modulus N and its arithmetic. One modulus may serve several threads, a batch one at a time.
///
/// Requires  128 <= bits <= 16384
/// Ensures   time and memory accesses depend on sizes alone (counts, bits of N and of exponents), never on
///           N, numbers or exponents; only the weights of `weighted_product` and the exponent of
///           `power_public` are public. An `out` of the right size is not allocated again; the room an
///           operation needs is allocated in it the first time and kept
/// Privacy   a modulus and its batches wipe themselves; `power` wipes its tables and what lies between at once
/// Errors    [N001] for an even modulus or one of a refused size, [N003] for batches that do not fit
/// Source    P. L. Montgomery, Mathematics of Computation 44 (1985); without subtractions between products,
///           C. D. Walter, Montgomery exponentiation needs no final subtractions, Electronics Letters 35 (1999)
/// Test      tests/crypto/modulus.test.cpp
template <class Arch = simd::default_arch>
class modulus {
  using kernel = simd::montgomery<Arch>;
  using word = std::uint64_t;
  static constexpr std::size_t lanes = kernel::lanes;

 public:
  using batch = residues<Arch>;

  /// N may be secret, but not how many bits it has, nor that it is odd.
  explicit modulus(std::span<const std::uint64_t> n) {
    bits_ = bit_length(n);
    require(bits_ >= 128 && bits_ <= kernel::longest, fault::argument, "modulus: ", bits_,
            " bits, expected 128 to ", kernel::longest);
    require((n[0] & 1) == 1, fault::argument, "modulus: an even number");
    value_.assign(n.begin(), n.begin() + static_cast<std::ptrdiff_t>((bits_ + 63) / 64));
    const simd::montgomery_shape shape = kernel::shape(bits_);
    digit_ = shape.digit;
    limbs_.resize(shape.limbs);
    detail::digits_from_words(value_.data(), value_.size(), digit_, limbs_.data(), limbs_.size(), 1);
    inverse_ = 0 - detail::inverse_of_odd_word(n[0]);
    inverse_ &= (word{1} << digit_) - 1;
    make_powers_of_r();
  }

  /// Bits of N.
  std::size_t bits() const noexcept { return bits_; }
  /// Words of a number below N.
  std::size_t words() const noexcept { return value_.size(); }
  std::span<const std::uint64_t> value() const noexcept { return value_; }

  /// Numbers of `words()` words each, one after the other; they need not be below N.
  batch enter(std::span<const std::uint64_t> plain) const {
    require(plain.size() % words() == 0, fault::shape, "modulus: ", plain.size(),
            " words, expected a multiple of ", words());
    batch out;
    out.resize(plain.size() / words(), limbs_.size());
    word *room = workspace(out, 1), *raw = room + kernel_room();
    for (std::size_t g = 0; g < out.groups(); ++g) {
      std::fill_n(raw, group_size(), word{0});
      for (std::size_t lane = 0; lane < lanes && g * lanes + lane < out.size(); ++lane)
        detail::digits_from_words(plain.data() + (g * lanes + lane) * words(), words(), digit_, raw + lane,
                                  limbs_.size(), lanes);
      multiply(raw, r_squared_.data(), out.group(g), room);
    }
    wipe_workspace(out, 1);
    return out;
  }

  /// The numbers themselves, below N, `words()` words each.
  void leave(const batch& a, std::span<std::uint64_t> plain) const {
    check(a);
    require(plain.size() == a.size() * words(), fault::shape, "modulus: room for ", plain.size(),
            " words, expected ", a.size() * words());
    secret_words room(kernel_room() + 2 * group_size() + words());
    word *one = room.data() + kernel_room(), *group = one + group_size(), *rest = group + group_size();
    std::fill_n(one, lanes, word{1});
    for (std::size_t g = 0; g < a.groups(); ++g) {
      multiply(a.group(g), one, group, room.data()); // at most N
      for (std::size_t lane = 0; lane < lanes && g * lanes + lane < a.size(); ++lane) {
        const auto out = plain.subspan((g * lanes + lane) * words(), words());
        detail::words_from_digits(group + lane, limbs_.size(), lanes, digit_, out.data(), words());
        std::copy(out.begin(), out.end(), rest);
        const word below = mask_of(subtract(std::span(rest, words()), value_));
        select(below, out, std::span(rest, words()), out);
      }
    }
  }

  /// `count` times 1.
  batch ones(std::size_t count) const {
    batch out;
    out.resize(count, limbs_.size());
    for (std::size_t g = 0; g < out.groups(); ++g) copy(r_.data(), out.group(g));
    return out;
  }

  /// out[i] = a[i] b[i], or a[i] b[0] if b is one number. `out` may be `a` or `b`.
  /// Cost  one Montgomery product for each number
  void multiply(const batch& a, const batch& b, batch& out) const {
    check(a);
    check(b);
    require(b.size() == a.size() || b.size() == 1, fault::shape, "modulus: multiplies ", a.size(),
            " numbers by ", b.size());
    const bool one = b.size() == 1 && a.size() != 1;
    word* const room = workspace(out, 2);
    word *result = room + kernel_room(), *repeated = result + group_size();
    if (one) repeat(b.group(0), repeated);
    if (&out != &a) out.resize(a.size(), limbs_.size());
    for (std::size_t g = 0; g < a.groups(); ++g) {
      const word *left = a.group(g), *right = one ? repeated : b.group(g);
      const bool in_place = out.group(g) == left || out.group(g) == right;
      multiply(left, right, in_place ? result : out.group(g), room);
      if (in_place) copy(result, out.group(g));
    }
  }

  /// out[i] = a[i] a[i]. `out` may be `a`.
  void square(const batch& a, batch& out) const {
    check(a);
    word *room = workspace(out, 1), *result = room + kernel_room();
    if (&out != &a) out.resize(a.size(), limbs_.size());
    for (std::size_t g = 0; g < a.groups(); ++g) {
      const bool in_place = &out == &a;
      square(a.group(g), in_place ? result : out.group(g), room);
      if (in_place) copy(result, out.group(g));
    }
  }

  /// out[i] = base[i]^exponent with the low `bits` bits of the exponent, which may be secret; `bits` is
  /// public. `out` may be `base`.
  /// Cost  `bits` squarings and a product for each window of 4 to 6 bits; a table of a quarter to half a
  ///       megabyte at 4096 bits
  void power(const batch& base, std::span<const std::uint64_t> exponent, std::size_t bits, batch& out) const {
    require(exponent.size() * 64 >= bits, fault::shape, "modulus: an exponent of ", exponent.size(),
            " words for ", bits, " bits");
    raise(base, exponent.data(), exponent.size(), 0, bits, out);
  }

  /// out[i] = base[i]^exponents[i]: (bits + 63) / 64 words for each.
  void power_each(const batch& base, std::span<const std::uint64_t> exponents, std::size_t bits,
                  batch& out) const {
    const std::size_t each = (bits + 63) / 64;
    require(exponents.size() == each * base.size(), fault::shape, "modulus: ", exponents.size(),
            " words of exponents, expected ", each * base.size());
    raise(base, exponents.data(), each, each, bits, out);
  }

  /// As `power` for a public exponent, on which the time depends: a tenth faster. The bases may be secret.
  void power_public(const batch& base, std::span<const std::uint64_t> exponent, std::size_t bits,
                    batch& out) const {
    require(exponent.size() * 64 >= bits, fault::shape, "modulus: an exponent of ", exponent.size(),
            " words for ", bits, " bits");
    check(base);
    while (bits > 0 && detail::bits_at(exponent, bits - 1, 1) == 0) --bits;
    const unsigned width = detail::sliding_width(bits);
    const std::size_t entries = std::size_t{1} << (width - 1), numbers = 2 + entries;
    word *const room = workspace(out, numbers), *const table = room + kernel_room() + 2 * group_size();
    if (&out != &base) out.resize(base.size(), limbs_.size());
    for (std::size_t g = 0; g < out.groups(); ++g) {
      odd_powers(base.group(g), entries, table, room);
      copy(slide(exponent, bits, width, table, room), out.group(g));
    }
    wipe_workspace(out, numbers);
  }

  /// The product of all numbers, 1 for none. `out` has one number, and may be `a`.
  void product(const batch& a, batch& out) const {
    check(a);
    const std::size_t size = group_size();
    secret_words space(kernel_room() + 2 * size);
    word *room = space.data(), *all = room + kernel_room(), *next = all + size;
    copy(r_.data(), all);
    for (std::size_t g = 0; g < a.groups(); ++g) {
      const std::size_t used = std::min(lanes, a.size() - g * lanes);
      if (used == lanes) {
        multiply(all, a.group(g), next, room);
      } else {
        secret_words padded(r_);
        for (std::size_t limb = 0; limb < limbs_.size(); ++limb)
          std::copy_n(a.group(g) + limb * lanes, used, padded.data() + limb * lanes);
        multiply(all, padded.data(), next, room);
      }
      std::swap(all, next);
    }
    secret_words turned(size);
    for (std::size_t step = lanes / 2; step > 0; step /= 2) {
      for (std::size_t i = 0; i < size; ++i) turned[i] = all[i / lanes * lanes + (i + step) % lanes];
      multiply(all, turned.data(), next, room);
      std::swap(all, next);
    }
    out.resize(1, limbs_.size());
    copy(all, out.group(0));
  }

  /// out[j] = product over i of bases[i][j]^weights[i]: one chain of squarings for all bases. The weights
  /// are public: time depends on them.
  /// Source  E. G. Straus, Addition chains of vectors, American Mathematical Monthly 71 (1964)
  void weighted_product(std::span<const batch* const> bases, std::span<const std::uint32_t> weights,
                        batch& out) const {
    require(bases.size() == weights.size(), fault::shape, "modulus: ", bases.size(), " batches and ",
            weights.size(), " weights");
    require(!bases.empty(), fault::argument, "modulus: a product of no batch");
    const std::size_t count = bases[0]->size();
    for (const batch* base : bases) {
      check(*base);
      require(base->size() == count, fault::shape, "modulus: batches of ", count, " and ", base->size(),
              " numbers");
    }
    std::vector<windows> of(weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) of[i] = windows(weights[i]);
    word* const room = workspace(out, 2 + windows::odd * bases.size());
    if (std::ranges::find(bases, &out) == bases.end()) out.resize(count, limbs_.size());
    for (std::size_t g = 0; g < out.groups(); ++g) {
      word* const table = room + kernel_room() + 2 * group_size();
      for (std::size_t i = 0; i < bases.size(); ++i)
        odd_powers(bases[i]->group(g), of[i].entries, odd_power(table, i, 0), room);
      copy(product_of_windows(of, table, room), out.group(g));
    }
  }

 private:
  friend class fixed_base<Arch>;

  std::size_t group_size() const noexcept { return limbs_.size() * lanes; }
  simd::montgomery_view view() const noexcept { return {limbs_.data(), limbs_.size(), inverse_, digit_}; }
  void multiply(const word* a, const word* b, word* out, word* room) const noexcept {
    kernel::multiply(view(), a, b, out, room);
  }
  void square(const word* a, word* out, word* room) const noexcept { kernel::square(view(), a, out, room); }

  /// Room in a batch for the kernel, then for so many numbers in every lane.
  std::size_t kernel_room() const noexcept { return kernel::room(limbs_.size()); }
  word* workspace(batch& of, std::size_t numbers) const {
    return of.scratch(kernel_room() + numbers * group_size());
  }
  void wipe_workspace(batch& of, std::size_t numbers) const noexcept {
    of.wipe_scratch(kernel_room() + numbers * group_size());
  }
  void copy(const word* from, word* to) const noexcept { std::copy_n(from, group_size(), to); }

  void check(const batch& a) const {
    require(a.limbs_ == limbs_.size(), fault::shape, "modulus: numbers of ", a.limbs_, " limbs, expected ",
            limbs_.size());
  }

  /// The first lane in every lane.
  void repeat(const word* from, word* to) const noexcept {
    for (std::size_t limb = 0; limb < limbs_.size(); ++limb)
      std::fill_n(to + limb * lanes, lanes, from[limb * lanes]);
  }

  /// R and R^2 modulo N. R by doubling the power of two just above N, then 2^digit R, ... by products.
  void make_powers_of_r() {
    const std::size_t size = words();
    secret_words x(size), rest(size);
    const auto twice = [&] { // x = 2 x modulo N
      word carry = 0;
      for (word& w : x) carry = std::exchange(w, w << 1 | carry) >> 63;
      std::copy(x.begin(), x.end(), rest.begin());
      const word borrow = subtract(rest, value_);
      copy_if(mask_of(carry | (borrow ^ 1)), rest, x);
    };
    x[(bits_ - 1) / 64] = word{1} << (bits_ - 1) % 64;
    const std::size_t length = digit_ * limbs_.size();
    for (std::size_t i = bits_ - 1; i < length; ++i) twice();
    r_.resize(group_size());
    set_all(x, r_);
    // 2^e R for e = the bits of `length`, the highest first: square, and double where the bit is set.
    r_squared_ = r_;
    secret_words next(group_size()), room(kernel_room());
    for (std::size_t bit = 64 - static_cast<std::size_t>(std::countl_zero(length)); bit-- > 0;) {
      square(r_squared_.data(), next.data(), room.data());
      reduce(next.data(), x);
      if ((length >> bit & 1) != 0) twice();
      set_all(x, r_squared_);
    }
  }
  /// The first lane, which a kernel left below 2 N, as words below N.
  void reduce(const word* group, secret_words& out) const {
    secret_words wide(words() + 1), rest(words() + 1), n(value_);
    n.push_back(0);
    detail::words_from_digits(group, limbs_.size(), lanes, digit_, wide.data(), wide.size());
    rest = wide;
    copy_if(mask_of(subtract(rest, n) ^ 1), rest, wide);
    std::copy_n(wide.begin(), words(), out.begin());
  }
  void set_all(const secret_words& from, secret_words& group) const {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      detail::digits_from_words(from.data(), from.size(), digit_, group.data() + lane, limbs_.size(), lanes);
  }

  /// Puts a number among others in a table that look-ups read in order: blocks of limbs, in each all entries.
  void put(const word* from, std::size_t entry, std::size_t entries, word* table) const noexcept {
    constexpr std::size_t piece = kernel::block * lanes;
    for (std::size_t b = 0; b * kernel::block < limbs_.size(); ++b)
      std::copy_n(from + b * piece, piece, table + (b * entries + entry) * piece);
  }

  /// Digits of every lane's exponent; lanes without a number read the last one's.
  static void read_digits(const word* exponents, std::size_t size, std::size_t stride, std::size_t last,
                          std::size_t position, unsigned width, word* digits) noexcept {
    for (std::size_t lane = 0; lane < lanes; ++lane)
      digits[lane] = detail::bits_at({exponents + std::min(lane, last) * stride, size}, position, width);
  }

  void raise(const batch& base, const word* exponents, std::size_t exponent_size, std::size_t stride,
             std::size_t bits, batch& out) const {
    check(base);
    const unsigned width =
        detail::window_width(bits, kernel::lookup_cost / static_cast<double>(limbs_.size()));
    const std::size_t size = group_size(), entries = std::size_t{1} << width;
    if (&out != &base) out.resize(base.size(), limbs_.size());
    if (bits == 0) {
      for (std::size_t g = 0; g < out.groups(); ++g) copy(r_.data(), out.group(g));
      return;
    }
    word *room = workspace(out, entries + 3), *all = room + kernel_room();
    word *next = all + size, *factor = next + size, *table = factor + size;
    alignas(64) word digits[lanes];
    for (std::size_t g = 0; g < base.groups(); ++g) {
      fill_table(base.group(g), entries, all, next, table, room);
      const word* of_group = exponents + g * lanes * stride;
      const std::size_t last = std::min(lanes, base.size() - g * lanes) - 1;
      std::size_t position = (bits - 1) / width * width;
      read_digits(of_group, exponent_size, stride, last, position, static_cast<unsigned>(bits - position),
                  digits);
      kernel::lookup(limbs_.size(), table, entries, digits, all);
      while (position > 0) {
        position -= width;
        for (unsigned i = 0; i < width; ++i) {
          square(all, next, room);
          std::swap(all, next);
        }
        read_digits(of_group, exponent_size, stride, last, position, width, digits);
        kernel::lookup(limbs_.size(), table, entries, digits, factor);
        multiply(all, factor, next, room);
        std::swap(all, next);
      }
      copy(all, out.group(g));
    }
    wipe(std::span(digits));
    wipe_workspace(out, entries + 3);
  }

  /// 1, base, base^2, ...; `even` and `odd` are room for two numbers.
  void fill_table(const word* base, std::size_t entries, word* even, word* odd, word* table,
                  word* room) const noexcept {
    put(r_.data(), 0, entries, table);
    put(base, 1, entries, table);
    copy(base, odd);
    for (std::size_t e = 2; e < entries; e += 2) {
      // Half of the entries are squares, which cost less than products.
      take(table, e / 2, entries, odd);
      square(odd, even, room);
      put(even, e, entries, table);
      multiply(even, base, odd, room);
      put(odd, e + 1, entries, table);
    }
  }
  void take(const word* table, std::size_t entry, std::size_t entries, word* to) const noexcept {
    constexpr std::size_t piece = kernel::block * lanes;
    for (std::size_t b = 0; b * kernel::block < limbs_.size(); ++b)
      std::copy_n(table + (b * entries + entry) * piece, piece, to + b * piece);
  }

  /// A product in the making, in `room`: 1 until its first factor.
  struct running_product {
    void square() noexcept {
      if (!started) return;
      of.square(all, next, room);
      std::swap(all, next);
    }
    void multiply(const word* factor) noexcept {
      if (started) {
        of.multiply(all, factor, next, room);
        std::swap(all, next);
      } else {
        of.copy(factor, all);
        started = true;
      }
    }
    const word* value() const noexcept { return started ? all : of.r_.data(); }

    const modulus& of;
    word *room, *all = room + of.kernel_room(), *next = all + of.group_size();
    bool started = false;
  };

  /// The power by a public exponent, from windows that begin and end with a bit of 1; `table` has the odd powers.
  const word* slide(std::span<const std::uint64_t> exponent, std::size_t bits, unsigned width,
                    const word* table, word* room) const noexcept {
    running_product all{*this, room};
    for (std::size_t end = bits; end > 0;) { // the bits below `end` are left
      std::size_t begin = end - std::min<std::size_t>(width, end);
      const auto bit = [&](std::size_t i) { return detail::bits_at(exponent, i, 1); };
      if (bit(end - 1) == 0) {
        all.square();
        --end;
        continue;
      }
      while (bit(begin) == 0) ++begin;
      const std::uint64_t digit = detail::bits_at(exponent, begin, static_cast<unsigned>(end - begin));
      for (; end > begin; --end) all.square();
      all.multiply(table + digit / 2 * group_size());
    }
    return all.value();
  }

  /// A public weight as odd digits up to 7, each at the bit where its window ends.
  struct windows {
    static constexpr std::size_t odd = 4; ///< of them: 1, 3, 5, 7

    windows() = default;
    explicit windows(std::uint32_t weight) noexcept {
      for (std::size_t bit = 0; bit < 32; ++bit) {
        if ((weight >> bit & 1) == 0) continue;
        digits[bit] = static_cast<std::uint8_t>(weight >> bit & 7);
        entries = std::max<std::size_t>(entries, (digits[bit] + 1u) / 2);
        bit += 2;
      }
    }
    std::array<std::uint8_t, 32> digits{};
    std::size_t entries = 0; ///< odd powers that the digits need
  };

  word* odd_power(word* table, std::size_t base, std::size_t entry) const noexcept {
    return table + (windows::odd * base + entry) * group_size();
  }
  /// base, base^3, base^5, base^7, as many as `entries`.
  void odd_powers(const word* base, std::size_t entries, word* to, word* room) const noexcept {
    if (entries == 0) return;
    word* const squared = room + kernel_room();
    copy(base, to);
    if (entries > 1) square(base, squared, room);
    for (std::size_t e = 1; e < entries; ++e, to += group_size())
      multiply(to, squared, to + group_size(), room);
  }
  /// The product of the powers that the windows stand for; it lies in `room`, or is 1.
  const word* product_of_windows(std::span<const windows> of, word* table, word* room) const noexcept {
    running_product all{*this, room};
    for (std::size_t bit = 32; bit-- > 0;) {
      all.square();
      for (std::size_t i = 0; i < of.size(); ++i)
        if (of[i].digits[bit] != 0) all.multiply(odd_power(table, i, of[i].digits[bit] / 2u));
    }
    return all.value();
  }

  std::size_t bits_ = 0;
  unsigned digit_ = 0;
  std::uint64_t inverse_ = 0;
  secret_words value_, limbs_;
  secret_words r_, r_squared_; ///< R and R^2 modulo N in every lane
};

} // namespace privet
