#include "support/refute.hpp"
#include "support/catch.hpp"

#include <privet/privacy/clip.hpp>
#include <privet/privacy/duchi.hpp>
#include <privet/privacy/exponential.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/laplace.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/piecewise.hpp>
#include <privet/privacy/priv_unit.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rappor.hpp>
#include <privet/privacy/sparse_vector.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace privet;

namespace {

/// P(N(0, 1) > x).
double normal_above(double x) { return std::erfc(x / std::numbers::sqrt2) / 2; }
/// delta of a Gaussian query whose inputs are `distance` deviations apart (Balle, Wang, arXiv:1805.06530).
double gaussian_delta_at(double distance, double epsilon) {
  return normal_above(epsilon / distance - distance / 2) -
         std::exp(epsilon) * normal_above(epsilon / distance + distance / 2);
}

/// At several epsilons, what it should spend, and what it would spend with 0.7 times the noise.
void check_gaussian(double distance, const test::paired_runs& runs) {
  for (const double epsilon : {0.1, 0.5, 1.0, 2.0})
    check_kept({epsilon, gaussian_delta_at(distance, epsilon)}, runs);
}
void check_not_gaussian(double distance, const test::paired_runs& runs) {
  for (const double epsilon : {0.1, 0.5, 1.0})
    check_refuted({epsilon, gaussian_delta_at(distance, epsilon)}, runs);
}

constexpr std::size_t width = 8;
/// What a chain makes of `steps` sums, each `along` long in one direction of bound 3: added up, in bounds.
template <class Stage>
auto projected(const Stage& noise, double along, std::size_t steps = 1) {
  return [steps = steps, along, chain = chain(clip_l2{.bound = 3}, average_over_batch{}, noise)] {
    auto state = chain.template init<float>(width);
    double sum = 0;
    for (std::size_t i = 0; i < steps; ++i) {
      std::vector<float> g(width, static_cast<float>(along * 3 / std::sqrt(1.0 * width) / 50));
      chain.update(std::span(g), 0, state,
                   update_context<float>{.expected_batch = 50, .sensitivity = 3.0 / 50});
      for (const float x : g) sum += x;
    }
    return sum * 50 / 3 / std::sqrt(1.0 * width);
  };
}

/// Mutants are stages like this one: honest code and one mistake.
struct mutant {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  static constexpr bool adds_noise = true;
  double noise_multiplier = 1;
};
struct too_little_noise : mutant {
  template <class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state, update_context<T> context) const {
    context.sensitivity *= 0.7;
    gaussian{noise_multiplier}.update(g, offset, state, context);
  }
};
/// Keeps the largest coordinate alone: of the sum as it was, or of what is released.
template <bool InClear>
struct top_one : mutant {
  template <class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state,
              const update_context<T>& context) const {
    const auto largest = [&] {
      return std::ranges::max_element(g, {}, [](T x) { return std::abs(x); }) - g.begin();
    };
    auto kept = largest();
    gaussian{noise_multiplier}.update(g, offset, state, context);
    if constexpr (!InClear) kept = largest();
    for (std::size_t i = 0; i < g.size(); ++i)
      if (static_cast<std::ptrdiff_t>(i) != kept) g[i] = 0;
  }
};

template <class Report>
std::uint64_t name_of_report(const Report& report) {
  if constexpr (std::is_arithmetic_v<Report>) {
    return report;
  } else {
    std::uint64_t name = 1;
    for (const auto bit : report) name = 2 * name + bit;
    return name;
  }
}
/// A report of local hashing has 2^160 names; all that it says of two values is whether it supports them.
template <class Oracle>
auto reports_of(const Oracle& oracle, std::uint32_t value) {
  return [oracle, value]() -> std::uint64_t {
    const auto report = oracle.randomise(value, thread_system_random());
    if constexpr (std::same_as<Oracle, local_hashing>) {
      std::vector<std::uint64_t> support(oracle.counters());
      oracle.count(report, support);
      return 2 * support[0] + support[3];
    } else {
      return name_of_report(report);
    }
  };
}

} // namespace

TEST_CASE("bounds on a probability are those of Clopper and Pearson") {
  // The first pair as R's binom.test prints it, the second by exact sums.
  CHECK(test::lower_probability(20, 4, 0.025) == Approx(0.05733400).epsilon(1e-6));
  CHECK(test::upper_probability(20, 4, 0.025) == Approx(0.43661400).epsilon(1e-6));
  CHECK(test::lower_probability(100, 3, 5e-7) == Approx(0.0001462040175066557).epsilon(1e-9));
  CHECK(test::upper_probability(100, 3, 5e-7) == Approx(0.20143246173666243).epsilon(1e-9));
  CHECK(test::upper_probability(1000, 0, 1e-6) == Approx(1 - std::pow(1e-6, 1e-3)).epsilon(1e-9));
  CHECK(test::lower_probability(1000, 1000, 1e-6) == Approx(std::pow(1e-6, 1e-3)).epsilon(1e-9));
  CHECK(test::lower_probability(1000, 0, 1e-6) == 0);
  CHECK(test::upper_probability(1000, 1000, 1e-6) == 1);
}

TEST_CASE("the refuting test knows how much it can see", "[slow]") {
  // A coin that shows the truth with e^epsilon / (1 + e^epsilon) loses exactly epsilon.
  const auto runs_at = [](double epsilon) {
    const auto coin = [p = 1 / (1 + std::exp(-epsilon))](bool truth) {
      return [=]() -> std::uint64_t { return (uniform01<double>(thread_system_random()) < p) == truth; };
    };
    return test::run_both_by_name(20'000, coin(true), coin(false));
  };
  const auto of_one = test::refute({1, 0}, runs_at(1));
  INFO(test::describe({1, 0}, of_one));
  CHECK_FALSE(of_one.refuted);
  CHECK(of_one.epsilon > 0.8);
  CHECK(of_one.visible < 1.25);
  CHECK(test::refute({1, 0}, runs_at(of_one.visible + 0.1)).refuted);
  CHECK_FALSE(test::refute({1, 0.5}, runs_at(1.3)).refuted); // a delta pays for a lot
  CHECK_FALSE(std::isfinite(test::refute({9, 0.5}, runs_at(1)).visible));
}

// 100,000 runs of each input: an epsilon of 0.1 is seen as what is at least 0.2, 1 as at least 1.1 (z = 0.8)
// or 1.2.
TEST_CASE("the Gaussian mechanism cannot be refuted, and is with 0.7 times its noise", "[slow]") {
  const double z = GENERATE(0.8, 2.0);
  const auto runs = [](const auto& noise) {
    return test::run_both(200'000, projected(noise, 1), projected(noise, 0));
  };
  check_gaussian(1 / z, runs(gaussian{z}));
  check_gaussian(1 / z, runs(gaussian{z}.in_floating_point()));
  system_random own;
  check_gaussian(1 / z, runs(gaussian{z}.drawn_from(own)));
  check_not_gaussian(1 / z, runs(too_little_noise{{z}}));
}

// Noise of deviation 1 is a multiple of 2^-24 where it is at least 1/2, and finer below. With 1 added to it,
// what comes out near 0 is such a multiple always. 10,000 runs: one event in 2,000 would be seen.
TEST_CASE("the low bits of floating-point noise tell what was there before, those of the grid do not",
          "[slow]") {
  const auto runs = [](const auto& noise) {
    const auto fine = [noise](float before) {
      return [=] {
        float x = before;
        noise.update(std::span(&x, 1), 0, state_slice<float>(nullptr, 0, 0),
                     update_context<float>{.sensitivity = 1});
        return std::abs(x) < 0.25f && std::floor(x * 0x1p24f) != x * 0x1p24f;
      };
    };
    return test::run_both(40'000, fine(1), fine(0));
  };
  check_refuted({3, gaussian_delta_at(1, 3)}, runs(gaussian{1}.in_floating_point()));
  check_kept({3, gaussian_delta_at(1, 3)}, runs(gaussian{1}));
  check_kept({0.1, gaussian_delta_at(1, 0.1)}, runs(gaussian{1}));
}

// 60,000 runs of ten releases each.
TEST_CASE("an account of one step where ten were made is refuted", "[slow]") {
  const double z = 3;
  const auto runs = test::run_both(60'000, projected(gaussian{z}, 1, 10), projected(gaussian{z}, 0, 10));
  check_gaussian(std::sqrt(10.0) / z, runs);
  check_not_gaussian(1 / z, runs);
}

// Neighbours change which coordinate is the largest by less than a fiftieth of the noise. 10,000 runs.
TEST_CASE("a support that was chosen before the noise is refuted, one chosen after it is not", "[slow]") {
  const double z = 2;
  const auto runs = [](const auto& noise) {
    const auto support = [noise](float last) {
      return [=, steps = chain(clip_l2{}, average_over_batch{}, noise)]() -> std::uint64_t {
        std::vector<float> g = {0.01f, 0, 0, last};
        auto state = steps.template init<float>(g.size());
        steps.update(std::span(g), 0, state, update_context<float>{.sensitivity = 1});
        return static_cast<std::uint64_t>(std::ranges::find_if(g, [](float x) { return x != 0; }) -
                                          g.begin());
      };
    };
    return test::run_both_by_name(40'000, support(0.02f), support(0));
  };
  check_gaussian(1 / z, runs(top_one<false>{{z}}));
  check_not_gaussian(1 / z, runs(top_one<true>{{z}}));
  check_refuted({4, gaussian_delta_at(1 / z, 4)}, runs(top_one<true>{{z}}));
}

// The direction matters where noise or sampling is one-sided. 100,000 runs each.
TEST_CASE("an epsilon of one direction is refuted by the other", "[slow]") {
  auto& source = thread_system_random();
  const auto exponential = [&](double value) {
    return [&source, value] { return value - std::log(1 - uniform01<double>(source)); };
  };
  // One more record moves a count up by 1, and exp(-x) falls by e: epsilon 1, as long as nobody is removed.
  check_refuted({1, 0}, test::run_both(100'000, exponential(1), exponential(0)));
  const auto laplace = [&](double value) {
    return [&, value] {
      const double size = -std::log(1 - uniform01<double>(source));
      return uniform01<double>(source) < 0.5 ? value + size : value - size;
    };
  };
  check_kept({1, 0}, test::run_both(100'000, laplace(1), laplace(0)));

  // A Poisson sample of rate q: what a set without the record does is never likelier than 1 / (1 - q) times
  // as likely as with it, but the other way round there is no bound.
  const double q = 0.3, sigma = 0.7, epsilon = -std::log1p(-q), e = std::exp(epsilon);
  const auto sampled = [&](bool present) {
    return [&source, present, noise = gaussian{sigma}] {
      const double drawn = present && uniform01<double>(source) < 0.3 ? 1 : 0;
      return noise.drawn_from(source).release(drawn, noise.noise_multiplier);
    };
  };
  const auto runs = test::run_both(100'000, sampled(true), sampled(false));
  const double at = sigma * sigma * std::log((e - 1 + q) / q) + 0.5; // where the densities differ by e
  const double both = (1 - q - e) * normal_above(at / sigma) + q * normal_above((at - 1) / sigma);
  check_refuted({epsilon, 0}, runs);
  check_kept({epsilon, both}, runs);
}

// 100,000 reports of two values each: what is 1.2 times as large is seen at epsilon 1.
TEST_CASE("local randomisers cannot be refuted, and are when they claim less", "[slow]") {
  const double epsilon = GENERATE(0.5, 1.0, 2.5);
  const auto check = [&](const char* name, const auto& oracle) {
    INFO(name << " of epsilon " << epsilon);
    const auto runs = test::run_both_by_name(200'000, reports_of(oracle, 0), reports_of(oracle, 3));
    check_kept({epsilon, 0}, runs);
    check_refuted({0.6 * epsilon, 0}, runs);
  };
  check("randomised_response", randomised_response(epsilon, 5));
  check("unary_encoding symmetric", unary_encoding::symmetric(epsilon, 5));
  check("unary_encoding optimised", unary_encoding::optimised(epsilon, 5));
  check("hadamard_response", hadamard_response(epsilon, 5));
  check("subset_selection", subset_selection(epsilon, 5));
  check("local_hashing", local_hashing(epsilon, 5));
}

TEST_CASE("RAPPOR cannot be refuted by one report or by two of one value", "[slow]") {
  const rappor oracle(4, {.f = 0.3, .p = 0.2, .q = 0.9});
  for (const std::size_t reports : {1u, 2u}) {
    const auto of = [&](std::uint32_t value) {
      return [&, value]() -> std::uint64_t {
        const auto kept = oracle.remember(value, thread_system_random());
        std::uint64_t name = 0;
        for (std::size_t i = 0; i < reports; ++i)
          name = 64 * name + name_of_report(oracle.randomise(kept, thread_system_random()));
        return name;
      };
    };
    const auto runs = test::run_both_by_name(100'000, of(1), of(2));
    check_kept({oracle.epsilon(reports), 0}, runs);
    check_refuted({0.6 * oracle.epsilon(reports), 0}, runs);
  }
}

// 100,000 reports each of the two ends of the range.
TEST_CASE("randomisers of numbers cannot be refuted, and are when they claim less", "[slow]") {
  auto& source = thread_system_random();
  const double epsilon = GENERATE(0.7, 2.0);
  const auto check = [&](const char* name, const test::paired_runs& runs) {
    INFO(name << " of epsilon " << epsilon);
    check_kept({epsilon, 0}, runs);
    check_refuted({0.6 * epsilon, 0}, runs);
  };
  for (const std::uint32_t d : {1u, 4u, 5u}) {
    const duchi oracle(epsilon, d);
    const auto signs = [&](double value) {
      return
          [&, value, in = std::vector<double>(d), out = std::vector<double>(d)]() mutable -> std::uint64_t {
            std::ranges::fill(in, value);
            oracle.randomise(in, source, out);
            std::uint64_t name = 0;
            for (const double x : out) name = 2 * name + (x > 0);
            return name;
          };
    };
    check("duchi", test::run_both_by_name(100'000, signs(1), signs(-1)));
  }
  for (const std::uint32_t cells : {64u, 1u << 30}) {
    const piecewise oracle(epsilon, cells);
    const auto place = [&](double value) { // which of 64 equal parts of the range
      return [&, value] {
        return static_cast<std::uint64_t>((oracle.randomise(value, source) / oracle.bound() + 1) * 31.999);
      };
    };
    check("piecewise", test::run_both_by_name(100'000, place(1), place(-1)));
  }
  const auto cap = priv_unit::for_epsilon(epsilon, 3);
  const auto along = [&](double x) {
    return [&, in = std::vector<double>{x, 0, 0}, out = std::vector<double>(3)]() mutable {
      cap.randomise(in, source, out);
      return out[0];
    };
  };
  check("priv_unit", test::run_both(100'000, along(1), along(-1)));
}

// 100,000 runs each.
TEST_CASE("mechanisms of pure epsilon cannot be refuted, and are when they claim less", "[slow]") {
  auto& source = thread_system_random();
  const double epsilon = GENERATE(0.6, 1.5);
  const auto check = [&](const char* name, const test::paired_runs& runs, double share) {
    INFO(name << " of epsilon " << epsilon);
    check_kept({epsilon, 0}, runs);
    check_refuted({share * epsilon, 0}, runs);
  };
  const auto number = [&](double value) {
    return [&, value, noise = laplace{.epsilon = epsilon}] { return noise.release(value, source); };
  };
  check("laplace", test::run_both(100'000, number(1), number(0)), 0.6);
  const auto vector = [&](double each) { // three numbers that share the sensitivity
    return [&, each, noise = laplace{.epsilon = epsilon, .sensitivity = 3}] {
      std::array<double, 3> all = {each, each, -each};
      noise.release(all, source);
      const auto nearer = [](double x) { return std::clamp(x, 0.0, 1.0); }; // to 1 than to 0
      return nearer(all[0]) + nearer(all[1]) + nearer(-all[2]);
    };
  };
  check("laplace, three numbers", test::run_both(100'000, vector(1), vector(0)), 0.4);
  const auto whole = [&](std::int64_t value) {
    return [&, value, noise = geometric_mechanism{.epsilon = epsilon, .sensitivity = 2}] {
      return static_cast<double>(noise.release(value, source));
    };
  };
  check("geometric_mechanism", test::run_both(100'000, whole(2), whole(0)), 0.6);

  const auto chosen = [&](auto mechanism, double first, double others) {
    return [&source, mechanism,
            utilities = std::vector<double>{first, others, others, others, others, others, others, others,
                                            others}]() -> std::uint64_t {
      return mechanism.choose(utilities, source) == 0;
    };
  };
  const exponential_mechanism exponential{.epsilon = epsilon};
  check("exponential_mechanism", // with 9 candidates it does not reach epsilon
        test::run_both_by_name(100'000, chosen(exponential, 1, 0), chosen(exponential, 0, 1)), 0.3);
  const permute_and_flip flip{.epsilon = epsilon};
  check_kept({epsilon, 0}, test::run_both_by_name(100'000, chosen(flip, 1, 0), chosen(flip, 0, 1)));

  // Which of 4 questions gets the first "above"; then 60 times over, paid for once.
  const auto first_above = [&](double before, double last, int times) {
    return [&, before, last, times]() -> std::uint64_t {
      std::uint64_t name = 0;
      for (int i = 0; i < times; ++i) {
        sparse_vector alarm({.epsilon = epsilon}, source);
        std::uint64_t asked = 0;
        while (asked < 4 && !alarm.above(asked < 3 ? before : last, 0.5, source)) ++asked;
        name += asked == 3;
      }
      return name;
    };
  };
  check_kept({epsilon, 0}, test::run_both_by_name(100'000, first_above(0, 1, 1), first_above(1, 0, 1)));
  check_refuted({epsilon, 0}, test::run_both_by_name(20'000, first_above(0, 1, 60), first_above(1, 0, 60)));
}

TEST_CASE("two samples of one law are not told apart, others are") {
  // 20,000 numbers each: a distance of 0.027 between distribution functions is allowed.
  auto& source = thread_system_random();
  const auto normals = [&](double deviation) {
    std::vector<double> all(20'000);
    fill_normal(source, std::span(all));
    for (double& x : all) x *= deviation;
    return all;
  };
  const auto same = test::compare_samples(normals(1), normals(1)),
             wider = test::compare_samples(normals(1), normals(1.3));
  INFO(same.measured << " and " << wider.measured << ", limit " << same.limit);
  CHECK_FALSE(same.refuted());
  CHECK(wider.refuted());

  std::vector<std::uint64_t> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts[static_cast<std::size_t>(uniform_below(source, 6))];
  const std::vector<double> fair(6, 1.0 / 6), loaded = {0.2, 0.16, 0.16, 0.16, 0.16, 0.16};
  CHECK_FALSE(test::compare_counts(counts, fair).refuted());
  CHECK(test::compare_counts(counts, loaded).refuted());
  CHECK(test::compare_counts(counts, std::vector<double>{0.5, 0.5, 0, 0, 0, 0}).refuted());
}

TEST_CASE("streams of this library have no words in common: in two sources, threads, or after a fork") {
  constexpr std::size_t count = 4096; // any 64 bits in common: 1e-12
  std::vector<std::uint32_t> here(count), there(count), child(count);
  thread_system_random().fill(here);
  std::thread([&] { thread_system_random().fill(there); }).join();
  CHECK_FALSE(test::share_words(here, there));

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t forked = ::fork();
  REQUIRE(forked >= 0);
  if (forked == 0) {
    thread_system_random().fill(child);
    const auto* bytes = reinterpret_cast<const char*>(child.data());
    std::size_t sent = 0;
    while (sent < count * 4) {
      const auto more = ::write(ends[1], bytes + sent, count * 4 - sent);
      if (more <= 0) ::_exit(1);
      sent += static_cast<std::size_t>(more);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  auto* bytes = reinterpret_cast<char*>(child.data());
  std::size_t got = 0;
  for (ssize_t more; got < count * 4 && (more = ::read(ends[0], bytes + got, count * 4 - got)) > 0;)
    got += static_cast<std::size_t>(more);
  ::close(ends[0]);
  int status = -1;
  REQUIRE(::waitpid(forked, &status, 0) == forked);
  REQUIRE(status == 0);
  REQUIRE(got == count * 4);
  thread_system_random().fill(there);
  CHECK_FALSE(test::share_words(child, there));
  CHECK_FALSE(test::share_words(child, here));
}

TEST_CASE("streams that repeat are caught: seeded alike in two threads, copied by a fork, resumed") {
  constexpr std::size_t count = 4096;
  const auto words = [](auto& source) {
    std::vector<std::uint32_t> drawn(count);
    source.fill(drawn);
    return drawn;
  };
  std::vector<std::uint32_t> one, other;
  const auto seeded_by_the_minute = [&](auto& out) { // both threads start in the same one
    replayable_random source(29'000'000);
    out = words(source);
  };
  std::thread([&] { seeded_by_the_minute(one); }).join();
  std::thread([&] { seeded_by_the_minute(other); }).join();
  CHECK(test::share_words(one, other));

  // A fork copies the memory of the parent, which goes on from there; here without the process.
  replayable_random parent(1);
  words(parent);
  replayable_random child = parent;
  other.resize(7);
  child.fill(other); // at another place
  CHECK(test::share_words(words(parent), words(child)));

  // A run that resumes from a checkpoint made before the last noise was drawn.
  unsafe::replayable_noise first(1, "a mutant"), resumed(1, "a mutant"), fresh(2, "a mutant");
  const auto noise = [](auto& source) {
    std::vector<double> drawn(400);
    gaussian{1}.drawn_from(source).update(std::span(drawn), 0, state_slice<double>(nullptr, 0, 0),
                                          update_context<double>{.sensitivity = 0.1});
    return drawn;
  };
  // 400 numbers: a cosine of 0.27 is allowed.
  const auto before = noise(first);
  CHECK(test::correlate(before, noise(resumed)).refuted());
  CHECK_FALSE(test::correlate(before, noise(first)).refuted());
  CHECK_FALSE(test::correlate(before, noise(fresh)).refuted());
  CHECK_FALSE(test::correlate(before, noise(thread_system_random())).refuted());
}
