// expect: P002 two-mechanisms
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/step.hpp>

using namespace privet;

// Noise that can be replayed leaves the value bounded, so a second mechanism would fit behind it.
void use() {
  unsafe::replayable_noise known(7, "simulation");
  const auto first = gaussian{.noise_multiplier = 1}.drawn_from(known);
#if MISUSE
  const auto steps = chain(clip_l2{}, average_over_batch{}, first, gaussian{.noise_multiplier = 1}, sgd{});
#else
  const auto steps = chain(clip_l2{}, average_over_batch{}, first, sgd{});
#endif
  training_step step(sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps);
  (void)step.init();
}
