// expect: P002 server-chain
#include <privet/federated/server.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

using namespace privet;

// A bound on the sum of all rows bounds nobody, and a second division shrinks the step.
void serve() {
  const auto upload = chain(clip_l2{.bound = 1}, sum_over_batch{}, gaussian_share{.holders = 4});
#if MISUSE
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, sgd{.learning_rate = 0.1});
#else
  const auto steps = chain(sgd{.learning_rate = 0.1});
#endif
  aggregation_server server{shared_sum{upload, poisson{.rate = 0.1}, steps}};
  server.round(0);
}
