#include "fixtures/selective_sgd.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"
#include "support/refute.hpp"

#include <privet/federated/noisy_random_k.hpp>
#include <privet/federated/noisy_selection.hpp>
#include <privet/federated/released_uploads.hpp>
#include <privet/federated/selective_sgd.hpp>
#include <privet/privacy/pld.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

using namespace privet;
using Catch::Matchers::Contains;

namespace {

namespace known = test::selective_sgd_run;

const sequential linear{dense<4, 3>{}};

std::vector<dataset<float>> data_sets() { return test::data_sets_of(known::rows, known::x, known::y); }

/// Batches of all rows: an epoch is a step.
const auto local = local_sgd{.learning_rate = 0.5, .epochs = 3, .batch = 100}.recipe();

template <class Recipe>
void check_laps(const selective_sgd& how, const Recipe& recipe, const float (&after)[3][15]) {
  for (const std::size_t threads : {1u, 3u}) {
    const auto all = selective_offices(linear, data_sets(), recipe, 5);
    auto options = how.server(5);
    options.standardise = false;
    options.threads = threads;
    options.seconds = [](std::uint32_t client, std::uint64_t task, std::uint64_t) {
      return known::seconds[client - 1][task];
    };
    asynchronous_server server{decoded_uploads{}, options};
    server.open(all.links(), all.model(), known::start);
    for (std::size_t turn = 0; turn < 12; ++turn) {
      server.step();
      if (turn % 4 < 3) continue;
      for (std::size_t i = 0; i < 15; ++i) {
        CAPTURE(turn, i);
        CHECK(std::abs(server.weights()[i] - after[turn / 4][i]) <= 1e-6);
      }
    }
  }
}

using largest_office = partial_office<decltype(selective_sgd{}.largest(local))>;

/// An office that has the model, and what it is asked.
struct conversation {
  largest_office one{1, data_sets()[1], selective_sgd{.upload = 0.3}.largest(local), 5};
  std::vector<float> weights{std::begin(known::start), std::end(known::start)};

  conversation() {
    ask(message_kind::agree, 0, {});
    ask(message_kind::architecture, 0, test::copy(bytes_of(json_text(describe(network(linear))))));
  }
  message ask(message_kind kind, std::uint32_t round, std::vector<std::byte> body) {
    return decode_message(one.answer(encode({kind, one.data().schema.hash(), round, 0, std::move(body)})))
        .value();
  }
  message whole(std::uint32_t round) {
    return ask(message_kind::train_part, round,
               encode_part(12, {.parameters = 15, .holds = support::all, .values = weights}));
  }
  message part(std::uint32_t round, encoded_numbers numbers) {
    return ask(message_kind::train_part, round, encode_part(12, std::move(numbers)));
  }
  static encoded_numbers two(std::uint32_t parameters = 15) {
    return {.parameters = parameters, .holds = support::listed, .places = {2, 7}, .values = {0.5F, -1}};
  }
};

/// A link that loses the first order to train.
class losing : public transport {
 public:
  explicit losing(transport& inner) : inner_(inner) {}
  status send(std::span<const std::byte> message) override {
    const auto m = decode_message(message);
    if (!lost_ && m && m->kind == message_kind::train_part) {
      lost_ = true;
      return error::of(fault::message, "lost");
    }
    return inner_.send(message);
  }
  result<std::vector<std::byte>> receive() override { return inner_.receive(); }

 private:
  transport& inner_;
  bool lost_ = false;
};

/// Training that moves every weight from one end of the range to the other.
struct leaping {
  network net{linear};
  static constexpr std::uint64_t steps_per_round() { return 1; }
  const network& model() const { return net; }
  template <class... Rest>
  void run(parameters<float>& p, const Rest&...) const {
    for (auto& w : p.trained()) w = -w;
  }
};

double upper(const std::vector<privacy_event>& events, double delta) {
  pld_accountant all;
  for (const auto& e : events) all.compose(e);
  return all.epsilon(delta).upper;
}

} // namespace

TEST_CASE("selective SGD: three laps equal NumPy's, largest or random above a threshold, in any order") {
  const partial_download part{.fraction = 0.4},
      decayed{.fraction = 0.4, .counts = update_counts::all, .decay = 0.5};
  const selective_sgd whole{.upload = 0.3}, in_turn{.upload = 0.3, .download = part},
      shuffled{.upload = 0.3, .download = part, .order = turns::random},
      forgetful{.upload = 0.3, .download = decayed, .order = turns::random},
      at_once{.upload = 0.3, .download = part, .order = turns::asynchronous, .at_once = 3};
  check_laps(whole, whole.largest(local), known::largest_whole);
  check_laps(in_turn, in_turn.largest(local), known::largest_part);
  check_laps(forgetful, forgetful.largest(local), known::largest_decay);
  check_laps(shuffled, shuffled.above(0.02, local), known::above_part);
  check_laps(at_once, at_once.above(0.02, local), known::above_at_once);
}

TEST_CASE("selective SGD: one participant that shares everything trains alone") {
  const selective_sgd how{.upload = 1};
  auto rows = test::rows_of(30, 5, 3, 2);
  const auto recipe = test::local_of_tests.recipe();
  const auto one = selective_offices(test::model_of_tests, {rows}, how.largest(recipe), 7);
  auto options = how.server(7);
  options.standardise = false;
  asynchronous_server server{decoded_uploads{}, options};
  server.run(one, in_process{}, rounds{4});

  const network model(test::model_of_tests);
  local_training alone{model, softmax_cross_entropy{}, recipe.steps, 2, 4, 30, 7, 1};
  auto p = initialise<float>(model, 7);
  for (std::uint64_t r = 0; r < 4; ++r) alone.run(p, rows.view(), rows.labels, r);
  for (std::size_t i = 0; i < 57; ++i)
    CHECK(std::abs(server.weights()[i] - std::as_const(p).shared()[i]) <= 1e-6);
}

TEST_CASE(
    "selective SGD: a tenth shared and a tenth read is a fifth of the bytes and learns as well as alone") {
  const auto bytes = [](double share) {
    const selective_sgd how{.upload = share, .download = {.fraction = share}};
    const sequential wide{dense<5, 60>{}, relu{}, dense<60, 3>{}};
    const auto four =
        selective_offices(wide, test::four_data_sets(), how.largest(test::local_of_tests.recipe()), 7);
    asynchronous_server server{decoded_uploads{}, how.server(7)};
    server.open(four.links(), four.model());
    for (std::size_t turn = 0; turn < 4; ++turn) server.step(); // everybody reads everything once
    const auto before = server.bytes_up() + server.bytes_down();
    double loss = 0;
    for (std::size_t turn = 0; turn < 40; ++turn) loss = server.step().loss;
    CHECK(loss < 0.3);
    return static_cast<double>(server.bytes_up() + server.bytes_down() - before);
  };
  CHECK(bytes(0.1) < 0.2 * bytes(1));
}

TEST_CASE("selective SGD: counts say what a client has not heard of, of equal ones the first") {
  const std::vector<float> weights{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const auto update_of = [](std::vector<std::uint32_t> places) {
    encoded_update u{.numbers = {.parameters = 10, .holds = support::listed}};
    u.numbers.values.assign(places.size(), 1);
    u.numbers.places = std::move(places);
    return u;
  };
  using places = std::vector<std::uint32_t>;
  detail::update_counter unread({.fraction = 0.3}, 10, 2);
  CHECK(unread.read(0, weights).holds == support::all);
  unread.count(update_of({4, 9}));
  unread.count(update_of({9}));
  CHECK(unread.read(0, weights).places == places{0, 4, 9});
  CHECK(unread.read(0, weights).places == places{0, 1, 2}); // nothing is new
  unread.count(update_of({4, 5, 6, 7}));
  const auto part = unread.read(0, weights);
  CHECK(part.places == places{4, 5, 6});
  CHECK(part.values == std::vector<float>{4, 5, 6});
  CHECK(unread.read(0, weights).places == places{0, 1, 7});
  CHECK(unread.read(1, weights).holds == support::all);
  client_update dense_one{.shared = std::vector<float>(10)};
  dense_one.shared[8] = -1;
  unread.count(dense_one);
  CHECK(unread.read(1, weights).places == places{0, 1, 8});

  detail::update_counter all({.fraction = 0.2, .counts = update_counts::all, .decay = 0.5}, 10, 1);
  (void)all.read(0, weights);
  all.count(update_of({1, 2}));
  all.count(update_of({2}));
  CHECK(all.read(0, weights).places == places{1, 2});
  CHECK(all.read(0, weights).places == places{1, 2}); // as often as it asks
  all.age();
  all.age();
  all.count(update_of({6}));
  CHECK(all.read(0, weights).places == places{2, 6}); // 0.25, 0.5 and 1
}

TEST_CASE("selective SGD: a participant that is asked again gives the same answer, and goes on from there") {
  conversation with, other;
  const auto first = with.whole(0);
  REQUIRE(first.kind == message_kind::encoded_update);
  CHECK(with.whole(0).body == first.body);
  const auto second = with.part(1, conversation::two());
  REQUIRE(second.kind == message_kind::encoded_update);
  const auto kept = test::copy_weights(with.one.memory());
  CHECK(with.part(1, conversation::two()).body == second.body);
  CHECK(test::copy_weights(with.one.memory()) == kept);
  CHECK(with.part(2, conversation::two()).body != second.body);

  // Taken up again with its weights, it does not notice.
  other.one.restore(kept);
  CHECK(other.part(2, conversation::two()).body == with.part(2, conversation::two()).body);
}

TEST_CASE("selective SGD: parts of weights that cannot be used are refused, and change nothing") {
  conversation with;
  const auto said = [](const message& m) {
    REQUIRE(m.kind == message_kind::refusal);
    return std::string(text_of(m.body));
  };
  CHECK(said(with.part(0, conversation::two())) ==
        "[N009 message] office 1: sent 2 of 15 weights, and has none yet");
  REQUIRE(with.whole(0).kind == message_kind::encoded_update);
  const auto kept = test::copy_weights(with.one.memory());
  CHECK(said(with.part(1, conversation::two(14))) ==
        "[N003 shape] office 1: sent a part of 14 weights, it has 15");
  auto coarse = conversation::two();
  coarse = {.parameters = 15, .holds = support::all, .bits = 8, .scales = {1}};
  coarse.levels.resize(15);
  CHECK(said(with.part(1, coarse)) ==
        "[N009 message] part of the weights: 8 bits a number, support 0, expected 32 and 0 or 1");
  CHECK(
      said(with.ask(message_kind::train_part, 1, {})).starts_with("[N009 message] encoded update: 0 bytes"));
  auto beyond = encode_part(12, conversation::two());
  beyond.pop_back();
  CHECK(said(with.ask(message_kind::train_part, 1, beyond)) ==
        "[N009 message] encoded update: 7 bytes for 2 floats");
  CHECK(test::copy_weights(with.one.memory()) == kept);
}

TEST_CASE("selective SGD: a participant whose first part was lost is sent all weights the next time") {
  const auto all = selective_offices(linear, data_sets(), selective_sgd{.upload = 0.3}.largest(local), 5);
  losing weak(*all.links()[1]);
  std::vector<transport*> ends(all.links().begin(), all.links().end());
  ends[1] = &weak;
  auto options = selective_sgd{.download = {.fraction = 0.4}}.server(5);
  options.standardise = false;
  options.failures = 1;
  asynchronous_server server{decoded_uploads{}, options};
  server.open(ends, all.model(), known::start);
  std::vector<std::string> missing;
  for (std::size_t turn = 0; turn < 12; ++turn)
    for (const auto& one : server.step().asked)
      if (!one.missing.empty()) missing.push_back(one.missing);
  REQUIRE(missing.size() == 1);
  CHECK_THAT(missing[0], Contains("lost (client 2)"));
}

TEST_CASE("noisy selection: what one number costs adds up over numbers and uploads") {
  // 105,506 parameters of the paper's network, epsilon 0.1 each, all of them sent: McSherry's objection.
  CHECK(noisy_selection{.fraction = 1, .epsilon = 0.1}.epsilon_in_all(105'506, 1) == Approx(10'550.6));
  CHECK(noisy_selection{.fraction = 0.1, .epsilon = 0.1}.epsilon_in_all(105'506, 20) == Approx(21'102));

  // 100 numbers with Laplace noise of scale 10: between 6.179591 and 6.179600 at delta 1e-10, by a two-sided accountant.
  const noisy_selection values{.fraction = 0.1, .epsilon = 0.2, .choice = 0.5};
  const auto events = events_of(values, 250, 4);
  REQUIRE(events.size() == 2);
  for (const auto& e : events) {
    CHECK(e.count == 100);
    CHECK(e.relation == neighbours::zero_out);
  }
  CHECK(upper({events[1]}, 1e-10) == Approx(6.179596).epsilon(1e-5));
  // An accountant never says more than the sum, and much less for many small ones.
  CHECK(upper(events, 1e-10) < values.epsilon_in_all(250, 4));
}

TEST_CASE("selective SGD: the figures of the documentation", "[slow]") {
  const auto of = [](double fraction, double epsilon) {
    return noisy_selection{.fraction = fraction, .epsilon = epsilon};
  };
  const auto after_twenty = [](const auto& upload) { return upper(events_of(upload, 105'506, 20), 1e-5); };
  CHECK(of(0.01, 0.01).epsilon_in_all(105'506, 20) == Approx(211));
  CHECK(after_twenty(of(1, 0.1)) == Approx(9140).epsilon(1e-3));
  CHECK(after_twenty(of(0.1, 0.1)) == Approx(1034).epsilon(1e-3));
  CHECK(after_twenty(of(0.01, 0.1)) == Approx(141).epsilon(3e-3));
  CHECK(after_twenty(of(0.01, 0.01)) == Approx(5.96).epsilon(1e-3));
  CHECK(after_twenty(of(0.01, 0.001)) == Approx(0.454).epsilon(1e-3));
  for (const double fraction : {0.01, 1.0}) {
    CHECK(after_twenty(noisy_random_k{.fraction = fraction, .noise_multiplier = 2}) ==
          Approx(11.5).epsilon(4e-3));
    CHECK(after_twenty(noisy_random_k{.fraction = fraction, .noise_multiplier = 5}) ==
          Approx(3.85).epsilon(4e-3));
    CHECK(after_twenty(noisy_random_k{.fraction = fraction, .noise_multiplier = 10}) ==
          Approx(1.76).epsilon(4e-3));
  }
}

TEST_CASE("noisy selection: with little noise it sends what is above the threshold") {
  std::vector<float> x(200, 1e-6F);
  for (std::size_t i = 0; i < 20; ++i) x[7 * i] = i % 2 ? 5e-4F : -5e-3F;
  const noisy_selection precise{
      .fraction = 0.1, .epsilon = 64, .bound = 1e-3, .threshold = 2.5e-4, .choice = 0.9};
  std::size_t right = 0, far = 0;
  for (std::uint64_t r = 0; r < 20; ++r) {
    const auto sent = precise.encode(x, {1, r, 1}).value();
    REQUIRE(sent.check());
    CHECK(sent.size() <= 20);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(std::abs(sent[i]) <= 1e-3F);
      if (x[sent.places[i]] == 1e-6F) continue;
      ++right;
      far += std::abs(sent[i] - std::clamp(x[sent.places[i]], -1e-3F, 1e-3F)) > 5e-4F;
    }
  }
  // Noise of scale 1.8e-5 passes 2.5e-4 once in a million; 400 are right of 400.
  CHECK(right >= 390);
  CHECK(far < 60); // noise of scale 1.4e-4 passes 5e-4 once in 35, and half of that is cut
  const auto none = noisy_selection{.fraction = 1, .epsilon = 64, .threshold = 1e-3}.encode(
      std::vector<float>(5), {1, 0, 1});
  CHECK(none.value().size() >= 1);
}

TEST_CASE("noisy selection: the epsilon of an upload cannot be refuted, that of one number is", "[slow]") {
  // Two numbers, at the bound or zero; most of epsilon is for the values.
  const noisy_selection two{.fraction = 1, .epsilon = 2, .bound = 1, .threshold = 0.5, .choice = 0.1};
  const auto run = [&](float x) {
    const std::vector<float> both{x, x};
    const auto sent = two.encode(both, {1, 0, 1}).value();
    std::uint64_t name = 0;
    for (std::size_t i = 0; i < sent.size(); ++i)
      name = name * 16 + 4 * sent.places[i] + (sent[i] >= 1 ? 3 : sent[i] > 0 ? 2 : 1);
    return name;
  };
  const auto runs = test::run_both_by_name(
      100'000, [&] { return run(1); }, [&] { return run(0); });
  const test::privacy_claim honest{two.epsilon_in_all(2, 1), 0}, of_one{two.epsilon, 0};
  CHECK(honest.epsilon == 4);
  const auto kept = test::refute(honest, runs);
  INFO(test::describe(honest, kept));
  CHECK_FALSE(kept.refuted);
  CHECK(test::refute(of_one, runs).refuted);
}

TEST_CASE("noisy random-k: a Gaussian query, of as little noise as the places that are sent need") {
  // Gaussian, multiplier 1, once, delta 1e-5: 4.3771780957, whatever the fraction and the number of parameters.
  for (const double fraction : {0.01, 1.0}) {
    const auto e = upper(noisy_random_k{.fraction = fraction}.events(100'000), 1e-5);
    CHECK(e >= 4.3771780957);
    CHECK(e < 4.3771780957 * 1.001);
  }
  CHECK(noisy_random_k{}.events(10)[0].relation == neighbours::zero_out);
  CHECK(events_of(noisy_random_k{}, 10, 30)[0].count == 30);

  const std::size_t n = 40'000;
  std::vector<float> x(n, 3);
  const noisy_random_k encoding{.fraction = 0.25, .bound = 2, .noise_multiplier = 0.5};
  const auto sent = encoding.encode(x, {3, 4, 5}).value();
  REQUIRE(sent.size() == n / 4);
  REQUIRE(sent.holds == support::masked);
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) mean += sent[i], squares += sent[i] * sent[i];
  mean /= 1e4, squares /= 1e4;
  // Clipped to 2 / sqrt(10^4) each, noise of deviation 1: six deviations fail once in 10^8 runs.
  CHECK(std::abs(mean - 0.02) < 6 * 0.01);
  CHECK(std::abs(squares - 1) < 6 * std::sqrt(2.0) * 0.01);
  CHECK(encoding.encode(x, {3, 4, 5}).value().values != sent.values);
  const noisy_random_k exact{.fraction = 1, .bound = 5, .noise_multiplier = 1e-3};
  const auto as_it_is = exact.encode(std::vector<float>{3, 0, -1}, {}).value();
  CHECK(std::abs(as_it_is[0] - 3) < 0.05);
  CHECK(std::abs(as_it_is[2] + 1) < 0.05);
}

TEST_CASE("released uploads: paid for before training, once, and nothing else of a client is told") {
  std::vector<privacy_event> paid;
  bool broke = false;
  const auto pay = [&](const privacy_event& e, std::string_view what) {
    CHECK(what == "round 3");
    if (broke) return status(error::of(fault::leak, "nothing is left"));
    paid.push_back(e);
    return status(nothing{});
  };
  const auto release = [&](auto encoding) {
    const released_uploads recipe{local, chain(encoding), pay};
    partial_office<std::remove_const_t<decltype(recipe)>> one(1, data_sets()[1], recipe, 5);
    const auto ask = [&](message_kind kind, std::vector<std::byte> body, std::uint32_t round = 0) {
      return decode_message(one.answer(encode({kind, one.data().schema.hash(), round, 0, std::move(body)})))
          .value();
    };
    CHECK(ask(message_kind::ask_moments, encode_number(12)).kind == message_kind::refusal);
    ask(message_kind::agree, {});
    ask(message_kind::architecture, test::copy(bytes_of(json_text(describe(network(linear))))));
    const auto order = encode_order(12, known::start);
    paid.clear();
    broke = true;
    CHECK(Contains("nothing is left").match(std::string(text_of(ask(message_kind::train, order, 2).body))));
    broke = false;
    const auto answer = ask(message_kind::train, order, 2);
    REQUIRE(answer.kind == message_kind::encoded_update);
    const auto update = decode_encoded_update(answer).value();
    CHECK(update.loss == 0);
    const auto events = encoding.events(15);
    REQUIRE(paid.size() == events.size());
    for (std::size_t i = 0; i < events.size(); ++i) CHECK(paid[i].mechanism == events[i].mechanism);
    CHECK(ask(message_kind::train, order, 2).body == answer.body);
    CHECK(paid.size() == events.size());
  };
  release(noisy_selection{.fraction = 0.2});
  release(noisy_random_k{.fraction = 0.2});
}

TEST_CASE("released uploads: moves beyond the range of numbers are none, and nobody hears of them") {
  detail::released_training<leaping> training({}, {});
  auto p = linear.make_parameters<float>();
  std::ranges::fill(p.trained(), 3e38F);
  const auto rows = test::rows_of(3, 4, 3, 1);
  const auto pay = [](const privacy_event&) { return status(nothing{}); };
  CHECK(training.run(p, rows.view(), std::span<const std::int32_t>(rows.labels), 0, pay));
  CHECK(std::ranges::all_of(p.trained(), [](float w) { return w == 3e38F; }));
  std::ranges::fill(p.trained(), 1e38F);
  CHECK(training.run(p, rows.view(), std::span<const std::int32_t>(rows.labels), 0, pay));
  CHECK(std::ranges::all_of(p.trained(), [](float w) { return w == -1e38F; }));
}

TEST_CASE("released uploads: a federation learns behind them, and its epsilon is that of all uploads") {
  std::vector<pld_accountant> spent(4);
  offices all{test::model_of_tests};
  auto data = test::four_data_sets();
  const noisy_random_k encoding{.fraction = 0.5, .bound = 0.2, .noise_multiplier = 0.6};
  for (std::uint32_t k = 0; k < 4; ++k) {
    const released_uploads recipe{test::local_of_tests.recipe(), chain(encoding),
                                  [&spent, k](const privacy_event& e, std::string_view) {
                                    spent[k].compose(e);
                                    return status(nothing{});
                                  }};
    all.add(std::make_unique<partial_office<std::remove_const_t<decltype(recipe)>>>(k + 1, std::move(data[k]),
                                                                                    recipe, 7));
  }
  auto options = selective_sgd{.download = {.fraction = 0.5}}.server(7);
  options.standardise = false;
  asynchronous_server server{decoded_uploads{}, options};
  server.run(all, in_process{}, rounds{20});
  for (const auto& one : spent)
    CHECK(one.epsilon(1e-5).upper == Approx(upper(events_of(encoding, 57, 5), 1e-5)));
  const auto rows = test::rows_of(60, 5, 3, 9);
  const auto judged = evaluate(test::model_of_tests, server.weights_for(test::model_of_tests), rows);
  CHECK(judged.confusion.accuracy() > 0.45);
}

TEST_CASE("selective SGD: numbers that make no sense are refused") {
  const std::vector<float> x(10, 1);
  const auto refused = [&](const auto& encoding) {
    CHECK_THROWS_AS(encoding.encode(x, {}), exception);
    CHECK_THROWS_AS(encoding.events(10), exception);
    CHECK_THROWS_AS(chain(encoding).template init<float>(3), exception);
  };
  refused(noisy_selection{.fraction = 0});
  refused(noisy_selection{.epsilon = 0});
  refused(noisy_selection{.epsilon = std::numeric_limits<double>::quiet_NaN()});
  refused(noisy_selection{.bound = 0});
  refused(noisy_selection{.bound = 1e-3, .threshold = 1e-2});
  refused(noisy_selection{.choice = 1});
  refused(noisy_random_k{.fraction = 1.5});
  refused(noisy_random_k{.bound = 0});
  refused(noisy_random_k{.noise_multiplier = 0});
  const std::vector<float> wrong{1, std::numeric_limits<float>::infinity()};
  CHECK(noisy_selection{}.encode(wrong, {}).error().kind == fault::range);
  CHECK(noisy_random_k{}.encode(wrong, {}).error().kind == fault::range);
  CHECK_THROWS_AS(chain(selective_sgd{.upload = 2}.largest(local).upload.encoding()).init<float>(3),
                  exception);
}
