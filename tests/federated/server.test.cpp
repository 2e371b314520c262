#include "support/catch.hpp"
#include "support/federation.hpp"
#include "support/heap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

using namespace privet;

namespace {

/// A client that costs next to nothing: it learns nothing and sends zeros.
class idle_client : public transport {
 public:
  explicit idle_client(std::uint32_t id) : id_(id) {}
  std::size_t trained() const { return trained_; }

  status send(std::span<const std::byte> bytes) override {
    const auto m = decode_message(bytes).value();
    kind_ = m.kind, round_ = m.round, hash_ = m.schema_hash;
    if (kind_ == message_kind::agree && !m.body.empty()) fail(fault::argument, "the test wants no scaling");
    if (kind_ == message_kind::train) all_ = decode_order(m.body).value().examples;
    return nothing{};
  }
  result<std::vector<std::byte>> receive() override {
    const auto reply = [&](message_kind kind, std::vector<std::byte> body) {
      return encode({kind, hash_, round_, id_, std::move(body)});
    };
    switch (kind_) {
      case message_kind::ask_schema:
        return reply(message_kind::schema, encode_schema({{{"a", "b"}, {"x", "y"}, ""}, 5}));
      case message_kind::agree:
        return reply(message_kind::agreed, {});
      case message_kind::architecture:
        return reply(message_kind::ready, encode_number(big().sizes().shared));
      default:
        break;
    }
    ++trained_;
    client_update u;
    u.examples = 5, u.weight = 5. / static_cast<double>(all_), u.shared.resize(big().sizes().shared);
    return reply(message_kind::update, encode_update(u));
  }

  static network big() { return network(sequential{dense<2, 2000>{}, dense<2000, 2>{}}); }

 private:
  std::uint32_t id_, round_ = 0;
  message_kind kind_{};
  std::uint64_t hash_ = 0, all_ = 1;
  std::size_t trained_ = 0;
};

struct idle_federation {
  explicit idle_federation(std::size_t n) {
    clients.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
      ends.push_back(&clients.emplace_back(static_cast<std::uint32_t>(i + 1)));
  }
  std::vector<idle_client> clients;
  std::vector<transport*> ends;
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const exception& e) {
    return e.what();
  }
  FAIL("no exception");
  return {};
}

/// Three offices, the second of which sends what `change` makes of its replies.
struct with_a_liar {
  explicit with_a_liar(test::altered::change_function change) : all(test::model_of_tests) {
    auto data = test::four_data_sets();
    all.add(test::honest(1, data[0]));
    all.add(std::make_unique<test::altered>(test::honest(2, data[1]), std::move(change)));
    all.add(test::honest(3, data[2]));
  }
  offices all;
};

std::vector<std::byte> rewritten(std::span<const std::byte> reply,
                                 const std::function<void(message&)>& change) {
  auto m = decode_message(reply).value();
  change(m);
  return encode(m);
}
std::vector<std::byte> with_update(std::span<const std::byte> reply,
                                   const std::function<void(client_update&)>& change) {
  return rewritten(reply, [&](message& m) {
    auto u = decode_update(m).value();
    change(u);
    m.body = encode_update(u);
  });
}

struct lie {
  const char* name;
  std::function<std::vector<std::byte>(std::vector<std::byte>)> tell;
  const char* expected; ///< in the sentence, besides the client
};

std::vector<lie> lies_of_any_kind() {
  return {
      {"another kind",
       [](auto r) {
         return rewritten(r, [](message& m) {
           m.kind = m.kind == message_kind::ready ? message_kind::agreed : message_kind::ready;
         });
       },
       "answered kind"},
      {"another round", [](auto r) { return rewritten(r, [](message& m) { m.round += 1; }); }, "round"},
      {"another sender", [](auto r) { return rewritten(r, [](message& m) { m.sender = 3; }); },
       "of sender 3"},
      {"nothing", [](auto) { return std::vector<std::byte>(); }, "[N004"},
      {"noise", [](auto) { return std::vector<std::byte>(1000, std::byte{0x77}); }, "[N004"},
      {"damaged",
       [](auto r) {
         return r.back() ^= std::byte{4}, r[24] ^= std::byte{r.size() == message_header_bytes}, r;
       },
       "[N009"},
      {"cut short", [](auto r) { return r.pop_back(), r; }, "[N00"},
      {"a huge claim", [](auto r) { return store_little(std::uint64_t{1} << 60, r.data() + 24), r; },
       "1152921504606846976 bytes follow"},
      {"another version", [](auto r) { return r[4] = std::byte{9}, r; }, "format version 9"},
      {"a refusal that plays with the terminal",
       [](auto r) {
         return rewritten(r, [](message& m) {
           m.kind = message_kind::refusal,
           m.body = test::copy(bytes_of("no \x1b[31mway\r\n\x07" + std::string(5000, 'y')));
         });
       },
       "no ?[31mway???yyy"},
  };
}

std::vector<lie> lies_of_an_update() {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  auto all = lies_of_any_kind();
  const auto add = [&](const char* name, std::function<void(client_update&)> change, const char* expected) {
    all.push_back({name, [change](auto r) { return with_update(r, change); }, expected});
  };
  add(
      "NaN", [=](auto& u) { u.shared[5] = nan; }, "number 5 is nan");
  add(
      "infinity", [=](auto& u) { u.shared[56] = -inf; }, "number 56 is -inf");
  add(
      "out of range", [](auto& u) { u.shared[0] = 1e30f; }, "[N008");
  add(
      "too short", [](auto& u) { u.shared.pop_back(); }, "of 57 numbers: got 56");
  add(
      "too long", [](auto& u) { u.shared.push_back(0); }, "of 57 numbers: got 58");
  add(
      "empty", [](auto& u) { u.shared.clear(); }, "got 0");
  add(
      "twice the weight", [](auto& u) { u.weight *= 2; }, "weighs itself");
  add(
      "no weight", [](auto& u) { u.weight = 0; }, "weighs itself");
  add(
      "negative weight", [](auto& u) { u.weight = -u.weight; }, "weighs itself");
  add(
      "NaN weight", [=](auto& u) { u.weight = nan; }, "weight nan");
  add(
      "NaN loss", [=](auto& u) { u.loss = nan; }, "loss nan");
  add(
      "more rows than announced", [](auto& u) { u.examples += 1; }, "it had announced 30");
  all.push_back({"a body of seven bytes",
                 [](auto r) { return rewritten(r, [](message& m) { m.body.resize(7); }); }, "[N009"});
  all.push_back({"half a number", [](auto r) { return rewritten(r, [](message& m) { m.body.pop_back(); }); },
                 "no whole number"});
  all.push_back({"another schema",
                 [](auto r) { return rewritten(r, [](message& m) { m.schema_hash ^= 1; }); },
                 "another schema"});
  return all;
}

bool fits_a_terminal(std::string_view text) {
  return text.size() < 1500 &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

} // namespace

TEST_CASE("server: memory does not grow with the number of clients") {
  const auto peak = [](std::size_t clients) {
    idle_federation all(clients);
    const auto model = idle_client::big();
    const std::size_t before = test::heap::alive;
    test::heap::most_alive = before;
    aggregation_server server{fedavg{}, {.standardise = false}};
    server.run(all.ends, model, rounds{2});
    return test::heap::most_alive - before;
  };
  const std::size_t few = peak(2), many = peak(200);
  const std::size_t one_update = idle_client::big().sizes().shared * sizeof(float);
  CHECK(few > one_update);        // or the counter does not count
  CHECK(many < few + one_update); // one more update kept somewhere would show
  CHECK(many < few + 200 * 200);  // and each client costs less than 200 bytes
}

TEST_CASE("a message that claims 2^60 bytes, or numbers that are not there, allocates next to nothing") {
  const auto peer = test::honest(1, test::four_data_sets()[0]);
  auto bytes = encode({message_kind::train, 0, 0, 0, encode_order(1, std::vector<float>(100))});
  store_little(std::uint64_t{1} << 60, bytes.data() + 24);
  const auto text = json_text(describe(sequential{dense<>{5, 1 << 24}, relu{}, dense<>{1 << 24, 3}}));
  const auto huge = encode({message_kind::architecture, 0, 0, 0, test::copy(bytes_of(text))});
  (void)peer->answer(encode({message_kind::agree, 0, 0, 0, {}}));
  for (const auto& request : {bytes, huge}) {
    const std::size_t before = test::heap::alive;
    test::heap::most_alive = before;
    const auto reply = decode_message(peer->answer(request)).value();
    const std::size_t most = test::heap::most_alive - before;
    CHECK(reply.kind == message_kind::refusal);
    CHECK(most < 20'000);
  }
}

TEST_CASE("server: the clients of a round are drawn from the seed, each as often as any other") {
  const auto drawn = [](std::uint64_t seed, std::size_t count, std::size_t threads) {
    idle_federation all(10);
    aggregation_server server{
        fedavg{}, {.clients_per_round = 3, .standardise = false, .seed = seed, .threads = threads}};
    server.run(all.ends, idle_client::big(), rounds{count},
               [](const round_report& r) { REQUIRE(r.clients == 3); });
    std::vector<std::size_t> trained;
    for (const auto& c : all.clients) trained.push_back(c.trained());
    return trained;
  };
  CHECK(drawn(1, 7, 1) == drawn(1, 7, 3));
  std::set<std::vector<std::size_t>> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed) seen.insert(drawn(seed, 3, 1));
  CHECK(seen.size() > 5);
  // 200 rounds draw each client 60 times, give or take 6.5; six of these are 39 (false alarm below 1e-7).
  for (const auto times : drawn(2, 200, 1)) CHECK(std::abs(static_cast<double>(times) - 60) < 39);
}

TEST_CASE("server: more clients per round than there are, no clients and no rounds are refused") {
  idle_federation all(2);
  aggregation_server greedy{fedavg{}, {.clients_per_round = 3, .standardise = false}};
  CHECK_THROWS_AS(greedy.run(all.ends, idle_client::big(), rounds{1}), exception);
  aggregation_server server{fedavg{}, {.standardise = false}};
  CHECK_THROWS_WITH(server.run(all.ends, idle_client::big(), rounds{0}),
                    "[N001 argument] a federation of 0 rounds, needs at least 1");
  CHECK_THROWS_WITH(server.run({}, idle_client::big(), rounds{1}),
                    "[N001 argument] a federation needs at least one client");
  const std::vector<float> three(3);
  CHECK_THROWS_AS(server.open(all.ends, idle_client::big(), three), exception);
}

TEST_CASE("server: the first client and the authority start from the same weights") {
  const auto run = [](starter start) {
    offices all{test::model_of_tests, test::four_data_sets(), test::local_of_tests, 11};
    aggregation_server server{fedavg{}, {.start = start, .seed = 11}};
    server.open(all.links(), all.model());
    const auto first = test::copy_weights(server.weights());
    CHECK(std::ranges::equal(first, initialise(test::model_of_tests, 11).shared()));
    server.round(0);
    CHECK_FALSE(std::ranges::equal(first, server.weights()));
    return test::copy_weights(server.weights());
  };
  CHECK(run(starter::authority) == run(starter::first_client));
}

TEST_CASE("server: a run taken up again from saved weights ends in the same bits") {
  const auto opened = [](std::span<const float> weights, std::size_t from, std::size_t to) {
    offices all{test::model_of_tests, test::four_data_sets(), test::local_of_tests};
    aggregation_server server{fedavg{}, {.clients_per_round = 3}};
    server.open(all.links(), all.model(), weights);
    for (std::size_t r = from; r < to; ++r) server.round(r);
    return test::copy_weights(server.weights());
  };
  CHECK(opened(opened({}, 0, 2), 2, 5) == opened({}, 0, 5));
}

TEST_CASE("server: the report counts clients, bytes and the loss") {
  offices all{test::model_of_tests, test::four_data_sets(), test::local_of_tests};
  aggregation_server server;
  std::vector<double> losses;
  std::uint64_t up = 0;
  server.run(all.links(), all.model(), rounds{6}, [&](const round_report& r) {
    losses.push_back(r.loss);
    CHECK(r.round == losses.size());
    CHECK(r.clients == 4);
    CHECK(r.weights.size() == 57);
    if (up) CHECK(r.bytes_up - up == 4 * (message_header_bytes + 32 + 57 * sizeof(float)));
    up = r.bytes_up;
  });
  CHECK(losses.back() < losses.front());
}

TEST_CASE(
    "server: schemas that differ are refused with the first column and both sides, fit for a terminal") {
  for (const std::size_t threads : {1u, 3u}) {
    auto data = test::four_data_sets();
    data[2].schema.features[3] = "speed\x1b[2J";
    data[2].schema.features[4] = "also other";
    offices all{test::model_of_tests, data, test::local_of_tests};
    aggregation_server server{fedavg{}, {.threads = threads}};
    CHECK(message_of([&] { server.open(all.links(), all.model()); }) ==
          "[N005 schema] client 1 and client 3 describe their data differently: column 4: 'column 4' here, "
          "'speed?[2J' there");
  }
  auto data = test::four_data_sets();
  std::swap(data[1].schema.classes[0], data[1].schema.classes[1]);
  offices all{test::model_of_tests, data, test::local_of_tests};
  aggregation_server server;
  CHECK(message_of([&] {
          server.open(all.links(), all.model());
        }).find("client 2 describe their data differently: class 1: 'class 1' here, 'class 2' there") !=
        std::string::npos);
}

TEST_CASE(
    "server: every client ends up with the scaling that fits the pooled rows, and without missing values") {
  auto data = test::four_data_sets();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (auto& part : data) {
    for (std::size_t r = 0; r < part.rows(); ++r) {
      auto x = row(part.features, r);
      x[1] *= 1e-4f;             // small numbers
      x[2] = 1e6f + 1000 * x[2]; // large ones, far from zero
      x[3] = 0.3f;               // constant
      if (r % 4 == 1) x[0] = nan;
      if (&part == &data[2]) x[4] = nan; // missing altogether in one office
    }
  }
  dataset<float> pooled{data[0].schema, make_matrix<float>(60, 5), {}, {}};
  for (std::size_t i = 0, at = 0; i < 4; ++i)
    for (std::size_t r = 0; r < data[i].rows(); ++r, ++at) {
      std::ranges::copy(row(data[i].features, r), row(pooled.features, at).begin());
      pooled.labels.push_back(data[i].labels[r]);
    }
  const auto expected = standardiser::fit(pooled);

  using the_office = office<decltype(test::local_of_tests.recipe())>;
  offices all(test::model_of_tests);
  std::vector<const the_office*> members;
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto member = std::make_unique<the_office>(i + 1, data[i], test::local_of_tests.recipe(), 0);
    members.push_back(member.get());
    all.add(std::move(member));
  }
  aggregation_server server{fedavg{}, {.threads = 2}};
  server.run(all.links(), all.model(), rounds{1});

  const auto agreed = standardiser::from(server.scaling());
  for (std::size_t c = 0; c < 5; ++c) {
    CAPTURE(c);
    CHECK(agreed.mean(c) == Approx(expected.mean(c)).epsilon(1e-6).margin(1e-6 * expected.deviation(c)));
    CHECK(agreed.deviation(c) == Approx(expected.deviation(c)).epsilon(1e-6));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(members[i]->data().schema == server.schema());
    CHECK(members[i]->data().schema.scaling == agreed.fingerprint());
    CHECK(members[i]->data().missing() == 0);
    CHECK(members[i]->data().features == agreed.apply(data[i]).features);
  }
  CHECK(all.size() == 4);
}

TEST_CASE("server: the agreed scaling is the same for any number of threads and order of clients") {
  const auto agreed = [](std::vector<dataset<float>> data, std::size_t threads) {
    offices all{test::model_of_tests, std::move(data), test::local_of_tests};
    aggregation_server server{fedavg{}, {.threads = threads}};
    server.open(all.links(), all.model());
    return server.schema().scaling;
  };
  auto data = test::four_data_sets();
  const auto expected = agreed(data, 1);
  CHECK(expected.starts_with("standardised "));
  CHECK(agreed(data, 3) == expected);
  std::ranges::reverse(data);
  CHECK(agreed(data, 2) == expected);
}

TEST_CASE("server: without scaling the rows stay as they are, and offices may serve a second federation") {
  offices all{test::model_of_tests, test::four_data_sets(), test::local_of_tests};
  aggregation_server plain{fedavg{}, {.standardise = false}};
  plain.run(all.links(), all.model(), rounds{2});
  CHECK(plain.schema().scaling.empty());
  const auto first = test::copy_weights(plain.weights());
  plain.run(all.links(), all.model(), rounds{2});
  CHECK(std::ranges::equal(plain.weights(), first));

  aggregation_server scaling, again;
  scaling.run(all.links(), all.model(), rounds{1});
  CHECK(message_of([&] { again.open(all.links(), all.model()); }).find("scaled already") !=
        std::string::npos);
}

TEST_CASE("server: a client that lies in a round is named, and the weights stay as they were") {
  for (const auto& l : lies_of_an_update())
    for (const std::size_t threads : {1u, 3u}) {
      CAPTURE(l.name, threads);
      bool lying = true;
      with_a_liar three([&](const message& request, std::vector<std::byte> reply) {
        return lying && request.kind == message_kind::train && request.round == 1 ? l.tell(std::move(reply))
                                                                                  : reply;
      });
      aggregation_server server{fedavg{}, {.threads = threads}};
      server.open(three.all.links(), three.all.model());
      server.round(0);
      const auto before = test::copy_weights(server.weights());
      const auto why = message_of([&] { server.round(1); });
      CAPTURE(why);
      CHECK(why.find("client 2") != std::string::npos);
      CHECK(why.find(l.expected) != std::string::npos);
      CHECK(fits_a_terminal(why));
      CHECK(std::ranges::equal(server.weights(), before));

      lying = false; // and the round can be done again
      server.round(1);
      with_a_liar honest({});
      aggregation_server undisturbed;
      undisturbed.run(honest.all.links(), honest.all.model(), rounds{2});
      CHECK(std::ranges::equal(server.weights(), undisturbed.weights()));
    }
}

TEST_CASE("server: the update of an earlier round is not taken for this one's") {
  std::vector<std::byte> old;
  with_a_liar three([&](const message& request, std::vector<std::byte> reply) {
    if (request.kind != message_kind::train) return reply;
    if (old.empty()) old = reply;
    return old;
  });
  aggregation_server server;
  server.open(three.all.links(), three.all.model());
  server.round(0);
  const auto before = test::copy_weights(server.weights());
  const auto why = message_of([&] { server.round(1); });
  // It is passed over, and nothing else comes.
  CHECK(why == "[N009 message] in-process link: nothing was sent that could be answered (client 2)");
  CHECK(std::ranges::equal(server.weights(), before));
}

TEST_CASE("server: a client that lies before the first round is named") {
  for (const auto kind :
       {message_kind::ask_schema, message_kind::ask_moments, message_kind::agree, message_kind::architecture})
    for (const auto& l : lies_of_any_kind()) {
      CAPTURE(l.name, static_cast<unsigned>(kind));
      with_a_liar three([&](const message& request, std::vector<std::byte> reply) {
        return request.kind == kind ? l.tell(std::move(reply)) : reply;
      });
      aggregation_server server;
      const auto why = message_of([&] { server.open(three.all.links(), three.all.model()); });
      CAPTURE(why);
      CHECK(why.find("client 2") != std::string::npos);
      CHECK(fits_a_terminal(why));
      CHECK(server.weights().empty());
    }
}

TEST_CASE("server: wrong bodies before the first round are refused by name") {
  const auto told = [](message_kind kind, std::vector<std::byte> body) {
    with_a_liar three([&](const message& request, std::vector<std::byte> reply) {
      return request.kind == kind ? rewritten(reply, [&](message& m) { m.body = body; }) : reply;
    });
    aggregation_server server;
    const auto why = message_of([&] { server.open(three.all.links(), three.all.model()); });
    CAPTURE(why);
    CHECK(why.find("client 2") != std::string::npos);
    CHECK(fits_a_terminal(why));
    return why;
  };
  const auto schema = test::four_data_sets()[1].schema;
  (void)told(message_kind::ask_schema, {});
  CHECK(told(message_kind::ask_schema, encode_schema({schema, 0})).find("has 0 rows") != std::string::npos);
  (void)told(message_kind::ask_schema, encode_schema({schema, std::uint64_t(-1)}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  (void)told(message_kind::ask_moments, {});
  (void)told(message_kind::ask_moments, encode_numbers(std::span<const double>(std::vector<double>(14))));
  (void)told(message_kind::ask_moments,
             encode_numbers(std::span<const double>(std::vector<double>(15, nan))));
  (void)told(message_kind::ask_moments,
             encode_numbers(std::span<const double>(std::vector<double>(15, 1e300))));
  CHECK(told(message_kind::architecture, encode_number(56))
            .find("reads the model as 56 parameters, it has 57") != std::string::npos);
  (void)told(message_kind::architecture, {});
}

TEST_CASE("server: moments that no rows can have end the federation before it starts") {
  with_a_liar three([&](const message& request, std::vector<std::byte> reply) {
    return request.kind != message_kind::ask_moments ? reply : rewritten(reply, [&](message& m) {
      m.body = encode_numbers(std::span<const double>(std::vector<double>(15, -9)));
    });
  });
  aggregation_server server;
  CHECK(message_of([&] { server.open(three.all.links(), three.all.model()); }).find("no rows have these") !=
        std::string::npos);
}

TEST_CASE("server: a first client that starts from nonsense is named") {
  for (const auto& weights : {std::vector<float>(56), std::vector<float>{},
                              std::vector<float>(57, std::numeric_limits<float>::infinity())}) {
    offices all(test::model_of_tests);
    all.add(std::make_unique<test::altered>(
        test::honest(1, test::four_data_sets()[0]),
        [&](const message& request, std::vector<std::byte> reply) {
          return request.kind != message_kind::ask_start ? reply : rewritten(reply, [&](message& m) {
            m.body = encode_numbers(std::span<const float>(weights));
          });
        }));
    aggregation_server server{fedavg{}, {.start = starter::first_client}};
    CHECK(message_of([&] { server.open(all.links(), all.model()); }).find("client 1") != std::string::npos);
    CHECK(server.weights().empty());
  }
}

TEST_CASE("server: a link that fails is named by its client") {
  struct broken : transport {
    broken(transport& inner, int sends, int receives) : inner_(&inner), sends_(sends), receives_(receives) {}
    status send(std::span<const std::byte> m) override {
      return sends_-- > 0 ? inner_->send(m) : status(error::of(fault::message, "link: nobody there"));
    }
    result<std::vector<std::byte>> receive() override {
      if (receives_-- > 0) return inner_->receive();
      return error::of(fault::message, "link: no answer in time");
    }
    transport* inner_;
    int sends_, receives_;
  };
  for (int calls = 0; calls < 6; ++calls)
    for (const bool sending : {true, false}) {
      offices all{test::model_of_tests, test::four_data_sets(), test::local_of_tests};
      broken link(*all.links()[3], sending ? calls : 100, sending ? 100 : calls);
      std::vector<transport*> ends(all.links().begin(), all.links().end());
      ends[3] = &link;
      aggregation_server server;
      std::vector<float> before;
      const auto why = message_of([&] {
        server.open(ends, all.model());
        for (std::size_t r = 0; r < 2; ++r) before = test::copy_weights(server.weights()), server.round(r);
      });
      CHECK(why ==
            concat("[N009 message] link: ", sending ? "nobody there" : "no answer in time", " (client 4)"));
      CHECK(std::ranges::equal(server.weights(), before));
    }
}
