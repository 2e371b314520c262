// The code of docs/privacy.

#include <privet/privacy/calibrate.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/random/system.hpp>

#include <vector>

using namespace privet;

std::vector<frequency_estimate> ask(std::uint32_t category, std::vector<std::uint64_t>& support,
                                    std::uint64_t reports) {
  const randomised_response oracle(1.0, 4); // epsilon 1, four categories
  system_random source;                     // one per thread, on the person's device
  const auto report = oracle.randomise(category, source);

  oracle.count(report, support); // at the collector, for every report
  const auto shares = estimate_frequencies(support, reports, oracle.support());
  return shares;
}

double spend() {
  pld_accountant spent;
  spent.compose({event::subsampled_gaussian{.noise_multiplier = 1.1, .rate = 256.0 / 60000}, 14062});
  spent.compose({event::laplace{.scale = 50}, 20}); // a histogram, twenty times
  privacy_bounds epsilon = spent.epsilon(1e-5);     // the truth lies in [epsilon.lower, epsilon.upper]
  double noise = noise_multiplier_for({event::subsampled_gaussian{1, 0.01}, 1000}, 1.0, 1e-5);
  return epsilon.upper + noise;
}
