#pragma once
// The residual network of 18 layers for large images.

#include <privet/nn/named_network.hpp>

#include <cstddef>
#include <string>

namespace privet {

struct resnet_options {
  std::size_t divisor = 1; ///< of all numbers of channels but the image's
  std::size_t groups = 0;  ///< of each norm; 0: batch norms, frozen at the statistics of a file
};

/// ResNet-18 under torchvision's names: a convolution of 7 x 7 and a pool, four stages of two residual blocks with 64 to 512
/// channels, the mean of each channel, a dense layer. 11,694,312 parameters for 1000 classes: torchvision's, and a bias
/// of each convolution.
///
///   const auto resnet = resnet18(image{3, 224, 224}, 1000);
///   const auto imagenet = read_pretrained<float>(resnet, load_safetensors("resnet18.safetensors").value()).value();
///
/// Sides     any
/// Norms     frozen batch norms, which mix no examples, or group norms, which files of torchvision's do not have
/// Names     conv1, bn1, layer{1..4}.{0, 1}.{conv1, bn1, conv2, bn2}, layer{2..4}.0.downsample.{0, 1}, fc; group norms
///           are named as the batch norms in whose place they stand
/// Errors    N001 for an image without sides, no classes, a divisor that does not divide 64, groups that do not divide
///           the channels
/// Source    He, Zhang, Ren, Sun, CVPR 2016, table 1
/// Test      tests/nn/named_network.test.cpp, against PyTorch
inline named_network resnet18(const image& in, std::size_t classes, const resnet_options& options = {}) {
  require(in.known() && in.size() > 0, fault::argument, "resnet18: images of ", in.channels, " x ", in.height,
          " x ", in.width, ", sides of 1 and more are possible");
  require(classes > 0, fault::argument, "resnet18: 0 classes");
  require(options.divisor > 0 && 64 % options.divisor == 0, fault::argument, "resnet18: a divisor of ",
          options.divisor, " does not divide 64");
  detail::named_layers list;
  image shape = in;
  const auto convolve = [&](std::size_t channels, const window& of, const std::string& name) {
    const conv2d<> layer{shape, channels, of};
    shape = layer.out_image();
    list.add(layer, {.name = name, .bias = false, .pool = {}});
  };
  const auto normalise = [&](const std::string& name) {
    if (options.groups > 0)
      list.add(group_norm<>{shape, options.groups}, {name});
    else
      list.add(frozen_batch_norm<>{shape}, {name});
  };
  convolve(64 / options.divisor, window{7, 7, 2, 3}, "conv1");
  normalise("bn1");
  list.add(relu{});
  constexpr window pool{3, 3, 2, 1};
  list.add(max_pool<>{shape, pool});
  shape = detail::after(shape, pool, shape.channels);
  for (std::size_t stage = 1; stage <= 4; ++stage)
    for (std::size_t block = 0; block < 2; ++block) {
      const std::size_t channels = (std::size_t{32} << stage) / options.divisor, begin = list.size();
      const std::size_t stride = stage > 1 && block == 0 ? 2 : 1;
      const std::string name = concat("layer", stage, '.', block);
      const image before = shape;
      convolve(channels, window{3, 3, stride, 1}, name + ".conv1");
      normalise(name + ".bn1");
      list.add(relu{});
      convolve(channels, window{3, 3, 1, 1}, name + ".conv2");
      normalise(name + ".bn2");
      if (stride == 2) {
        const std::size_t branch = list.size();
        list.add(branch_layer(branch - begin + 1)); // to what the block reads
        shape = before;
        convolve(channels, window{1, 1, stride}, name + ".downsample.0");
        normalise(name + ".downsample.1");
        list.add(add_layer(list.size() - branch + 1)); // what the main path wrote
      } else {
        list.add(add_layer(list.size() - begin + 1));
      }
      list.add(relu{});
    }
  list.add(avg_pool<>{shape, window{shape.height, shape.width}});
  list.add(flatten{});
  list.add(dense<>{shape.channels, classes}, {"fc"});
  return std::move(list).finish();
}

} // namespace privet
