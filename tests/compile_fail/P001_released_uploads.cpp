// expect: P001 no-guarantee
#include <privet/federated/noisy_random_k.hpp>
#include <privet/federated/released_uploads.hpp>
#include <privet/optim/sgd.hpp>

using namespace privet;

// Places that public coins draw hide nobody: the numbers need noise.
#if MISUSE
const auto upload = chain(random_k{});
#else
const auto upload = chain(noisy_random_k{});
#endif
const released_uploads hidden{local_recipe{chain(average_over_batch{}, sgd{}), 1, 32}, upload, payment{}};
