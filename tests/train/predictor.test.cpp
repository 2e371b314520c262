#include "support/catch.hpp"
#include "support/numbers.hpp"

#include <privet/nn/activations.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/network.hpp>
#include <privet/train/evaluate.hpp>
#include <privet/train/initialise.hpp>
#include <privet/train/predictor.hpp>

using namespace privet;

TEST_CASE("predictor: a row alone gets the bits it gets among others") {
  const sequential model{dense<43, 128>{}, relu{}, dense<128, 6>{}};
  const auto p = initialise(model, 3);
  const auto x = test::normals<float>(50 * 43, 5);
  const rows_view<float> rows{x.data(), 50, 43};
  const auto together = predict(model, p, rows);

  const auto check = [&](auto one) {
    std::vector<float> scores(6);
    for (std::size_t i = 0; i < 50; ++i) {
      const auto row = std::span(x).subspan(i * 43, 43);
      if (one(row) != together[i]) FAIL("row " << i);
    }
    std::ranges::copy(one.scores(std::span(x).first(43)), scores.begin());
    for_each_output(model, p, rows, [&](std::size_t first, std::size_t, const float* z) {
      if (first == 0) CHECK(std::equal(scores.begin(), scores.end(), z));
    });
  };
  check(predictor(model, p));
  check(predictor(network(model), p));
}

TEST_CASE("predictor: refuses rows and parameters of another width") {
  const sequential model{dense<3, 4>{}, relu{}, dense<4, 2>{}};
  predictor one(model, initialise(model, 1));
  const std::vector<float> row(4);
  CHECK_THROWS_WITH(one(row), "[N003 shape] the model reads rows 3 wide, got 4");
  CHECK_THROWS_WITH(predictor(model, parameters<float>({.shared = 5})),
                    "[N003 shape] the model has 26 parameters, got 5");
}
