// expect: P007 mixed-examples
#include <privet/nn/dense.hpp>
#include <privet/nn/losses.hpp>
#include <privet/optim/sgd.hpp>
#include <privet/privacy/clip.hpp>
#include <privet/privacy/gaussian.hpp>
#include <privet/privacy/pld.hpp>
#include <privet/train/trainer.hpp>

using namespace privet;

/// Subtracts the mean of the batch in training, as batch norm does: every row then depends on all others.
struct centre : elementwise {
  bool frozen = false;
#if MISUSE
  static constexpr bool mixes_examples(mode m) noexcept { return m == mode::training; }
#else
  static constexpr bool mixes_examples(mode) noexcept { return false; } // by means that are frozen
#endif
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context) const {
    std::copy(x, x + rows * in, y);
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx, layer_context) const {
    std::copy(dy, dy + call.rows * call.in, dx);
  }
};

void use() {
  training_step step(
      sequential{dense<4, 2>{}, centre{}}, softmax_cross_entropy{},
      chain(clip_l2{.bound = 1}, average_over_batch{}, gaussian{.noise_multiplier = 1.1}, sgd{}));
  (void)step.init();
}
