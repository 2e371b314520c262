#include "support/catch.hpp"
#include "support/stripes.hpp"

#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/residual.hpp>

using namespace privet;

namespace {

constexpr window same{.height = 3, .width = 3, .padding = 1};
/// A block with a shortcut and one without on lanes, one on rows.
const sequential model{
    conv2d<>{image{1, 6, 6}, 3, same},
    relu{},
    residual{conv2d<>{image{3, 6, 6}, 3, same}, relu{}, conv2d<>{image{3, 6, 6}, 3, same}},
    relu{},
    residual{conv2d<>{image{3, 6, 6}, 4, window{.height = 3, .width = 3, .stride = 2, .padding = 1}}, relu{},
             conv2d<>{image{4, 3, 3}, 4, same}, shortcut{conv2d<>{image{3, 6, 6}, 4, window{1, 1, 2}}}},
    relu{},
    flatten{},
    dense<>{36, 8},
    residual{relu{}, dense<>{8, 8}},
    dense<>{8, 3}};

} // namespace

TEST_CASE("a network with residual blocks learns, the same in chunks of any size") {
  test::check_learns(model, test::stripes(1, 6), 150);
}

TEST_CASE(
    "the clipped step of a network with residual blocks is the sum of clipped steps on batches of one") {
  test::check_clipped_step(model, test::stripes(1, 6));
}
