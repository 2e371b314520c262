// expect: P003 replayable-local-randomiser
#include <privet/privacy/randomised_response.hpp>
#include <privet/random/replayable.hpp>
#include <privet/random/system.hpp>

using namespace privet;

std::uint32_t answer(std::uint32_t category) {
#if MISUSE
  replayable_random source(7);
#else
  system_random source;
#endif
  return randomised_response(1.0, 4).randomise(category, source);
}
