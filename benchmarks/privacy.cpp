// Reports of local randomisers, from the source of secrets.

#include "support/compare.hpp"

#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/system.hpp>

namespace {

using namespace privet;

constexpr std::uint32_t categories = 16, block = 1024;

template <class Oracle>
void row(compare::table& table, const std::string& name, const Oracle& oracle, system_random& source) {
  table.time({.name = "report " + name, .items = block}, compare::ours,
             [&source, oracle, bits = std::vector<std::uint8_t>(categories)]() mutable {
               for (std::uint32_t i = 0; i < block; ++i) {
                 if constexpr (requires { oracle.randomise(0u, source); })
                   benchmark::DoNotOptimize(oracle.randomise(i % categories, source));
                 else
                   oracle.randomise(i % categories, source, bits);
               }
             });
}

} // namespace

int main(int count, char** words) {
  compare::table table("privacy", count, words);
  system_random source;
  row(table, "randomised_response", randomised_response(1, categories), source);
  row(table, "hadamard_response", hadamard_response(1, categories), source);
  row(table, "local_hashing", local_hashing(1, categories), source);
  row(table, "unary_encoding", unary_encoding::optimised(1, categories), source);
  row(table, "subset_selection", subset_selection(1, categories), source);
  return table.run();
}
