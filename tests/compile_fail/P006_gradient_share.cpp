// expect: P006 no-theorem
#include <privet/federated/offices.hpp>
#include <privet/federated/shared_noise.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian_share.hpp>

using namespace privet;

// The count that moves the bound would need noise of its own, which no office shares.
offices open(const sequential<dense<4, 2>>& model, std::vector<dataset<float>> rows, payment pay) {
#if MISUSE
  const auto steps = chain(clip_l2{.bound = 1}.adaptive(), sum_over_batch{}, gaussian_share{.holders = 4});
#else
  const auto steps = chain(clip_l2{.bound = 1}, sum_over_batch{}, gaussian_share{.holders = 4});
#endif
  return {model, std::move(rows), shared_noise_recipe{steps, poisson{.rate = 0.1}, std::move(pay)}};
}
