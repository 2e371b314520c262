#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/describe.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/multiplied_step.hpp>
#include <privet/train/trainer.hpp>

#include <algorithm>
#include <cmath>

using namespace privet;

namespace {

const sequential model{dense<4, 9>{}, tanh_layer{}, dropout{0.1}, dense<9, 3>{}};
const auto steps = chain(average_over_batch{}, adam{.learning_rate = 0.01});

auto made(std::uint64_t seed = 1) {
  return trainer{model, softmax_cross_entropy{}, steps, shuffled{.batch = 7}, seed};
}

template <class Trainer>
std::vector<float> weights_of(const Trainer& t) {
  return {t.parameters().shared().begin(), t.parameters().shared().end()};
}

} // namespace

TEST_CASE("trainer: two times ten epochs equal twenty to the bit") {
  const auto data = test::rows_of(50, 4, 3, 1);
  auto once = made(), twice = made();
  once.fit(data, epochs{20});
  twice.fit(data, epochs{10});
  const auto halfway = weights_of(twice);
  twice.fit(data, epochs{10});
  CHECK(weights_of(once) == weights_of(twice));
  CHECK(weights_of(once) != halfway);
}

TEST_CASE("trainer: the same seed gives the same bits, another seed others") {
  const auto data = test::rows_of(50, 4, 3, 1);
  auto one = made(), same = made(), other = made(2);
  for (auto* t : {&one, &same, &other}) t->fit(data, epochs{3});
  CHECK(weights_of(one) == weights_of(same));
  CHECK(weights_of(one) != weights_of(other));
}

TEST_CASE("trainer: a step made beforehand trains to the same bits, one of several views by its own rule") {
  const auto data = test::rows_of(50, 4, 3, 1);
  auto here = made(3);
  trainer handed{training_step{model, softmax_cross_entropy{}, steps}, shuffled{.batch = 7}, no_accountant{},
                 3};
  here.fit(data, epochs{3});
  handed.fit(data, epochs{3});
  CHECK(weights_of(here) == weights_of(handed));

  // Four equal views are one, but for rounding.
  const auto of_views = [](std::size_t copies) {
    return trainer{multiplied_step{sequential{dense<4, 3>{}}, softmax_cross_entropy{},
                                   chain(average_over_batch{}, sgd{.learning_rate = 0.1}),
                                   augmentation({1, 2, 2}, {}), copies},
                   shuffled{.batch = 7}, no_accountant{}, 3};
  };
  auto one = of_views(1), four = of_views(4);
  one.fit(data, epochs{3});
  four.fit(data, epochs{3});
  CHECK(one.evaluate(data).confusion.accuracy() > 0.4); // chance is 1/3
  const auto expected = weights_of(one), found = weights_of(four);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-5f);
}

TEST_CASE("trainer: a step that crops reads rows of its own width, and refuses others before it pays") {
  const auto data = test::rows_of(40, 9, 3, 1);
  const auto clipped = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 2},
                             sgd{.learning_rate = 0.1});
  trainer t{multiplied_step{sequential{dense<4, 3>{}}, softmax_cross_entropy{}, clipped,
                            augmentation({1, 3, 3}, {.height = 2, .width = 2}), 2},
            poisson{.rate = 0.1}, pld_accountant{}, 3};
  const auto narrow = test::rows_of(40, 4, 3, 1);
  CHECK_THROWS_AS(t.fit(narrow, epochs{1}), exception);
  CHECK(t.spent(delta{1e-5}).upper == 0);
  t.fit(data, epochs{1});
  CHECK(t.spent(delta{1e-5}).upper > 0);
  CHECK_THROWS_AS(t.evaluate(data), exception); // the model reads four
}

TEST_CASE("trainer: it learns, and its observer hears every epoch with a falling loss") {
  const auto data = test::rows_of(300, 4, 3, 1), fresh = test::rows_of(300, 4, 3, 2);
  auto t = made();
  std::vector<epoch_report> heard;
  const auto listen = [&](const epoch_report& e) { heard.push_back(e); };
  t.fit(data, epochs{15}, listen);
  t.fit(data, epochs{5}, listen);
  REQUIRE(heard.size() == 20);
  for (std::size_t i = 0; i < heard.size(); ++i) CHECK(heard[i].epoch == i + 1);
  CHECK(heard.back().loss < 0.5 * heard.front().loss);
  CHECK(t.evaluate(fresh).confusion.accuracy() > 0.75); // chance is 1/3
  CHECK(t.predict(fresh.view()).size() == 300);
}

TEST_CASE("trainer: a network that arrived as text trains to the same bits as the model in the program") {
  const auto data = test::rows_of(61, 4, 3, 1);
  const auto arrived = read_network(parse_json(json_text(describe(model))).value()).value();

  auto here = made(9);
  trainer there{arrived, softmax_cross_entropy{}, steps, shuffled{.batch = 7}, 9};
  here.fit(data, epochs{4});
  there.fit(data, epochs{4});
  CHECK(weights_of(here) == weights_of(there));

  // And step by step, with a batch larger than a chunk.
  training_step first(model, softmax_cross_entropy{}, steps, 8);
  training_step second(arrived, softmax_cross_entropy{}, steps, 8);
  auto p = initialise(model, 4), q = initialise(arrived, 4);
  auto s = first.init(), r = second.init();
  std::vector<std::uint32_t> batch(61);
  for (std::uint32_t i = 0; i < 61; ++i) batch[i] = (i * 17) % 61;
  for (int i = 0; i < 5; ++i)
    CHECK(first(p, s, data.view(), data.labels.data(), batch, 61, 3) ==
          second(q, r, data.view(), data.labels.data(), batch, 61, 3));
  CHECK(std::ranges::equal(p.shared(), q.shared()));
}

TEST_CASE("trainer: scalar targets are fitted too") {
  const sequential line{dense<1, 1>{}};
  const std::vector<float> x{-1, 0, 1, 2}, y{-1, 1, 3, 5}; // y = 2 x + 1
  trainer t{line, mean_squared_error{}, chain(average_over_batch{}, sgd{.learning_rate = 0.1}),
            shuffled{.batch = 4}};
  t.fit(rows_view<float>{x.data(), 4, 1}, std::span<const float>(y), epochs{300});
  CHECK(t.parameters().shared()[0] == Approx(2).epsilon(1e-3));
  CHECK(t.parameters().shared()[1] == Approx(1).epsilon(1e-3));
}

TEST_CASE("trainer: rows, labels and targets that do not fit are refused before anything is read") {
  auto t = made();
  auto data = test::rows_of(10, 4, 3, 1);
  CHECK_THROWS_WITH(t.fit(test::rows_of(10, 5, 3, 1), epochs{1}),
                    "[N003 shape] the model reads rows 4 wide, got 5");
  CHECK_THROWS_AS(t.fit(data.select({}), epochs{1}), exception); // no rows
  CHECK_THROWS_AS(t.fit(data.view(), std::span<const std::int32_t>(data.labels).first(9), epochs{1}),
                  exception);
  CHECK_THROWS_AS(t.fit(data.view(), std::span<const std::int32_t>{}, epochs{1}), exception);
  data.labels[3] = 3;
  CHECK_THROWS_AS(t.fit(data, epochs{1}), exception);
  CHECK_THROWS_AS(t.fit(data.view(), std::span<const std::int32_t>(data.labels), epochs{1}), exception);
  data.labels[3] = -1;
  CHECK_THROWS_AS(t.fit(data, epochs{1}), exception);

  const sequential pair{dense<1, 2>{}};
  trainer two{pair, mean_squared_error{}, chain(average_over_batch{}, sgd{})};
  const std::vector<float> x(4), y(4);
  CHECK_THROWS_WITH(two.fit(rows_view<float>{x.data(), 4, 1}, std::span<const float>(y), epochs{1}),
                    "[N003 shape] 4 rows with 4 targets, expected 2 for each");
  const std::vector<float> z(8);
  CHECK_THROWS_WITH(two.fit(rows_view<float>{x.data(), 2, 2}, std::span<const float>(y), epochs{1}),
                    "[N003 shape] the model reads rows 1 wide, got 2");
  // What was refused is no epoch of the run.
  trainer fresh{pair, mean_squared_error{}, chain(average_over_batch{}, sgd{})};
  for (auto* each : {&two, &fresh})
    each->fit(rows_view<float>{x.data(), 4, 1}, std::span<const float>(z), epochs{1},
              [](const epoch_report& e) { CHECK(e.epoch == 1); });
}
