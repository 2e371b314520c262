#include "fixtures/metrics.hpp"
#include "support/catch.hpp"

#include <privet/train/metrics.hpp>

using namespace privet;
namespace fixture = privet::test::metrics;

TEST_CASE("metrics of a small confusion matrix equal those worked out by hand") {
  confusion_matrix m(3);
  m.add(0, 0, 4); // of six 0: four right, one taken for 1, one for 2
  m.add(0, 1);
  m.add(0, 2);
  m.add(1, 1, 3); // of four 1: three right, one taken for 0
  m.add(1, 0);
  m.add(2, 1, 2); // of two 2: both taken for 1
  CHECK(m.classes() == 3);
  CHECK(m.examples() == 12);
  CHECK(m.count(2, 1) == 2);
  CHECK(m.count(1, 2) == 0);
  CHECK(m.accuracy() == Approx(7.0 / 12));
  CHECK(m.precision(0) == Approx(4.0 / 5));
  CHECK(m.recall(0) == Approx(4.0 / 6));
  CHECK(m.f1(0) == Approx(8.0 / 11));
  CHECK(m.precision(1) == Approx(3.0 / 6));
  CHECK(m.recall(1) == Approx(3.0 / 4));
  CHECK(m.f1(1) == Approx(6.0 / 10));
  CHECK(m.precision(2) == 0);
  CHECK(m.recall(2) == 0);
  CHECK(m.f1(2) == 0);
  CHECK(m.macro_f1() == Approx((8.0 / 11 + 6.0 / 10) / 3));
}

TEST_CASE("metrics equal numpy's, also for classes that are never the truth or never predicted") {
  confusion_matrix m(std::size(fixture::confusion));
  for (std::size_t t = 0; t < m.classes(); ++t)
    for (std::size_t p = 0; p < m.classes(); ++p) m.add(t, p, fixture::confusion[t][p]);
  CHECK(m.examples() == 600);
  CHECK(m.accuracy() == Approx(fixture::accuracy).epsilon(1e-14));
  for (std::size_t c = 0; c < m.classes(); ++c) {
    CHECK(m.precision(c) == Approx(fixture::precision[c]).epsilon(1e-14));
    CHECK(m.recall(c) == Approx(fixture::recall[c]).epsilon(1e-14));
    CHECK(m.f1(c) == Approx(fixture::f1[c]).epsilon(1e-14));
  }
  CHECK(m.macro_f1() == Approx(fixture::macro_f1).epsilon(1e-14));
}

TEST_CASE("metrics of no examples are zero, not NaN") {
  for (const auto& m : {confusion_matrix(3), confusion_matrix()}) {
    CHECK(m.examples() == 0);
    CHECK(m.accuracy() == 0);
    CHECK(m.macro_f1() == 0);
  }
  CHECK(confusion_matrix(3).precision(1) == 0);
  CHECK(confusion_matrix(3).recall(1) == 0);
  CHECK(confusion_matrix(3).f1(1) == 0);
}

TEST_CASE("confusion matrices add up, if they know the same number of classes") {
  confusion_matrix a(2), b(2), sum(2);
  a.add(0, 1, 5);
  b.add(0, 1);
  b.add(1, 1, 2);
  sum.add(0, 1, 6);
  sum.add(1, 1, 2);
  CHECK((a += b) == sum);
  CHECK_THROWS_WITH(a += confusion_matrix(3), "[N003 shape] confusion matrix of 2 classes += one of 3");
  CHECK(a == sum);
}
