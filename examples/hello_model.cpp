// Trains a model on rows made up on the spot: no file, no tensor library, no stream.

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/optim/adam.hpp>
#include <privet/train/trainer.hpp>

#include <cstdio>
#include <vector>

using namespace privet;

int main() {
  // Is a point inside a ring?
  std::vector<float> points;
  std::vector<std::int32_t> inside;
  replayable_random source(1);
  for (int i = 0; i < 2000; ++i) {
    const float x = 2 * uniform01(source) - 1, y = 2 * uniform01(source) - 1, r = x * x + y * y;
    points.insert(points.end(), {x, y});
    inside.push_back(r > 0.25f && r < 0.75f);
  }
  const labelled_rows<float> data{{points.data(), inside.size(), 2}, inside};

  trainer train{sequential{dense<2, 32>{}, relu{}, dense<32, 2>{}}, softmax_cross_entropy{},
                chain(average_over_batch{}, adam{.learning_rate = 0.01}), shuffled{.batch = 50}};
  train.fit(data, epochs{40});
  std::puts(train.evaluate(data).confusion.accuracy() > 0.95 ? "learned the ring" : "did not learn the ring");
}
