#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/core/fixed_point.hpp>

#include <algorithm>
#include <limits>

using namespace privet;

TEST_CASE("fixed point: a number comes back within half a unit of the last place") {
  const fixed_point encoding;
  for (double x : test::normals(1000, 1)) {
    x *= 1000; // a statement of its own, so that no compiler fuses the product into the difference
    REQUIRE(std::abs(encoding.decode(encoding.encode(x)) - x) <= 0x1p-41);
  }
  CHECK(encoding.encode(0x1p-41) == 0); // ties go to even
  CHECK(encoding.encode(0x3p-41) == 2);
  CHECK(encoding.encode(-0x1p-40) == -1);
}

TEST_CASE("fixed point: the limit itself is out of range, the number below it is in") {
  const fixed_point encoding;
  CHECK(encoding.limit() == 0x1p22);
  CHECK_FALSE(encoding.holds(0x1p22));
  CHECK_FALSE(encoding.holds(-0x1p22));
  CHECK(encoding.holds(std::nextafter(0x1p22, 0)));
  CHECK_FALSE(encoding.holds(std::numeric_limits<double>::quiet_NaN()));
  CHECK_FALSE(encoding.holds(std::numeric_limits<double>::infinity()));

  const double largest = std::nextafter(0x1p22, 0);
  fixed_sum sum(1);
  for (int i = 0; i < 1000; ++i) REQUIRE(sum.add(std::span<const double>(&largest, 1)));
  CHECK(sum[0] == Approx(1000 * largest).epsilon(1e-15));
}

TEST_CASE("fixed point: sums do not depend on the order, and a double sum of the same numbers does") {
  auto values = test::normals(3000, 2);
  for (std::size_t i = 0; i < values.size(); i += 3) values[i] *= 1e6;
  const auto total = [&] {
    fixed_sum sum(1);
    double plain = 0;
    for (const double& x : values) {
      REQUIRE(sum.add(std::span(&x, 1)));
      plain += x;
    }
    return std::pair(sum[0], plain);
  };
  const auto [exact, plain] = total();
  bool plain_moved = false;
  for (int i = 0; i < 10; ++i) {
    replayable_random source(static_cast<std::uint64_t>(i));
    shuffle(source, std::span(values));
    const auto [again, other] = total();
    CHECK(again == exact);
    plain_moved = plain_moved || other != plain;
  }
  CHECK(plain_moved); // or this test could not fail
}

TEST_CASE("fixed point: a wide encoding keeps small and large numbers at once") {
  const fixed_point wide{.fraction_bits = 64, .whole_bits = 44};
  for (const double x : {1e-8, -1e-8, 1e-15, 3.7e12, -1.7e13, 0x1p-64})
    CHECK(wide.decode(wide.encode(x)) == Approx(x).epsilon(1e-4));
  fixed_sum sum(2, wide);
  const double big[] = {1e13, 1e-12}, back[] = {-1e13, 1e-12};
  REQUIRE(sum.add(std::span<const double>(big)));
  REQUIRE(sum.add(std::span<const double>(back)));
  CHECK(sum[0] == 0);
  CHECK(sum[1] == Approx(2e-12).epsilon(1e-6));
  const double out[] = {0, 0x1p44};
  CHECK_FALSE(sum.add(std::span<const double>(out)));
}

TEST_CASE("fixed point: a refused vector leaves no trace, and both sides are named") {
  fixed_sum sum(3);
  const float good[] = {1, 2, 3};
  REQUIRE(sum.add(std::span<const float>(good)));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 5e6f, -5e6f}) {
    const float values[] = {1, 1, bad};
    const auto added = sum.add(std::span<const float>(values));
    REQUIRE_FALSE(added);
    CHECK(added.error().kind == fault::range);
    CHECK(added.error().message.find("number 2 is") != std::string::npos);
  }
  const auto shorter = sum.add(std::span<const float>(good, 2));
  REQUIRE_FALSE(shorter);
  CHECK(shorter.error().message == "[N003 shape] fixed-point sum of 3 numbers: got 2");
  CHECK(sum[0] == 1);
  CHECK(sum[1] == 2);
  CHECK(sum[2] == 3);
  sum.reset();
  CHECK(sum[2] == 0);
  CHECK(sum.size() == 3);
}
