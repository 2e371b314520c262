// expect: P003 replayable-sample
#include <privet/data/poisson.hpp>

using namespace privet;

void use() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  const auto sampler = poisson{.rate = 0.01}.drawn_from(source);
  (void)sampler;
}
