// expect: P003 replayable-noise
#include <privet/privacy/laplace.hpp>
#include <privet/random/replayable.hpp>

using namespace privet;

double use() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  return laplace{.epsilon = 0.5}.release(3.0, source);
}
