#include "fixtures/accounting.hpp"
#include "support/catch.hpp"

#include <privet/privacy/gaussian_accountant.hpp>

using namespace privet;
using Catch::Contains;

namespace {

template <class A>
A holding(const std::vector<privacy_event>& events) {
  A a;
  for (const auto& e : events) a.compose(e);
  return a;
}

} // namespace

TEST_CASE("the Gaussian accountant gives the exact epsilon") {
  static_assert(Accountant<gaussian_accountant>);
  for (const auto& row : test::accounting::exact) {
    const auto found = holding<gaussian_accountant>(row.events).epsilon(row.delta);
    INFO(row.lower << " .. " << row.upper << ", found " << found.lower << " .. " << found.upper);
    CHECK(found.two_sided);
    CHECK(found.upper >= row.lower);
    CHECK(found.upper <= row.upper);
    CHECK(found.lower <= found.upper);
    CHECK(found.lower >= row.lower * (1 - 1e-9));
  }
}

TEST_CASE("delta is the inverse of epsilon from a thousandth to a million") {
  for (const double noise : {1e-2, 0.1, 1.0, 1.9, 2.1, 30.0, 1e4, 1e8})
    for (const double delta : {0.3, 1e-3, 1e-9, 1e-15, 1e-300}) {
      gaussian_accountant a;
      a.compose({event::gaussian{noise}});
      const auto epsilon = a.epsilon(delta);
      INFO("noise " << noise << ", delta " << delta << ", epsilon " << epsilon.upper);
      CHECK(epsilon.lower <= epsilon.upper);
      CHECK(epsilon.upper - epsilon.lower <= 1e-9 * epsilon.upper);
      if (epsilon.upper == 0) continue;
      CHECK(a.delta(epsilon.lower).upper >= delta * (1 - 1e-9));
      CHECK(a.delta(epsilon.upper).lower <= delta * (1 + 1e-9));
      CHECK(a.delta(epsilon.upper).upper == Approx(delta).epsilon(1e-6));
    }
}

TEST_CASE("the Gaussian accountant refuses what is no Gaussian, and deltas that are none") {
  gaussian_accountant a;
  CHECK_THROWS_WITH(a.compose({event::laplace{1}}), Contains("N011") && Contains("laplace"));
  CHECK_THROWS_WITH(a.compose({event::subsampled_gaussian{1, 0.5}}), Contains("pld_accountant"));
  CHECK(a.epsilon(1e-5).upper == 0);
  for (const double delta : {0.0, 1.0, -1.0}) CHECK_THROWS_WITH(a.epsilon(delta), Contains("less than 1"));
  CHECK_THROWS_WITH(a.delta(-1), Contains("at least 0"));
}
