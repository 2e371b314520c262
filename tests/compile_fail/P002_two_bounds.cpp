// expect: P002 two-bounds
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/train/step.hpp>

using namespace privet;

/// Bounds as well, and says nothing of the label.
struct shorten {
  static constexpr stage_role role = stage_role::bound;
  template <class T>
  T coefficient(T) const {
    return T{1};
  }
};

void use() {
#if MISUSE
  const auto steps = chain(shorten{}, clip_l2{.bound = 1}, average_over_batch{}, sgd{});
#else
  const auto steps = chain(clip_l2{.bound = 1}, average_over_batch{}, sgd{});
#endif
  training_step step(sequential{dense<4, 2>{}}, softmax_cross_entropy{}, steps);
  (void)step.init();
}
