// Gaussian noise: one block of numbers, filled again and again. In floating point, on a grid by the
// words of the same sources, and discrete Gaussians.

#include "peers/normal.hpp"
#include "support/compare.hpp"

#include <privet/core/aligned.hpp>
#include <privet/random/discrete_gaussian.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/rounded_normal.hpp>
#include <privet/random/system.hpp>
#include <privet/random/system_aes.hpp>

#include <cmath>
#include <cstdint>
#include <random>
#include <string>

namespace {

constexpr std::size_t block = 16384;

/// One row for one source of words; the peers have theirs built in.
template <class Source>
void row(compare::table& table, const std::string& name, Source& source) {
  const compare::job job{.name = name, .items = block};
  // Every side fills a block of its own; all of them stay in L2.
  static privet::aligned_vector<float> ours(block), torch(block), standard(block);
  table.time(job, compare::ours, [&source] { privet::fill_normal(source, std::span<float>(ours)); });
  if constexpr (PEER_TORCH) table.time(job, peers::torch_name(), peers::torch_normal(torch));
  table.time(job, "std mt19937",
             [engine = std::mt19937(1), normal = std::normal_distribution<float>()]() mutable {
               for (auto& x : standard) x = normal(engine);
             });
}

/// floor(2^20 x), which is what a mechanism on a grid needs.
template <class Source>
void rounded_row(compare::table& table, const std::string& name, Source& source) {
  const compare::job job{.name = name, .items = block};
  static privet::aligned_vector<std::int32_t> ours(block), standard(block);
  table.time(job, compare::ours,
             [&source] { privet::fill_rounded_normal(source, std::span<std::int32_t>(ours)); });
  table.time(job, "std mt19937",
             [engine = std::mt19937(1), normal = std::normal_distribution<double>()]() mutable {
               for (auto& k : standard) k = static_cast<std::int32_t>(std::floor(0x1p20 * normal(engine)));
             });
}

template <class Law>
void discrete_row(compare::table& table, const std::string& name, privet::system_random& source, Law law) {
  static privet::aligned_vector<std::int64_t> ours(block);
  table.time({.name = name, .items = block}, compare::ours,
             [&source, law] { law.fill(source, std::span<std::int64_t>(ours)); });
}

} // namespace

int main(int count, char** words) {
  compare::table table("noise", count, words);
  if constexpr (!PEER_TORCH) table.left_out("libtorch");
  privet::system_random secret;
  privet::system_random_aes secret_aes;
  privet::replayable_random replayable(1);
  row(table, "normal ChaCha20", secret);
  row(table, "normal AES-CTR", secret_aes);
  row(table, "normal Philox", replayable);
  rounded_row(table, "rounded normal ChaCha20", secret);
  rounded_row(table, "rounded normal AES-CTR", secret_aes);
  rounded_row(table, "rounded normal Philox", replayable);
  for (const std::uint64_t sigma : {1, 10, 64}) {
    const privet::ratio variance{sigma * sigma, 1};
    const std::string end = "discrete Gaussian, sigma " + std::to_string(sigma);
    discrete_row(table, "exact " + end, secret, privet::discrete_gaussian(variance));
    discrete_row(table, "constant-time " + end, secret, privet::discrete_gaussian_table(variance));
  }
  return table.run();
}
