// Reports of local randomisers, from the source of secrets.

#include "support/compare.hpp"

#include <privet/privacy/duchi.hpp>
#include <privet/privacy/hadamard_response.hpp>
#include <privet/privacy/local_hashing.hpp>
#include <privet/privacy/piecewise.hpp>
#include <privet/privacy/randomised_response.hpp>
#include <privet/privacy/rappor.hpp>
#include <privet/privacy/subset_selection.hpp>
#include <privet/privacy/unary_encoding.hpp>
#include <privet/random/system.hpp>

#include <memory>

namespace {

using namespace privet;

constexpr std::uint32_t categories = 16, block = 1024;

template <FrequencyOracle Oracle>
void row(compare::table& table, const std::string& name, const Oracle& oracle, system_random& source) {
  table.time({.name = "report " + name, .items = block}, compare::ours,
             [&source, oracle, report = typename Oracle::report{}]() mutable {
               for (std::uint32_t i = 0; i < block; ++i) {
                 oracle.randomise(i % categories, source, report);
                 benchmark::DoNotOptimize(report);
               }
             });
}

/// One call of `report` for each item.
template <class F>
void row_of(compare::table& table, const std::string& name, F report) {
  table.time({.name = "report " + name, .items = block}, compare::ours, [report]() mutable {
    for (std::uint32_t i = 0; i < block; ++i) report(i);
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
  const rappor repeated(categories);
  row_of(table, "rappor",
         [&, kept = std::make_shared<permanent_response>(repeated.remember(3, source)),
          report = rappor::report{}](std::uint32_t) mutable {
           repeated.randomise(*kept, source, report);
           benchmark::DoNotOptimize(report);
         });
  row_of(table, "rappor, the first one", [&, report = rappor::report{}](std::uint32_t i) mutable {
    repeated.randomise(repeated.remember(i % categories, source), source, report);
    benchmark::DoNotOptimize(report);
  });
  const duchi two_values(1);
  const piecewise near(1);
  const auto number = [](std::uint32_t i) { return static_cast<double>(i) / block; };
  row_of(table, "duchi",
         [&](std::uint32_t i) { benchmark::DoNotOptimize(two_values.randomise(number(i), source)); });
  row_of(table, "piecewise",
         [&](std::uint32_t i) { benchmark::DoNotOptimize(near.randomise(number(i), source)); });
  return table.run();
}
