#include "support/catch.hpp"

#include <privet/core/image_shape.hpp>

#include <string>
#include <vector>

using namespace privet;

namespace {

template <image_shape Shape>
constexpr std::size_t size_of_type = Shape.size();

static_assert(size_of_type<image_shape{3, 4, 5}> == 60);
static_assert(image_shape{3, 4, 5}.pixels() == 20 && image_shape{3, 4, 5}.known());
static_assert(!image_shape{}.known() && !image_shape{.channels = 3, .width = 5}.known());
static_assert(image_shape{1, 2, 3} == image_shape{1, 2, 3} && image_shape{1, 2, 3} != image_shape{1, 3, 2});

} // namespace

TEST_CASE("columns of images are called by colour and pixel") {
  CHECK(image_shape{1, 2, 2}.names() == std::vector<std::string>{"pixel0", "pixel1", "pixel2", "pixel3"});
  CHECK(image_shape{3, 1, 2}.names() ==
        std::vector<std::string>{"red0", "red1", "green0", "green1", "blue0", "blue1"});
  const image_shape two_channels{2, 3, 3}, flat{.channels = 1, .width = 5}, nothing_known;
  CHECK_THROWS_AS(two_channels.names(), exception);
  CHECK_THROWS_AS(flat.names(), exception);
  CHECK_THROWS_AS(nothing_known.names(), exception);
}
