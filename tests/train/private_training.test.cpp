#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/train/trainer.hpp>

#include <cmath>
#include <limits>
#include <numeric>

using namespace privet;

namespace {

const sequential model{dense<4, 9>{}, relu{}, dense<9, 3>{}};
const auto recipe = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                          sgd{.learning_rate = 0.1});

std::vector<std::uint32_t> first_rows(std::size_t count) {
  std::vector<std::uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0u);
  return rows;
}

struct double_rows {
  std::vector<double> features;
  std::vector<std::int32_t> labels;
  rows_view<double> view() const { return {features.data(), labels.size(), 4}; }
};
double_rows doubles(const dataset<float>& rows) {
  const auto x = rows.view();
  return {std::vector<double>(x.data, x.data + x.rows * x.columns), rows.labels};
}

/// What one step adds to parameters of zero, when the chain's noise is almost nothing.
template <class Bound>
std::vector<double> nearly_noiseless(const Bound& bound, const double_rows& rows,
                                     std::span<const std::uint32_t> batch, double expected,
                                     std::size_t chunk = 128) {
  training_step<decltype(model), softmax_cross_entropy,
                decltype(chain(bound, average_over_batch{}, gaussian{}.in_floating_point(), sgd{})), double>
      step(model, softmax_cross_entropy{},
           chain(bound, average_over_batch{}, gaussian{.noise_multiplier = 1e-3}.in_floating_point(),
                 sgd{.learning_rate = 1}),
           chunk);
  auto p = initialise<double>(model, 1);
  const std::vector<double> before(p.trained().begin(), p.trained().end());
  auto state = step.init();
  step(p, state, rows.view(), rows.labels.data(), batch, expected);
  std::vector<double> moved;
  for (std::size_t i = 0; i < before.size(); ++i) moved.push_back(before[i] - p.trained()[i]);
  return moved;
}

double norm_of(std::span<const double> v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}

/// Leaves the step as it is, and does not say that it only multiplies.
struct unchanged {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  template <Label L>
  using after = L;
  template <class T>
  void update(std::span<T>, std::size_t, state_slice<T>, const update_context<T>&) const {}
};

} // namespace

TEST_CASE("private training spends what the same accountant says of its steps") {
  const auto data = test::rows_of(500, 4, 3, 1);
  trainer train{model, softmax_cross_entropy{}, recipe, poisson{.rate = 0.02}, pld_accountant{}};
  CHECK(train.fit(data, epochs{2}) == 2);
  CHECK(train.fit(data, draws{7}));
  auto one = train.event(500);
  pld_accountant expected;
  for (int i = 0; i < 107; ++i) expected.compose(one);
  CHECK(train.spent(delta{1e-5}).upper == expected.epsilon(1e-5).upper);

  // And no less than the plain mechanism: rounding and finite precision cost.
  pld_accountant ideal;
  ideal.compose({event::subsampled_gaussian{1, 0.02}, 107});
  CHECK(train.spent(delta{1e-5}).upper >= ideal.epsilon(1e-5).lower);
  CHECK(train.spent(delta{1e-5}).upper <= 1.001 * ideal.epsilon(1e-5).upper);
}

TEST_CASE("training with exact noise spends what the Renyi accountant says of its steps") {
  const auto data = test::rows_of(500, 4, 3, 1);
  const auto exact = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1}.exact(),
                           sgd{.learning_rate = 0.1});
  trainer train{model, softmax_cross_entropy{}, exact, poisson{.rate = 0.02}, rdp_accountant{}};
  CHECK(train.fit(data, draws{107}));
  rdp_accountant expected, on_paper;
  for (int i = 0; i < 107; ++i) expected.compose(train.event(500));
  on_paper.compose({event::subsampled_gaussian{1, 0.02}, 107});
  CHECK(train.spent(delta{1e-5}).upper == expected.epsilon(1e-5).upper);
  CHECK(train.spent(delta{1e-5}).upper >= on_paper.epsilon(1e-5).upper);
  CHECK(train.spent(delta{1e-5}).upper <= 1.02 * on_paper.epsilon(1e-5).upper);
}

TEST_CASE("private training learns, and keeps losses to itself") {
  const auto data = test::rows_of(3000, 4, 3, 1), fresh = test::rows_of(300, 4, 3, 2);
  trainer train{model,
                softmax_cross_entropy{},
                chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                      adam{.learning_rate = 0.01}),
                poisson{.rate = 0.05},
                rdp_accountant{},
                3};
  std::vector<double> heard;
  train.fit(data, epochs{20}, [&](const epoch_report& r) { heard.push_back(r.loss); });
  CHECK(heard.size() == 20);
  for (const double loss : heard) CHECK(std::isnan(loss));
  CHECK(train.evaluate(fresh).confusion.accuracy() > 0.7); // chance is 1/3
}

TEST_CASE("private training: two runs of one seed differ, by their noise alone") {
  const auto data = test::rows_of(50, 4, 3, 1);
  const auto trained = [&](auto noise) {
    trainer t{model, softmax_cross_entropy{}, chain(clip_l2{.bound = 1}, average_over_batch{}, noise, sgd{}),
              public_poisson{.rate = 0.5, .seed = 3}, 5};
    t.fit(data, draws{4});
    return std::vector<float>(t.parameters().shared().begin(), t.parameters().shared().end());
  };
  CHECK(trained(gaussian{}) != trained(gaussian{}));
  unsafe::replayable_noise a(1, "test"), b(1, "test"), c(2, "test");
  const auto first = trained(gaussian{}.drawn_from(a));
  CHECK(first == trained(gaussian{}.drawn_from(b)));
  CHECK(first != trained(gaussian{}.drawn_from(c)));
}

TEST_CASE("a public sample is accounted without amplification") {
  trainer train{model, softmax_cross_entropy{}, recipe, public_poisson{.rate = 0.02, .seed = 1},
                pld_accountant{}};
  train.fit(test::rows_of(500, 4, 3, 1), draws{3});
  pld_accountant whole;
  whole.compose({event::gaussian{1}, 3});
  CHECK(train.spent(delta{1e-5}).upper >= whole.epsilon(1e-5).lower);
}

TEST_CASE("noise has the deviation that multiplier, bound and expected batch ask for, in every form") {
  const sequential wide{dense<400, 300>{}};
  const std::vector<float> zeros(400);
  const std::vector<std::int32_t> label(1);
  const auto spread = [&](auto noise, double expected) {
    training_step step{wide, softmax_cross_entropy{},
                       chain(clip_l2{.bound = 3}, average_over_batch{}, noise, sgd{.learning_rate = 1})};
    auto p = wide.make_parameters();
    auto state = step.init();
    step(p, state, {zeros.data(), 1, 400}, label.data(), {}, expected); // an empty batch is a step
    double sum = 0, mean = 0;
    for (const float w : p.trained()) sum += static_cast<double>(w) * w, mean += w;
    const double n = static_cast<double>(p.trained().size());
    CHECK(std::abs(mean / n) < 6 * std::sqrt(sum) / n); // 2e-9
    return std::sqrt(sum / n);
  };
  for (const double expected : {1.0, 50.0}) { // 120,300 numbers: the deviation is off by 0.2 %
    CHECK(spread(gaussian{.noise_multiplier = 2}, expected) == Approx(6 / expected).epsilon(0.013)); // 6 sd
    CHECK(spread(gaussian{.noise_multiplier = 2}.in_floating_point(), expected) ==
          Approx(6 / expected).epsilon(0.013));
    CHECK(spread(gaussian{.noise_multiplier = 2}.exact(), expected) == Approx(6 / expected).epsilon(0.013));
  }
}

TEST_CASE("noise added on the way to the weights is noise added to the gradient, to the bit") {
  const auto data = test::rows_of(700, 4, 3, 5);
  const auto weights_after = [&](auto... behind) {
    unsafe::replayable_noise source(3, "a test");
    training_step step{
        model, softmax_cross_entropy{},
        chain(clip_l2{.bound = 1}, average_over_batch{},
              gaussian{.noise_multiplier = 0.7}.in_floating_point().drawn_from(source), behind...)};
    auto p = initialise(model, 1);
    auto state = step.init();
    for (const std::size_t rows : {0u, 1u, 320u, 700u})
      step(p, state, data.view(), data.labels.data(), first_rows(rows), 64);
    return std::vector<float>(p.trained().begin(), p.trained().end());
  };
  const sgd descent{.learning_rate = 0.3};
  const step_rate falling{.every = 2, .gamma = 0.5};
  CHECK(weights_after(descent, falling) == weights_after(unchanged{}, descent, falling));
  // Behind a stage that does more, nothing is done on the way.
  const sgd heavy{.learning_rate = 0.3, .momentum = 0.9};
  CHECK(weights_after(heavy) == weights_after(unchanged{}, heavy));
  CHECK(weights_after(heavy) != weights_after(descent));
}

TEST_CASE("what remains without noise is the sum of clipped gradients over the expected batch") {
  const auto rows = doubles(test::rows_of(40, 4, 3, 1));
  // Gradients of single rows, by a step without bound or noise.
  const auto gradient = [&](std::uint32_t r) {
    training_step<decltype(model), softmax_cross_entropy, decltype(chain(average_over_batch{}, sgd{})),
                  double>
        step(model, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{.learning_rate = 1}));
    auto p = initialise<double>(model, 1);
    const std::vector<double> before(p.trained().begin(), p.trained().end());
    auto state = step.init();
    step(p, state, rows.view(), rows.labels.data(), std::span<const std::uint32_t>(&r, 1), 1);
    std::vector<double> g;
    for (std::size_t i = 0; i < before.size(); ++i) g.push_back(before[i] - p.trained()[i]);
    return g;
  };
  const std::size_t layer = 4 * 9 + 9; // where the second begins
  const double bound = 0.4;
  const auto expected = [&](auto coefficients) {
    std::vector<double> sum(model.sizes().shared);
    for (std::uint32_t r = 0; r < 40; ++r) {
      const auto g = gradient(r);
      const auto [first, second] = coefficients(std::span<const double>(g));
      for (std::size_t i = 0; i < g.size(); ++i) sum[i] += (i < layer ? first : second) * g[i] / 10;
    }
    return sum;
  };
  const auto same = [&](const std::vector<double>& found, const std::vector<double>& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i)
      CHECK(std::abs(found[i] - wanted[i]) < 1e-3 * bound / 10 * 7); // 7 deviations of the little noise
  };
  const auto batch = first_rows(40);
  for (const std::size_t chunk : {128u, 7u}) {
    same(nearly_noiseless(clip_l2{.bound = bound}, rows, batch, 10, chunk), expected([&](auto g) {
           const double c = std::min(1.0, bound / norm_of(g));
           return std::pair(c, c);
         }));
    same(nearly_noiseless(clip_l2{.bound = bound}.automatic(), rows, batch, 10, chunk), expected([&](auto g) {
           const double c = bound / (norm_of(g) + 0.01);
           return std::pair(c, c);
         }));
    same(nearly_noiseless(clip_l2{.bound = bound}.by_layer(), rows, batch, 10, chunk), expected([&](auto g) {
           const double own = bound / std::sqrt(2.0);
           return std::pair(std::min(1.0, own / norm_of(g.first(layer))),
                            std::min(1.0, own / norm_of(g.subspan(layer))));
         }));
  }
}

TEST_CASE("under every bound a poisoned example counts for nothing, and the step says nothing of it") {
  auto rows = doubles(test::rows_of(30, 4, 3, 1));
  auto clean = rows;
  for (std::size_t j = 0; j < 4; ++j) {
    rows.features[5 * 4 + j] = std::numeric_limits<double>::quiet_NaN();
    rows.features[9 * 4 + j] = std::numeric_limits<double>::infinity();
  }
  std::vector<std::uint32_t> without;
  for (std::uint32_t r = 0; r < 30; ++r)
    if (r != 5 && r != 9) without.push_back(r);
  const auto same = [&](auto bound) {
    const auto poisoned = nearly_noiseless(bound, rows, first_rows(30), 10),
               left_out = nearly_noiseless(bound, clean, without, 10);
    for (std::size_t i = 0; i < poisoned.size(); ++i)
      CHECK(std::abs(poisoned[i] - left_out[i]) < 1e-3 * 0.4 / 10 * 10);
  };
  same(clip_l2{.bound = 0.4});
  same(clip_l2{.bound = 0.4}.by_layer());
  same(clip_l2{.bound = 0.4}.automatic());
}

TEST_CASE("an adaptive bound finds the quantile of the norms, and its count is paid for") {
  const auto data = test::rows_of(2000, 4, 3, 1);
  clip_l2_adaptive bound;
  bound.bound = 50;
  const auto steps =
      chain(bound, average_over_batch{}, gaussian{.noise_multiplier = 0.8}, sgd{.learning_rate = 1e-9});
  training_step step{model, softmax_cross_entropy{}, steps};
  auto p = initialise(model, 1);
  auto state = step.init();
  CHECK(state.bound == 50);
  const auto batch = first_rows(2000);
  for (int i = 0; i < 80; ++i) step(p, state, data.view(), data.labels.data(), batch, 2000);
  // The median norm of single gradients.
  std::vector<double> norms;
  const auto d = doubles(data);
  training_step<decltype(model), softmax_cross_entropy, decltype(chain(average_over_batch{}, sgd{})), double>
      plain(model, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{.learning_rate = 1}));
  const auto start = initialise<double>(model, 1);
  for (std::uint32_t r = 0; r < 2000; ++r) {
    auto q = start;
    auto s = plain.init();
    plain(q, s, d.view(), d.labels.data(), std::span<const std::uint32_t>(&r, 1), 1);
    double sum = 0;
    for (std::size_t i = 0; i < q.trained().size(); ++i)
      sum += std::pow(q.trained()[i] - start.trained()[i], 2);
    norms.push_back(std::sqrt(sum));
  }
  std::ranges::nth_element(norms, norms.begin() + 1000);
  CHECK(state.bound == Approx(norms[1000]).epsilon(0.15));

  // Less noise on the count, less left of the budget for the gradients; together they spend 0.8.
  const auto event_of = [&](double count_noise) {
    auto b = bound;
    b.count_noise = count_noise;
    trainer t{model, softmax_cross_entropy{},
              chain(b, average_over_batch{}, gaussian{.noise_multiplier = 0.8}, sgd{}), poisson{.rate = 0.1},
              pld_accountant{}};
    return std::get<event::subsampled_gaussian>(t.event(2000).mechanism).noise_multiplier;
  };
  CHECK(event_of(0.5) == Approx(0.8).epsilon(5e-3));
  CHECK(event_of(50) == Approx(0.8).epsilon(8e-3));
  CHECK(event_of(50) < 0.8);
  CHECK_THROWS_WITH(event_of(0.4), Catch::Contains("0.8") && Catch::Contains("0.4"));
}

TEST_CASE("an accountant that is at its limit ends training before the step that would pass it") {
  struct limited : rdp_accountant {
    std::uint64_t left = 120;
    bool may(const privacy_event& e) const { return e.count <= left; }
    void compose(const privacy_event& e) {
      left -= e.count;
      rdp_accountant::compose(e);
    }
  };
  const auto data = test::rows_of(500, 4, 3, 1);
  trainer train{model, softmax_cross_entropy{}, recipe, poisson{.rate = 0.02}, limited{}};
  CHECK(train.fit(data, epochs{5}) == 2); // of 50 batches each
  CHECK(train.accountant().left == 20);
  CHECK_FALSE(train.fit(data, draws{21}));
  CHECK(train.fit(data, draws{20}));
  CHECK(train.accountant().left == 0);
}

TEST_CASE("parameters that noise has driven to infinity are an error") {
  const auto data = test::rows_of(50, 4, 3, 1);
  trainer train{model, softmax_cross_entropy{},
                chain(clip_l2{.bound = 1e20}, average_over_batch{}, gaussian{.noise_multiplier = 100},
                      sgd{.learning_rate = 1e18}),
                poisson{.rate = 0.5}, pld_accountant{}};
  CHECK_THROWS_WITH(train.fit(data, epochs{3}),
                    Catch::Contains("[N008") && Catch::Contains("no finite number"));
}

TEST_CASE("private training: what it says of rows that it refuses is nothing of a row") {
  auto data = test::rows_of(50, 4, 3, 1);
  const auto said_of = [](const dataset<float>& rows, const auto& steps) -> std::string {
    trainer t{model, softmax_cross_entropy{}, steps, poisson{.rate = 0.1}};
    try {
      t.fit(rows, draws{1});
    } catch (const exception& why) {
      return why.what();
    }
    return "nothing";
  };
  const auto plain = chain(average_over_batch{}, sgd{});
  const auto digits_of = [](std::string text) {
    std::erase_if(text, [](char c) { return c < '0' || c > '9'; });
    return text;
  };
  data.labels[37] = 4321;
  CHECK(said_of(data, plain) == "[N006 label] row 37 has label 4321, the model has 3 outputs");
  CHECK_THAT(said_of(data, recipe), Catch::Contains("[N006 label]"));
  CHECK(digits_of(said_of(data, recipe)) == "0063");
  const auto labelled = said_of(data, recipe);
  data.labels[37] = -1;
  data.labels[12] = 3;
  CHECK(said_of(data, recipe) == labelled);

  auto values = test::rows_of(50, 4, 3, 1);
  row(values.features, 7)[2] = std::numeric_limits<float>::infinity();
  CHECK_THAT(said_of(values, plain), Catch::Contains("row 7, column 2 is inf"));
  const auto infinite = said_of(values, recipe);
  CHECK(digits_of(infinite) == "001");
  row(values.features, 7)[2] = 0;
  row(values.features, 8)[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(said_of(values, recipe) == infinite);
  CHECK(said_of(test::rows_of(50, 5, 3, 1), recipe) == "[N003 shape] the model reads rows 4 wide, got 5");
}

TEST_CASE("a network that arrived as text trains privately like the model in the program") {
  const auto data = test::rows_of(60, 4, 3, 1);
  const network arrived(model);
  const auto weights = [&](const auto& m) {
    unsafe::replayable_noise noise(4, "the same for both");
    trainer t{m, softmax_cross_entropy{},
              chain(clip_l2{}, average_over_batch{}, gaussian{}.drawn_from(noise), adam{}),
              public_poisson{.rate = 0.4, .seed = 8}, 2};
    t.fit(data, draws{6});
    return std::vector<float>(t.parameters().shared().begin(), t.parameters().shared().end());
  };
  CHECK(weights(model) == weights(arrived));
}

TEST_CASE("a gradient whose squares underflow is bounded all the same") {
  const auto norm_after = [](const auto& bound, std::size_t out) {
    const sequential wide{dense<>{1, out}};
    training_step step{wide, mean_squared_error{},
                       chain(bound, average_over_batch{}, sgd{.learning_rate = 1})};
    auto p = wide.make_parameters();
    auto state = step.init();
    const float x = 1.7e19f; // times a delta of 1e-19 a gradient of 1.7 for each output
    const std::vector<float> targets(out, -0.5f * static_cast<float>(out) * 1e-19f);
    const std::uint32_t row = 0;
    step(p, state, {&x, 1, 1}, targets.data(), std::span(&row, 1), 1);
    double squares = 0;
    for (const float w : p.trained()) squares += static_cast<double>(w) * w;
    return std::sqrt(squares);
  };
  for (const std::size_t out : {1u, 8u, 1000u}) {
    CHECK(norm_after(clip_l2{.bound = 1}, out) <= 1.0001);
    CHECK(norm_after(clip_l2{.bound = 0.01}, out) <= 0.010001);
    CHECK(norm_after(clip_l2{.bound = 1}.automatic(), out) <= 1.0001);
    CHECK(norm_after(clip_l2{.bound = 1}.by_layer(), out) <= 1.0001);
  }
}

TEST_CASE("public coins are accounted for rows that are zeroed out, not removed") {
  trainer train{model, softmax_cross_entropy{}, recipe, public_poisson{.rate = 0.02, .seed = 1},
                pld_accountant{}};
  CHECK(train.event(500).relation == neighbours::zero_out);
  trainer secret{model, softmax_cross_entropy{}, recipe, poisson{.rate = 0.02}, pld_accountant{}};
  CHECK(secret.event(500).relation == neighbours::add_remove);
}

TEST_CASE("under noise, dropout's coins are secret: no seed repeats them") {
  const auto data = test::rows_of(60, 4, 3, 1);
  const sequential with_dropout{dense<4, 30>{}, relu{}, dropout{0.5}, dense<30, 3>{}};
  const auto weights = [&](auto... noise) {
    trainer t{with_dropout, softmax_cross_entropy{},
              chain(clip_l2{}, average_over_batch{}, noise..., sgd{.learning_rate = 1}),
              public_poisson{.rate = 1, .seed = 8}, 2};
    t.fit(data, draws{1});
    return std::vector<float>(t.parameters().shared().begin(), t.parameters().shared().end());
  };
  unsafe::replayable_noise a(4, "the same for both"), b(4, "the same for both");
  CHECK(weights(gaussian{}.drawn_from(a)) != weights(gaussian{}.drawn_from(b)));
  CHECK(weights() == weights());
}
