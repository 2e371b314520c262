#include "fixtures/residual.hpp"
#include "support/catch.hpp"
#include "support/layer_laws.hpp"
#include "support/torch.hpp"

#include <privet/nn/describe.hpp>
#include <privet/nn/freeze.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/residual.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

using namespace privet;
namespace torch = privet::test::residual;
using test::setting;

static_assert(Layer<add_layer> && Fusing<add_layer> && Layer<branch_layer> && !Activation<add_layer>);
static_assert(decltype(sequential{dense<3, 4>{}, residual{dense<4, 5>{}, relu{}, dense<5, 4>{}},
                                  dense<4, 2>{}})::parameter_count == 16 + 25 + 24 + 10);
static_assert(decltype(sequential{dense<3, 4>{}, residual{relu{}, dense<4, 6>{},
                                                          shortcut{dense<4, 6>{}}}})::parameter_count ==
              16 + 30 + 30);
static_assert(decltype(sequential{dense<>{3, 4}, residual{dense<4, 4>{}}})::parameter_count == dynamic);
static_assert(decltype(sequential{dense<3, 4>{}, residual{dense<4, 5>{}, dense<>{5, 5},
                                                          dense<5, 4>{}}})::parameter_count == dynamic);
// Widths that only objects know, before ones that types know.
static_assert(decltype(residual{dense<>{10, 20}, dense<20, 10>{}})::static_in == dynamic);
static_assert(decltype(residual{dense<10, 4>{}, shortcut{dense<>{10, 7}, dense<7, 4>{}}})::static_in == 10);
static_assert(std::is_same_v<detail::listed_as<dense<3, 4>, relu>::type, indexed_list<dense<3, 4>, relu>>);

namespace {

constexpr window same{.height = 3, .width = 3, .padding = 1};

/// Rows alone: at the rows that the network reads, behind an activation that is taken along and before one that may
/// not be, blocks in both paths of a block, a sum of sums, coins.
network of_rows() {
  return network(
      sequential{residual{dense<>{6, 20}, tanh_layer{}, dense<>{20, 6}}, sigmoid{},
                 residual{dense<>{6, 7}, tanh_layer{}, residual{tanh_layer{}, dropout{0.3}, dense<>{7, 7}},
                          shortcut{residual{dense<>{6, 6}, sigmoid{}}, dense<>{6, 7}, tanh_layer{}}},
                 tanh_layer{}, residual{residual{dense<>{7, 3}, dense<>{3, 7}}, residual{dense<>{7, 7}}},
                 dense<>{7, 3}});
}
/// Lanes alone, from the rows that the network reads to those that it writes.
network of_lanes() {
  return network(sequential{
      residual{conv2d<>{image{2, 5, 4}, 2, same}, tanh_layer{}, conv2d<>{image{2, 5, 4}, 2, same}},
      tanh_layer{},
      residual{conv2d<>{image{2, 5, 4}, 3, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
               sigmoid{}, residual{tanh_layer{}, conv2d<>{image{3, 3, 2}, 3, same}},
               shortcut{conv2d<>{image{2, 5, 4}, 3, window{.height = 1, .width = 1, .stride = 2}}}},
      residual{avg_pool<>{image{3, 3, 2}, same}, tanh_layer{}, shortcut{max_pool<>{image{3, 3, 2}, same}}}});
}
/// Both, with a turn between rows and lanes right where paths part.
network of_both() {
  return network(sequential{dense<>{5, 16}, tanh_layer{},
                            residual{conv2d<>{image{1, 4, 4}, 1, same}, tanh_layer{},
                                     shortcut{conv2d<>{image{1, 4, 4}, 1, window{1, 1}}, tanh_layer{}}},
                            flatten{}, residual{dense<>{16, 16}, tanh_layer{}},
                            residual{max_pool<>{image{4, 2, 2}, same}}, flatten{},
                            residual{tanh_layer{}, dense<>{16, 16}},
                            residual{tanh_layer{}, conv2d<>{image{4, 2, 2}, 4, same}},
                            residual{dense<>{16, 4}, sigmoid{}, shortcut{dense<>{16, 4}}}});
}

/// Paths that part and meet on rows, with lanes between.
network of_turns() {
  return network(sequential{residual{conv2d<>{image{2, 3, 3}, 2, same}, dropout{0.2}, tanh_layer{}},
                            tanh_layer{},
                            residual{conv2d<>{image{2, 3, 3}, 2, same}, dropout{0.2}, tanh_layer{},
                                     conv2d<>{image{2, 3, 3}, 2, same}, dropout{0.2}},
                            tanh_layer{},
                            residual{conv2d<>{image{2, 3, 3}, 3, window{2, 2}}, tanh_layer{}, dropout{0.1},
                                     shortcut{conv2d<>{image{2, 3, 3}, 3, window{2, 2}}, dropout{0.3}}},
                            tanh_layer{}, dense<>{12, 3}});
}

} // namespace

TEST_CASE("residual: gradients agree with finite differences in double") {
  for (const network& model : {of_rows(), of_lanes(), of_both(), of_turns()})
    test::check_gradient(setting(model));
}

TEST_CASE("residual: each example's norm and gradient are those of a batch of one") {
  for (const network& model : {of_rows(), of_lanes(), of_both(), of_turns()}) {
    setting s(model, 21);
    s.context.mode = mode::inference; // dropout's coins belong to places in the batch
    test::check_examples(s);
    test::check_weighed(s);
  }
}

TEST_CASE("residual: what does not fit into memory is made twice, to the same bits", "[slow]") {
  // 3 x 3 x 80 x 80 weights of 16 examples are more than is kept.
  const network model(sequential{conv2d<>{image{1, 4, 4}, 80, window{2, 2}}, relu{},
                                 residual{conv2d<>{image{80, 3, 3}, 80, same}, relu{},
                                          shortcut{conv2d<>{image{80, 3, 3}, 80, window{1, 1}}}}});
  setting many(model, 19, 64), few(model, 19);
  REQUIRE(many.memory.kept(2) == nullptr);
  many.backward();
  const auto norms = many.norms();
  few.backward();
  CHECK(few.norms() == norms);
  CHECK(few.sum() == many.sum());
  for (std::size_t r = 0; r < 19; ++r) {
    setting one(model, 1);
    std::copy_n(many.x.begin() + static_cast<std::ptrdiff_t>(r * 16), 16, one.x.begin());
    std::copy_n(many.form.begin() + static_cast<std::ptrdiff_t>(r * one.form.size()), one.form.size(),
                one.form.begin());
    one.backward();
    CHECK(one.norms()[0] == norms[r]);
  }
}

TEST_CASE("residual: static and run-time models give the same bits, by any way of building them") {
  const sequential fixed{
      conv2d<image{2, 6, 5}, 4, window{.height = 3, .width = 3, .padding = 1}>{},
      relu{},
      residual{conv2d<image{4, 6, 5}, 4, window{.height = 3, .width = 3, .padding = 1}>{}, relu{},
               conv2d<image{4, 6, 5}, 4, window{.height = 3, .width = 3, .padding = 1}>{}},
      relu{},
      residual{conv2d<image{4, 6, 5}, 6, window{.height = 3, .width = 3, .stride = 2, .padding = 1}>{},
               tanh_layer{}, shortcut{conv2d<image{4, 6, 5}, 6, window{1, 1, 2}>{}}},
      relu{},
      flatten{},
      dense<54, 8>{},
      residual{tanh_layer{}, dense<8, 8>{}},
      dense<8, 3>{}};
  static_assert(std::remove_const_t<decltype(fixed)>::parameter_count ==
                4 * 19 + 2 * 4 * 37 + 6 * 37 + 6 * 5 + 54 * 8 + 8 + 72 + 27);
  const network built(
      {conv2d<>{image{2, 6, 5}, 4, same}, relu{}, conv2d<>{image{4, 6, 5}, 4, same}, relu{},
       conv2d<>{image{4, 6, 5}, 4, same}, add_layer(4), relu{},
       conv2d<>{image{4, 6, 5}, 6, window{.height = 3, .width = 3, .stride = 2, .padding = 1}}, tanh_layer{},
       branch_layer(3), conv2d<>{image{4, 6, 5}, 6, window{1, 1, 2}}, add_layer(3), relu{}, flatten{},
       dense<>{54, 8}, tanh_layer{}, dense<>{8, 8}, add_layer(3), dense<>{8, 3}});
  setting a(fixed, 19);
  setting b(network(fixed), 19), c(built, 19);
  const auto g = a.gradient();
  CHECK(b.gradient() == g);
  CHECK(c.gradient() == g);
  CHECK(std::ranges::equal(a.output(), c.output()));
  CHECK(a.norms() == c.norms());

  std::vector<std::string> names;
  for (const auto& tensor : fixed.tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias",
                                          "7.weight", "7.bias", "10.weight", "10.bias", "14.weight",
                                          "14.bias", "16.weight", "16.bias", "18.weight", "18.bias"});
  const auto read = read_network(describe(fixed));
  REQUIRE(read);
  CHECK(setting(*read, 19).gradient() == g);
}

TEST_CASE("residual: equals torch") {
  const network model(sequential{
      conv2d<>{image{2, 7, 8}, 4, same}, relu{},
      residual{conv2d<>{image{4, 7, 8}, 4, same}, tanh_layer{}, conv2d<>{image{4, 7, 8}, 4, same}}, relu{},
      residual{conv2d<>{image{4, 7, 8}, 6, window{.height = 3, .width = 3, .stride = 2, .padding = 1}},
               relu{}, residual{conv2d<>{image{6, 4, 4}, 6, same}, tanh_layer{}},
               shortcut{conv2d<>{image{4, 7, 8}, 6, window{1, 1, 2}}}},
      relu{}, avg_pool<>{image{6, 4, 4}, window{2, 2, 2}}, flatten{},
      residual{tanh_layer{}, dense<>{24, 5}, relu{}, dense<>{5, 24}},
      residual{dense<>{24, 20}, tanh_layer{}, shortcut{dense<>{24, 20}}}, dense<>{20, 5}});
  test::check_torch(model, 19, torch::outputs, torch::gradient, torch::norms);
}

TEST_CASE("residual: paths that do not fit are refused with both sides") {
  CHECK_THROWS_WITH(
      (sequential{dense<>{3, 4}, residual{dense<>{4, 5}, relu{}}}),
      "[N003 shape] layer 3 adds rows 4 wide, which is what layer 1 reads, to rows 5 wide, which is what the "
      "layer before it writes");
  CHECK_THROWS_WITH(
      (sequential{dense<>{3, 4}, residual{dense<>{4, 5}, shortcut{dense<>{4, 6}}}}),
      "[N003 shape] layer 4 adds rows 5 wide, which is what layer 2 reads, to rows 6 wide, which is what the "
      "layer before it writes");
  CHECK_THROWS_WITH((network({dense<>{3, 3}, add_layer(3)})),
                    "[N001 argument] layer 1 goes back 3, possible is 2 to 2");
  CHECK_THROWS_WITH((network({dense<>{3, 3}, add_layer(1)})),
                    "[N001 argument] layer 1 goes back 1, possible is 2 to 2");
  CHECK_THROWS_WITH(
      (network({dense<>{3, 3}, branch_layer(2), dense<>{3, 4}})),
      "[N001 argument] layer 1 begins another path: nobody reads what the layer before it writes");
  CHECK_THROWS_WITH((network({dense<>{3, 3}, dense<>{3, 3}, branch_layer(2)})),
                    "[N001 argument] layer 2 begins another path: nobody reads what it writes");
  CHECK_THROWS_AS(network({add_layer(1)}), exception);
  CHECK_THROWS_WITH(
      (sequential{conv2d<>{image{1, 4, 4}, 1, same}, residual{conv2d<>{image{1, 4, 4}, 1, same}, dropout{0.5},
                                                              conv2d<>{image{1, 4, 4}, 1, same}}}),
      "[N011 unsupported] layer 4 reads what layer 1 reads: between them rows turn into lanes of examples "
      "that the "
      "two do not share");
}

TEST_CASE("residual: descriptions say how far a layer goes back, and are not believed") {
  const sequential model{dense<>{3, 4}, residual{dense<>{4, 4}, relu{}},
                         residual{relu{}, shortcut{dense<>{4, 4}}}};
  const auto text = json_text(describe(model));
  CHECK(
      text ==
      R"({"format":"privet.network","layers":[{"in":3,"out":4,"type":"dense"},{"in":4,"out":4,"type":"dense"},)"
      R"({"type":"relu"},{"back":3,"type":"add"},{"type":"relu"},{"back":2,"type":"branch"},)"
      R"({"in":4,"out":4,"type":"dense"},{"back":3,"type":"add"}],"version":1})");
  const auto read = read_network(parse_json(text).value());
  REQUIRE(read);
  CHECK(json_text(describe(*read)) == text);
  const auto refused = [&](std::size_t layer, const char* key, const json& value) {
    json changed = describe(model);
    changed["layers"][layer][key] = value;
    INFO(layer << " " << key << " " << json_text(value));
    const auto wrong = read_network(changed, "here");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message.find("here") != std::string::npos);
    return wrong.error();
  };
  for (const std::size_t layer : {3u, 5u, 7u})
    for (const json& back : {json(0), json(1), json(layer + 2), json(-1), json("2"), json(nullptr), json(2.5),
                             json(std::uint64_t(-1)), json::array({2})})
      CHECK(refused(layer, "back", back).kind == fault::format);
  CHECK(refused(3, "back", 0).message == "[N004 format] here: layer 3: add goes back 0, expected 2 to 4");
  CHECK(refused(3, "back", 4).kind == fault::shape); // the rows that the network reads: 3 wide
  CHECK(refused(5, "back", 6).kind == fault::shape); // so the layer behind it does not fit
  CHECK(refused(7, "type", "branch").kind == fault::argument);

  // A thousand layers that each go back: many outputs are many units, and quick to refuse or to make.
  json deep = describe(sequential{dense<>{1, 1}});
  while (deep["layers"].size() < 1000)
    deep["layers"].push_back({{"type", "add"}, {"back", deep["layers"].size() + 1}});
  CHECK(read_network(deep));
  json wide = describe(sequential{dense<>{1, 1 << 16}, tanh_layer{}});
  // What tanh reads is read again, and so kept beside what it writes.
  for (int i = 0; i < 2; ++i) wide["layers"].push_back({{"type", "add"}, {"back", 2}});
  const network_limits few{.units = 1 << 18};
  CHECK(read_network(wide, "here", few));
  wide["layers"].push_back({{"type", "add"}, {"back", 2}});
  CHECK(read_network(wide, "here", few).error().message.find("units") != std::string::npos);
}

TEST_CASE("residual: batch norms on rows between convolutions on lanes train, and freeze") {
  const sequential model{
      conv2d<>{image{1, 4, 4}, 2, same},
      batch_norm<>{image{2, 4, 4}},
      tanh_layer{},
      residual{conv2d<>{image{2, 4, 4}, 2, same}, batch_norm<>{image{2, 4, 4}}, tanh_layer{},
               conv2d<>{image{2, 4, 4}, 2, same}, batch_norm<>{image{2, 4, 4}}},
      tanh_layer{},
      residual{conv2d<>{image{2, 4, 4}, 3, window{2, 2, 2}}, batch_norm<>{image{3, 2, 2}},
               shortcut{conv2d<>{image{2, 4, 4}, 3, window{1, 1, 2}}, batch_norm<>{image{3, 2, 2}}}},
      tanh_layer{},
      flatten{},
      dense<>{12, 2}};
  setting s(model, 5);
  const auto g = s.gradient();
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double numeric = test::derivative(
        s.p.trained()[i], [&] { return s.value(); }, 1e-4);
    INFO("parameter " << i << ": " << g[i] << " against " << numeric);
    REQUIRE(test::relative_error(g[i], numeric) < 1e-6);
  }
  // Frozen at the moments of one batch, whose variances are over n - 1 instead of n: nearly what it was on that one.
  const auto frozen = freeze(model, s.p, rows_view<double>{s.x.data(), 5, 16});
  static_assert(!decltype(frozen)::mixes_in_training);
  auto memory = frozen.make_tape<double>(5);
  frozen.forward(s.weights(), 5, s.x.data(), memory);
  s.value();
  const double* const y = memory.output(frozen.depth() - 1);
  for (std::size_t i = 0; i < 10; ++i) CHECK(std::abs(y[i] - s.output()[i]) < 0.05);
}
