#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/sparse_vector.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

using namespace privet;
using Catch::Contains;

// Each refuting test raises a false alarm with probability at most 1e-6.

namespace {

double laplace_noise(double scale) {
  std::int64_t k;
  discrete_laplace(ratio{static_cast<std::uint64_t>(scale * 0x1p20), 1})
      .fill(thread_system_random(), std::span<std::int64_t>(&k, 1));
  return static_cast<double>(k) * 0x1p-20;
}

/// Which of the answers were above 0, as a number; what comes after the last positive is lost.
std::uint64_t run(const sparse_vector_terms& terms, const std::vector<double>& answers) {
  sparse_vector m(terms, thread_system_random());
  std::uint64_t seen = 1;
  for (const double a : answers) {
    if (m.positives_left() == 0) break;
    seen = seen << 1 | m.above(a, 0, thread_system_random());
  }
  return seen;
}

/// A variant by the scales of its noises, at epsilon 1 and sensitivity 1, that ends after `most` positives,
/// on answers 1, 0, 1, 0, ... or, `moved`, 0, 1, 0, 1, ...: how many more of the even ones were above 1/2.
int variant(double threshold_scale, double answer_scale, std::uint32_t most, bool moved) {
  const double threshold = 0.5 + laplace_noise(threshold_scale);
  int more = 0;
  for (int i = 0; i < 80 && most > 0; ++i) {
    const double answer = (i % 2 == 0) != moved ? 1 : 0;
    const bool above = answer + (answer_scale > 0 ? laplace_noise(answer_scale) : 0) >= threshold;
    more += above ? (i % 2 == 0 ? 1 : -1) : 0;
    most -= above;
  }
  return more;
}

template <class Mechanism>
test::paired_runs neighbours_of(std::size_t runs, Mechanism m, const std::vector<double>& one,
                                const std::vector<double>& other) {
  return test::run_both_by_name(
      runs, [&] { return m(one); }, [&] { return m(other); });
}

/// Five answers fall by one and five rise by one.
const std::vector<double> one = {1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, other = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};

} // namespace

TEST_CASE("the sparse vector cannot be refuted, and is when it claims much less", "[slow]") {
  for (const std::uint32_t positives : {1u, 3u}) {
    const auto m = [&](const std::vector<double>& answers) { return run({1, 1, positives}, answers); };
    const auto runs = neighbours_of(200'000, m, one, other);
    const auto kept = test::refute({1, 0}, runs);
    INFO(test::describe({1, 0}, kept));
    CHECK_FALSE(kept.refuted);
    CHECK(test::refute({0.2, 0}, runs).refuted);
  }
  const auto monotone = [](const std::vector<double>& answers) { return run({1, 1, 3, true}, answers); };
  const auto runs = neighbours_of(200'000, monotone, std::vector<double>(10, 0), std::vector<double>(10, 1));
  CHECK_FALSE(test::refute({1, 0}, runs).refuted);
}

TEST_CASE("the variants of the literature that are not private are refuted", "[slow]") {
  const auto refuted = [](double threshold_scale, double answer_scale, std::uint32_t most) {
    const auto runs = test::run_both(
        10'000, [&] { return variant(threshold_scale, answer_scale, most, false); },
        [&] { return variant(threshold_scale, answer_scale, most, true); });
    const auto found = test::refute({1, 0}, runs);
    INFO(test::describe({1, 0}, found));
    CHECK(found.refuted);
  };
  refuted(2, 0, 80);       // Lyu, Su, Li, Algorithm 5 (Stoddard and others): answers without noise
  refuted(2, 2, 80);       // Algorithm 6 (Chen and others): neither noise for many positives nor an end
  refuted(4, 4.0 / 3, 30); // Algorithm 4 (Lee, Clifton): an end, but noise as for one positive
}

TEST_CASE("the sparse vector answers by its law") {
  // P(L(t2) - L(t1) >= -a) for continuous Laplace noise; the grid is too fine to tell.
  const sparse_vector_terms terms{2, 1, 1};
  const double first = 2 / (1 + std::cbrt(4.0)), s = 1 / first, t = 2 / (2 - first);
  for (const double a : {-2.0, 0.0, 1.5}) {
    const auto tail = [&](double x) { // P(difference > x), x >= 0
      return (t * t * std::exp(-x / t) - s * s * std::exp(-x / s)) / (2 * (t * t - s * s));
    };
    const double p = a <= 0 ? tail(-a) : 1 - tail(a);
    std::vector<std::uint64_t> counts(2);
    for (int i = 0; i < 50'000; ++i) ++counts[run(terms, {a}) & 1];
    const auto found = test::compare_counts(counts, std::vector<double>{1 - p, p});
    CAPTURE(a, p, counts[1]);
    CHECK_FALSE(found.refuted());
  }
}

TEST_CASE("the sparse vector ends after its positives and spends what it was given") {
  system_random source;
  sparse_vector m({1, 1e-3, 3}, source);
  CHECK(m.positives_left() == 3);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(m.above(-1, 0, source)); // otherwise: exp(-80) each
  CHECK(m.positives_left() == 3);
  for (int i = 0; i < 3; ++i) CHECK(m.above(10, 2 + i, source));
  CHECK(m.positives_left() == 0);
  CHECK_THROWS_WITH(m.above(10, 0, source), Contains("[N007 leak] sparse_vector: 3 answers"));
  CHECK_THROWS_WITH(m.above(-10, 0, source), Contains("N007"));
  static_assert(!std::is_copy_constructible_v<sparse_vector> && !std::is_move_constructible_v<sparse_vector>);

  for (const double epsilon : {1e-4, 0.1, 1.0, 64.0})
    for (const double sensitivity : {1.0, 0.1, 3e40})
      for (const std::uint32_t positives : {1u, 7u, 100u})
        for (const bool monotone : {false, true}) {
          const sparse_vector any({epsilon, sensitivity, positives, monotone}, source);
          CAPTURE(epsilon, sensitivity, positives, monotone);
          CHECK(any.spent() <= epsilon);
          CHECK(any.spent() >= epsilon * (1 - 1e-4));
        }
  CHECK(m.event().count == 1);
  CHECK_THROWS_WITH(sparse_vector({0, 1, 1}, source), Contains("epsilon 0"));
  CHECK_THROWS_WITH(sparse_vector({1, 0, 1}, source), Contains("sensitivity 0"));
  CHECK_THROWS_WITH(sparse_vector({1, 1, 0}, source), Contains("0 positives"));
}
