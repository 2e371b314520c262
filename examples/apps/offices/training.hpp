#pragma once
// The three ways to train that a run compares: federated, central, each office alone.

#include "../support/stopwatch.hpp"
#include "privacy.hpp"
#include "upload.hpp"

#include <privet/federated/checkpoint.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/run_record.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/rmsprop.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/train/evaluate.hpp>

#include <functional>

namespace apps {

inline privet::network model_of(const settings& s, const privet::schema& schema) {
  std::vector<privet::any_layer> layers;
  std::size_t width = schema.features.size();
  for (const auto hidden : s.hidden) {
    layers.push_back(privet::dense<>{width, hidden});
    layers.push_back(privet::relu{});
    width = hidden;
  }
  layers.push_back(privet::dense<>{width, schema.classes.size()});
  return privet::network(std::move(layers));
}

/// Calls `f` with what an office of so many rows runs in a round. A cosine reaches zero at the end
/// of the last round, so its length depends on the office's rows.
template <class F>
auto with_recipe(const settings& s, std::size_t rows, F&& f) {
  using namespace privet;
  const std::size_t steps = s.rounds * s.local_epochs * ((rows + s.batch - 1) / s.batch);
  const auto call = [&](auto optimizer) {
    return f(local_recipe<decltype(chain(average_over_batch{}, weight_decay{}, optimizer, cosine_rate{}))>{
        chain(average_over_batch{}, weight_decay{.rate = s.weight_decay}, optimizer,
              cosine_rate{.steps = steps, .floor = s.cosine ? 0.0 : 1.0}),
        s.local_epochs, s.batch, softmax_cross_entropy{.smoothing = s.smoothing}});
  };
  if (s.optimizer == "adam") return call(adam{.learning_rate = s.lr});
  if (s.optimizer == "rmsprop") return call(rmsprop{.learning_rate = s.lr});
  return call(sgd{.learning_rate = s.lr, .momentum = s.momentum});
}

/// Called after every round of any training; throws to stop it.
using tick = std::function<void()>;

inline void score(privet::model_result& result, const privet::network& model,
                  const privet::parameters<float>& p, const privet::dataset<float>& test) {
  const auto e = privet::evaluate(model, p, test);
  result.accuracy = e.confusion.accuracy();
  result.macro_f1 = e.confusion.macro_f1();
  result.log_loss = e.log_loss;
  result.confusion = e.confusion;
  result.curve.push_back(result.accuracy);
}

/// Trains on one party's rows as many epochs as the federation does, scaled by that party's own
/// numbers; the optimiser's state goes on from round to round.
inline privet::model_result train_in_one_place(const settings& s, std::string name,
                                               privet::dataset<float> rows, privet::dataset<float> test,
                                               std::uint32_t client, const tick& after_round) {
  using namespace privet;
  const stopwatch watch;
  if (s.standardise) {
    const auto scale = standardiser::fit(rows);
    rows = scale.apply(std::move(rows));
    test = scale.apply(std::move(test));
  }
  const auto model = model_of(s, rows.schema);
  auto p = initialise<float>(model, s.seed);
  model_result result{.name = std::move(name)};
  with_recipe(s, rows.rows(), [&](const auto& recipe) {
    local_training training(model, recipe.loss, recipe.steps, recipe.epochs, recipe.batch, rows.rows(),
                            s.seed, client);
    for (std::size_t r = 0; r < s.rounds; ++r) {
      training.resume(p, rows.view(), rows.labels, r);
      score(result, model, p, test);
      after_round();
    }
  });
  result.seconds = watch.seconds();
  return result;
}

/// Rounds that are done, and all that is needed to do the next.
struct federated_run {
  std::vector<privet::round_metrics> metrics;
  privet::model_result result{.name = "federated"};
  privet::parameters<float> weights;
  privet::moments scaling;                               ///< as agreed on; empty without
  std::vector<float> optimizer;                          ///< what the server's optimiser remembers
  std::vector<std::optional<privet::ledger_head>> heads; ///< of the ledgers, in a private run
  std::vector<std::shared_ptr<privet::ledger>> ledgers;
  std::vector<privet::participant*> parties;
  std::vector<float> memories; ///< of the offices, one after another, where their uploads have one
  double noise_multiplier = 1; ///< of the offices, where they share it
  std::string stopped;         ///< why rounds were left out
  std::vector<std::pair<std::string, std::string>> encryption; ///< what is to be said of it; empty in clear
};

/// What the optimiser of the sum remembered after the last round.
inline privet::chain_state<float> optimizer_of(const federated_run& run) {
  return {std::as_const(run.weights).shared().size(), run.metrics.size(),
          privet::aligned_vector<float>(run.optimizer.begin(), run.optimizer.end())};
}

/// One office for each part of the data. Private ones pay from their ledgers, which lie in `folder`.
inline std::vector<std::unique_ptr<privet::participant>> make_offices(const settings& s, const study& data,
                                                                      const privet::network& model,
                                                                      federated_run& run,
                                                                      const std::filesystem::path& folder) {
  using namespace privet;
  std::vector<std::unique_ptr<participant>> parties;
  run.ledgers.clear();
  std::vector<private_plan> plans;
  if (s.is_private()) {
    plans = plans_for(s, model, data.offices);
    run.noise_multiplier = plans[0].noise_multiplier;
  }
  for (std::size_t k = 0; k < data.offices.size(); ++k) {
    const auto& rows = data.offices[k];
    const auto add_office = [&]<class Recipe>(const Recipe& recipe) {
      parties.push_back(
          std::make_unique<office<Recipe>>(static_cast<std::uint32_t>(k + 1), rows, recipe, s.seed));
    };
    const auto add = [&](const auto& recipe) { with_upload(s, recipe, add_office); };
    if (!s.is_private()) {
      with_recipe(s, rows.rows(), add);
      continue;
    }
    const auto& plan = plans[k];
    run.heads.resize(data.offices.size());
    const auto account = std::make_shared<ledger>(open_account(s, folder, k + 1, rows, plan, run.heads[k]));
    run.ledgers.push_back(account);
    const payment pay = [account](const privacy_event& e, std::string_view what) {
      return account->debit(e, what);
    };
    with_private_recipe(s, plan.noise_multiplier, pay, add);
  }
  run.parties.clear();
  const std::size_t each = run.memories.size() / parties.size();
  for (std::size_t k = 0; k < parties.size(); ++k) {
    run.parties.push_back(parties[k].get());
    if (each == 0) continue;
    const auto own = std::span(run.memories).subspan(k * each, each);
    parties[k]->restore({own.begin(), own.end()});
  }
  return parties;
}

/// Why a round cannot be paid for; empty when it can.
inline std::string unpaid(const settings& s, const federated_run& run) {
  for (const auto& account : run.ledgers) {
    auto round = std::get<privet::schedule_filter>(account->terms().filter).events.back();
    round.count /= s.rounds;
    if (const auto fits = account->may(round); !fits) return fits.error().message;
  }
  return {};
}

inline privet::json to_json(const std::vector<privet::round_metrics>& metrics) {
  auto all = privet::json::array();
  for (const auto& m : metrics) all.push_back(privet::round_line(m));
  return all;
}
inline std::vector<privet::round_metrics> metrics_from(const privet::json& lines) {
  std::vector<privet::round_metrics> all;
  for (const auto& line : lines) {
    const auto read = [&]<class T>(const char* name, T& into) {
      into = privet::read_member<T>(line, name, "checkpoint metrics").value();
    };
    auto& m = all.emplace_back();
    read("round", m.round), read("accuracy", m.accuracy), read("macro_f1", m.macro_f1),
        read("log_loss", m.log_loss);
    read("clients", m.clients), read("bytes_up", m.bytes_up), read("bytes_down", m.bytes_down),
        read("seconds", m.seconds);
  }
  return all;
}

/// Scaling by noisy moments leaves no column with a deviation below this.
inline double least_deviation(const settings& s) {
  return s.is_private() ? (s.shares_noise() ? 0.4 : 0.2) * s.column_bound : 0;
}

/// A federation whose server sees what offices send, as `run_rounds` has them.
template <class Server>
struct clear_federation {
  Server& server;
  std::span<privet::transport* const> links;
  static constexpr bool remembers = requires(Server& of) { of.aggregator_memory(); };

  void open(const privet::network& model, const federated_run& run) {
    server.open(links, model, std::as_const(run.weights).shared(), run.scaling);
    if constexpr (remembers)
      if (!run.optimizer.empty()) server.restore_aggregator(optimizer_of(run));
  }
  privet::round_report round(std::size_t r) { return server.round(r); }
  std::span<const float> weights() const { return server.weights(); }
  const privet::moments& scaling() const { return server.scaling(); }
  void remember(federated_run& run) const {
    if constexpr (remembers)
      run.optimizer.assign(server.aggregator_memory().slots.begin(), server.aggregator_memory().slots.end());
  }
};

/// Calls `f` with the server of the run.
template <class F>
void with_server(const settings& s, const federated_run& run, std::size_t threads, F&& f) {
  using namespace privet;
  const server_options how{.standardise = s.standardise,
                           .least_deviation = least_deviation(s),
                           .seed = s.seed,
                           .threads = threads};
  if (s.encodes()) return f(aggregation_server(decoded_uploads{}, how));
  if (!s.shares_noise()) return f(aggregation_server(fedavg{}, how));
  with_shared_sum(s, run.noise_multiplier, [&](const auto& sum) { f(aggregation_server(sum, how)); });
}

/// Runs the rounds that are left of `run`. `after_round` sees the run after each, and may throw; in a private run
/// also before the first, when the scaling is paid for.
template <class Federation>
void run_rounds(const settings& s, const study& data, const privet::network& model, Federation&& federation,
                federated_run& run, const std::function<void(const privet::network&)>& after_round) {
  using namespace privet;
  const std::size_t done = run.metrics.size();
  federation.open(model, run);
  run.weights = model.make_parameters<float>();
  const auto keep = [&] {
    std::ranges::copy(federation.weights(), run.weights.shared().begin());
    federation.remember(run);
    run.memories.clear();
    for (const auto* party : run.parties)
      run.memories.insert(run.memories.end(), party->memory().begin(), party->memory().end());
    for (std::size_t k = 0; k < run.ledgers.size(); ++k) run.heads[k] = run.ledgers[k]->head();
  };
  keep();
  if (s.is_private()) {
    run.scaling = federation.scaling();
    if (done == 0) after_round(model);
  }
  const auto test = s.standardise ? standardiser::from(federation.scaling()).apply(data.test) : data.test;

  std::uint64_t up = 0, down = 0;
  for (std::size_t r = done; r < s.rounds; ++r) {
    const stopwatch watch;
    run.stopped = unpaid(s, run);
    if (!run.stopped.empty()) break;
    const auto report = federation.round(r);
    keep();
    score(run.result, model, run.weights, test);
    run.metrics.push_back({report.round, run.result.accuracy, run.result.macro_f1, run.result.log_loss,
                           report.clients, report.bytes_up - up, report.bytes_down - down, watch.seconds()});
    up = report.bytes_up, down = report.bytes_down;
    after_round(model);
  }
  if (run.metrics.size() == done) score(run.result, model, run.weights, test); // nothing was left to do
}

/// The whole federated run: what its rounds were, added up.
inline void add_up_rounds(federated_run& run) {
  run.result.curve.clear();
  run.result.seconds = 0, run.result.bytes_up = 0, run.result.bytes_down = 0;
  for (const auto& m : run.metrics) {
    run.result.curve.push_back(m.accuracy);
    run.result.seconds += m.seconds;
    run.result.bytes_up += m.bytes_up;
    run.result.bytes_down += m.bytes_down;
  }
}

} // namespace apps
