#include "support/catch.hpp"

#include <privet/privacy/rappor.hpp>
#include <privet/random/system.hpp>

#include <cmath>
#include <numeric>
#include <vector>

using namespace privet;
using Catch::Contains;

namespace {

/// The largest log ratio of any sequence of n reports of k bits, by enumeration of the channel in the paper:
/// the permanent bits are summed over, the reports are independent given them.
double enumerated(const rappor_settings& s, std::uint32_t k, int n) {
  const auto a = static_cast<long double>(1 - s.f / 2), b = static_cast<long double>(s.f / 2);
  const int sequences = 1 << (static_cast<int>(k) * n);
  const auto probability = [&](std::uint32_t value, int sequence) {
    long double all = 1;
    for (std::uint32_t j = 0; j < k; ++j) {
      long double sum = 0;
      for (const int kept : {0, 1}) {
        const long double set = j == value ? a : b;
        long double p = kept ? set : 1 - set;
        for (int i = 0; i < n; ++i) {
          const auto q = static_cast<long double>(kept ? s.q : s.p);
          p *= sequence >> (i * static_cast<int>(k) + static_cast<int>(j)) & 1 ? q : 1 - q;
        }
        sum += p;
      }
      all *= sum;
    }
    return all;
  };
  long double worst = 0;
  for (int x = 0; x < sequences; ++x)
    worst = std::max(worst, std::log(probability(0, x) / probability(1, x)));
  return static_cast<double>(worst);
}

} // namespace

TEST_CASE("epsilon of RAPPOR is that of its channel, for any number of reports") {
  for (const rappor_settings s : {rappor_settings{0.5, 0.5, 0.75}, rappor_settings{0.25, 0.35, 0.65},
                                  rappor_settings{0.9, 0.1, 0.9}, rappor_settings{0.01, 0.45, 0.55}}) {
    const rappor r(2, s);
    for (const int n : {1, 2, 3, 5}) {
      const double truth = enumerated(s, 2, n), found = r.epsilon(static_cast<std::uint64_t>(n));
      INFO("f " << s.f << ", " << n << " reports: " << truth << ", found " << found);
      CHECK(found >= truth * (1 - 1e-15));
      CHECK(found <= truth + 1e-12);
    }
    // The formula of the paper, after Theorem 1: one report.
    const double qs = 0.5 * s.f * (s.p + s.q) + (1 - s.f) * s.q,
                 ps = 0.5 * s.f * (s.p + s.q) + (1 - s.f) * s.p;
    CHECK(r.epsilon(1) == Approx(std::log(qs * (1 - ps) / (ps * (1 - qs)))).epsilon(1e-11));
    CHECK(r.epsilon_infinity() == Approx(2 * std::log((2 - s.f) / s.f)).epsilon(1e-12));
    double last = 0;
    for (const std::uint64_t n : {1u, 2u, 10u, 100u, 10'000u, 1'000'000'000u}) {
      CHECK(r.epsilon(n) >= last);
      CHECK(r.epsilon(n) <= r.epsilon_infinity());
      last = r.epsilon(n);
    }
    CHECK(last == Approx(r.epsilon_infinity()).epsilon(1e-9));
  }
  const rappor_settings bloom{.f = 0.5, .p = 0.5, .q = 0.75, .bits = 128, .hashes = 2};
  CHECK(rappor(1000, bloom).epsilon_infinity() == Approx(4 * std::log(3.0)));
  CHECK(rappor(1000, bloom).epsilon(1) == Approx(2 * rappor(2).epsilon(1)));
  // Reports that copy the permanent response say all that it does.
  CHECK(rappor(3, {.f = 0.5, .p = 0, .q = 1}).epsilon(1) == Approx(2 * std::log(3.0)));
}

TEST_CASE("RAPPOR's estimates are unbiased and of the stated variance") {
  // Each of 20,000 persons reports once. 6 standard errors: 2e-9 for each of the values checked, 13 in all.
  constexpr std::size_t persons = 20'000;
  for (const bool bloom : {false, true}) {
    const rappor r(5, {.bits = bloom ? 8u : 0u, .hashes = bloom ? 2u : 1u});
    system_random source;
    std::vector<std::uint64_t> counted(r.counters());
    std::vector<double> truth(r.counters());
    bit_report report;
    for (std::size_t i = 0; i < persons; ++i) {
      const auto value = static_cast<std::uint32_t>(i % 10 < 4 ? 0 : i % 5);
      r.randomise(r.remember(value, source), source, report);
      r.count(report, counted);
      const auto set = r.encode(value);
      for (std::size_t j = 0; j < set.size(); ++j) truth[j] += set[j] / static_cast<double>(persons);
    }
    const auto found = r.estimate(counted, persons);
    const auto s = r.support();
    for (std::size_t j = 0; j < truth.size(); ++j) {
      INFO("bit " << j << ": " << truth[j] << ", found " << found[j].frequency);
      const double error = std::sqrt(estimate_variance(s, truth[j], persons));
      CHECK(std::abs(found[j].frequency - truth[j]) <= 6 * error);
      CHECK(found[j].standard_error == Approx(error).epsilon(0.05));
    }
  }
}

TEST_CASE("the variance of RAPPOR is that of theory", "[slow]") {
  // 20,000 surveys of 50: a variance is known to 1 part in sqrt(20000 / 2) = 1 %. 5 of these: 6e-7.
  const rappor r(3);
  constexpr std::size_t surveys = 20'000, reports = 50;
  system_random source;
  double sum = 0, squares = 0;
  bit_report report;
  for (std::size_t i = 0; i < surveys; ++i) {
    std::vector<std::uint64_t> counted(3);
    for (std::size_t j = 0; j < reports; ++j) {
      r.randomise(r.remember(1, source), source, report);
      r.count(report, counted);
    }
    const double f = r.estimate(counted, reports)[0].frequency;
    sum += f;
    squares += f * f;
  }
  const double variance = (squares - sum * sum / surveys) / (surveys - 1);
  const double p = 0.5625, q = 0.6875; // p* and q* of f = 1/2, p = 1/2, q = 3/4
  CHECK(variance == Approx(p * (1 - p) / (reports * (q - p) * (q - p))).epsilon(0.05));
}

TEST_CASE("reports of one value tell its permanent response and no more") {
  const rappor r(6);
  rappor_memory memory;
  system_random source;
  std::vector<std::uint64_t> counted(6);
  constexpr std::uint64_t reports = 4000;
  for (std::uint64_t i = 0; i < reports; ++i) r.count(memory.report(r, 2, source), counted);
  CHECK(memory.values() == 1);
  // A share is 0.75 or 0.5, known to 0.008: the middle is 15 standard errors away.
  const auto bytes = memory.bytes();
  for (std::size_t j = 0; j < 6; ++j)
    CHECK((static_cast<double>(counted[j]) / reports > 0.625) == (bytes[8 + j] == std::byte{1}));

  static_cast<void>(memory.report(r, 5, source));
  CHECK(memory.values() == 2);
  const auto both = memory.bytes();
  auto again = rappor_memory::read(r, both).value();
  CHECK(again.values() == 2);
  CHECK(again.bytes() == both);
  static_cast<void>(again.report(r, 2, source)); // known already
  CHECK(again.bytes() == both);
}

TEST_CASE("the memory of RAPPOR refuses bytes that it did not write") {
  const rappor r(3);
  rappor_memory memory;
  system_random source;
  for (const std::uint32_t v : {0u, 2u}) static_cast<void>(memory.report(r, v, source));
  const auto good = memory.bytes();
  REQUIRE(good.size() == 22);
  const auto refused = [&](std::vector<std::byte> bytes) {
    const auto read = rappor_memory::read(r, bytes);
    return read ? std::string() : read.error().message;
  };
  CHECK(refused(good).empty());
  auto bad = good;
  bad.pop_back();
  CHECK_THAT(refused(bad), Contains("21 bytes"));
  for (const auto& [at, byte] : {std::pair<std::size_t, int>{0, 3}, {0, 2}, {4, 4}, {9, 2}, {3, 1}}) {
    bad = good;
    bad[at] = static_cast<std::byte>(byte);
    CHECK_THAT(refused(bad), Contains("N004") && Contains("at byte"));
  }
}

TEST_CASE("a Bloom filter sets the bits of its hashes, other ones in another cohort") {
  const rappor one(1000, {.bits = 64, .hashes = 3}), other(1000, {.bits = 64, .hashes = 3, .cohort = 1});
  std::uint32_t same = 0;
  std::vector<std::uint32_t> used(64);
  for (std::uint32_t v = 0; v < 1000; ++v) {
    const auto bits = one.encode(v);
    const auto set = std::accumulate(bits.begin(), bits.end(), 0u);
    CHECK(set >= 1);
    CHECK(set <= 3);
    for (std::size_t j = 0; j < 64; ++j) used[j] += bits[j];
    same += bits == other.encode(v);
  }
  CHECK(same <= 2);                                    // 1000 in 40,000
  for (const auto u : used) CHECK((u > 20 && u < 80)); // 46 are expected
}

TEST_CASE("RAPPOR refuses what makes no sense") {
  for (const double f : {0.0, 1.0, -0.1, std::nan("")})
    CHECK_THROWS_WITH(rappor(3, {.f = f}), Contains("f is"));
  CHECK_THROWS_WITH(rappor(3, {.p = 0.5, .q = 0.5}), Contains("p < q"));
  CHECK_THROWS_WITH(rappor(3, {.p = 0.5, .q = 1.5}), Contains("q <= 1"));
  CHECK_THROWS_WITH(rappor(3, {.p = std::nan("")}), Contains("p < q"));
  CHECK_THROWS_WITH(rappor(3, {.hashes = 2}), Contains("2 hashes"));
  CHECK_THROWS_WITH(rappor(3, {.bits = 8, .hashes = 9}), Contains("9 hashes"));
  CHECK_THROWS_WITH(rappor(1), Contains("at least 2"));
  system_random source;
  CHECK_THROWS_WITH(rappor(3).remember(3, source), Contains("category 3 of 3"));
  CHECK_THROWS_WITH(rappor(3).randomise(rappor(4).remember(0, source), source),
                    Contains("4 bits, expected 3"));
  std::vector<std::uint64_t> counted(3);
  CHECK_THROWS_WITH(rappor(3).count({0, 1, 2}, counted), Contains("holds 2"));
  CHECK_THROWS_WITH(rappor(3).epsilon(0), Contains("0 reports"));
}
