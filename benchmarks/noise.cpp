// Gaussian noise: one block of floats, filled again and again.

#include "peers/normal.hpp"
#include "support/compare.hpp"

#include <privet/core/aligned.hpp>
#include <privet/random/normal.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>
#include <privet/random/system_aes.hpp>

#include <random>

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
  return table.run();
}
