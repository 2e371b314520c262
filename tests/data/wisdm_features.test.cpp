#include "support/catch.hpp"
#include "support/heap.hpp"

#include <privet/data/wisdm_features.hpp>

#include "fixtures/wisdm_features.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using namespace privet;

enum : std::size_t { x_mean = 30, x_peak = 33, y_peak = 34, z_peak = 35, x_deviation = 39, resultant = 42 };

/// The features of one window whose three axes are all `s`.
template <class F>
std::vector<double> features_of(F s, wisdm_columns columns = wisdm_columns::as_described) {
  wisdm_feature_extractor<double> extractor(columns);
  for (int i = 0; i < 200; ++i) extractor.push(s(i), s(i), s(i));
  return {extractor.features().begin(), extractor.features().end()};
}

template <class T>
void compare_with_numpy(wisdm_columns columns, const std::array<double, 43> (&expected)[4]) {
  wisdm_feature_extractor<T> extractor(columns);
  for (std::size_t w = 0; w < 4; ++w) {
    const auto& raw = fixtures::wisdm::raw[w];
    for (std::size_t i = 0; i < 200; ++i)
      REQUIRE(extractor.push(T(raw[3 * i]) / 64, T(raw[3 * i + 1]) / 64, T(raw[3 * i + 2]) / 64) ==
              (i == 199));
    for (std::size_t f = 0; f < 43; ++f) {
      INFO("window " << w << ", feature " << wisdm_feature_names[f]);
      const auto got = static_cast<double>(extractor.features()[f]);
      if (std::isnan(expected[w][f]))
        CHECK(std::isnan(got));
      else
        CHECK(got == Approx(expected[w][f]).epsilon(50 * std::numeric_limits<T>::epsilon()).margin(1e-6));
    }
  }
}

} // namespace

TEST_CASE("the 43 features equal NumPy's, in both readings of the columns") {
  compare_with_numpy<float>(wisdm_columns::as_described, fixtures::wisdm::as_described);
  compare_with_numpy<double>(wisdm_columns::as_described, fixtures::wisdm::as_described);
  compare_with_numpy<float>(wisdm_columns::as_published, fixtures::wisdm::as_published);
  compare_with_numpy<double>(wisdm_columns::as_published, fixtures::wisdm::as_published);
}

TEST_CASE("feature extraction allocates nothing") {
  const std::size_t before = test::heap::allocations;
  wisdm_feature_extractor<float> extractor;
  int windows = 0;
  for (int i = 0; i < 1000; ++i)
    windows += extractor.push(static_cast<float>(i % 7), 9.81f, static_cast<float>(i % 3));
  const std::size_t after = test::heap::allocations;
  CHECK(windows == 5);
  CHECK(after == before);
  ::operator delete(::operator new(1)); // the counter counts; a vector's allocation may be optimised away
  CHECK(test::heap::allocations > after);
}

TEST_CASE("there are no features before the first window, and restart forgets half a window") {
  wisdm_feature_extractor<float> extractor;
  CHECK(std::ranges::all_of(extractor.features(), [](float f) { return std::isnan(f); }));
  for (int i = 0; i < 150; ++i) extractor.push(100, 100, 100);
  extractor.restart();
  for (int i = 0; i < 199; ++i) REQUIRE_FALSE(extractor.push(0, 3, 4));
  REQUIRE(extractor.push(0, 3, 4));
  CHECK(extractor.features()[resultant] == 5);
  CHECK(extractor.features()[x_mean] == 0);
}

TEST_CASE("each window stands alone") {
  wisdm_feature_extractor<float> twice, once;
  for (int i = 0; i < 200; ++i) twice.push(static_cast<float>(i % 11), -5, 3);
  for (int i = 0; i < 200; ++i) {
    const auto a = static_cast<float>((i * i) % 13);
    twice.push(a, 2 - a, 1);
    once.push(a, 2 - a, 1);
  }
  const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  CHECK(std::ranges::equal(twice.features(), once.features(), same));
}

TEST_CASE("a constant signal lies in the first bin and has no peaks") {
  const auto f = features_of([](int) { return -2.5; });
  CHECK(f[0] == 1);
  CHECK(f[9] == 0);
  CHECK(std::isnan(f[x_peak]));
  CHECK(f[x_mean] == -2.5);
  CHECK(f[x_deviation] == 0);
}

TEST_CASE("a signal that climbs in stairs has no peak, and a flat top counts once") {
  CHECK(std::isnan(features_of([](int i) { return i / 10; })[x_peak]));
  const auto flat =
      features_of([](int i) { return i % 20 < 5 ? 1. : 0.; }); // the first top has no rise before it
  CHECK(flat[x_peak] == 1000);
}

TEST_CASE("two peaks are too few and three are enough") {
  const auto spikes = [](int n) { return [n](int i) { return i % 40 == 20 && i / 40 < n ? 5. : 0.; }; };
  CHECK(std::isnan(features_of(spikes(2))[x_peak]));
  CHECK(features_of(spikes(3))[x_peak] == 2000);
}

TEST_CASE("the limit falls until three peaks are found, and takes all that are as high") {
  const auto f = features_of([](int i) { // heights 10, 6, 6, 6 and 1: the second step stops at 6
    if (i == 10) return 10.;
    if (i == 30 || i == 70 || i == 90) return 6.;
    return i == 150 ? 1. : 0.;
  });
  CHECK(f[x_peak] == Approx((90 - 10) * 50 / 3.));
}

TEST_CASE("peaks below zero count as described and are missing as published") {
  const auto down = [](int i) { return -9.8 + .1 * std::sin(i * .7); };
  CHECK(std::isfinite(features_of(down)[y_peak]));
  CHECK(std::isnan(features_of(down, wisdm_columns::as_published)[y_peak]));
}

TEST_CASE("the published columns take deviations of x from zero, and z repeats x") {
  wisdm_feature_extractor<double> published(wisdm_columns::as_published);
  for (int i = 0; i < 200; ++i) published.push(i % 2 ? 4 : 2, 9.81, i % 2 ? 7 : -7);
  const auto f = published.features();
  CHECK(f[x_mean] == 0);
  CHECK(f[36] == 3);
  CHECK(f[x_deviation] == Approx(std::sqrt(10.)));
  CHECK(f[x_deviation + 2] == f[x_deviation]);
}

TEST_CASE("a sample that is no acceleration is refused and not counted") {
  wisdm_feature_extractor<float> extractor;
  for (int i = 0; i < 199; ++i) extractor.push(1, 2, 3);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -2e6f}) {
    CHECK_THROWS_AS(extractor.push(1, bad, 3), privet::exception);
    CHECK_THROWS_AS(extractor.push(1, 2, bad), privet::exception);
  }
  CHECK(extractor.push(1, 2, 3));
  CHECK(std::ranges::none_of(extractor.features().first<30>(), [](float f) { return std::isnan(f); }));
}

TEST_CASE("tiny and huge ranges stay defined") {
  for (const float size : {std::numeric_limits<float>::denorm_min(), 1e-38f, 1e6f}) {
    wisdm_feature_extractor<float> extractor;
    for (int i = 0; i < 200; ++i) extractor.push(i % 2 ? size : -size, i % 3 ? size : 0, 0);
    CHECK(extractor.features()[0] == .5f);
    CHECK(extractor.features()[x_peak] == 100);
    CHECK(std::isfinite(extractor.features()[resultant]));
  }
}
