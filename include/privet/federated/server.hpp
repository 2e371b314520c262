#pragma once
// The server of a federation: compares schemas, agrees on a scaling, sends the model out and
// averages what comes back. It has no call through which a row could leave a client.

#include <privet/core/parallel.hpp>
#include <privet/data/standardise.hpp>
#include <privet/federated/client_links.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/initialise.hpp>

#include <concepts>
#include <functional>
#include <mutex>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

namespace privet {

/// How many rounds to run.
struct rounds {
  std::size_t count = 1;
};

/// Who makes the first weights.
enum class starter {
  authority,   ///< the server, from its seed
  first_client ///< client 1, from the same seed
};

struct server_options {
  std::size_t clients_per_round = 0; ///< drawn anew each round; 0 means all
  /// Updates that make a round. With 0 every client that is asked has to answer, and what is wrong with one ends
  /// the run; otherwise such a client is left out of the round and named in its report.
  std::size_t quorum = 0;
  bool standardise = true;    ///< agree on one mean and deviation per column before round 1
  double least_deviation = 0; ///< of a column: moments with noise may say less, or none at all
  starter start = starter::authority;
  std::uint64_t seed = 0;
  std::size_t threads = 1; ///< how many clients to wait for at once; never changes the result
};

/// What a round had of a client that it asked.
struct client_report {
  std::uint32_t id = 0;
  std::uint64_t rows = 0; ///< as it had announced; they count in this round unless it is missing
  std::uint64_t steps = 0;
  double loss = 0;       ///< mean over its rows; 0 if it sends none
  std::string missing{}; ///< why nothing of it is in this round; empty if its update is
};

/// What an observer hears after each round.
struct round_report {
  std::size_t round = 0;      ///< 1 for the first
  std::size_t clients = 0;    ///< whose updates are in it
  double loss = 0;            ///< mean of the clients' losses, by examples
  std::uint64_t bytes_up = 0; ///< client to server, since the federation opened
  std::uint64_t bytes_down = 0;
  std::span<const float> weights{}; ///< the global model, shared group
  std::uint64_t late = 0;           ///< replies to earlier rounds that came in this one, and were not read
  std::vector<client_report> asked{};
};
using round_observer = std::function<void(const round_report&)>;

namespace detail {

/// The weights of a run as the parameters of a model; its local layers, which every client has of its own, are
/// zero. Throws N003 for a model of another size.
template <class Model>
parameters<float> parameters_of(const Model& model, std::span<const float> weights, std::string_view run) {
  auto p = model.template make_parameters<float>();
  require(p.shared().size() == weights.size(), fault::shape, "the model has ", p.shared().size(),
          " shared parameters, the ", run, ' ', weights.size());
  std::ranges::copy(weights, p.shared().begin());
  return p;
}

/// What an aggregator is sent in answer to an order.
template <class A>
inline constexpr message_kind reply_kind = message_kind::update;
template <class A>
  requires requires { A::reply; }
inline constexpr message_kind reply_kind<A> = A::reply;
template <class A>
result<typename sent_to<A>::type> decode_reply(const message& m) {
  if constexpr (requires { A::decode(m); })
    return A::decode(m);
  else
    return decode_update(m);
}

/// The clients of a round, numbered from 0, ascending: all, or `wanted` of them. `out` keeps its memory.
inline void draw_clients(std::size_t all, std::size_t wanted, std::uint64_t seed, std::size_t round,
                         std::vector<std::uint32_t>& out) {
  require(wanted <= all, fault::argument, wanted, " clients per round of ", all);
  out.resize(all);
  std::iota(out.begin(), out.end(), std::uint32_t{0});
  if (wanted == 0 || wanted == all) return;
  replayable_random source(seed, stream_id(purpose::client_sampling, round));
  shuffle(source, std::span(out));
  out.resize(wanted);
  std::ranges::sort(out);
}

} // namespace detail

/// Runs a federation over links to its clients. Everything a client says is untrusted; what is
/// wrong with it is thrown as an exception that names the client, and nothing of it is used. With a quorum
/// a round does without such clients.
///
/// Memory    O(parameters) for the model and the running sum, whatever the number of clients,
///           and one message for each thread
template <Aggregator A = fedavg>
class aggregation_server {
  static_assert(
      std::same_as<typename A::trust, trusted>,
      "[P004 clear-update] clear updates would be sent to an aggregator that nobody trusts to see them. Seal "
      "them, mask them, release them with noise, or drop run_by(curious{}). docs/errors/P004.md");

  using memory = typename detail::memory_of<A>::type;
  static constexpr bool weighs_classes = requires { requires A::weighs_classes; };
  static constexpr bool remembers = !std::same_as<memory, detail::no_memory>;

 public:
  explicit aggregation_server(A aggregator = {}, server_options options = {})
      : aggregator_(std::move(aggregator)), options_(options) {}

  /// Compares the clients' schemas, agrees on the scaling, sends the model. Weights start anew, or
  /// from `weights` when a run is taken up again; then the clients are not asked for the moments again if
  /// `scaling` holds those that were agreed on: a private client would have to pay for them twice.
  void open(std::span<transport* const> clients, const network& model, std::span<const float> weights = {},
            const moments& scaling = {}) {
    const std::size_t size = model.sizes().shared;
    require(weights.empty() || weights.size() == size, fault::shape, "a start from ", weights.size(),
            " weights, the model has ", size);
    const std::size_t asked = options_.clients_per_round ? options_.clients_per_round : clients.size();
    require(options_.quorum <= asked, fault::argument, "a quorum of ", options_.quorum,
            " updates, a round asks ", asked, " clients");
    links_.open(clients, options_.threads);
    links_.compare_schemas();
    agree_on_scaling(scaling);
    if constexpr (weighs_classes) agree_on_classes();
    links_.send_model(model);
    weights_ = weights.empty() ? first_weights(model) : std::vector<float>(weights.begin(), weights.end());
    if constexpr (remembers) memory_ = aggregator_.remember(size);
  }

  /// One round; `index` counts from 0 and decides which clients are drawn and what they draw. Throws N009 for
  /// fewer updates than the quorum; the weights are then as before, and the round can be tried again.
  round_report round(std::size_t index) {
    std::vector<std::uint32_t> chosen;
    detail::draw_clients(links_.clients().size(), options_.clients_per_round, options_.seed, index, chosen);
    const std::size_t needed = options_.quorum ? options_.quorum : chosen.size();
    if constexpr (requires { aggregator_.least(); }) // before anybody pays for a round that comes to nothing
      require(needed >= aggregator_.least(), fault::argument, "a round of ", needed,
              " clients, this aggregator needs at least ", aggregator_.least());
    std::uint64_t examples = 0;
    for (const auto i : chosen) examples += links_.clients()[i].rows;

    const auto order =
        encode(links_.make(message_kind::train, index, encode_order(examples, weights_, behind())));
    auto sum = aggregator_.init(weights_.size());
    round_report report{.round = index + 1, .asked = std::vector<client_report>(chosen.size())};
    const auto late = links_.late();
    std::vector<double> shares(chosen.size());
    std::mutex lock;
    for_each_parallel(chosen.size(), options_.threads, [&](std::size_t k) {
      const auto& one = links_.clients()[chosen[k]];
      auto& said = report.asked[k] = {.id = one.id, .rows = one.rows};
      try {
        const auto update =
            expect(one, detail::decode_reply<A>(links_.exchange(one, order, detail::reply_kind<A>, index)));
        check_update(one, update, examples);
        const std::lock_guard hold(lock);
        expect(one, aggregator_.absorb(sum, update));
        ++report.clients;
        said.steps = update.steps;
        if constexpr (requires { update.loss; }) said.loss = update.loss, shares[k] = update.weight;
      } catch (const exception& why) {
        if (options_.quorum == 0) throw;
        said.missing = why.what();
      }
    });
    report.bytes_up = bytes_up(), report.bytes_down = bytes_down();
    report.late = links_.late() - late;
    if (report.clients < needed) {
      given_up_ = report;
      const auto first = std::ranges::find_if(report.asked, [](const auto& c) { return !c.missing.empty(); });
      fail(fault::message, "round ", index + 1, ": ", report.clients, " of ", chosen.size(),
           " clients have sent an update, the quorum is ", needed, "; ", first->missing);
    }
    if constexpr (remembers)
      (void)aggregator_.finish(sum, weights_, memory_).value();
    else
      (void)aggregator_.finish(sum, weights_).value();

    double all = 0;
    for (std::size_t k = 0; k < chosen.size(); ++k)
      all += shares[k], report.loss += shares[k] * report.asked[k].loss;
    if (all > 0) report.loss /= all;
    report.weights = weights_;
    return report;
  }

  /// The last round that had fewer updates than the quorum: who was asked, and why they were missing.
  const round_report& given_up() const noexcept { return given_up_; }

  /// `open`, then `count` rounds, each reported.
  void run(std::span<transport* const> clients, const network& model, rounds count,
           const round_observer& observe = {}) {
    require(count.count > 0, fault::argument, "a federation of 0 rounds, needs at least 1");
    open(clients, model);
    for (std::size_t r = 0; r < count.count; ++r) {
      const auto report = round(r);
      if (observe) observe(report);
    }
  }

  /// The same for a set of clients in this process: `server.run(four, in_process{}, rounds{25})`.
  template <class Clients, class Where>
    requires requires(const Clients& clients, Where where) { clients.links(), where.threads; }
  void run(const Clients& clients, Where where, rounds count, const round_observer& observe = {}) {
    options_.threads = where.threads;
    run(clients.links(), clients.model(), count, observe);
  }

  /// The global weights, shared group.
  std::span<const float> weights() const noexcept { return weights_; }
  /// The same as the parameters of a model. Throws N003 for a model of another size.
  template <class Model>
  parameters<float> weights_for(const Model& model) const {
    return detail::parameters_of(model, weights_, "federation");
  }
  /// The columns and classes that all clients agree on, and how they are scaled.
  const privet::schema& schema() const noexcept { return links_.schema(); }
  /// The sums that the clients scale by; empty when they do not.
  const moments& scaling() const noexcept { return moments_; }
  /// How many rows each client has announced.
  std::vector<std::uint64_t> rows() const {
    std::vector<std::uint64_t> all;
    for (const auto& c : links_.clients()) all.push_back(c.rows);
    return all;
  }
  /// What the aggregator keeps from round to round, such as the state of its optimiser; a run that is taken up
  /// again puts it back after `open`.
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
  std::uint64_t bytes_up() const noexcept { return links_.bytes_up(); }
  std::uint64_t bytes_down() const noexcept { return links_.bytes_down(); }

 private:
  using client = client_links::client;

  template <class V>
  static V expect(const client& c, result<V> r) {
    return client_links::expect(c, std::move(r));
  }

  /// Count, sum and sum of squares pass the same fixed-point sum as updates do.
  void agree_on_scaling(const moments& known) {
    moments_ = known;
    const auto& features = links_.schema().features;
    if (!known.values.empty()) {
      require(known.values.size() == 3 * features.size(), fault::state, "a scaling of ", known.columns(),
              " columns, the clients have ", features.size());
      links_.agree_on(standardiser::from(moments_).fingerprint());
    } else if (options_.standardise) {
      fixed_sum sum(3 * features.size(), moments_encoding);
      links_.ask(links_.clients(), links_.make(message_kind::ask_moments, 0, encode_number(links_.rows())),
                 message_kind::moments, [&](const client& c, const message& reply) {
                   const auto values = expect(c, decode_numbers<double>(reply.body, "moments"));
                   if (values.size() == sum.size()) expect(c, check_moments(values, features));
                   expect(c, sum.add(std::span<const double>(values)));
                 });
      for (std::size_t i = 0; i < sum.size(); ++i) moments_.values.push_back(sum[i]);
      if (options_.least_deviation > 0) moments_.raise_deviations_to(options_.least_deviation);
      links_.agree_on(standardiser::from(moments_).fingerprint());
    }
    links_.ask(links_.clients(),
               links_.make(message_kind::agree, 0, encode_numbers(std::span<const double>(moments_.values))),
               message_kind::agreed, [&](const client& c, const message& reply) {
                 require(reply.schema_hash == links_.schema().hash(), fault::schema, "client ", c.id,
                         " scales its data differently than agreed");
               });
  }

  /// What part of all rows each class has; clients weigh themselves by it.
  void agree_on_classes() {
    fixed_sum sum(links_.schema().classes.size());
    links_.ask(links_.clients(), links_.make(message_kind::ask_classes, 0, encode_number(links_.rows())),
               message_kind::classes, [&](const client& c, const message& reply) {
                 const auto values = expect(c, decode_numbers<double>(reply.body, "classes"));
                 expect(c, sum.add(std::span<const double>(values)));
               });
    std::vector<double> shares;
    for (std::size_t i = 0; i < sum.size(); ++i) shares.push_back(sum[i]);
    links_.ask(links_.clients(),
               links_.make(message_kind::agree_classes, 0, encode_numbers(std::span<const double>(shares))),
               message_kind::agreed_classes, [](const client&, const message&) {});
  }

  std::vector<float> first_weights(const network& model) {
    if (options_.start == starter::authority) {
      const auto first = initialise<float>(model, options_.seed);
      return {first.shared().begin(), first.shared().end()};
    }
    const client& c = links_.clients()[0];
    const auto request = encode(links_.make(message_kind::ask_start, 0, encode_number(options_.seed)));
    auto first =
        expect(c, decode_numbers<float>(links_.exchange(c, request, message_kind::start, 0).body, "start"));
    require(first.size() == model.sizes().shared, fault::shape, "client ", c.id, " starts from ",
            first.size(), " weights, the model has ", model.sizes().shared);
    return first;
  }

  /// What the aggregator has for the clients behind the weights.
  std::span<const float> behind() const {
    if constexpr (requires { aggregator_.sent(memory_); })
      return aggregator_.sent(memory_);
    else
      return {};
  }

  template <class Update>
  void check_update(const client& c, const Update& u, [[maybe_unused]] std::uint64_t examples) const {
    require(u.schema_hash == links_.schema().hash(), fault::schema, "client ", c.id,
            ": its update is for another schema");
    require(u.examples == c.rows, fault::message, "client ", c.id, ": trained on ", u.examples,
            " rows, it had announced ", c.rows);
    if constexpr (requires { u.weight; }) {
      const double weight = static_cast<double>(c.rows) / static_cast<double>(examples);
      require(weighs_classes ? u.weight > 0 && u.weight <= weight : u.weight == weight, fault::message,
              "client ", c.id, ": weighs itself ", u.weight, ", its share is ", weight);
    }
  }

  A aggregator_;
  server_options options_;
  client_links links_;
  moments moments_;
  std::vector<float> weights_;
  [[no_unique_address]] memory memory_;
  round_report given_up_;
};

} // namespace privet
