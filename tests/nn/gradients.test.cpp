#include "support/catch.hpp"
#include "support/finite_differences.hpp"
#include "support/numbers.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/losses.hpp>
#include <privet/nn/network.hpp>
#include <privet/nn/sequential.hpp>

using namespace privet;
using test::derivative;
using test::normals;
using test::relative_error;

namespace {

constexpr std::size_t rows = 5;

/// A model with random parameters and rows, its loss a random linear form of its outputs, so that
/// the delta that enters backward is known exactly.
template <class Model>
struct setting {
  Model model;
  parameters<double> p;
  std::vector<double> x, form;
  tape<double> memory;
  layer_context context{mode::training, 9, 3, 0};

  explicit setting(Model m)
      : model(std::move(m)),
        p(model.template make_parameters<double>()),
        x(normals(rows * model.in_width(), 1)),
        form(normals(rows * model.out_width(), 2)),
        memory(model.template make_tape<double>(rows)) {
    const auto start = normals(p.trained().size(), 3);
    std::copy(start.begin(), start.end(), p.trained().begin());
  }

  double* output() { return memory.output(model.depth() - 1); }
  double value() {
    model.forward(std::span<const double>(p.trained()), rows, x.data(), memory, context);
    double sum = 0;
    for (std::size_t i = 0; i < form.size(); ++i) sum += form[i] * output()[i];
    return sum;
  }
  void backward() {
    value();
    std::copy(form.begin(), form.end(), memory.delta(model.depth() - 1));
    model.backward(std::span<const double>(p.trained()), rows, x.data(), memory, context);
  }
  std::vector<double> gradient() {
    backward();
    std::vector<double> g(p.trained().size());
    model.accumulate(rows, x.data(), memory, std::span<double>(g));
    return g;
  }
};

template <class Model>
void check_gradient(Model model) {
  setting<Model> s(std::move(model));
  const auto g = s.gradient();
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double numeric = derivative(
        s.p.trained()[i], [&] { return s.value(); }, 1e-4);
    INFO("parameter " << i << ": " << g[i] << " against " << numeric);
    REQUIRE(relative_error(g[i], numeric) < 1e-6);
  }
}

} // namespace

TEST_CASE("gradients through every layer agree with finite differences in double") {
  check_gradient(sequential{dense<7, 4>{}});
  check_gradient(sequential{dense<7, 5>{}, relu{}, dense<5, 3>{}});
  check_gradient(sequential{dense<7, 5>{}, tanh_layer{}, dense<5, 3>{}});
  check_gradient(sequential{dense<7, 5>{}, sigmoid{}, dense<5, 3>{}});
  check_gradient(sequential{dense<7, 9>{}, dropout{0.4}, dense<9, 3>{}, tanh_layer{}});
  check_gradient(sequential{dense<>{7, 6}, tanh_layer{}, dense<>{6, 5}, relu{}, dense<5, 2>{}, sigmoid{}});
}

TEST_CASE("the delta of the rows agrees with finite differences in double") {
  // A first layer whose input is what the second layer's input gradient is compared with.
  setting s(sequential{dense<4, 6>{}, sigmoid{}, dense<6, 3>{}, tanh_layer{}});
  s.backward();
  const std::vector<double> delta(s.memory.delta(0), s.memory.delta(0) + rows * 6);
  // Moving the bias of unit j moves its output in every row alike: the deltas sum over rows.
  for (std::size_t j = 0; j < 6; ++j) {
    double sum = 0;
    for (std::size_t r = 0; r < rows; ++r) sum += delta[r * 6 + j];
    const double numeric = derivative(s.p.trained()[4 * 6 + j], [&] { return s.value(); });
    CHECK(relative_error(sum, numeric) < 1e-6);
  }
}

TEST_CASE("deltas of every loss agree with finite differences in double") {
  constexpr std::size_t width = 6;
  auto z = normals(rows * width, 4);
  std::vector<double> losses(rows), deltas(rows * width);
  const auto check = [&](const auto& loss, const auto& targets) {
    const auto evaluate = [&] {
      loss.template evaluate<simd::default_arch>(rows, width, z.data(), targets.data(), losses.data(),
                                                 deltas.data());
    };
    evaluate();
    const auto exact = deltas;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double numeric = derivative(z[i], [&] {
        evaluate();
        return losses[i / width];
      });
      REQUIRE(relative_error(exact[i], numeric) < 1e-6);
    }
  };
  const std::vector<std::int32_t> labels = {0, 5, 2, 2, 1};
  check(softmax_cross_entropy{}, labels);
  check(softmax_cross_entropy{.smoothing = 0.1}, labels);
  check(binary_cross_entropy{}, std::vector<double>{0, 1, 1, 0, 1, 0, 1, 1, 0, 0,  0,   1, 0, 1, 1,
                                                    0, 1, 0, 1, 1, 0, 0, 0, 1, .5, .25, 1, 1, 0, 0});
  check(mean_squared_error{}, normals(rows * width, 5));
}

TEST_CASE("losses stay finite at logits that overflow exp") {
  const std::vector<float> z = {1000, -1000, 0, -1000, 1000, 0};
  float losses[2], deltas[6];
  softmax_cross_entropy{}.evaluate<simd::default_arch>(2, 3, z.data(), std::vector<std::int32_t>{0, 0}.data(),
                                                       losses, deltas);
  CHECK(losses[0] == 0);
  CHECK(losses[1] == 2000);
  binary_cross_entropy{}.evaluate<simd::default_arch>(2, 3, z.data(), std::vector<float>(6, 1.f).data(),
                                                      losses, deltas);
  CHECK(losses[0] == Approx(1000 + std::log(2.0)));
  CHECK(deltas[0] == 0);
  CHECK(deltas[1] == -1);
}

TEST_CASE("per-example squared norms equal those of batches of one") {
  setting s(sequential{dense<7, 9>{}, tanh_layer{}, dense<9, 4>{}, relu{}, dense<4, 3>{}});
  s.backward();
  std::vector<double> norms(rows);
  s.model.squared_norms(rows, s.x.data(), s.memory, std::span<double>(norms));
  for (std::size_t r = 0; r < rows; ++r) {
    setting one(s.model);
    std::copy_n(s.x.begin() + static_cast<std::ptrdiff_t>(r * 7), 7, one.x.begin());
    std::fill(one.form.begin(), one.form.end(), 0.0);
    std::copy_n(s.form.begin() + static_cast<std::ptrdiff_t>(r * 3), 3, one.form.begin());
    double norm = 0;
    for (const double g : one.gradient()) norm += g * g;
    CHECK(relative_error(norms[r], norm) < 1e-12);
  }
}

TEST_CASE("a masked example leaves no trace, even when it holds NaN and infinity") {
  const auto sum = [](const std::vector<double>& coefficients, bool poisoned) {
    setting s(sequential{dense<7, 5>{}, relu{}, dense<5, 3>{}});
    if (poisoned) {
      s.x[7 + 2] = std::numeric_limits<double>::quiet_NaN();
      s.x[7 + 3] = std::numeric_limits<double>::infinity();
    }
    s.backward();
    s.model.weigh(rows, s.x.data(), s.memory, std::span<const double>(coefficients));
    std::vector<double> g(s.p.trained().size());
    s.model.accumulate(rows, s.x.data(), s.memory, std::span<double>(g));
    return g;
  };
  const auto masked = sum({1, 0, 0.5, 1, 0.25}, false), poisoned = sum({1, 0, 0.5, 1, 0.25}, true);
  CHECK(masked == poisoned);
  CHECK(masked != sum({1, 1, 0.5, 1, 0.25}, false));
}

TEST_CASE("weighted accumulation equals the weighted sum of batches of one") {
  setting s(sequential{dense<7, 5>{}, tanh_layer{}, dense<5, 3>{}});
  const std::vector<double> coefficients = {0.5, 2, 1, 0.125, 3};
  std::vector<double> expected(s.p.trained().size());
  for (std::size_t r = 0; r < rows; ++r) {
    setting one(s.model);
    std::fill(one.form.begin(), one.form.end(), 0.0);
    std::copy_n(s.form.begin() + static_cast<std::ptrdiff_t>(r * 3), 3,
                one.form.begin() + static_cast<std::ptrdiff_t>(r * 3));
    const auto g = one.gradient();
    for (std::size_t i = 0; i < g.size(); ++i) expected[i] += coefficients[r] * g[i];
  }
  s.backward();
  s.model.weigh(rows, s.x.data(), s.memory, std::span<const double>(coefficients));
  std::vector<double> g(expected.size());
  s.model.accumulate(rows, s.x.data(), s.memory, std::span<double>(g));
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(relative_error(g[i], expected[i]) < 1e-12);
}
