#include "support/descent.hpp"

#include <privet/optim/adam.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/optim/weight_decay.hpp>

using namespace privet;
namespace torch = privet::test::optimisers;

static_assert(Pointwise<weight_decay> && weight_decay::slots == 0);

TEST_CASE("weight decay before an optimiser equals torch's weight_decay argument over ten steps") {
  test::equals_torch(chain(weight_decay{.rate = 0.1}, sgd{.learning_rate = 0.05}), torch::sgd_decay_f32,
                     torch::sgd_decay_f64);
  test::equals_torch(chain(weight_decay{.rate = 0.1}, sgd{.learning_rate = 0.05, .momentum = 0.9}),
                     torch::sgd_momentum_decay_f32, torch::sgd_momentum_decay_f64);
  test::equals_torch(chain(weight_decay{.rate = 0.1}, adam{.learning_rate = 0.02}), torch::adam_decay_f32,
                     torch::adam_decay_f64);
}

TEST_CASE("weight decay runs slice by slice and continues from a copied state") {
  test::obeys_laws_in_float_and_double(
      chain(weight_decay{.rate = 0.1}, sgd{.learning_rate = 0.05, .momentum = 0.9}));
}
