#pragma once
// A federation without messages: virtual clients train one after another, on a few threads, over one data set.

#include <privet/core/parallel.hpp>
#include <privet/federated/offices.hpp>
#include <privet/federated/server.hpp>
#include <privet/federated/simulation_clients.hpp>
#include <privet/federated/simulation_sum.hpp>
#include <privet/federated/unreliable.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace privet {

struct simulation_options {
  std::size_t clients_per_round =
      0;                  ///< drawn anew each round, as `aggregation_server` draws them; 0 means all
  std::size_t quorum = 0; ///< updates that make a round; with 0 every client that is asked has to answer
  unreliable world{};     ///< who drops out, when
  std::function<fate(std::uint32_t client, std::uint64_t round, std::uint64_t rows)>
      fate_of{}; ///< in place of `world`
  std::uint64_t seed = 0;
  std::size_t threads = 1; ///< never changes the result
};

namespace detail {

/// An aggregator that only adds up what it is sent, as `federated_average` does.
template <class A>
concept AddsUp = A::linear && requires { typename A::state; } &&
                 std::same_as<typename A::state, typename federated_average<typename A::trust>::state>;

} // namespace detail

/// Rounds of federated training of up to 2^32 - 1 clients that exist only while they train: the weights, to the bit,
/// that an `aggregation_server` without standardising reaches with `offices` of the same recipe, rows, seed and
/// failures.
///
/// Clients   keep nothing from round to round, so every parameter of the model has to be shared
/// Threads   take clients from one list, those with the most rows first. Updates are added as fixed-point integers, by
///           whatever thread, in whatever order: the same bits on any number of threads
/// Memory    for each thread a training step, one set of weights, one update and one partial sum; 4 bytes for each
///           client there is, to draw from, and a `client_report` for each that is asked. Rules that keep updates
///           (federated/kept_updates.hpp) need 4 bytes for each weight of each client of a round
/// Cost      nothing is allocated for a client once a thread has had one of as many rows. What gets lost is not
///           computed: a client that drops out costs nothing, whenever it does
/// Errors    as `aggregation_server::round`
/// Privacy   none: it sees all rows and all updates, and everything is drawn from the seed
/// Test      tests/federated/simulation.test.cpp
template <class Model, class Chain, Loss LossType = softmax_cross_entropy, Aggregator A = fedavg,
          class Arch = simd::default_arch>
  requires std::same_as<typename detail::sent_to<A>::type, client_update>
class simulation {
  static_assert(
      !requires { requires A::weighs_classes; } &&
          !requires(const A& a, typename detail::memory_of<A>::type& kept) { a.sent(kept); },
      "a simulation trains by a local_recipe: scaffold and class_aware need offices of their own kind");
  using memory = typename detail::memory_of<A>::type;
  static constexpr bool remembers = !std::same_as<memory, detail::no_memory>;
  static constexpr bool adds_up = detail::AddsUp<A>;
  using state = decltype(std::declval<const A&>().init(0));

 public:
  /// Refers to `data` for as long as it lives. Throws as `check_rows`; N001 for no clients, no epochs, an empty batch,
  /// no threads, more clients in a round or in a quorum than there are; N011 for a model with parameters or buffers
  /// that are not shared.
  simulation(const Model& model, const dataset<float>& data, virtual_clients clients,
             const local_recipe<Chain, LossType>& local, A aggregator = {}, simulation_options options = {})
      : data_(data),
        schema_hash_(data.schema.hash()),
        clients_(std::move(clients)),
        epochs_(local.epochs),
        batch_(local.batch),
        aggregator_(std::move(aggregator)),
        options_(std::move(options)) {
    const std::size_t n = clients_.count, asked = options_.clients_per_round ? options_.clients_per_round : n;
    require(n > 0 && n <= std::numeric_limits<std::uint32_t>::max(), fault::argument, "a simulation of ", n,
            " clients, expected 1 to 2^32 - 1");
    require(asked <= n, fault::argument, asked, " clients per round of ", n);
    require(options_.quorum <= asked, fault::argument, "a quorum of ", options_.quorum,
            " updates, a round asks ", asked, " clients");
    require(epochs_ > 0, fault::argument, "local training of 0 epochs, needs at least 1");
    require(batch_ > 0, fault::argument, "local training in batches of 0 rows");
    require(options_.threads > 0, fault::argument, "a simulation on 0 threads, needs at least 1");
    options_.world.check();
    const group_sizes sizes = model.sizes();
    require(sizes.local == 0 && sizes.buffers == 0, fault::unsupported, "a simulation of a model with ",
            sizes.local, " local parameters and ", sizes.buffers,
            " buffers: its clients keep nothing from round to round");
    check_rows(model, data.view(), std::span<const std::int32_t>(data.labels));
    restore(initialise<float>(model, options_.seed).shared());
    if constexpr (remembers) memory_ = aggregator_.remember(sizes.shared);
    for (std::size_t t = 0; t < options_.threads; ++t)
      workers_.push_back(
          std::make_unique<worker>(model, local, aggregator_.init(adds_up ? sizes.shared : 0)));
  }

  simulation(const Model&, dataset<float>&&, virtual_clients, const local_recipe<Chain, LossType>&, A = {},
             simulation_options = {}) = delete; ///< the rows would be gone

  /// One round; `index` counts from 0 and decides which clients are drawn and what they draw. There are
  /// no messages, so its bytes are 0.
  round_report round(std::size_t index) {
    detail::draw_clients(clients_.count, options_.clients_per_round, options_.seed, index, chosen_);
    const std::size_t needed = options_.quorum ? options_.quorum : chosen_.size();
    if constexpr (requires { aggregator_.least(); })
      require(needed >= aggregator_.least(), fault::argument, "a round of ", needed,
              " clients, this aggregator needs at least ", aggregator_.least());
    round_report report{.round = index + 1, .asked = std::vector<client_report>(chosen_.size())};
    current now{.index = index, .examples = call(index, report), .sum = aggregator_.init(weights_.size())};
    check_quorum(report);
    std::atomic<std::size_t> next{0};
    for_each_parallel(std::min(workers_.size(), order_.size()), workers_.size(), [&](std::size_t t) {
      worker& w = *workers_[t];
      begin(w);
      for (std::size_t i = next++; i < order_.size(); i = next++) serve(w, report.asked[order_[i]], now);
      if constexpr (adds_up) hand_on(w, now);
    });
    if (now.failure) std::rethrow_exception(now.failure);
    close(report, now);
    return report;
  }

  /// So many rounds from the first, each reported.
  void run(rounds count, const round_observer& observe = {}) {
    require(count.count > 0, fault::argument, "a federation of 0 rounds, needs at least 1");
    for (std::size_t r = 0; r < count.count; ++r) {
      const auto report = round(r);
      if (observe) observe(report);
    }
  }

  /// The global weights.
  std::span<const float> weights() const noexcept { return weights_; }
  /// The same as the parameters of a model. Throws N003 for a model of another size.
  parameters<float> weights_for(const Model& model) const {
    return detail::parameters_of(model, weights_, "federation");
  }
  /// Takes a run up again, or starts from other weights. Throws N003 for another number of them.
  void restore(std::span<const float> weights) {
    require(weights_.empty() || weights.size() == weights_.size(), fault::shape, "a start from ",
            weights.size(), " weights, the model has ", weights_.size());
    weights_.assign(weights.begin(), weights.end());
  }
  /// What the aggregator keeps from round to round.
  const auto& aggregator_memory() const noexcept
    requires(remembers)
  {
    return memory_;
  }
  /// Throws N003 for the memory of a model or of an aggregator of another size.
  void restore_aggregator(memory kept)
    requires(remembers)
  {
    (void)aggregator_.check(kept, weights_.size()).value();
    memory_ = std::move(kept);
  }

 private:
  /// What a thread needs, whatever the number of clients.
  struct alignas(64) worker { // a cache line is nobody else's
    worker(const Model& model, const local_recipe<Chain, LossType>& local,
           [[maybe_unused]] const state& empty)
        : step(model, local.loss, local.steps),
          optimiser(step.init()),
          weights(model.template make_parameters<float>()),
          partial([&] {
            if constexpr (adds_up)
              return detail::exact_partial_sum(empty.updates.size(), empty.updates.encoding(),
                                               empty.weight.encoding());
            else
              return nothing{};
          }()) {
      update.shared.resize(weights.shared().size());
    }

    training_step<Model, LossType, Chain, float, Arch> step;
    chain_state<float> optimiser;
    parameters<float> weights;
    client_update update;
    [[no_unique_address]] std::conditional_t<adds_up, detail::exact_partial_sum, nothing> partial;
    std::vector<std::uint32_t> rows, order; ///< of a client; its rows in the order of an epoch
  };

  /// A round that is under way.
  struct current {
    std::size_t index;
    std::uint64_t examples; ///< of all that were asked
    state sum;
    std::mutex lock{};
    std::uint32_t failed = std::numeric_limits<std::uint32_t>::max(); ///< the first client by number
    std::exception_ptr failure{};
  };

  /// Says who takes part in what order, and returns the rows of all that were asked.
  std::uint64_t call(std::size_t round, round_report& report) {
    std::uint64_t examples = 0;
    order_.clear();
    for (std::size_t k = 0; k < chosen_.size(); ++k) {
      auto& one = report.asked[k];
      one.id = chosen_[k] + 1;
      one.rows = clients_.rows(one.id);
      require(one.rows > 0 && one.rows <= std::numeric_limits<std::uint32_t>::max(), fault::argument,
              "client ", one.id, " has ", one.rows, " rows, expected 1 to 2^32 - 1");
      examples += one.rows;
      const fate what = fate_of(one, round);
      if (what == fate::drops_before) one.missing = "before training";
      if (what == fate::drops_during) one.missing = "in training";
      if (what == fate::drops_after) one.missing = "after training";
      if (what == fate::late) one.missing = "late";
      if (one.missing.empty()) order_.push_back(static_cast<std::uint32_t>(k));
    }
    const auto rows = [&](std::uint32_t k) { return report.asked[k].rows; };
    if (!std::ranges::is_sorted(order_, std::ranges::greater(), rows))
      std::ranges::sort(order_, std::ranges::greater(), rows); // or the last one has a thread wait for it
    return examples;
  }

  fate fate_of(const client_report& one, std::size_t round) const {
    if (options_.fate_of) return options_.fate_of(one.id, round, one.rows);
    return options_.world.of(one.id, round, one.rows);
  }

  void begin(worker& w) {
    if constexpr (adds_up) w.partial.clear(); // of a round that was given up
    if constexpr (Chain::anchored) w.step.anchor(weights_);
  }

  /// Trains a client, and adds its update to the round.
  void serve(worker& w, client_report& one, current& now) {
    take_rows(w, one);
    try {
      train(w, one, now);
      add(w, one, now);
    } catch (const exception& why) {
      if (options_.quorum > 0) return void(one.missing = why.what());
      const std::lock_guard hold(now.lock);
      if (one.id < now.failed) now.failed = one.id, now.failure = std::current_exception();
    }
  }

  void take_rows(worker& w, const client_report& one) const {
    w.rows.resize(one.rows);
    clients_.fill(one.id, w.rows);
    for (const auto row : w.rows)
      if (row >= data_.rows())
        fail(fault::argument, "client ", one.id, ": row ", row, " of a data set with ", data_.rows(),
             " rows");
  }

  /// As `local_training` over a copy of these rows.
  void train(worker& w, client_report& one, const current& now) {
    const std::uint64_t batches = (one.rows - 1) / batch_ + 1,
                        stream = stream_id(purpose::batches, 0, one.id);
    std::ranges::copy(weights_, w.weights.shared().begin());
    std::ranges::fill(w.optimiser.slots, 0.0f);
    w.optimiser.bound = w.step.chain().first_bound();
    w.optimiser.step = now.index * (one.steps = epochs_ * batches);
    const std::uint64_t coins = client_coins(options_.seed, one.id);
    double loss = 0;
    for (std::size_t e = 0; e < epochs_; ++e) {
      w.order.assign(w.rows.begin(), w.rows.end());
      auto source = epoch_source(options_.seed, stream, now.index * epochs_ + e); // as `shuffled_batches`
      shuffle(source, std::span(w.order));
      for (std::size_t from = 0; from < w.order.size(); from += batch_) {
        const auto batch =
            std::span<const std::uint32_t>(w.order).subspan(from, std::min(batch_, w.order.size() - from));
        loss += w.step(w.weights, w.optimiser, data_.view(), data_.labels.data(), batch,
                       static_cast<double>(batch.size()), coins);
      }
    }
    one.loss = loss / static_cast<double>(one.rows * epochs_);
    require(std::isfinite(one.loss), fault::range, "client ", one.id, ": training diverged, its loss is ",
            one.loss, "; a lower learning rate may help");
  }

  /// The update as an office sends it, into the sum.
  void add(worker& w, const client_report& one, current& now) {
    client_update& u = w.update;
    u.sender = one.id, u.schema_hash = schema_hash_, u.examples = one.rows, u.steps = one.steps,
    u.loss = one.loss;
    u.weight = static_cast<double>(one.rows) / static_cast<double>(now.examples);
    const std::span<const float> after = std::as_const(w.weights).shared();
    for (std::size_t i = 0; i < after.size(); ++i)
      u.shared[i] =
          static_cast<float>(u.weight * (static_cast<double>(weights_[i]) - static_cast<double>(after[i])));
    if constexpr (adds_up) {
      const double largest = detail::largest_magnitude(u.shared);
      if (w.partial.takes(largest)) {
        if (!w.partial.has_room(largest)) hand_on(w, now);
        return w.partial.add(u.shared, u.weight, largest);
      }
    }
    const std::lock_guard hold(now.lock);
    if (const auto added = aggregator_.absorb(now.sum, u); !added)
      throw exception(error{added.error().kind, concat(added.error().message, " (client ", one.id, ')')});
  }

  void hand_on(worker& w, current& now) {
    w.partial.hand_on([&](std::span<const double> sums, std::span<const double> weight) {
      const std::lock_guard hold(now.lock);
      (void)now.sum.updates.add(sums).value();
      (void)now.sum.weight.add(weight).value();
    });
  }

  /// Moves the weights, and fills in the report.
  void close(round_report& report, current& now) {
    check_quorum(report);
    if constexpr (remembers)
      (void)aggregator_.finish(now.sum, weights_, memory_).value();
    else
      (void)aggregator_.finish(now.sum, weights_).value();
    double all = 0;
    for (const auto& one : report.asked)
      if (one.missing.empty()) {
        const double share = static_cast<double>(one.rows) / static_cast<double>(now.examples);
        all += share, report.loss += share * one.loss, ++report.clients;
      }
    report.loss /= all;
    report.weights = weights_;
  }

  void check_quorum(const round_report& report) const {
    const auto lost = [](const client_report& one) { return !one.missing.empty(); };
    const std::size_t asked = report.asked.size(), needed = options_.quorum ? options_.quorum : asked,
                      there = asked - static_cast<std::size_t>(std::ranges::count_if(report.asked, lost));
    if (there >= needed) return;
    const auto first = std::ranges::find_if(report.asked, lost);
    fail(fault::message, "round ", report.round, ": ", there, " of ", asked,
         " clients have sent an update, the quorum is ", needed, "; client ", first->id, ": ",
         first->missing);
  }

  const dataset<float>& data_;
  std::uint64_t schema_hash_;
  virtual_clients clients_;
  std::size_t epochs_, batch_;
  A aggregator_;
  simulation_options options_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::vector<float> weights_;
  [[no_unique_address]] memory memory_;
  std::vector<std::uint32_t> chosen_; ///< of a round, from 0
  std::vector<std::uint32_t> order_;  ///< places in the report of those that train
};

template <class Model, class Chain, class LossType>
simulation(const Model&, const dataset<float>&, virtual_clients, local_recipe<Chain, LossType>)
    -> simulation<Model, Chain, LossType>;
template <class Model, class Chain, class LossType, class A>
simulation(const Model&, const dataset<float>&, virtual_clients, local_recipe<Chain, LossType>, A)
    -> simulation<Model, Chain, LossType, A>;
template <class Model, class Chain, class LossType, class A>
simulation(const Model&, const dataset<float>&, virtual_clients, local_recipe<Chain, LossType>, A,
           simulation_options) -> simulation<Model, Chain, LossType, A>;

} // namespace privet
