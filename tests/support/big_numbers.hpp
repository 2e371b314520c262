#pragma once
// Big numbers for tests: random words, moduli at the ends of their range, and the kernels to run them on.

#include <privet/crypto/bigint.hpp>
#include <privet/random/replayable.hpp>
#include <privet/simd/montgomery.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace privet::test {

using big_words = std::vector<std::uint64_t>;

inline big_words random_words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> halves(2 * n);
  replayable_random(seed).fill(halves);
  big_words out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
  return out;
}

/// An odd number of exactly so many bits.
inline big_words random_modulus(std::size_t bits, std::uint64_t seed) {
  big_words n = random_words((bits + 63) / 64, seed);
  n.back() &= ~std::uint64_t{0} >> (64 * n.size() - bits);
  n.back() |= std::uint64_t{1} << (bits - 1) % 64;
  n.front() |= 1;
  return n;
}
inline big_words largest_modulus(std::size_t bits) { // 2^bits - 1
  big_words n((bits + 63) / 64, ~std::uint64_t{0});
  n.back() >>= 64 * n.size() - bits;
  return n;
}
inline big_words smallest_modulus(std::size_t bits) { // 2^(bits - 1) + 1
  big_words n((bits + 63) / 64);
  n.back() = std::uint64_t{1} << (bits - 1) % 64;
  n.front() |= 1;
  return n;
}

/// Number `i` of those that lie one after the other, `size` words each.
inline bigint number_at(std::span<const std::uint64_t> words, std::size_t size, std::size_t i) {
  return from_words(words.subspan(i * size, size));
}

/// Calls f<Arch>() for the architectures of this build, scalar first, and for each kernel that none of
/// them stands for.
template <class F>
void for_each_arithmetic(F f) {
  f.template operator()<simd::scalar>();
  f.template operator()<simd::default_arch>();
#if defined(__AVX2__) && defined(__AVX512F__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_avx2>>();
#endif
#if defined(__AVX512IFMA__)
  f.template operator()<simd::montgomery_tiles<simd::montgomery_avx512>>();
#endif
}

} // namespace privet::test
