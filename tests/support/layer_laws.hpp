#pragma once
// What the concept Layer promises, tried on models in double.

#include "support/catch.hpp"
#include "support/finite_differences.hpp"
#include "support/linear_loss.hpp"
#include "support/numbers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace privet::test {

/// Gradients agree with finite differences.
template <class Model>
void check_gradient(setting<Model> s) {
  const auto g = s.gradient();
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double numeric = derivative(
        s.p.trained()[i], [&] { return s.value(); }, 1e-4);
    INFO("parameter " << i << ": " << g[i] << " against " << numeric);
    REQUIRE(relative_error(g[i], numeric) < 1e-6);
  }
}

/// The output and the norm of each example are those of a batch of one, to the bit; the norm is that of its gradient,
/// and these add up to the sum.
template <class Model>
void check_examples(setting<Model> s) {
  s.backward();
  const auto norms = s.norms();
  const std::vector<double> outputs(s.output().begin(), s.output().end());
  std::vector<double> expected(s.p.trained().size());
  const auto in = static_cast<std::ptrdiff_t>(s.model.in_width()),
             out = static_cast<std::ptrdiff_t>(s.model.out_width());
  for (std::size_t r = 0; r < s.rows; ++r) {
    setting one(s.model, 1);
    one.context = s.context;
    const auto row = static_cast<std::ptrdiff_t>(r);
    std::copy_n(s.x.begin() + row * in, in, one.x.begin());
    std::copy_n(s.form.begin() + row * out, out, one.form.begin());
    const auto g = one.gradient();
    CHECK(std::equal(one.output().begin(), one.output().end(), outputs.begin() + row * out));
    CHECK(one.norms()[0] == norms[r]);
    double norm = 0;
    for (std::size_t i = 0; i < g.size(); ++i) norm += g[i] * g[i], expected[i] += g[i];
    CHECK(norms[r] == Approx(norm).epsilon(1e-12));
  }
  const auto g = s.sum();
  for (std::size_t i = 0; i < g.size(); ++i) REQUIRE(relative_error(g[i], expected[i]) < 1e-12);
}

/// Under coefficients each example's gradient counts by its own, once and once more: the same whole, in pieces and as a
/// descent, whatever a row with a coefficient of 0 holds. Takes 18 rows or more.
template <class Model>
void check_weighed(const setting<Model>& given) {
  const Model& model = given.model;
  auto coefficients = normals(given.rows, 7);
  coefficients[3] = coefficients[17] = 0;
  const auto weigh = [&](setting<Model>& s) {
    model.weigh(s.rows, s.x.data(), s.memory, std::span<const double>(coefficients));
    return s.sum();
  };
  const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(relative_error(a[i], b[i]) < 1e-11);
  };
  auto s = given, scaled = given; // the loss is linear in its form
  const auto scale = [&] {
    for (std::size_t i = 0; i < scaled.form.size(); ++i)
      scaled.form[i] *= coefficients[i / model.out_width()];
    return scaled.gradient();
  };
  s.backward();
  const auto g = weigh(s);
  close(g, scale());
  for (const std::size_t room : {model.piece_size() + 16, g.size()}) {
    std::vector<double> pieces(g.size()), space(room);
    model.piecewise(s.rows, s.x.data(), s.memory, std::span<double>(space),
                    [&](std::size_t offset, std::span<double> piece) {
                      std::ranges::copy(piece, pieces.begin() + static_cast<std::ptrdiff_t>(offset));
                    });
    CHECK(pieces == g);
  }
  std::vector<double> space(g.size()), moved(g.size());
  model.descend(s.rows, s.x.data(), s.memory, 0.5, std::span<double>(space), std::span<double>(moved));
  for (std::size_t i = 0; i < g.size(); ++i) CHECK(moved[i] == Approx(-0.5 * g[i]));
  close(weigh(s), scale());

  auto poisoned = given;
  for (const std::size_t r : {3u, 17u}) {
    poisoned.x[r * model.in_width() + 1] = std::numeric_limits<double>::quiet_NaN();
    poisoned.x[(r + 1) * model.in_width() - 1] = std::numeric_limits<double>::infinity();
  }
  poisoned.backward();
  CHECK_FALSE(std::isfinite(poisoned.norms()[3]));
  CHECK(weigh(poisoned) == g);
}

} // namespace privet::test
