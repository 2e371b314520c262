#include "fixtures/proximal.hpp"
#include "support/catch.hpp"
#include "support/rows.hpp"
#include "support/torch.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/proximal.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/ditto.hpp>
#include <privet/train/initialise.hpp>

#include <cmath>
#include <numeric>
#include <vector>

using namespace privet;
namespace torch = privet::test::proximal_rounds;

namespace {

using net = sequential<dense<5, 4>, tanh_layer, dense<4, 3>>;
const net model{dense<5, 4>{}, tanh_layer{}, dense<4, 3>{}};
const auto steps =
    chain(average_over_batch{}, proximal{.strength = 0.5}, sgd{.learning_rate = 0.25, .momentum = 0.9});
using chain_type = std::remove_const_t<decltype(steps)>;
// Behind the noise the pull keeps the label: it reads no rows.
static_assert(Released<decltype(chain(clip_l2{}, average_over_batch{}, gaussian{}, proximal{},
                                      sgd{}))::label<raw<unit::example>>>);
constexpr std::size_t clients = std::size(torch::rows);

parameters<double> weights_of(std::span<const double> numbers) {
  auto p = model.make_parameters<double>();
  std::ranges::copy(test::from_torch<double>(model, numbers), p.shared().begin());
  return p;
}

void check_close(const parameters<double>& p, std::span<const double> expected) {
  const auto q = weights_of(expected);
  for (std::size_t i = 0; i < p.shared().size(); ++i) CHECK(std::abs(p.shared()[i] - q.shared()[i]) < 1e-6);
}

} // namespace

TEST_CASE("three rounds of FedProx and of Ditto beside it equal torch's") {
  const std::vector<double> x(std::begin(torch::x), std::end(torch::x)),
      start(std::begin(torch::start), std::end(torch::start));
  auto shared = weights_of(start);
  std::vector<local_training<net, softmax_cross_entropy, chain_type, double>> training;
  std::vector<ditto<net, softmax_cross_entropy, chain_type, double>> beside;
  for (std::uint32_t k = 0; k < clients; ++k) {
    training.emplace_back(model, softmax_cross_entropy{}, steps, 2, torch::rows[k], torch::rows[k], 1, k + 1);
    beside.emplace_back(model, softmax_cross_entropy{}, steps, 2, torch::rows[k], torch::rows[k], 1, k + 1,
                        shared);
  }
  const double total = std::accumulate(std::begin(torch::rows), std::end(torch::rows), 0.0);
  for (std::size_t round = 0; round < std::size(torch::shared); ++round) {
    auto mean = model.make_parameters<double>();
    std::size_t first = 0;
    for (std::size_t k = 0; k < clients; first += torch::rows[k++]) {
      const rows_view<double> rows{x.data() + 5 * first, torch::rows[k], 5};
      const auto labels = std::span(torch::labels).subspan(first, torch::rows[k]);
      beside[k].round(shared, rows, labels, round);
      auto p = shared;
      training[k].run(p, rows, labels, round);
      for (std::size_t i = 0; i < p.shared().size(); ++i)
        mean.shared()[i] += torch::rows[k] / total * p.shared()[i];
      check_close(beside[k].personal(), torch::personal[round][k]);
    }
    shared = mean;
    check_close(shared, torch::shared[round]);
  }
}

TEST_CASE(
    "FedProx: a stronger pull leaves a client nearer to the weights it was sent, and none is plain "
    "training") {
  const auto data = test::rows_of(30, 4, 3, 1);
  const sequential small{dense<4, 8>{}, relu{}, dense<8, 3>{}};
  const auto start = initialise(small, 3);
  const auto after = [&](const auto& recipe) {
    local_training training(small, softmax_cross_entropy{}, recipe, 5, 6, 30, 2, 1);
    auto p = start;
    training.run(p, data.view(), data.labels, 0);
    return p;
  };
  const auto distance = [&](double strength) {
    const auto p =
        after(chain(average_over_batch{}, proximal{.strength = strength}, sgd{.learning_rate = 0.1}));
    double sum = 0;
    for (std::size_t i = 0; i < p.shared().size(); ++i) sum += std::pow(p.shared()[i] - start.shared()[i], 2);
    return std::sqrt(sum);
  };
  CHECK(distance(1) < 0.8 * distance(0.1));
  CHECK(distance(5) < 0.5 * distance(1));
  const auto none = after(chain(average_over_batch{}, proximal{}, sgd{.learning_rate = 0.1})),
             plain = after(chain(average_over_batch{}, sgd{.learning_rate = 0.1}));
  CHECK(std::ranges::equal(none.shared(), plain.shared()));
}

TEST_CASE(
    "a step of a chain that pulls towards an anchor is refused without one, and a round with another "
    "model's") {
  const auto data = test::rows_of(6, 5, 3, 1);
  const std::vector<std::uint32_t> batch = {0, 1, 2};
  training_step step(model, softmax_cross_entropy{}, steps);
  auto p = initialise(model, 1);
  auto state = step.init();
  CHECK_THROWS_WITH(step(p, state, data.view(), data.labels.data(), batch, 3), Catch::Contains("[N001"));
  step.anchor(std::span<const float>(p.trained()).first(3));
  CHECK_THROWS_WITH(step(p, state, data.view(), data.labels.data(), batch, 3), Catch::Contains("that has 3"));
  step.anchor(p.trained());
  step(p, state, data.view(), data.labels.data(), batch, 3);

  const sequential other{dense<5, 3>{}};
  ditto beside(model, softmax_cross_entropy{}, steps, 1, 3, 6, 1, 1, p);
  CHECK_THROWS_AS(beside.round(initialise(other, 1), data.view(), data.labels, 0), exception);
}
