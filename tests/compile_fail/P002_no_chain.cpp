// expect: P002 no-chain
#include <privet/nn/dense.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

void use(const labelled_rows<float>& data) {
#if MISUSE
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{}, sgd{}};
#else
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{}, chain(average_over_batch{}, sgd{})};
#endif
  train.fit(data, epochs{1});
}
