#include "fixtures/normalisation.hpp"
#include "support/catch.hpp"
#include "support/layer_laws.hpp"
#include "support/numbers.hpp"
#include "support/torch.hpp"

#include <privet/nn/affine_parameters.hpp>
#include <privet/nn/freeze.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace privet;
namespace torch = privet::test::normalisation;
using test::normals;
using test::setting;

static_assert(ParametricLayer<group_norm<>> && Fusing<group_norm<>> && in_lanes<group_norm<>>);
static_assert(ParametricLayer<layer_norm<>> && Fusing<layer_norm<>> && !in_lanes<layer_norm<>>);
static_assert(ParametricLayer<batch_norm<>> && batch_norm<>::mixes_examples(mode::training));
static_assert(ParametricLayer<frozen_batch_norm<>> && !frozen_batch_norm<>::mixes_examples(mode::training));
static_assert(decltype(sequential{conv2d<image{1, 4, 4}, 6, window{3, 3}>{}, group_norm<image{6, 2, 2}, 3>{},
                                  layer_norm<24>{}, batch_norm<image{6, 2, 2}>{}})::parameter_count ==
              60 + 12 + 48 + 12);
static_assert(sequential<batch_norm<image{6, 2, 2}>>::mixes_in_training && !network::mixes_in_training);

namespace {

running_statistics some_statistics(std::size_t channels, std::uint64_t seed) {
  running_statistics s{normals<float>(channels, seed), normals<float>(channels, seed + 1)};
  for (float& v : s.variance) v = 0.1f + v * v;
  return s;
}

/// Groups of one channel, of some and of all, with and without an activation before and behind, beside rows.
network in_groups() {
  return network({conv2d<>{image{2, 5, 4}, 6, window{.height = 3, .width = 2, .padding = 1}},
                  group_norm<>{image{6, 5, 5}, 3}, tanh_layer{}, group_norm<>{image{6, 5, 5}, 6, 0.5},
                  conv2d<>{image{6, 5, 5}, 4, window{3, 3}}, tanh_layer{}, group_norm<>{image{4, 3, 3}, 1},
                  flatten{}, dense<>{36, 3}});
}
/// Rows that are no multiple of anything, wide and narrow, and one feature alone.
network in_rows() {
  return network({dense<>{7, 37}, layer_norm<>{37}, tanh_layer{}, layer_norm<>{37, 0.5}, dense<>{37, 5},
                  tanh_layer{}, layer_norm<>{5}, dense<>{5, 1}, layer_norm<>{1}, dense<>{1, 4}});
}
network frozen_batches() {
  return network({conv2d<>{image{2, 5, 4}, 6, window{3, 3}},
                  batch_norm<>{image{6, 3, 2}}.frozen(some_statistics(6, 11)), tanh_layer{},
                  conv2d<>{image{6, 3, 2}, 3, window{2, 2}}, tanh_layer{},
                  frozen_batch_norm<>{image{3, 2, 1}}, dense<>{6, 4},
                  batch_norm<>{image{4, 1, 1}, 0.1}.frozen(some_statistics(4, 13))});
}
/// The images of the oracle around two layers.
template <class First, class Second>
auto images(const First& first, const Second& second) {
  return sequential{conv2d<>{image{2, 5, 4}, 6, window{.height = 3, .width = 3, .padding = 1}},
                    first,
                    tanh_layer{},
                    conv2d<>{image{6, 5, 4}, 4, window{2, 2}},
                    second,
                    tanh_layer{},
                    flatten{},
                    dense<>{48, 3}};
}
auto mixed_batches() { return images(batch_norm{image{6, 5, 4}}, batch_norm{image{4, 4, 3}, 1e-3}); }
/// The same layers on single pixels.
auto mixed_features() {
  return sequential{conv2d<>{image{2, 5, 4}, 6, window{5, 4}},
                    batch_norm{image{6, 1, 1}, 0.5},
                    tanh_layer{},
                    conv2d<>{image{6, 1, 1}, 3, window{1, 1}},
                    batch_norm{image{3, 1, 1}},
                    tanh_layer{},
                    flatten{},
                    dense<>{3, 4}};
}

template <class T>
void check_close(const char* what, std::span<const T> got, std::span<const double> expected,
                 double tolerance) {
  REQUIRE(got.size() == expected.size());
  double largest = 0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO(what << ' ' << i << ": " << got[i] << " against " << expected[i]);
    REQUIRE(std::abs(static_cast<double>(got[i]) - expected[i]) <= tolerance * largest);
  }
}

} // namespace

TEST_CASE("normalising layers: gradients agree with finite differences in double") {
  test::check_gradient(setting(in_groups()));
  test::check_gradient(setting(in_rows()));
  test::check_gradient(setting(frozen_batches()));
  test::check_gradient(setting(mixed_batches()));
  test::check_gradient(setting(mixed_features()));
}

TEST_CASE("normalising layers: each example's norm and gradient are those of a batch of one, to the bit") {
  for (const network& model : {in_groups(), in_rows(), frozen_batches()})
    test::check_examples(setting(model, 21));
}

TEST_CASE("normalising layers: weighed sums, whole, in pieces and as a descent, and masked examples") {
  for (const network& model : {in_groups(), in_rows()}) test::check_weighed(setting(model, 21));
}

TEST_CASE("normalising layers: static and run-time shapes give the same bits") {
  const sequential fixed{conv2d<image{2, 6, 5}, 6, window{3, 3}>{},
                         group_norm<image{6, 4, 3}, 2>{},
                         relu{},
                         batch_norm<image{6, 4, 3}>{}.frozen(some_statistics(6, 11)),
                         tanh_layer{},
                         flatten{},
                         dense<72, 37>{},
                         layer_norm<37>{},
                         relu{},
                         dense<37, 3>{}};
  setting a(fixed, 19);
  setting b(network(fixed), 19);
  const auto gradient = a.gradient(), norms = a.norms();
  CHECK(gradient == b.gradient());
  CHECK(std::ranges::equal(a.output(), b.output()));
  CHECK(norms == b.norms());

  setting<std::remove_const_t<decltype(fixed)>, float> single(fixed, 19);
  check_close<float>("gradient", single.gradient(), gradient, 4e-6);
  check_close<float>("output", single.output(), a.output(), 4e-6);
  check_close<float>("norm", single.norms(), norms, 4e-6);
}

namespace {

constexpr std::size_t torch_rows = 19;

running_statistics torch_statistics(std::size_t channels, std::size_t k) {
  running_statistics s{std::vector<float>(channels), std::vector<float>(channels)};
  for (std::size_t i = 0; i < channels; ++i) {
    s.mean[i] = static_cast<float>(test::torch_number(i, 17 * k + 2));
    s.variance[i] = static_cast<float>(std::abs(test::torch_number(i, 17 * k + 9)) + 0.25);
  }
  return s;
}

} // namespace

TEST_CASE("normalising layers equal torch") {
  const network grouped(images(group_norm{image{6, 5, 4}, 3}, group_norm{image{4, 4, 3}, 4, 1e-3}));
  const network layered({dense<>{7, 12}, layer_norm{12}, tanh_layer{}, dense<>{12, 20}, relu{},
                         layer_norm{20, 1e-3}, dense<>{20, 4}});
  const network frozen(images(batch_norm{image{6, 5, 4}}.frozen(torch_statistics(6, 0)),
                              batch_norm{image{4, 4, 3}, 1e-3}.frozen(torch_statistics(4, 1))));
  test::check_torch(grouped, torch_rows, torch::grouped_outputs, torch::grouped_gradient,
                    torch::grouped_norms);
  test::check_torch(layered, torch_rows, torch::layered_outputs, torch::layered_gradient,
                    torch::layered_norms);
  test::check_torch(frozen, torch_rows, torch::frozen_outputs, torch::frozen_gradient, torch::frozen_norms);
}

TEST_CASE("batch_norm equals torch in training, and in inference once its statistics are found and frozen") {
  const auto model = mixed_batches();
  test::check_torch(model, torch_rows, torch::mixed_outputs, torch::mixed_gradient, {});

  const auto s = test::torch_setting(model, torch_rows);
  const auto found = freeze(s.model, s.p, rows_view<double>{s.x.data(), torch_rows, s.model.in_width()}, 6);
  std::vector<float> means, variances;
  found.layers().for_each([&](const auto& layer) {
    if constexpr (requires { layer.statistics; }) {
      means.insert(means.end(), layer.statistics->mean.begin(), layer.statistics->mean.end());
      variances.insert(variances.end(), layer.statistics->variance.begin(), layer.statistics->variance.end());
    }
  });
  check_close<float>("mean", means, torch::means, 1e-7);
  check_close<float>("variance", variances, torch::variances, 1e-7);
  auto memory = found.make_tape<double>(torch_rows);
  found.forward(s.weights(), torch_rows, s.x.data(), memory);
  check_close<double>("output", {memory.output(found.depth() - 1), torch_rows * 3}, torch::frozen_later,
                      1e-6);

  const auto kept = keep_local(model, {4});
  CHECK(freeze(kept, kept.make_parameters<double>(), rows_view<double>{s.x.data(), 4, 40}).is_local(4));

  auto other = s.model.make_tape<double>(torch_rows);
  CHECK_THROWS_WITH(
      s.model.forward(s.weights(), torch_rows, s.x.data(), other),
      "[N011 unsupported] batch_norm: one that is not frozen has no statistics outside training: "
      "run freeze(model, p, rows)");
  CHECK_THROWS_WITH(freeze(s.model, s.p, rows_view<double>{s.x.data(), torch_rows, 39}),
                    "[N003 shape] freeze: the model reads rows 40 wide, got 39");
  CHECK_THROWS_WITH(freeze(s.model, s.p, rows_view<double>{s.x.data(), 1, 40}),
                    "[N001 argument] freeze: batches of 1 rows, expected 2 or more");
}

TEST_CASE("normalising layers: numbers far from zero and rows of one value stay finite") {
  const sequential model{layer_norm{19}, dense<>{19, 16}, group_norm{image{4, 2, 2}, 2}};
  setting<std::remove_const_t<decltype(model)>, float> s(model, 4);
  for (std::size_t j = 0; j < 19; ++j) {
    s.x[j] = 1e30f; // nothing deviates
    s.x[19 + j] = 0;
    s.x[38 + j] = 1e-30f * static_cast<float>(j);       // squares underflow
    s.x[57 + j] = 1000 + 0.25f * static_cast<float>(j); // deviations of a small part
  }
  s.backward();
  for (const float v : s.output()) REQUIRE(std::isfinite(v));
  for (const float v : s.norms()) REQUIRE((std::isfinite(v) && v > 0));
  const float* const last = s.memory.written(0) + 57;
  const auto p = s.weights();
  for (std::size_t j = 0; j < 19; ++j) {
    const double normal = 0.25 * (static_cast<double>(j) - 9) / std::sqrt(0.0625 * 30 + 1e-5);
    CHECK(last[j] ==
          Approx(normal * static_cast<double>(p[j]) + static_cast<double>(p[19 + j])).margin(1e-4));
  }
}

TEST_CASE("normalising layers begin as the identity of what is normalised, and draw nothing") {
  const network model(
      {group_norm<>{image{2, 2, 2}, 1}, layer_norm<>{8}, frozen_batch_norm<>{image{8, 1, 1}}});
  auto p = model.make_parameters<float>();
  model.initialise(p, [](std::span<float>, std::size_t, std::size_t) { FAIL("asks for weights"); });
  const auto expected = [](std::size_t ones) {
    std::vector<float> v(2 * ones, 0.0f);
    std::fill_n(v.begin(), ones, 1.0f);
    return v;
  };
  std::vector<float> all = expected(2);
  for (const std::size_t n : {8u, 8u}) {
    const auto next = expected(n);
    all.insert(all.end(), next.begin(), next.end());
  }
  CHECK(std::ranges::equal(p.trained(), all));
}

TEST_CASE("normalising layers that cannot be are refused with both sides") {
  const auto refused = [](any_layer layer, const std::string& sentence) {
    CHECK_THROWS_WITH(network({std::move(layer)}), "[N001 argument] " + sentence);
  };
  refused(group_norm<>{image{4, 2, 2}, 3}, "group_norm: 3 groups do not divide 4 channels");
  refused(group_norm<>{image{4, 2, 2}}, "group_norm: 0 groups do not divide 4 channels");
  refused(group_norm<>{image{0, 2, 2}, 1},
          "group_norm reads images with a side or channels of 0, possible is 1 to 16777216");
  refused(group_norm<>{image{4, 2, 2}, 2, 0.0}, "group_norm: epsilon 0, possible is 1e-30 to 1e+30");
  refused(layer_norm<>{0}, "layer_norm: a width of 0, possible is 1 to 16777216");
  refused(layer_norm<>{8, -1.0}, "layer_norm: epsilon -1, possible is 1e-30 to 1e+30");
  refused(layer_norm<>{8, std::numeric_limits<double>::quiet_NaN()},
          "layer_norm: epsilon nan, possible is 1e-30 to 1e+30");
  refused(frozen_batch_norm<>{image{4, 2, 0}},
          "batch_norm reads images with a side or channels of 0, possible is 1 to 16777216");
  refused(frozen_batch_norm<>{image{4, 2, 2}, nullptr, 0.0},
          "batch_norm: epsilon 0, possible is 1e-30 to 1e+30");
  const batch_norm<> empty{image{4, 0, 2}};
  CHECK_THROWS_WITH(
      sequential{empty},
      "[N001 argument] batch_norm reads images with a side or channels of 0, possible is 1 to 16777216");
  const batch_norm<> layer{image{4, 2, 2}};
  CHECK_THROWS_WITH(layer.frozen({{0, 0, 0}, {1, 1, 1, 1}}),
                    "[N001 argument] batch_norm: 3 means and 4 variances, for 4 channels");
  CHECK_THROWS_WITH(
      layer.frozen({{0, 0, 0, 0}, {1, 1, -2, 1}}),
      "[N001 argument] batch_norm: channel 2 has mean 0 and variance -2, expected finite numbers, the "
      "variance not below 0");
  CHECK_THROWS_WITH(network({conv2d<>{image{1, 4, 4}, 2, window{3, 3}}, group_norm<>{image{2, 3, 3}, 1}}),
                    "[N003 shape] layer 1 cannot read rows 8 wide, which is what the layer before it writes");
  CHECK_THROWS_AS((group_norm<image{4, 2, 2}, 2>{image{4, 2, 2}, 4}), exception);
}
