#include "support/catch.hpp"
#include "support/rows.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/nn/weights.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace privet;

TEST_CASE("local layers lie behind the others, and change nothing of what is computed") {
  const sequential model{dense<4, 5>{}, relu{}, dense<5, 3>{}, tanh_layer{}, dense<3, 2>{}};
  const auto personal = keep_local(model, {0, 4});
  CHECK(model.sizes() == group_sizes{.shared = 25 + 18 + 8});
  CHECK(personal.sizes() == group_sizes{.shared = 18, .local = 25 + 8});
  CHECK(network(personal).sizes() == personal.sizes());
  CHECK_THROWS_WITH(keep_local(model, {5}), "[N001 argument] keep_local: layer 5 of 5 layers");
  CHECK_THROWS_WITH(keep_local(model, {1}), "[N001 argument] keep_local: layer 1 of 5 has no parameters");

  auto p = initialise<float>(model, 3), q = initialise<float>(personal, 3);
  const auto a = model.tensors(), b = personal.tensors();
  const auto same_weights = [&] {
    for (std::size_t t = 0; t < a.size(); ++t) {
      REQUIRE(a[t].name == b[t].name);
      for (std::size_t i = 0; i < a[t].size; ++i)
        if (p.trained()[a[t].offset + i] != q.trained()[b[t].offset + i]) return false;
    }
    return true;
  };
  CHECK(same_weights());
  CHECK(q.shared()[0] == p.trained()[25]); // the middle layer is what is sent

  const auto data = test::rows_of(20, 4, 2, 1);
  const auto train = [&](const auto& m, auto& weights) {
    training_step step{m, softmax_cross_entropy{},
                       chain(average_over_batch{}, sgd{.learning_rate = 0.1, .momentum = 0.9})};
    auto state = step.init();
    std::vector<std::uint32_t> batch(20);
    std::iota(batch.begin(), batch.end(), 0u);
    for (int s = 0; s < 5; ++s) step(weights, state, data.view(), data.labels.data(), batch, 20);
  };
  train(model, p);
  train(personal, q);
  CHECK(same_weights());
}

TEST_CASE("local layers: a file of weights holds them too") {
  const auto model = keep_local(sequential{dense<4, 5>{}, relu{}, dense<5, 2>{}}, {0});
  const auto p = initialise<float>(model, 3);
  const auto file = read_safetensors(write_weights(model, p)).value();
  const auto read = read_weights<float>(model, file).value();
  CHECK(std::ranges::equal(read.trained(), p.trained()));
}
