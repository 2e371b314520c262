#pragma once
// The convolutional networks of Simonyan and Zisserman.

#include <privet/nn/named_network.hpp>

#include <algorithm>
#include <cstddef>

namespace privet {

/// How a published network is cut down.
struct vgg_options {
  std::size_t divisor =
      1; ///< of all widths between image and classes: 16 makes a small network of the same form
  double dropout = 0.5; ///< behind each of the two wide dense layers
};

/// VGG-16, configuration D without batch normalisation, under torchvision's names: 13 convolutions of 3 x 3 in five stages,
/// each closed by a pool, then three dense layers. 138,357,544 parameters for 1000 classes.
///
///   const auto vgg = vgg16(image{3, 224, 224}, 1000);
///   const auto imagenet = read_pretrained<float>(vgg, load_safetensors("vgg16.safetensors").value()).value();
///
/// Sides     of 32 and more. torchvision pools what the convolutions leave to 7 x 7. Of 224 x 224 that is the identity,
///           of squares of 7 m x 7 m (448, 672, ..) a pool here too. Of all others the first dense layer reads what the
///           convolutions leave, and a file's weight is multiplied by the pool when it is read: the same function, with
///           other parameters to train
/// Names     features.{0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28}, classifier.{0, 3, 6}
/// Errors    N001 for images with smaller sides or unknown ones, no classes, a divisor that does not divide 64
/// Source    Simonyan and Zisserman, ICLR 2015, arXiv:1409.1556, table 1
/// Test      tests/nn/named_network.test.cpp, against PyTorch
inline named_network vgg16(const image& in, std::size_t classes, const vgg_options& options = {}) {
  require(in.known() && in.channels > 0 && in.height >= 32 && in.width >= 32, fault::argument,
          "vgg16: images of ", in.channels, " x ", in.height, " x ", in.width,
          ", sides of 32 and more are possible");
  require(classes > 0, fault::argument, "vgg16: 0 classes");
  require(options.divisor > 0 && 64 % options.divisor == 0, fault::argument, "vgg16: a divisor of ",
          options.divisor, " does not divide 64");
  constexpr std::size_t pool = 0, stages[] = {64,   64,  pool, 128, 128,  pool, 256, 256, 256,
                                              pool, 512, 512,  512, pool, 512,  512, 512, pool};
  detail::named_layers list;
  image shape = in;
  std::size_t number = 0; // in torch's list, which has the same layers
  for (const std::size_t width : stages) {
    if (width == pool) {
      constexpr window half{2, 2, 2};
      list.add(max_pool<>{shape, half});
      shape = detail::after(shape, half, shape.channels);
      ++number;
    } else {
      const conv2d<> convolution{shape, width / options.divisor, window{3, 3, 1, 1}};
      list.add(convolution, {concat("features.", number)});
      list.add(relu{});
      shape = convolution.out_image();
      number += 2;
    }
  }
  const image pooled{shape.channels, 7, 7};
  named_module first{"classifier.0"};
  if (const std::size_t times = shape.height / 7;
      times > 1 && shape.height == 7 * times && shape.width == 7 * times) {
    list.add(avg_pool<>{shape, window{times, times, times}});
    shape = pooled;
  } else if (shape != pooled) {
    first.pool = {shape, pooled};
  }
  list.add(flatten{});
  const std::size_t wide = 4096 / options.divisor;
  list.add(dense<>{shape.size(), wide}, std::move(first));
  list.add(relu{});
  list.add(dropout(options.dropout));
  list.add(dense<>{wide, wide}, {"classifier.3"});
  list.add(relu{});
  list.add(dropout(options.dropout));
  list.add(dense<>{wide, classes}, {"classifier.6"});
  return std::move(list).finish();
}

} // namespace privet
