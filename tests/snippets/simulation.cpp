// The code of docs/federated/simulation.md.

#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/simulation.hpp>
#include <privet/nn/activations.hpp>
#include <privet/optim/adam.hpp>

#include <cstdio>

namespace {

using namespace privet;

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

parameters<float> simulate(const dataset<>& train, const partition& parts) {
  const local_sgd local{.learning_rate = 0.1, .epochs = 1, .batch = 20};
  simulation all{model,          train,    virtual_clients::of(parts),
                 local.recipe(), fedavg{}, {.clients_per_round = 100, .seed = 1, .threads = 2}};
  all.run(rounds{500}, [](const round_report& r) { std::printf("round %zu: loss %.3f\n", r.round, r.loss); });
  return all.weights_for(model);
}

void others(const dataset<>& train) {
  const auto local = local_sgd{.learning_rate = 0.1, .batch = 20}.recipe();

  // a million clients of 20 rows each, drawn from all
  const auto million = virtual_clients::drawn(1'000'000, 20, train.rows());

  // client k holds k mod 100 rows and one, one after another
  const auto rows = static_cast<std::uint32_t>(train.rows());
  const virtual_clients unequal{5000, [](std::uint32_t client) { return 1 + client % 100; },
                                [rows](std::uint32_t client, std::span<std::uint32_t> out) {
                                  for (std::uint32_t i = 0; i < out.size(); ++i)
                                    out[i] = (client * 37 + i) % rows;
                                }};

  // a rule that is more than the mean, and clients that fail
  simulation failing{model,
                     train,
                     million,
                     local,
                     server_optimizer(chain(adam{.learning_rate = 0.01, .epsilon = 1e-3})),
                     {.clients_per_round = 130,
                      .quorum = 80,
                      .world = {.before = 0.1, .during = 0.1, .after = 0.1, .seed = 7},
                      .threads = 2}};
  failing.round(0);

  // who fails is any function of client, round and rows
  simulation at_night{model,
                      train,
                      unequal,
                      local,
                      fedavg{},
                      {.clients_per_round = 50, .quorum = 1, .fate_of = [](auto client, auto round, auto) {
                         return (client + round) % 3 == 0 ? fate::drops_before : fate::answers;
                       }}};

  const auto report = at_night.round(0);
  for (const auto& one : report.asked)
    if (one.missing.empty())
      std::printf("client %u: %llu rows, loss %.3f\n", one.id, static_cast<unsigned long long>(one.rows),
                  one.loss);
}

} // namespace

void simulation_pages(const dataset<>& train, const partition& parts) {
  (void)simulate(train, parts);
  others(train);
}
