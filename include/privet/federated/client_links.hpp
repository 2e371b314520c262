#pragma once
// A server's links to its clients: what it asks of all of them, whatever it does with their answers.

#include <privet/core/parallel.hpp>
#include <privet/core/transport.hpp>
#include <privet/federated/message.hpp>
#include <privet/nn/describe.hpp>

#include <atomic>
#include <limits>
#include <mutex>
#include <utility>

namespace privet {

/// Links, and the facts that all clients agree on. Everything a client says is untrusted; what is wrong with
/// it is thrown as an exception that names the client.
class client_links {
 public:
  struct client {
    transport* link;
    std::uint32_t id; ///< from 1
    std::uint64_t rows;
  };

  /// `threads` is how many clients to wait for at once. Throws N001 for no clients.
  void open(std::span<transport* const> ends, std::size_t threads) {
    require(!ends.empty(), fault::argument, "a federation needs at least one client");
    clients_.clear();
    for (std::size_t i = 0; i < ends.size(); ++i)
      clients_.push_back({ends[i], static_cast<std::uint32_t>(i + 1), 0});
    threads_ = threads;
    bytes_up_ = bytes_down_ = late_ = 0;
    schema_ = {};
    rows_ = 0;
  }

  std::span<const client> clients() const noexcept { return clients_; }
  const privet::schema& schema() const noexcept { return schema_; }
  std::uint64_t rows() const noexcept { return rows_; }
  std::uint64_t bytes_up() const noexcept { return bytes_up_; }
  std::uint64_t bytes_down() const noexcept { return bytes_down_; }
  /// Replies to rounds that were over when they came, since `open`; none of them was read.
  std::uint64_t late() const noexcept { return late_; }
  /// The scaling that clients will name from now on.
  void agree_on(std::string scaling) { schema_.scaling = std::move(scaling); }

  message make(message_kind kind, std::size_t round, std::vector<std::byte> body) const {
    return {kind, schema_.hash(), static_cast<std::uint32_t>(round), 0, std::move(body)};
  }

  /// The value, or an exception that names the client.
  template <class V>
  static V expect(const client& c, result<V> r) {
    if (!r) throw exception(error{r.error().kind, concat(r.error().message, " (client ", c.id, ')')});
    return *std::move(r);
  }

  /// Sends and waits; the reply is the kind asked for, from this client and this round. What it still sends
  /// of earlier rounds, late or a second time, is passed over.
  message exchange(const client& c, std::span<const std::byte> request, message_kind kind,
                   std::size_t round) {
    expect(c, c.link->send(request));
    bytes_down_ += request.size();
    auto reply = receive(c);
    for (std::size_t passed = 0; reply.kind == kind && reply.sender == c.id && reply.round < round;
         ++passed) {
      require(passed < most_late, fault::message, "client ", c.id, ": ", most_late,
              " replies to earlier rounds and none to round ", round);
      ++late_;
      reply = receive(c);
    }
    if (reply.kind == message_kind::refusal)
      (void)expect(c, status(error{fault::message, printable(text_of(reply.body), 1000)}));
    require(reply.kind == kind && reply.sender == c.id && reply.round == round, fault::message, "client ",
            c.id, ": answered kind ", static_cast<unsigned>(reply.kind), " of sender ", reply.sender,
            ", round ", reply.round, "; expected kind ", static_cast<unsigned>(kind), ", round ", round);
    return reply;
  }

  /// The same request to these clients at once; `f(client, reply)` under a lock.
  template <class F>
  void ask(std::span<const client> whom, const message& m, message_kind reply, F&& f) {
    const auto request = encode(m);
    std::mutex lock;
    for_each_parallel(whom.size(), threads_, [&](std::size_t i) {
      const auto answer = exchange(whom[i], request, reply, m.round);
      const std::lock_guard hold(lock);
      f(whom[i], answer);
    });
  }

  /// Client 1 first, and then each other one against it, so that no more than two are held at once.
  void compare_schemas() {
    const auto question = make(message_kind::ask_schema, 0, {});
    const std::span<client> all(clients_);
    const auto hear = [&](const client& c, const message& reply) {
      auto described = expect(c, decode_schema(reply.body));
      require(described.rows > 0 && described.rows <= std::numeric_limits<std::uint32_t>::max(),
              fault::argument, "client ", c.id, " has ", described.rows, " rows, expected 1 to 2^32 - 1");
      rows_ += clients_[c.id - 1].rows = described.rows;
      return std::move(described.schema);
    };
    ask(all.first(1), question, message_kind::schema,
        [&](const client& c, const message& reply) { schema_ = hear(c, reply); });
    ask(all.subspan(1), question, message_kind::schema, [&](const client& c, const message& reply) {
      if (const auto difference = first_difference(schema_, hear(c, reply)))
        fail(fault::schema, "client 1 and client ", c.id,
             " describe their data differently: ", printable(*difference, 1000));
    });
  }

  /// All clients build the model that they are described.
  void send_model(const network& model) {
    const auto text = json_text(describe(model));
    const auto bytes = bytes_of(text);
    ask(clients_, make(message_kind::architecture, 0, {bytes.begin(), bytes.end()}), message_kind::ready,
        [&](const client& c, const message& reply) {
          const auto count = expect(c, decode_number(reply.body, "ready"));
          require(count == model.sizes().shared, fault::shape, "client ", c.id, " reads the model as ", count,
                  " parameters, it has ", model.sizes().shared);
        });
  }

 private:
  /// Late replies of one client that are passed over for one that is not: enough for honest ones.
  static constexpr std::size_t most_late = 8;

  message receive(const client& c) {
    const auto bytes = expect(c, c.link->receive());
    bytes_up_ += bytes.size();
    return expect(c, decode_message(bytes));
  }

  std::vector<client> clients_;
  std::size_t threads_ = 1;
  privet::schema schema_;
  std::uint64_t rows_ = 0;
  std::atomic<std::uint64_t> bytes_up_{0}, bytes_down_{0}, late_{0};
};

} // namespace privet
