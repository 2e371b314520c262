#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/normal.hpp>
#include <privet/simd/philox.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

using namespace privet;

namespace {

/// Distance in units of the last place of `b`.
template <class T>
double ulps(T a, long double b) {
  const T up = std::nextafter(std::abs(static_cast<T>(b)), std::numeric_limits<T>::infinity());
  return static_cast<double>(std::abs(a - b) / (up - std::abs(static_cast<T>(b))));
}

template <class T, class Arch, class F>
T lane(F f, T x) {
  T lanes[simd::width<T, Arch>];
  std::fill(std::begin(lanes), std::end(lanes), x);
  simd::store<Arch, T>(lanes, f(simd::load<Arch>(static_cast<const T*>(lanes))));
  return lanes[0];
}

std::vector<std::uint32_t> words(std::size_t n, std::uint64_t seed) {
  std::vector<std::uint32_t> out(n);
  simd::philox_blocks(seed, 0, 0, out);
  return out;
}

template <class Arch, class T>
std::vector<T> normals(const std::vector<std::uint32_t>& from, std::size_t n) {
  std::vector<T> out(n);
  simd::normals<Arch>(std::span<const std::uint32_t>(from), std::span<T>(out));
  return out;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

} // namespace

TEMPLATE_TEST_CASE("logarithm, sine and cosine are as good as the standard ones", "", float, double) {
  using T = TestType;
  using Arch = simd::default_arch;
  double log_error = 0, sin_error = 0, cos_error = 0;
  for (int i = 0; i <= 20000; ++i) {
    const T mantissa = static_cast<T>(std::exp2(-0.5 + i / 20000.0 * 0.999999));
    for (const T power : {T(0), T(-1), T(-31)}) {
      const T twice = lane<T, Arch>(
          [&](auto m) { return simd::detail::twice_log<Arch, T>(m, simd::broadcast<Arch>(power)); },
          mantissa);
      if (power > -1 || mantissa != 1)
        log_error = std::max(log_error, ulps(twice / 2, std::log(static_cast<long double>(mantissa)) +
                                                            static_cast<long double>(power) *
                                                                std::numbers::ln2_v<long double>));
    }
    const T x = static_cast<T>((i - 10000) / 10000.0 * std::numbers::pi / 4);
    sin_error =
        std::max(sin_error, ulps(lane<T, Arch>([](auto v) { return simd::detail::sin_small<Arch, T>(v); }, x),
                                 std::sin(static_cast<long double>(x))));
    cos_error =
        std::max(cos_error, ulps(lane<T, Arch>([](auto v) { return simd::detail::cos_small<Arch, T>(v); }, x),
                                 std::cos(static_cast<long double>(x))));
  }
  CAPTURE(log_error, sin_error, cos_error);
  CHECK(log_error < 1.5);
  CHECK(sin_error < 1.0);
  CHECK(cos_error < 1.5);
}

TEMPLATE_TEST_CASE("normals of vectors equal scalar ones, to the bit where the target fuses", "", float,
                   double) {
  using T = TestType;
  const std::size_t n = 50000;
  const auto from = words(n * simd::words_per_normal<T>, 1);
  const auto vectors = normals<simd::default_arch, T>(from, n), scalars = normals<simd::scalar, T>(from, n);
  if (test::fused<simd::default_arch>) {
    CHECK(same_bits(vectors, scalars));
  } else {
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, ulps(vectors[i], scalars[i]));
    CHECK(worst <= 2);
  }
}

TEMPLATE_TEST_CASE("any number of normals is the beginning of more, and nothing else is touched", "", float,
                   double) {
  using T = TestType;
  const auto check = []<class Arch>(Arch) {
    const std::size_t most = 20 * 2 * simd::width<T, Arch> + 3;
    const auto from = words((most + 1) * simd::words_per_normal<T>, 2);
    const auto whole = normals<Arch, T>(from, most);
    for (std::size_t n = 0; n <= most; ++n) {
      // As many words as there have to be, and not one more.
      const std::vector<std::uint32_t> enough(
          from.begin(),
          from.begin() + static_cast<std::ptrdiff_t>((n + 1) / 2 * 2 * simd::words_per_normal<T>));
      test::guarded<T> out(std::vector<T>(n, T(5)));
      simd::normals<Arch>(std::span<const std::uint32_t>(enough), std::span<T>(out.data(), n));
      REQUIRE(out.intact());
      REQUIRE(same_bits(out.values(),
                        std::vector<T>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))));
    }
  };
  check(simd::default_arch{});
  check(simd::scalar{});
}

TEMPLATE_TEST_CASE("normals added in one pass are normals made and then added", "", float, double) {
  using T = TestType;
  const auto check = []<class Arch>(Arch) {
    const std::size_t most = 20 * 2 * simd::width<T, Arch> + 3;
    const auto from = words((most + 1) * simd::words_per_normal<T>, 3);
    const auto noise = normals<Arch, T>(from, most);
    for (std::size_t n = 0; n <= most; ++n) {
      std::vector<T> before(n);
      for (std::size_t i = 0; i < n; ++i) before[i] = T(0.37) * static_cast<T>(i) - T(11);
      test::guarded<T> sum(before);
      simd::add_normals<Arch>(std::span<const std::uint32_t>(from), T(1.7), std::span<T>(sum.data(), n));
      auto expected = before;
      simd::axpy<Arch>(T(1.7), std::span<const T>(noise).first(n), std::span<T>(expected));
      REQUIRE(sum.intact());
      REQUIRE(same_bits(sum.values(), expected));

      std::vector<T> weights(n);
      for (std::size_t i = 0; i < n; ++i) weights[i] = T(5) - T(0.11) * static_cast<T>(i);
      test::guarded<T> moved(weights);
      simd::descend_with_normals<Arch>(std::span<const std::uint32_t>(from), std::span<const T>(before),
                                       T(1.7), T(0.3), std::span<T>(moved.data(), n));
      simd::axpy<Arch>(T(-0.3), std::span<const T>(expected), std::span<T>(weights));
      REQUIRE(moved.intact());
      REQUIRE(same_bits(moved.values(), weights));
    }
  };
  check(simd::default_arch{});
  check(simd::scalar{});
}

TEST_CASE("words next to a change of exponent or of quarter give the same on vectors") {
  std::vector<std::uint32_t> edges;
  for (int bit = 0; bit < 32; ++bit)
    for (const std::uint32_t near : {0xFFFFFF7Fu, 0xFFFFFF80u, 0xFFFFFFFFu, 0u, 1u, 0x80u})
      edges.push_back((std::uint32_t{1} << bit) + near);
  for (const std::uint32_t eighth : {0x20000000u, 0x60000000u, 0xA0000000u, 0xE0000000u, 0xB504F333u})
    for (const std::uint32_t near : {0xFFFFFFFFu, 0u, 1u}) edges.push_back(eighth + near);
  std::vector<std::uint32_t> from;
  for (const auto radius : edges)
    for (const auto angle : edges) from.push_back(radius), from.push_back(angle);
  const auto compare = [&]<class T>(T) {
    const std::size_t n = from.size() / simd::words_per_normal<T>;
    const auto a = normals<simd::default_arch, T>(from, n), b = normals<simd::scalar, T>(from, n);
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(std::isfinite(a[i]));
      REQUIRE(std::abs(a[i] - b[i]) <= 4 * std::numeric_limits<T>::epsilon() * std::abs(b[i]));
    }
    if (test::fused<simd::default_arch>) CHECK(same_bits(a, b));
  };
  compare(float{});
  compare(double{});
}
