#include "support/descent.hpp"

#include <privet/optim/rmsprop.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<rmsprop> && rmsprop::slots == 1);

TEST_CASE("rmsprop with its defaults equals torch over ten steps") {
  test::equals_torch(chain(rmsprop{}), torch::rmsprop_f32, torch::rmsprop_f64);
}

TEST_CASE("rmsprop with every number changed equals torch over ten steps") {
  test::equals_torch(chain(rmsprop{.learning_rate = 0.02, .smoothing = 0.9, .epsilon = 1e-6}),
                     torch::rmsprop_smoothing_f32, torch::rmsprop_smoothing_f64);
}

TEST_CASE("rmsprop runs slice by slice and continues from a copied state") {
  test::obeys_laws_in_float_and_double(chain(rmsprop{}));
}
