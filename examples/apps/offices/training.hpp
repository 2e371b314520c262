#pragma once
// The three ways to train that a run compares: federated, central, each office alone.

#include "../support/stopwatch.hpp"
#include "privacy.hpp"
#include "strategy.hpp"
#include "upload.hpp"

#include <privet/federated/checkpoint.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/run_record.hpp>
#include <privet/federated/tail_average.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/proximal.hpp>
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

/// The rate of an office over all rounds. A cosine reaches its floor at the end of the last, so its length depends on
/// the office's rows.
inline privet::cosine_rate schedule_of(const settings& s, std::size_t rows) {
  return {.steps = s.rounds * s.local_epochs * ((rows + s.batch - 1) / s.batch), .floor = s.rate_floor()};
}

/// Calls `f` with what an office of so many rows runs in a round, `pull` strongly towards the weights it began with.
template <class F>
auto with_recipe(const settings& s, std::size_t rows, double pull, F&& f) {
  using namespace privet;
  const auto call = [&](auto optimizer) {
    const auto taken = chain(average_over_batch{}, privet::weight_decay{.rate = s.weight_decay},
                             proximal{.strength = pull}, optimizer, schedule_of(s, rows));
    return f(local_recipe<std::remove_const_t<decltype(taken)>>{
        taken, s.local_epochs, s.batch, softmax_cross_entropy{.smoothing = s.smoothing}});
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
privet::model_result train_in_one_place(const settings& s, std::string name, privet::dataset<float> rows,
                                        privet::dataset<float> test, std::uint32_t client,
                                        const tick& after_round);

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
  std::vector<double> average; ///< the sum of the models that are averaged, once there is one
  double noise_multiplier = 1; ///< of the offices, where they share it
  std::size_t averaged = 0;    ///< rounds that the last weights are the mean of; 0: they are those of one
  std::string stopped;         ///< why rounds were left out
  std::vector<privet::client_record> clients;
  std::vector<std::pair<std::string, double>> people;          ///< accuracy on each test person
  std::vector<std::pair<std::string, std::string>> encryption; ///< what is to be said of it; empty in clear
};

/// What the server's optimiser remembered after the last round. It has made a step in each that came to something.
inline privet::chain_state<float> optimizer_of(const federated_run& run) {
  const auto steps = std::ranges::count_if(run.metrics, [](const auto& m) { return m.given_up.empty(); });
  return {std::as_const(run.weights).shared().size(), static_cast<std::uint64_t>(steps),
          privet::aligned_vector<float>(run.optimizer.begin(), run.optimizer.end())};
}

/// One office for each part of the data. Private ones pay from their ledgers, which lie in `folder`.
std::vector<std::unique_ptr<privet::participant>> make_offices(const settings& s, const study& data,
                                                               const privet::network& model,
                                                               federated_run& run,
                                                               const std::filesystem::path& folder);

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
  for (const auto& line : lines) all.push_back(privet::read_round_line(line, "checkpoint metrics"));
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
  const auto& given_up() const
    requires requires { server.given_up(); }
  {
    return server.given_up();
  }
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
  const server_options how{.quorum = s.quorum,
                           .standardise = s.standardise,
                           .least_deviation = least_deviation(s),
                           .seed = s.seed,
                           .threads = threads};
  if (s.shares_noise())
    return with_shared_sum(s, run.noise_multiplier,
                           [&](const auto& sum) { f(aggregation_server(sum, how)); });
  if (s.strategy == "scaffold") return f(aggregation_server(sending_rule{rule_of(s)}, how));
  const auto with_rule = [&](const auto& rule) {
    if (s.encodes()) return f(aggregation_server(decoded_uploads(rule), how));
    f(aggregation_server(rule, how));
  };
  if (s.strategy == "class-aware") return with_rule(class_weighing_rule{rule_of(s)});
  with_rule(rule_of(s));
}

/// What there is to say of a round besides its scores. Losses of private offices are none: they send zeros.
inline privet::round_metrics metrics_of(const settings& s, const privet::round_report& report) {
  privet::round_metrics m{.round = report.round, .clients = report.clients};
  if (!s.is_private() && !s.is_encrypted()) m.loss = report.loss;
  for (const auto& c : report.asked) {
    auto& one =
        m.asked.emplace_back(privet::client_metrics{.id = c.id, .steps = c.steps, .missing = c.missing});
    if (!s.is_private() && c.missing.empty()) one.loss = c.loss;
  }
  return m;
}

/// How the last model serves each office and each person of the test rows. How it fits the rows of an office is
/// nobody's business in a private run.
inline void look_around(const settings& s, const study& data, const privet::network& model,
                        const privet::standardiser* scale, const privet::dataset<float>& test,
                        federated_run& run) {
  using namespace privet;
  const auto accuracy_on = [&](const dataset<float>& rows) {
    return evaluate(model, run.weights, rows).confusion.accuracy();
  };
  // Encrypting offices all have their part in every round.
  for (std::size_t k = 0; k < data.offices.size() && !s.is_encrypted(); ++k) {
    const auto& rows = data.offices[k];
    auto& one = run.clients.emplace_back(client_record{
        static_cast<std::uint32_t>(k + 1), s.protects_persons() ? groups_of(rows).size() : rows.rows()});
    if (!s.is_private()) one.accuracy = accuracy_on(scale ? scale->apply(rows) : rows);
  }
  if (test.groups.empty()) return;
  for (const auto person : groups_of(test)) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t i = 0; i < test.rows(); ++i)
      if (test.groups[i] == person) rows.push_back(i);
    run.people.emplace_back(concat("person ", person), accuracy_on(test.select(rows)));
  }
}

/// Runs the rounds that are left of `run`. `after_round` sees the run after each, and may throw; in a private run
/// also before the first, when the scaling is paid for. A round without a quorum is given up: it leaves the weights as
/// they are, and the next begins. In the end the weights are the mean of the last rounds' that the run asked for; its
/// metrics stay those of the single models.
template <class Federation>
void run_rounds(const settings& s, const study& data, const privet::network& model, Federation&& federation,
                federated_run& run, const std::function<void(const privet::network&)>& after_round) {
  using namespace privet;
  const std::size_t done = run.metrics.size();
  tail_average mean(s.average_rounds, s.rounds);
  if (s.average_rounds > 1) (void)mean.restore(done, model.sizes().shared, std::move(run.average)).value();
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
  std::optional<standardiser> scale;
  if (s.standardise) scale = standardiser::from(federation.scaling());
  const auto test = scale ? scale->apply(data.test) : data.test;

  const stopwatch all;
  std::uint64_t up = 0, down = 0;
  const auto one_round = [&](std::size_t r) {
    const auto told = [&](const round_report& report) {
      auto m = metrics_of(s, report);
      m.bytes_up = report.bytes_up - up, m.bytes_down = report.bytes_down - down;
      up = report.bytes_up, down = report.bytes_down;
      return m;
    };
    try {
      return told(federation.round(r));
    } catch (const privet::exception& why) {
      if constexpr (requires { federation.given_up(); })
        if (s.quorum > 0 && why.kind() == fault::message && federation.given_up().round == r + 1) {
          auto m = told(federation.given_up());
          m.clients = 0, m.loss = round_metrics{}.loss;
          m.given_up = why.what();
          return m;
        }
      throw;
    }
  };
  for (std::size_t r = done; r < s.rounds; ++r) {
    const stopwatch watch;
    run.stopped = unpaid(s, run);
    if (!run.stopped.empty()) break;
    auto m = one_round(r);
    keep();
    if (s.average_rounds > 1) {
      mean.add(r + 1, std::as_const(run.weights).shared());
      run.average.assign(mean.sum().begin(), mean.sum().end());
    }
    score(run.result, model, run.weights, test);
    m.accuracy = run.result.accuracy, m.macro_f1 = run.result.macro_f1, m.log_loss = run.result.log_loss;
    m.seconds = watch.seconds();
    m.seconds_left =
        all.seconds() / static_cast<double>(r + 1 - done) * static_cast<double>(s.rounds - r - 1);
    run.metrics.push_back(std::move(m));
    after_round(model);
  }
  if (mean.count() > 0) mean.write_to(run.weights.shared());
  if (mean.count() > 0 || run.metrics.size() == done) // or nothing was left to do
    score(run.result, model, run.weights, test);
  run.averaged = mean.count();
  look_around(s, data, model, scale ? &*scale : nullptr, test, run);
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
