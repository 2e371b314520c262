#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/sequential.hpp>

using namespace privet;

static_assert(decltype(sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}})::parameter_count == 6406);
static_assert(decltype(sequential{dense<561, 512>{}, relu{}, dense<512, 512>{}, relu{},
                                  dense<512, 6>{}})::parameter_count == 553478);
static_assert(decltype(sequential{dense<>{3, 4}, relu{}})::parameter_count == dynamic);
static_assert(Layer<dense<3, 4>> && Layer<dense<>> && Layer<relu> && Layer<tanh_layer> && Layer<sigmoid> &&
              Layer<dropout>);
static_assert(ParametricLayer<dense<3, 4>> && !ParametricLayer<relu>);

namespace {
struct archetype : elementwise { // offers exactly what a layer is asked for
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t, std::size_t, std::size_t, const T*, T*, layer_context) const {
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>&, const T*, T*, layer_context) const {}
};
struct near_miss : elementwise { // no backward
  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t, std::size_t, std::size_t, const T*, T*, layer_context) const {
  }
};
static_assert(Layer<archetype> && !Layer<near_miss>);

template <class Model>
std::vector<float> forward_and_gradient(const Model& model, mode m) {
  auto p = model.template make_parameters<float>();
  const auto start = test::normals<float>(p.trained().size(), 1);
  std::copy(start.begin(), start.end(), p.trained().begin());
  const auto x = test::normals<float>(17 * model.in_width(), 2);
  auto memory = model.template make_tape<float>(17);
  const std::span<const float> weights = p.trained();
  const layer_context context{m, 5, 6, 0};
  model.forward(weights, 17, x.data(), memory, context);
  std::vector<float> out(memory.output(model.depth() - 1),
                         memory.output(model.depth() - 1) + 17 * model.out_width());
  std::copy(out.begin(), out.end(), memory.delta(model.depth() - 1));
  model.backward(weights, 17, x.data(), memory, context);
  std::vector<float> g(weights.size());
  model.accumulate(17, x.data(), memory, std::span<float>(g));
  out.insert(out.end(), g.begin(), g.end());
  return out;
}
} // namespace

TEST_CASE("a static and a run-time model give the same bits") {
  const sequential fixed{dense<43, 37>{}, relu{},         dropout{0.2}, dense<37, 20>{},
                         tanh_layer{},    dense<20, 6>{}, sigmoid{}};
  const sequential carried{dense<>{43, 37}, relu{},         dropout{0.2}, dense<>{37, 20},
                           tanh_layer{},    dense<>{20, 6}, sigmoid{}};
  const network erased(fixed);
  const auto expected = forward_and_gradient(fixed, mode::training);
  CHECK(forward_and_gradient(carried, mode::training) == expected);
  CHECK(forward_and_gradient(erased, mode::training) == expected);
  CHECK(forward_and_gradient(erased, mode::inference) != expected);
}

TEST_CASE("tensors are named by layer and name, weights as (out, in)") {
  const auto tensors = sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}}.tensors();
  REQUIRE(tensors.size() == 4);
  CHECK(tensors[0].name == "0.weight");
  CHECK(tensors[0].shape == std::vector<std::size_t>{128, 43});
  CHECK(tensors[0].transposed);
  CHECK(tensors[1].name == "0.bias");
  CHECK(tensors[1].offset == 43 * 128);
  CHECK(tensors[2].name == "2.weight");
  CHECK(tensors[3].offset == 6406 - 6);
  CHECK(tensors[3].size == 6);
}

TEST_CASE("run-time widths that do not fit are refused with both sides") {
  CHECK_THROWS_WITH((sequential{dense<>{4, 5}, relu{}, dense<>{6, 2}}),
                    "[N003 shape] layer 2 cannot read rows 5 wide, which is what the layer before it writes");
  CHECK_THROWS_AS((network{{}}), exception);
  CHECK_THROWS_AS(network({relu{}, dense<>{3, 4}}), exception);
}

TEST_CASE("dropout zeroes the stated part, scales the rest, and is the identity in inference") {
  const dropout half{0.3};
  const std::vector<float> x(200 * 100, 1.f);
  std::vector<float> y(x.size()), again(x.size()), part(x.size());
  half.forward<simd::default_arch>(std::span<const float>{}, 200, 100, 100, x.data(), y.data(),
                                   {mode::training, 1, 2, 0, 0});
  std::size_t zeros = 0;
  for (const float v : y) {
    if (v == 0)
      ++zeros;
    else
      REQUIRE(v == Approx(1 / 0.7));
  }
  // 20,000 coins of 0.3: six standard deviations are 389; false alarm below 1e-8, and the seed is fixed.
  CHECK(std::abs(static_cast<double>(zeros) - 6000) < 389);
  // The second half of the batch alone meets the same coins.
  half.forward<simd::default_arch>(std::span<const float>{}, 100, 100, 100, x.data(), part.data(),
                                   {mode::training, 1, 2, 100, 0});
  CHECK(std::equal(part.begin(), part.begin() + 100 * 100, y.begin() + 100 * 100));
  half.forward<simd::default_arch>(std::span<const float>{}, 200, 100, 100, x.data(), again.data(),
                                   {mode::training, 1, 3, 0, 0});
  CHECK(again != y);
  half.forward<simd::default_arch>(std::span<const float>{}, 200, 100, 100, x.data(), again.data(),
                                   {mode::inference, 1, 2, 0, 0});
  CHECK(again == x);
  CHECK_THROWS_AS(dropout(1.0), exception);
}

TEST_CASE("a width in the type and another in the number do not agree") {
  CHECK_THROWS_WITH((dense<43, 8>{50, 8}), Catch::Contains("43 by its type") && Catch::Contains("50"));
  CHECK_THROWS_AS((sequential{dense<>{43, std::size_t{1} << 62}}), exception);
}
