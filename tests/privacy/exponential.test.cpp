#include "support/catch.hpp"
#include "support/refute.hpp"

#include <privet/privacy/exponential.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace privet;
using Catch::Contains;

// Each comparison with a law, and each refuting test, raises a false alarm with probability at most 1e-6.

namespace {

/// exp(rate u) over their sum.
std::vector<double> softmax(const std::vector<double>& utilities, double rate) {
  std::vector<double> p;
  const double best = *std::ranges::max_element(utilities);
  for (const double u : utilities) p.push_back(std::exp(rate * (u - best)));
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= all;
  return p;
}
/// Report-noisy-max with exponential noise of this rate, by integration over the noise of the winner.
std::vector<double> noisy_max(const std::vector<double>& utilities, double rate) {
  std::vector<double> p;
  for (std::size_t i = 0; i < utilities.size(); ++i) {
    constexpr int pieces = 40'000;
    const double step = 60 / rate / pieces;
    double sum = 0;
    for (int k = 0; k < pieces; ++k) {
      const double x = (k + 0.5) * step;
      double others = 1;
      for (std::size_t j = 0; j < utilities.size(); ++j)
        if (j != i) others *= std::max(-std::expm1(-rate * (x + utilities[i] - utilities[j])), 0.0);
      sum += rate * std::exp(-rate * x) * others * step;
    }
    p.push_back(sum);
  }
  return p;
}

template <class M>
std::vector<std::uint64_t> chosen(const M& m, const std::vector<double>& utilities, std::size_t times) {
  std::vector<std::uint64_t> counts(utilities.size());
  for (std::size_t i = 0; i < times; ++i) ++counts[m.choose(utilities, thread_system_random())];
  return counts;
}

const std::vector<double> utilities = {3, 7.5, 7, -20, 6.25, 7.5};

/// What the mechanism claims is kept, and `tight` times that is refuted.
template <class M>
void check_claim(const M& m, const std::vector<double>& one, const std::vector<double>& other, double tight) {
  const auto choice = [&](const std::vector<double>& u) {
    return [&m, &u]() -> std::uint64_t { return m.choose(u, thread_system_random()); };
  };
  const auto runs = test::run_both_by_name(100'000, choice(one), choice(other));
  const auto kept = test::refute({m.epsilon, 0}, runs);
  INFO(test::describe({m.epsilon, 0}, kept));
  CHECK_FALSE(kept.refuted);
  CHECK(test::refute({tight * m.epsilon, 0}, runs).refuted);
}

} // namespace

TEST_CASE("the exponential mechanism has its law") {
  for (const bool monotone : {false, true})
    for (const double epsilon : {0.2, 3.0}) {
      const exponential_mechanism m{epsilon, 1.5, monotone};
      const double rate = epsilon / 1.5 / (monotone ? 1 : 2);
      const auto found = test::compare_counts(chosen(m, utilities, 100'000), softmax(utilities, rate));
      CAPTURE(epsilon, monotone, found.measured, found.limit);
      CHECK_FALSE(found.refuted());
    }
}

TEST_CASE("permute_and_flip is report-noisy-max with exponential noise") {
  for (const bool monotone : {false, true})
    for (const double epsilon : {0.2, 3.0}) {
      const permute_and_flip m{epsilon, 1.5, monotone};
      const double rate = epsilon / 1.5 / (monotone ? 1 : 2);
      const auto law = noisy_max(utilities, rate);
      CHECK(std::accumulate(law.begin(), law.end(), 0.0) == Approx(1).epsilon(1e-5));
      const auto found = test::compare_counts(chosen(m, utilities, 100'000), law);
      CAPTURE(epsilon, monotone, found.measured, found.limit);
      CHECK_FALSE(found.refuted());
      // Never worse than the exponential mechanism.
      const auto loss = [&](const std::vector<double>& p) {
        double sum = 0;
        for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * (7.5 - utilities[i]);
        return sum;
      };
      CHECK(loss(law) <= loss(softmax(utilities, rate)));
    }
}

TEST_CASE("both laws keep epsilon on a lattice of neighbours") {
  // All utilities of three candidates on a lattice, moved by 0 or the sensitivity, or by either sign of it.
  for (const bool monotone : {false, true}) {
    const double epsilon = 1, rate = monotone ? 1 : 0.5;
    double worst_softmax = 0, worst_max = 0;
    for (int start = 0; start < 27; ++start)
      for (int moves = 0; moves < 27; ++moves) {
        std::vector<double> one, other;
        bool allowed = true;
        for (int i = 0, s = start, k = moves; i < 3; ++i, s /= 3, k /= 3) {
          one.push_back(s % 3 * 1.3);
          other.push_back(one.back() + k % 3 - 1);
          allowed = allowed && (!monotone || k % 3 != 0);
        }
        if (!allowed) continue;
        const auto a = softmax(one, rate), b = softmax(other, rate);
        const bool integrate = (start * 27 + moves) % 20 == 3;
        const auto c = integrate ? noisy_max(one, rate) : a, d = integrate ? noisy_max(other, rate) : b;
        for (std::size_t i = 0; i < 3; ++i) {
          worst_softmax = std::max(worst_softmax, std::abs(std::log(a[i] / b[i])));
          worst_max = std::max(worst_max, std::abs(std::log(c[i] / d[i])));
        }
      }
    CHECK(worst_softmax <= epsilon);
    CHECK(worst_max <= epsilon * (1 + 1e-4)); // of the integrals
    CHECK(worst_softmax >= 0.7 * epsilon);
  }
}

TEST_CASE("a choice cannot be refuted, and is when it claims much less", "[slow]") {
  // Many candidates make the exponential mechanism reach its epsilon: the first falls, all others rise.
  std::vector<double> one(40, 0.0), other(40, 1.0);
  one[0] = 6, other[0] = 5;
  check_claim(exponential_mechanism{1, 1}, one, other, 0.6);
  check_claim(permute_and_flip{1, 1}, one, other, 0.4);
  std::vector<double> more = one;
  for (std::size_t i = 1; i < more.size(); ++i) more[i] += 1;
  check_claim(exponential_mechanism{1, 1, true}, one, more, 0.6);
  check_claim(permute_and_flip{1, 1, true}, one, more, 0.3);
}

TEST_CASE("a choice says what it spends and refuses what makes no sense") {
  for (const double epsilon : {1e-6, 0.1, 1.0, 64.0})
    for (const double sensitivity : {1.0, 0.1, 1e-9, 7e50}) {
      const exponential_mechanism m{epsilon, sensitivity};
      CHECK(m.spent() <= epsilon);
      CHECK(m.spent() >= epsilon * (1 - 1e-8));
      CHECK(m.rho() == Approx(epsilon * epsilon / 8).epsilon(1e-7));
      CHECK(m.event().relation == neighbours::add_remove);
      CHECK(permute_and_flip{epsilon, sensitivity, true}.spent() <= epsilon);
    }
  CHECK((permute_and_flip{1, 1, false, neighbours::replace_one}.event().name() == "randomised_response"));

  system_random source;
  const std::vector<double> none, single = {std::nan("")}, extreme = {-HUGE_VAL, 1e300, -1e300};
  CHECK(permute_and_flip{}.choose(single, source) == 0);
  for (int i = 0; i < 100; ++i) { // otherwise: below exp(-10^8)
    CHECK(permute_and_flip{}.choose(extreme, source) == 1);
    CHECK(exponential_mechanism{}.choose(extreme, source) == 1);
  }
  CHECK_THROWS_WITH(exponential_mechanism{}.choose(none, source), Contains("no candidates"));
  CHECK_THROWS_WITH(permute_and_flip{}.choose(none, source), Contains("no candidates"));
  CHECK_THROWS_WITH((exponential_mechanism{0, 1}.choose(single, source)), Contains("epsilon 0"));
  CHECK_THROWS_WITH((permute_and_flip{1, -1}.choose(single, source)), Contains("sensitivity -1"));
}
