#include "support/catch.hpp"

#include <privet/privacy/gdp.hpp>

#include <cmath>
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
  CHECK_THROWS_WITH(a.compose({event::subsampled_discrete_gaussian{1, 0.1}}),
                    Contains("subsampled_discrete_gaussian"));
  CHECK_THROWS_WITH(a.compose({event::laplace{1}}), Contains("laplace"));
  CHECK_THROWS_WITH(b.compose({event::subsampled_gaussian{1, 0.1}, 1, neighbours::replace_one}),
                    Contains("replace-one"));
}

TEST_CASE("a distance takes its part of delta from the approximation as from the bounds") {
  const auto at = [](double distance, double delta) {
    gdp_approximation a;
    a.compose({event::gaussian{2}, 4, neighbours::add_remove, distance});
    return a.epsilon(delta).value;
  };
  CHECK(at(1e-9, 1e-5) > at(0, 1e-5));
  // Four uses are 4e-8 off, which costs 4e-8 (1 + e^epsilon) of delta.
  const double off = at(1e-8, 1e-5);
  CHECK(off == Approx(at(0, 1e-5 - 4e-8 * (1 + std::exp(off)))).epsilon(1e-4));
  gaussian_accountant exact;
  exact.compose({event::gaussian{2}, 4, neighbours::add_remove, 1e-8});
  CHECK(off == Approx(exact.epsilon(1e-5).upper).epsilon(1e-12));
  CHECK_THROWS_WITH(at(1e-5, 1e-5), Contains("N011") && Contains("of delta"));
}
