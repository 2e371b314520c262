// What do a few hostile clients cost a federation, by aggregation rule and by attack? WISDM users in groups, some of
// which lie. `poisoned --help` lists what can be chosen.

#include "support/command_line.hpp"

#include <privet/core/json.hpp>
#include <privet/core/parallel.hpp>
#include <privet/data/partition.hpp>
#include <privet/data/split.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/federated/adversary.hpp>
#include <privet/federated/bulyan.hpp>
#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/geometric_median.hpp>
#include <privet/federated/krum.hpp>
#include <privet/federated/norm_bound.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/trimmed_mean.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/weight_decay.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace privet;

struct options {
  std::string data, json;
  std::size_t clients = 10, hostile = 2, rounds = 60, epochs = 1, batch = 32, hidden = 128, seeds = 5;
  double lr = 0.05, momentum = 0.9, weight_decay = 1e-2, strength = 5;
  std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
};

enum class evil { nothing, labels, backdoor, sign, scaled, noise };
constexpr std::array attacks{std::pair{"none", evil::nothing},      std::pair{"label flip", evil::labels},
                             std::pair{"backdoor", evil::backdoor}, std::pair{"sign flip", evil::sign},
                             std::pair{"scaled", evil::scaled},     std::pair{"noise", evil::noise}};

/// The ten groups of one seed, scaled by what all of them agree on, and people that none of them knows.
struct study {
  std::vector<dataset<float>> parts;
  dataset<float> test;
};

study divide(const options& o, const dataset<float>& all, std::uint64_t seed) {
  replayable_random source(seed, stream_id(purpose::split));
  auto [train, test] = split_groups(all, 0.2, source);
  return {split_by(train, partition_by_group(train.groups, o.clients)), std::move(test)};
}

/// Three columns far out of their range.
backdoor pattern() { return {.columns = {0, 10, 20}, .value = 40, .target = 0}; }

struct outcome {
  double accuracy = 0, fooled = 0;
};

template <class Rule>
outcome federate(const options& o, const study& s, const Rule& rule, evil what, std::uint64_t seed) {
  const sequential model{dense<>{s.test.columns(), o.hidden}, relu{}, dense<>{o.hidden, s.test.classes()}};
  const local_recipe recipe{chain(average_over_batch{}, privet::weight_decay{.rate = o.weight_decay},
                                  sgd{.learning_rate = o.lr, .momentum = o.momentum}),
                            o.epochs, o.batch};
  offices all(model);
  for (std::uint32_t id = 1; id <= o.clients; ++id) {
    auto rows = s.parts[id - 1];
    const bool lies = id <= o.hostile;
    if (lies && what == evil::labels) flip_labels(rows);
    if (lies && what == evil::backdoor) {
      std::vector<std::uint32_t> half;
      for (std::uint32_t r = 0; r < rows.rows(); r += 2) half.push_back(r);
      pattern().stamp(rows, half);
    }
    std::unique_ptr<participant> member =
        std::make_unique<office<std::remove_const_t<decltype(recipe)>>>(id, std::move(rows), recipe, seed);
    const auto how = what == evil::sign     ? attack::sign_flip
                     : what == evil::scaled ? attack::scale
                     : what == evil::noise  ? attack::noise
                                            : attack::none;
    if (lies && how != attack::none)
      member = std::make_unique<hostile_client>(std::move(member), how, o.strength, seed);
    all.add(std::move(member));
  }
  aggregation_server server{rule, {.seed = seed}};
  try {
    server.run(all, in_process{}, rounds{o.rounds});
  } catch (const exception& why) {
    if (why.kind() != fault::range) throw;
    // Driven out of range: nothing was learned.
    return {1.0 / static_cast<double>(s.test.classes()), 1};
  }
  const auto weights = server.weights_for(all.model());
  const auto scale = standardiser::from(server.scaling());
  auto marked = s.test;
  std::vector<std::uint32_t> rows(marked.rows());
  std::iota(rows.begin(), rows.end(), 0u);
  pattern().stamp(marked, rows);
  return {evaluate(all.model(), weights, scale.apply(s.test)).confusion.accuracy(),
          evaluate(all.model(), weights, scale.apply(std::move(marked))).confusion.accuracy()};
}

struct rule {
  std::string name;
  std::function<outcome(const options&, const study&, evil, std::uint64_t)> run;
};

template <class Rule>
rule named(std::string name, const Rule& how) {
  return {std::move(name), [how](const options& o, const study& s, evil what, std::uint64_t seed) {
            return federate(o, s, how, what, seed);
          }};
}

std::vector<rule> rules_of(const options& o) {
  const auto n = o.clients, f = o.hostile;
  std::vector<rule> all{
      named("fedavg", fedavg{}), named("norm bound", norm_bound{.bound = 1}),
      named("median", coordinate_median{}),
      named("trimmed mean", trimmed_mean{.fraction = std::min(0.45, (static_cast<double>(f) + 0.01) /
                                                                        static_cast<double>(n))}),
      named("geometric median", geometric_median{})};
  if (n >= 2 * f + 3) {
    all.push_back(named("krum", krum{.attackers = f}));
    all.push_back(named("multi-krum", krum{.attackers = f, .keep = n - f - 2}));
  }
  if (n >= 4 * f + 3) all.push_back(named("bulyan", bulyan{.attackers = f}));
  return all;
}

int run(const options& o) {
  require(o.hostile < o.clients, fault::argument, o.hostile, " hostile clients of ", o.clients,
          ", at least one must be honest");
  const auto all = wisdm::read(o.data).value();
  std::vector<study> studies;
  for (std::uint64_t seed = 1; seed <= o.seeds; ++seed) studies.push_back(divide(o, all, seed));
  const auto rules = rules_of(o);

  std::vector<outcome> found(rules.size() * attacks.size() * o.seeds);
  for_each_parallel(found.size(), o.threads, [&](std::size_t i) {
    const std::size_t seed = i % o.seeds, cell = i / o.seeds;
    found[i] =
        rules[cell / attacks.size()].run(o, studies[seed], attacks[cell % attacks.size()].second, seed + 1);
  });

  fmt::print("accuracy on people that no client knows, mean of {} seeds; {} of {} clients lie\n\n{:<18}",
             o.seeds, o.hostile, o.clients, "");
  for (const auto& [name, what] : attacks) fmt::print("{:>12}", name);
  fmt::print("{:>12}\n", "fooled");
  json record = json::array();
  for (std::size_t r = 0; r < rules.size(); ++r) {
    fmt::print("{:<18}", rules[r].name);
    json line{{"rule", rules[r].name}};
    double fooled = 0;
    for (std::size_t a = 0; a < attacks.size(); ++a) {
      double mean = 0;
      for (std::size_t seed = 0; seed < o.seeds; ++seed) {
        const auto& one = found[(r * attacks.size() + a) * o.seeds + seed];
        mean += one.accuracy / static_cast<double>(o.seeds);
        if (attacks[a].second == evil::backdoor) fooled += one.fooled / static_cast<double>(o.seeds);
      }
      fmt::print("{:>11.1f}%", 100 * mean);
      line[attacks[a].first] = mean;
    }
    line["fooled"] = fooled;
    fmt::print("{:>11.1f}%\n", 100 * fooled);
    record.push_back(std::move(line));
  }
  fmt::print("\nfooled: rows with the pattern of the backdoor that are taken for its class\n");
  if (!o.json.empty())
    (void)write_file_atomically(o.json, json_text(json{{"clients", o.clients},
                                                       {"hostile", o.hostile},
                                                       {"seeds", o.seeds},
                                                       {"rounds", o.rounds},
                                                       {"rules", std::move(record)}}))
        .value();
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{"Trains federations of which some clients lie, by rule of aggregation and by attack."};
  app.add_option("--data", o.data, "WISDM_ar_v1.1_transformed.arff")->required();
  app.add_option("--clients", o.clients, "groups of people")->check(CLI::Range(1, 29))->capture_default_str();
  app.add_option("--hostile", o.hostile, "of them lie")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--strength", o.strength, "factor of sign flips, of scaled updates and of noise")
      ->check(apps::number_from(0, 1e6))
      ->capture_default_str();
  app.add_option("--rounds", o.rounds, "rounds")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--epochs", o.epochs, "local epochs in a round")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "rows per step")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--hidden", o.hidden, "width of the hidden layer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate")->check(apps::number_from(1e-12, 1e6))->capture_default_str();
  app.add_option("--momentum", o.momentum, "momentum")->check(apps::number_from(0, 1))->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "weight decay")
      ->check(apps::number_from(0, 1e6))
      ->capture_default_str();
  app.add_option("--seeds", o.seeds, "repetitions with other people left out")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--json", o.json, "file for the figures");
  app.add_option("--threads", o.threads, "threads to use; never changes the result")
      ->check(CLI::PositiveNumber);
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("poisoned", [&] { return run(o); });
}
