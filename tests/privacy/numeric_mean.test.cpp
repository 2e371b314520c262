#include "support/catch.hpp"

#include <privet/privacy/duchi.hpp>
#include <privet/privacy/piecewise.hpp>
#include <privet/privacy/priv_unit.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <numbers>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

/// Hands out chosen words, so that a whole law can be gone through word by word.
struct script {
  static constexpr bool is_secret = true;
  std::deque<std::uint32_t> words;
  script() = default;
  script(const script&) = delete;
  void fill(std::span<std::uint32_t> out) {
    for (auto& word : out) {
      REQUIRE_FALSE(words.empty());
      word = words.front();
      words.pop_front();
    }
  }
  void add64(std::uint64_t x) {
    words.push_back(static_cast<std::uint32_t>(x));
    words.push_back(static_cast<std::uint32_t>(x >> 32));
  }
};

/// The exact law of one report of `duchi` about `values`: the coins' outcomes, weighed with their
/// probabilities, through the mechanism itself.
std::map<std::vector<double>, long double> law_of(const duchi& m, const std::vector<double>& values) {
  std::map<std::vector<double>, long double> law;
  const std::size_t d = values.size();
  for (unsigned own = 0; own < 1u << d; ++own)
    for (unsigned sign = 0; sign < 1u << d; ++sign)
      for (const unsigned should : {0u, 1u})
        for (const unsigned tie : {0u, 1u}) {
          script source;
          long double p = std::ldexp(1.0L, -static_cast<int>(d) - 1);
          for (std::size_t j = 0; j < d; ++j) {
            const long double plus = (1 + static_cast<long double>(values[j])) / 2;
            p *= own >> j & 1 ? plus : 1 - plus;
            source.add64(own >> j & 1 ? 0 : ~std::uint64_t{0});
            source.words.push_back(sign >> j & 1);
          }
          if (p == 0) continue; // no word gives this outcome
          source.add64(should ? 0 : ~std::uint64_t{0});
          source.words.push_back(tie);
          p *= should ? static_cast<long double>(m.agreement()) : 1 - static_cast<long double>(m.agreement());
          std::vector<double> out(d);
          m.randomise(values, source, out);
          CHECK(source.words.empty());
          law[out] += p;
        }
  return law;
}

/// The exact law of `piecewise`: an index to its probability.
std::vector<long double> law_of(const piecewise& m, double x) {
  std::map<double, std::uint32_t> index;
  for (std::uint32_t k = 0; k < m.cells(); ++k) index[m.value(k)] = k;
  REQUIRE(index.size() == m.cells());
  std::vector<long double> law(m.cells());
  const std::uint32_t w = m.window(), rest = m.cells() - w;
  const long double at = static_cast<long double>(rest) * (1 + static_cast<long double>(x)) / 2,
                    over = at - std::floor(at), p = static_cast<long double>(m.inside());
  for (const bool up : {false, true})
    for (const bool within : {false, true})
      for (std::uint32_t i = 0; i < (within ? w : rest); ++i) {
        script source;
        source.add64(up ? 0 : ~std::uint64_t{0});
        source.add64(within ? 0 : ~std::uint64_t{0});
        // The middle of the words that `uniform_below` takes for i.
        const auto word = [](std::uint32_t drawn, std::uint32_t n) {
          return static_cast<std::uint64_t>(std::ldexp((drawn + 0.5L) / n, 64));
        };
        source.add64(word(within ? i : 0, w));
        source.add64(word(within ? 0 : i, rest));
        if (up && over == 0) continue; // no word is below 0
        const auto found = index.find(m.randomise(x, source));
        REQUIRE(found != index.end()); // a value of the stated set
        law[found->second] += (up ? over : 1 - over) * (within ? p / w : (1 - p) / rest);
      }
  return law;
}

} // namespace

TEST_CASE("the law of duchi keeps epsilon and the mean, word by word") {
  for (const double epsilon : {0.01, 0.5, 1.0, 3.0, 32.0})
    for (const std::uint32_t d : {1u, 2u, 3u, 4u}) {
      const duchi m(epsilon, d);
      const std::vector<std::vector<double>> all = {std::vector<double>(d, 1.0), std::vector<double>(d, -1.0),
                                                    std::vector<double>(d, 0.25), [&] {
                                                      std::vector<double> v;
                                                      for (std::uint32_t j = 0; j < d; ++j)
                                                        v.push_back(j % 2 ? -0.5 : 1.0);
                                                      return v;
                                                    }()};
      std::vector<std::map<std::vector<double>, long double>> laws;
      for (const auto& values : all) laws.push_back(law_of(m, values));
      for (std::size_t i = 0; i < all.size(); ++i) {
        INFO("epsilon " << epsilon << ", dimensions " << d << ", input " << i);
        CHECK(laws[i].size() == std::size_t{1} << d);
        std::vector<long double> mean(d), square(d);
        for (const auto& [report, p] : laws[i])
          for (std::size_t j = 0; j < d; ++j) {
            CHECK(std::abs(report[j]) == m.bound());
            mean[j] += p * static_cast<long double>(report[j]);
            square[j] += p * static_cast<long double>(report[j]) * static_cast<long double>(report[j]);
          }
        for (std::size_t j = 0; j < d; ++j) {
          CHECK(static_cast<double>(mean[j]) == Approx(all[i][j]).epsilon(1e-12).margin(1e-13 * m.bound()));
          CHECK(static_cast<double>(square[j] - mean[j] * mean[j]) ==
                Approx(m.variance(all[i][j])).epsilon(1e-10).margin(1e-10));
        }
        // 1 e^-epsilon is rounded, and each law is summed in long double.
        const long double most = std::exp(static_cast<long double>(epsilon)) * (1 + 1e-16L);
        for (const auto& other : laws)
          for (const auto& [report, p] : laws[i]) CHECK(p <= most * other.at(report));
      }
    }
  // The constants of the paper: (e + 1) / (e - 1), and for three dimensions 2^2 / binomial(2, 1) times that.
  const double e = std::exp(1.0);
  CHECK(duchi(1).bound() == Approx((e + 1) / (e - 1)).epsilon(1e-12));
  CHECK(duchi(1, 3).bound() == Approx(2 * (e + 1) / (e - 1)).epsilon(1e-12));
}

TEST_CASE("the law of piecewise keeps epsilon and the mean, word by word") {
  for (const double epsilon : {0.1, 1.0, 3.0, 8.0})
    for (const std::uint32_t cells : {64u, 129u}) {
      const piecewise m(epsilon, cells);
      const std::vector<double> all = {-1, -0.37, 0, 1.0 / 3, 1};
      std::vector<std::vector<long double>> laws;
      for (const double x : all) laws.push_back(law_of(m, x));
      for (std::size_t i = 0; i < all.size(); ++i) {
        INFO("epsilon " << epsilon << ", cells " << cells << ", x " << all[i]);
        long double mean = 0, square = 0;
        for (std::uint32_t k = 0; k < cells; ++k) {
          mean += laws[i][k] * static_cast<long double>(m.value(k));
          square += laws[i][k] * static_cast<long double>(m.value(k)) * static_cast<long double>(m.value(k));
        }
        CHECK(static_cast<double>(mean) == Approx(all[i]).margin(1e-12 * m.bound()));
        CHECK(static_cast<double>(square - mean * mean) == Approx(m.variance(all[i])).epsilon(1e-10));
        const long double most = std::exp(static_cast<long double>(epsilon)) * (1 + 1e-16L);
        for (const auto& other : laws)
          for (std::uint32_t k = 0; k < cells; ++k) CHECK(laws[i][k] <= most * other[k]);
      }
    }
  // With its usual cells it has the variance and the range of the paper.
  for (const double epsilon : {0.01, 1.0, 4.0, 12.0, 30.0})
    for (const double x : {-1.0, 0.0, 0.5}) {
      const double h = std::exp(epsilon / 2), p = piecewise(epsilon).inside();
      const double rest = piecewise(epsilon).cells() - piecewise(epsilon).window();
      CHECK(piecewise(epsilon).variance(x) == Approx(x * x / (h - 1) + (h + 3) / (3 * (h - 1) * (h - 1)))
                                                  .epsilon(2e-3)); // of 330 cells, w is rounded
      CHECK(piecewise(epsilon).bound() == Approx((h + 1) / (h - 1)).epsilon(1e-5));
      CHECK(p * rest / ((1 - p) * piecewise(epsilon).window()) <= std::exp(epsilon) * (1 + 1e-14));
    }
}

TEST_CASE("means of local users are unbiased and of the stated variance", "[slow]") {
  // 6 standard errors: 2e-9 for each mean. The kurtosis of a report is below 8, so 800,000 of them know a
  // variance to 0.3 %; 2 % are more than 6 standard errors: 2e-9 each.
  constexpr std::size_t reports = 800'000;
  system_random source;
  const auto check = [&](const auto& m, double x) {
    std::vector<double> all(reports);
    for (double& r : all) r = m.randomise(x, source);
    const auto found = estimate_mean(all);
    INFO(m.name << " about " << x << ": " << found.mean << " +- " << found.standard_error);
    CHECK(std::abs(found.mean - x) <= 6 * std::sqrt(m.variance(x) / reports));
    CHECK(found.standard_error * found.standard_error * reports == Approx(m.variance(x)).epsilon(0.02));
  };
  for (const double epsilon : {0.5, 1.0, 4.0})
    for (const double x : {-0.8, 0.0, 0.3}) {
      check(duchi(epsilon), x);
      check(piecewise(epsilon), x);
    }
  const duchi many(1, 6);
  const std::vector<double> values = {-1, -0.5, 0, 0.1, 0.5, 1};
  std::vector<std::vector<double>> columns(6);
  std::vector<double> out(6);
  for (std::size_t i = 0; i < reports; ++i) {
    many.randomise(values, source, out);
    for (std::size_t j = 0; j < 6; ++j) columns[j].push_back(out[j]);
  }
  for (std::size_t j = 0; j < 6; ++j) {
    const auto found = estimate_mean(columns[j]);
    CHECK(std::abs(found.mean - values[j]) <= 6 * std::sqrt(many.variance(values[j]) / reports));
    CHECK(found.standard_error * found.standard_error * reports ==
          Approx(many.variance(values[j])).epsilon(0.02));
  }
}

TEST_CASE("the share of a cap is what integration says") {
  for (const double d : {2.0, 3.0, 4.0, 7.0, 50.0, 1001.0})
    for (const double t : {-0.9, -0.1, 0.0, 0.01, 0.05, 0.3, 0.7, 0.99}) {
      // x = sin(angle) takes (1 - x^2)^((d - 3) / 2) dx to cos(angle)^(d - 2), smooth at both ends.
      const auto integral = [&](double from) {
        constexpr int pieces = 20'000;
        const double step = (std::numbers::pi / 2 - from) / pieces;
        double sum = 0;
        for (int i = 0; i <= pieces; ++i)
          sum += (i == 0 || i == pieces ? 1
                  : i % 2               ? 4
                                        : 2) *
                 std::pow(std::max(std::cos(from + i * step), 0.0), d - 2) * step / 3;
        return sum;
      };
      const double expected = integral(std::asin(t)) / integral(-std::numbers::pi / 2);
      if (expected < 1e-100) continue;
      INFO("dimensions " << d << ", t " << t);
      CHECK(detail::sphere_cap(d, t) == Approx(expected).epsilon(1e-9));
    }
  CHECK(detail::sphere_cap(3, 0.5) == Approx(0.25).epsilon(1e-14)); // Archimedes
  CHECK(detail::sphere_cap(2, 0.5) == Approx(1.0 / 3).epsilon(1e-14));
  for (const double n : {0.0, 1.0, 2.0, 5.0, 10.0, 61.0, 1000.0}) {
    const double k = std::floor(n / 2);
    const auto log_choose = std::lgamma(static_cast<long double>(n) + 1) -
                            std::lgamma(static_cast<long double>(k) + 1) -
                            std::lgamma(static_cast<long double>(n - k) + 1) -
                            static_cast<long double>(n) * std::numbers::ln2_v<long double>;
    CHECK(detail::central_binomial(n) == Approx(static_cast<double>(std::exp(log_choose))).epsilon(1e-14));
  }
}

TEST_CASE("priv_unit is unbiased, of the stated variance and on its grid", "[slow]") {
  // The squared error of a report varies by at most 0.8 of its mean, so 60,000 reports know the variance to
  // 0.33 %; 2 % are 6 standard errors: 2e-9 each. So are those of the mean's coordinates.
  system_random source;
  for (const std::uint32_t d : {2u, 5u, 60u})
    for (const double epsilon : {0.5, 1.5}) {
      const auto m = priv_unit::for_epsilon(epsilon, d);
      INFO("dimensions " << d << ", epsilon " << epsilon << ", gamma " << m.gamma() << ", p " << m.p());
      CHECK(m.epsilon() <= epsilon);
      CHECK(m.epsilon() >= epsilon - 1e-8);
      std::vector<double> unit(d), out(d), mean(d);
      for (std::uint32_t j = 0; j < d; ++j) unit[j] = j % 3 == 0 ? 1 : -0.4;
      double length = 0;
      for (const double x : unit) length += x * x;
      for (double& x : unit) x /= std::sqrt(length);
      constexpr std::size_t reports = 60'000;
      double squares = 0;
      std::size_t inside = 0;
      for (std::size_t i = 0; i < reports; ++i) {
        m.randomise(unit, source, out);
        double inner = 0;
        for (std::uint32_t j = 0; j < d; ++j) {
          mean[j] += out[j] / reports;
          squares += (out[j] - unit[j]) * (out[j] - unit[j]) / reports;
          inner += out[j] * unit[j] * m.norm();
          const double steps = out[j] * m.norm() * 0x1p20;
          if (i < 100) CHECK(std::abs(steps - std::round(steps)) < 1e-6);
        }
        inside += inner >= m.gamma();
      }
      CHECK(squares == Approx(m.variance()).epsilon(0.02));
      for (std::uint32_t j = 0; j < d; ++j) // no coordinate varies by more than the whole vector
        CHECK(std::abs(mean[j] - unit[j]) <= 6 * std::sqrt((m.variance() + 1) / reports));
      double off = 0;
      for (std::uint32_t j = 0; j < d; ++j) off += (mean[j] - unit[j]) * (mean[j] - unit[j]);
      // Its mean is variance() / reports; 40 times that is rarer than 1e-9 for a Gaussian of any shape.
      CHECK(off <= 40 * m.variance() / reports);
      CHECK(std::abs(static_cast<double>(inside) - reports * m.p()) <=
            6 * std::sqrt(reports * m.p() * (1 - m.p())) + 2);
    }
}

TEST_CASE("epsilon of priv_unit is that of its two densities, and its choice the least variance") {
  const priv_unit m(3, 0.5, 0.75); // the cap is a quarter, by Archimedes
  CHECK(m.epsilon() == Approx(2 * std::log(3.0)).epsilon(1e-8));
  CHECK(m.epsilon() >= 2 * std::log(3.0));
  // <v, u> is uniform in three dimensions: 3/4 of its mean 3/4, and 1/4 of its mean -1/4.
  CHECK(m.norm() == Approx(0.5).epsilon(1e-12));
  CHECK(m.variance() == Approx(3).epsilon(1e-12));
  for (const double epsilon : {0.3, 2.0, 10.0})
    for (const std::uint32_t d : {2u, 20u, 3000u}) {
      const auto best = priv_unit::for_epsilon(epsilon, d);
      for (const double factor : {0.5, 0.9, 1.1, 1.5}) {
        const double gamma = std::min(best.gamma() * factor, 0.99), cap = detail::sphere_cap(d, gamma);
        const double p = cap / (cap + (1 - cap) * std::exp(-epsilon));
        CHECK(priv_unit(d, gamma, p).variance() >= best.variance() * (1 - 1e-7));
      }
    }
}

TEST_CASE("mechanisms for numbers refuse what makes no sense") {
  system_random source;
  for (const double epsilon : {0.0, -1.0, 33.0, std::nan("")}) {
    CHECK_THROWS_WITH(duchi(epsilon), Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(piecewise(epsilon), Contains("expected 0 < epsilon <= 32"));
    CHECK_THROWS_WITH(priv_unit::for_epsilon(epsilon, 3), Contains("expected 0 < epsilon <= 32"));
  }
  for (const double x : {1.0001, -2.0, std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_WITH(duchi(1).randomise(x, source), Contains("expected -1 to 1"));
    CHECK_THROWS_WITH(piecewise(1).randomise(x, source), Contains("expected -1 to 1"));
  }
  CHECK_THROWS_WITH(duchi(1e-15), Contains("no answer comes through"));
  CHECK_THROWS_WITH(duchi(1, 0), Contains("0 dimensions"));
  CHECK_THROWS_WITH(duchi(1, 2).randomise(0.5, source), Contains("expected 2"));
  CHECK_THROWS_WITH(piecewise(1, 15), Contains("15 cells"));
  CHECK_THROWS_WITH(piecewise(1e-9), Contains("no answer comes through"));
  CHECK_THROWS_WITH(priv_unit(1, 0.1, 0.9), Contains("1 dimensions"));
  CHECK_THROWS_WITH(priv_unit(3, 1, 0.9), Contains("gamma is 1"));
  CHECK_THROWS_WITH(priv_unit(3, 0, 0.4), Contains("the cap's share 0.5"));
  CHECK_THROWS_WITH(priv_unit(3, 0, 1), Contains("less than 1"));
  std::vector<double> out(3);
  const std::vector<double> longer = {1, 1, 1}, fewer = {1, 0}, none = {std::nan(""), 0, 0};
  CHECK_THROWS_WITH(priv_unit(3, 0.5, 0.75).randomise(longer, source, out), Contains("expected 1"));
  CHECK_THROWS_WITH(priv_unit(3, 0.5, 0.75).randomise(none, source, out), Contains("expected 1"));
  CHECK_THROWS_WITH(priv_unit(3, 0.5, 0.75).randomise(fewer, source, out), Contains("got 2 numbers"));
  CHECK_THROWS_WITH(estimate_mean(std::vector<double>{1}), Contains("at least 2"));
}
