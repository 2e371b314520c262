// expect: P006 no-theorem
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/privacy/rdp.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

// Of exact noise in many dimensions the Renyi divergences are known, the privacy loss is not.
void fit(const labelled_rows<float>& data) {
  const auto steps =
      chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}.exact(), sgd{});
#if MISUSE
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps, poisson{.rate = 0.01},
                pld_accountant{}};
#else
  trainer train{sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps, poisson{.rate = 0.01},
                rdp_accountant{}};
#endif
  train.fit(data, epochs{1});
}
