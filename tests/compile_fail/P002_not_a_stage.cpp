// expect: P002 chain-order
#include <privet/core/chain.hpp>
#include <privet/optim/sgd.hpp>

#if MISUSE
auto steps = privet::chain(privet::average_over_batch{}, 0.1);
#else
auto steps = privet::chain(privet::average_over_batch{}, privet::sgd{.learning_rate = 0.1});
#endif
