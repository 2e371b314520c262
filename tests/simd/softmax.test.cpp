#include "support/catch.hpp"
#include "support/kernels.hpp"

#include <privet/simd/softmax.hpp>

#include <algorithm>
#include <cstring>

using namespace privet;

namespace {

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

template <class T>
struct outcome {
  std::vector<T> losses, deltas;
};

/// Runs the kernel between guards, at addresses that nothing is aligned to.
template <class Arch, class T>
outcome<T> run(std::size_t w, const std::vector<T>& logits, const std::vector<std::int32_t>& labels,
               T smoothing) {
  const std::size_t rows = labels.size();
  test::guarded<T> z(logits), losses(std::vector<T>(rows, T(5))), deltas(std::vector<T>(rows * w, T(5)));
  simd::softmax_cross_entropy<Arch>(rows, w, static_cast<const T*>(z.data()), labels.data(), smoothing,
                                    losses.data(), deltas.data());
  REQUIRE(losses.intact());
  REQUIRE(deltas.intact());
  return {losses.values(), deltas.values()};
}

/// The reference, one type more precise than T.
template <class T>
auto precise(std::size_t w, const std::vector<T>& logits, const std::vector<std::int32_t>& labels,
             T smoothing) {
  using P = std::conditional_t<std::same_as<T, float>, double, long double>;
  const std::vector<P> z(logits.begin(), logits.end());
  outcome<P> out{std::vector<P>(labels.size()), std::vector<P>(z.size())};
  simd::softmax_cross_entropy_reference<P>(labels.size(), w, z.data(), labels.data(), P(smoothing),
                                           out.losses.data(), out.deltas.data());
  return out;
}

std::vector<std::int32_t> labels_for(std::size_t rows, std::size_t w) {
  std::vector<std::int32_t> out(rows);
  for (std::size_t r = 0; r < rows; ++r) out[r] = static_cast<std::int32_t>((r * 7 + w / 2) % w);
  return out;
}

/// Logits of ordinary size, far apart in every fourth row.
template <class T>
std::vector<T> logits_for(std::size_t rows, std::size_t w) {
  auto z = test::normals<T>(rows * w, w);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] *= i / w % 4 == 3 ? T(60) : T(3);
  return z;
}

/// Numbers are near, and what is not finite is the same.
template <class T, class P>
void check_against(const outcome<T>& got, const outcome<P>& expected, std::size_t w,
                   const std::vector<T>& logits) {
  constexpr T eps = std::numeric_limits<T>::epsilon();
  for (std::size_t r = 0; r < got.losses.size(); ++r) {
    // The roundings of a sum of w positive terms weigh less than w eps; so do those of the distances
    // from the largest logit, relative to the largest distance.
    const T* const z = logits.data() + r * w;
    const T top = *std::max_element(z, z + w);
    T spread{};
    for (std::size_t j = 0; j < w; ++j)
      if (std::isfinite(top - z[j])) spread = std::max(spread, top - z[j]);
    const T slack = eps * (4 + static_cast<T>(w) / 8);
    INFO("row " << r << " of " << got.losses.size() << ", width " << w);
    REQUIRE(test::near(got.losses[r], static_cast<T>(expected.losses[r]), slack * (1 + spread)));
    for (std::size_t j = r * w; j < (r + 1) * w; ++j)
      REQUIRE(test::near(got.deltas[j] + T(0), static_cast<T>(expected.deltas[j]) + T(0), slack));
  }
}

} // namespace

TEST_CASE("softmax of two logits is the logistic function of their distance") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const double d : {-80.0, -3.0, -0.25, 0.0, 0.5, 4.0, 30.0}) {
      const auto got = run<Arch, T>(2, {T(1), T(1 + d)}, {0}, T(0));
      const double p = 1 / (1 + std::exp(-d)), eps = std::numeric_limits<T>::epsilon();
      CHECK(got.losses[0] == Approx(std::log1p(std::exp(d))).margin(8 * eps).epsilon(8 * eps));
      CHECK(got.deltas[0] == Approx(-p).margin(8 * eps));
      CHECK(got.deltas[1] == Approx(p).margin(8 * eps));
    }
  });
}

TEST_CASE("softmax equals the reference at every width, and the deltas of a row sum to zero") {
  test::for_each_kind([]<class Arch, class T>() {
    const auto check = [](std::size_t rows, std::size_t w) {
      for (const T smoothing : {T(0), T(0.2)}) {
        const auto labels = labels_for(rows, w);
        const auto logits = logits_for<T>(rows, w);
        const auto got = run<Arch, T>(w, logits, labels, smoothing);
        check_against(got, precise(w, logits, labels, smoothing), w, logits);
        for (std::size_t r = 0; r < rows; ++r) {
          T sum{};
          for (std::size_t j = 0; j < w; ++j) sum += got.deltas[r * w + j];
          // As much as w sums of terms below 1 may round.
          REQUIRE(std::abs(sum) <= std::numeric_limits<T>::epsilon() * (4 + static_cast<T>(w)));
        }
      }
    };
    for (std::size_t w = 1; w <= 67; ++w) check(w * 5 % 38, w);
    for (std::size_t rows = 0; rows <= 67; ++rows) check(rows, 6);
    check(3, 1000);
  });
}

TEST_CASE("a row of a softmax has the same bits alone and among others, whatever those hold") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t w : {1u, 2u, 3u, 6u, 10u, 16u, 33u, 63u, 64u, 65u, 67u, 1000u})
      for (const T smoothing : {T(0), T(0.2)}) {
        INFO("width " << w << ", smoothing " << smoothing);
        const std::size_t rows = 2 * simd::width<T, Arch> + 5;
        const auto labels = labels_for(rows, w);
        auto logits = logits_for<T>(rows, w);
        for (std::size_t j = 0; j < w; ++j) { // three rows without a result
          logits[j] = std::numeric_limits<T>::quiet_NaN();
          logits[2 * w + j] = -infinity<T>;
          logits[3 * w + j] = infinity<T>;
        }
        const auto together = run<Arch, T>(w, logits, labels, smoothing);
        for (std::size_t r = 0; r < rows; ++r) {
          const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(r * w);
          const auto alone =
              run<Arch, T>(w, {begin, begin + static_cast<std::ptrdiff_t>(w)}, {labels[r]}, smoothing);
          const bool lost = r == 0 || r == 2 || r == 3;
          REQUIRE(std::isnan(together.losses[r]) == lost);
          REQUIRE(test::same(alone.losses[0], together.losses[r]));
          for (std::size_t j = 0; j < w; ++j) {
            REQUIRE(std::isnan(together.deltas[r * w + j]) == lost);
            REQUIRE(test::same(alone.deltas[j], together.deltas[r * w + j]));
          }
        }
      }
  });
}

TEST_CASE("a logit of minus infinity has no share, and costs infinitely much where there is a target") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t w : {2u, 6u, 17u, 64u, 65u, 67u, 1000u}) {
      const std::size_t rows = simd::width<T, Arch> + 3;
      const auto labels = labels_for(rows, w);
      auto logits = logits_for<T>(rows, w);
      for (std::size_t r = 0; r < rows; ++r) { // where the label is, in every other row
        const auto label = static_cast<std::size_t>(labels[r]);
        logits[r * w + (r % 2 ? label : (label + 1) % w)] = -infinity<T>;
      }
      for (const T smoothing : {T(0), T(0.2)}) {
        INFO("width " << w << ", smoothing " << smoothing);
        const auto got = run<Arch, T>(w, logits, labels, smoothing);
        check_against(got, precise(w, logits, labels, smoothing), w, logits);
        for (std::size_t r = 0; r < rows; ++r) {
          const auto label = static_cast<std::size_t>(labels[r]);
          CHECK(std::isinf(got.losses[r]) == (r % 2 == 1 || smoothing > 0));
          CHECK(got.losses[r] >= 0);
          if (smoothing == 0)
            CHECK(got.deltas[r * w + (r % 2 ? label : (label + 1) % w)] == (r % 2 ? T(-1) : T(0)));
        }
      }
    }
  });
}

TEST_CASE("one NaN or infinite logit takes its row with it, whatever its place") {
  test::for_each_kind([]<class Arch, class T>() {
    for (const std::size_t w : {1u, 2u, 9u, 64u, 65u, 80u})
      for (const T bad : {std::numeric_limits<T>::quiet_NaN(), infinity<T>})
        for (std::size_t at = 0; at < w; ++at) {
          INFO("width " << w << ", " << bad << " at " << at);
          auto logits = logits_for<T>(2, w);
          logits[w + at] = bad;
          const auto got = run<Arch, T>(w, logits, {0, 0}, T(0));
          REQUIRE(std::isfinite(got.losses[0]));
          REQUIRE(std::isnan(got.losses[1]));
          for (std::size_t j = 0; j < w; ++j) {
            REQUIRE(std::isfinite(got.deltas[j]));
            REQUIRE(std::isnan(got.deltas[w + j]));
          }
        }
  });
}

TEST_CASE("logits that are denormal or near the ends of the range give what the reference gives") {
  test::for_each_kind([]<class Arch, class T>() {
    using limits = std::numeric_limits<T>;
    for (const std::size_t w : {4u, 67u}) {
      std::vector<T> logits(3 * w);
      for (std::size_t j = 0; j < w; ++j) {
        logits[j] = limits::denorm_min() * static_cast<T>(j);
        logits[w + j] = j % 2 ? limits::max() / 4 : limits::lowest() / 4;
        logits[2 * w + j] = T(-0.0);
      }
      const std::vector<std::int32_t> labels = {1, 1, 0};
      check_against(run<Arch, T>(w, logits, labels, T(0)), precise(w, logits, labels, T(0)), w, logits);
    }
  });
}
