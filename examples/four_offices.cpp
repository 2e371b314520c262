#include <privet/data/accelerometer.hpp>
#include <privet/data/partition.hpp>
#include <privet/data/split.hpp>
#include <privet/federated/offices.hpp>
#include <privet/train/evaluate.hpp>

#include <cstdio>

using namespace privet;

int main() {
  auto [train, test] = split_groups(synthetic_accelerometer({}, 1), 0.25, replayable_random(7)); // by wearer

  sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};
  static_assert(decltype(model)::parameter_count == 6406);

  offices four{model, split_by(train, partition_by_group(train.groups, 4)),
               local_sgd{.learning_rate = 0.05, .momentum = 0.9, .epochs = 2}};
  aggregation_server server{fedavg{}};
  server.run(four, in_process{.threads = 2}, rounds{10});

  const auto scaled = standardiser::from(server.scaling()).apply(test);
  std::printf("accuracy on wearers nobody trained on: %.2f\n",
              evaluate(model, server.weights_for(model), scaled).confusion.accuracy());
}
