#include "fixtures/training.hpp"
#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/numbers.hpp"
#include "support/torch.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/schedule.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/fine_tuning.hpp>
#include <privet/train/predictor.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

using namespace privet;
namespace torch = privet::test::training;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Scales a gradient down to a norm; with `drop`, one that is longer than `drop` counts for nothing.
struct test_clip {
  static constexpr stage_role role = stage_role::bound;
  double norm = infinity;
  double drop = infinity;

  template <class T>
  T coefficient(T squared_norm) const {
    const double length = std::sqrt(static_cast<double>(squared_norm));
    return static_cast<T>(length > drop ? 0 : std::min(1.0, norm / length));
  }
};

/// Rows of normals and labels in turn, and a batch that names each row once.
template <class T>
struct rows_of_normals {
  std::vector<T> x;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> batch;
  std::size_t columns;

  rows_of_normals(std::size_t rows, std::size_t width)
      : x(test::normals<T>(rows * width, 7)), batch(rows), columns(width) {
    for (std::size_t i = 0; i < rows; ++i) labels.push_back(static_cast<std::int32_t>(i % 3));
    std::iota(batch.begin(), batch.end(), 0u);
  }
  rows_view<T> view() const { return {x.data(), labels.size(), columns}; }
  T& at(std::size_t row, std::size_t column) { return x[row * columns + column]; }
};

template <class T, class Model>
parameters<T> normal_parameters(const Model& model) {
  auto p = model.template make_parameters<T>();
  const auto start = test::normals<T>(p.trained().size(), 8);
  std::copy(start.begin(), start.end(), p.trained().begin());
  return p;
}

template <class T, class Model, class Chain>
training_step<Model, softmax_cross_entropy, Chain, T> stepper(const Model& model, const Chain& steps,
                                                              std::size_t chunk = 128) {
  return {model, softmax_cross_entropy{}, steps, chunk};
}

/// Writes down what reaches it.
template <class T>
struct record {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  std::vector<T>* to;
  void update(std::span<T> slice, std::size_t offset, state_slice<T>, const update_context<T>&) const {
    std::copy(slice.begin(), slice.end(), to->begin() + static_cast<std::ptrdiff_t>(offset));
  }
};

/// The sum of the gradients of one step from the same parameters, each under the bounds.
template <class T, class Model, class... Bounds>
std::vector<T> gradient_sum(const Model& model, const rows_of_normals<T>& rows,
                            std::span<const std::uint32_t> batch, std::size_t chunk, Bounds... bounds) {
  std::vector<T> sum(model.sizes().shared);
  auto step = stepper<T>(model, chain(bounds..., average_over_batch{}, record<T>{&sum}), chunk);
  auto p = normal_parameters<T>(model);
  auto state = step.init();
  step(p, state, rows.view(), rows.labels.data(), batch, 1);
  return sum;
}

const sequential small{dense<7, 11>{}, relu{}, dense<11, 3>{}};
const auto plain = chain(average_over_batch{}, sgd{.learning_rate = 0.05});

void check_training(std::size_t chunk) {
  const sequential model{dense<43, 16>{}, relu{}, dense<16, 6>{}};
  auto step =
      stepper<float>(model, chain(average_over_batch{}, sgd{.learning_rate = 0.05, .momentum = 0.9}), chunk);
  auto p = model.make_parameters();
  const auto initial = test::from_torch<float>(model, std::span<const float>(torch::initial));
  std::copy(initial.begin(), initial.end(), p.trained().begin());
  auto state = step.init();
  const rows_view<float> rows{torch::x, std::size(torch::labels), 43};
  for (std::size_t i = 0; i < std::size(torch::batches); ++i) {
    const double loss = step(p, state, rows, torch::labels, torch::batches[i], 8);
    CHECK(loss / 8 == Approx(torch::mean_losses[i]).epsilon(1e-5));
  }
  CHECK(state.step == std::size(torch::batches));
  const auto expected = test::from_torch<float>(model, std::span<const float>(torch::trained));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("parameter " << i);
    REQUIRE(std::abs(p.trained()[i] - expected[i]) <= 1e-5 * std::max(std::abs(expected[i]), 0.1f));
  }
}

} // namespace

TEST_CASE("ten training steps equal torch's") {
  check_training(128);
  check_training(3); // a batch larger than the chunk
}

TEST_CASE("the size of the chunk changes no bit") {
  const sequential model{dense<7, 40>{}, relu{}, dropout{0.3}, dense<40, 3>{}};
  const auto steps = chain(test_clip{.norm = 0.5}, average_over_batch{}, weight_decay{.rate = 0.01}, adam{},
                           warm_up_rate{.steps = 3});
  const rows_of_normals<float> rows(29, 7);
  const auto train = [&](std::size_t chunk) {
    auto step = stepper<float>(model, steps, chunk);
    auto p = normal_parameters<float>(model);
    auto state = step.init();
    for (int i = 0; i < 5; ++i) step(p, state, rows.view(), rows.labels.data(), rows.batch, 29, 4);
    return std::vector<float>(p.trained().begin(), p.trained().end());
  };
  const auto expected = train(128);
  for (const std::size_t chunk : {1u, 2u, 5u, 6u, 28u, 29u, 30u}) CHECK(train(chunk) == expected);
}

TEST_CASE("a run-time model trains to the bits of the static one") {
  const rows_of_normals<float> rows(20, 7);
  const auto train = [&](const auto& model) {
    auto step = stepper<float>(model, plain, 8);
    auto p = normal_parameters<float>(model);
    auto state = step.init();
    for (int i = 0; i < 5; ++i) step(p, state, rows.view(), rows.labels.data(), rows.batch, 20);
    return std::vector<float>(p.trained().begin(), p.trained().end());
  };
  CHECK(train(network(small)) == train(small));
}

TEST_CASE("plain descent in registers, in pieces and over chunks gives the same bits") {
  const sequential model{dense<7, 40>{}, relu{}, dense<40, 17>{}, tanh_layer{}, dense<17, 3>{}};
  const rows_of_normals<float> rows(29, 7);
  std::vector<std::uint32_t> shuffled = rows.batch;
  std::ranges::reverse(shuffled);
  const auto train = [&](std::size_t chunk, double momentum, std::span<const std::uint32_t> batch) {
    auto step = stepper<float>(model,
                               chain(average_over_batch{}, sgd{.learning_rate = 0.05, .momentum = momentum},
                                     cosine_rate{.steps = 9}),
                               chunk);
    auto p = normal_parameters<float>(model);
    auto state = step.init();
    for (int i = 0; i < 5; ++i) step(p, state, rows.view(), rows.labels.data(), batch, 29);
    return std::vector<float>(p.trained().begin(), p.trained().end());
  };
  for (const double momentum : {0.0, 0.9}) {
    const auto expected = train(128, momentum, rows.batch);
    for (const std::size_t chunk : {1u, 5u, 6u, 28u, 29u})
      CHECK(train(chunk, momentum, rows.batch) == expected);
    // Rows that lie one after another are read in place, others are copied; the sum has the batch's order.
    CHECK(train(6, momentum, shuffled) == train(128, momentum, shuffled));
    CHECK(train(128, momentum, shuffled) != expected);
  }
}

TEST_CASE("the gradient is divided by the expected batch, not by the one that came") {
  const rows_of_normals<double> rows(6, 7);
  auto step = stepper<double>(small, plain);
  const auto before = normal_parameters<double>(small);
  const auto moved = [&](double expected_batch) {
    auto p = before;
    auto state = step.init();
    step(p, state, rows.view(), rows.labels.data(), rows.batch, expected_batch);
    return p.trained()[3] - before.trained()[3];
  };
  CHECK(moved(24) == Approx(moved(6) / 4).epsilon(1e-12));
}

TEST_CASE("an empty batch takes a step without a gradient") {
  const rows_of_normals<float> rows(1, 7);
  auto step = stepper<float>(small, chain(average_over_batch{}, sgd{.learning_rate = 1, .momentum = 0.5}));
  auto p = normal_parameters<float>(small);
  const auto before = p;
  auto state = step.init();
  CHECK(step(p, state, rows.view(), rows.labels.data(), {}, 8) == 0);
  CHECK(std::ranges::equal(p.trained(), before.trained()));
  CHECK(state.step == 1);
}

TEST_CASE("a step allocates nothing") {
  const rows_of_normals<float> rows(50, 7);
  const auto steps = chain(test_clip{.norm = 1}, average_over_batch{}, weight_decay{.rate = 0.01}, adam{},
                           cosine_rate{.steps = 9});
  const auto check = [&](const auto& model) {
    auto step = stepper<float>(model, steps, 16);
    auto p = normal_parameters<float>(model);
    auto state = step.init();
    const std::size_t before = test::heap::allocations;
    for (int i = 0; i < 3; ++i) step(p, state, rows.view(), rows.labels.data(), rows.batch, 50);
    const std::size_t after = test::heap::allocations;
    CHECK(before > 0); // the counter counts
    CHECK(after == before);
  };
  check(sequential{dense<7, 33>{}, relu{}, dropout{0.2}, dense<33, 9>{}, tanh_layer{}, dense<9, 3>{},
                   sigmoid{}});
  check(network({dense<>{7, 33}, relu{}, dropout{0.2}, dense<>{33, 3}}));
  check(network({lstm<>{7, 1, 9}, gru<>{7, 9, 4, 1}, dense<>{4, 3}}));
}

TEST_CASE("a step that pulls towards an anchor allocates nothing, and neither does fine-tuning") {
  const rows_of_normals<float> rows(50, 7);
  auto p = normal_parameters<float>(small);
  const auto anchor = p;
  training_step step{small, softmax_cross_entropy{},
                     chain(average_over_batch{}, proximal{.strength = 0.1}, sgd{.momentum = 0.9}), 16};
  step.anchor(anchor.trained());
  auto state = step.init();
  fine_tuning tuned(small, softmax_cross_entropy{}, {.part = tuned_part::head_first, .batch = 7}, p,
                    rows.batch, 1);
  const std::size_t before = test::heap::allocations;
  for (int i = 0; i < 3; ++i) step(p, state, rows.view(), rows.labels.data(), rows.batch, 50);
  tuned.run_to(200, rows.view(), rows.labels);
  CHECK(test::heap::allocations == before);
}

TEST_CASE("a prediction of one row allocates nothing") {
  predictor classify(small, normal_parameters<float>(small));
  const auto row = test::normals<float>(7, 1);
  const std::size_t before = test::heap::allocations;
  const std::int32_t label = classify(row);
  CHECK(test::heap::allocations == before);
  CHECK(label < 3);
}

TEST_CASE("clipping each example equals clipping batches of one") {
  const rows_of_normals<double> rows(13, 7);
  constexpr double norm = 2;
  std::vector<double> expected(small.sizes().shared);
  std::size_t clipped = 0;
  for (const std::uint32_t i : rows.batch) {
    const auto g = gradient_sum<double>(small, rows, std::span(&i, 1), 128);
    const double length = std::sqrt(std::inner_product(g.begin(), g.end(), g.begin(), 0.0));
    if (length > norm) ++clipped;
    for (std::size_t j = 0; j < g.size(); ++j) expected[j] += g[j] * std::min(1.0, norm / length);
  }
  CHECK(clipped > 0);
  CHECK(clipped < rows.batch.size());
  const auto sum = gradient_sum<double>(small, rows, rows.batch, 5, test_clip{.norm = norm});
  for (std::size_t j = 0; j < sum.size(); ++j)
    CHECK(sum[j] == Approx(expected[j]).epsilon(1e-12).margin(1e-14));
}

TEST_CASE("under a bound an example that holds NaN or infinity counts for nothing, to the bit") {
  const test_clip clip{.norm = 0.7, .drop = 1e4};
  for (const std::size_t chunk : {1u, 4u, 128u}) {
    rows_of_normals<float> rows(11, 7);
    rows.at(5, 2) = 1e12f; // finite, but so long that the bound gives it the weight zero
    const auto weight_zero = gradient_sum<float>(small, rows, rows.batch, chunk, clip);
    auto others = rows.batch;
    others.erase(others.begin() + 5);
    CHECK(gradient_sum<float>(small, rows, others, chunk, clip) == weight_zero);
    for (const double poison : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity, 3e38}) {
      rows.at(5, 2) = static_cast<float>(poison);
      INFO("chunk " << chunk << ", value " << poison);
      CHECK(gradient_sum<float>(small, rows, rows.batch, chunk, clip) == weight_zero);
    }
    rows.at(5, 2) = 1;
    CHECK(gradient_sum<float>(small, rows, rows.batch, chunk, clip) != weight_zero);
  }
}

TEST_CASE("a step refuses rows, parameters and states of another model") {
  const rows_of_normals<float> rows(4, 7);
  auto step = stepper<float>(small, plain);
  auto p = normal_parameters<float>(small);
  auto state = step.init();
  const auto run = [&](parameters<float>& weights, chain_state<float>& memory, std::size_t columns) {
    step(weights, memory, rows_view<float>{rows.x.data(), 3, columns}, rows.labels.data(),
         std::span(rows.batch).first(3), 3);
  };
  CHECK_THROWS_WITH(run(p, state, 8), "[N003 shape] the model reads rows 7 wide, got 8");
  parameters<float> other({.shared = 5});
  CHECK_THROWS_WITH(run(other, state, 7), "[N003 shape] the model has 124 parameters, got 5");
  auto other_state = plain.init<float>(5);
  CHECK_THROWS_WITH(run(p, other_state, 7), "[N003 shape] the model has 124 parameters, the state is for 5");
  CHECK_THROWS_WITH(stepper<float>(small, plain, 0), "[N001 argument] training_step: chunks of 0 rows");
  CHECK(state.step == 0);
}

TEST_CASE("a step refuses the state of another chain") {
  const sequential model{dense<3, 4>{}, relu{}, dense<4, 2>{}};
  training_step descending(model, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{}));
  training_step adaptive(model, softmax_cross_entropy{}, chain(average_over_batch{}, adam{}));
  auto p = model.make_parameters<float>();
  auto state = descending.init();
  const std::vector<float> x(3);
  const std::int32_t label = 1;
  const std::uint32_t row = 0;
  CHECK_THROWS_WITH(adaptive(p, state, rows_view<float>{x.data(), 1, 3}, &label, std::span(&row, 1), 1.0),
                    Catch::Contains("another chain"));
}

TEST_CASE("a private step allocates nothing, and little before it") {
  const sequential wide{dense<300, 200>{}, relu{}, dense<200, 6>{}};
  const rows_of_normals<float> rows(300, 300);
  const auto memory_of = [&](auto steps, bool& none) {
    const std::size_t before = test::heap::alive;
    training_step step{wide, softmax_cross_entropy{}, steps};
    auto p = normal_parameters<float>(wide);
    auto state = step.init();
    step(p, state, rows.view(), rows.labels.data(), rows.batch, 300);
    const std::size_t made = test::heap::allocations;
    step(p, state, rows.view(), rows.labels.data(), rows.batch, 300);
    none = test::heap::allocations == made;
    return test::heap::alive - before;
  };
  bool plain_allocates_none = false, private_allocates_none = false;
  const std::size_t without = memory_of(chain(average_over_batch{}, adam{}), plain_allocates_none);
  const std::size_t with_privacy =
      memory_of(chain(clip_l2{}, average_over_batch{}, gaussian{}, adam{}), private_allocates_none);
  CHECK(plain_allocates_none);
  CHECK(private_allocates_none);
  bool exact_allocates_none = false;
  memory_of(chain(clip_l2{}, average_over_batch{}, gaussian{}.exact(), adam{}), exact_allocates_none);
  CHECK(exact_allocates_none);
  CHECK(static_cast<double>(with_privacy) <= 1.1 * static_cast<double>(without));
}
