// The code of docs/federated/thin_links.md.

#include <privet/data/partition.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/quantise.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/federated/sign.hpp>
#include <privet/federated/top_k.hpp>
#include <privet/nn/activations.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

namespace {

using namespace privet;

const sequential model{dense<561, 512>{}, relu{}, dense<512, 6>{}};

parameters<float> federate(const dataset<>& train) {
  const auto upload = chain(error_feedback{}.around(top_k{.fraction = 0.01}));
  const encoded_uploads recipe{local_sgd{.learning_rate = 0.01, .momentum = 0.9, .epochs = 2}.recipe(),
                               upload};
  const offices four{model, split_by(train, partition_stratified(train.labels, 4)), recipe, 1};

  aggregation_server server{decoded_uploads{fedavg{}}};
  server.run(four, in_process{}, rounds{50});
  return server.weights_for(model);
}

void uploads() {
  const auto random = chain(error_feedback{}.around(random_k{.fraction = 0.1}));
  const auto coarse = chain(quantise{.bits = 8});
  const auto signs = chain(error_feedback{}.around(sign{}));
  const auto deep = chain(momentum_correction{.momentum = 0.9}.around(
      top_k{.fraction = 0.001, .warm_up = 4, .first = 0.25, .bits = 8}));
  (void)random, (void)coarse, (void)signs, (void)deep;
}

std::vector<float> save(const participant& office) {
  const auto kept = office.memory();
  return {kept.begin(), kept.end()};
}
void take_up(participant& office, std::vector<float> kept) { office.restore(std::move(kept)); }

} // namespace

void thin_link_pages(const dataset<>& train, participant& office) {
  (void)federate(train);
  uploads();
  take_up(office, save(office));
}
