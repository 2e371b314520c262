#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/convolution.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t lanes = simd::lane_block;

/// One example after another, in plain loops: in the order that the kernels state.
template <class T>
struct reference {
  simd::convolution c;
  std::vector<T> y, dx, g; // (.., lanes)

  reference(const simd::convolution& shape, const std::vector<T>& x, const std::vector<T>& w,
            const std::vector<T>& dy)
      : c(shape), y(dy.size()), dx(x.size()), g((c.weights() + c.outs) * lanes) {
    for (std::size_t l = 0; l < lanes; ++l) {
      for (std::size_t o = 0; o < c.outs; ++o)
        each_position([&](std::size_t r, std::size_t i) {
          T sum = w[c.weights() + o];
          each_tap(o, r, i, [&](std::size_t weight, std::size_t from) {
            sum = simd::fma(w[weight], x[from * lanes + l], sum);
          });
          y[out(o, r, i) * lanes + l] = sum;
          T& bias = g[(c.weights() + o) * lanes + l];
          bias += dy[out(o, r, i) * lanes + l];
        });
      // Each element of g in the order of positions; each of dx in that of channel, row and column of the window.
      for (std::size_t o = 0; o < c.outs; ++o) {
        each_position([&](std::size_t r, std::size_t i) {
          each_tap(o, r, i, [&](std::size_t weight, std::size_t from) {
            T& sum = g[weight * lanes + l];
            sum = simd::fma(dy[out(o, r, i) * lanes + l], x[from * lanes + l], sum);
          });
        });
        for (std::size_t u = 0; u < c.window_height; ++u)
          for (std::size_t v = 0; v < c.window_width; ++v)
            each_position([&](std::size_t r, std::size_t i) {
              each_tap(o, r, i, [&](std::size_t weight, std::size_t from) {
                if (weight % c.window_size() != u * c.window_width + v) return;
                T& sum = dx[from * lanes + l];
                sum = simd::fma(w[weight], dy[out(o, r, i) * lanes + l], sum);
              });
            });
      }
    }
  }

  std::size_t out(std::size_t o, std::size_t r, std::size_t i) const {
    return (o * c.out_height() + r) * c.out_width() + i;
  }
  template <class F>
  void each_position(F f) const {
    for (std::size_t r = 0; r < c.out_height(); ++r)
      for (std::size_t i = 0; i < c.out_width(); ++i) f(r, i);
  }
  template <class F>
  void each_tap(std::size_t o, std::size_t r, std::size_t i, F f) const {
    const std::size_t first = o / c.group_outs() * c.group_channels();
    for (std::size_t k = 0; k < c.group_channels(); ++k)
      for (std::size_t u = 0; u < c.window_height; ++u)
        for (std::size_t v = 0; v < c.window_width; ++v) {
          const std::size_t row = r * c.stride + u, column = i * c.stride + v;
          if (row < c.padding || column < c.padding || row - c.padding >= c.height ||
              column - c.padding >= c.width)
            continue;
          f(o * c.taps() + k * c.window_size() + u * c.window_width + v,
            ((first + k) * c.height + row - c.padding) * c.width + column - c.padding);
        }
  }
};

template <class Arch, class T>
void check_equal(const char* what, std::vector<T> got, const std::vector<T>& expected) {
  REQUIRE(got.size() == expected.size());
  // Without an instruction that fuses, the sums differ in their last bits.
  const T tolerance = test::fused<Arch> ? T{} : std::numeric_limits<T>::epsilon() * 1000;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - expected[i]) <= tolerance)
      continue; // an assertion for each would take most of the time
    FAIL(what << ' ' << i << ": " << got[i] << " against " << expected[i]);
  }
}

/// Ahead, Back   the width of the window, where kernels are to take it as a constant
template <class Arch, class T, int Ahead = 0, int Back = 0, class Outs, class Channels, class OutColumns,
          class Columns, class Taps>
void check(const simd::convolution& c, Outs outs, Channels channels, OutColumns out_columns, Columns columns,
           Taps taps) {
  CAPTURE(c.channels, c.height, c.width, c.outs, c.window_height, c.window_width, c.stride, c.padding,
          c.groups);
  const auto x = test::normals<T>(c.channels * c.height * c.width * lanes, 1);
  const auto w = test::normals<T>(c.weights() + c.outs, 2);
  const auto dy = test::normals<T>(c.outs * c.out_height() * c.out_width() * lanes, 3);
  const reference<T> expected(c, x, w, dy);

  test::guarded<T> scratch(std::vector<T>(simd::convolution_scratch(c), std::numeric_limits<T>::quiet_NaN()));
  test::guarded<T> y(std::vector<T>(dy.size())), dx(std::vector<T>(x.size())),
      g(std::vector<T>(expected.g.size()));
  std::size_t finished = 0;
  simd::convolve<Arch, Ahead>(c, outs, out_columns, x.data(), w.data(), w.data() + c.weights(), y.data(),
                              scratch.data(), [&](std::size_t, std::size_t n) { finished += n; });
  CHECK(finished == dy.size());
  CHECK(y.intact());
  CHECK(scratch.intact());
  check_equal<Arch>("output", y.values(), expected.y);

  finished = 0;
  simd::convolve_back<Arch, Back>(c, channels, columns, dy.data(), w.data(), dx.data(), scratch.data(),
                                  [&](std::size_t, std::size_t n) { finished += n; });
  CHECK(finished == x.size());
  CHECK(dx.intact());
  CHECK(scratch.intact());
  check_equal<Arch>("delta", dx.values(), expected.dx);

  simd::convolution_gradient<Arch>(c, outs, taps, x.data(), dy.data(), g.data(), scratch.data());
  CHECK(g.intact());
  CHECK(scratch.intact());
  check_equal<Arch>("gradient", g.values(), expected.g);
  const std::vector<T> once = g.values();
  simd::convolution_gradient<Arch>(c, outs, taps, x.data(), dy.data(), g.data(), scratch.data(), false);
  const std::vector<T> twice = g.values();
  for (std::size_t i = 0; i < once.size(); ++i)
    REQUIRE(twice[i] == Approx(2 * once[i]).epsilon(1e-5).margin(1e-4));
}

template <class Arch, class T>
void check(const simd::convolution& c) {
  check<Arch, T>(c, c.group_outs(), c.group_channels(), c.out_width(), c.width, c.taps());
}

} // namespace

TEST_CASE("convolutions of lanes equal plain loops over one example after another") {
  test::for_each_kind([]<class Arch, class T>() {
    check<Arch, T>({1, 5, 6, 1, 3, 3});
    check<Arch, T>({2, 7, 13, 7, 3, 2});
    check<Arch, T>({3, 6, 5, 9, 3, 3, 1, 1});
    check<Arch, T>({1, 1, 1, 2, 1, 1});
    check<Arch, T>({5, 4, 3, 2, 1, 1});
    check<Arch, T>({2, 9, 8, 3, 3, 3, 2, 1});
    check<Arch, T>({2, 10, 11, 2, 5, 4, 3, 2});
    check<Arch, T>({1, 8, 9, 2, 2, 2, 4, 0}); // rows and columns that no window meets
    check<Arch, T>({4, 5, 5, 6, 3, 3, 1, 1, 2});
    check<Arch, T>({4, 5, 6, 4, 2, 3, 2, 1, 4});
    check<Arch, T>({1, 30, 28, 2, 5, 5}); // the gradient goes through several bands of rows
    // Several strips of rows, and sums that go on from where they stopped.
    check<Arch, T>({20, 9, 62, 2, 3, 3, 1, 1});
    check<Arch, T>({2, 9, 62, 20, 3, 3, 1, 1});
    check<Arch, T>({20, 13, 62, 2, 3, 3, 2, 1});
    check<Arch, T>({1, 20, 60, 40, 3, 3, 2, 1});
  });
}

TEST_CASE("convolutions give the same bits where the compiler knows the sizes") {
  using simd::size_constant;
  check<simd::default_arch, float>({2, 6, 12, 7, 3, 5}, size_constant<7>{}, size_constant<2>{},
                                   size_constant<8>{}, size_constant<12>{}, size_constant<30>{});
  check<simd::default_arch, float, 5>({2, 6, 12, 7, 3, 5}, size_constant<7>{}, size_constant<2>{},
                                      size_constant<8>{}, size_constant<12>{}, size_constant<30>{});
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t padding : {0u, 1u, 2u})
      check<Arch, T, 3, 3>({2, 5, 6, 4, 3, 3, 1, padding}, std::size_t{4}, std::size_t{2}, 4 + 2 * padding,
                           std::size_t{6}, std::size_t{18});
  });
}

TEST_CASE("gradients of lanes: squares, weighed sums, and masks that nothing passes") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t count : {1u, 3u, 16u, 37u}) {
      constexpr std::size_t blocks = 3;
      auto g = test::normals<T>(blocks * count * lanes, 4), weights = test::normals<T>(blocks * lanes, 5);
      std::vector<T> total(count * lanes), norms(lanes, T(2));
      simd::add_lane_squares<Arch>(count, g.data(), norms.data());
      for (std::size_t l = 0; l < lanes; ++l) {
        double expected = 2;
        for (std::size_t i = 0; i < count; ++i)
          expected += double(g[i * lanes + l]) * double(g[i * lanes + l]);
        REQUIRE(norms[l] == Approx(expected).epsilon(1e-5));
      }

      const auto sums_of = [&](const T* by) {
        std::vector<T> sums(count);
        simd::sum_lanes<Arch>(count, blocks, static_cast<const T*>(g.data()), count * lanes, by, sums.data(),
                              simd::write{});
        return sums;
      };
      for (std::size_t b = 0; b < blocks; ++b)
        for (const std::size_t l : {std::size_t{2}, lanes - 1}) weights[b * lanes + l] = T{};
      for (const T* by : {static_cast<const T*>(nullptr), static_cast<const T*>(weights.data())}) {
        const auto sums = sums_of(by);
        std::ranges::fill(total, T{});
        for (std::size_t b = 0; b < blocks; ++b)
          simd::add_lanes<Arch>(count, static_cast<const T*>(g.data()) + b * count * lanes,
                                by ? by + b * lanes : nullptr, total.data());
        std::vector<T> again(count);
        const auto sum_again = [&](auto how) {
          simd::sum_lanes<Arch>(count, 1, static_cast<const T*>(total.data()), 0,
                                static_cast<const T*>(nullptr), again.data(), how);
        };
        sum_again(simd::write{});
        CHECK(again == sums);
        sum_again(simd::add{});
        for (std::size_t i = 0; i < count; ++i) REQUIRE(again[i] == sums[i] + sums[i]);
        sum_again(simd::subtract<T>{T(2)});
        for (std::size_t i = 0; i < count; ++i) REQUIRE(again[i] == T{});
        for (std::size_t i = 0; i < count; ++i) {
          double expected = 0;
          for (std::size_t b = 0; b < blocks; ++b)
            for (std::size_t l = 0; l < lanes; ++l)
              expected += (by ? double(by[b * lanes + l]) : 1.0) * double(g[(b * count + i) * lanes + l]);
          REQUIRE(sums[i] == Approx(expected).epsilon(1e-4).margin(1e-4));
        }
      }
      const auto clean = sums_of(weights.data());
      for (std::size_t i = 0; i < count; ++i) {
        g[i * lanes + 2] = std::numeric_limits<T>::quiet_NaN();
        g[(count + i) * lanes + lanes - 1] = std::numeric_limits<T>::infinity();
      }
      CHECK(sums_of(weights.data()) == clean);
    }
  });
}

TEST_CASE("pools of lanes: a NaN shows, the first of equals takes the gradient, edges count as nothing") {
  test::for_each_kind([]<class Arch, class T>() {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const simd::pooling p{1, 2, 4, 2, 2, 2, 0};
    const simd::size_constant<2> two{};
    std::vector<T> x(8 * lanes), y(2 * lanes), dy(2 * lanes), dx(8 * lanes, T(9));
    const T rows[2][4] = {{1, 3, -1, -2}, {3, 2, -5, -1}};
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t l = 0; l < lanes; ++l) x[i * lanes + l] = rows[i / 4][i % 4];
    for (const std::size_t at : {0u, 1u, 4u, 5u})
      x[at * lanes + at] = nan; // lane 0 first in its window, 5 last
    for (std::size_t l = 0; l < lanes; ++l) dy[l] = 7, dy[lanes + l] = -2;
    simd::max_pool<Arch>(p, two, std::size_t{2}, x.data(), y.data(), simd::as_it_is{});
    simd::max_pool_back<Arch>(p, two, std::size_t{2}, x.data(), dy.data(), dx.data(), simd::as_it_is{});
    for (std::size_t l = 0; l < lanes; ++l) {
      const bool bad = l == 0 || l == 1 || l == 4 || l == 5;
      CHECK(std::isnan(y[l]) == bad);
      CHECK(y[lanes + l] == -1);
      if (!bad) CHECK(y[l] == 3);
      CHECK(dx[(bad ? 0 : 1) * lanes + l] == 7);
      CHECK(dx[(bad ? 1 : 0) * lanes + l] == 0);
      CHECK(dx[4 * lanes + l] == 0);
      CHECK(dx[2 * lanes + l] == -2); // -1 stands first in row 0
      CHECK(dx[7 * lanes + l] == 0);
    }
    // Windows that overlap and reach over the edges: a plane of ones.
    const simd::pooling wide{1, 3, 3, 3, 3, 1, 1};
    std::vector<T> ones(9 * lanes, T(1)), out(9 * lanes), back(9 * lanes);
    simd::average_pool<Arch>(wide, std::size_t{3}, std::size_t{3}, ones.data(), out.data(), simd::as_it_is{});
    simd::average_pool_back<Arch>(wide, std::size_t{3}, std::size_t{3}, ones.data(), ones.data(), back.data(),
                                  simd::as_it_is{});
    const double expected[] = {4, 6, 4, 6, 9, 6, 4, 6, 4};
    for (std::size_t i = 0; i < 9; ++i) {
      CHECK(out[i * lanes + 3] == Approx(expected[i] / 9));
      CHECK(back[i * lanes + 3] == Approx(expected[i] / 9));
    }
    simd::max_pool_back<Arch>(wide, std::size_t{3}, std::size_t{3}, ones.data(), ones.data(), back.data(),
                              simd::as_it_is{});
    const double firsts[] = {4, 2, 0, 2, 1, 0, 0, 0, 0}; // of how many windows each is the first
    for (std::size_t i = 0; i < 9; ++i) CHECK(back[i * lanes] == firsts[i]);
  });
}
