// expect: P011 example-weights
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/train/update_average.hpp>

using namespace privet;

// clang-format off
#if MISUSE
void by_examples() {
  const auto steps = chain(clip_l2{.bound = 1}, average_by_examples{}, gaussian{.noise_multiplier = 1.1},
                           sgd{.learning_rate = 1});
  update_average average(steps, 100);
  (void)average.init();
}
#else
void as_one_each() {
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1},
                           sgd{.learning_rate = 1});
  update_average average(steps, 100);
  (void)average.init();
}
void capped() {
  const auto steps = chain(clip_l2{.bound = 1}, average_by_examples::capped(50, 0.6), gaussian{.noise_multiplier = 1.1},
                           sgd{.learning_rate = 1});
  update_average average(steps, 100);
  (void)average.init();
}
#endif
