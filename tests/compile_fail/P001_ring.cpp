// expect: P001 no-guarantee
#include <privet/federated/ring.hpp>
#include <privet/optim/sgd.hpp>

using namespace privet;

// Weights without noise would go to the next site of a ring that says it is private.
void join(ring_sites& sites, dataset<float> rows, payment pay) {
#if MISUSE
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, sgd{});
#else
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{}, sgd{});
#endif
  sites.add(std::move(rows), private_ring_recipe{steps, poisson{.rate = 0.1}, std::move(pay)});
}
