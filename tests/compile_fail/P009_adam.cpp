// expect: P009 memory-before-noise
#include <privet/optim/adam.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

#if MISUSE
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, adam{}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, adam{});
#endif
