// expect: P003 replayable-key
#include <privet/crypto/cohort_key.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

using namespace privet;

cohort_secret make() {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  return cohort_secret::draw(source);
}
