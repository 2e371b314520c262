// expect: P001 no-guarantee
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

double epsilon(const labelled_rows<float>& data) {
#if MISUSE
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, sgd{});
#else
  const auto steps =
      chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, sgd{});
#endif
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps, poisson{.rate = 0.01},
                pld_accountant{}};
  train.fit(data, epochs{1});
  return train.spent(delta{1e-5}).upper;
}
