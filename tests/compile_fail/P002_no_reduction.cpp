// expect: P002 no-reduction
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/step.hpp>

using namespace privet;

void use() {
#if MISUSE
  const auto steps = chain(sgd{.learning_rate = 0.1});
#else
  const auto steps = chain(average_over_batch{}, sgd{.learning_rate = 0.1});
#endif
  training_step step(sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps);
  (void)step.init();
}
