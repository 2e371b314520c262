#include "fixtures/accounting.hpp"
#include "fixtures/loss_contour.hpp"
#include "support/catch.hpp"

#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <tuple>

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
TEST_CASE("a delta near 1 has an epsilon") {
  for (const auto& [noise, rate, steps, relation, given] :
       {std::tuple{0.5, 0.9, 1000, neighbours::add_remove, 0.999},
        std::tuple{0.5, 0.9, 1000, neighbours::add_remove, 0.5},
        std::tuple{0.87104, 0.78566, 2595, neighbours::replace_one, 0.9975}}) {
    const auto accountant =
        holding({{event::subsampled_gaussian{noise, rate}, static_cast<std::uint64_t>(steps), relation}});
    const auto found = accountant.epsilon(given);
    CHECK(std::isfinite(found.upper));
    CHECK(found.looseness() < 1e-3);
    CHECK(accountant.epsilon(given - 0.001).lower >= found.lower);
    CHECK(accountant.delta(found.upper).lower <= given);
    CHECK(accountant.delta(found.lower).upper >= given);
  }
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
namespace {

/// The parts of one sampled Gaussian in one direction, cut where less than a share 1e-8 of delta lies above.
std::vector<detail::loss_part> parts_of(const privacy_event& e, bool added, double delta) {
  const double uses = static_cast<double>(e.count);
  std::vector<detail::loss_part> out;
  out.emplace_back(detail::loss_pair(e, added, 1e-8 * delta / uses, 1e-11 / uses), uses);
  return out;
}

} // namespace

TEST_CASE("the integral of sampled Gaussians holds thirteen digits of their epsilon between its bounds") {
  for (const auto& row : test::contour_rows) {
    const bool replaced = row.direction == "replaced", added = row.direction == "added";
    const privacy_event e{event::subsampled_gaussian{row.noise, row.rate}, row.uses,
                          replaced ? neighbours::replace_one : neighbours::add_remove};
    const auto parts = parts_of(e, added, row.delta);
    // The line may be anywhere: what changes is how far apart the bounds are.
    const auto chernoff = [&](double tilt) {
      return (parts[0].count * parts[0].at(tilt).log_mgf - std::log(row.delta)) / tilt;
    };
    double best = 0.1;
    while (chernoff(1.1 * best) < chernoff(best)) best *= 1.1;
    for (const double share : {0.7, 0.85, 1.0}) {
      const auto contour = detail::loss_contour::along(parts, share * best, 24);
      INFO(row.direction << ' ' << row.noise << ", " << row.rate << " x " << row.uses << ", delta "
                         << row.delta << ", tilt " << share * best);
      REQUIRE(contour);
      const auto found = contour->epsilon(row.delta, row.epsilon);
      INFO(found.lower << " .. " << found.upper << ", expected " << row.epsilon);
      CHECK(found.lower <= row.epsilon * (1 + 1e-12));
      CHECK(found.upper >= row.epsilon * (1 - 1e-12));
      const auto delta = contour->delta(row.epsilon);
      CHECK(delta.lower <= row.delta * (1 + 1e-9));
      CHECK(delta.upper >= row.delta * (1 - 1e-9));
      CHECK(found.looseness() <= 1e-5);
    }
    const auto found = holding({e}).epsilon(row.delta);
    CHECK(found.upper >= row.epsilon * (1 - 1e-12));
    if (!added) CHECK(found.lower <= row.epsilon * (1 + 1e-12)); // the other direction is larger there
    CHECK(found.looseness() <= 1e-6);
  }
}
TEST_CASE("few uses, and sums that nearly have an atom, are as tight as others", "[slow]") {
  for (const auto& row : test::sparse_rows) {
    const bool replaced = row.direction == "replaced";
    const privacy_event e{event::subsampled_gaussian{row.noise, row.rate}, row.uses,
                          replaced ? neighbours::replace_one : neighbours::add_remove};
    INFO(row.direction << ' ' << row.noise << ", " << row.rate << " x " << row.uses << ", delta " << row.delta
                       << ", expected " << row.epsilon);
    // Whatever core is left out of the integral, the bounds hold.
    const auto parts = parts_of(e, false, row.delta);
    for (const double guess : {0.7, 1.0, 1.3}) {
      const auto contour = detail::loss_contour::around(parts[0], true, guess * row.epsilon,
                                                        std::log(row.delta), 20 / row.epsilon);
      if (!contour) continue;
      const auto found = contour->epsilon(row.delta, row.epsilon), delta = contour->delta(row.epsilon);
      INFO(guess << ": " << found.lower << " .. " << found.upper);
      CHECK(found.lower <= row.epsilon * (1 + 1e-12));
      CHECK(found.upper >= row.epsilon * (1 - 1e-12));
      CHECK(delta.lower <= row.delta * (1 + 1e-9));
      CHECK(delta.upper >= row.delta * (1 - 1e-9));
    }
    const auto accountant = holding({e});
    const auto found = accountant.epsilon(row.delta);
    INFO(found.lower << " .. " << found.upper);
    CHECK(found.lower <= row.epsilon * (1 + 1e-12));
    CHECK(found.upper >= row.epsilon * (1 - 1e-12));
    CHECK(found.looseness() <= 1e-5);
    const auto delta = accountant.delta(row.epsilon);
    CHECK(delta.lower <= row.delta * (1 + 1e-9));
    CHECK(delta.upper >= row.delta * (1 - 1e-9));
    CHECK(delta.looseness() <= 1e-5);
    // And epsilon falls with delta and rises with uses.
    CHECK(accountant.epsilon(1.001 * row.delta).upper < found.lower);
    auto more = e;
    more.count += 1 + e.count / 100;
    CHECK(holding({more}).epsilon(row.delta).lower > found.upper);
  }
}
TEST_CASE("outliers and the core add up to the whole, and outliers decay as they promise", "[slow]") {
  for (const auto relation : {neighbours::add_remove, neighbours::replace_one}) {
    const privacy_event e{event::subsampled_gaussian{0.9, 1e-3}, 300, relation};
    const auto parts = parts_of(e, false, 1e-10);
    using detail::tilted_sample;
    const auto core = tilted_sample::core(parts[0], 40, 40, 2.5); // a border that suits all smaller tilts
    const auto border = core.cut();
    const auto inner = tilted_sample::core(parts[0], 6, 13, 900, border),
               outer = tilted_sample::outliers(parts[0], 6, 13, 900, border, {});
    const tilted_sample all(parts[0], 6, 13, 900);
    CHECK(std::log(std::exp(inner.log_mgf()) + std::exp(outer.log_mgf())) ==
          Approx(all.log_mgf()).margin(1e-13));
    const auto a = inner.values(3, 300), b = outer.values(3, 300), c = all.values(3, 300);
    const double in = std::exp(inner.log_mgf() - all.log_mgf()), out = 1 - in;
    for (std::size_t j = 0; j < a.size(); ++j) {
      const double t = 3 * static_cast<double>(j + 1), turn_a = t * (inner.mean() - all.mean()),
                   turn_b = t * (outer.mean() - all.mean());
      const double re = in * (a[j].re * std::cos(turn_a) - a[j].im * std::sin(turn_a)) +
                        out * (b[j].re * std::cos(turn_b) - b[j].im * std::sin(turn_b));
      CHECK(std::abs(re - c[j].re) <= a[j].error + b[j].error + c[j].error + 1e-13);
      CHECK(std::hypot(b[j].re, b[j].im) <= std::exp(outer.log_fall(t)) + b[j].error);
    }
    CHECK(outer.log_fall(30000) < -10);
  }
}
TEST_CASE("nodes and the decay that they promise bound the characteristic function") {
  const privacy_event e{event::subsampled_gaussian{0.8, 0.01}, 500, neighbours::replace_one};
  for (const bool replaced : {false, true})
    for (const bool added : {false, true}) {
      auto one = e;
      if (!replaced) one.relation = neighbours::add_remove;
      const auto parts = parts_of(one, added, 1e-6);
      const detail::tilted_sample rough(parts[0], 5, 11, 120), fine(parts[0], 5, 11, 4000);
      CHECK(fine.points() > 2 * rough.points());
      CHECK(rough.log_mgf() == Approx(fine.log_mgf()).margin(1e-13));
      const auto few = rough.values(0.5, 200), many = fine.values(0.5, 200);
      for (std::size_t j = 0; j < few.size(); ++j) {
        CHECK(std::hypot(few[j].re - many[j].re, few[j].im - many[j].im) <= few[j].error + many[j].error);
        CHECK(few[j].error < 1e-11);
        const double size = std::hypot(many[j].re, many[j].im);
        for (const auto* s : {&rough, &fine}) // for this t and those before, as the bound falls
          CHECK(std::log(size) <= s->log_decay(0.5 * static_cast<double>(j + 1)) + 1e-12);
      }
      CHECK(fine.log_decay(1000) < -0.05);
    }
}
TEST_CASE("a loss that hardly varies is not lost between two grid points", "[slow]") {
  // Noise this small makes one direction a constant, log 1 / (1 - rate), but for outcomes never seen.
  const auto found = holding({{event::subsampled_gaussian{0.05, 1e-3}, 1000}}).epsilon(1e-6);
  CHECK(found.lower > 1000 * -std::log1p(-1e-3));
  CHECK(found.looseness() <= 1e-5);
  const auto few = holding({{event::subsampled_gaussian{0.05, 1e-3}, 3}}).epsilon(0.5);
  CHECK(few.upper <= 3 * -std::log1p(-1e-3) * (1 + 1e-6));
}
TEST_CASE("a delta that lies in the far tail of one use is found") {
  // The loss reaches it 11.7 deviations out; the closed form in 50 digits.
  pld_accountant one;
  one.compose({event::subsampled_gaussian{1.2636259950733217, 1.1673224358083801e-05}, 1});
  const auto delta = one.delta(0.087207955138020182);
  CHECK(delta.lower <= 3.21932536774e-34);
  CHECK(delta.upper >= 3.21932536774e-34);
  CHECK(delta.upper <= 1e-33);
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
  // Losses of 10^5 a step are no privacy, and no crash: a refusal or an honest number.
  const auto huge = holding({{event::subsampled_gaussian{2e-3, 5e-3}, 1'000'000, neighbours::replace_one}});
  CHECK(huge.epsilon(1e-100).upper > 1e6);
  // Nothing but divergences is known of exact noise in many dimensions, sampled or not.
  static_assert(!pld_accountant::knows<event::subsampled_discrete_gaussian>);
  for (const double rate : {0.1, 1.0}) {
    const auto exact = holding({{event::gaussian{3}}, {event::subsampled_discrete_gaussian{3, rate}}});
    CHECK_THROWS_WITH(exact.epsilon(1e-5), Contains("N011") && Contains("subsampled_discrete_gaussian") &&
                                               Contains("rdp_accountant"));
    CHECK_THROWS_WITH(exact.delta(1), Contains("N011") && Contains("rdp_accountant"));
  }
  CHECK(a.epsilon(1e-5).upper == Approx(1.0 / 3).epsilon(1e-3));
}
