#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/elementwise.hpp>

using namespace privet;

TEST_CASE("axpy equals a loop over fma at every small size") {
  test::for_each_kind([]<class Arch, class T>() {
    for (std::size_t n = 0; n <= 67; ++n)
      for (const T a : {T(-0.37), T(0), T(1), std::numeric_limits<T>::infinity()}) {
        INFO("n " << n << ", a " << a);
        test::guarded<T> x(test::mixed<T>(n, n)), y(test::mixed<T>(n, n + 1));
        const auto before = y.values();
        simd::axpy<Arch>(a, std::span<const T>(x.data(), n), std::span<T>(y.data(), n));
        REQUIRE(y.intact());
        for (std::size_t i = 0; i < n; ++i) {
          const T expected = std::fma(a, x.data()[i], before[i]);
          // Without a fused instruction the product is rounded too: half an ulp of it, and of the sum.
          using limits = std::numeric_limits<T>;
          const T slack =
              limits::epsilon() * (std::abs(a * x.data()[i]) + std::abs(expected)) + limits::denorm_min();
          REQUIRE(test::near(y.data()[i], expected, test::fused<Arch> ? T(0) : slack));
        }
      }
  });
}

TEST_CASE("scale equals a plain loop at every small size, to the bit") {
  test::for_each_kind([]<class Arch, class T>() {
    for (std::size_t n = 0; n <= 67; ++n)
      for (const T a : {T(-0.37), T(0), T(1e20), std::numeric_limits<T>::infinity()}) {
        INFO("n " << n << ", a " << a);
        test::guarded<T> x(test::mixed<T>(n, n));
        const auto before = x.values();
        simd::scale<Arch>(a, std::span<T>(x.data(), n));
        REQUIRE(x.intact());
        for (std::size_t i = 0; i < n; ++i) REQUIRE(test::same(x.data()[i], before[i] * a));
      }
  });
}
