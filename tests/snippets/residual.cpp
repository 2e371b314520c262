// The code of docs/nn/layers.md about residual blocks.

#include <privet/nn/resnet.hpp>

#include <utility>

namespace {

using namespace privet;

[[maybe_unused]] void residual_blocks() {
  // clang-format off
  constexpr window same{.height = 3, .width = 3, .padding = 1},
      half{.height = 3, .width = 3, .stride = 2, .padding = 1};
  const sequential blocks{conv2d<image{3, 32, 32}, 16, same>{}, relu{},
                          residual{conv2d<image{16, 32, 32}, 16, same>{}, relu{},
                                   conv2d<image{16, 32, 32}, 16, same>{}}, relu{},
                          residual{conv2d<image{16, 32, 32}, 32, half>{}, relu{},
                                   conv2d<image{32, 16, 16}, 32, same>{},
                                   shortcut{conv2d<image{16, 32, 32}, 32, window{1, 1, 2}>{}}}, relu{},
                          avg_pool<image{32, 16, 16}, window{16, 16}>{}, flatten{}, dense<32, 10>{}};
  const auto by_rows = sequential{dense<43, 128>{}, residual{relu{}, dense<128, 128>{}}, dense<128, 6>{}};
  const auto ready_made = resnet20(10); // for images of 3 x 32 x 32, by group norms
  // clang-format on
  static_assert(decltype(blocks)::parameter_count == 448 + 2 * 2320 + 4640 + 9248 + 544 + 330);
  static_cast<void>(std::pair(blocks.depth(), by_rows.depth() + ready_made.depth()));
}

} // namespace
