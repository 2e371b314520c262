// The code of docs/federated.

#include <privet/data/partition.hpp>
#include <privet/federated/checkpoint.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/federated/tail_average.hpp>
#include <privet/nn/activations.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

#include <cstdio>

namespace {

using namespace privet;

const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};

parameters<float> federate(const dataset<>& train) {
  const local_recipe recipe{chain(average_over_batch{}, adam{.learning_rate = 1e-3}), 2, 32}; // epochs, batch
  offices four{model, split_by(train, partition_by_group(train.groups, 4)), recipe, 1};

  aggregation_server server{fedavg{}, {.clients_per_round = 3, .seed = 1}};
  server.run(four, in_process{.threads = 2}, rounds{25},
             [](const round_report& r) { std::printf("round %zu: loss %.3f\n", r.round, r.loss); });
  return server.weights_for(model);
}

void federate_with_one_noise(const dataset<>& train, const payment& pay) {
  const poisson sampler{.rate = 0.2};
  const auto upload =
      chain(clip_l2{.bound = 0.5}, sum_over_batch{}, gaussian_share{.noise_multiplier = 5, .holders = 4});
  const shared_noise_recipe recipe{upload, sampler, pay,
                                   private_moments{.noise_multiplier = 14, .bound = 20}};
  const offices four{model, split_by(train, partition_stratified(train.labels, 4)), recipe};

  const auto steps = chain(sgd{.learning_rate = 1.5, .momentum = 0.5}, cosine_rate{.steps = 300});
  aggregation_server server{shared_sum{upload, sampler, steps}, {.least_deviation = 8}};
  server.run(four, in_process{}, rounds{300});
  const chain_state<float>& optimiser = server.aggregator_memory(); // for a checkpoint
  server.restore_aggregator(optimiser);                             // after `open`
}

template <class Channel>
void serve(participant& office, Channel& channel) {
  while (const auto request = channel.read()) channel.write(office.answer(*request));
}

result<std::uint64_t> ask_and_read(std::span<const std::byte> bytes) {
  const auto request = encode({message_kind::ask_moments, 0, 0, 0, encode_number(1338)});
  const result<message> m = decode_message(bytes); // N004, N009 or N011 when it is none
  if (!m) return m.error();
  return decode_number(m->body, "ready");
}

void save(const aggregation_server<>& server, std::size_t done) {
  const checkpoint now{network(model), server.weights_for(model), done, {{"seed", 1}}};
  save_checkpoint("checkpoint.safetensors", now).value();
}

void resume(aggregation_server<>& server, const offices& four) {
  const checkpoint last = load_checkpoint("checkpoint.safetensors").value();
  server.open(four.links(), last.model, last.weights.shared());
  for (std::size_t r = last.rounds_done; r < 25; ++r) server.round(r);
}

parameters<float> averaged(aggregation_server<>& server) {
  tail_average mean(10, 50); // of 50 rounds the last 10
  for (std::size_t r = 0; r < 50; ++r) mean.add(r + 1, server.round(r).weights);
  auto p = model.make_parameters<float>();
  mean.write_to(p.shared());
  return p;
}

struct no_channel {
  static std::optional<std::vector<std::byte>> read() { return {}; }
  static void write(std::span<const std::byte>) {}
};

} // namespace

void federated_pages(const dataset<>& train, participant& office, aggregation_server<>& server,
                     const offices& four) {
  (void)federate(train);
  federate_with_one_noise(train, [](const privacy_event&, std::string_view) -> status { return nothing{}; });
  no_channel channel;
  serve(office, channel);
  (void)ask_and_read({});
  save(server, 3);
  resume(server, four);
  (void)averaged(server);
}
