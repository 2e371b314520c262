#include "fixtures/recurrent.hpp"
#include "support/catch.hpp"
#include "support/layer_laws.hpp"
#include "support/numbers.hpp"
#include "support/torch.hpp"

#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

using namespace privet;
namespace torch = privet::test::recurrent;
using test::normals;
using test::setting;

static_assert(ParametricLayer<lstm<>> && ParametricLayer<gru<>> && !Fusing<lstm<>> && keeps_rows<gru<>>);
static_assert(!lstm<>::mixes_examples(mode::training) && !keeps_rows<dense<>> && !weighs_rows<dense<>>);
static_assert(decltype(sequential{lstm<7, 3, 5, 1>{}, dense<5, 3>{}})::parameter_count == 200 + 18);
static_assert(decltype(sequential{gru<7, 3, 5>{}, dense<35, 3>{}})::parameter_count == 150 + 108);

namespace {

/// Layers that read rows and that read what others write, of which norms are made in both ways; widths that
/// are no multiple of anything, one step, one state.
network of_lstms() {
  return network(
      {dense<>{4, 15}, lstm<>{5, 3, 17}, tanh_layer{}, lstm<>{5, 17, 3, 2}, lstm<>{1, 6, 1}, dense<>{1, 3}});
}
network of_grus() {
  return network({gru<>{5, 3, 17}, gru<>{5, 17, 3, 2}, dense<>{6, 3}, gru<>{3, 1, 2, 1}, dense<>{2, 3}});
}
network of_many_steps() { return network({lstm<>{39, 2, 5}, gru<>{39, 5, 4, 1}, dense<>{4, 2}}); }
network of_words() {
  return network({embedding<>{6, 7, 5}, gru<>{6, 5, 9}, lstm<>{6, 9, 4, 1}, dense<>{4, 3}});
}

template <class Model, class T>
void set_words(setting<Model, T>& s) {
  for (std::size_t i = 0; i < s.x.size(); ++i) s.x[i] = static_cast<T>((i * 5 + i / 4) % 7);
}
template <class Model>
bool reads_words(const Model& model) {
  return model.tensors().front().name == "0.weight" && model.tensors().front().shape[0] == 7;
}
template <class T = double, class Model>
setting<Model, T> set(const Model& model, std::size_t rows) {
  setting<Model, T> s(model, rows);
  if (reads_words(model)) set_words(s);
  return s;
}

std::vector<network> all_models() { return {of_lstms(), of_grus(), of_many_steps(), of_words()}; }

} // namespace

TEST_CASE("recurrent layers: gradients agree with finite differences in double") {
  for (const network& model : all_models()) test::check_gradient(set(model, 3));
}

TEST_CASE("recurrent layers: each example's norm and gradient are those of a batch of one, to the bit") {
  for (const network& model : all_models()) test::check_examples(set(model, 19));
}

TEST_CASE("recurrent layers: weighed sums, whole, in pieces and as a descent, and masked examples") {
  for (const network& model : all_models()) test::check_weighed(set(model, 21));
}

TEST_CASE("recurrent layers: a bound by layer weighs each layer by its own coefficients") {
  const network model = of_words();
  auto s = set(model, 6);
  s.backward();
  const std::size_t layers = model.parametric_layers();
  std::vector<double> norms(6 * layers);
  model.squared_norms<simd::default_arch, true>(6, s.x.data(), s.memory, std::span<double>(norms));
  const auto whole = s.norms();
  for (std::size_t r = 0; r < 6; ++r) {
    double sum = 0;
    for (std::size_t k = 0; k < layers; ++k) sum += norms[k * 6 + r];
    CHECK(sum == Approx(whole[r]).epsilon(1e-14));
  }
  const auto plain = s.sum();
  std::vector<double> coefficients(6 * layers);
  for (std::size_t i = 0; i < coefficients.size(); ++i) coefficients[i] = static_cast<double>(i / 6 + 2);
  model.weigh<simd::default_arch, true>(6, s.x.data(), s.memory, std::span<const double>(coefficients));
  const auto g = s.sum();
  const auto tensors = model.tensors();
  for (const auto& tensor : tensors) {
    const double factor = std::stod(tensor.name) + 2; // all layers of this one have parameters
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size; ++i)
      REQUIRE(g[i] == Approx(factor * plain[i]).epsilon(1e-12).margin(1e-14));
  }
}

TEST_CASE("recurrent layers: static and run-time sizes give the same bits") {
  const sequential fixed{dense<4, 20>{}, gru<5, 4, 18, 3>{}, tanh_layer{}, lstm<3, 18, 7, 1>{},
                         dense<7, 3>{}};
  setting a(fixed, 19);
  setting b(network(fixed), 19);
  const auto gradient = a.gradient(), norms = a.norms();
  CHECK(gradient == b.gradient());
  CHECK(std::ranges::equal(a.output(), b.output()));
  CHECK(norms == b.norms());
}

TEST_CASE("recurrent layers equal torch") {
  constexpr std::size_t words = 11;
  test::check_torch(network({lstm<>{7, 3, 5, 1}, dense<>{5, 3}}), 5, torch::lstm_last_outputs,
                    torch::lstm_last_gradient, torch::lstm_last_norms);
  test::check_torch(network({dense<>{4, 21}, lstm<>{7, 3, 5}, tanh_layer{}, dense<>{35, 3}}), 5,
                    torch::lstm_all_outputs, torch::lstm_all_gradient, torch::lstm_all_norms);
  test::check_torch(network({gru<>{7, 3, 5, 1}, dense<>{5, 3}}), 5, torch::gru_last_outputs,
                    torch::gru_last_gradient, torch::gru_last_norms);
  test::check_torch(network({dense<>{4, 21}, gru<>{7, 3, 5}, tanh_layer{}, dense<>{35, 3}}), 5,
                    torch::gru_all_outputs, torch::gru_all_gradient, torch::gru_all_norms);
  test::check_torch(network({embedding<>{7, words, 3}, lstm<>{7, 3, 6}, gru<>{7, 6, 4, 2}, dense<>{8, 3}}), 5,
                    torch::words_outputs, torch::words_gradient, torch::words_norms, 1e-13, words);
}

namespace {

/// Squared norms of examples whose deltas are given, from products of steps and from the gradient itself.
template <class T, class Layer>
std::vector<std::vector<T>> both_norms(const Layer& layer, std::size_t rows, std::vector<T>& x,
                                       std::vector<T>& kept) {
  const std::size_t padded = std::size_t{layer.steps} + 16;
  std::vector<T> scratch(layer.scratch(rows) +
                         padded * (2 * layer.steps + layer.in + 4 * std::size_t{layer.hidden}));
  const layer_rows<T> call{rows,           layer.in_width(), layer.out_width(0), x.data(), nullptr,
                           scratch.data(), nullptr,          kept.data()};
  std::vector<std::vector<T>> norms(2, std::vector<T>(rows));
  for (const bool from_products : {false, true})
    layer.template add_squared_norms<simd::default_arch>(call, std::span<T>(norms[from_products]),
                                                         from_products);
  return norms;
}

template <class Layer>
std::size_t kept_by_row(const Layer& layer) {
  std::size_t sum = 0;
  for (const std::size_t n : layer.kept_widths()) sum += n;
  return sum;
}

/// Deltas that nearly cancel over the steps: the same numbers with changing signs and a small rest.
template <class Layer>
void check_cancelling(const Layer& layer) {
  constexpr std::size_t rows = 4;
  const std::size_t steps = layer.steps;
  const auto widths = layer.kept_widths();
  std::vector<double> x(rows * layer.in_width()), kept;
  const auto once = [&](std::size_t width, std::uint64_t seed, double sign, double rest) {
    std::vector<double> all;
    const auto same = normals(rows * width, seed), other = normals(rows * width * steps, seed + 1);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t t = 0; t < steps; ++t)
        for (std::size_t j = 0; j < width; ++j)
          all.push_back(same[r * width + j] * (t % 2 ? sign : 1) + rest * other[(r * steps + t) * width + j]);
    return all;
  };
  for (const std::size_t width : widths) {
    const auto part = once(width / steps, width, width == widths[2] ? 1 : -1, width == widths[2] ? 0 : 1e-4);
    kept.insert(kept.end(), part.begin(), part.end());
  }
  x = once(layer.in, 5, 1, 0);
  std::vector<float> x_single(x.begin(), x.end()), kept_single(kept.begin(), kept.end());
  x.assign(x_single.begin(), x_single.end());
  kept.assign(kept_single.begin(), kept_single.end());
  const auto exact = both_norms(layer, rows, x, kept);
  const auto single = both_norms(layer, rows, x_single, kept_single);
  for (std::size_t r = 0; r < rows; ++r) {
    CHECK(exact[1][r] == Approx(exact[0][r]).epsilon(1e-4));
    CHECK(exact[0][r] < 1e-3); // of some 1e4 without
    // The gradient in float is off by what rounding makes of numbers that cancel; its norm is that of these.
    CHECK(single[1][r] >= single[0][r]);
    CHECK(single[1][r] >= static_cast<float>(exact[0][r]));
  }
}

} // namespace

TEST_CASE("recurrent layers: norms from products of steps are those of the gradients") {
  const auto check = [](const auto& layer) {
    constexpr std::size_t rows = 3;
    auto x = normals(rows * layer.in_width(), 1), kept = normals(rows * kept_by_row(layer), 2);
    const auto norms = both_norms(layer, rows, x, kept);
    std::vector<float> x_single(x.begin(), x.end()), kept_single(kept.begin(), kept.end());
    const auto single = both_norms(layer, rows, x_single, kept_single);
    for (std::size_t r = 0; r < rows; ++r) {
      CHECK(norms[1][r] == Approx(norms[0][r]).epsilon(1e-11));
      CHECK(norms[1][r] > norms[0][r] * (1 - 1e-13));
      CHECK(single[0][r] == Approx(norms[0][r]).epsilon(2e-5));
      CHECK(single[1][r] > single[0][r] * (1 - 1e-6f));
      CHECK(single[1][r] < single[0][r] * (layer.steps > 33 ? 1.01f : 1.002f));
    }
  };
  for (const std::size_t steps : {1u, 2u, 15u, 16u, 17u, 33u, 70u}) {
    check(lstm<>{steps, 3, 5});
    check(gru<>{steps, 18, 7});
  }
  CHECK(lstm<>{16, 32, 64}.by_products());
  CHECK_FALSE(lstm<>{200, 32, 64}.by_products());
  check_cancelling(lstm<>{20, 6, 9});
  check_cancelling(gru<>{20, 6, 9});
}

TEST_CASE("recurrent layers: deltas whose squares underflow are not taken for zero") {
  const lstm<> layer{4, 3, 5};
  auto x = normals<float>(3 * 4, 1), kept = normals<float>(kept_by_row(layer), 2);
  for (auto& v : kept) v *= 1e-24f;
  for (const auto& norms : both_norms(layer, 1, x, kept)) CHECK(norms[0] > 0);
}

TEST_CASE("recurrent layers begin with the deviations of torch's") {
  const auto deviation = [](std::span<const double> numbers) {
    double sum = 0;
    for (const double v : numbers) sum += v * v;
    return std::sqrt(sum / static_cast<double>(numbers.size()));
  };
  const auto begins = [&](any_layer layer, double expected, double largest) {
    const network model({std::move(layer)});
    auto p = model.make_parameters<double>();
    std::size_t calls = 0;
    // Uniform in +-sqrt(6 / (in + out)), and a deviation of sqrt(2 / in) by the other rule: the same.
    model.initialise(p, [&](std::span<double> weights, std::size_t in, std::size_t out) {
      replayable_random source(7);
      const double reach = std::sqrt(6.0 / static_cast<double>(in + out));
      for (auto& w : weights) w = (2 * uniform01<double>(source) - 1) * reach;
      CHECK(reach / std::sqrt(3.0) == Approx(std::sqrt(2.0 / static_cast<double>(in))));
      CHECK(weights.size() == model.sizes().shared);
      ++calls;
    });
    CHECK(calls == 1);
    CHECK(deviation(p.trained()) == Approx(expected).epsilon(0.02));
    if (largest > 0) CHECK(*std::ranges::max_element(p.trained()) == Approx(largest).epsilon(1e-3));
  };
  begins(lstm<>{4, 40, 60}, torch::lstm_deviation, torch::lstm_largest);
  begins(gru<>{4, 40, 60}, torch::gru_deviation, torch::gru_largest);
  begins(embedding<>{4, 300, 40}, torch::embedding_deviation, 0);
}

TEST_CASE("recurrent layers: tensors are named and shaped as torch's") {
  const auto tensors = network({gru<>{7, 3, 5, 1}}).tensors();
  REQUIRE(tensors.size() == 4);
  const std::vector<std::string> names{"0.weight_ih_l0", "0.weight_hh_l0", "0.bias_ih_l0", "0.bias_hh_l0"};
  const std::vector<std::vector<std::size_t>> shapes{{15, 3}, {15, 5}, {15}, {15}};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(tensors[i].name == names[i]);
    CHECK(tensors[i].shape == shapes[i]);
  }
}

TEST_CASE("recurrent layers that cannot be are refused with both sides") {
  const auto refused = [](any_layer layer, const std::string& sentence) {
    CHECK_THROWS_WITH(network({std::move(layer)}), "[N001 argument] " + sentence);
  };
  refused(lstm<>{0, 3, 5}, "lstm: a number of steps of 0, possible is 1 to 16777216");
  refused(gru<>{4, 0, 5}, "gru: steps with a width of 0, possible is 1 to 4194304");
  refused(gru<>{4, 3, std::size_t{1} << 40},
          "gru: states with a width of 1099511627776, possible is 1 to 4194304");
  refused(lstm<>{4, 3, 5, 0}, "lstm: a number of written states of 0, possible is 1 to 4");
  refused(lstm<>{4, 3, 5, 5}, "lstm: a number of written states of 5, possible is 1 to 4");
  CHECK_THROWS_WITH(
      network({dense<>{4, 14}, lstm<>{5, 3, 7}}),
      "[N003 shape] layer 1 cannot read rows 14 wide, which is what the layer before it writes");
  CHECK_THROWS_AS((lstm<7, 3, 5, 1>{6, 3, 5, 1}), exception);
}
