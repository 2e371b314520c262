// expect: P001 no-guarantee
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

// Noise that can be drawn again can be subtracted again.
double epsilon(const labelled_rows<float>& data) {
#if MISUSE
  unsafe::replayable_noise source(7, "simulation");
#else
  system_random source;
#endif
  const auto noise = gaussian{.noise_multiplier = 1.1}.drawn_from(source);
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{},
                chain(clip_l2{.bound = 1}, average_over_batch{}, noise, sgd{}), poisson{.rate = 0.01},
                pld_accountant{}};
  train.fit(data, epochs{1});
  return train.spent(delta{1e-5}).upper;
}
