// The code of docs/privacy/users.md.

#include <privet/data/dataset.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/sequential.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/user_level_training.hpp>

using namespace privet;

// clang-format off
double protect_persons(const sequential<dense<43, 6>>& model, parameters<float>& weights, const dataset<float>& rows) {
  const auto own = chain(average_over_batch{}, sgd{.learning_rate = 0.1});  // on one person's rows
  const auto steps = chain(clip_l2{.bound = 0.5}, average_over_batch{}, gaussian{.noise_multiplier = 1},
                           sgd{.learning_rate = 1});                        // from all updates to the weights
  user_level_training training{model, softmax_cross_entropy{}, local_steps{own, 2, 10}, steps,
                               poisson{.rate = 0.1}, rows.groups, 1};
  pld_accountant spent;
  const auto pay = [&](const privacy_event& e) -> status { spent.compose(e); return nothing{}; };
  for (std::uint64_t round = 0; round < 50; ++round)
    training.resume(weights, rows.view(), rows.labels, round, pay).value();
  return spent.epsilon(1e-5).upper;
}
