#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/normalise.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t lanes = simd::lane_block;
constexpr double epsilon = 0.125;

/// One set of values in plain loops, in double.
struct reference {
  double mean = 0, rate = 0;
  std::vector<double> y, dx;
  double product = 0, sum = 0;        // gradients of one weight and one bias for all values
  std::vector<double> products, sums; // of weights and biases of their own
  double squares = 0;

  /// f(i) of values, deltas, weights and biases.
  template <class X, class D, class W, class B>
  reference(std::size_t n, X x, D dy, W w, B b) {
    const double count = static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) mean += x(i) / count;
    double variance = 0;
    for (std::size_t i = 0; i < n; ++i) variance += (x(i) - mean) * (x(i) - mean) / count;
    rate = 1 / std::sqrt(variance + epsilon);
    double shift = 0, tilt = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double normal = (x(i) - mean) * rate;
      y.push_back(normal * w(i) + b(i));
      products.push_back(dy(i) * normal);
      sums.push_back(dy(i));
      product += products.back();
      sum += sums.back();
      squares += products.back() * products.back() + sums.back() * sums.back();
      shift += w(i) * dy(i) / count;
      tilt += w(i) * dy(i) * normal / count;
    }
    for (std::size_t i = 0; i < n; ++i)
      dx.push_back(rate * (w(i) * dy(i) - shift - (x(i) - mean) * rate * tilt));
  }
};

template <class T>
constexpr double tolerance = static_cast<double>(std::numeric_limits<T>::epsilon()) * 200;

template <class T>
void check_close(const char* what, T got, double expected) {
  INFO(what << ": " << got << " against " << expected);
  REQUIRE(std::abs(static_cast<double>(got) - expected) <= tolerance<T> * std::max(1.0, std::abs(expected)));
}

/// 3 v, and for the way back d + v: whether both arguments arrive.
struct thrice {
  template <class B>
  B operator()(const B& v) const {
    return v + v + v;
  }
  template <class B>
  B operator()(const B& d, const B& v) const {
    return d + v;
  }
};

} // namespace

TEST_CASE("moments, maps and gradients of lanes equal plain loops over one example after another") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t n : {1u, 3u, 8u, 37u, 300u}) {
      CAPTURE(n);
      test::guarded<T> x(test::normals<T>(n * lanes, 1)), dy(test::normals<T>(n * lanes, 2)),
          y{std::vector<T>(n * lanes)}, dx{std::vector<T>(n * lanes)};
      for (std::size_t i = 0; i < n; ++i) // a lane that is not finite stays alone
        x.data()[i * lanes + 5] = std::numeric_limits<T>::quiet_NaN();
      const T w = T(-1.5), b = T(0.25);
      test::guarded<T> mean{std::vector<T>(lanes)}, rate{std::vector<T>(lanes)},
          products{std::vector<T>(lanes)}, sums{std::vector<T>(lanes)}, shift{std::vector<T>(lanes)},
          tilt{std::vector<T>(lanes)};
      const T *const from = x.data(), *const m = mean.data(), *const r = rate.data();
      simd::lane_moments<Arch>(n, from, static_cast<T>(epsilon), mean.data(), rate.data());
      simd::lane_affine<Arch>(n, from, m, r, w, b, y.data(), thrice{});
      simd::lane_products<Arch>(n, from, m, r, static_cast<const T*>(dy.data()), products.data(),
                                sums.data());
      for (std::size_t l = 0; l < lanes; ++l) {
        shift.data()[l] = w * sums.data()[l] / static_cast<T>(n);
        tilt.data()[l] = w * products.data()[l] / static_cast<T>(n);
      }
      simd::lane_affine_back<Arch>(n, from, m, r, w, static_cast<const T*>(dy.data()),
                                   static_cast<const T*>(shift.data()), static_cast<const T*>(tilt.data()),
                                   dx.data(), thrice{});
      CHECK((mean.intact() && rate.intact() && y.intact() && dx.intact() && products.intact() &&
             sums.intact()));
      CHECK((std::isnan(mean.data()[5]) && std::isnan(dx.data()[5])));
      for (std::size_t l = 0; l < lanes; ++l) {
        if (l == 5) continue;
        const auto of = [l](const T* values) {
          return [values, l](std::size_t i) { return static_cast<double>(values[i * lanes + l]); };
        };
        const reference expected(
            n, of(x.data()), of(dy.data()), [&](std::size_t) { return double(w); },
            [&](std::size_t) { return double(b); });
        check_close("mean", m[l], expected.mean);
        check_close("rate", r[l], expected.rate);
        check_close("product", products.data()[l], expected.product);
        check_close("sum", sums.data()[l], expected.sum);
        for (std::size_t i = 0; i < n; ++i) {
          check_close("y", y.data()[i * lanes + l], 3 * expected.y[i]);
          check_close("dx", dx.data()[i * lanes + l],
                      expected.dx[i] + static_cast<double>(x.data()[i * lanes + l]));
        }
      }
    }
  });
}

TEST_CASE("moments, maps and gradients of lanes have the same bits on every architecture that fuses") {
  if (!test::fused<simd::default_arch>) return;
  constexpr std::size_t n = 301;
  const auto x = test::normals<float>(n * lanes, 1), dy = test::normals<float>(n * lanes, 2);
  const auto run = [&]<class Arch>(Arch) {
    std::vector<float> all(4 * lanes);
    simd::lane_moments<Arch>(n, x.data(), 1e-5f, all.data(), all.data() + lanes);
    simd::lane_products<Arch>(n, x.data(), static_cast<const float*>(all.data()),
                              static_cast<const float*>(all.data() + lanes), dy.data(),
                              all.data() + 2 * lanes, all.data() + 3 * lanes);
    return all;
  };
  CHECK(run(simd::default_arch{}) == run(simd::scalar{}));
}

TEST_CASE("moments, maps and gradients of a row equal plain loops") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t n : {1u, 2u, 7u, 16u, 33u, 67u, 1100u}) {
      CAPTURE(n);
      test::guarded<T> x(test::normals<T>(n, 1)), dy(test::normals<T>(n, 2)), w(test::normals<T>(n, 3)),
          b(test::normals<T>(n, 4)), y{std::vector<T>(n)}, dx{std::vector<T>(n)}, gw(std::vector<T>(n, T(2))),
          gb(std::vector<T>(n, T(3)));
      const T *const from = x.data(), *const delta = dy.data(), *const weight = w.data(),
                     *const bias = b.data();
      const auto moments = simd::row_moments<Arch>(n, from, static_cast<T>(epsilon));
      simd::row_affine<Arch>(n, from, moments, weight, bias, y.data(), thrice{});
      simd::row_affine_back<Arch>(n, from, moments, weight, delta, dx.data(), thrice{});
      simd::add_row_gradient<Arch>(n, from, moments, delta, gw.data(), gb.data());
      CHECK((y.intact() && dx.intact() && gw.intact() && gb.intact()));
      const auto of = [](const T* values) {
        return [values](std::size_t i) { return static_cast<double>(values[i]); };
      };
      const reference expected(n, of(from), of(delta), of(weight), of(bias));
      check_close("mean", moments.mean, expected.mean);
      check_close("rate", moments.rate, expected.rate);
      check_close("squares", simd::row_squares<Arch>(n, from, moments, delta), expected.squares);
      for (std::size_t i = 0; i < n; ++i) {
        check_close("y", y.data()[i], 3 * expected.y[i]);
        check_close("dx", dx.data()[i], expected.dx[i] + static_cast<double>(from[i]));
        check_close("gw", gw.data()[i], 2 + expected.products[i]);
        check_close("gb", gb.data()[i], 3 + expected.sums[i]);
      }
    }
  });
}

TEST_CASE("squares of a row count those that underflow, and never less than they are") {
  test::for_each_kind([]<class Arch, class T>() {
    const std::vector<T> x(19, std::numeric_limits<T>::max() / 32), tiny(19, std::numeric_limits<T>::min());
    const auto moments = simd::row_moments<Arch>(x.size(), x.data(), static_cast<T>(1e-30));
    CHECK(std::isfinite(moments.rate));
    const T squares = simd::row_squares<Arch>(x.size(), x.data(), moments, tiny.data());
    CHECK((std::isfinite(squares) && squares >= 19 * std::numeric_limits<T>::min()));
  });
}

TEST_CASE("moments, maps and gradients of a channel of rows equal plain loops") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t pixels : {1u, 5u, 16u, 35u}) {
      constexpr std::size_t rows = 6;
      const std::size_t next = 2 * pixels + 3,
                        n = rows * pixels; // between the rows lies what is not to be read
      CAPTURE(pixels);
      test::guarded<T> x(std::vector<T>(rows * next, std::numeric_limits<T>::quiet_NaN())),
          dy(std::vector<T>(rows * next, std::numeric_limits<T>::quiet_NaN())),
          y(std::vector<T>(rows * next, T(9))), dx(std::vector<T>(rows * next, T(9)));
      const auto values = test::normals<T>(n, 1), deltas = test::normals<T>(n, 2);
      const auto at = [&](std::size_t i) { return i / pixels * next + i % pixels; };
      for (std::size_t i = 0; i < n; ++i) x.data()[at(i)] = values[i], dy.data()[at(i)] = deltas[i];
      const T *const from = x.data(), *const delta = dy.data();
      const T w = T(0.75), b = T(-2);
      const auto moments = simd::channel_moments<Arch>(rows, next, pixels, from, static_cast<T>(epsilon));
      const auto [product, sum] = simd::channel_products<Arch>(rows, next, pixels, from, moments, delta);
      simd::channel_affine<Arch>(rows, next, pixels, from, moments, w, b, y.data(), thrice{});
      simd::channel_affine_back<Arch>(rows, next, pixels, from, moments, w, delta,
                                      w * sum / static_cast<T>(n), w * product / static_cast<T>(n), dx.data(),
                                      thrice{});
      const reference expected(
          n, [&](std::size_t i) { return double(values[i]); },
          [&](std::size_t i) { return double(deltas[i]); }, [&](std::size_t) { return double(w); },
          [&](std::size_t) { return double(b); });
      check_close("mean", moments.mean, expected.mean);
      check_close("rate", moments.rate, expected.rate);
      check_close("product", product, expected.product);
      check_close("sum", sum, expected.sum);
      for (std::size_t i = 0; i < n; ++i) {
        check_close("y", y.data()[at(i)], 3 * expected.y[i]);
        check_close("dx", dx.data()[at(i)], expected.dx[i] + double(values[i]));
      }
      for (std::size_t i = 0; i < rows * next; ++i)
        if (i % next >= pixels) REQUIRE((y.data()[i] == T(9) && dx.data()[i] == T(9)));
    }
  });
}
