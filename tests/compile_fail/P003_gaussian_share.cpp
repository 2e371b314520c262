// expect: P003 replayable-noise
#include <privet/privacy/gaussian_share.hpp>
#include <privet/random/replayable.hpp>

using namespace privet;

// Whoever knows the seed takes this office's share of the noise away.
auto send(std::span<const float> sum) {
#if MISUSE
  replayable_random source(1);
#else
  system_random source;
#endif
  return gaussian_share{.holders = 4}.encode(sum, 1.0, source);
}
