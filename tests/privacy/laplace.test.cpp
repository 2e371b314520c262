#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/laplace.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/zcdp.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace privet;
using Catch::Contains;

// Each comparison with a law, and each refuting test, raises a false alarm with probability at most 1e-6.

TEST_CASE("laplace has the law of Laplace noise about the value") {
  for (const laplace m : {laplace{1, 1}, laplace{0.1, 3}, laplace{20, 1e-6}}) {
    constexpr std::size_t cells = 40, draws = 100'000;
    const double scale = m.scale(), value = 0.3 * m.sensitivity;
    std::vector<std::uint64_t> counts(cells);
    for (std::size_t i = 0; i < draws; ++i) {
      const double z = (m.release(value) - value) / scale;
      const double below = z < 0 ? std::exp(z) / 2 : 1 - std::exp(-z) / 2;
      ++counts[std::min(static_cast<std::size_t>(below * cells), cells - 1)];
    }
    const auto found = test::compare_counts(counts, std::vector<double>(cells, 1.0 / cells));
    CAPTURE(m.epsilon, found.measured, found.limit);
    CHECK_FALSE(found.refuted());
  }
}

TEST_CASE("laplace spends what was asked for and hardly less, whatever rounding does") {
  for (const double epsilon : {1e-6, 0.01, 0.3, 1.0, 7.0, 64.0})
    for (const double sensitivity : {1e-100, 0.1, 1.0, 1.0 / 3, 12345.678, 1e100}) {
      const laplace m{epsilon, sensitivity};
      CAPTURE(epsilon, sensitivity);
      for (const std::size_t numbers : {1u, 2u, 1000u}) {
        CHECK(m.spent(numbers) <= epsilon);
        CHECK(m.spent(numbers) >= epsilon * (1 - 1e-8));
        // The noise hides the sensitivity and a step of rounding for each number.
        CHECK(m.scale(numbers) * epsilon >= sensitivity);
      }
      CHECK(m.scale() * epsilon <= sensitivity * (1 + 2 / (epsilon * 0x1p30) + 1e-8));
      const auto e = m.event();
      CHECK(1 / std::get<event::laplace>(e.mechanism).scale <= epsilon * (1 + 3e-15));
      CHECK(1 / std::get<event::laplace>(e.mechanism).scale >= m.spent() * (1 - 1e-14));
      CHECK(m.event(2).name() == "laplace"); // in place of any epsilon-private mechanism
    }
  CHECK(laplace{1, 1, neighbours::replace_one}.event(3).name() == "randomised_response");
  CHECK(laplace{1, 1, neighbours::zero_out}.event(3).relation == neighbours::zero_out);
}

TEST_CASE("numbers so far apart are no more steps apart than the grid says") {
  for (const double s : {1.0, 0.1, 3.7e-5}) {
    const auto grid = detail::power_of_two_grid::below(s * 3e6);
    const double most = static_cast<double>(grid.steps_in(s));
    for (int i = 0; i < 2000; ++i) {
      const double x = (i - 1000) * 0.377 * grid.step();
      CHECK(std::abs(static_cast<double>(grid.floor(x + s) - grid.floor(x))) <= most);
      CHECK(grid.value(grid.floor(x)) <= x);
      CHECK(grid.value(grid.floor(x) + 1) > x);
    }
  }
  const detail::power_of_two_grid grid{0};
  CHECK(grid.floor(std::nan("")) == 0);
  CHECK(grid.floor(HUGE_VAL) == std::int64_t{1} << 61);
  CHECK(grid.floor(-1e300) == -(std::int64_t{1} << 61));
  CHECK(grid.floor(-std::numeric_limits<double>::denorm_min()) == -1);
  const laplace m{1, 1};
  CHECK(std::abs(m.release(1e300)) < 0x1p32); // cut, as -1e300 is: nothing overflows
}

TEST_CASE("what is released is a whole number of steps") {
  const laplace m{0.7, 5};
  const double step = detail::power_of_two_grid::below(5 / 0.7).step();
  std::vector<double> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.1 * static_cast<double>(i);
  m.release(x);
  for (const double v : x) CHECK(std::floor(v / step) == v / step);
}

TEST_CASE("laplace cannot be refuted, and is when it claims a fifth less", "[slow]") {
  for (const double epsilon : {0.5, 2.0}) {
    const laplace m{epsilon, 0.1};
    const auto runs = test::run_both(
        200'000, [&] { return m.release(0.05); }, [&] { return m.release(0.15); });
    const auto kept = test::refute({epsilon, 0}, runs), less = test::refute({0.8 * epsilon, 0}, runs);
    INFO(test::describe({epsilon, 0}, kept));
    CHECK_FALSE(kept.refuted);
    CHECK(less.refuted);
    const auto vector = [&](double along) {
      return [&m, along] {
        std::vector<double> x = {along, 1 - along / 2};
        m.release(x);
        return x[0] - x[1];
      };
    };
    const auto pairs = test::run_both(200'000, vector(0), vector(0.2 / 3));
    CHECK_FALSE(test::refute({epsilon, 0}, pairs).refuted);
  }
}

TEST_CASE("geometric_mechanism has its law and keeps its epsilon") {
  for (const geometric_mechanism m :
       {geometric_mechanism{1, 1}, geometric_mechanism{0.25, 2}, geometric_mechanism{10, 1}}) {
    const double r = std::exp(-m.epsilon / m.sensitivity);
    const int reach = static_cast<int>(std::ceil(12 * m.sensitivity / m.epsilon)) + 1;
    std::vector<std::uint64_t> counts(static_cast<std::size_t>(2 * reach + 1));
    std::vector<double> law;
    for (int k = -reach; k <= reach; ++k) law.push_back((1 - r) / (1 + r) * std::pow(r, std::abs(k)));
    std::vector<std::int64_t> x(100'000, 17);
    m.release(x);
    for (const auto v : x)
      ++counts[static_cast<std::size_t>(std::clamp<std::int64_t>(v - 17 + reach, 0, 2 * reach))];
    const auto found = test::compare_counts(counts, law);
    CAPTURE(m.epsilon, found.measured, found.limit);
    CHECK_FALSE(found.refuted());
  }
  for (const double epsilon : {1e-6, 0.3, 1.0, 64.0})
    for (const std::uint32_t sensitivity : {1u, 3u, 1u << 20}) {
      const geometric_mechanism m{epsilon, sensitivity};
      CHECK(m.spent() <= epsilon);
      CHECK(m.spent() >= epsilon * (1 - 1e-8));
      CHECK_NOTHROW(m.release(std::numeric_limits<std::int64_t>::min()));
    }
}

TEST_CASE("the event of pure epsilon is never below randomised response") {
  // delta of binary randomised response: (e^epsilon - e^at) / (1 + e^epsilon).
  for (const double epsilon : {0.01, 0.5, 1.0, 4.0, 64.0}) {
    const auto e = pure_event(epsilon, neighbours::add_remove);
    const double scale = std::get<event::laplace>(e.mechanism).scale;
    for (double at = -epsilon; at <= epsilon; at += epsilon / 50) {
      const double laplace_delta =
          at < 1 / scale ? (at > -1 / scale ? -std::expm1((at - 1 / scale) / 2) : -std::expm1(at)) : 0;
      const double response = -std::expm1(at - epsilon) / (1 + std::exp(-epsilon));
      CAPTURE(epsilon, at);
      CHECK(laplace_delta >= response * (1 - 1e-13));
    }
    CHECK(1 / scale <= epsilon + epsilon * epsilon / 4 + 1e-12);
  }
  // Composed: by the accountant, ten uses under either relation.
  pld_accountant laplaces, responses;
  laplaces.compose({pure_event(0.3, neighbours::add_remove).mechanism, 10});
  responses.compose({pure_event(0.3, neighbours::replace_one).mechanism, 10, neighbours::replace_one});
  CHECK(laplaces.epsilon(1e-6).upper >= responses.epsilon(1e-6).lower);
  CHECK(laplaces.epsilon(1e-6).upper <= 1.1 * responses.epsilon(1e-6).upper);
}

TEST_CASE("laplace refuses what makes no sense") {
  CHECK_THROWS_WITH((laplace{0, 1}.release(1)), Contains("epsilon 0"));
  CHECK_THROWS_WITH((laplace{65, 1}.release(1)), Contains("expected 1e-6 to 64"));
  CHECK_THROWS_WITH((laplace{1, 0}.release(1)), Contains("sensitivity 0"));
  CHECK_THROWS_WITH((laplace{1, std::nan("")}.release(1)), Contains("sensitivity nan"));
  CHECK_THROWS_WITH((laplace{1, 1}.spent(0)), Contains("0 numbers"));
  CHECK_THROWS_WITH((laplace{1e-6, 1}.spent(2'000'000)), Contains("2^40"));
  CHECK_THROWS_WITH((geometric_mechanism{1, 0}.release(1)), Contains("sensitivity 0"));
  CHECK_THROWS_WITH((geometric_mechanism{-1, 1}.release(1)), Contains("epsilon -1"));
  CHECK_THROWS_WITH(pure_event(0, neighbours::add_remove), Contains("epsilon 0"));
}
