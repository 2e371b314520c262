// expect: P002 chain-order
#include <privet/core/chain.hpp>
#include <privet/optim/adam.hpp>

// The optimiser must see the reduced gradient, not the sum over a batch that nobody has divided.
#if MISUSE
auto steps = privet::chain(privet::adam{.learning_rate = 1e-3}, privet::average_over_batch{});
#else
auto steps = privet::chain(privet::average_over_batch{}, privet::adam{.learning_rate = 1e-3});
#endif
