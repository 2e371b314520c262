// expect: P002 chain-order
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

#if MISUSE
const auto steps = chain(average_over_batch{}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1});
#endif
