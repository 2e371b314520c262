// expect: P012 layer-shape
#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/sequential.hpp>

using namespace privet;

void use() {
#if MISUSE
  const auto model = sequential{dense<43, 128>{}, relu{}, dense<64, 6>{}};
#else
  const auto model = sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}};
#endif
  (void)model.make_parameters();
}
