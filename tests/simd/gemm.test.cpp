#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/simd/gemm.hpp>
#include <privet/simd/reduce.hpp>

#include <algorithm>
#include <limits>
#include <type_traits>

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

/// `values` at an address that no vector is aligned to.
template <class T>
struct unaligned {
  std::vector<T> all;
  explicit unaligned(const std::vector<T>& values) : all(values.size() + 1) {
    std::copy(values.begin(), values.end(), all.begin() + 1);
  }
  T* data() { return all.data() + 1; }
  std::vector<T> values() const { return {all.begin() + 1, all.end()}; }
};

/// A few outputs too many and too few are seen: what follows the result must stay as it was.
template <class T>
std::vector<T> with_guard(std::vector<T> values) {
  values.insert(values.end(), 3, T{77});
  return values;
}

template <class T>
constexpr auto halved = [](const auto& v) { return v * std::remove_cvref_t<decltype(v)>(T(0.5)); };
constexpr auto where_positive = [](const auto& dx, const auto& y) {
  using B = std::remove_cvref_t<decltype(dx)>;
  return simd::select(y > B(0), dx, B(0));
};

/// Sizes as the kernels take them: as numbers, or as constants.
template <class Arch, class T, class M, class N, class K>
void check_products(M m, N n, K depth) {
  INFO("m " << m << ", n " << n << ", depth " << depth);
  unaligned<T> x(test::normals<T>(m * depth, 1)), w(test::normals<T>(depth * n, 2)),
      bias(test::normals<T>(n, 3)), d(test::normals<T>(m * n, 4));

  std::vector<T> expected(m * n);
  for (std::size_t i = 0; i < m; ++i)
    std::copy_n(bias.data(), n, expected.begin() + static_cast<std::ptrdiff_t>(i * n));
  simd::gemm_reference<T>(m, n, depth, x.data(), depth, 1, w.data(), n, 1, expected.data(), n);
  unaligned<T> y(with_guard(std::vector<T>(m * n)));
  simd::affine<Arch>(m, n, depth, x.data(), w.data(), bias.data(), y.data());
  check_close(y.values(), with_guard(expected), depth);
  simd::affine<Arch>(m, n, depth, x.data(), w.data(), bias.data(), y.data(), halved<T>);
  for (auto& v : expected) v *= T(0.5);
  check_close(y.values(), with_guard(expected), depth);

  // dx = d w^T, and where x is positive.
  std::vector<T> back_expected(m * depth);
  simd::gemm_reference<T>(m, depth, n, d.data(), n, 1, w.data(), 1, n, back_expected.data(), depth);
  for (std::size_t i = 0; i < m * depth; ++i)
    if (!(x.data()[i] > 0)) back_expected[i] = 0;
  unaligned<T> back(with_guard(std::vector<T>(m * depth, T{7})));
  std::vector<T> scratch(with_guard(std::vector<T>(simd::back_scratch(m, n))));
  simd::back_by_input<Arch>(m, n, depth, d.data(), w.data(), x.data(), back.data(), scratch.data(),
                            where_positive);
  check_close(back.values(), with_guard(back_expected), n);
  CHECK(scratch.back() == T{77});

  // The same weights as (n, depth): lanes along the inputs.
  std::vector<T> by_output(n * depth);
  for (std::size_t k = 0; k < depth; ++k)
    for (std::size_t j = 0; j < n; ++j) by_output[j * depth + k] = w.data()[k * n + j];
  simd::back_by_output<Arch>(m, n, depth, d.data(), by_output.data(), x.data(), back.data(), where_positive);
  check_close(back.values(), with_guard(back_expected), n);

  // x^T d: written, added, subtracted.
  std::vector<T> sum(depth * n);
  simd::gemm_reference<T>(depth, n, m, x.data(), 1, depth, d.data(), n, 1, sum.data(), n);
  unaligned<T> g(with_guard(std::vector<T>(depth * n, T{7})));
  simd::outer<Arch>(m, depth, n, x.data(), depth, d.data(), g.data(), simd::write{});
  check_close(g.values(), with_guard(sum), m);
  auto added = w.values();
  simd::gemm_reference<T>(depth, n, m, x.data(), 1, depth, d.data(), n, 1, added.data(), n);
  g = unaligned<T>(with_guard(w.values()));
  simd::outer<Arch>(m, depth, n, x.data(), depth, d.data(), g.data(), simd::add{});
  check_close(g.values(), with_guard(added), m);
  auto moved = w.values();
  for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = std::fma(T(-0.1), sum[i], moved[i]);
  g = unaligned<T>(with_guard(w.values()));
  simd::outer<Arch>(m, depth, n, x.data(), depth, d.data(), g.data(), simd::subtract<T>{T(0.1)});
  check_close(g.values(), with_guard(moved), m);

  // Sums of columns, rows ascending.
  std::vector<T> columns(bias.values());
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) columns[j] += d.data()[i * n + j];
  unaligned<T> sums(with_guard(bias.values()));
  simd::sum_rows<Arch>(m, n, d.data(), sums.data(), simd::add{});
  CHECK(sums.values() == with_guard(columns));
}

template <class Arch, class T, class N, class K>
void check_narrow(std::size_t m, N n, K depth) {
  INFO("narrow: m " << m << ", n " << n << ", depth " << depth);
  unaligned<T> x(test::normals<T>(m * depth, 1)), w(test::normals<T>(depth * n, 2)),
      bias(test::normals<T>(n, 3));
  std::vector<T> expected(m * n);
  for (std::size_t i = 0; i < m; ++i)
    std::copy_n(bias.data(), n, expected.begin() + static_cast<std::ptrdiff_t>(i * n));
  simd::gemm_reference<T>(m, n, depth, x.data(), depth, 1, w.data(), 1, depth, expected.data(), n);
  unaligned<T> y(with_guard(std::vector<T>(m * n)));
  simd::affine_by_output<Arch>(m, n, depth, x.data(), w.data(), bias.data(), y.data());
  // Another order of the same terms: the error is that of a sum of `depth` of them.
  const T tolerance = std::numeric_limits<T>::epsilon() * static_cast<T>(depth + 2) * 4;
  for (std::size_t i = 0; i < m * n; ++i) REQUIRE(std::abs(y.data()[i] - expected[i]) <= tolerance);
  CHECK(y.values().back() == T{77});
  const auto together = y.values();
  for (std::size_t r = 0; r < m; ++r) { // a row alone gives the same bits
    simd::affine_by_output<Arch>(1, n, depth, x.data() + r * depth, w.data(), bias.data(), y.data());
    CHECK(std::equal(y.data(), y.data() + n, together.begin() + static_cast<std::ptrdiff_t>(r * n)));
  }
}

} // namespace

TEST_CASE("the products equal the scalar reference at every small size") {
  for (std::size_t n = 1; n <= 67; ++n) {
    check_products<simd::default_arch, float>(n % 13 + 1, n, (n * 7) % 67 + 1);
    check_products<simd::default_arch, float>((n * 11) % 67 + 1, n, n % 19 + 1);
    check_products<simd::default_arch, double>(n % 11 + 1, n, (n * 5) % 67 + 1);
  }
  check_products<simd::default_arch, float>(std::size_t{0}, std::size_t{20}, std::size_t{5});
  check_products<simd::default_arch, float>(std::size_t{3}, std::size_t{20}, std::size_t{0});
}

TEST_CASE("the products equal the scalar reference at the shapes of real networks") {
  check_products<simd::default_arch, float>(std::size_t{10}, std::size_t{128}, std::size_t{43});
  check_products<simd::default_arch, float>(std::size_t{130}, std::size_t{32}, std::size_t{128});
  check_products<simd::default_arch, float>(std::size_t{7}, std::size_t{512}, std::size_t{561});
  check_products<simd::scalar, float>(std::size_t{5}, std::size_t{20}, std::size_t{30});
}

TEST_CASE("sizes as constants give the bits of sizes as numbers") {
  using simd::size_constant;
  check_products<simd::default_arch, float>(std::size_t{10}, size_constant<128>{}, size_constant<43>{});
  check_products<simd::default_arch, float>(std::size_t{33}, size_constant<37>{}, size_constant<20>{});
  check_products<simd::default_arch, double>(std::size_t{1}, size_constant<100>{}, size_constant<9>{});
  check_narrow<simd::default_arch, float>(21, size_constant<6>{}, size_constant<128>{});
}

TEST_CASE("the narrow form equals the scalar reference to rounding, and no row sees another") {
  for (std::size_t n = 1; n < simd::narrow; ++n)
    for (const std::size_t depth : {1u, 5u, 16u, 33u, 67u}) {
      check_narrow<simd::default_arch, float>((n * 7 + depth) % 37 + 1, n, depth);
      check_narrow<simd::default_arch, double>((n * 5 + depth) % 19 + 1, n, depth);
    }
  check_narrow<simd::scalar, float>(3, std::size_t{5}, std::size_t{20});
}

TEST_CASE("NaN, infinities and denormals pass through a product as in the reference") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {1, inf, nan, 1e-42f, 2, -inf}, w = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                           bias = {0, 0, 0};
  std::vector<float> y(6), expected(6);
  const auto check = [&] {
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(std::isnan(y[i]) == std::isnan(expected[i]));
      if (!std::isnan(y[i])) CHECK(y[i] == expected[i]);
    }
  };
  simd::affine<simd::default_arch>(2, 3, 3, x.data(), w.data(), bias.data(), y.data());
  simd::gemm_reference<float>(2, 3, 3, x.data(), 3, 1, w.data(), 3, 1, expected.data(), 3);
  check();
  std::ranges::fill(expected, 0.f);
  simd::affine_by_output<simd::default_arch>(2, 3, 3, x.data(), w.data(), bias.data(), y.data());
  simd::gemm_reference<float>(2, 3, 3, x.data(), 3, 1, w.data(), 1, 3, expected.data(), 3);
  check();
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

TEST_CASE("sums of squares equal a plain loop") {
  for (std::size_t n = 0; n <= 67; ++n) {
    const auto x = test::normals<double>(n + 1, n);
    double squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += x[1 + i] * x[1 + i];
    // One past the start of the vector: an unaligned span.
    CHECK(simd::sum_squares(std::span(x).subspan(1, n)) == Approx(squares).epsilon(1e-13));
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
