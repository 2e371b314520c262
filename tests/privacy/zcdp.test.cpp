#include "support/catch.hpp"

#include <privet/privacy/gaussian_accountant.hpp>
#include <privet/privacy/zcdp.hpp>

using namespace privet;
using Catch::Contains;

// 40-digit arithmetic; equal to cdp_eps of IBM/discrete-gaussian-differential-privacy.
TEST_CASE("zCDP turns into epsilon as Canonne, Kamath and Steinke prove") {
  CHECK(zcdp_epsilon(0.5, 1e-5) == Approx(4.72838698494).epsilon(1e-9));
  CHECK(zcdp_epsilon(0.01, 1e-6) == Approx(0.6216926545).epsilon(1e-9));
  CHECK(zcdp_epsilon(0, 1e-6) == 0);
  CHECK_THROWS_WITH(zcdp_epsilon(-1, 1e-6), Contains("rho -1"));
  CHECK_THROWS_WITH(zcdp_epsilon(1, 0), Contains("delta 0"));
}

TEST_CASE("rho adds up over every kind of event and never promises too much") {
  static_assert(Accountant<zcdp_accountant>);
  zcdp_accountant a;
  a.compose({event::gaussian{2}, 4});
  a.compose({event::tree{3, 9}});
  a.compose({event::laplace{4}, 2});
  a.compose({event::discrete_gaussian{5}, 25});
  CHECK(a.rho() == Approx(0.5 + 0.5 + 0.0625 + 0.5).epsilon(1e-14));
  CHECK_FALSE(a.ignores_sampling());
  zcdp_accountant integers;
  integers.compose({event::subsampled_discrete_gaussian{2, 1}, 4});
  CHECK_FALSE(integers.ignores_sampling());
  integers.compose({event::subsampled_discrete_gaussian{2, 0.1}, 4});
  CHECK(integers.rho() == Approx(1).epsilon(1e-14));
  CHECK(integers.ignores_sampling());
  a.compose({event::subsampled_gaussian{1, 0.01}});
  CHECK(a.rho() == Approx(2.0625).epsilon(1e-14));
  CHECK(a.ignores_sampling());
  CHECK_FALSE(a.epsilon(1e-5).two_sided);
  CHECK(a.delta(a.epsilon(1e-5).upper).upper == Approx(1e-5).epsilon(1e-6));

  for (const double noise : {0.5, 3.0, 100.0}) {
    zcdp_accountant z;
    gaussian_accountant exact;
    z.compose({event::gaussian{noise}});
    exact.compose({event::gaussian{noise}});
    CHECK(z.epsilon(1e-6).upper >= exact.epsilon(1e-6).upper);
    CHECK(z.epsilon(1e-6).upper <= 1.25 * exact.epsilon(1e-6).upper);
  }
}
