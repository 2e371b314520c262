#include "support/catch.hpp"
#include "support/stripes.hpp"

#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/sequential.hpp>

using namespace privet;

namespace {

const sequential model{conv2d<>{image{2, 7, 7}, 5, window{.height = 3, .width = 3, .padding = 1}},
                       relu{},
                       max_pool<>{image{5, 7, 7}, window{3, 3, 2}},
                       conv2d<>{image{5, 3, 3}, 4, window{2, 2}},
                       relu{},
                       flatten{},
                       dense<>{16, 3}};

} // namespace

TEST_CASE("a network of convolutions learns, the same in chunks of any size") {
  test::check_learns(model, test::stripes(2, 7), 200);
}

TEST_CASE("the clipped step of a network of convolutions is the sum of clipped steps on batches of one") {
  test::check_clipped_step(model, test::stripes(2, 7));
}
