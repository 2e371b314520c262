#include "support/catch.hpp"
#include "support/federation.hpp"

#include <algorithm>
#include <limits>

using namespace privet;
using Catch::Matchers::Contains;

namespace {

using the_office = office<decltype(test::local_of_tests.recipe())>;

/// Speaks to one office as a server would, or as one should not.
struct conversation {
  explicit conversation(dataset<float> data = test::rows_of(20, 5, 3, 1))
      : peer(1, std::move(data), test::local_of_tests.recipe(), 7) {}

  message ask(message_kind kind, std::vector<std::byte> body = {}, std::uint32_t round = 0) {
    return decode_message(peer.answer(encode({kind, peer.data().schema.hash(), round, 0, std::move(body)})))
        .value();
  }
  std::string refused(message_kind kind, std::vector<std::byte> body = {}, std::uint32_t round = 0) {
    const auto reply = ask(kind, std::move(body), round);
    REQUIRE(reply.kind == message_kind::refusal);
    REQUIRE(reply.round == round);
    return std::string(text_of(reply.body));
  }

  static std::vector<std::byte> model() {
    return test::copy(bytes_of(json_text(describe(test::model_of_tests))));
  }
  std::vector<std::byte> scaling() {
    return encode_numbers(std::span<const double>(moments::of(peer.data()).values));
  }
  static std::vector<float> weights() {
    return test::copy_weights(initialise(test::model_of_tests, 3).shared());
  }
  std::vector<std::byte> order() const { return encode_order(40, weights()); }

  void ready() {
    REQUIRE(ask(message_kind::agree, scaling()).kind == message_kind::agreed);
    REQUIRE(ask(message_kind::architecture, model()).kind == message_kind::ready);
  }

  the_office peer;
};

bool finds(std::span<const std::byte> haystack, std::span<const std::byte> needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(), needle.end()) != haystack.end();
}

} // namespace

TEST_CASE("office: it answers in order, and says who it is, for which round and schema") {
  conversation c;
  const auto schema = c.ask(message_kind::ask_schema);
  CHECK(schema.kind == message_kind::schema);
  CHECK(schema.sender == 1);
  CHECK(decode_schema(schema.body).value().rows == 20);
  CHECK(decode_schema(schema.body).value().schema == c.peer.data().schema);

  const auto sums =
      decode_numbers<double>(c.ask(message_kind::ask_moments, encode_number(40)).body, "moments").value();
  const auto expected = moments::of(c.peer.data()).values;
  REQUIRE(sums.size() == expected.size());
  for (std::size_t i = 0; i < sums.size(); ++i) CHECK(sums[i] == Approx(expected[i] / 40));

  const auto before = c.peer.data().schema.hash();
  const auto agreed = c.ask(message_kind::agree, c.scaling());
  CHECK(agreed.kind == message_kind::agreed);
  CHECK(agreed.schema_hash != before);
  CHECK(decode_number(c.ask(message_kind::architecture, c.model()).body, "ready").value() == 57);
  CHECK(decode_numbers<float>(c.ask(message_kind::ask_start, encode_number(3)).body, "start").value() ==
        c.weights());

  const auto update = c.ask(message_kind::train, c.order(), 6);
  CHECK(update.kind == message_kind::update);
  CHECK(update.round == 6);
  const auto u = decode_update(update).value();
  CHECK(u.examples == 20);
  CHECK(u.weight == 0.5);
  CHECK(u.steps == 10);
  CHECK(u.loss > 0);
}

TEST_CASE(
    "office: what it sends is its share of the change that the same training makes in a model of static "
    "type") {
  conversation c;
  c.ready();
  const auto u = decode_update(c.ask(message_kind::train, c.order(), 2)).value();

  const auto recipe = test::local_of_tests.recipe();
  local_training<std::remove_const_t<decltype(test::model_of_tests)>, softmax_cross_entropy,
                 decltype(recipe.steps)>
      training(test::model_of_tests, {}, recipe.steps, recipe.epochs, recipe.batch, 20, 7, 1);
  auto p = initialise(test::model_of_tests, 3);
  training.run(p, c.peer.data().view(), c.peer.data().labels, 2);
  const auto start = c.weights();
  REQUIRE(u.shared.size() == start.size());
  for (std::size_t i = 0; i < start.size(); ++i)
    REQUIRE(u.shared[i] == static_cast<float>(0.5 * (static_cast<double>(start[i]) - p.shared()[i])));
}

TEST_CASE("office: the same round asked again, after others too, gets the same answer") {
  conversation c;
  c.ready();
  const auto first = c.ask(message_kind::train, c.order(), 3);
  (void)c.ask(message_kind::train, c.order(), 1);
  (void)c.refused(message_kind::train, encode_order(40, std::vector<float>(3)), 3);
  CHECK(c.ask(message_kind::train, c.order(), 3).body == first.body);
  CHECK(c.ask(message_kind::train, c.order(), 4).body != first.body);
}

TEST_CASE("office: messages out of order are refused") {
  conversation c;
  CHECK(c.refused(message_kind::train, c.order()).find("before it was sent a model") != std::string::npos);
  CHECK(c.refused(message_kind::ask_start, encode_number(1)).find("before it was sent a model") !=
        std::string::npos);
  CHECK(c.refused(message_kind::architecture, c.model()).find("before a scaling was agreed on") !=
        std::string::npos);
  for (const auto kind :
       {message_kind::schema, message_kind::moments, message_kind::agreed, message_kind::ready,
        message_kind::start, message_kind::update, message_kind::refusal, static_cast<message_kind>(0),
        static_cast<message_kind>(13), static_cast<message_kind>(65535)})
    CHECK(c.refused(kind).find("none that a client answers") != std::string::npos);
  c.ready();
  CHECK(c.refused(message_kind::ask_moments, encode_number(40)).find("scaled already") != std::string::npos);
  CHECK(c.refused(message_kind::agree, c.scaling()).find("scaled already") != std::string::npos);
}

TEST_CASE("office: a scaling that is refused leaves the rows as they were") {
  conversation c;
  const auto rows = c.peer.data().features;
  const auto inf = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& bad :
       {std::vector<double>(3), std::vector<double>(14), std::vector<double>(18), std::vector<double>(15, -1),
        std::vector<double>(15, inf)}) {
    (void)c.refused(message_kind::agree, encode_numbers(std::span<const double>(bad)));
    REQUIRE(c.peer.data().features == rows);
    REQUIRE(c.peer.data().rows() == 20);
  }
  c.ready();
  const auto scaled = c.peer.data().features;
  (void)c.refused(message_kind::agree, c.scaling());
  CHECK(c.peer.data().features == scaled);
  CHECK(c.ask(message_kind::train, c.order()).kind == message_kind::update); // still at work
}

TEST_CASE("office: training orders that do not fit are refused with both sides") {
  conversation c;
  c.ready();
  CHECK(c.refused(message_kind::train, encode_order(40, std::vector<float>(56))) ==
        "[N003 shape] office 1: got 56 weights, the model has 57");
  CHECK(c.refused(message_kind::train, encode_order(19, c.weights())) ==
        "[N009 message] office 1: has 20 rows, the round 19");
  (void)c.refused(message_kind::train, encode_order(0, c.weights()));
  (void)c.refused(message_kind::train, {});
  (void)c.refused(message_kind::train, c.order(),
                  std::numeric_limits<std::uint32_t>::max()); // no such round: the streams end
  auto weights = c.weights();
  weights[5] = std::numeric_limits<float>::quiet_NaN();
  (void)c.refused(message_kind::train, encode_order(40, weights));
  const auto other_schema =
      decode_message(c.peer.answer(encode({message_kind::train, 1, 0, 0, c.order()}))).value();
  CHECK(other_schema.kind == message_kind::refusal);
  (void)c.refused(message_kind::ask_start, {});
}

TEST_CASE("office: a model that it cannot use is refused, and the one it has stays in use") {
  conversation c;
  c.ready();
  const auto refused = [&](std::string_view text) {
    return c.refused(message_kind::architecture, test::copy(bytes_of(text)));
  };
  CHECK(refused("").starts_with("[N004"));
  CHECK(refused("{").starts_with("[N004"));
  CHECK(refused(std::string(100'000, '[')).starts_with("[N004"));
  CHECK(refused(json_text(describe(sequential{dense<4, 3>{}}))) ==
        "[N003 shape] the model reads rows 4 wide, got 5");
  for (const std::size_t classes : {2u, 4u})
    CHECK(refused(json_text(describe(sequential{dense<>{5, classes}}))) ==
          concat("[N003 shape] office 1: the model knows ", classes, " classes, the data has 3"));
  CHECK(c.ask(message_kind::train, c.order()).kind == message_kind::update); // still at work
  CHECK(c.ask(message_kind::architecture, c.model()).kind == message_kind::ready);
  CHECK(c.ask(message_kind::train, c.order()).kind == message_kind::update);
}

TEST_CASE(
    "office: any message cut short or with a flipped bit is answered with a refusal, never with an "
    "exception") {
  conversation c;
  c.ready();
  const std::vector<std::vector<std::byte>> requests{
      encode({message_kind::ask_schema, 0, 0, 0, {}}),
      encode({message_kind::ask_moments, 0, 0, 0, encode_number(40)}),
      encode({message_kind::agree, 0, 0, 0, c.scaling()}),
      encode({message_kind::architecture, 0, 0, 0, c.model()}),
      encode({message_kind::ask_start, 0, 0, 0, encode_number(1)}),
      encode({message_kind::train, c.peer.data().schema.hash(), 0, 0, c.order()})};
  const auto is_refused = [&](std::span<const std::byte> bytes) {
    const auto reply = decode_message(c.peer.answer(bytes));
    return reply && reply->kind == message_kind::refusal && reply->body.size() < 2000;
  };
  for (const auto& request : requests) {
    for (std::size_t n = 0; n < request.size(); ++n) REQUIRE(is_refused(std::span(request).first(n)));
    for (std::size_t i = 0; i < 8 * request.size(); ++i) {
      auto damaged = request;
      damaged[i / 8] ^= std::byte{1} << (i % 8);
      REQUIRE(is_refused(damaged));
    }
  }
}

TEST_CASE("office: bodies that are wrong behind an honest header are answered, never thrown out") {
  conversation c;
  c.ready();
  for (const auto kind : {message_kind::ask_schema, message_kind::ask_moments, message_kind::agree,
                          message_kind::architecture, message_kind::ask_start, message_kind::train})
    for (const auto& good : {encode_number(40), c.model(), c.order()})
      for (std::size_t i = 0; i < good.size(); ++i)
        for (const int flip : {0x01, 0x80, 0xff}) {
          auto body = good;
          body[i] ^= static_cast<std::byte>(flip);
          REQUIRE(decode_message(c.peer.answer(encode({kind, c.peer.data().schema.hash(), 0, 0, body}))));
          body.resize(i);
          REQUIRE(decode_message(c.peer.answer(encode({kind, c.peer.data().schema.hash(), 0, 0, body}))));
        }
}

TEST_CASE("office: no answer of any kind holds the values of a row") {
  // One row among several holds one number that stands nowhere else, in every column.
  constexpr float mark = 1234.5678f;
  auto data = test::rows_of(20, 5, 3, 1);
  std::ranges::fill(row(data.features, 11), mark);
  conversation c(std::move(data));
  std::vector<std::vector<std::byte>> replies;
  const auto hear = [&](message_kind kind, std::vector<std::byte> body = {}) {
    replies.push_back(c.peer.answer(encode({kind, c.peer.data().schema.hash(), 0, 0, std::move(body)})));
  };
  const auto hear_all = [&] {
    for (unsigned kind = 0; kind < 20; ++kind)
      for (const auto& body :
           {std::vector<std::byte>{}, encode_number(20), encode_number(40), c.model(), c.order()})
        hear(static_cast<message_kind>(kind), body);
  };
  std::vector<float> marks;
  const auto remember = [&] { // as they were read, and as they are scaled
    for (const float x : row(c.peer.data().features, 11)) marks.push_back(x);
  };
  remember();
  hear_all(); // before a scaling is agreed on; `agree` with an empty body is among them
  hear(message_kind::agree, c.scaling());
  remember();
  hear_all();
  CHECK(marks[5] != mark);

  const float shown[] = {0, mark};
  CHECK(finds(std::as_bytes(std::span(shown)), std::as_bytes(std::span(&mark, 1)))); // the search can find
  std::size_t updates = 0, sums = 0;
  for (const auto& reply : replies) {
    const auto kind = decode_message(reply).value().kind;
    updates += kind == message_kind::update;
    sums += kind == message_kind::moments;
    for (const float x : marks) {
      const double wide = x;
      REQUIRE_FALSE(finds(reply, std::as_bytes(std::span(&x, 1))));
      REQUIRE_FALSE(finds(reply, std::as_bytes(std::span(&wide, 1))));
      REQUIRE_FALSE(finds(reply, bytes_of(concat(x))));
      REQUIRE_FALSE(finds(reply, bytes_of(concat(wide))));
    }
  }
  CHECK(updates > 0);
  CHECK(sums > 0);
}

TEST_CASE("office: no rows, rows that are inconsistent and the server's number are refused") {
  const auto recipe = test::local_of_tests.recipe();
  auto data = test::rows_of(6, 5, 3, 1);
  CHECK_THROWS_WITH(the_office(2, data.select({}), recipe, 0), "[N001 argument] office 2 has no rows");
  CHECK_THROWS_AS(the_office(0, data, recipe, 0), exception);
  data.labels[2] = 3;
  CHECK_THROWS_AS(the_office(1, data, recipe, 0), exception);
  data.labels.pop_back();
  CHECK_THROWS_AS(the_office(1, data, recipe, 0), exception);
}

TEST_CASE("office: local layers stay, go on from round to round, and are no part of what is sent") {
  const auto model = keep_local(test::model_of_tests, {2});
  const auto run = [&](std::size_t count, std::vector<std::vector<float>>* memories) {
    const offices four{model, test::four_data_sets(), test::local_of_tests, 5};
    aggregation_server server{fedavg{}, {.seed = 5}};
    server.run(four, in_process{}, rounds{count});
    for (std::size_t i = 0; memories && i < four.size(); ++i) {
      const auto kept = four.member(i).memory();
      memories->emplace_back(kept.begin(), kept.end());
    }
    return test::copy_weights(server.weights());
  };
  std::vector<std::vector<float>> heads, later;
  CHECK(run(2, &heads).size() == 36); // dense<5, 6>
  for (const auto& head : heads) CHECK(head.size() == 21);
  CHECK(heads[0] != heads[1]);
  const auto whole = run(3, &later);
  CHECK(later[0] != heads[0]);

  // Taken up again from the server's weights and each device's own.
  const offices four{model, test::four_data_sets(), test::local_of_tests, 5};
  for (std::size_t i = 0; i < four.size(); ++i) four.member(i).restore(heads[i]);
  aggregation_server server{fedavg{}, {.seed = 5}};
  server.open(four.links(), four.model(), run(2, nullptr));
  server.round(2);
  CHECK(std::ranges::equal(server.weights(), whole));
  CHECK(std::ranges::equal(four.member(0).memory(), later[0]));

  const offices wrong{model, test::four_data_sets(), test::local_of_tests, 5};
  wrong.member(2).restore(std::vector<float>(20));
  CHECK_THROWS_WITH(server.open(wrong.links(), wrong.model()),
                    Contains("its memory has 20 numbers, the model 21 local parameters"));
}
