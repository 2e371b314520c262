#include "support/descent.hpp"

#include <privet/optim/sgd.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<sgd> && sgd::slots == 1);

TEST_CASE("sgd equals torch over ten steps") {
  test::equals_torch(chain(sgd{.learning_rate = 0.05}), torch::sgd_f32, torch::sgd_f64);
}

TEST_CASE("sgd with momentum equals torch over ten steps") {
  test::equals_torch(chain(sgd{.learning_rate = 0.05, .momentum = 0.9}), torch::sgd_momentum_f32,
                     torch::sgd_momentum_f64);
}

TEST_CASE("sgd with Nesterov's momentum equals torch over ten steps") {
  test::equals_torch(chain(sgd{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}),
                     torch::sgd_nesterov_f32, torch::sgd_nesterov_f64);
}

TEST_CASE("sgd runs slice by slice and continues from a copied state") {
  test::obeys_laws_in_float_and_double(chain(sgd{.learning_rate = 0.05}));
  test::obeys_laws_in_float_and_double(chain(sgd{.learning_rate = 0.05, .momentum = 0.9}));
  test::obeys_laws_in_float_and_double(chain(sgd{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}));
}
