// expect: P008 lazy-release
#include <privet/core/labels.hpp>
#include <privet/core/tensor.hpp>

using namespace privet;

using label = released<measure::zcdp, unit::example>;

void use(const tensor<float, 1>& update, const tensor<float, 1>& noise) {
  // An expression, not a tensor: it adds when it is read. With xt::random in the place of `noise`
  // every read would draw anew, and the mean of many reads would be the update.
  const auto noisy = update + noise;
#if MISUSE
  const auto kept = label_as<label>(noisy);
#else
  const auto kept = label_as<label>(tensor<float, 1>(noisy));
#endif
  (void)kept.value();
}
