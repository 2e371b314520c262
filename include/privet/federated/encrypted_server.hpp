#pragma once
// The server of an encrypted federation: it passes on what clients encrypted, checks what it can and reads
// nothing. The model never comes by.

#include <privet/crypto/paillier_evaluator.hpp>
#include <privet/federated/client_links.hpp>
#include <privet/federated/encrypted_update.hpp>
#include <privet/federated/phase_times.hpp>
#include <privet/federated/server.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace privet {

/// What a server of an encrypted federation holds: no secret.
struct encrypted_server_keys {
  paillier_public_key key;
  enrolment offices; ///< client i is the office number i - 1
};

struct encrypted_server_options {
  bool standardise = true; ///< one mean and deviation for each column, from an encrypted sum
  std::uint64_t seed = 0;  ///< of the first weights, which all clients make themselves
  std::size_t threads = 1; ///< how many clients to wait for at once; never changes the result
};

/// Runs rounds of federated averaging among clients that share a key it does not have. Everything a client
/// says is untrusted; what is wrong with it is thrown as an exception that names the client. Clients trust the
/// server as little: they check the terms of every sum themselves (`encrypted_office`).
///
/// Privacy   sees schemas, numbers of rows, and ciphertexts; docs/paillier.md
/// Memory    the encrypted updates of one round, all of them: clients check the sum by them
/// Test      tests/federated/encrypted_federation.test.cpp
template <Aggregator A = federated_average<curious>, class Arch = simd::default_arch>
class encrypted_server {
  static_assert(
      A::linear,
      "[P010 non-linear-sum] this aggregator compares updates with each other, and encrypted ones can only "
      "be added: take fedavg, or clear updates at a trusted server. docs/errors/P010.md");

 public:
  /// `keys` is what the authority deals to the server: `dealt.server`.
  template <class Keys>
  encrypted_server(A, Keys keys, encrypted_server_options options = {})
      : keys_(open_to_all(std::move(keys))), options_(options), evaluator_(keys_.key) {}

  /// Compares the clients' schemas, has them scale their columns alike, sends the model's architecture and what
  /// the first weights come from. Throws N001 unless every enrolled office has a link.
  void open(std::span<transport* const> clients, const network& model) {
    require(clients.size() == keys_.offices.size(), fault::argument, "encrypted federation: ", clients.size(),
            " links, ", keys_.offices.size(), " offices are enrolled");
    links_.open(clients, options_.threads);
    links_.compare_schemas();
    next_sum_ = 0;
    if (options_.standardise)
      add_up();
    else
      ask_all(message_kind::agree, 0, {}, message_kind::agreed, [](const auto&, const auto&) {});
    links_.send_model(model);
    ask_all(message_kind::begin, 0, encode_number(options_.seed), message_kind::begun,
            [](const auto&, const auto&) {});
  }

  /// One round; `index` counts from 0. The report holds no weights and no loss: the server has none.
  round_report round(std::size_t index) {
    add_up();
    return {.round = index + 1,
            .clients = links_.clients().size(),
            .bytes_up = bytes_up(),
            .bytes_down = bytes_down()};
  }

  void run(std::span<transport* const> clients, const network& model, rounds count,
           const round_observer& observe = {}) {
    require(count.count > 0, fault::argument, "a federation of 0 rounds, needs at least 1");
    open(clients, model);
    for (std::size_t r = 0; r < count.count; ++r) {
      const auto report = round(r);
      if (observe) observe(report);
    }
  }

  const privet::schema& schema() const noexcept { return links_.schema(); }
  std::uint64_t bytes_up() const noexcept { return links_.bytes_up(); }
  std::uint64_t bytes_down() const noexcept { return links_.bytes_down(); }
  /// Seconds of this thread in which it checked what clients sent.
  double checking_seconds() const noexcept { return checking_; }

 private:
  using client = client_links::client;

  template <class Keys>
  static encrypted_server_keys open_to_all(Keys keys) {
    constexpr bool no_secret = std::same_as<Keys, encrypted_server_keys>;
    static_assert(
        no_secret,
        "[P005 secret-at-server] this would hand the server a secret key or a share of one, with which it "
        "opens what it should only pass on: give it the public part, dealt.server. docs/errors/P005.md");
    if constexpr (no_secret)
      return keys;
    else
      fail(fault::argument, "encrypted_server: a secret");
  }

  template <class F>
  void ask_all(message_kind kind, std::size_t number, std::vector<std::byte> body, message_kind reply,
               F&& f) {
    links_.ask(links_.clients(), links_.make(kind, number, std::move(body)), reply, f);
  }

  /// One sum: every client encrypts, every client sees what all have encrypted and gives its share of opening
  /// it, every client opens it.
  void add_up() {
    const std::size_t number = next_sum_++;
    std::vector<sum_member> members;
    for (const auto& c : links_.clients()) members.push_back({c.id, c.rows});

    std::vector<std::vector<std::byte>> updates(members.size()), boxes(members.size());
    ask_all(message_kind::ask_sum, number, encode_members(members), message_kind::encrypted,
            [&](const client& c, const message& reply) { updates[c.id - 1] = reply.body; });
    check(updates, number);
    ask_all(message_kind::ask_share, number, encode_pieces(updates), message_kind::opening_share,
            [&](const client& c, const message& reply) { boxes[c.id - 1] = reply.body; });
    ask_all(message_kind::open, number, encode_pieces(boxes), message_kind::opened,
            [](const auto&, const auto&) {});
  }

  /// A client that sent nonsense is named here, before all the others look at it.
  void check(std::span<const std::vector<std::byte>> updates, std::size_t number) {
    const thread_stopwatch watch;
    std::optional<packed_header> first;
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const auto& c = links_.clients()[i];
      const auto update = client_links::expect(c, claimed_update(updates[i], keys_.offices));
      require(update.header.client == c.id && update.header.round == number, fault::message, "client ", c.id,
              ": sent an update of client ", update.header.client, " for sum ", update.header.round,
              ", expected its own for ", number);
      if (first) (void)client_links::expect(c, check_same_sum(*first, update.header));
      first = update.header;
      (void)client_links::expect(c, read_ciphertexts(evaluator_, update));
    }
    checking_ += watch.seconds();
  }

  encrypted_server_keys keys_;
  encrypted_server_options options_;
  paillier_evaluator<Arch> evaluator_;
  client_links links_;
  std::size_t next_sum_ = 0;
  double checking_ = 0;
};
template <class A, class Keys>
encrypted_server(A, Keys, encrypted_server_options = {}) -> encrypted_server<A>;

} // namespace privet
