#include "fixtures/tied.hpp"
#include "support/catch.hpp"
#include "support/layer_laws.hpp"
#include "support/torch.hpp"

#include <privet/nn/describe.hpp>
#include <privet/nn/freeze.hpp>
#include <privet/nn/frozen_body.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/tied.hpp>
#include <privet/nn/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace privet;
namespace torch = privet::test::tied;
using test::setting;

namespace {

constexpr window same{.height = 3, .width = 3, .padding = 1};

/// One use behind the other and beside it, three of one and two of another, a scale and shift.
auto of_rows() {
  return tie(tie(sequential{residual{dense<6, 6>{}, tanh_layer{}, dense<6, 6>{}}, layer_norm<6>{},
                            tanh_layer{}, dense<6, 6>{}, layer_norm<6>{}, dense<6, 3>{}},
                 {0, 2, 6}),
             {7, 4});
}
/// On lanes, with coins.
auto of_lanes() {
  return tie(
      tie(sequential{conv2d<image{2, 5, 4}, 2, same>{}, group_norm<image{2, 5, 4}, 1>{}, tanh_layer{},
                     conv2d<image{2, 5, 4}, 2, same>{}, group_norm<image{2, 5, 4}, 1>{}, dense<40, 3>{}},
          {0, 3}),
      {1, 4});
}
/// Of layers that keep several arrays for a row.
auto of_steps() {
  return tie(
      tie(sequential{lstm<4, 3, 3>{}, gru<4, 3, 3>{}, lstm<4, 3, 3>{}, gru<4, 3, 3, 1>{}, dense<3, 2>{}},
          {0, 2}),
      {1, 3});
}
network torch_model() {
  return tie(
      tie(tie(tie(network({conv2d<>{image{2, 5, 4}, 2, same}, tanh_layer{}, conv2d<>{image{2, 5, 4}, 2, same},
                           relu{}, flatten{}, dense<>{40, 12}, dense<>{12, 12}, layer_norm<>{12},
                           tanh_layer{}, dense<>{12, 12}, layer_norm<>{12}, dense<>{12, 12}, lstm<>{4, 3, 3},
                           lstm<>{4, 3, 3}, dense<>{12, 5}}),
                  {0, 2}),
              {6, 9, 11}),
          {7, 10}),
      {12, 13});
}

/// The norms of each tie and each other layer alone, and the gradients under a coefficient of each.
template <class Model>
void check_by_layer(const Model& model) {
  constexpr std::size_t rows = 19;
  setting s(model, rows);
  s.backward();
  const std::size_t parts = model.parametric_layers();
  std::vector<double> norms(parts * rows), coefficients(parts * rows);
  model.template squared_norms<simd::default_arch, true>(rows, s.x.data(), s.memory,
                                                         std::span<double>(norms));
  const auto whole = s.norms();
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t k = 0; k < parts; ++k) sum += norms[k * rows + r];
    CHECK(sum == Approx(whole[r]).epsilon(1e-12));
  }
  const auto plain = s.sum();
  for (std::size_t k = 0; k < parts; ++k)
    std::fill_n(coefficients.begin() + static_cast<std::ptrdiff_t>(k * rows), rows,
                static_cast<double>(k + 1));
  model.template weigh<simd::default_arch, true>(rows, s.x.data(), s.memory,
                                                 std::span<const double>(coefficients));
  const auto weighed = s.sum();
  std::size_t k = 0;
  std::string layer = "0";
  for (const auto& tensor : model.tensors()) {
    if (const auto own = tensor.name.substr(0, tensor.name.find('.')); own != layer) layer = own, ++k;
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size; ++i)
      REQUIRE(test::relative_error(weighed[i], static_cast<double>(k + 1) * plain[i]) < 1e-11);
  }
  CHECK(k + 1 == parts);
}

} // namespace

TEST_CASE("tied: gradients agree with finite differences in double") {
  test::check_gradient(setting(of_rows()));
  test::check_gradient(setting(of_lanes()));
  test::check_gradient(setting(of_steps()));
}

TEST_CASE("tied: each example's norm and gradient are those of a batch of one") {
  const auto check = [](const auto& model) {
    test::check_examples(setting(model, 21));
    test::check_weighed(setting(model, 21));
    check_by_layer(model);
  };
  check(of_rows());
  check(of_lanes());
  check(of_steps());
}

TEST_CASE("tied: uses that cancel have the norm of what is left") {
  // y = A (-(W x)) + B (W x) with A = B: the deltas of the two uses of W are opposite.
  const auto model =
      tie(sequential{residual{dense<4, 4>{}, dense<4, 4>{}, shortcut{dense<4, 4>{}, dense<4, 4>{}}}}, {0, 3});
  constexpr std::size_t rows = 5;
  setting<std::remove_const_t<decltype(model)>, float> s(model, rows);
  const auto tensors = model.tensors();
  std::vector<float> norms(3 * rows);
  const auto norm_of_tie = [&](float sign) {
    const auto p = s.p.trained();
    for (std::size_t i = 0; i < 16; ++i) p[tensors[4].offset + i] = sign * p[tensors[2].offset + i];
    s.backward();
    model.squared_norms<simd::default_arch, true>(rows, s.x.data(), s.memory, std::span<float>(norms));
    return norms[0];
  };
  const float together = norm_of_tie(1);
  CHECK(norm_of_tie(-1) < 1e-10f * together);
  CHECK(norm_of_tie(-1) > 0); // squares that underflow count
}

TEST_CASE("tied: gradients that are not kept are made twice, to the same bits", "[slow]") {
  // 3 x 3 x 80 x 80 weights of 16 examples in double: those of one layer fit into what is kept, in larger tapes none.
  const network model =
      tie(network({conv2d<>{image{1, 4, 4}, 80, window{2, 2}}, relu{}, conv2d<>{image{80, 3, 3}, 80, same},
                   tanh_layer{}, conv2d<>{image{80, 3, 3}, 80, same}}),
          {2, 4});
  setting many(model, 19, 64), few(model, 19), one(model, 1);
  REQUIRE(many.memory.kept(2) == nullptr);
  REQUIRE(one.memory.kept(2) != nullptr);
  REQUIRE(one.memory.kept(4) == nullptr);
  many.backward();
  few.backward();
  const auto norms = many.norms();
  CHECK(few.norms() == norms);
  CHECK(few.sum() == many.sum());
  std::copy_n(many.x.begin() + 18 * 16, 16, one.x.begin());
  std::copy_n(many.form.begin() + static_cast<std::ptrdiff_t>(18 * one.form.size()), one.form.size(),
              one.form.begin());
  one.backward();
  CHECK(one.norms()[0] == norms[18]);
  std::vector<double> coefficients(19, 0.5);
  for (auto* const s : {&many, &few})
    model.weigh(19, s->x.data(), s->memory, std::span<const double>(coefficients));
  const auto weighed = many.sum();
  CHECK(few.sum() == weighed);
}

TEST_CASE("tied: batch norms between tied layers train, and freeze with the tie") {
  const auto model =
      tie(sequential{conv2d<image{2, 4, 4}, 2, same>{}, batch_norm<image{2, 4, 4}>{}, tanh_layer{},
                     conv2d<image{2, 4, 4}, 2, same>{}, batch_norm<image{2, 4, 4}>{}, dense<32, 3>{}},
          {0, 3});
  setting s(model, 19);
  test::check_gradient(s);
  const auto frozen = freeze(model, s.p, rows_view<double>{s.x.data(), 19, 32});
  static_assert(!decltype(frozen)::mixes_in_training);
  CHECK(frozen.ties() == model.ties());
  CHECK(frozen.sizes() == model.sizes());
  test::check_examples(setting(frozen, 21));
}

TEST_CASE("tied: static and run-time models give the same bits") {
  const auto check = [](const auto& fixed) {
    setting a(fixed, 19);
    setting b(network(fixed), 19);
    const auto g = a.gradient();
    CHECK(b.gradient() == g);
    CHECK(a.norms() == b.norms());
    const auto read = read_network(describe(fixed));
    REQUIRE(read);
    CHECK(setting(*read, 19).gradient() == g);
  };
  check(of_rows());
  check(of_lanes());
  check(of_steps());
}

TEST_CASE("tied: equals torch") {
  test::check_torch(torch_model(), 19, torch::outputs, torch::gradient, torch::norms);
}

TEST_CASE("tied: parameters are counted, named, filled and kept at home once") {
  const auto model = of_rows();
  CHECK(model.sizes().shared == 42 + 12 + 21);
  CHECK(decltype(of_rows())::parameter_count == dynamic);
  CHECK(model.parametric_layers() == 3);
  std::vector<std::string> names;
  for (const auto& tensor : model.tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "4.weight", "4.bias", "8.weight", "8.bias"});
  CHECK(model.ties() == std::vector<std::vector<std::size_t>>{{0, 2, 6}, {4, 7}});
  std::size_t filled = 0;
  auto p = model.make_parameters<float>();
  model.initialise(p, [&](std::span<float>, std::size_t, std::size_t) { ++filled; });
  CHECK(filled == 2); // norms begin at one and zero

  const auto local = keep_local(model, {6});
  CHECK(local.local_layers() == std::vector<std::size_t>{0, 2, 6});
  CHECK(local.sizes() == group_sizes{33, 42});
  const auto later =
      tie(keep_local(network(sequential{dense<4, 4>{}, dense<4, 4>{}, dense<4, 4>{}}), {1}), {0, 1});
  CHECK(later.local_layers() == std::vector<std::size_t>{0, 1});
  CHECK(later.sizes() == group_sizes{20, 20});
  // Ties that meet are one.
  CHECK(tie(tie(tie(network(std::vector<any_layer>(4, dense<>{3, 3})), {2, 3}), {0, 1}), {3, 1})
            .sizes()
            .shared == 12);
}

TEST_CASE("tied: files and descriptions say so, and descriptions are not believed") {
  const auto model = of_lanes();
  setting<network, float> s(network(model), 3);
  const auto bytes = write_weights(model, s.p);
  const auto file = read_safetensors(bytes, "here");
  REQUIRE(file);
  const auto weights = read_weights<float>(model, *file);
  REQUIRE(weights);
  CHECK(std::ranges::equal(weights->trained(), s.p.trained()));

  json good = describe(model);
  CHECK(good["version"] == 3);
  CHECK(good["layers"][3]["tied"] == 0);
  CHECK_FALSE(good["layers"][0].contains("tied"));
  const auto message = [&](std::size_t layer, json to, int version = 3) {
    json bad = good;
    bad["version"] = version;
    bad["layers"][layer]["tied"] = std::move(to);
    const auto read = read_network(bad, "here");
    return read ? std::string() : read.error().message;
  };
  CHECK(message(3, 0) == "");
  CHECK(message(3, 3) == "[N004 format] here: layer 3 is tied to layer 3, expected one before it");
  CHECK(
      message(3, 1).find(
          "layer 1 has weight (2), bias (2) on lanes, layer 3 has weight (2, 2, 3, 3), bias (2) on lanes") !=
      std::string::npos);
  CHECK(message(3, 2).find("layer 2 of 6 has no parameters") != std::string::npos);
  CHECK(message(2, 0).find("layer 2 of 6 has no parameters") != std::string::npos);
  CHECK(message(3, -1) != "");
  CHECK(message(3, "first") != "");
  // Limits count each use: it costs what another layer would.
  constexpr std::size_t uses = 2 * 38 + 2 * 4 + 123;
  CHECK(read_network(good, "here", {.parameters = uses}));
  CHECK_FALSE(read_network(good, "here", {.parameters = uses - 1}));
  CHECK(message(3, 0, 2) == "[N004 format] here: layer 3 is tied, which version 2 has not");
}

TEST_CASE("tied: both sides of a misfit are named") {
  const network model({dense<>{4, 4}, tanh_layer{}, dense<>{4, 5}, dense<>{5, 4}});
  CHECK_THROWS_WITH(tie(model, {0}), "[N001 argument] tie: 1 layers, expected two or more");
  CHECK_THROWS_WITH(tie(model, {0, 9}), "[N001 argument] tie: layer 9 of 4 layers");
  CHECK_THROWS_WITH(tie(model, {0, 1}), "[N001 argument] tie: layer 1 of 4 has no parameters");
  CHECK_THROWS_WITH(tie(model, {0, 0}), "[N001 argument] tie: layer 0 is named twice");
  CHECK_THROWS_WITH(
      tie(sequential{layer_norm<4>{}, group_norm<image{4, 1, 1}, 1>{}}, {0, 1}),
      "[N003 shape] tie: layer 0 has weight (4), bias (4), layer 1 has weight (4), bias (4) on lanes");
  CHECK_THROWS_WITH(tie(model, {2, 3}),
                    "[N003 shape] tie: layer 2 has weight (5, 4), bias (5), layer 3 has "
                    "weight (4, 5), bias (4)");
}

TEST_CASE("tied: a body is frozen with its ties, and none is cut") {
  const network model = tie(tie(network({dense<>{4, 4}, tanh_layer{}, dense<>{4, 4}, dense<>{4, 4}, relu{},
                                         dense<>{4, 4}, dense<>{4, 2}}),
                                {0, 2}),
                            {3, 5});
  setting<network, float> s(model, 3);
  CHECK_THROWS_WITH(freeze_body(model, s.p, 2),
                    "[N001 argument] freeze_body: layers 0 and 2 share parameters, and a cut in front of "
                    "layer 2 would part them: cut in front of layer 0 or behind layer 2");
  const auto parts = freeze_body(model, s.p, 3);
  CHECK(parts.body.layers().ties() == std::vector<std::vector<std::size_t>>{{0, 2}});
  CHECK(parts.head.ties() == std::vector<std::vector<std::size_t>>{{0, 2}});
  CHECK(parts.whole().ties() == model.ties());
  CHECK(std::ranges::equal(parts.join(parts.head_weights).trained(), s.p.trained()));
}
