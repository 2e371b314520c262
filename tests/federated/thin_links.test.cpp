#include "fixtures/thin_links.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/federated/coordinate_median.hpp>
#include <privet/federated/decoded_uploads.hpp>
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/in_process.hpp>
#include <privet/federated/quantise.hpp>
#include <privet/federated/random_above.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/federated/server.hpp>
#include <privet/federated/server_optimizer.hpp>
#include <privet/federated/sign.hpp>
#include <privet/federated/top_k.hpp>
#include <privet/optim/sgd.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

using namespace privet;

namespace {

namespace numbers = privet::test::thin_links;

constexpr std::size_t size = std::size(numbers::start), clients = std::size(numbers::rows);

template <class Encoding>
result<encoded_numbers> encode_once(const Encoding& encoding, std::span<const float> x,
                                    chain_state<float>& state, const upload_context& who) {
  if constexpr (requires { encoding.slots; })
    return encoding.encode(x, state_slice<float>(state.slots.data(), x.size(), x.size()), who);
  else
    return encoding.encode(x, who);
}

/// As it comes out of the wire.
encoded_update travel(encoded_update u, std::size_t* bytes = nullptr) {
  const message m{message_kind::encoded_update, u.schema_hash, 0, u.sender, encode_update(u)};
  if (bytes) *bytes = m.body.size();
  return decode_encoded_update(m).value();
}

/// The weights after each round of the fixture.
template <class Encoding, class A = fedavg>
std::vector<std::vector<float>> rounds_of(const Encoding& encoding, const std::vector<std::size_t>& order,
                                          A aggregator = {}) {
  const decoded_uploads server{aggregator};
  const auto upload = chain(encoding);
  const double all = std::accumulate(std::begin(numbers::rows), std::end(numbers::rows), 0.0);
  std::vector<chain_state<float>> memories(clients, upload.template init<float>(size));
  std::vector<float> weights(std::begin(numbers::start), std::end(numbers::start));
  std::vector<std::vector<float>> after;
  for (std::size_t r = 0; r < std::size(numbers::given); ++r) {
    auto state = server.init(size);
    for (const auto c : order) {
      const auto id = static_cast<std::uint32_t>(c + 1);
      auto sent = encode_once(encoding, numbers::given[r][c], memories[c], {11, r, id});
      REQUIRE(sent);
      REQUIRE(server.absorb(state, travel({.sender = id,
                                           .examples = numbers::rows[c],
                                           .weight = numbers::rows[c] / all,
                                           .numbers = std::move(*sent)})));
    }
    REQUIRE(server.finish(state, weights));
    after.push_back(weights);
  }
  return after;
}

template <class Encoding>
void check_rounds(const Encoding& encoding, const float (&expected)[3][size]) {
  const auto after = rounds_of(encoding, {0, 1, 2, 3});
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t i = 0; i < size; ++i) {
      CAPTURE(r, i);
      CHECK(std::abs(after[r][i] - expected[r][i]) <= 1e-6);
    }
  CHECK(rounds_of(encoding, {3, 1, 0, 2}) == after);
  CHECK(rounds_of(encoding, {3, 1, 0, 2}, coordinate_median{}) ==
        rounds_of(encoding, {0, 1, 2, 3}, coordinate_median{}));
}

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  std::vector<float> x(n);
  replayable_random source(seed);
  for (auto& v : x) {
    v = -6;
    for (int k = 0; k < 12; ++k) v += uniform01(source);
  }
  return x;
}

std::vector<float> whole(const encoded_numbers& x) {
  return decode(encoded_update{.weight = 1, .numbers = x}, x.parameters).value().shared;
}

const auto listed = [] {
  return encoded_update{
      .sender = 3,
      .schema_hash = 5,
      .examples = 10,
      .steps = 20,
      .weight = 0.25,
      .loss = 1.5,
      .numbers = {.parameters = 100, .holds = support::listed, .places = {2, 3, 99}, .values = {1, -2, 3}}};
};

std::string why(const encoded_update& u, std::size_t parameters = 100) {
  const auto read = decode(u, parameters);
  REQUIRE_FALSE(read);
  return read.error().message;
}

} // namespace

TEST_CASE("thin links: three rounds of each encoding equal NumPy's") {
  check_rounds(error_feedback{}.around(top_k{.count = 4}), numbers::top);
  check_rounds(error_feedback{}.around(top_k{.fraction = 0.1}), numbers::top);
  check_rounds(top_k{.count = 4}, numbers::top_without);
  check_rounds(
      momentum_correction{.momentum = 0.75}.around(top_k{.fraction = 0.1, .warm_up = 2, .first = 0.5}),
      numbers::corrected);
  check_rounds(error_feedback{}.around(random_k{.count = 10}), numbers::random);
  check_rounds(random_k{.count = 10, .unbiased = true}, numbers::unbiased);
  check_rounds(error_feedback{}.around(quantise{.bits = 8, .block = 16}), numbers::eight);
  check_rounds(quantise{.bits = 4, .block = 16}, numbers::four);
  check_rounds(quantise{.bits = 1, .block = 16}, numbers::one);
  check_rounds(error_feedback{}.around(sign{.block = 16}), numbers::signs);
}

TEST_CASE("thin links: behind an optimiser at the server too") {
  const decoded_uploads server{server_optimizer{chain(sgd{.learning_rate = 1, .momentum = 0.9})}};
  auto state = server.init(size);
  auto memory = server.remember(size);
  REQUIRE(server.check(memory, size));
  auto numbers = top_k{.fraction = 1}.encode(numbers::given[0][0], {1, 0, 1}).value();
  REQUIRE(server.absorb(state, {.sender = 1, .weight = 1, .numbers = std::move(numbers)}));
  std::vector<float> weights(std::begin(numbers::start), std::end(numbers::start));
  REQUIRE(server.finish(state, weights, memory));
  for (std::size_t i = 0; i < size; ++i)
    CHECK(weights[i] == Approx(numbers::start[i] - numbers::given[0][0][i]));
}

TEST_CASE("thin links: what was sent and what is kept are what was given") {
  const std::size_t n = 2000;
  const auto check = [&](const auto& encoding, double tolerance) {
    const auto upload = chain(encoding);
    auto state = upload.template init<float>(n);
    std::vector<double> sum(n);
    for (std::uint64_t r = 0; r < 20; ++r) {
      const auto before = state.slots;
      const auto given = normals(n, r);
      const auto sent = whole(encode_once(encoding, given, state, {1, r, 2}).value());
      for (std::size_t i = 0; i < n; ++i) {
        const float v = before[i] + given[i];
        REQUIRE(std::abs(sent[i] + state.slots[i] - v) <= tolerance * (std::abs(v) + std::abs(sent[i])));
        sum[i] += given[i] - sent[i];
      }
    }
    for (std::size_t i = 0; i < n; ++i) REQUIRE(std::abs(sum[i] - state.slots[i]) <= 1e-4);
  };
  check(error_feedback{}.around(top_k{.fraction = 0.01}), 0);
  check(error_feedback{}.around(random_k{.fraction = 0.1}), 0);
  check(error_feedback{}.around(top_k{.fraction = 0.01, .bits = 8}), 0x1p-23);
  check(error_feedback{}.around(quantise{.bits = 8}), 0x1p-20);
  check(error_feedback{}.around(quantise{.bits = 4}), 0x1p-20);
  check(error_feedback{}.around(sign{}), 0x1p-20);
}

TEST_CASE("thin links: the fraction falls from round to round of a warm-up") {
  const top_k encoding{.fraction = 0.001, .warm_up = 4, .first = 0.25};
  CHECK(encoding.kept(1'000'000, 0) == 250'000);
  CHECK(encoding.kept(1'000'000, 2) == 15'811);
  CHECK(encoding.kept(1'000'000, 4) == 1000);
  CHECK(encoding.kept(1'000'000, 50) == 1000);
  CHECK(encoding.kept(10, 50) == 1);
  CHECK(top_k{.count = 20}.kept(10, 0) == 10);
}

TEST_CASE("thin links: masks are drawn evenly, anew for each client and round") {
  // 40'000 draws of 3 of 10: each place 12'000 times, deviation 92; six of them fail once in 10^8 runs.
  std::vector<double> drawn(10);
  std::vector<std::uint32_t> places(3), others(3);
  for (std::uint64_t s = 0; s < 40'000; ++s) {
    draw_places(7, s, 10, places);
    REQUIRE(std::ranges::adjacent_find(places, std::greater_equal<>()) == places.end());
    for (const auto p : places) drawn.at(p) += 1;
  }
  for (const double d : drawn) CHECK(std::abs(d - 12'000) < 6 * 92);
  const auto x = normals(1000, 1);
  std::set<std::uint64_t> streams;
  for (std::uint64_t round = 0; round < 3; ++round)
    for (std::uint32_t client = 1; client < 4; ++client)
      streams.insert(random_k{}.encode(x, {1, round, client}).value().stream);
  CHECK(streams.size() == 9);
}

TEST_CASE("thin links: of the numbers above a threshold a random part is sent, all of them equally often") {
  std::vector<float> x(40, 0.001F);
  for (const std::size_t i : {3u, 8u, 9u, 20u, 39u}) x[i] = i % 2 ? 1.0F : -2.0F;
  const random_above encoding{.fraction = 0.05, .threshold = 0.5};
  // 2 of 5 in 10'000 rounds: each 4000 times, deviation 49; six of them fail once in 10^8 runs.
  std::vector<double> sent(x.size());
  for (std::uint64_t r = 0; r < 10'000; ++r) {
    const auto e = encoding.encode(x, {3, r, 1}).value();
    REQUIRE(e.check());
    REQUIRE(e.places.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      REQUIRE(e[i] == x[e.places[i]]);
      ++sent[e.places[i]];
    }
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(std::abs(sent[i] - (std::abs(x[i]) > 0.5F ? 4000 : 0)) <= 6 * 49);
  const auto all = random_above{.fraction = 1, .threshold = 0.5}.encode(x, {}).value();
  CHECK(all.places == std::vector<std::uint32_t>{3, 8, 9, 20, 39});
  const auto none = random_above{.threshold = 5}.encode(x, {}).value();
  CHECK(none.places == std::vector<std::uint32_t>{8});
}

TEST_CASE("thin links: unbiased encodings are right on average", "[slow]") {
  const std::size_t n = 64, runs = 20'000;
  const auto x = normals(n, 3);
  const auto check = [&](const auto& encoding, double deviation) {
    std::vector<double> mean(n);
    for (std::uint64_t r = 0; r < runs; ++r) {
      const auto sent = whole(encoding.encode(x, {5, r, 1}).value());
      for (std::size_t i = 0; i < n; ++i) mean[i] += sent[i] / static_cast<double>(runs);
    }
    // `deviation` bounds that of one draw; six of the mean fail once in 10^7 runs.
    for (std::size_t i = 0; i < n; ++i)
      CHECK(std::abs(mean[i] - x[i]) < 6 * deviation / std::sqrt(static_cast<double>(runs)));
  };
  const double most = detail::largest(x);
  check(random_k{.count = 16, .unbiased = true}, most * std::sqrt(3.0));
  check(quantise{.bits = 8}, most / 127 / 2);
  check(quantise{.bits = 4}, most / 7 / 2);
  check(quantise{.bits = 1}, most);
  check(random_k{.count = 16, .unbiased = true, .bits = 4}, most * 2.1);
}

TEST_CASE("thin links: messages are as small as promised") {
  const std::size_t n = 553'478; // of the UCI HAR network
  const auto x = normals(n, 2);
  const auto bytes = [&](const auto& encoding) {
    std::size_t body = 0;
    (void)travel({.weight = 1, .numbers = encoding.encode(x, {1, 0, 1}).value()}, &body);
    return static_cast<double>(body + message_header_bytes) / (4.0 * n);
  };
  CHECK(bytes(top_k{.fraction = 0.1}) < 0.116);
  CHECK(bytes(top_k{.fraction = 0.01}) < 0.0126);
  CHECK(bytes(top_k{.fraction = 0.001}) < 0.0014);
  CHECK(bytes(top_k{.fraction = 0.001, .bits = 8}) < 0.0007);
  CHECK(bytes(random_k{.fraction = 0.1}) < 0.1001);
  CHECK(bytes(quantise{.bits = 8}) < 0.2511);
  CHECK(bytes(quantise{.bits = 4}) < 0.1261);
  CHECK(bytes(sign{}) < 0.0323);
}

TEST_CASE("thin links: every encoding comes back from the wire, with zeros and huge numbers too") {
  for (const std::size_t n : {1u, 2u, 7u, 1025u}) {
    for (const float scale : {0.0F, 1e-30F, 1.0F, 1e15F}) {
      auto x = normals(n, n);
      for (auto& v : x) v *= scale;
      const auto check = [&](const auto& encoding) {
        const auto sent = encoding.encode(x, {1, 3, 4}).value();
        const auto back = travel({.sender = 2, .weight = 1, .numbers = sent}).numbers;
        CHECK(back.places == sent.places);
        CHECK(back.values == sent.values);
        CHECK(back.levels == sent.levels);
        CHECK(back.scales == sent.scales);
        CHECK(whole(back) == whole(sent));
      };
      for (const unsigned bits : {32u, 8u, 4u, 1u}) {
        check(top_k{.fraction = 0.3, .bits = bits});
        check(top_k{.fraction = 1, .bits = bits});
        check(random_k{.fraction = 0.3, .bits = bits, .block = 0});
        if (bits < 32) check(quantise{.bits = bits, .block = 5});
      }
      check(sign{});
    }
  }
  const auto u = travel(listed());
  CHECK(u.sender == 3);
  CHECK(u.schema_hash == 5);
  CHECK(u.examples == 10);
  CHECK(u.steps == 20);
  CHECK(u.weight == 0.25);
  CHECK(u.loss == 1.5);
  CHECK(decode(u, 100).value().shared[3] == -0.5F);
}

TEST_CASE("thin links: numbers that cannot be sent are refused, and the memory stays") {
  std::vector<float> x{1, 2, 3};
  const auto encoding = error_feedback{}.around(quantise{});
  auto state = chain(encoding).init<float>(3);
  (void)encode_once(encoding, x, state, {}).value();
  const auto before = state.slots;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
    x[1] = bad;
    CHECK(encode_once(encoding, x, state, {}).error().kind == fault::range);
    CHECK(state.slots == before);
  }
  CHECK(top_k{}.encode({}, {}).error().kind == fault::shape);
}

TEST_CASE("thin links: places out of range, twice there or out of order are refused") {
  auto u = listed();
  u.numbers.places = {2, 2, 99};
  CHECK(why(u) == "[N009 message] encoded update: place 2 is there twice");
  u.numbers.places = {3, 2, 99};
  CHECK(why(u) == "[N009 message] encoded update: place 2 comes after 3");
  u.numbers.places = {2, 3, 100};
  CHECK(why(u) == "[N009 message] encoded update: place 2 is 100, beyond 100 numbers");
  u.numbers.places = {2, 3};
  CHECK(why(u) == "[N009 message] encoded update: 2 places for 3 numbers");
  CHECK(why(listed(), 99) == "[N003 shape] encoded update: of 100 numbers, the model has 99");
  u = listed();
  u.numbers.values[1] = std::numeric_limits<float>::infinity();
  CHECK(why(u) == "[N009 message] encoded update: number 1 is inf");
  u.numbers.values.clear();
  CHECK(why(u) == "[N009 message] encoded update: 0 numbers of 100");
  u.numbers.holds = support::all;
  u.numbers.values.resize(99);
  CHECK(why(u) == "[N009 message] encoded update: 99 numbers of 100");
}

TEST_CASE("thin links: a body that is cut, longer, or claims what is not there is refused with its place") {
  const message whole{message_kind::encoded_update, 5, 7, 3, encode_update(listed())};
  REQUIRE(whole.body.size() == 44 + 3 + 12); // places: 3 times 5 bits, and 3 counted for 95 = 2 32 + 31
  const auto error_of = [&](std::size_t at, std::vector<std::uint8_t> bytes) {
    message m = whole;
    for (std::size_t i = 0; i < bytes.size(); ++i) m.body[at + i] = std::byte{bytes[i]};
    const auto read = decode_encoded_update(m);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == fault::message);
    return read.error().message;
  };
  for (std::size_t n = 0; n < whole.body.size() + 9; ++n) {
    message m = whole;
    m.body.resize(n);
    CAPTURE(n);
    CHECK(decode_encoded_update(m).has_value() == (n == whole.body.size()));
  }
  CHECK(error_of(32, {50}) == "[N009 message] encoded update: place 2 is 83, beyond 50 numbers");
  CHECK(error_of(36, {0}) == "[N009 message] encoded update: 0 numbers of 100");
  CHECK(error_of(36, {101}) == "[N009 message] encoded update: 101 numbers of 100");
  CHECK(error_of(32, {255, 255, 255, 255, 255, 255, 255, 255}) ==
        "[N009 message] encoded update: cut short at place 0 of 4294967295");
  CHECK(error_of(40, {3}) == "[N009 message] encoded update: support 3 is none of 0 to 2");
  CHECK(error_of(40, {0}) == "[N009 message] encoded update: 15 bytes for 3 floats");
  CHECK(error_of(32, {255, 255, 255, 255, 255, 255, 255, 255, 0}) ==
        "[N009 message] encoded update: 15 bytes for 4294967295 floats");
  CHECK(error_of(32, {255, 255, 255, 255, 255, 255, 255, 255, 0, 1}) ==
        "[N009 message] encoded update: 15 bytes of levels, 4294967295 of 1 bits take 536870916");
  CHECK(error_of(40, {2}) == "[N009 message] encoded update: cut short in its mask");
  CHECK(error_of(41, {16}) == "[N009 message] encoded update: 16 bits a number, expected 32, 8, 4 or 1");
  CHECK(error_of(42, {1}) == "[N009 message] encoded update: blocks of 1 floats, which have no scale");
  CHECK(error_of(46, {0xF0}) == "[N009 message] encoded update: bits behind the last place are not zero");
  CHECK(error_of(53, {0x80, 0x7f}) == "[N009 message] encoded update: number 1 is inf");
  CHECK(error_of(22, {0xf8, 0x7f}) == "[N009 message] encoded update: weight nan, loss 1.5");

  auto coarse = listed();
  coarse.numbers.places = {1, 2, 3}, coarse.numbers.values.clear();
  coarse.numbers.bits = 4, coarse.numbers.levels = {7, -7, 0}, coarse.numbers.scales = {2};
  message m{message_kind::encoded_update, 5, 7, 3, encode_update(coarse)};
  REQUIRE(m.body.size() == 44 + 3 + 4 + 2);
  CHECK(decode(decode_encoded_update(m).value(), 100).value().shared[2] == -0.5F);
  const auto good = m.body;
  m.body.back() = std::byte{0x10};
  CHECK(decode_encoded_update(m).error().message ==
        "[N009 message] encoded update: bits behind the last level are not zero");
  m.body = good, m.body[51] = std::byte{0x88};
  CHECK(decode_encoded_update(m).error().message ==
        "[N009 message] encoded update: level 0 is -8, expected at most 7");
  m.body = good, m.body[50] = std::byte{0xC0};
  CHECK(decode_encoded_update(m).error().message == "[N009 message] encoded update: scale 0 is -2");
}

TEST_CASE("thin links: settings out of range are refused") {
  const auto refused = [](const auto& encoding) {
    CHECK_THROWS_AS(chain(encoding).template init<float>(3), exception);
  };
  refused(top_k{.fraction = 0});
  refused(top_k{.fraction = 1.5});
  refused(top_k{.fraction = std::numeric_limits<double>::quiet_NaN()});
  refused(top_k{.bits = 16});
  refused(top_k{.fraction = 0.5, .warm_up = 3, .first = 0.25});
  refused(top_k{.count = 5, .warm_up = 3});
  refused(random_k{.fraction = -0.1});
  refused(quantise{.bits = 32});
  refused(random_above{.threshold = -1});
  refused(momentum_correction{.momentum = 1}.around(top_k{}));
  refused(error_feedback{}.around(random_k{.unbiased = true}));
  refused(error_feedback{}.around(quantise{.bits = 1}));
  refused(error_feedback{}.around(top_k{.fraction = 2}));
}

namespace {

const auto thin_chain = chain(error_feedback{}.around(top_k{.fraction = 0.1}));
const auto thin_recipe = encoded_uploads{test::local_of_tests.recipe(), thin_chain};
using thin_office = office<std::remove_const_t<decltype(thin_recipe)>>;

/// A federation of four in which nothing is scaled, so that it can be opened again.
struct thin_federation {
  explicit thin_federation(std::uint32_t wrong = 0, test::altered::change_function change = {}) {
    auto data = test::four_data_sets();
    for (std::uint32_t k = 0; k < 4; ++k) {
      auto one = std::make_unique<thin_office>(k + 1, std::move(data[k]), thin_recipe, 7);
      peers.push_back(one.get());
      if (k + 1 == wrong)
        clients.add(std::make_unique<test::altered>(std::move(one), change));
      else
        clients.add(std::move(one));
    }
  }
  std::vector<float> run(std::size_t from, std::size_t to, std::vector<float> weights = {},
                         std::size_t threads = 1) {
    aggregation_server server{decoded_uploads{}, {.standardise = false, .seed = 7, .threads = threads}};
    server.open(clients.links(), clients.model(), weights);
    for (std::size_t r = from; r < to; ++r) {
      (void)server.round(r);
      bytes = server.bytes_up();
    }
    return test::copy_weights(server.weights());
  }
  offices clients{test::model_of_tests};
  std::vector<thin_office*> peers;
  std::uint64_t bytes = 0;
};

} // namespace

TEST_CASE("thin links: a federation gives the same weights whoever answers first") {
  thin_federation one, two;
  const auto weights = one.run(0, 5);
  CHECK(two.run(0, 5, {}, 3) == weights);
  CHECK(two.bytes == one.bytes);
  CHECK(two.bytes < 5 * 4 * (40 + 44 + 6 * 4 + 8) + 4 * 400); // and schema and model before
  std::size_t remembered = 0;
  for (const float x : one.peers[1]->memory()) remembered += x != 0;
  CHECK(one.peers[1]->memory().size() == 57);
  CHECK(remembered > 40);
}

TEST_CASE("thin links: taken up again with the clients' memories, a run ends as if it had not stopped") {
  thin_federation whole, begun, resumed, forgetful;
  const auto expected = whole.run(0, 6);
  const auto half = begun.run(0, 3);
  for (std::size_t k = 0; k < 4; ++k) {
    const auto kept = begun.peers[k]->memory();
    resumed.peers[k]->restore({kept.begin(), kept.end()});
  }
  CHECK(resumed.run(3, 6, half) == expected);
  CHECK(forgetful.run(3, 6, half) != expected);
  CHECK(begun.run(3, 6, half) == expected); // the same offices, asked by a new server
  CHECK(begun.run(0, 6) == expected);       // and from the start
  resumed.peers[2]->restore(std::vector<float>(58));
  CHECK_THROWS_WITH(resumed.run(3, 6, half),
                    Catch::Matchers::Contains("its memory has 58 numbers, uploads of this model need 57"));
}

TEST_CASE("thin links: a round asked for again gets the same answer, and is not remembered twice") {
  thin_office peer(1, test::rows_of(20, 5, 3, 1), thin_recipe, 7);
  const auto ask = [&](message_kind kind, std::vector<std::byte> body, std::uint32_t round = 0) {
    return decode_message(peer.answer(encode({kind, peer.data().schema.hash(), round, 0, std::move(body)})))
        .value();
  };
  REQUIRE(ask(message_kind::agree, {}).kind == message_kind::agreed);
  REQUIRE(
      ask(message_kind::architecture, test::copy(bytes_of(json_text(describe(test::model_of_tests))))).kind ==
      message_kind::ready);
  const auto order = encode_order(40, initialise(test::model_of_tests, 3).shared());
  const auto first = ask(message_kind::train, order, 4);
  REQUIRE(first.kind == message_kind::encoded_update);
  const auto kept = test::copy_weights(peer.memory());
  CHECK(ask(message_kind::train, order, 4).body == first.body);
  CHECK(test::copy_weights(peer.memory()) == kept);
  CHECK(ask(message_kind::train, order, 5).body != first.body);
  CHECK(test::copy_weights(peer.memory()) != kept);
}

TEST_CASE("thin links: a server names the client whose update it cannot use") {
  const auto refusal = [](const auto& spoil) {
    thin_federation f(3, [&](const message& request, std::vector<std::byte> reply) {
      if (request.kind != message_kind::train) return reply;
      auto m = decode_message(reply).value();
      spoil(m);
      return encode(m);
    });
    try {
      (void)f.run(0, 1);
    } catch (const exception& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(refusal([](message& m) { m.body.pop_back(); }).ends_with("bytes for 6 floats (client 3)"));
  CHECK(refusal([](message& m) {
          store_little<std::uint32_t>(56, m.body.data() + 32);
        }).ends_with("of 56 numbers, the model has 57 (client 3)"));
  CHECK(refusal([](message& m) {
          store_little<std::uint32_t>(20, m.body.data() + 32);
        }).ends_with("(client 3)"));
  CHECK(refusal([](message& m) {
          m.kind = message_kind::update;
        }).starts_with("[N009 message] client 3: answered kind 12"));
  CHECK(refusal([](message& m) {
          store_little(0.5, m.body.data() + 16);
        }).find("client 3: weighs itself 0.5") != std::string::npos);
}
