#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/random/replayable.hpp>
#include <privet/simd/ring_gemm.hpp>

using namespace privet;

namespace {

std::vector<std::uint64_t> words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> halves(2 * n);
  replayable_random(seed).fill(halves);
  std::vector<std::uint64_t> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = halves[2 * i] | std::uint64_t{halves[2 * i + 1]} << 32;
  return out;
}

template <class Arch>
void check(std::size_t m, std::size_t n, std::size_t depth) {
  INFO("m " << m << ", n " << n << ", depth " << depth);
  test::guarded<std::uint64_t> a(words(m * depth, 1)), b(words(depth * n, 2)), c(words(m * n, 3));
  auto expected = c.values();
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < depth; ++k)
        expected[i * n + j] += a.data()[i * depth + k] * b.data()[k * n + j];
  simd::ring_gemm<Arch>(m, n, depth, std::span<const std::uint64_t>(a.data(), m * depth),
                        std::span<const std::uint64_t>(b.data(), depth * n), std::span(c.data(), m * n));
  REQUIRE(c.values() == expected);
  REQUIRE(c.intact());
}

} // namespace

TEST_CASE("ring_gemm equals a plain loop at every small size") {
  for (std::size_t m = 0; m <= 9; ++m)
    for (std::size_t n = 0; n <= 9; ++n)
      for (std::size_t depth = 0; depth <= 9; ++depth) {
        check<simd::default_arch>(m, n, depth);
        check<simd::scalar>(m, n, depth);
      }
  for (std::size_t n = 0; n <= 67; ++n) {
    check<simd::default_arch>(n % 13, n, n * 7 % 68);
    check<simd::default_arch>(n * 11 % 68, n, n % 19);
    check<simd::default_arch>(n, n * 5 % 68, n * 3 % 68);
    check<simd::default_arch>(n, 1, n * 7 % 68);
    check<simd::default_arch>(1, n * 7 % 68, n);
    check<simd::scalar>(n % 13, n, n * 7 % 68);
  }
}

TEST_CASE("ring_gemm equals a plain loop where the inner index is cut into blocks") {
  for (const std::size_t depth : {127u, 128u, 129u, 255u, 256u, 257u, 600u}) check<simd::default_arch>(7, 35, depth);
  check<simd::default_arch>(130, 70, 300);
  check<simd::scalar>(9, 11, 300);
}

TEST_CASE("ring_gemm_reference wraps around") {
  const std::uint64_t minus = ~std::uint64_t{0}; // -1
  const std::vector<std::uint64_t> a = {minus, 2, std::uint64_t{1} << 63, 3},
                                   b = {minus, 5, 7, std::uint64_t{1} << 63};
  std::vector<std::uint64_t> c = {minus, 0, 1, 0};
  simd::ring_gemm_reference(2, 2, 2, a, b, c);
  // (-1)(-1) + 2 7 - 1, (-1) 5 + 2 2^63, 2^63 (-1) + 3 7 + 1, 2^63 5 + 3 2^63
  CHECK(c == std::vector<std::uint64_t>{14, minus - 4, (std::uint64_t{1} << 63) + 22, 0});
}

TEST_CASE("products of shares add up to the product of what they share") {
  const std::size_t m = 21, n = 19, depth = 40;
  const auto a = words(m * depth, 4), b = words(depth * n, 5), mask = words(m * depth, 6);
  auto rest = a;
  for (std::size_t i = 0; i < a.size(); ++i) rest[i] -= mask[i];
  std::vector<std::uint64_t> whole(m * n), shared(m * n);
  simd::ring_gemm(m, n, depth, a, b, whole);
  simd::ring_gemm(m, n, depth, mask, b, shared);
  simd::ring_gemm(m, n, depth, rest, b, shared);
  CHECK(whole == shared);
}
