#include "support/catch.hpp"

#include <privet/random/replayable.hpp>
#include <privet/simd/montgomery.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

using namespace privet;

namespace {

using number = std::vector<std::uint64_t>; // little-endian words

number random_words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> halves(2 * n);
  replayable_random(seed).fill(halves);
  number out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
  return out;
}

bool bit_of(const number& a, std::size_t i) { return i / 64 < a.size() && (a[i / 64] >> i % 64 & 1) != 0; }

void set_bit(number& a, std::size_t i) { a[i / 64] |= std::uint64_t{1} << i % 64; }

/// a >= b of one size.
bool at_least(const number& a, const number& b) {
  return !std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}
void subtract_from(number& a, const number& b) {
  bool borrow = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::uint64_t old = a[i], less = old - b[i] - borrow;
    borrow = old < b[i] || (old == b[i] && borrow);
    a[i] = less;
  }
}

/// a 2^shift modulo n, one bit at a time.
number remainder(const number& a, std::size_t shift, number n) {
  n.push_back(0);
  number rest(n.size());
  for (std::size_t i = 64 * a.size() + shift; i-- > 0;) {
    for (std::size_t w = rest.size(); w-- > 0;) rest[w] = rest[w] << 1 | (w > 0 ? rest[w - 1] >> 63 : 0);
    rest[0] |= i >= shift && bit_of(a, i - shift);
    if (at_least(rest, n)) subtract_from(rest, n);
  }
  return rest;
}

/// Digits of 32 bits, so that nothing overflows.
number product(const number& a, const number& b) {
  const auto half = [](const number& x, std::size_t i) { return x[i / 2] >> 32 * (i % 2) & 0xFFFFFFFF; };
  number out(a.size() + b.size());
  for (std::size_t i = 0; i < 2 * a.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < 2 * b.size() || carry != 0; ++j) {
      const std::size_t at = i + j;
      if (at >= 2 * out.size()) break;
      const std::uint64_t sum = (j < 2 * b.size() ? half(a, i) * half(b, j) : 0) + half(out, at) + carry;
      out[at / 2] &= ~(std::uint64_t{0xFFFFFFFF} << 32 * (at % 2));
      out[at / 2] |= (sum & 0xFFFFFFFF) << 32 * (at % 2);
      carry = sum >> 32;
    }
  }
  return out;
}

/// A modulus of exactly so many bits, in a kernel's digits, and numbers in its lanes.
template <class Kernel>
struct operands {
  explicit operands(const number& modulus, std::size_t modulus_bits)
      : n(modulus), shape(Kernel::shape(modulus_bits)), limbs(shape.limbs) {
    for (std::size_t i = 0; i < shape.digit * shape.limbs; ++i)
      if (bit_of(n, i)) limbs[i / shape.digit] |= std::uint64_t{1} << i % shape.digit;
    std::uint64_t inverse = 1; // of n: bit after bit
    for (unsigned bit = 1; bit < 64; ++bit)
      if ((n[0] * inverse >> bit & 1) != 0) inverse |= std::uint64_t{1} << bit;
    view = {limbs.data(), limbs.size(), 0 - inverse, shape.digit};
    view.inverse &= (std::uint64_t{1} << shape.digit) - 1;
  }

  std::size_t size() const { return shape.limbs * Kernel::lanes; }
  number zero() const { return number((shape.digit * shape.limbs + 63) / 64); }
  void put(const number& a, std::size_t lane, number& group) const {
    for (std::size_t limb = 0; limb < shape.limbs; ++limb) group[limb * Kernel::lanes + lane] = 0;
    for (std::size_t i = 0; i < shape.digit * shape.limbs; ++i)
      if (bit_of(a, i)) group[i / shape.digit * Kernel::lanes + lane] |= std::uint64_t{1} << i % shape.digit;
  }
  number take(const number& group, std::size_t lane) const {
    number a = zero();
    for (std::size_t limb = 0; limb < shape.limbs; ++limb) {
      const std::uint64_t digit = group[limb * Kernel::lanes + lane];
      REQUIRE(digit >> shape.digit == 0);
      for (std::size_t bit = 0; bit < shape.digit; ++bit)
        if ((digit >> bit & 1) != 0) set_bit(a, limb * shape.digit + bit);
    }
    return a;
  }
  /// What the kernel promises of a result: below 2 N.
  bool in_range(const number& a) const { return !at_least(a, twice()); }
  number twice() const {
    number out = zero();
    for (std::size_t i = 0; i + 1 < 64 * out.size(); ++i)
      if (bit_of(n, i)) set_bit(out, i + 1);
    return out;
  }
  /// Numbers that a kernel may get: the smallest, the largest, those next to N, others.
  number operand(std::size_t which) const {
    number out = zero(), one = zero();
    one[0] = 1;
    switch (which) {
      case 0:
        return out;
      case 1:
        return one;
      case 2:
      case 3:
        for (std::size_t i = 0; i < n.size(); ++i) out[i] = n[i];
        if (which == 2) subtract_from(out, one);
        return out;
      case 4:
        out = twice();
        subtract_from(out, one);
        return out;
      default: // below N
        out = remainder(random_words(n.size(), which), 0, n);
        out.resize(zero().size());
        return out;
    }
  }

  number n;
  simd::montgomery_shape shape;
  number limbs;
  simd::montgomery_view view;
};

/// Numbers of exactly so many bits: any, the largest, the smallest that is odd.
std::vector<number> moduli(std::size_t bits) {
  number any = random_words((bits + 63) / 64, bits), largest(any.size()), smallest(any.size());
  for (std::size_t i = 0; i < bits; ++i) set_bit(largest, i);
  for (std::size_t i = 0; i < any.size(); ++i) any[i] &= largest[i];
  for (number* n : {&any, &smallest}) {
    set_bit(*n, 0);
    set_bit(*n, bits - 1);
  }
  return {any, largest, smallest};
}

template <class Kernel>
void check_products(std::size_t bits) {
  INFO(bits << " bits, " << Kernel::lanes << " lanes");
  for (const number& n : moduli(bits)) {
    const operands<Kernel> of(n, bits);
    number a(of.size()), b(of.size()), product_of_both(of.size()), square(of.size()),
        room(Kernel::room(of.shape.limbs));
    std::vector<std::pair<std::size_t, std::size_t>> pairs = {{4, 4}, {5, 6}, {0, 5}, {1, 1},
                                                              {2, 2}, {3, 4}, {4, 7}, {8, 1}};
    for (std::size_t first = 0; first < pairs.size(); first += Kernel::lanes) {
      for (std::size_t lane = 0; lane < Kernel::lanes; ++lane) {
        of.put(of.operand(pairs[first + lane].first), lane, a);
        of.put(of.operand(pairs[first + lane].second), lane, b);
      }
      Kernel::multiply(of.view, a.data(), b.data(), product_of_both.data(), room.data());
      Kernel::square(of.view, a.data(), square.data(), room.data());
      for (std::size_t lane = 0; lane < Kernel::lanes; ++lane) {
        const auto x = of.operand(pairs[first + lane].first), y = of.operand(pairs[first + lane].second);
        const auto xy = of.take(product_of_both, lane), xx = of.take(square, lane);
        REQUIRE(of.in_range(xy));
        REQUIRE(of.in_range(xx));
        const std::size_t r = of.shape.digit * of.shape.limbs; // R = 2^r
        REQUIRE(remainder(xy, r, n) == remainder(product(x, y), 0, n));
        REQUIRE(remainder(xx, r, n) == remainder(product(x, x), 0, n));
      }
    }
  }
}

template <class Kernel>
void check_lookups() {
  constexpr std::size_t lanes = Kernel::lanes, block = Kernel::block, limbs = 12;
  for (std::size_t entries = 2; entries <= 128; entries *= 2) {
    const number table = random_words(entries * limbs * lanes, entries);
    number digits(lanes), out(limbs * lanes);
    for (std::size_t turn = 0; turn < entries; ++turn) {
      for (std::size_t lane = 0; lane < lanes; ++lane) digits[lane] = (turn + 5 * lane) % entries;
      Kernel::lookup(limbs, table.data(), entries, digits.data(), out.data());
      for (std::size_t limb = 0; limb < limbs; ++limb)
        for (std::size_t lane = 0; lane < lanes; ++lane)
          REQUIRE(out[limb * lanes + lane] ==
                  table[((limb / block * entries + digits[lane]) * block + limb % block) * lanes + lane]);
      Kernel::lookup_shared(limbs, table.data(), entries, digits.data(), out.data());
      for (std::size_t limb = 0; limb < limbs; ++limb)
        for (std::size_t lane = 0; lane < lanes; ++lane)
          REQUIRE(out[limb * lanes + lane] == table[limb * entries + digits[lane]]);
    }
  }
}

/// Calls f<Kernel>() for every kernel of this build.
template <class F>
void for_each_kernel(F f) {
  f.template operator()<simd::montgomery_tiles<simd::montgomery_words>>();
#if defined(__AVX2__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_avx2>>();
#endif
#if defined(__AVX512F__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_avx512>>();
#endif
#if defined(__AVX512IFMA__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_ifma>>();
#endif
#if defined(__aarch64__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_neon>>();
#endif
}

} // namespace

TEST_CASE("a Montgomery product times R is the product of its factors modulo N") {
  // 206, 414 and 1038: the largest moduli of 4, 8 and 20 digits of 52 bits; 222, 1022: of 8 and 40 of 28 and 27.
  for (const std::size_t bits : {128u, 130u, 192u, 206u, 207u, 222u, 256u, 414u, 512u, 1022u, 1024u, 1038u})
    for_each_kernel([&]<class Kernel>() { check_products<Kernel>(bits); });
}

TEST_CASE("a Montgomery product of long numbers times R is the product of its factors modulo N", "[slow]") {
  for (const std::size_t bits : {2048u, 3070u, 4096u, 6144u})
    for_each_kernel([&]<class Kernel>() { check_products<Kernel>(bits); });
}

TEST_CASE("a Montgomery kernel's digits have room for every modulus") {
  for_each_kernel([]<class Kernel>() {
    for (std::size_t bits = 128; bits <= Kernel::longest; ++bits) {
      const simd::montgomery_shape shape = Kernel::shape(bits);
      const std::size_t length = shape.digit * shape.limbs;
      REQUIRE(length >= bits + 2);
      REQUIRE(length >= (bits + 63) / 64 * 64);
      REQUIRE(shape.limbs % Kernel::block == 0);
      // Columns of 2 `limbs` products of digits (with IFMA 4 `limbs` halves of products), and a carry.
      const bool halves = shape.digit == 52;
      const auto products = static_cast<long double>((halves ? 4 : 2) * shape.limbs + 1);
      const long double largest = std::ldexp(products, static_cast<int>(halves ? 52 : 2 * shape.digit));
      const int sum_bits = Kernel::lanes == 1 ? 128 : 64;
      REQUIRE(largest <= std::ldexp(1.0L, sum_bits));
    }
  });
}

TEST_CASE("Montgomery look-ups find every entry in every lane") {
  for_each_kernel([]<class Kernel>() { check_lookups<Kernel>(); });
}

TEST_CASE("an architecture has the Montgomery kernel of its vectors") {
  CHECK(std::is_same_v<simd::montgomery<simd::scalar>, simd::montgomery_tiles<simd::montgomery_words>>);
  CHECK(std::is_same_v<simd::montgomery<simd::montgomery<>>, simd::montgomery<>>);
#if defined(__AVX512IFMA__)
  CHECK(std::is_same_v<simd::montgomery<>, simd::montgomery_tiles<simd::montgomery_ifma>>);
#elif defined(__AVX512F__)
  CHECK(std::is_same_v<simd::montgomery<>, simd::montgomery_tiles<simd::montgomery_avx512>>);
#elif defined(__AVX2__)
  CHECK(std::is_same_v<simd::montgomery<>, simd::montgomery_tiles<simd::montgomery_avx2>>);
#elif defined(__aarch64__)
  CHECK(std::is_same_v<simd::montgomery<>, simd::montgomery_tiles<simd::montgomery_neon>>);
#else
  CHECK(std::is_same_v<simd::montgomery<>, simd::montgomery<simd::scalar>>);
#endif
}
