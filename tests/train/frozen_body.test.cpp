#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/frozen_body.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/moving_part.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t rows = 400, classes = 3;
constexpr window same{.height = 3, .width = 3, .padding = 1};
const network model({conv2d<>{image{1, 6, 6}, 3, same}, relu{},                          // 0
                     conv2d<>{image{3, 6, 6}, 3, same}, relu{},                          // 2
                     conv2d<>{image{3, 6, 6}, 3, same}, add_layer(4), relu{},            // 4
                     conv2d<>{image{3, 6, 6}, 4, window{3, 3, 2, 1}}, relu{}, flatten{}, // 7
                     dense<>{36, 8}, relu{}, dense<>{8, classes}});                      // 10, 12

struct examples {
  std::vector<float> x = test::normals<float>(rows * 36, 1);
  std::vector<std::int32_t> labels;

  examples() {
    for (std::size_t r = 0; r < rows; ++r) labels.push_back(static_cast<std::int32_t>(r % classes));
  }
  rows_view<float> view() const { return {x.data(), rows, 36}; }
};

template <class Model, class Chain>
void take_steps(const Model& layers, const Chain& steps, rows_view<float> x,
                const std::vector<std::int32_t>& labels, parameters<float>& p) {
  training_step step(layers, softmax_cross_entropy{}, steps);
  auto state = step.init();
  std::vector<std::uint32_t> all(rows);
  std::iota(all.begin(), all.end(), 0u);
  const auto batch = std::span<const std::uint32_t>(all);
  for (const auto& part : {batch.first(40), batch.subspan(40, 50), batch})
    step(p, state, x, labels.data(), part, static_cast<double>(part.size()), 7);
}

} // namespace

TEST_CASE("frozen_body: a head that is trained on features moves as the whole whose body stays in place") {
  const examples data;
  const auto first = initialise(model, 5);
  const sgd optimiser{.learning_rate = 0.1, .momentum = 0.9};
  for (const std::size_t at : {2u, 7u, 10u, 12u}) {
    INFO("cut in front of " << at);
    const auto parts = freeze_body(model, first, at);
    const auto cached = parts.body.features(data.view(), 2);
    auto head = parts.head_weights;
    take_steps(parts.head, chain(average_over_batch{}, optimiser), cached.view(), data.labels, head);

    auto whole = first;
    const std::size_t of_body = parts.body.layers().sizes().shared;
    take_steps(
        model,
        chain(average_over_batch{}, optimiser, moving_part{.first = of_body, .last = model.sizes().shared}),
        data.view(), data.labels, whole);
    CHECK_FALSE(std::ranges::equal(head.trained(), parts.head_weights.trained()));
    const auto joined = parts.join(head);
    CHECK(std::ranges::equal(joined.trained(), whole.trained()));
    CHECK(predict(parts.whole(), joined, data.view()) == predict(parts.head, head, cached.view()));
  }
}

TEST_CASE("frozen_body: a trainer reads features as it reads rows") {
  const examples data;
  auto easy = data;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < 36; ++i)
      easy.x[r * 36 + i] = easy.x[r * 36 + i] / 2 + (i / 12 == r % classes ? 2.f : 0.f);
  const auto parts = freeze_all_but(model, initialise(model, 5), 2);
  const auto cached = parts.body.features(easy.view());
  const labelled_rows<float> training{cached.view(), easy.labels};
  trainer train{parts.head, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{.learning_rate = 0.05}),
                shuffled{.batch = 32}, 3};
  train.fit(training, epochs{15});
  CHECK(train.parameters().sizes().shared == 37 * 8 + 9 * 3);
  CHECK(train.evaluate(training).confusion.accuracy() > 0.95);
  CHECK(
      evaluate(parts.whole(), parts.join(train.parameters()), labelled_rows<float>{easy.view(), easy.labels})
          .confusion.accuracy() == train.evaluate(training).confusion.accuracy());
}
