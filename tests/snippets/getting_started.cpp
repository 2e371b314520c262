// The code of docs/getting_started.md.

#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/random/replayable.hpp>

#include <cstdio>

using namespace privet;

auto chain_of_stages() {
  const auto steps = chain(average_over_batch{}, weight_decay{.rate = 1e-3},
                           sgd{.learning_rate = 0.05, .momentum = 0.9}, cosine_rate{.steps = 2000});
  return steps;
}

void read_a_file() {
  const result<dataset<>> file = wisdm::read("WISDM_ar_v1.1_transformed.arff");
  if (!file) std::puts(file.error().message.c_str()); // names file, line, column and both sides
}

dataset<> split_and_scale(const dataset<>& all) {
  auto [train_rows, test_rows] = split_groups(all, 0.25, replayable_random(7)); // people, not rows
  const auto scale = standardiser::fit(train_rows);
  train_rows = scale.apply(std::move(train_rows));
  test_rows = scale.apply(std::move(test_rows));
  return test_rows;
}
