// expect: P007 mixed-examples
#include <privet/nn/activations.hpp>
#include <privet/nn/batch_norm.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

void use(const running_statistics& of_public_rows) {
  const conv2d<image{1, 8, 8}, 6, window{3, 3}> windows;
#if MISUSE
  const sequential model{windows, batch_norm<image{6, 6, 6}>{}, relu{}, dense<216, 2>{}};
#else
  const sequential model{windows, batch_norm<image{6, 6, 6}>{}.frozen(of_public_rows), relu{},
                         dense<216, 2>{}};
#endif
  training_step step(
      model, softmax_cross_entropy{},
      chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, sgd{}));
  (void)step.init();
}
