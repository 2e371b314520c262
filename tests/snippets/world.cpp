// The code of docs/federated/unreliable.md and docs/federated/adversary.md.

#include <privet/data/partition.hpp>
#include <privet/federated/adversary.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/unreliable.hpp>
#include <privet/nn/activations.hpp>

#include <cstdio>
#include <memory>
#include <vector>

namespace {

using namespace privet;

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

void a_world_that_fails(const offices& twelve, const std::vector<dataset<>>& parts) {
  const unreliable world{.before = 0.1, .during = 0.1, .after = 0.1, .twice = 0.02, .seed = 7};
  std::vector<std::unique_ptr<unreliable_link>> links;
  std::vector<transport*> ends;
  for (std::uint32_t id = 1; id <= twelve.size(); ++id) {
    links.push_back(
        std::make_unique<unreliable_link>(*twelve.links()[id - 1], world, id, parts[id - 1].rows()));
    ends.push_back(links.back().get());
  }
  aggregation_server server{fedavg{}, {.quorum = 5}};
  server.run(ends, twelve.model(), rounds{50}, [](const round_report& r) {
    for (const auto& c : r.asked)
      if (!c.missing.empty()) std::printf("round %zu: %s\n", r.round, c.missing.c_str());
  });
}

void a_client_that_lies(offices& ten, dataset<> rows, const local_sgd& local) {
  auto honest = std::make_unique<office<decltype(local.recipe())>>(1, std::move(rows), local.recipe(), 7);
  ten.add(std::make_unique<hostile_client>(std::move(honest), attack::sign_flip, 5));
}

} // namespace

void world_pages(const dataset<>& train) {
  const auto parts = split_by(train, partition_stratified(train.labels, 12));
  const local_sgd local{.learning_rate = 0.05};
  const offices twelve{model, parts, local};
  a_world_that_fails(twelve, parts);
  offices ten(model);
  a_client_that_lies(ten, parts[0], local);
}
