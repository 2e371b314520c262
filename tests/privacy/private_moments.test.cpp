#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/privacy/pld.hpp>
#include <privet/privacy/private_moments.hpp>

#include <cmath>
#include <limits>

using namespace privet;

TEST_CASE("private moments: the true sums of clipped columns, off by the noise that the event pays for") {
  const auto data = test::rows_of(4000, 3, 2, 5);
  const private_moments mechanism{.noise_multiplier = 5, .bound = 2};
  const auto released = mechanism.release(data);
  auto clipped = data;
  for (std::size_t r = 0; r < data.rows(); ++r)
    for (auto& x : row(clipped.features, r)) x = std::clamp(x, -2.0f, 2.0f);
  const auto exact = moments::of(clipped);
  const double deviation = 5 * std::sqrt(6.0); // in units of the bound
  bool noisy = false;
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(released.count(c) == 4000);
    CHECK(std::abs(released.sum(c) - exact.sum(c)) < 7 * 2 * deviation); // 1e-11
    CHECK(std::abs(released.sum_of_squares(c) - exact.sum_of_squares(c)) < 7 * 4 * deviation);
    noisy = noisy || std::abs(released.sum(c) - exact.sum(c)) > 0.01;
  }
  CHECK(noisy);

  const auto e = mechanism.event(3);
  CHECK(std::get<event::gaussian>(e.mechanism).noise_multiplier == Approx(5).epsilon(1e-4));
  CHECK(std::get<event::gaussian>(e.mechanism).noise_multiplier < 5);
  CHECK(e.distance < 1e-20);
  pld_accountant spent;
  spent.compose(e);
  CHECK(spent.epsilon(1e-5).upper >= gaussian_epsilon(1.0 / 5, 1e-5).lower);
}

TEST_CASE("private moments by person: everybody counts once, however many rows they have") {
  auto data = test::rows_of(600, 2, 2, 5);
  data.groups.assign(data.rows(), 0);
  for (std::size_t r = 0; r < data.rows(); ++r) // 200 persons: one of 401 rows, the others of one
    data.groups[r] = r < 199 ? static_cast<std::int32_t>(r + 1) : 1000;
  const private_moments mechanism{.noise_multiplier = 1, .bound = 3};
  const auto released = mechanism.release_by_person(data);
  for (std::size_t c = 0; c < 2; ++c) {
    double sum = 0, squares = 0, of_one = 0, squares_of_one = 0;
    for (std::size_t r = 0; r < data.rows(); ++r) {
      const double y = std::clamp(static_cast<double>(row(data.features, r)[c]), -3.0, 3.0);
      (r < 199 ? sum : of_one) += y;
      (r < 199 ? squares : squares_of_one) += y * y;
    }
    sum += of_one / 401, squares += squares_of_one / 401;
    CHECK(released.count(c) == 200);
    CHECK(std::abs(released.sum(c) - sum) < 7 * 3 * 2.0); // seven deviations of 2 bounds: 1e-11
    CHECK(std::abs(released.sum_of_squares(c) - squares) < 7 * 9 * 2.0);
  }
  data.groups.clear();
  CHECK_THROWS_WITH(mechanism.release_by_person(data), Catch::Contains("[N001"));
}

TEST_CASE("private moments: missing values and bounds that are none are refused") {
  auto data = test::rows_of(10, 2, 2, 1);
  CHECK_THROWS_WITH((private_moments{.bound = 0}.release(data)), Catch::Contains("bound 0"));
  row(data.features, 3)[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(private_moments{}.release(data), Catch::Contains("[N007") && Catch::Contains("column 2"));
}
