#include "support/catch.hpp"
#include "support/stripes.hpp"

#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/tied.hpp>

using namespace privet;

namespace {

constexpr window same{.height = 3, .width = 3, .padding = 1};
/// One tie on lanes, one on rows.
const auto model =
    tie(tie(sequential{conv2d<>{image{1, 6, 6}, 3, same}, relu{}, conv2d<>{image{3, 6, 6}, 3, same}, relu{},
                       conv2d<>{image{3, 6, 6}, 3, same}, relu{}, flatten{}, dense<>{108, 8}, relu{},
                       dense<>{8, 8}, tanh_layer{}, dense<>{8, 8}, tanh_layer{}, dense<>{8, 3}},
            {2, 4}),
        {9, 11});

} // namespace

TEST_CASE("a network with tied layers learns, the same in chunks of any size") {
  test::check_learns(model, test::stripes(1, 6), 150);
}

TEST_CASE("the clipped step of a network with tied layers is the sum of clipped steps on batches of one") {
  test::check_clipped_step(model, test::stripes(1, 6));
}
