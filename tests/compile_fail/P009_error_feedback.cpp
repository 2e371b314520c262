// expect: P009 memory-before-noise
#include <privet/federated/error_feedback.hpp>
#include <privet/federated/random_k.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

// The mask is public, but what it leaves out would be shown later, unpaid.
#if MISUSE
const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, error_feedback{}.around(random_k{}),
                         gaussian{.noise_multiplier = 1.1});
#else
const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1},
                         error_feedback{}.around(random_k{}));
static_assert(Released<decltype(steps)::label<raw<unit::example>>>); // as the public mask keeps the claim
#endif
