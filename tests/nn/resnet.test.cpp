#include "fixtures/resnet.hpp"
#include "support/catch.hpp"
#include "support/linear_loss.hpp"

#include <privet/nn/losses.hpp>
#include <privet/nn/resnet.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using namespace privet;
namespace torch = privet::test::resnet;

TEST_CASE("resnet20: equals torch", "[slow]") {
  const auto model = resnet20(10);
  // Twenty layers of weights on each path: 1 + 3 x 3 x 2 convolutions, 2 shortcuts beside them, 1 dense layer.
  CHECK(model.parametric_layers() == 2 * (19 + 2) + 1);
  CHECK(model.sizes().shared == 273258);
  constexpr std::size_t rows = 3;
  const auto formula = [](std::size_t i, std::size_t seed) {
    return (static_cast<double>((i * i * 7 + i * 13 + seed) % 251) - 125) / 128;
  };
  test::setting s(model, rows);
  const auto tensors = model.tensors();
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    std::vector<double> numbers(tensors[k].size);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = formula(i, 31 * k + 5) / 2;
    tensors[k].to_memory(numbers.data(), s.p.trained().data() + tensors[k].offset);
  }
  for (std::size_t i = 0; i < s.x.size(); ++i) s.x[i] = formula(i, 3);
  const std::int32_t labels[rows] = {0, 1, 2};
  double losses[rows];
  s.model.forward(s.weights(), rows, s.x.data(), s.memory);
  softmax_cross_entropy{}.evaluate<simd::default_arch>(rows, 10,
                                                       static_cast<const double*>(s.output().data()), labels,
                                                       losses, s.memory.delta(model.depth() - 1));
  s.model.backward(s.weights(), rows, s.x.data(), s.memory);
  const auto check_close = [](double got, double expected) {
    INFO(got << " against " << expected);
    CHECK(std::abs(got - expected) <= 1e-9 * std::abs(expected) + 1e-15);
  };
  for (std::size_t i = 0; i < rows * 10; ++i) check_close(s.output()[i], torch::outputs[i]);
  const auto norms = s.norms();
  for (std::size_t r = 0; r < rows; ++r) check_close(norms[r], torch::norms[r]);
  const auto g = s.sum();
  REQUIRE(tensors.size() == std::size(torch::tensor_norms));
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    double norm = 0;
    for (const double v : std::span(g).subspan(tensors[k].offset, tensors[k].size)) norm += v * v;
    INFO(tensors[k].name);
    // The bias of a convolution in front of a norm of one group moves next to nothing.
    CHECK(std::abs(norm - torch::tensor_norms[k]) <= 1e-9 * torch::tensor_norms[k] + 1e-18);
  }
}
