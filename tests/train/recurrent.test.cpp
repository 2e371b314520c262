#include "support/catch.hpp"

#include <privet/nn/dense.hpp>
#include <privet/nn/embedding.hpp>
#include <privet/nn/gru.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/lstm.hpp>
#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/random/distributions.hpp>
#include <privet/random/replayable.hpp>
#include <privet/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace privet;

namespace {

constexpr std::size_t steps = 6, words = 4;

/// Rows of random words; the label is the first word.
struct sentences {
  std::vector<float> x;
  std::vector<std::int32_t> labels;

  sentences(std::size_t rows, std::uint64_t seed) {
    replayable_random source(seed);
    for (std::size_t i = 0; i < rows * steps; ++i)
      x.push_back(std::floor(uniform01<float>(source) * static_cast<float>(words)));
    for (std::size_t r = 0; r < rows; ++r) labels.push_back(static_cast<std::int32_t>(x[r * steps]));
  }
  labelled_rows<float> view() const { return {{x.data(), labels.size(), steps}, labels}; }
};

const sequential model{embedding<steps, words, 6>{}, gru<steps, 6, 10>{}, lstm<steps, 10, 10, 1>{},
                       dense<10, words>{}};

} // namespace

TEST_CASE("recurrent layers learn to remember the first word, with a guarantee for each row") {
  sentences some(2000, 1);
  const sentences others(400, 2);
  some.x[7 * steps + 2] = 9; // no word: the row counts as none, and nobody hears of it
  trainer train{model,
                softmax_cross_entropy{},
                chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                      adam{.learning_rate = 0.02}),
                poisson{.rate = 0.1},
                pld_accountant{},
                5};
  CHECK(train.evaluate(others.view()).confusion.accuracy() < 0.6);
  train.fit(some.view(), epochs{25});
  CHECK(train.evaluate(others.view()).confusion.accuracy() > 0.95);
  CHECK(std::ranges::all_of(train.parameters().trained(), [](float v) { return std::isfinite(v); }));
  CHECK(train.spent(delta{1e-5}).upper < 12);
}

TEST_CASE("recurrent layers: clipping each example equals clipping batches of one, whatever the chunk") {
  sentences rows(21, 3);
  rows.x[4 * steps] = -1;
  const auto p = initialise(model, 7);
  std::vector<std::uint32_t> batch(21);
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i] = static_cast<std::uint32_t>(i);
  const auto moved = [&](std::span<const std::uint32_t> of, std::size_t chunk) {
    auto changed = p;
    training_step step{model, softmax_cross_entropy{},
                       chain(clip_l2{.bound = 0.1}, average_over_batch{}, sgd{.learning_rate = 1}), chunk};
    auto state = step.init();
    step(changed, state, rows.view().rows, rows.labels.data(), of, 1);
    std::vector<double> difference;
    for (std::size_t i = 0; i < p.trained().size(); ++i)
      difference.push_back(static_cast<double>(p.trained()[i]) - static_cast<double>(changed.trained()[i]));
    return difference;
  };
  const auto together = moved(batch, 64), in_chunks = moved(batch, 5);
  std::vector<double> one_by_one(together.size());
  for (const std::uint32_t r : batch) {
    const auto alone = moved(std::span(&r, 1), 64);
    double squared = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) one_by_one[i] += alone[i], squared += alone[i] * alone[i];
    CHECK(std::sqrt(squared) < 0.1 * (1 + 1e-5));
    CHECK((squared == 0) == (r == 4));
  }
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(together[i] == Approx(one_by_one[i]).margin(2e-6));
    CHECK(in_chunks[i] == Approx(one_by_one[i]).margin(2e-6));
  }
}
