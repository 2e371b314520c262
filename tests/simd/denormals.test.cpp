#include "support/catch.hpp"

#include <privet/simd/denormals.hpp>

TEST_CASE("denormal results are zero inside the scope and exact outside") {
#if defined(__SSE2__) || defined(__aarch64__)
  volatile float small = 1e-30f, smaller = 1e-10f;
  CHECK(small * smaller > 0);
  {
    const privet::simd::flush_denormals scope;
    volatile float product = small * smaller;
    CHECK(product == 0);
  }
  CHECK(small * smaller > 0);
#endif
}
