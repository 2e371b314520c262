#include "support/descent.hpp"

#include <privet/optim/adagrad.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<adagrad> && adagrad::slots == 1);

TEST_CASE("adagrad equals torch over ten steps") {
  test::equals_torch(chain(adagrad{}), torch::adagrad_f32, torch::adagrad_f64);
  test::equals_torch(chain(adagrad{.learning_rate = 0.5, .epsilon = 1e-3}), torch::adagrad_epsilon_f32,
                     torch::adagrad_epsilon_f64);
}

TEST_CASE("adagrad runs slice by slice and continues from a copied state") {
  test::obeys_laws_in_float_and_double(chain(adagrad{}));
}

TEST_CASE("adagrad refuses numbers without a meaning") {
  CHECK_THROWS_WITH(chain(adagrad{.learning_rate = -1}).init<float>(3), Catch::Contains("adagrad"));
  CHECK_THROWS_WITH(chain(adagrad{.epsilon = 0}).init<float>(3), Catch::Contains("epsilon 0"));
}
