// expect: P003 replayable-noise
#include <privet/privacy/gaussian.hpp>

using namespace privet;

void use() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  const auto noise = gaussian{.noise_multiplier = 1.1}.drawn_from(source);
  (void)noise;
}
