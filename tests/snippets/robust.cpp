// The code of docs/federated/robust.md.

#include <privet/data/partition.hpp>
#include <privet/federated/bulyan.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/trimmed_mean.hpp>
#include <privet/nn/activations.hpp>

namespace {

using namespace privet;

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

template <class Rule>
parameters<float> federate(const dataset<>& train, const Rule& rule) {
  const local_sgd local{.learning_rate = 0.05, .epochs = 2};
  const offices eleven{model, split_by(train, partition_by_group(train.groups, 11)), local, 1};
  aggregation_server server{rule};
  server.run(eleven, in_process{}, rounds{25});
  return server.weights_for(model);
}

} // namespace

void robust_pages(const dataset<>& train) {
  (void)federate(train, coordinate_median{});
  (void)federate(train, trimmed_mean{.fraction = 0.2});
  (void)federate(train, geometric_median{.iterations = 8});
  (void)federate(train, krum{.attackers = 2, .keep = 5});
  (void)federate(train, bulyan{.attackers = 2});
  (void)federate(train, norm_bound{.bound = 1.5});
}
