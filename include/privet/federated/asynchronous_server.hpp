#pragma once
// A server without rounds: clients train at their own pace, and the weights move as soon as enough updates are in.

#include <privet/core/parallel.hpp>
#include <privet/federated/client_links.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/partial_download.hpp>
#include <privet/federated/server.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace privet {

/// Who trains when.
enum class turns {
  asynchronous, ///< `at_once` clients at a time; for whoever is done an idle one is drawn, all equally likely
  round_robin,  ///< one after the other, as they are numbered
  random        ///< one after the other, in an order drawn anew for each lap
};

/// Those of FedBuff unless they say otherwise.
struct asynchronous_options {
  turns order = turns::asynchronous;
  std::size_t at_once = 0; ///< clients that train at the same time; 0: all if asynchronous, else 1
  std::size_t buffer = 10; ///< K, updates that make a step of the weights
  double staleness = 0.5;  ///< a: an update counts (1 + t)^-a where the weights made t steps since it began
  std::uint64_t most_stale = 0; ///< an update of more steps is left out; 0: none is
  bool by_rows = false;         ///< a client counts by its rows; otherwise all alike
  std::size_t failures = 0;     ///< that a step may have; with 0 what is wrong with a client ends the run
  partial_download download{};
  /// Who answers first is done first, for clients elsewhere: each task waits in a thread of its own. The result is then
  /// no function of the seed, unless one trains after the other.
  bool live = false;
  /// How long a client takes for its task, both counted, clients from 1 and a client's tasks from 0. Empty: the
  /// magnitude of a standard normal drawn from (seed, client, task).
  std::function<double(std::uint32_t client, std::uint64_t task, std::uint64_t rows)> seconds{};
  bool standardise = true;
  double least_deviation = 0;
  starter start = starter::authority;
  std::uint64_t seed = 0;
  std::size_t threads = 1; ///< clients that are waited for at once; never changes the result

  /// Throws N001 for numbers that make no sense among so many clients.
  void check(std::size_t clients) const {
    require(at_once <= clients, fault::argument, "asynchronous_server: ", at_once, " clients at once of ",
            clients);
    require(at_once <= 1 || order == turns::asynchronous, fault::argument, "asynchronous_server: ", at_once,
            " clients at once, in an order of one after the other");
    require(buffer > 0, fault::argument, "asynchronous_server: a buffer of 0 updates, needs at least 1");
    require(staleness >= 0 && std::isfinite(staleness), fault::argument, "asynchronous_server: staleness ",
            staleness, ", expected a finite number from 0");
    require(threads > 0, fault::argument, "asynchronous_server: 0 threads, needs at least 1");
    download.check();
  }
};

/// A step of the weights. `asked` holds the clients whose updates it took, or left out, in the order in which they were
/// done; its `clients` counts updates, of which one client may have several.
struct step_report : round_report {
  std::vector<std::uint64_t> staleness; ///< of each of `asked`: steps since it began
  double seconds = 0;                   ///< when, by the clients' clock
};
using step_observer = std::function<void(const step_report&)>;

/// Federated learning with buffered asynchronous aggregation (FedBuff), and the parameter server of selective SGD
/// (federated/selective_sgd.hpp). Links, offices and recipes are those of an `aggregation_server`.
///
/// Formula   w -= rate (1 / K) sum_k (1 + t_k)^-a (w_k - w_k'), over K updates, w_k the weights that a client began
///           with, w_k' those it ended with, t_k steps of w between; the aggregator's step in place of this one, such as
///           `server_optimizer{chain(sgd{.learning_rate = rate})}`
/// Time      is that of `seconds`, not of a clock on the wall: who is done when is a function of the seed, and so is the
///           result, on any number of threads. Unless it is `live`. A client gets one task at a time; the round of its
///           messages is how many it had before
/// Threads   more than one train ahead of time whoever is under way; when the run ends, up to at_once - 1 tasks were for
///           nothing, and are paid for if private: what clients keep and have paid, and the bytes of a report, depend
///           on how many threads there are; the weights do not. The same of a live one, whose `run` waits for them
/// Memory    O(parameters), the weights that those under way began with, and up to at_once updates
/// Errors    as `aggregation_server`. A step that ends with an exception leaves the weights as they were; what was in
///           the buffer is gone
/// Source    Nguyen, Malik, Zhan, Yousefpour, Rabbat, Malek, Huba, AISTATS 2022, arXiv:2106.06639, algorithm 1
/// Test      tests/federated/asynchronous_server.test.cpp
template <Aggregator A = fedavg>
class asynchronous_server {
  static_assert(std::same_as<typename A::trust, trusted>,
                "[P004 clear-update] clear updates would be sent to an aggregator that nobody trusts to see "
                "them. Seal them, mask them, release them with noise, or drop run_by(curious{}). "
                "docs/errors/P004.md");
  using update_type = typename detail::sent_to<A>::type;
  using memory = typename detail::memory_of<A>::type;
  static constexpr bool remembers = !std::same_as<memory, detail::no_memory>;
  static_assert(
      A::linear &&
          (std::same_as<update_type, client_update> || std::same_as<update_type, encoded_update>)&&!requires {
            requires A::weighs_classes;
          } && !requires(const A& a, memory& kept) { a.sent(kept); },
      "an asynchronous_server counts an update by its age and adds it up: it needs a linear aggregator of "
      "updates, such as fedavg{}, server_optimizer{..} or decoded_uploads{..} of one of them");

 public:
  explicit asynchronous_server(A aggregator = {}, asynchronous_options options = {})
      : aggregator_(std::move(aggregator)), options_(std::move(options)) {}

  /// As `aggregation_server::open`.
  void open(std::span<transport* const> clients, const network& model, std::span<const float> weights = {},
            const moments& scaling = {}) {
    stop(); // before anybody who may still be training is asked again
    options_.check(clients.size());
    aggregation_server<> agreement(fedavg{}, {.standardise = options_.standardise,
                                              .least_deviation = options_.least_deviation,
                                              .start = options_.start,
                                              .seed = options_.seed,
                                              .threads = options_.threads});
    agreement.open(clients, model, weights, scaling);
    schema_ = agreement.schema();
    moments_ = agreement.scaling();
    bytes_up_ = agreement.bytes_up(), bytes_down_ = agreement.bytes_down();
    links_.open(clients, options_.threads);
    const auto first = agreement.weights();
    weights_ = std::make_shared<const std::vector<float>>(first.begin(), first.end());
    if constexpr (remembers) memory_ = aggregator_.remember(first.size());
    clients_.clear();
    most_rows_ = 0;
    for (const auto rows : agreement.rows())
      clients_.push_back({rows}), most_rows_ = std::max(most_rows_, rows);
    under_way_.reserve(clients_.size()); // whoever answers has room
    counter_ = detail::update_counter(options_.download, first.size(), clients_.size());
    parameters_ = first.size();
    workers_.resize(clients_.size());
    started_ = step_ = 0;
    now_ = 0;
  }

  /// One step of the weights. Throws N010 before `open`.
  step_report step() {
    require(!clients_.empty(), fault::state, "asynchronous_server: step before open");
    step_report report;
    const auto late = links_.late();
    auto sum = aggregator_.init(weights_->size());
    std::size_t failed = 0;
    double all = 0;
    while (report.clients < options_.buffer) {
      start_tasks();
      task done = next_done();
      now_ = done.done;
      const std::uint64_t age = step_ - done.step;
      client_report said{.id = done.client + 1, .rows = clients_[done.client].rows};
      try {
        if (done.failure) std::rethrow_exception(done.failure);
        said.steps = done.update->steps, said.loss = done.update->loss;
        if (options_.most_stale > 0 && age > options_.most_stale) {
          said.missing = concat("its update is ", age, " steps old, at most ", options_.most_stale);
        } else {
          const double share = part_of(done.client);
          scale(*done.update, std::pow(1 + static_cast<double>(age), -options_.staleness), share);
          client_links::expect(link_of(done.client), aggregator_.absorb(sum, *done.update));
          counter_.count(*done.update);
          ++report.clients;
          all += share, report.loss += share * said.loss;
        }
      } catch (const exception& why) {
        if (++failed > options_.failures) throw;
        said.missing = why.what();
        clients_[done.client].failed_in = step_ + 1;
        counter_.forget(done.client); // whether it has read its part nobody knows
      }
      report.asked.push_back(std::move(said));
      report.staleness.push_back(age);
    }
    std::vector<float> moved(*weights_);
    if constexpr (remembers)
      (void)aggregator_.finish(sum, moved, memory_).value();
    else
      (void)aggregator_.finish(sum, moved).value();
    weights_ = std::make_shared<const std::vector<float>>(std::move(moved));
    counter_.age();
    report.loss /= all;
    report.round = ++step_;
    report.bytes_up = bytes_up(), report.bytes_down = bytes_down();
    report.weights = *weights_;
    report.late = links_.late() - late;
    report.seconds = now_;
    return report;
  }

  /// `open`, then so many steps of the weights, each reported.
  void run(std::span<transport* const> clients, const network& model, rounds count,
           const step_observer& observe = {}) {
    require(count.count > 0, fault::argument, "a federation of 0 rounds, needs at least 1");
    const struct ending { // the links are the caller's
      asynchronous_server& server;
      ~ending() {
        if (server.options_.live) server.stop();
      }
    } ends{*this};
    open(clients, model);
    for (std::size_t r = 0; r < count.count; ++r) {
      const auto report = step();
      if (observe) observe(report);
    }
  }
  /// The same for a set of clients in this process.
  template <class Clients, class Where>
    requires requires(const Clients& clients, Where where) { clients.links(), where.threads; }
  void run(const Clients& clients, Where where, rounds count, const step_observer& observe = {}) {
    options_.threads = where.threads;
    run(clients.links(), clients.model(), count, observe);
  }

  /// The global weights, shared group.
  std::span<const float> weights() const noexcept { return *weights_; }
  /// The same as the parameters of a model. Throws N003 for a model of another size.
  template <class Model>
  parameters<float> weights_for(const Model& model) const {
    return detail::parameters_of(model, weights(), "federation");
  }
  const privet::schema& schema() const noexcept { return schema_; }
  /// The sums that the clients scale by; empty when they do not.
  const moments& scaling() const noexcept { return moments_; }
  /// What the aggregator keeps from step to step.
  const auto& aggregator_memory() const noexcept
    requires(remembers)
  {
    return memory_;
  }
  std::uint64_t bytes_up() const noexcept { return bytes_up_ + links_.bytes_up(); }
  std::uint64_t bytes_down() const noexcept { return bytes_down_ + links_.bytes_down(); }

 private:
  struct client {
    std::uint64_t rows = 0;
    std::uint32_t tasks = 0;     ///< begun
    std::uint64_t failed_in = 0; ///< the last step, from 1, in which it failed
    bool busy = false;
  };
  struct task {
    std::uint32_t client = 0, number = 0; ///< from 0; of its own tasks
    std::uint64_t step = 0;               ///< of the weights when it began
    std::uint64_t place = 0;              ///< among all tasks
    double done = 0;
    std::shared_ptr<const std::vector<float>> weights{}; ///< that it begins with,
    std::optional<encoded_numbers> part{};               ///< or what it reads of them
    std::optional<update_type> update{};
    std::exception_ptr failure{};
    bool is_trained() const noexcept { return update || failure; }
  };

  client_links::client link_of(std::uint32_t i) const {
    auto one = links_.clients()[i];
    one.rows = clients_[i].rows;
    return one;
  }
  double part_of(std::uint32_t i) const {
    return options_.by_rows ? static_cast<double>(clients_[i].rows) / static_cast<double>(most_rows_)
                            : 1 / static_cast<double>(options_.buffer);
  }

  void start_tasks() {
    const bool alone = options_.order != turns::asynchronous;
    const std::size_t at_once = alone ? 1 : options_.at_once ? options_.at_once : clients_.size();
    while (busy_ < at_once) {
      const auto turn = whose_turn();
      if (!turn) break;
      const std::uint32_t i = *turn;
      client& one = clients_[i];
      task t{.client = i, .number = one.tasks++, .step = step_, .place = started_++};
      const double takes = seconds(i + 1, t.number, one.rows);
      require(takes >= 0 && std::isfinite(takes), fault::argument, "client ", i + 1, ", task ", t.number,
              " takes ", takes, " seconds, expected a finite number from 0");
      t.done = now_ + takes;
      if (options_.download.whole())
        t.weights = weights_;
      else
        t.part = counter_.read(i, *weights_);
      if (options_.live)
        send(std::move(t));
      else
        under_way_.push_back(std::move(t));
      one.busy = true;
      ++busy_;
    }
  }

  /// A client that failed in this step has its next task after it, unless there is nobody else to wait for.
  std::optional<std::uint32_t> whose_turn() const {
    const std::size_t n = clients_.size();
    if (options_.order == turns::round_robin) return static_cast<std::uint32_t>(started_ % n);
    std::vector<std::uint32_t> all;
    if (options_.order == turns::random) {
      all.resize(n);
      replayable_random source(options_.seed, stream_id(purpose::client_sampling, started_ / n));
      permutation(source, all);
      return all[started_ % n];
    }
    for (const bool again : {false, true}) {
      for (std::uint32_t i = 0; i < n; ++i)
        if (!clients_[i].busy && (again || clients_[i].failed_in != step_ + 1)) all.push_back(i);
      if (!all.empty()) break;
      if (busy_ > 0) return std::nullopt;
    }
    replayable_random source(options_.seed, stream_id(purpose::client_sampling, started_));
    return all[static_cast<std::size_t>(uniform_below(source, all.size()))];
  }

  double seconds(std::uint32_t id, std::uint64_t number, std::uint64_t rows) const {
    if (options_.seconds) return options_.seconds(id, number, rows);
    // Beside the stream that clients are drawn from, which is that of nobody.
    replayable_random source(options_.seed, stream_id(purpose::client_sampling, number, id));
    return std::abs(polar_normal(source));
  }

  task next_done() {
    task first = options_.live ? next_to_answer() : next_by_its_clock();
    clients_[first.client].busy = false;
    --busy_;
    return first;
  }

  void send(task t) {
    workers_[t.client] = std::jthread([this, t = std::move(t)]() mutable {
      try_to_train(t);
      const std::lock_guard hold(lock_);
      under_way_.push_back(std::move(t));
      answered_.notify_one();
    });
  }
  task next_to_answer() {
    std::unique_lock hold(lock_);
    answered_.wait(hold, [&] { return !under_way_.empty(); });
    task first = std::move(under_way_.front());
    under_way_.erase(under_way_.begin());
    first.done = now_;
    return first;
  }
  /// Waits for those that are under way, and forgets them.
  void stop() {
    for (auto& one : workers_) one = {};
    under_way_.clear();
    for (auto& one : clients_) one.busy = false;
    busy_ = 0;
  }

  /// Whoever is done first; those behind may be trained ahead, as what they begin with is settled.
  task next_by_its_clock() {
    const auto before = [](const task& a, const task& b) {
      return a.done < b.done || (a.done == b.done && a.place < b.place);
    };
    std::ranges::sort(under_way_, before);
    if (!under_way_.front().is_trained()) {
      std::vector<task*> now;
      for (auto& t : under_way_)
        if (!t.is_trained() && now.size() < options_.threads) now.push_back(&t);
      for_each_parallel(now.size(), options_.threads, [&](std::size_t k) { try_to_train(*now[k]); });
    }
    task first = std::move(under_way_.front());
    under_way_.erase(under_way_.begin());
    return first;
  }

  void try_to_train(task& t) const {
    try {
      train(t);
    } catch (...) {
      t.failure = std::current_exception();
    }
  }

  /// Asked as the only client of its round, so that its update comes whole.
  void train(task& t) const {
    const auto one = link_of(t.client);
    message order{message_kind::train_part, schema_.hash(), t.number, 0, {}};
    if (t.part) {
      order.body = encode_part(one.rows, *std::exchange(t.part, std::nullopt));
    } else {
      order.kind = message_kind::train;
      order.body = encode_order(one.rows, *t.weights);
      t.weights.reset();
    }
    auto update = client_links::expect(
        one, detail::decode_reply<A>(links_.exchange(one, encode(order), detail::reply_kind<A>, t.number)));
    require(update.schema_hash == schema_.hash(), fault::schema, "client ", one.id,
            ": its update is for another schema");
    require(update.examples == one.rows && update.weight == 1, fault::message, "client ", one.id,
            ": trained on ", update.examples, " rows, of weight ", update.weight, ", it had announced ",
            one.rows, ", of weight 1");
    if constexpr (std::same_as<update_type, encoded_update>)
      require(update.numbers.parameters == parameters_, fault::shape, "client ", one.id,
              ": its update is of ", update.numbers.parameters, " numbers, the model has ", parameters_);
    else
      require(update.shared.size() == parameters_, fault::shape, "client ", one.id, ": its update has ",
              update.shared.size(), " numbers, the model has ", parameters_);
    t.update = std::move(update);
  }

  /// `age` times the update, of this weight in the mean.
  static void scale(client_update& u, double age, double weight) {
    u.weight = weight;
    for (auto& x : u.shared) x = static_cast<float>(age * weight * static_cast<double>(x));
  }
  static void scale(encoded_update& u, double age, double weight) {
    u.weight = weight; // the decoder multiplies by it
    if (age == 1) return;
    for (auto& x : u.numbers.bits == 32 ? u.numbers.values : u.numbers.scales)
      x = static_cast<float>(age * static_cast<double>(x));
  }

  A aggregator_;
  asynchronous_options options_;
  mutable client_links links_;
  privet::schema schema_;
  moments moments_;
  std::uint64_t bytes_up_ = 0, bytes_down_ = 0; ///< before the first task
  std::shared_ptr<const std::vector<float>> weights_ = std::make_shared<const std::vector<float>>();
  [[no_unique_address]] memory memory_;
  std::vector<client> clients_;
  std::uint64_t most_rows_ = 0; ///< of a client
  detail::update_counter counter_;
  std::size_t parameters_ = 0;
  std::uint64_t started_ = 0, step_ = 0;
  double now_ = 0;
  std::size_t busy_ = 0;        ///< tasks that were begun and are not over
  std::vector<task> under_way_; ///< those of a live server are here when they are answered

  std::mutex lock_; ///< of what live tasks share
  std::condition_variable answered_;
  std::vector<std::jthread> workers_; ///< of each client; the last member, so that they end first
};

} // namespace privet
