#include "fixtures/accounting.hpp"
#include "support/catch.hpp"

#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>

#include <numbers>
#include <random>

using namespace privet;
using Catch::Contains;

namespace {

pld_accountant holding(const std::vector<privacy_event>& events) {
  pld_accountant a;
  for (const auto& e : events) a.compose(e);
  return a;
}

void check(const test::accounting::row& row) {
  const auto found = holding(row.events).epsilon(row.delta);
  INFO(row.events.front().name() << " x " << row.events.front().count << ", delta " << row.delta << ": "
                                 << row.lower << " .. " << row.upper << ", found " << found.lower << " .. "
                                 << found.upper);
  CHECK(found.two_sided);
  CHECK(found.upper >= row.lower);
  CHECK(found.lower <= row.upper);
  CHECK(found.upper <= row.upper * (1 + 1e-5));
  CHECK(found.looseness() <= 2e-5);
}

double above(double x, double mean, double deviation) {
  return 0.5 * std::erfc((x - mean) / (deviation * std::numbers::sqrt2));
}

/// A sampled Gaussian from its definition: both densities, and the delta of one use by the point where their
/// ratio is e^epsilon, found by halving.
struct sampled {
  double noise, rate;
  double p_mean, q_mean; // P = (1 - rate) N(0) + rate N(p_mean), Q likewise; rate 0 where the mean is 0

  double density(double x, double mean) const {
    const auto normal = [&](double y) {
      return std::exp(-0.5 * y * y / (noise * noise)) / (noise * std::sqrt(2 * std::numbers::pi));
    };
    return (1 - rate) * normal(x) + rate * normal(x - mean);
  }
  double loss(double x) const { return std::log(density(x, p_mean) / density(x, q_mean)); }
  double delta(double epsilon) const {
    const double far = 30 * noise + 2, sign = loss(far) > loss(-far) ? 1 : -1;
    if (sign * (loss(far) - epsilon) * sign < 0 && loss(-far) < epsilon && loss(far) < epsilon) return 0;
    double low = -far, high = far; // in sign x the loss rises
    for (int i = 0; i < 60; ++i) {
      const double middle = (low + high) / 2;
      (loss(sign * middle) < epsilon ? low : high) = middle;
    }
    const auto mass = [&](double mean) {
      return (1 - rate) * above(high, 0, noise) + rate * above(high, sign * mean, noise);
    };
    return mass(p_mean) - std::exp(epsilon) * mass(q_mean);
  }
  /// Of two uses: E_P delta(epsilon - L).
  double delta_of_two(double epsilon) const {
    const double far = 12 * noise + 2, step = noise / 1000;
    double sum = 0;
    for (double x = -far; x <= far; x += step) sum += density(x, p_mean) * delta(epsilon - loss(x)) * step;
    return sum;
  }
};

} // namespace

TEST_CASE("composed losses are bounded from both sides") {
  static_assert(Accountant<pld_accountant>);
  for (const auto& row : test::accounting::composed) check(row);
}
TEST_CASE("many steps at small rates are bounded from both sides", "[slow]") {
  for (const auto& row : test::accounting::composed_slow) check(row);
}
TEST_CASE("Gaussian and tree events are exact in the PLD accountant too") {
  for (const auto& row : test::accounting::exact) {
    const auto found = holding(row.events).epsilon(row.delta);
    CHECK(found.upper >= row.lower);
    CHECK(found.upper <= row.upper);
  }
}
TEST_CASE("randomised response is composed exactly") {
  for (const auto& row : test::accounting::randomised_response) {
    const auto found = holding(row.events).epsilon(row.delta);
    INFO(row.lower << " .. " << row.upper << ", found " << found.lower << " .. " << found.upper);
    CHECK(found.upper >= row.lower);
    CHECK(found.upper <= row.upper * (1 + 4e-9));
    CHECK(found.lower >= row.lower * (1 - 4e-9));
    CHECK(found.lower <= row.upper);
  }
}

// Both neighbouring relations, one use in closed form and two by integration of the definition.
TEST_CASE("one and two uses of a sampled Gaussian are what the definition says", "[slow]") {
  for (const double noise : {0.6, 1.0, 3.0})
    for (const double rate : {0.02, 0.5})
      for (const bool replaced : {false, true}) {
        const sampled forth{noise, rate, 1, replaced ? -1.0 : 0.0},
            back{noise, rate, replaced ? -1.0 : 0.0, 1};
        for (const double epsilon : {0.05, 0.5, 2.0})
          for (const std::uint64_t uses : {1u, 2u}) {
            const double one_way = uses == 1 ? forth.delta(epsilon) : forth.delta_of_two(epsilon),
                         other = uses == 1 ? back.delta(epsilon) : back.delta_of_two(epsilon);
            const double truth = std::max(one_way, other);
            if (truth < 1e-12) continue; // the closed form has no digits left
            const auto a = holding({{event::subsampled_gaussian{noise, rate}, uses,
                                     replaced ? neighbours::replace_one : neighbours::add_remove}});
            const auto found = a.delta(epsilon);
            INFO("noise " << noise << ", rate " << rate << (replaced ? ", replaced" : "") << ", epsilon "
                          << epsilon << ", uses " << uses << ": " << truth << ", found " << found.lower
                          << " .. " << found.upper);
            CHECK(found.upper >= truth * (1 - 1e-8) - 1e-15);
            CHECK(found.lower <= truth * (1 + 1e-8) + 1e-15);
            CHECK(found.looseness() < 1e-3);
          }
      }
}

TEST_CASE("one use of Laplace and discrete Gaussian noise is what the definition says") {
  for (const double scale : {0.5, 2.0, 30.0}) {
    const auto a = holding({{event::laplace{scale}}});
    for (const double share : {0.1, 0.5, 0.99}) {
      const double epsilon = share / scale, truth = -std::expm1((epsilon - 1 / scale) / 2);
      const auto found = a.delta(epsilon);
      INFO("scale " << scale << ", epsilon " << epsilon << ": " << truth << ", " << found.lower << " .. "
                    << found.upper);
      CHECK(found.upper >= truth * (1 - 1e-12));
      CHECK(found.lower <= truth * (1 + 1e-12));
      CHECK(found.looseness() < 1e-4);
    }
  }
  for (const double noise : {0.6, 2.0, 12.0}) {
    const auto a = holding({{event::discrete_gaussian{noise}}});
    const auto weight = [&](double x) { return std::exp(-0.5 * x * x / (noise * noise)); };
    double all = 0;
    for (double x = -400; x <= 400; ++x) all += weight(x);
    for (const double epsilon : {0.01, 0.3, 2.0}) {
      double truth = 0;
      for (double x = -400; x <= 400; ++x)
        truth += std::max(weight(x) - std::exp(epsilon) * weight(x + 1), 0.0) / all;
      if (truth < 1e-13) continue;
      const auto found = a.delta(epsilon);
      INFO("noise " << noise << ", epsilon " << epsilon << ": " << truth << ", " << found.lower << " .. "
                    << found.upper);
      CHECK(found.upper >= truth * (1 - 1e-11));
      CHECK(found.lower <= truth * (1 + 1e-11));
      CHECK(found.looseness() < 1e-4);
    }
  }
}

TEST_CASE("an event n times is n single events, for every event and accountant") {
  const std::vector<privacy_event> all = {
      {event::gaussian{3}, 12, neighbours::replace_one},
      {event::subsampled_gaussian{1.2, 0.05}, 12, neighbours::replace_one},
      {event::laplace{5}, 12, neighbours::replace_one},
      {event::randomised_response{0.4, 2}, 12, neighbours::replace_one},
      {event::randomised_response{0.4, 7}, 12, neighbours::replace_one},
      {event::discrete_gaussian{4}, 12, neighbours::replace_one},
      {event::tree{9, 5}, 12, neighbours::replace_one}};
  const auto same = [&](auto accountant, const privacy_event& e) {
    auto single = accountant;
    accountant.compose(e);
    auto once = e;
    once.count = 1;
    for (std::uint64_t i = 0; i < e.count; ++i) single.compose(once);
    INFO(e.name());
    CHECK(accountant.epsilon(1e-6).upper == single.epsilon(1e-6).upper);
    CHECK(accountant.epsilon(1e-6).lower == single.epsilon(1e-6).lower);
    // And twelve are more than eleven, by no more than a twelfth of the loss at hand.
    auto fewer = e;
    fewer.count = 11;
    auto less = single;
    less = {};
    less.compose(fewer);
    CHECK(less.epsilon(1e-6).lower < accountant.epsilon(1e-6).upper);
    CHECK(less.epsilon(1e-6).upper > 0.8 * accountant.epsilon(1e-6).upper);
  };
  for (const auto& e : all) {
    same(pld_accountant{}, e);
    same(rdp_accountant{}, e);
  }
}

// Draws of settings, not of data: whatever they are, no bound may contradict another.
TEST_CASE("bounds of random mixtures are consistent with each other and with Renyi's", "[slow]") {
  std::mt19937_64 words(20240917);
  const auto uniform = [&](double a, double b) { // logarithmic
    return a * std::exp(std::log(b / a) * static_cast<double>(words() >> 11) * 0x1p-53);
  };
  for (int i = 0; i < 6; ++i) {
    const std::vector<privacy_event> events = {
        {event::subsampled_gaussian{uniform(0.6, 6), uniform(1e-3, 0.3)}, 1 + words() % 400,
         neighbours::replace_one},
        {event::randomised_response{uniform(0.01, 0.5), static_cast<std::uint32_t>(2 + words() % 9)},
         1 + words() % 20, neighbours::replace_one},
        {event::gaussian{uniform(3, 60)}, 1 + words() % 50, neighbours::replace_one}};
    const auto a = holding(events);
    rdp_accountant renyi;
    for (const auto& e : events) renyi.compose(e);
    const double delta = uniform(1e-13, 1e-4);
    const auto found = a.epsilon(delta);
    INFO("mixture " << i << ", delta " << delta << ": " << found.lower << " .. " << found.upper << ", Renyi "
                    << renyi.epsilon(delta).upper);
    CHECK(found.lower <= found.upper);
    CHECK(found.upper <= renyi.epsilon(delta).upper * (1 + 1e-6));
    CHECK(found.looseness() < 1e-2);
    const auto back = a.delta(found.upper);
    CHECK(back.lower <= delta * (1 + 1e-9));
    CHECK(a.epsilon(delta / 10).upper >= found.lower);
  }
}

TEST_CASE("the bounds stay sound where delta is 1e-15 and where steps are many", "[slow]") {
  const std::vector<privacy_event> run = {{event::subsampled_gaussian{2, 0.01}, 5000}};
  double last = 0;
  for (const double delta : {1e-3, 1e-6, 1e-9, 1e-12, 1e-15}) {
    const auto found = holding(run).epsilon(delta);
    CHECK(found.lower > last);
    CHECK(found.looseness() < 3e-5);
    last = found.upper;
  }
  // A thousand million steps: between the central limit and Renyi.
  const std::vector<privacy_event> long_run = {{event::subsampled_gaussian{50, 1e-4}, 1'000'000'000}};
  rdp_accountant renyi;
  renyi.compose(long_run.front());
  const auto found = holding(long_run).epsilon(1e-6);
  const double limit = gaussian_epsilon(1e-4 * std::sqrt(1e9 * std::expm1(1.0 / 2500)), 1e-6).upper;
  INFO(found.lower << " .. " << found.upper);
  CHECK(found.lower <= renyi.epsilon(1e-6).upper);
  CHECK(found.upper >= limit * (1 - 1e-3));
  CHECK(found.lower <= limit * (1 + 1e-3));
  CHECK(found.looseness() < 1e-2);
}

TEST_CASE("the PLD accountant refuses what makes no sense") {
  auto a = holding({{event::laplace{3}}});
  for (const double delta : {0.0, 1.0, 2.0, -1.0})
    CHECK_THROWS_WITH(a.epsilon(delta), Contains("less than 1"));
  CHECK_THROWS_WITH(a.delta(-0.5), Contains("at least 0"));
  CHECK_THROWS_WITH(a.compose({event::laplace{3}, 1, neighbours::replace_one}), Contains("do not add up"));
  CHECK(pld_accountant{}.epsilon(1e-5).upper == 0);
  CHECK(a.epsilon(1e-5).upper == Approx(1.0 / 3).epsilon(1e-3));
}
