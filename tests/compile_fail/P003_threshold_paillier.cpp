// expect: P003 replayable-key
#include <privet/crypto/threshold_paillier.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

using namespace privet;

dealt_paillier_key make() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  return threshold_paillier<3072>::deal(4, source);
}
