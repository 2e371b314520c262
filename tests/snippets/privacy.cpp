// The code of docs/privacy.

#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rappor.hpp>
#include <privet/privacy/shuffle.hpp>
#include <privet/random/system.hpp>

#include <vector>

using namespace privet;

std::vector<frequency_estimate> ask(std::uint32_t category, std::vector<std::uint64_t>& counted,
                                    std::uint64_t reports) {
  const randomised_response oracle(1.0, 4); // epsilon 1, four categories
  system_random source;                     // one per thread, on the person's device
  const auto report = oracle.randomise(category, source);

  oracle.count(report, counted); // at the collector, for every report
  const auto shares = oracle.estimate(counted, reports);
  return shares;
}

double repeat(std::uint32_t category, system_random& source) {
  const rappor monthly(4, {.f = 0.5, .p = 0.5, .q = 0.75}); // four categories, one bit for each
  rappor_memory memory;                                     // on the device; a secret
  const auto first = memory.report(monthly, category, source),
             next = memory.report(monthly, category, source);

  const double one = monthly.epsilon(1), two = monthly.epsilon(2), ever = monthly.epsilon_infinity();
  return first == next ? one + two : ever;
}

double shuffle_reports() {
  privacy_bounds together = shuffle_epsilon(1.0, 10000, 1e-6); // 0.0530
  privacy_bounds chance = shuffle_delta(1.0, 10000, 0.05);
  return together.upper + chance.upper;
}

double spend() {
  pld_accountant spent;
  spent.compose({event::subsampled_gaussian{.noise_multiplier = 1.1, .rate = 256.0 / 60000}, 14062});
  spent.compose({event::laplace{.scale = 50}, 20}); // a histogram, twenty times
  privacy_bounds epsilon = spent.epsilon(1e-5);     // the truth lies in [epsilon.lower, epsilon.upper]
  double noise = noise_multiplier_for({event::subsampled_gaussian{1, 0.01}, 1000}, 1.0, 1e-5);
  return epsilon.upper + noise;
}
