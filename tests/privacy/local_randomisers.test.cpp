#include "support/catch.hpp"

#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/system.hpp>

#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

using namespace privet;

namespace {

/// A report as a number that names it, for counting.
std::uint64_t number_of(std::uint32_t report) { return report; }
std::uint64_t number_of(const bit_report& bits) {
  std::uint64_t number = 0;
  for (const auto bit : bits) number = 2 * number + bit;
  return number;
}

/// Draws reports for two values and compares how often each comes with a bound that a randomiser of this
/// epsilon keeps but for a chance of 1e-6: a count of mean m exceeds m + 6 sqrt(m) + 12 with less than 1e-8.
template <class Oracle>
bool looks_private(const Oracle& oracle, double epsilon, std::uint32_t value, std::uint32_t other) {
  constexpr std::size_t draws = 400'000;
  system_random source;
  std::map<std::uint64_t, double> from_value, from_other;
  for (std::size_t i = 0; i < draws; ++i) {
    ++from_value[number_of(oracle.randomise(value, source))];
    ++from_other[number_of(oracle.randomise(other, source))];
  }
  const auto within = [&](const auto& many, const auto& few) {
    for (const auto& [name, count] : many) {
      const auto found = few.find(name);
      const double rare = found == few.end() ? 0 : found->second;
      const double mean = std::exp(epsilon) * (rare + 6 * std::sqrt(rare) + 12);
      if (count > mean + 6 * std::sqrt(mean) + 12) return false;
    }
    return true;
  };
  return within(from_value, from_other) && within(from_other, from_value);
}

/// Counters after the reports of so many persons, the i-th of whom holds value_of(i).
template <FrequencyOracle Oracle>
std::vector<std::uint64_t> survey(const Oracle& oracle, std::size_t reports, auto value_of) {
  system_random source;
  std::vector<std::uint64_t> counted(oracle.counters());
  typename Oracle::report report{};
  for (std::size_t i = 0; i < reports; ++i) {
    oracle.randomise(value_of(i), source, report);
    oracle.count(report, counted);
  }
  return counted;
}

/// What a collector of any oracle needs, and nothing else.
struct archetype {
  struct report {};
  std::uint32_t categories() const;
  std::size_t counters() const;
  template <SecretRandomSource S>
  void randomise(std::uint32_t, S&, report&) const;
  template <SecretRandomSource S>
  report randomise(std::uint32_t, S&) const;
  void count(const report&, std::span<std::uint64_t>) const;
  support_probabilities support() const;
  std::vector<frequency_estimate> estimate(std::span<const std::uint64_t>, std::uint64_t) const;
};
/// Its reports cannot be written over.
struct near_miss : archetype {
  template <SecretRandomSource S>
  report randomise(std::uint32_t, S&) const;
};
static_assert(FrequencyOracle<archetype> && !FrequencyOracle<near_miss>);
static_assert(FrequencyOracle<randomised_response> && FrequencyOracle<unary_encoding> &&
              FrequencyOracle<local_hashing> && FrequencyOracle<hadamard_response> &&
              FrequencyOracle<subset_selection>);

/// The estimates lie within 6 standard errors of the truth, 2e-9 for each of them.
template <class Oracle>
void check_estimates(const Oracle& oracle) {
  const std::uint32_t k = oracle.categories();
  constexpr std::size_t reports = 60'000;
  const auto value_of = [k](std::size_t i) {
    return static_cast<std::uint32_t>(i % (k + 1) == k ? 0 : i % (k + 1));
  };
  const auto found = oracle.estimate(survey(oracle, reports, value_of), reports);
  for (std::uint32_t v = 0; v < k; ++v) {
    const double truth = (v == 0 ? 2.0 : 1.0) / (k + 1);
    INFO("value " << v << " of " << k << ": " << found[v].frequency << " +- " << found[v].standard_error);
    CHECK(std::abs(found[v].frequency - truth) <= 6 * found[v].standard_error + 2.0 / reports);
  }
}

template <class F>
void for_each_oracle(double epsilon, std::uint32_t k, F f) {
  f("randomised_response", randomised_response(epsilon, k));
  f("unary_encoding symmetric", unary_encoding::symmetric(epsilon, k));
  f("unary_encoding optimised", unary_encoding::optimised(epsilon, k));
  f("hadamard_response", hadamard_response(epsilon, k));
  f("subset_selection", subset_selection(epsilon, k));
}

} // namespace

TEST_CASE("private_coin rounds to the safe side") {
  for (const double p : {1e-12, 0.1, 1.0 / 3, 0.5, 0.75, 0.9999999}) {
    CHECK(private_coin::at_most(p).probability() <= p);
    CHECK(private_coin::at_most(p).probability() >= p * (1 - 0x1p-47) - 0x1p-64);
    CHECK(private_coin::at_least(p).probability() >= p);
    CHECK(private_coin::at_least(p).probability() <= p * (1 + 0x1p-47) + 0x1p-63);
  }
  CHECK(private_coin{5}.shows(4) == 1);
  CHECK(private_coin{5}.shows(5) == 0);
}

TEST_CASE("no local randomiser can be refuted", "[slow]") {
  for (const double epsilon : {0.5, 1.0, 2.5})
    for_each_oracle(epsilon, 5, [&](const char* name, const auto& oracle) {
      INFO(name << ", epsilon " << epsilon);
      CHECK(looks_private(oracle, epsilon, 0, 3));
      CHECK(looks_private(oracle, epsilon, 4, 1));
    });
}

TEST_CASE("the refuting test catches a randomiser that claims too little", "[slow]") {
  for_each_oracle(1.0, 5, [&](const char* name, const auto& oracle) {
    INFO(name);
    CHECK_FALSE(looks_private(oracle, 0.9, 0, 3));
  });
}

TEST_CASE("the ratio of any two reports is at most e^epsilon, from the coins themselves") {
  for (const double epsilon : {1e-3, 0.1, 1.0, 5.0, 20.0, 32.0})
    for (const std::uint32_t k : {2u, 3u, 16u, 1000u}) {
      const double e = std::exp(epsilon) * (1 + 1e-14);
      const auto r = randomised_response(epsilon, k).support();
      CHECK(r.own / r.other <= e);
      for (const auto& unary :
           {unary_encoding::symmetric(epsilon, k), unary_encoding::optimised(epsilon, k)}) {
        const auto u = unary.support();
        CHECK(u.own / u.other * ((1 - u.other) / (1 - u.own)) <= e);
      }
      const auto h = hadamard_response(epsilon, k).support();
      CHECK(h.own / (1 - h.own) <= e);
      const subset_selection s(epsilon, k);
      const double p = s.support().own, d = s.size();
      CHECK(p / (1 - p) * (k - d) / d <= e);
    }
}

TEST_CASE("estimates from local randomisers are unbiased") {
  for (const std::uint32_t k : {2u, 7u, 40u}) {
    for_each_oracle(1.5, k, [&](const char* name, const auto& oracle) {
      INFO(name);
      check_estimates(oracle);
    });
    check_estimates(local_hashing(1.5, k));
  }
}

TEST_CASE("their variance is that of theory", "[slow]") {
  const double epsilon = 1, e = std::exp(epsilon), root = std::exp(epsilon / 2), n = 1000;
  const std::uint32_t k = 8;
  const auto at_zero = [&](const auto& oracle) { return estimate_variance(oracle.support(), 0, n); };
  CHECK(at_zero(randomised_response(epsilon, k)) == Approx((k - 2 + e) / (n * (e - 1) * (e - 1))));
  CHECK(at_zero(unary_encoding::symmetric(epsilon, k)) == Approx(root / (n * (root - 1) * (root - 1))));
  CHECK(at_zero(unary_encoding::optimised(epsilon, k)) == Approx(4 * e / (n * (e - 1) * (e - 1))));
  CHECK(at_zero(hadamard_response(epsilon, k)) == Approx((e + 1) * (e + 1) / (n * (e - 1) * (e - 1))));

  // Measured over 2,000 surveys of 200 reports: a variance is known to 1 part in sqrt(2000 / 2) = 3.2 %.
  constexpr std::size_t surveys = 2000, reports = 200;
  for_each_oracle(epsilon, k, [&](const char* name, const auto& oracle) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < surveys; ++i) {
      const auto counted = survey(oracle, reports, [](std::size_t) { return 3u; });
      const double f = oracle.estimate(counted, reports)[0].frequency;
      sum += f;
      squares += f * f;
    }
    const double variance = (squares - sum * sum / surveys) / (surveys - 1);
    INFO(name);
    CHECK(variance == Approx(estimate_variance(oracle.support(), 0, reports)).epsilon(5 * 0.032));
  });
}

TEST_CASE("subset_selection reports sets of its size, and each other value equally often") {
  system_random source;
  const subset_selection oracle(0.3, 9);
  CHECK(oracle.size() == 4);
  std::vector<std::uint64_t> support(9);
  bit_report bits;
  constexpr std::uint64_t reports = 100'000;
  for (std::uint64_t i = 0; i < reports; ++i) {
    oracle.randomise(5, source, bits);
    REQUIRE(std::accumulate(bits.begin(), bits.end(), 0u) == 4);
    oracle.count(bits, support);
  }
  for (std::uint32_t v = 0; v < 9; ++v) {
    const double p = v == 5 ? oracle.support().own : oracle.support().other;
    INFO("value " << v);
    CHECK(std::abs(static_cast<double>(support[v]) - reports * p) <= 6 * std::sqrt(reports * p * (1 - p)));
  }
}

TEST_CASE("hadamard_response counts as its definition does") {
  const hadamard_response oracle(1, 5);
  CHECK(oracle.columns() == 8);
  std::vector<std::uint64_t> reports = {3, 1, 4, 1, 5, 9, 2, 6};
  const auto support = oracle.support_counts(reports);
  for (std::uint32_t v = 0; v < 5; ++v) {
    std::uint64_t expected = 0;
    for (std::uint32_t y = 0; y < 8; ++y)
      if (std::popcount(y & (v + 1)) % 2 == 0) expected += reports[y];
    CHECK(support[v] == expected);
  }
}

TEST_CASE("projection onto the simplex") {
  const auto project = [](std::vector<double> f) {
    std::vector<frequency_estimate> all;
    for (const double x : f) all.push_back({x, 0});
    return project_to_simplex(all);
  };
  CHECK(project({0.2, 0.3, 0.5}) == std::vector<double>{0.2, 0.3, 0.5});
  const auto cut = project({0.9, 0.3, -0.2}); // the third leaves, the first two lose 0.1 each
  CHECK(cut[0] == Approx(0.8));
  CHECK(cut[1] == Approx(0.2));
  CHECK(cut[2] == 0);
}

TEST_CASE("local randomisers refuse what makes no sense") {
  system_random source;
  for (const double epsilon : {0.0, -1.0, 33.0, std::nan("")}) {
    CHECK_THROWS_WITH(randomised_response(epsilon, 3), Catch::Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(unary_encoding::optimised(epsilon, 3), Catch::Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(hadamard_response(epsilon, 3), Catch::Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(subset_selection(epsilon, 3), Catch::Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(local_hashing(epsilon, 3), Catch::Contains("expected 0 < epsilon <= 16"));
  }
  CHECK_THROWS_WITH(randomised_response(1, 1), Catch::Contains("1 categories, needs at least 2"));
  CHECK_THROWS_WITH(randomised_response(1, 3).randomise(3, source), Catch::Contains("category 3 of 3"));
  std::vector<std::uint64_t> support(3);
  CHECK_THROWS_WITH(randomised_response(1, 3).count(7, support), Catch::Contains("report 7 of 3"));
  CHECK_THROWS_WITH(unary_encoding::optimised(1, 3).count({0, 2, 1}, support),
                    Catch::Contains("a report holds 2"));
  CHECK_THROWS_WITH(subset_selection(1, 3).count({1, 1, 1}, support),
                    Catch::Contains("a set of 3, expected 1"));
  CHECK_THROWS_WITH(subset_selection(1, 3).count({1, 0}, support), Catch::Contains("2 bits, expected 3"));
  CHECK_THROWS_WITH(hadamard_response(1, 3).count(0, support), Catch::Contains("3 counters, expected 4"));
  std::vector<std::uint64_t> columns(4);
  CHECK_THROWS_WITH(hadamard_response(1, 3).count(4, columns), Catch::Contains("column 4 of 4"));
  CHECK_THROWS_WITH(local_hashing(1, 3).count({1, 2, 9}, support), Catch::Contains("bucket 9 of 4"));
  CHECK_THROWS_WITH(randomised_response(1, 3).estimate(columns, 5),
                    Catch::Contains("4 counters, expected 3"));
  CHECK_THROWS_WITH(estimate_frequencies(support, 0, {0.7, 0.1}), Catch::Contains("no reports"));
  support[1] = 9;
  CHECK_THROWS_WITH(estimate_frequencies(support, 8, {0.7, 0.1}), Catch::Contains("9 of 8 reports"));
}
