#include "support/descent.hpp"

#include <privet/optim/adam.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<adam> && adam::slots == 2);
static_assert(Pointwise<adamw> && adamw::slots == 2);

TEST_CASE("adam with its defaults equals torch over ten steps") {
  test::equals_torch(chain(adam{}), torch::adam_f32, torch::adam_f64);
}

TEST_CASE("adam with every number changed equals torch over ten steps") {
  test::equals_torch(chain(adam{.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6}),
                     torch::adam_betas_f32, torch::adam_betas_f64);
}

TEST_CASE("adamw equals torch over ten steps") {
  test::equals_torch(chain(adamw{.learning_rate = 0.02, .weight_decay = 0.1}), torch::adamw_f32,
                     torch::adamw_f64);
}

TEST_CASE("adam and adamw run slice by slice and continue from a copied state") {
  test::obeys_laws_in_float_and_double(chain(adam{}));
  test::obeys_laws_in_float_and_double(chain(adamw{.learning_rate = 0.02, .weight_decay = 0.1}));
}

TEST_CASE("adam and adamw refuse rates and memories that make no sense") {
  CHECK_THROWS_AS(chain(adam{.learning_rate = -1}).init<float>(1), exception);
  CHECK_THROWS_AS(chain(adam{.beta2 = 1}).init<float>(1), exception);
  CHECK_THROWS_AS(chain(adamw{.beta1 = -0.1}).init<float>(1), exception);
  CHECK_THROWS_AS(chain(adam{.epsilon = 0}).init<float>(1), exception);
}
