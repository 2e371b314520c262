#include "fixtures/fed_rep.hpp"
#include "support/catch.hpp"
#include "support/federation.hpp"

#include <privet/optim/adam.hpp>
#include <privet/train/fed_rep.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

using namespace privet;

namespace {

namespace known = test::fed_rep_run;

const auto model = keep_local(sequential{dense<4, 5>{}, tanh_layer{}, dense<5, 3>{}}, {2});

std::size_t place(std::size_t layer, std::size_t k, std::size_t j) {
  return test::place_of(model, layer, k, j);
}
std::vector<dataset<float>> data_sets() { return test::data_sets_of(known::rows, known::x, known::y); }

const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.25, .momentum = 0.5});
/// Batches of all rows: an epoch is a step.
const fed_rep recipe{steps, 3, 2, 100};
constexpr std::size_t shared = 25, local = 18;

} // namespace

TEST_CASE("FedRep equals NumPy over three rounds: the body that all share, and each client's head") {
  const offices three{model, data_sets(), recipe, 5};
  std::vector<float> body(shared);
  for (std::size_t k = 0; k < 5; ++k)
    for (std::size_t j = 0; j < 5; ++j) body[place(0, k, j)] = known::body[k][j];
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<float> head(local);
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t j = 0; j < 6; ++j) head[place(2, k, j) - shared] = known::heads[c][k][j];
    three.member(c).restore(std::move(head));
  }
  aggregation_server server{fedavg{}, {.standardise = false}};
  server.open(three.links(), three.model(), body);
  for (std::size_t r = 0; r < 3; ++r) {
    server.round(r + 1); // round 0 would begin with heads from the seed
    for (std::size_t k = 0; k < 5; ++k)
      for (std::size_t j = 0; j < 5; ++j) {
        CAPTURE(r, k, j);
        CHECK(std::abs(server.weights()[place(0, k, j)] - known::bodies[r][k][j]) <= 1e-6);
      }
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t j = 0; j < 6; ++j) {
          CAPTURE(r, c, k, j);
          CHECK(std::abs(three.member(c).memory()[place(2, k, j) - shared] - known::after[r][c][k][j]) <=
                1e-6);
        }
  }
}

TEST_CASE("FedRep: while one part trains nothing moves the other, neither decay nor momentum") {
  const auto data = test::rows_of(30, 4, 3, 2);
  const network net(model);
  const auto decaying = chain(average_over_batch{}, adamw{.learning_rate = 0.01, .weight_decay = 0.5});
  using training = fed_rep_training<network, softmax_cross_entropy, std::remove_const_t<decltype(decaying)>>;
  const auto p = initialise<float>(net, 3);
  const auto run = [&](std::size_t head_epochs, std::size_t body_epochs) {
    auto q = p;
    training one(net, {}, decaying, head_epochs, body_epochs, 8, 30, 7, 1);
    CHECK(one.steps_per_round() == 4 * (head_epochs + body_epochs));
    CHECK(one.run(q, data.view(), data.labels, 0).steps == 4 * (head_epochs + body_epochs));
    return q;
  };
  const auto one = run(1, 1), longer = run(1, 2), again = run(1, 1);
  CHECK(std::ranges::equal(one.trained(), again.trained()));
  CHECK(std::ranges::equal(one.local(), longer.local())); // the head is done before the body begins
  CHECK_FALSE(std::ranges::equal(one.shared(), longer.shared()));

  // Of the head alone: all that is not the head is as before, to the bit.
  auto q = p;
  local_training head(net, softmax_cross_entropy{},
                      detail::moving_only(decaying, {.first = shared, .last = shared + local}), 3, 8, 30, 7,
                      1);
  head.run(q, data.view(), data.labels, 0);
  CHECK(std::ranges::equal(std::as_const(q).shared(), p.shared()));
  for (std::size_t i = 0; i < 15; ++i) CHECK(std::as_const(q).local()[i] != p.local()[i]);
}

TEST_CASE("FedRep: the loss is the mean over all rows of all epochs, and falls") {
  const auto data = test::rows_of(30, 4, 3, 2);
  const network net(model);
  fed_rep_training one(net, softmax_cross_entropy{}, steps, 3, 2, 8, 30, 7, 1);
  auto p = initialise<float>(net, 3);
  const double first = one.run(p, data.view(), data.labels, 0).loss;
  double loss = first;
  for (std::uint64_t r = 1; r < 10; ++r) loss = one.run(p, data.view(), data.labels, r).loss;
  CHECK(first < 3);
  CHECK(loss < first / 2);
}

TEST_CASE("FedRep: a model without a head of its own, and no epochs, are refused") {
  const auto refused = [](const auto& net, std::size_t head_epochs, std::size_t body_epochs) {
    try {
      fed_rep_training(network(net), softmax_cross_entropy{}, steps, head_epochs, body_epochs, 8, 30, 7, 1);
    } catch (const exception& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(refused(sequential{dense<4, 3>{}}, 1, 1) ==
        "[N001 argument] fed_rep: a model with 15 shared and 0 local parameters, needs both; keep_local "
        "names its head");
  CHECK(refused(keep_local(sequential{dense<4, 3>{}}, {0}), 1, 1)
            .starts_with("[N001 argument] fed_rep: a model with 0 shared and 15 local"));
  CHECK(refused(model, 0, 1) == "[N001 argument] local training of 0 epochs, needs at least 1");
  CHECK(refused(model, 1, 0) == "[N001 argument] local training of 0 epochs, needs at least 1");
}
