#include "support/catch.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/network.hpp>
#include <privet/train/initialise.hpp>

#include <algorithm>

using namespace privet;

namespace {

struct spread {
  double mean = 0, variance = 0, largest = 0;
};
template <class T>
spread spread_of(std::span<const T> values) {
  spread s;
  for (const T v : values) s.mean += v, s.largest = std::max(s.largest, std::abs(static_cast<double>(v)));
  s.mean /= static_cast<double>(values.size());
  for (const T v : values) s.variance += (v - s.mean) * (v - s.mean);
  s.variance /= static_cast<double>(values.size());
  return s;
}

const sequential model{dense<400, 100>{}, relu{}, dense<100, 50>{}};

} // namespace

// The variance of n draws is off by sqrt((kurtosis - 1) / n) of itself per standard deviation: 0.7 %
// for 40,000 normal draws, so 5 % is seven of them (false alarm below 1e-11, and the seed is fixed).
TEMPLATE_TEST_CASE("initialise: He weights have variance 2 / fan_in, biases are zero", "", float, double) {
  const auto p = initialise<TestType>(model, 1);
  const std::span<const TestType> all = p.shared();
  const auto first = spread_of(all.first(40'000)), second = spread_of(all.subspan(40'100, 5000));
  CHECK(first.variance == Approx(2.0 / 400).epsilon(0.05));
  CHECK(std::abs(first.mean) < 7 * std::sqrt(2.0 / 400 / 40'000));
  CHECK(second.variance == Approx(2.0 / 100).epsilon(0.14)); // 5,000 draws: seven deviations of 2 %
  CHECK(std::ranges::all_of(all.subspan(40'000, 100), [](auto b) { return b == 0; }));
  CHECK(std::ranges::all_of(all.subspan(45'100, 50), [](auto b) { return b == 0; }));
}

TEST_CASE("initialise: Glorot weights are uniform with variance 2 / (fan_in + fan_out)") {
  const auto p = initialise<float>(model, 1, glorot_uniform{});
  const auto first = spread_of(std::as_const(p).shared().first(40'000));
  CHECK(first.variance == Approx(2.0 / 500).epsilon(0.05));
  CHECK(std::abs(first.mean) < 7 * std::sqrt(2.0 / 500 / 40'000));
  CHECK(first.largest <= std::sqrt(6.0 / 500) * 1.0000001);
  CHECK(first.largest > std::sqrt(6.0 / 500) * 0.999);
}

TEST_CASE(
    "initialise: the same seed gives the same bits, another seed others, and the model's form does not "
    "matter") {
  const auto one = initialise(model, 7), again = initialise(model, 7), other = initialise(model, 8);
  CHECK(std::ranges::equal(one.shared(), again.shared()));
  CHECK_FALSE(std::ranges::equal(one.shared(), other.shared()));
  CHECK(std::ranges::equal(one.shared(), initialise(network(model), 7).shared()));
}
