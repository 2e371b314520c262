#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/data/fourier_line.hpp>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

using namespace privet;

namespace {

using cells = std::vector<std::complex<double>>;

cells by_definition(const cells& x) {
  const std::size_t n = x.size();
  cells out(n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i)
      out[k] += x[i] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k * i % n) /
                                           static_cast<double>(n));
  return out;
}

} // namespace

TEST_CASE("fourier_line: the discrete Fourier transform of each lane, and back") {
  test::for_each_kind([]<class Arch, class T>() {
    using batch = simd::batch<T, Arch>;
    constexpr std::size_t lanes = simd::width<T, Arch>, stride = 3;
    for (const std::size_t n : {1u, 2u, 3u, 4u, 5u, 6u, 8u, 12u, 16u, 25u, 28u, 30u, 32u, 49u, 97u}) {
      const auto numbers = test::normals<double>(2 * n * lanes, n);
      const auto given = [&](std::size_t i, std::size_t lane, std::size_t part) {
        return static_cast<T>(numbers[(2 * i + part) * lanes + lane]);
      };
      std::vector<detail::complex_lanes<batch>> x(n * stride, {batch(T(7)), batch(T(7))});
      for (std::size_t i = 0; i < n; ++i) {
        alignas(64) T re[lanes], im[lanes];
        for (std::size_t l = 0; l < lanes; ++l) re[l] = given(i, l, 0), im[l] = given(i, l, 1);
        x[i * stride] = {simd::load<Arch>(static_cast<const T*>(re)),
                         simd::load<Arch>(static_cast<const T*>(im))};
      }
      const auto number = [&](std::size_t i, std::size_t lane) {
        alignas(64) T re[lanes], im[lanes];
        simd::store<Arch, T>(re, x[i * stride].re), simd::store<Arch, T>(im, x[i * stride].im);
        return std::complex<double>(static_cast<double>(re[lane]), static_cast<double>(im[lane]));
      };
      const detail::fourier_line<T, Arch> transform(n);
      REQUIRE(transform.size() == n);
      std::vector<detail::complex_lanes<batch>> room(transform.scratch());
      transform(x.data(), stride, room.data());

      const double close = 4 * std::sqrt(static_cast<double>(n)) * std::log2(static_cast<double>(2 * n)) *
                           static_cast<double>(std::numeric_limits<T>::epsilon());
      double off = 0;
      for (std::size_t l = 0; l < lanes; ++l) {
        cells own(n);
        for (std::size_t i = 0; i < n; ++i)
          own[i] = {static_cast<double>(given(i, l, 0)), static_cast<double>(given(i, l, 1))};
        const auto expected = by_definition(own);
        for (std::size_t k = 0; k < n; ++k) off = std::max(off, std::abs(number(k, l) - expected[k]));
      }
      INFO(n << " numbers: off by " << off << ", allowed " << close);
      CHECK(off <= close);

      // Back, with real and imaginary parts exchanged.
      for (std::size_t i = 0; i < n; ++i) std::swap(x[i * stride].re, x[i * stride].im);
      transform(x.data(), stride, room.data());
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t l = 0; l < lanes; ++l) {
          const std::complex<double> again(number(i, l).imag(), number(i, l).real()),
              before(static_cast<double>(given(i, l, 0)), static_cast<double>(given(i, l, 1)));
          REQUIRE(std::abs(again / static_cast<double>(n) - before) <= 4 * close);
        }
      // Nothing between the numbers was written.
      for (std::size_t i = 0; i + 1 < stride * n; ++i)
        if (i % stride != 0) REQUIRE(simd::reduce_add(x[i].re) == T(7) * static_cast<T>(lanes));
    }
  });
}
