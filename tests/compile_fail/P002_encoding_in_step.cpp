// expect: P002 encoding-in-step
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/train/step.hpp>

using namespace privet;

struct some_encoding {
  static constexpr auto role = stage_role::encoding;
};

void use() {
#if MISUSE
  const auto steps = chain(average_over_batch{}, sgd{}, some_encoding{});
#else
  const auto steps = chain(average_over_batch{}, sgd{});
#endif
  training_step step(sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps);
  (void)step.init();
}
