// How well does a model do for a person it has never seen? Leaves out one user after the other,
// trains on all others, tests on the one. `left_out --help` lists what can be chosen.

#include "support/command_line.hpp"

#include <privet/core/parallel.hpp>
#include <privet/data/split.hpp>
#include <privet/data/standardise.hpp>
#include <privet/data/uci_har.hpp>
#include <privet/data/wisdm.hpp>
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/train/trainer.hpp>

#include <fmt/format.h>

#include <thread>

namespace {

using namespace privet;

struct options {
  std::string data, kind = "wisdm";
  std::size_t hidden = 128, epochs = 30, batch = 64;
  double lr = 0.05, momentum = 0.9, weight_decay = 1e-2;
  std::uint64_t seed = 1;
  std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
};

confusion_matrix leave_out(const options& o, const dataset<float>& all, std::int32_t user) {
  auto [train, test] = leave_group_out(all, user);
  const auto scale = standardiser::fit(train); // by the training users alone
  train = scale.apply(std::move(train));
  test = scale.apply(std::move(test));
  const sequential model{dense<>{all.columns(), o.hidden}, relu{}, dense<>{o.hidden, all.classes()}};
  const std::size_t steps = o.epochs * ((train.rows() + o.batch - 1) / o.batch);
  trainer train_once{model, softmax_cross_entropy{},
                     chain(average_over_batch{}, privet::weight_decay{.rate = o.weight_decay},
                           sgd{.learning_rate = o.lr, .momentum = o.momentum}, cosine_rate{.steps = steps}),
                     shuffled{o.batch}, o.seed};
  train_once.fit(train, epochs{o.epochs});
  return train_once.evaluate(test).confusion;
}

int run(const options& o) {
  const auto all = (o.kind == "wisdm" ? wisdm::read(o.data) : uci_har::read(o.data)).value();
  const auto users = groups_of(all);
  std::vector<confusion_matrix> each(users.size());
  for_each_parallel(users.size(), o.threads, [&](std::size_t i) { each[i] = leave_out(o, all, users[i]); });

  confusion_matrix pooled(all.classes());
  double mean = 0;
  fmt::print("{:>5} {:>8} {:>9}\n", "user", "windows", "accuracy");
  for (std::size_t i = 0; i < users.size(); ++i) {
    fmt::print("{:>5} {:>8} {:>8.1f}%\n", users[i], each[i].examples(), 100 * each[i].accuracy());
    mean += each[i].accuracy() / static_cast<double>(users.size());
    pooled += each[i];
  }
  fmt::print("\nmean over {} users {:.4f}, over all windows {:.4f}, macro-F1 {:.4f}\n", users.size(), mean,
             pooled.accuracy(), pooled.macro_f1());
  return 0;
}

} // namespace

int main(int count, char** words) {
  options o;
  CLI::App app{"Trains on all users but one and tests on that one, for every user."};
  app.add_option("--data", o.data, "WISDM_ar_v1.1_transformed.arff, or the folder of UCI HAR")->required();
  app.add_option("--kind", o.kind, "what the data is")
      ->check(apps::one_of({"wisdm", "uci-har"}))
      ->capture_default_str();
  app.add_option("--hidden", o.hidden, "width of the hidden layer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "times through the training rows")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch", o.batch, "rows per step")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate at the start; it falls as a cosine")
      ->check(apps::number_from(1e-12, 1e6))
      ->capture_default_str();
  app.add_option("--momentum", o.momentum, "momentum")->check(apps::number_from(0, 1))->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "weight decay")
      ->check(apps::number_from(0, 1e6))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "seed of weights and batches")->capture_default_str();
  app.add_option("--threads", o.threads, "threads to use; never changes the result")
      ->check(CLI::PositiveNumber);
  if (const int status = apps::parse(app, count, words); status >= 0) return status;
  return apps::guarded("left_out", [&] { return run(o); });
}
