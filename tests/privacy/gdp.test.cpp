#include "support/catch.hpp"

#include <privet/privacy/gdp.hpp>

#include <type_traits>

using namespace privet;
using Catch::Contains;

TEST_CASE("the central limit theorem gives what other libraries print, under a name that is no bound") {
  static_assert(!Accountant<gdp_approximation>);
  static_assert(!std::is_convertible_v<privacy_approximation, privacy_bounds>);
  gdp_approximation a;
  a.compose({event::subsampled_gaussian{1.5, 0.04}, 2249});
  CHECK(a.epsilon(1e-5).value == Approx(6.599820769085).epsilon(1e-9)); // Opacus; the truth is about 6.767
  gdp_approximation b;
  b.compose({event::gaussian{2}, 4});
  CHECK(b.epsilon(1e-5).value == Approx(4.377178095).epsilon(1e-8)); // without sampling it is exact
  CHECK_THROWS_WITH(a.compose({event::laplace{1}}), Contains("laplace"));
  CHECK_THROWS_WITH(b.compose({event::subsampled_gaussian{1, 0.1}, 1, neighbours::replace_one}),
                    Contains("replace-one"));
}
