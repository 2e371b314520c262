#include "support/catch.hpp"
#include "support/kernels.hpp"
#include "support/numbers.hpp"

#include <privet/simd/noise_grid.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace privet;

TEST_CASE("noise on a grid: every target gives the scalar's bits, whatever the size and start") {
  for (std::size_t n = 0; n < 68; ++n) {
    const auto values = test::normals<float>(n + 1, n);
    std::vector<std::int32_t> noise(n + 1);
    for (std::size_t i = 0; i <= n; ++i) noise[i] = static_cast<std::int32_t>(i * 7919 % 4097) - 2048;
    for (const float step : {1e-6f, 0.25f, 3.0f}) {
      auto scalar = values, vector = values;
      const auto rest = std::span<const std::int32_t>(noise).subspan(1);
      simd::add_on_grid<simd::scalar>(std::span(scalar).subspan(1), 1 / step, step, rest);
      simd::add_on_grid(std::span(vector).subspan(1), 1 / step, step, rest);
      CHECK(scalar == vector);
    }
  }
}

TEST_CASE("noise on a grid: what leaves is a whole number of steps, and follows from the sum alone") {
  const float step = 0x1p-10f;
  const auto values = test::normals<float>(1000, 3);
  std::vector<std::int32_t> noise(1000);
  for (std::size_t i = 0; i < 1000; ++i) noise[i] = static_cast<std::int32_t>(i) * 37 - 20000;
  auto out = values;
  simd::add_on_grid(std::span(out), 1 / step, step, std::span<const std::int32_t>(noise));
  for (std::size_t i = 0; i < 1000; ++i) {
    const double expected = std::floor(static_cast<double>(values[i]) / step) + noise[i] + 1;
    CHECK(static_cast<double>(out[i]) / step == expected);
  }
}

TEST_CASE("noise on a grid: numbers far beyond the grid keep their size, NaN stays NaN") {
  std::vector<float> x{1e30f, -1e30f, std::numeric_limits<float>::quiet_NaN(), 5e9f};
  const std::vector<std::int32_t> noise{1, 2, 3, -4};
  simd::add_on_grid(std::span(x), 1.0f, 1.0f, std::span<const std::int32_t>(noise));
  CHECK(x[0] == 1e30f);
  CHECK(x[1] == -1e30f);
  CHECK(std::isnan(x[2]));
  CHECK(x[3] == 5e9f);
}
