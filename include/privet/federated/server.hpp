#pragma once
// The server of a federation: compares schemas, agrees on a scaling, sends the model out and
// averages what comes back. It has no call through which a row could leave a client.

#include <privet/core/transport.hpp>
#include <privet/data/standardise.hpp>
#include <privet/federated/fedavg.hpp>
#include <privet/federated/message.hpp>
#include <privet/federated/parallel.hpp>
#include <privet/nn/describe.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/initialise.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
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
  bool standardise = true;           ///< agree on one mean and deviation per column before round 1
  starter start = starter::authority;
  std::uint64_t seed = 0;
  std::size_t threads = 1;           ///< how many clients to wait for at once; never changes the result
};

/// What an observer hears after each round.
struct round_report {
  std::size_t round = 0;          ///< 1 for the first
  std::size_t clients = 0;
  double loss = 0;                ///< mean of the clients' losses, by examples
  std::uint64_t bytes_up = 0;     ///< client to server, since the federation opened
  std::uint64_t bytes_down = 0;
  std::span<const float> weights; ///< the global model, shared group
};
using round_observer = std::function<void(const round_report&)>;

/// Runs a federation over links to its clients. Everything a client says is untrusted; what is
/// wrong with it is thrown as an exception that names the client, and nothing of it is used.
///
/// Memory    O(parameters) for the model and the running sum, whatever the number of clients,
///           and one message for each thread
template <Aggregator A = fedavg>
class aggregation_server {
  static_assert(std::same_as<typename A::trust, trusted>,
                "[P004 clear-update] clear updates would be sent to an aggregator that nobody trusts to see them. Seal "
                "them, mask them, release them with noise, or drop run_by(curious{}). docs/errors/P004.md");

 public:
  explicit aggregation_server(A aggregator = {}, server_options options = {})
      : aggregator_(std::move(aggregator)), options_(options) {}

  /// Compares the clients' schemas, agrees on the scaling, sends the model. Weights start anew, or
  /// from `weights` when a run is taken up again.
  void open(std::span<transport* const> clients, const network& model, std::span<const float> weights = {}) {
    require(!clients.empty(), fault::argument, "a federation needs at least one client");
    clients_.clear();
    for (std::size_t i = 0; i < clients.size(); ++i) clients_.push_back({clients[i], static_cast<std::uint32_t>(i + 1), 0});
    bytes_up_ = bytes_down_ = 0;
    compare_schemas();
    agree_on_scaling();
    send_model(model);
    weights_.assign(weights.begin(), weights.end());
    if (weights_.empty()) first_weights(model);
    require(weights_.size() == model.sizes().shared, fault::shape, "a start from ", weights_.size(), " weights, the model has ",
            model.sizes().shared);
  }

  /// One round; `index` counts from 0 and decides which clients are drawn and what they draw.
  round_report round(std::size_t index) {
    const auto chosen = choose(index);
    std::uint64_t examples = 0;
    for (const auto i : chosen) examples += clients_[i].rows;

    const auto order = encode(make(message_kind::train, index, encode_order(examples, weights_)));
    auto sum = aggregator_.init(weights_.size());
    std::vector<double> losses(chosen.size());
    std::mutex lock;
    for_each_parallel(chosen.size(), options_.threads, [&](std::size_t k) {
      const auto& client = clients_[chosen[k]];
      const auto update = decode_update(exchange(client, order, message_kind::update, index)).value();
      check_update(client, update, examples);
      losses[k] = update.weight * update.loss;
      const std::lock_guard hold(lock);
      expect(client, aggregator_.absorb(sum, update));
    });
    if (auto finished = aggregator_.finish(sum, weights_); !finished) throw exception(finished.error());

    round_report report{index + 1, chosen.size(), 0, bytes_up_, bytes_down_, weights_};
    for (const double loss : losses) report.loss += loss;
    return report;
  }

  /// `open`, then `count` rounds, each reported.
  void run(std::span<transport* const> clients, const network& model, rounds count, const round_observer& observe = {}) {
    require(count.count > 0, fault::argument, "a federation of 0 rounds, needs at least 1");
    open(clients, model);
    for (std::size_t r = 0; r < count.count; ++r) {
      const auto report = round(r);
      if (observe) observe(report);
    }
  }

  std::span<const float> weights() const noexcept { return weights_; }
  /// The columns and classes that all clients agree on, and how they are scaled.
  const privet::schema& schema() const noexcept { return schema_; }
  /// The sums that the clients scale by; empty when they do not.
  const moments& scaling() const noexcept { return moments_; }
  std::uint64_t bytes_up() const noexcept { return bytes_up_; }
  std::uint64_t bytes_down() const noexcept { return bytes_down_; }

 private:
  struct client {
    transport* link;
    std::uint32_t id;
    std::uint64_t rows;
  };

  message make(message_kind kind, std::size_t round, std::vector<std::byte> body) const {
    return {kind, schema_.hash(), static_cast<std::uint32_t>(round), 0, std::move(body)};
  }

  static void expect(const client& c, const status& s) {
    if (!s) throw exception(error{s.error().kind, concat(s.error().message, " (client ", c.id, ')')});
  }

  /// Sends and waits; the reply is the kind asked for, from this client and this round.
  message exchange(const client& c, std::span<const std::byte> request, message_kind kind, std::size_t round) {
    const auto failed = [&](const error& e) { return exception(error{e.kind, concat(e.message, " (client ", c.id, ')')}); };
    if (auto sent = c.link->send(request); !sent) throw failed(sent.error());
    bytes_down_ += request.size();
    const auto bytes = c.link->receive();
    if (!bytes) throw failed(bytes.error());
    bytes_up_ += bytes->size();
    auto reply = decode_message(*bytes);
    if (!reply) throw failed(reply.error());
    if (reply->kind == message_kind::refusal) throw failed(error{fault::message, printable(text_of(reply->body), 1000)});
    require(reply->kind == kind && reply->sender == c.id && reply->round == round, fault::message, "client ", c.id, ": answered kind ",
            static_cast<unsigned>(reply->kind), " of sender ", reply->sender, ", round ", reply->round, "; expected kind ",
            static_cast<unsigned>(kind), ", round ", round);
    return std::move(*reply);
  }

  /// The same request to every client at once; `f(i, reply)` under a lock.
  template <class F>
  void ask_all(const message& m, message_kind reply, F&& f) {
    const auto request = encode(m);
    std::mutex lock;
    for_each_parallel(clients_.size(), options_.threads, [&](std::size_t i) {
      const auto answer = exchange(clients_[i], request, reply, 0);
      const std::lock_guard hold(lock);
      f(i, answer);
    });
  }

  void compare_schemas() {
    schema_ = {};
    std::vector<client_schema> described(clients_.size());
    ask_all(make(message_kind::ask_schema, 0, {}), message_kind::schema,
            [&](std::size_t i, const message& reply) { described[i] = decode_schema(reply.body).value(); });
    rows_ = 0;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (const auto difference = first_difference(described[0].schema, described[i].schema))
        fail(fault::schema, "client 1 and client ", i + 1, " describe their data differently: ", *difference);
      require(described[i].rows > 0, fault::argument, "client ", i + 1, " has no rows");
      clients_[i].rows = described[i].rows;
      rows_ += described[i].rows;
    }
    schema_ = described[0].schema;
  }

  /// Count, sum and sum of squares pass the same fixed-point sum as updates do. The range of 2^38
  /// is that of a column's mean square, so values up to half a million fit.
  void agree_on_scaling() {
    moments_ = {};
    if (options_.standardise) {
      fixed_sum sum(3 * schema_.features.size(), {.fraction_bits = 24});
      ask_all(make(message_kind::ask_moments, 0, encode_number(rows_)), message_kind::moments, [&](std::size_t i, const message& reply) {
        const auto values = decode_numbers<double>(reply.body, "moments").value();
        expect(clients_[i], sum.add(std::span<const double>(values)));
      });
      for (std::size_t i = 0; i < sum.size(); ++i) moments_.values.push_back(sum[i]);
      schema_.scaling = standardiser::from(moments_).fingerprint();
    }
    ask_all(make(message_kind::agree, 0, encode_numbers(std::span<const double>(moments_.values))), message_kind::agreed,
            [&](std::size_t i, const message& reply) {
              require(reply.schema_hash == schema_.hash(), fault::schema, "client ", i + 1, " scales its data differently than agreed");
            });
  }

  void send_model(const network& model) {
    const auto text = json_text(describe(model));
    const auto bytes = bytes_of(text);
    ask_all(make(message_kind::architecture, 0, {bytes.begin(), bytes.end()}), message_kind::ready, [&](std::size_t i, const message& reply) {
      const auto count = decode_number(reply.body, "ready").value();
      require(count == model.sizes().shared, fault::shape, "client ", i + 1, " reads the model as ", count, " parameters, it has ",
              model.sizes().shared);
    });
  }

  void first_weights(const network& model) {
    if (options_.start == starter::authority) {
      const auto first = initialise<float>(model, options_.seed);
      weights_.assign(first.shared().begin(), first.shared().end());
      return;
    }
    const auto request = encode(make(message_kind::ask_start, 0, encode_number(options_.seed)));
    weights_ = decode_numbers<float>(exchange(clients_[0], request, message_kind::start, 0).body, "start").value();
  }

  std::vector<std::uint32_t> choose(std::size_t round) const {
    std::vector<std::uint32_t> all(clients_.size());
    const std::size_t wanted = options_.clients_per_round;
    require(wanted <= all.size(), fault::argument, wanted, " clients per round of ", all.size());
    replayable_random source(options_.seed, stream_id(purpose::client_sampling, round));
    permutation(source, all);
    if (wanted) all.resize(wanted);
    std::ranges::sort(all);
    return all;
  }

  void check_update(const client& c, const client_update& u, std::uint64_t examples) const {
    require(u.schema_hash == schema_.hash(), fault::schema, "client ", c.id, ": its update is for another schema");
    require(u.examples == c.rows, fault::message, "client ", c.id, ": trained on ", u.examples, " rows, it had announced ", c.rows);
    const double weight = static_cast<double>(c.rows) / static_cast<double>(examples);
    require(u.weight == weight, fault::message, "client ", c.id, ": weighs itself ", u.weight, ", its share is ", weight);
  }

  A aggregator_;
  server_options options_;
  std::vector<client> clients_;
  privet::schema schema_;
  moments moments_;
  std::uint64_t rows_ = 0;
  std::vector<float> weights_;
  std::atomic<std::uint64_t> bytes_up_{0}, bytes_down_{0};
};

} // namespace privet
