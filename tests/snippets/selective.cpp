// The code of docs/federated/asynchronous.md, docs/federated/selective_sgd.md and docs/train/fed_rep.md.

#include <privet/data/partition.hpp>
#include <privet/federated/asynchronous_server.hpp>
#include <privet/federated/noisy_random_k.hpp>
#include <privet/federated/noisy_selection.hpp>
#include <privet/federated/released_uploads.hpp>
#include <privet/federated/selective_sgd.hpp>
#include <privet/nn/activations.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/fed_rep.hpp>

#include <cstdio>
#include <vector>

namespace {

using namespace privet;

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

parameters<float> without_rounds(const offices& twelve) {
  asynchronous_server server{fedavg{}, {.at_once = 4, .buffer = 3, .seed = 1}};
  server.run(twelve, in_process{2}, rounds{100}, [](const step_report& r) {
    for (std::size_t i = 0; i < r.asked.size(); ++i)
      std::printf("step %zu: client %u, %llu steps old\n", r.round, r.asked[i].id,
                  static_cast<unsigned long long>(r.staleness[i]));
  });
  return server.weights_for(model);
}

parameters<float> selective(const std::vector<dataset<float>>& rows_of_users) {
  const selective_sgd how{.upload = 0.1, .download = {.fraction = 0.5}};
  const auto recipe = how.largest(local_sgd{.learning_rate = 0.1}.recipe());
  const offices users = selective_offices(model, rows_of_users, recipe, 1);
  asynchronous_server server{decoded_uploads{}, how.server(1)};
  server.run(users, in_process{}, rounds{20 * users.size()}); // a round is the turn of one user
  return server.weights_for(model);
}

template <class Recipe>
auto as_in_the_paper(const Recipe& local, const payment& pay) {
  const noisy_selection upload{.fraction = 0.01, .epsilon = 0.001, .bound = 1e-3, .threshold = 1e-4};
  const released_uploads recipe{local, chain(upload), pay}; // of each participant
  pld_accountant spent;
  for (const auto& e : events_of(upload, 105'506, 20)) spent.compose(e);
  std::printf("%.1f without a delta, %.2f at delta 1e-5\n", upload.epsilon_in_all(105'506, 20),
              spent.epsilon(1e-5).upper);
  return recipe;
}

template <class Recipe>
auto better(const Recipe& local, const payment& pay) {
  const noisy_random_k upload{.fraction = 0.1, .bound = 0.5, .noise_multiplier = 5};
  const released_uploads recipe{local, chain(upload), pay};
  return recipe;
}

void own_heads(const std::vector<dataset<float>>& data) {
  const auto personal = keep_local(model, {2}); // the last layer stays on the device
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.05, .momentum = 0.9});
  const offices clients{personal, data, fed_rep{steps, 10, 1, 32}, 1};
  aggregation_server server{fedavg{}, {.seed = 1}};
  server.run(clients, in_process{}, rounds{50});
}

} // namespace

void selective_pages(const dataset<>& train, const payment& pay) {
  const auto parts = split_by(train, partition_stratified(train.labels, 12));
  const local_sgd local{.learning_rate = 0.05};
  without_rounds(offices{model, parts, local});
  selective(parts);
  selective_offices(model, parts, as_in_the_paper(local.recipe(), pay));
  selective_offices(model, parts, better(local.recipe(), pay));
  own_heads(parts);
}
