#include "fixtures/convolutions.hpp"
#include "support/catch.hpp"
#include "support/layer_laws.hpp"
#include "support/torch.hpp"

#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace privet;
namespace torch = privet::test::convolutions;
using test::setting;

static_assert(Layer<conv2d<>> && ParametricLayer<conv2d<>> && Fusing<conv2d<>> && in_lanes<conv2d<>>);
static_assert(Layer<max_pool<>> && Layer<avg_pool<>> && Activation<flatten> && !in_lanes<dense<>>);
static_assert(decltype(sequential{
                  conv2d<image{1, 28, 28}, 6, window{5, 5}>{}, relu{},
                  max_pool<image{6, 24, 24}, window{2, 2, 2}>{}, conv2d<image{6, 12, 12}, 16, window{5, 5}>{},
                  relu{}, max_pool<image{16, 8, 8}, window{2, 2, 2}>{}, flatten{}, dense<256, 120>{}, relu{},
                  dense<120, 84>{}, relu{}, dense<84, 10>{}})::parameter_count == 44426);
static_assert(decltype(sequential{conv2d<>{image{1, 4, 4}, 2, window{3, 3}}})::parameter_count == dynamic);

namespace {

/// Every way between rows and lanes: a dense layer before and behind, an activation taken along across the
/// border, dropout, a copy where nothing takes the activation along.
network mixed() {
  return network({dense<>{11, 24}, tanh_layer{},
                  conv2d<>{image{2, 3, 4}, 4, window{.height = 3, .width = 2, .padding = 1}, 2}, tanh_layer{},
                  flatten{}, avg_pool<>{image{4, 3, 5}, window{2, 2}}, sigmoid{}, dense<>{32, 12},
                  dropout{0.3}, conv2d<>{image{3, 2, 2}, 5, window{2, 1}}, tanh_layer{}});
}
/// Rows and columns that are no multiple of anything, strides, an end in lanes, a pool with a copy behind it.
network strided() {
  return network({conv2d<>{image{2, 7, 6}, 3, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
                  max_pool<>{image{3, 4, 3}, window{2, 2}}, relu{}, tanh_layer{},
                  conv2d<>{image{3, 3, 2}, 4, window{2, 2}}});
}

} // namespace

TEST_CASE("convolutions and pools: gradients agree with finite differences in double") {
  test::check_gradient(setting(mixed()));
  test::check_gradient(setting(strided()));
}

TEST_CASE("convolutions: each example's norm and gradient are those of a batch of one, to the bit") {
  for (const network& model : {mixed(), strided()}) {
    setting s(model, 21);
    s.context.mode = mode::inference; // dropout's coins belong to places in the batch
    test::check_examples(s);
  }
}

TEST_CASE("convolutions: weighed sums, whole, in pieces and as a descent, and masked examples") {
  for (const network& model : {mixed(), strided()}) test::check_weighed(setting(model, 21));
}

TEST_CASE("convolutions: what does not fit into memory is made twice, to the same bits") {
  // 3 x 3 x 80 x 80 weights of 16 examples are more than is kept; those of the first layer are fewer.
  const network model(
      {conv2d<>{image{1, 4, 4}, 80, window{2, 2}}, relu{}, conv2d<>{image{80, 3, 3}, 80, window{3, 3}}});
  setting<network, float> many(model, 3, 64), few(model, 3);
  REQUIRE(many.memory.kept(2) == nullptr);
  REQUIRE(few.memory.kept(2) != nullptr);
  const std::vector<float> coefficients = {0.5f, 0, 2};
  for (auto* s : {&many, &few}) {
    s->backward();
    s->model.weigh(3, s->x.data(), s->memory, std::span<const float>(coefficients));
  }
  CHECK(many.norms() == few.norms());
  const auto g = few.sum();
  CHECK(many.sum() == g);
  std::vector<float> pieces, space(1000);
  model.piecewise(
      3, many.x.data(), many.memory, std::span<float>(space),
      [&](std::size_t, std::span<float> piece) { pieces.insert(pieces.end(), piece.begin(), piece.end()); });
  CHECK(pieces == g);
}

TEST_CASE("convolutions: static and run-time shapes give the same bits") {
  const sequential fixed{
      conv2d<image{2, 8, 9}, 7, window{.height = 3, .width = 4, .padding = 1}>{},
      relu{},
      max_pool<image{7, 8, 8}, window{2, 2, 2}>{},
      conv2d<image{7, 4, 4}, 6, window{.height = 3, .width = 3, .stride = 2, .padding = 1}>{},
      tanh_layer{},
      avg_pool<image{6, 2, 2}, window{2, 2}>{},
      flatten{},
      dense<6, 3>{}};
  static_assert(std::remove_const_t<decltype(fixed)>::parameter_count == 7 * 25 + 6 * 64 + 21);
  setting<std::remove_const_t<decltype(fixed)>, float> a(fixed, 19);
  setting<network, float> b(network(fixed), 19);
  CHECK(a.gradient() == b.gradient());
  CHECK(std::ranges::equal(a.output(), b.output()));
  CHECK(a.norms() == b.norms());
}

TEST_CASE("convolutions and pools equal torch") {
  const network a({conv2d<>{image{2, 9, 10}, 4, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
                   relu{}, max_pool<>{image{4, 5, 5}, window{2, 2}},
                   conv2d<>{image{4, 4, 4}, 6, window{2, 3}, 2}, tanh_layer{}, flatten{}, dense<>{36, 5}});
  const network b({conv2d<>{image{3, 6, 7}, 5, window{.height = 5, .width = 4, .padding = 2}},
                   avg_pool<>{image{5, 6, 8}, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
                   relu{}, conv2d<>{image{5, 3, 4}, 7, window{1, 1}},
                   max_pool<>{image{7, 3, 4}, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
                   flatten{}, dense<>{28, 4}});
  test::check_torch(a, 19, torch::strided_outputs, torch::strided_gradient, torch::strided_norms);
  test::check_torch<float>(a, 19, torch::strided_outputs, torch::strided_gradient, torch::strided_norms,
                           2e-6);
  test::check_torch(b, 19, torch::padded_outputs, torch::padded_gradient, torch::padded_norms);
}

TEST_CASE("convolutions and pools that cannot be are refused with both sides") {
  const auto refused = [](any_layer layer, const char* sentence) {
    CHECK_THROWS_WITH(network({std::move(layer)}), sentence);
  };
  refused(conv2d<>{image{1, 4, 4}, 2, window{5, 3}},
          "[N001 argument] conv2d has a window as high as 5, possible is 1 to 4");
  refused(conv2d<>{image{1, 4, 4}, 2, window{.height = 3, .width = 3, .padding = 3}},
          "[N001 argument] conv2d pads by 3, possible is 0 to 2");
  refused(conv2d<>{image{4, 4, 4}, 6, window{3, 3}, 4},
          "[N001 argument] conv2d: 4 groups do not divide 4 channels that it reads and 6 that it writes");
  refused(conv2d<>{image{1, 4, 4}, 0, window{3, 3}},
          "[N001 argument] conv2d: 0 output channels, possible is 1 to 16777216");
  refused(max_pool<>{image{1, std::size_t{1} << 63, 4}, window{2, 2}},
          "[N001 argument] max_pool reads images with a side or channels of 9223372036854775808, possible is "
          "1 to "
          "16777216");
  refused(avg_pool<>{image{1 << 20, 1 << 20, 1}, window{1, 1}},
          "[N001 argument] avg_pool reads images, with their padding, of 1099511627776, possible is 1 to "
          "16777216");
  refused(max_pool<>{image{1, 4, 4}, window{2, 2, 0}},
          "[N001 argument] max_pool has a window with a side or stride of 0, possible is 1 to 16777216");
  CHECK_THROWS_WITH(
      network({conv2d<>{image{1, 4, 4}, 2, window{3, 3}}, max_pool<>{image{2, 3, 3}, window{2, 2}}}),
      "[N003 shape] layer 1 cannot read rows 8 wide, which is what the layer before it writes");
  CHECK_THROWS_AS((conv2d<image{1, 4, 4}, 2, window{3, 3}>{image{1, 5, 4}, 2, window{3, 3}}), exception);
}
