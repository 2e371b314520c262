#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/simd/gemm.hpp>
#include <privet/simd/reduce.hpp>

#include <limits>

using namespace privet;

namespace {

/// True fusion needs an instruction; without one the sums may differ in the last bits.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
constexpr bool fused = true;
#else
constexpr bool fused = false;
#endif

template <class T>
void check_close(const std::vector<T>& got, const std::vector<T>& expected, std::size_t depth) {
  if (fused) {
    CHECK(got == expected);
    return;
  }
  // A sum may cancel: its error is that of its terms, so it is measured against the largest result.
  T largest = 1;
  for (const T x : expected) largest = std::max(largest, std::abs(x));
  const T tolerance = std::numeric_limits<T>::epsilon() * static_cast<T>(depth + 1) * 8 * largest;
  for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::abs(got[i] - expected[i]) <= tolerance);
}

template <class Arch, class T>
void check_products(std::size_t m, std::size_t n, std::size_t depth) {
  INFO("m " << m << ", n " << n << ", depth " << depth);
  const auto x = test::normals<T>(m * depth, 1), w = test::normals<T>(depth * n, 2),
             bias = test::normals<T>(n, 3);

  std::vector<T> y(m * n), expected(m * n);
  for (std::size_t i = 0; i < m; ++i)
    std::copy(bias.begin(), bias.end(), expected.begin() + static_cast<std::ptrdiff_t>(i * n));
  simd::affine<Arch>(m, n, depth, x.data(), w.data(), bias.data(), y.data());
  simd::gemm_reference<T>(m, n, depth, x.data(), depth, 1, w.data(), n, 1, expected.data(), n);
  check_close(y, expected, depth);

  // y w^T, with the same w: (m, n) by (depth, n)^T
  std::vector<T> back(m * depth, T{7}), back_expected(m * depth, T{});
  simd::times_transposed<Arch>(m, depth, n, y.data(), w.data(), back.data());
  simd::gemm_reference<T>(m, depth, n, y.data(), n, 1, w.data(), 1, n, back_expected.data(), depth);
  check_close(back, back_expected, n);

  // g + x^T y
  auto g = test::normals<T>(depth * n, 4), g_expected = g;
  simd::accumulate_outer<Arch>(m, depth, n, x.data(), y.data(), g.data());
  simd::gemm_reference<T>(depth, n, m, x.data(), 1, depth, y.data(), n, 1, g_expected.data(), n);
  check_close(g, g_expected, m);
}

} // namespace

TEST_CASE("the three matrix products equal the scalar reference at every small size") {
  for (std::size_t n = 1; n <= 67; ++n) {
    check_products<simd::default_arch, float>(n % 13 + 1, n, (n * 7) % 67 + 1);
    check_products<simd::default_arch, double>(n % 11 + 1, n, (n * 5) % 67 + 1);
  }
}

TEST_CASE("the three matrix products equal the scalar reference at the shapes of real networks") {
  check_products<simd::default_arch, float>(10, 128, 43);
  check_products<simd::default_arch, float>(10, 6, 128);
  check_products<simd::default_arch, float>(7, 512, 561);
  check_products<simd::scalar, float>(5, 20, 30);
}

TEST_CASE("NaN, infinities and denormals pass through a product as in the reference") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1, inf, nan, 1e-42f, 2, -inf}, w = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                           bias = {0, 0, 0};
  std::vector<float> y(6), expected(6);
  simd::affine<simd::default_arch>(2, 3, 3, x.data(), w.data(), bias.data(), y.data());
  simd::gemm_reference<float>(2, 3, 3, x.data(), 3, 1, w.data(), 3, 1, expected.data(), 3);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(std::isnan(y[i]) == std::isnan(expected[i]));
    if (!std::isnan(y[i])) CHECK(y[i] == expected[i]);
  }
}

TEST_CASE("one row alone gives the bits of that row among others") {
  const auto x = test::normals<float>(9 * 43, 5), w = test::normals<float>(43 * 37, 6),
             bias = test::normals<float>(37, 7);
  std::vector<float> together(9 * 37), alone(37);
  simd::affine(9, 37, 43, x.data(), w.data(), bias.data(), together.data());
  for (std::size_t r = 0; r < 9; ++r) {
    simd::affine(1, 37, 43, x.data() + r * 43, w.data(), bias.data(), alone.data());
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(r * 37)));
  }
}

TEST_CASE("sums of squares and of columns equal plain loops") {
  for (std::size_t n = 0; n <= 67; ++n) {
    const auto x = test::normals<double>(n * 3 + 1, n);
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += x[1 + i] * x[1 + i];
    // One past the start of the vector: an unaligned span.
    CHECK(simd::sum_squares(std::span(x).subspan(1, n)) == Approx(squares).epsilon(1e-13));

    std::vector<double> columns(n, 1.0), expected(n, 1.0);
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < n; ++j) expected[j] += x[i * n + j];
    simd::add_columns(3, n, x.data(), columns.data());
    CHECK(columns == expected);
  }
}

TEST_CASE("fma rounds once") {
  if (!fused) return;
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24; the last term survives only without a rounding between.
  const auto a = simd::broadcast<simd::default_arch>(1.0f + 0x1p-12f);
  const auto c = simd::broadcast<simd::default_arch>(-1.0f - 0x1p-11f);
  float lanes[simd::width<float>];
  simd::store<simd::default_arch, float>(lanes, simd::fma(a, a, c));
  for (const float lane : lanes) CHECK(lane == 0x1p-24f);
  CHECK(simd::fma(1.0 + 0x1p-30, 1.0 + 0x1p-30, -1.0 - 0x1p-29) == 0x1p-60);
}
