#pragma once
// AES-128 (FIPS 197) in counter mode (SP 800-38A, 6.5): a 128-bit key and a 128-bit counter in, four
// words of key stream out. By the processor's own instructions where the compiler may use them,
// otherwise by bit planes. Both run in constant time: no table is indexed and no branch taken by key
// or output. Only a carry out of the lower half of the counter, once in 2^64 blocks, may show.

#include <privet/core/wipe.hpp>
#include <privet/simd/arch.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#if defined(__AES__)
#include <immintrin.h>
#endif

namespace privet::simd::inline PRIVET_ISA {

/// Sixteen bytes in the order of the standard, four to a word, little end first.
using aes128_key = std::array<std::uint32_t, 4>;

inline constexpr std::size_t aes_block_words = 4;

/// A counter block as the number that it is: its bytes are those of `high`, then `low`, big end first.
struct aes_counter {
  std::uint64_t high = 0, low = 0;
  bool operator==(const aes_counter&) const = default;

  /// Modulo 2^128.
  friend constexpr aes_counter operator+(aes_counter counter, std::uint64_t blocks) noexcept {
    counter.low += blocks;
    counter.high += counter.low < blocks;
    return counter;
  }
};

// How the blocks are made. The name is a template argument of everything below, so objects built
// with different flags share no function.

/// Bit planes, on any processor.
struct aes_bitsliced {};
/// One block in each register of 128 bits: AES-NI.
struct aes_ni {};
/// Four blocks in each register of 512 bits: VAES.
struct aes_vaes512 {};
/// One block in each register of 128 bits: the cryptographic extension of ARMv8.
struct aes_armv8 {};

#if defined(__VAES__) && defined(__AES__) && defined(__AVX512F__) && defined(__AVX512BW__)
using aes_default = aes_vaes512;
#elif defined(__AES__)
using aes_default = aes_ni;
#elif defined(__aarch64__) && (defined(__ARM_FEATURE_AES) || defined(__ARM_FEATURE_CRYPTO))
#define PRIVET_AES_ARMV8
using aes_default = aes_armv8;
#else
using aes_default = aes_bitsliced;
#endif

/// Whether AES is fast here.
inline constexpr bool aes_in_hardware = !std::same_as<aes_default, aes_bitsliced>;

namespace detail {

inline constexpr std::size_t aes_rounds = 10;

constexpr std::uint32_t reverse_bytes(std::uint32_t x) noexcept {
  return x << 24 | (x & 0xFF00) << 8 | (x >> 8 & 0xFF00) | x >> 24;
}
/// The number's bytes, big end first, four to a word.
constexpr std::array<std::uint32_t, 4> counter_words(const aes_counter& counter) noexcept {
  return {reverse_bytes(static_cast<std::uint32_t>(counter.high >> 32)),
          reverse_bytes(static_cast<std::uint32_t>(counter.high)),
          reverse_bytes(static_cast<std::uint32_t>(counter.low >> 32)),
          reverse_bytes(static_cast<std::uint32_t>(counter.low))};
}

// ---- Bytes as bit planes: x[b] holds bit b of as many bytes as a word has bits.

/// An element of GF(16), as four planes: x0 + x1 b + x2 b^2 + x3 b^3 with b^4 = b + 1.
template <class Word>
struct gf16 {
  Word x0, x1, x2, x3;

  [[gnu::always_inline]] friend constexpr gf16 operator+(const gf16& a, const gf16& b) noexcept {
    return {a.x0 ^ b.x0, a.x1 ^ b.x1, a.x2 ^ b.x2, a.x3 ^ b.x3};
  }
  [[gnu::always_inline]] friend constexpr gf16 operator*(const gf16& a, const gf16& b) noexcept {
    const Word p4 = (a.x1 & b.x3) ^ (a.x2 & b.x2) ^ (a.x3 & b.x1), p5 = (a.x2 & b.x3) ^ (a.x3 & b.x2),
               p6 = a.x3 & b.x3;
    return {(a.x0 & b.x0) ^ p4, (a.x0 & b.x1) ^ (a.x1 & b.x0) ^ p4 ^ p5,
            (a.x0 & b.x2) ^ (a.x1 & b.x1) ^ (a.x2 & b.x0) ^ p5 ^ p6,
            (a.x0 & b.x3) ^ (a.x1 & b.x2) ^ (a.x2 & b.x1) ^ (a.x3 & b.x0) ^ p6};
  }
  [[gnu::always_inline]] constexpr gf16 squared() const noexcept { return {x0 ^ x2, x2, x1 ^ x3, x3}; }
};

/// SubBytes (FIPS 197, 5.1.1): the inverse in GF(256) and an affine map. A byte is h g + l over GF(16)
/// with g^2 = g + n, and its inverse (h g + l + h) / (n h^2 + h l + l^2); in the bits of the standard
/// b is 5D, g is 1F and n is b^3 + b^2 + b. The test compares all 256 bytes with the definition.
template <class Word>
[[gnu::always_inline]] inline constexpr void aes_substitute(Word (&x)[8]) noexcept {
  gf16<Word> l = {x[0] ^ x[1] ^ x[6], x[2] ^ x[3] ^ x[6] ^ x[7], x[2] ^ x[4] ^ x[7],
                  x[1] ^ x[2] ^ x[6] ^ x[7]};
  gf16<Word> h = {x[1] ^ x[2] ^ x[3] ^ x[5] ^ x[7], x[1] ^ x[4] ^ x[5] ^ x[6], x[2] ^ x[3], x[5] ^ x[7]};
  const gf16<Word> h_squared_n = {h.x1 ^ h.x2, h.x0, h.x0 ^ h.x1 ^ h.x3, h.x0 ^ h.x1};
  const gf16<Word> d = h_squared_n + h * l + l.squared();
  const gf16<Word> d2 = d.squared(), d4 = d2.squared(), d8 = d4.squared();
  const gf16<Word> inverse = d2 * d4 * d8; // d^14
  l = (l + h) * inverse;
  h = h * inverse;
  x[0] = ~(l.x0 ^ l.x1 ^ h.x1 ^ h.x2);
  x[1] = ~(l.x0 ^ h.x3);
  x[2] = l.x0 ^ l.x1 ^ l.x2 ^ h.x0 ^ h.x1;
  x[3] = l.x0 ^ l.x1;
  x[4] = l.x0 ^ l.x2 ^ l.x3 ^ h.x0 ^ h.x3;
  x[5] = ~(l.x1 ^ l.x2 ^ l.x3 ^ h.x3);
  x[6] = ~(h.x0 ^ h.x1 ^ h.x3);
  x[7] = l.x1 ^ l.x2 ^ h.x3;
}

/// SubBytes on each byte of a word: bit b of a byte becomes the lowest bit of that byte in plane b.
constexpr std::uint32_t substitute_in_planes(std::uint32_t word) noexcept {
  std::uint32_t bits[8] = {};
  for (std::size_t b = 0; b < 8; ++b) bits[b] = word >> b & 0x01010101;
  aes_substitute(bits);
  std::uint32_t result = 0;
  for (std::size_t b = 0; b < 8; ++b) result |= (bits[b] & 0x01010101) << b;
  return result;
}

/// Bit c of word r and bit r of word c change places. Warren, "Hacker's Delight", 7-3.
constexpr void transpose_bits(std::uint64_t (&m)[64]) noexcept {
  std::uint64_t mask = 0xFFFFFFFF;
  for (std::size_t width = 32; width > 0; width /= 2, mask ^= mask << width)
    for (std::size_t k = 0; k < 64; k = ((k | width) + 1) & ~width) {
      const std::uint64_t swapped = (m[k] >> width ^ m[k | width]) & mask;
      m[k | width] ^= swapped;
      m[k] ^= swapped << width;
    }
}

/// Sixty-four blocks at once. Byte r + 4 c of a block is row r, column c of the state.
class aes_planes {
 public:
  static constexpr std::size_t blocks = 64;

  explicit aes_planes(const aes_counter& first) noexcept {
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t block = 0; block < blocks; ++block) {
        const auto words = counter_words(first + block);
        square_[block] = words[2 * half] | std::uint64_t{words[2 * half + 1]} << 32;
      }
      transpose_bits(square_);
      for (std::size_t i = 0; i < 64; ++i) bits_[i % 8][8 * half + i / 8] = square_[i];
    }
  }
  aes_planes(const aes_planes&) = delete;
  aes_planes& operator=(const aes_planes&) = delete;
  ~aes_planes() {
    wipe(std::span(bits_));
    wipe(std::span(moved_));
    wipe(std::span(square_));
  }

  /// `key` is one round key.
  void add_key(const std::uint32_t* key) noexcept {
    for (std::size_t b = 0; b < 8; ++b)
      for (std::size_t byte = 0; byte < 16; ++byte)
        bits_[b][byte] ^= 0 - std::uint64_t{key[byte / 4] >> (byte % 4 * 8 + b) & 1};
  }

  void sub_bytes() noexcept {
    for (std::size_t byte = 0; byte < 16; ++byte) {
      std::uint64_t x[8] = {bits_[0][byte], bits_[1][byte], bits_[2][byte], bits_[3][byte],
                            bits_[4][byte], bits_[5][byte], bits_[6][byte], bits_[7][byte]};
      aes_substitute(x);
      PRIVET_UNROLL for (std::size_t b = 0; b < 8; ++b) bits_[b][byte] = x[b];
    }
  }

  void shift_rows() noexcept {
    for (std::size_t b = 0; b < 8; ++b) {
      for (std::size_t byte = 0; byte < 16; ++byte) {
        const std::size_t row = byte % 4, column = byte / 4;
        moved_[b][byte] = bits_[b][row + 4 * ((column + row) % 4)];
      }
    }
    std::swap(bits_, moved_);
  }

  void mix_columns() noexcept {
    for (std::size_t b = 0; b < 8; ++b)
      for (std::size_t byte = 0; byte < 16; ++byte) {
        const auto below = [&](std::size_t rows) { return byte / 4 * 4 + (byte + rows) % 4; };
        const std::size_t next = below(1);
        // Twice this byte and thrice the next: bit b of a double is bit b - 1, or comes by reduction.
        std::uint64_t sum = bits_[b][next] ^ bits_[b][below(2)] ^ bits_[b][below(3)];
        if (b > 0) sum ^= bits_[b - 1][byte] ^ bits_[b - 1][next];
        if (0x1B >> b & 1) sum ^= bits_[7][byte] ^ bits_[7][next];
        moved_[b][byte] = sum;
      }
    std::swap(bits_, moved_);
  }

  /// The last thing to do with a state.
  void store(std::uint32_t* out) noexcept {
    for (std::size_t half = 0; half < 2; ++half) {
      for (std::size_t i = 0; i < 64; ++i) square_[i] = bits_[i % 8][8 * half + i / 8];
      transpose_bits(square_);
      for (std::size_t block = 0; block < blocks; ++block) {
        out[4 * block + 2 * half] = static_cast<std::uint32_t>(square_[block]);
        out[4 * block + 2 * half + 1] = static_cast<std::uint32_t>(square_[block] >> 32);
      }
    }
  }

 private:
  using planes = std::array<std::array<std::uint64_t, 16>, 8>; // [bit][byte], block j in bit j
  planes bits_{}, moved_{};
  std::uint64_t square_[64]; // half a block in a word, or one bit of all blocks
};

// ---- The kernels: the key schedule, whose first four words are the key, and whole blocks.

/// Round constant i, counted from 1.
constexpr std::uint32_t aes_constant(std::size_t i) noexcept {
  return i < 9 ? 1u << (i - 1) : 0x1Bu << (i - 9);
}

/// FIPS 197, 5.2, by a function that does SubBytes on the bytes of a word.
template <class Substitute>
void expand_key(std::uint32_t* keys, Substitute substitute) noexcept {
  for (std::size_t i = 4; i < 4 * (aes_rounds + 1); ++i) {
    std::uint32_t word = keys[i - 1];
    if (i % 4 == 0) word = substitute(word >> 8 | word << 24) ^ aes_constant(i / 4);
    keys[i] = keys[i - 4] ^ word;
  }
}

template <class Kernel>
struct aes_kernel;

template <>
struct aes_kernel<aes_bitsliced> {
  static constexpr std::size_t blocks = aes_planes::blocks;
  static void expand(std::uint32_t* keys) noexcept { expand_key(keys, substitute_in_planes); }

  static void make(const std::uint32_t* keys, const aes_counter& first, std::uint32_t* out) noexcept {
    aes_planes state(first);
    state.add_key(keys);
    for (std::size_t round = 1; round <= aes_rounds; ++round) {
      state.sub_bytes();
      state.shift_rows();
      if (round < aes_rounds) state.mix_columns();
      state.add_key(keys + 4 * round);
    }
    state.store(out);
  }
};

#if defined(__AES__)
template <>
struct aes_kernel<aes_ni> {
  static constexpr std::size_t blocks = 8;

  static void expand(std::uint32_t* keys) noexcept {
    __m128i key = _mm_loadu_si128(reinterpret_cast<const __m128i*>(keys));
    next(keys + 4, key, _mm_aeskeygenassist_si128(key, 0x01));
    next(keys + 8, key, _mm_aeskeygenassist_si128(key, 0x02));
    next(keys + 12, key, _mm_aeskeygenassist_si128(key, 0x04));
    next(keys + 16, key, _mm_aeskeygenassist_si128(key, 0x08));
    next(keys + 20, key, _mm_aeskeygenassist_si128(key, 0x10));
    next(keys + 24, key, _mm_aeskeygenassist_si128(key, 0x20));
    next(keys + 28, key, _mm_aeskeygenassist_si128(key, 0x40));
    next(keys + 32, key, _mm_aeskeygenassist_si128(key, 0x80));
    next(keys + 36, key, _mm_aeskeygenassist_si128(key, 0x1B));
    next(keys + 40, key, _mm_aeskeygenassist_si128(key, 0x36));
  }

  static void make(const std::uint32_t* keys, const aes_counter& first, std::uint32_t* out) noexcept {
    const auto key = [&](std::size_t round) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(keys + 4 * round));
    };
    __m128i x[blocks];
    PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) {
      const auto w = counter_words(first + i);
      x[i] = _mm_xor_si128(key(0), _mm_set_epi32(static_cast<int>(w[3]), static_cast<int>(w[2]),
                                                 static_cast<int>(w[1]), static_cast<int>(w[0])));
    }
    PRIVET_UNROLL for (std::size_t round = 0; round < aes_rounds - 1; ++round) {
      PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) x[i] = _mm_aesenc_si128(x[i], key(round + 1));
    }
    PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * i), _mm_aesenclast_si128(x[i], key(aes_rounds)));
    }
  }

 private:
  /// `assist` holds, in its upper word, the last word of the key before, rotated, substituted and with its
  /// constant; to it each of the four words adds all words up to its own.
  [[gnu::always_inline]] static inline void next(std::uint32_t* to, __m128i& key, __m128i assist) noexcept {
    const __m128i last = _mm_shuffle_epi32(assist, 0xFF);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    key = _mm_xor_si128(key, last);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), key);
  }
};
#endif

#if defined(__VAES__) && defined(__AES__) && defined(__AVX512F__) && defined(__AVX512BW__)
template <>
struct aes_kernel<aes_vaes512> {
  static constexpr std::size_t blocks = 32;
  static void expand(std::uint32_t* keys) noexcept { aes_kernel<aes_ni>::expand(keys); }

  static void make(const std::uint32_t* keys, const aes_counter& first, std::uint32_t* out) noexcept {
    constexpr std::size_t count = blocks / 4;
    const auto key = [&](std::size_t round) {
      return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(keys + 4 * round)));
    };
    __m512i x[count];
    if (first.low <= ~std::uint64_t{0} - blocks) [[likely]] {
      const auto low = static_cast<long long>(first.low), high = static_cast<long long>(first.high);
      const __m512i counter = _mm512_add_epi64(_mm512_set_epi64(high, low, high, low, high, low, high, low),
                                               _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
      const __m512i big_end_first = _mm512_set4_epi32(0x00010203, 0x04050607, 0x08090A0B, 0x0C0D0E0F);
      PRIVET_UNROLL for (std::size_t i = 0; i < count; ++i) {
        const auto ahead = static_cast<long long>(4 * i);
        const __m512i here = _mm512_add_epi64(counter, _mm512_set4_epi64(0, ahead, 0, ahead));
        x[i] = _mm512_xor_si512(key(0), _mm512_shuffle_epi8(here, big_end_first));
      }
    } else { // a carry into the upper half
      std::uint32_t words[16];
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t block = 0; block < 4; ++block) {
          const auto w = counter_words(first + (4 * i + block));
          std::copy(w.begin(), w.end(), words + 4 * block);
        }
        x[i] = _mm512_xor_si512(key(0), _mm512_loadu_si512(words));
      }
      wipe(std::span(words));
    }
    PRIVET_UNROLL for (std::size_t round = 0; round < aes_rounds - 1; ++round) {
      const __m512i k = key(round + 1);
      PRIVET_UNROLL for (std::size_t i = 0; i < count; ++i) x[i] = _mm512_aesenc_epi128(x[i], k);
    }
    PRIVET_UNROLL for (std::size_t i = 0; i < count; ++i) {
      _mm512_storeu_si512(out + 16 * i, _mm512_aesenclast_epi128(x[i], key(aes_rounds)));
    }
  }
};
#endif

#if defined(PRIVET_AES_ARMV8)
template <>
struct aes_kernel<aes_armv8> {
  static constexpr std::size_t blocks = 8;

  static void expand(std::uint32_t* keys) noexcept {
    expand_key(keys, [](std::uint32_t word) { // with equal columns ShiftRows changes nothing
      const uint8x16_t all = vreinterpretq_u8_u32(vdupq_n_u32(word));
      return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(all, vdupq_n_u8(0))), 0);
    });
  }

  static void make(const std::uint32_t* keys, const aes_counter& first, std::uint32_t* out) noexcept {
    const auto key = [&](std::size_t round) { return vreinterpretq_u8_u32(vld1q_u32(keys + 4 * round)); };
    uint8x16_t x[blocks];
    PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) {
      x[i] = vreinterpretq_u8_u32(vld1q_u32(counter_words(first + i).data()));
    }
    // This target's instruction adds its key first, not last.
    PRIVET_UNROLL for (std::size_t round = 0; round < aes_rounds - 1; ++round) {
      PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) x[i] = vaesmcq_u8(vaeseq_u8(x[i], key(round)));
    }
    PRIVET_UNROLL for (std::size_t i = 0; i < blocks; ++i) {
      const uint8x16_t last = veorq_u8(vaeseq_u8(x[i], key(aes_rounds - 1)), key(aes_rounds));
      vst1q_u32(out + 4 * i, vreinterpretq_u32_u8(last));
    }
  }
};
#undef PRIVET_AES_ARMV8
#endif

} // namespace detail

/// The key stream of one key. Its schedule is wiped on destruction.
template <class Kernel = aes_default>
class aes128_ctr {
 public:
  explicit aes128_ctr(const aes128_key& key) noexcept {
    std::copy(key.begin(), key.end(), keys_.begin());
    detail::aes_kernel<Kernel>::expand(keys_.data());
  }
  aes128_ctr(const aes128_ctr&) = delete;
  aes128_ctr& operator=(const aes128_ctr&) = delete;
  ~aes128_ctr() { wipe(std::span(keys_)); }

  /// Blocks `first`, `first + 1`, ... until `out` is full; the last block may be cut.
  void blocks(aes_counter first, std::span<std::uint32_t> out) const noexcept {
    using kernel = detail::aes_kernel<Kernel>;
    constexpr std::size_t group = kernel::blocks * aes_block_words;
    for (; out.size() >= group; out = out.subspan(group), first = first + kernel::blocks)
      kernel::make(keys_.data(), first, out.data());
    if (out.empty()) return;
    std::uint32_t last[group];
    kernel::make(keys_.data(), first, last);
    std::memcpy(out.data(), last, out.size_bytes());
    wipe(std::span(last));
  }

  /// Round keys 0 .. 10, four words each, bytes in the order of the standard.
  std::span<const std::uint32_t, 4 * (detail::aes_rounds + 1)> round_keys() const noexcept { return keys_; }

 private:
  std::array<std::uint32_t, 4 * (detail::aes_rounds + 1)> keys_{};
};

} // namespace privet::simd::inline PRIVET_ISA
