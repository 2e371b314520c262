#include "support/descent.hpp"

#include <privet/optim/yogi.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<yogi> && yogi::slots == 2);

TEST_CASE("yogi equals its published algorithm over ten steps") {
  test::equals_torch(chain(yogi{}), torch::yogi_f32, torch::yogi_f64);
  test::equals_torch(chain(yogi{.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6}),
                     torch::yogi_betas_f32, torch::yogi_betas_f64);
}

TEST_CASE("yogi runs slice by slice and continues from a copied state") {
  test::obeys_laws_in_float_and_double(chain(yogi{}));
}

TEST_CASE("yogi refuses numbers without a meaning") {
  CHECK_THROWS_WITH(chain(yogi{.beta2 = 1}).init<float>(3), Catch::Contains("beta2 1"));
  CHECK_THROWS_WITH(chain(yogi{.epsilon = 0}).init<float>(3), Catch::Contains("epsilon 0"));
}
