// The code of docs/data.
#include <privet/core/zlib.hpp>
#include <privet/data/csv.hpp>
#include <privet/data/idx.hpp>
#include <privet/data/partition.hpp>
#include <privet/data/sampler.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/uci_har.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/random/replayable.hpp>

#include <cstdio>

namespace {

using namespace privet;

void read_all() {
  const auto walks = wisdm::read("WISDM_ar_v1.1_transformed.arff").value(); // throws what went wrong
  const auto belts = uci_har::read("UCI HAR Dataset").value();
  const auto digits =
      idx::read("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", 10, gunzip).value();

  const auto table = csv::read("patients.csv", {.label_column = "outcome", .group_column = "patient"});
  if (!table) std::puts(table.error().message.c_str());
}

void read_two_parts() {
  const auto train = csv::read("adult.data").value();
  const auto test =
      csv::read("adult.test", {.like = train.schema, .skip_lines = 1, .trim_label = "."}).value();
}

void compare(const dataset<>& mine, const dataset<>& theirs) {
  if (const auto difference = first_difference(mine.schema, theirs.schema))
    std::puts(difference->c_str()); // column 2: 'height' here, 'weight' there
}

void scale_one(const dataset<>& data) {
  auto [train, test] = split_groups(data, 0.25, replayable_random(1));
  const auto scaling = standardiser::fit(train);
  train = scaling.apply(std::move(train));
  test = scaling.apply(std::move(test)); // by the numbers of the training rows
}

void scale_many(const std::vector<dataset<>>& offices) {
  auto sum = moments::none(offices.front().columns());
  for (const auto& office : offices) sum += moments::of(office); // in a federation, the aggregator adds
  const auto scaling = standardiser::from(sum);
}

void split(const dataset<>& data) {
  const auto [train, test] = split_groups(data, 0.25, replayable_random(1)); // a quarter of the people
  const auto [others, one] = leave_group_out(data, 7);
  refuse_overlap(train, test); // throws [N007 leak] if a person is on both sides
}

void share_out(const dataset<>& data) {
  const partition offices = partition_dirichlet(data.labels, 4, 0.3, replayable_random(1));
  for (const auto& rows : offices) std::printf("%zu rows\n", data.select(rows).rows());
}

void batches(const dataset<>& data) {
  shuffled_batches order(data.rows(), 64, 1); // seed 1
  for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
    order.start(epoch);
    for (std::size_t i = 0; i < order.size(); ++i) std::printf("%zu rows\n", order[i].size());
  }
}

} // namespace

void data_snippets() {
  read_all();
  read_two_parts();
  compare({}, {});
  scale_one({});
  scale_many({});
  split({});
  share_out({});
  batches({});
}
