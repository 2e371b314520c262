#pragma once
// LeNet on images of 28 x 28.

#include <privet/nn/activations.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/sequential.hpp>

namespace compare {

inline auto lenet() {
  using namespace privet;
  return sequential{conv2d<image{1, 28, 28}, 6, window{5, 5}>{},
                    relu{},
                    max_pool<image{6, 24, 24}, window{2, 2, 2}>{},
                    conv2d<image{6, 12, 12}, 16, window{5, 5}>{},
                    relu{},
                    max_pool<image{16, 8, 8}, window{2, 2, 2}>{},
                    flatten{},
                    dense<256, 120>{},
                    relu{},
                    dense<120, 84>{},
                    relu{},
                    dense<84, 10>{}};
}

} // namespace compare
