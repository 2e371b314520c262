#include "fixtures/accounting.hpp"
#include "support/catch.hpp"

#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/rdp.hpp>

using namespace privet;
using Catch::Contains;

TEST_CASE("calibrated noise is enough and hardly more") {
  for (const auto& row : test::accounting::noise) {
    privacy_event e{event::subsampled_gaussian{1, row.rate}, row.steps};
    const double found = noise_multiplier_for(e, row.epsilon, row.delta);
    INFO("rate " << row.rate << ", epsilon " << row.epsilon << ": " << row.lower << " .. " << row.upper
                 << ", found " << found);
    CHECK(found >= row.lower);
    CHECK(found <= row.upper * (1 + 3e-6));
    pld_accountant a;
    a.compose({event::subsampled_gaussian{found, row.rate}, row.steps});
    CHECK(a.epsilon(row.delta).upper <= row.epsilon);
  }
}

// Opacus, accountants_test.py: Renyi orders bisected to 0.01 in epsilon.
TEST_CASE("calibrated noise by Renyi orders is what Opacus finds") {
  CHECK(noise_multiplier_for({event::subsampled_gaussian{1, 0.04}, 2250}, 8, 1e-5, rdp_accountant{}) ==
        Approx(1.416).epsilon(1e-3));
  CHECK(noise_multiplier_for({event::subsampled_gaussian{1, 0.04}, 2000}, 8, 1e-5, rdp_accountant{}) ==
        Approx(1.3562).epsilon(1e-3));
}

TEST_CASE("steps and rates are on the safe side too") {
  const privacy_event step{event::gaussian{10}};
  const auto uses = uses_for(step, 3, 1e-6);
  const auto epsilon_after = [&](std::uint64_t n) {
    pld_accountant a;
    a.compose({event::gaussian{10}, n});
    return a.epsilon(1e-6).upper;
  };
  CHECK(epsilon_after(uses) <= 3);
  CHECK(epsilon_after(uses + 1) > 3);

  pld_accountant begun; // what was spent before counts
  begun.compose({event::gaussian{10}, uses / 2});
  CHECK(uses_for(step, 3, 1e-6, begun) == uses - uses / 2);

  const privacy_event run{event::subsampled_gaussian{1.5, 1}, 2250};
  const double rate = rate_for(run, 6.7688, 1e-5);
  CHECK(rate == Approx(0.04).epsilon(1e-5));
  pld_accountant a;
  a.compose({event::subsampled_gaussian{1.5, rate}, 2250});
  CHECK(a.epsilon(1e-5).upper <= 6.7688);

  const double scale = noise_multiplier_for({event::laplace{1}}, 0.5, 1e-12);
  CHECK(scale == Approx(2).epsilon(1e-5));
}

TEST_CASE("a target that cannot be met is refused with both numbers") {
  const privacy_event all{event::gaussian{1}, 1'000'000'000};
  CHECK_THROWS_WITH(noise_multiplier_for(all, 1e-6, 1e-9),
                    Contains("epsilon is") && Contains("at most 1e-06"));
  CHECK_THROWS_WITH(uses_for({event::gaussian{1}}, 0.1, 1e-9),
                    Contains("1 use has epsilon") && Contains("0.1"));
  CHECK_THROWS_WITH(noise_multiplier_for(all, 0, 1e-9), Contains("target epsilon 0"));
  CHECK_THROWS_WITH(noise_multiplier_for(all, 1, 1.5), Contains("delta 1.5"));
  CHECK_THROWS_WITH(rate_for({event::gaussian{1}}, 1, 1e-5), Contains("expected subsampled_gaussian"));
  CHECK_THROWS_WITH(
      noise_multiplier_for({event::randomised_response{1, 2}, 1, neighbours::replace_one}, 1, 1e-5),
      Contains("adds noise"));
}
