// The code of docs/privacy: laplace, exponential, sparse_vector, noise_share, tree_aggregation,
// banded_matrix.

#include <privet/privacy/banded_matrix.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/exponential.hpp>
#include <privet/privacy/gaussian_share.hpp>
#include <privet/privacy/laplace.hpp>
#include <privet/privacy/noise_share.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/sparse_vector.hpp>
#include <privet/privacy/tree_aggregation.hpp>
#include <privet/random/system.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using namespace privet;

double add_laplace(double sum, std::span<std::int64_t> counts, pld_accountant& spent) {
  const laplace income{.epsilon = 0.5, .sensitivity = 100.0}; // a sum of numbers clamped to [0, 100]
  const double out = income.release(sum);                     // noise from the operating system
  spent.compose(income.event());                              // for an accountant or a ledger

  const geometric_mechanism cells{.epsilon = 0.5}; // a histogram: one unit is in one cell
  cells.release(counts);                           // whole numbers in, whole numbers out
  return out;
}

std::size_t choose_one(std::span<const double> votes, system_random& source, pld_accountant& spent) {
  const permute_and_flip pick{.epsilon = 0.5, .sensitivity = 1, .monotone = true}; // utilities are counts
  const std::size_t winner = pick.choose(votes, source);                           // a system_random
  spent.compose(pick.event());
  return winner;
}

int raise_alarms(double (*next_answer)(), pld_accountant& spent) {
  int raised = 0;
  system_random source;
  sparse_vector alarms({.epsilon = 1, .sensitivity = 1, .positives = 3}, source);
  spent.compose(alarms.event()); // once, for everything it will say
  while (alarms.positives_left() > 0)
    if (alarms.above(next_answer(), 100, source)) ++raised; // thresholds are public, answers may adapt
  return raised;
}

double share_noise(const std::vector<float>& update, std::span<const std::int64_t> sum, double clients,
                   std::uint64_t honest, system_random& source) {
  const discrete_gaussian_share share{.bound = 1, .granularity = 0x1p-8, .variance = {1 << 14, 1}};
  const auto upload = chain(clip_l2{.bound = 1}, share);
  auto integers = share.encode(std::span<const float>(update), source); // at the client, a system_random
  const double mean = share.decode(sum[0]) / clients;                   // at whoever sees the sum
  const double rho = share.rho(honest, update.size());                  // zCDP of one round
  return mean + rho + share.decode(integers[0]) + upload.first_bound();
}

double share_gaussian(std::span<const float> gradients, double clip, int128 total, double expected_batch,
                      const poisson& sampler, std::size_t rows, const bounded_sum& sum, pld_accountant& out) {
  const gaussian_share share{.noise_multiplier = 1.5, .holders = 4}; // of the sum; shares of noise counted on
  std::vector<std::int64_t> integers = share.encode(gradients, clip); // at an office: floats in, integers out
  const double mean = share.decode(total, clip) / expected_batch;     // at whoever adds them, in 128 bits
  const privacy_event spent = share.event(sampler, rows, sum);        // for a row of an office
  out.compose(spent);
  return mean + static_cast<double>(integers[0]);
}

void add_up(const std::vector<std::vector<float>>& stream, double clip, std::size_t parameters,
            std::span<double> out, pld_accountant& spent) {
  system_random source;
  tree_aggregation sums({.noise_multiplier = 4, .sensitivity = clip, .steps = 1000}, parameters);
  for (const auto& gradient : stream) {
    sums.add(std::span<const float>(gradient), source);
    sums.prefix_sum(out); // private; noise of variance sums.variance()
  }
  spent.compose(sums.event()); // event::tree, height 10, one tree
}

void correlate(std::vector<std::vector<float>>& stream, double clip, std::size_t parameters,
               pld_accountant& spent) {
  system_random source;
  banded_matrix noise({.noise_multiplier = 4,
                       .sensitivity = clip,
                       .steps = 1000,
                       .separation = 250,
                       .bands = square_root_bands(32)},
                      parameters);
  for (auto& gradient : stream) noise.release(std::span<float>(gradient), source); // in place
  spent.compose(noise.event());                                                    // one Gaussian query
}
