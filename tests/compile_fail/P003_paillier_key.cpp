// expect: P003 replayable-key
#include <privet/crypto/paillier.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

using namespace privet;

paillier_secret_key make() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  return paillier_secret_key::generate(3072, source);
}
