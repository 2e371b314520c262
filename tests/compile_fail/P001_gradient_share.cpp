// expect: P001 no-guarantee
#include <privet/federated/offices.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

using namespace privet;

// Sums without a share of the noise would leave an office that says it is private.
offices open(const sequential<dense<4, 2>>& model, std::vector<dataset<float>> rows, payment pay) {
#if MISUSE
  const auto steps = chain(clip_l2{.bound = 1}, sum_over_batch{});
#else
  const auto steps = chain(clip_l2{.bound = 1}, sum_over_batch{}, gaussian_share{.holders = 4});
#endif
  return {model, std::move(rows), shared_noise_recipe{steps, poisson{.rate = 0.1}, std::move(pay)}};
}
