// expect: P009 memory-before-noise
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

// Momentum remembers gradients that never got noise, and shows them in every later step.
#if MISUSE
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, sgd{.momentum = 0.9}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, sgd{.momentum = 0.9});
#endif
