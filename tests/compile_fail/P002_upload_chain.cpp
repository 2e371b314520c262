// expect: P002 upload-chain
#include <privet/federated/encoded_uploads.hpp>
#include <privet/federated/quantise.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>

using namespace privet;

// Nobody would pay for noise in an upload chain: it stands in the recipe.
#if MISUSE
const auto upload = chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{}, quantise{});
#else
const auto upload = chain(quantise{});
#endif
const encoded_uploads thin{local_recipe{chain(average_over_batch{}, sgd{}), 1, 32}, upload};
