// expect: P009 memory-before-noise
#include <privet/federated/top_k.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

// Which coordinates are large is read off the data, whatever noise their values get.
#if MISUSE
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, top_k{.count = 8}, gaussian{.noise_multiplier = 1.1});
#else
const auto steps =
    chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, top_k{.count = 8});
#endif
