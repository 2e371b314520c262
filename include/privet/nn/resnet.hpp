#pragma once
// The residual network for small images.

#include <privet/nn/activations.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/group_norm.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/residual.hpp>
#include <privet/nn/sequential.hpp>

#include <cstddef>

namespace privet {

namespace detail {

/// What the stages of ResNet-20 work on.
inline constexpr image resnet_large{16, 32, 32}, resnet_middle{32, 16, 16}, resnet_small{64, 8, 8};

/// Two convolutions of 3 x 3, each normalised, and their input added; where they halve the image, it comes through a
/// convolution of 1 x 1.
template <image In, std::size_t Channels, class Normalise>
auto residual_pair(const Normalise& normalise) {
  constexpr std::size_t stride = In.channels == Channels ? 1 : 2;
  constexpr window first{3, 3, stride, 1}, second{3, 3, 1, 1}, across{1, 1, stride};
  constexpr image out = after(In, first, Channels);
  const auto with = [&](const auto&... shortcuts) {
    return residual{conv2d<In, Channels, first>{},   normalise.template operator()<out>(), relu{},
                    conv2d<out, Channels, second>{}, normalise.template operator()<out>(), shortcuts...};
  };
  if constexpr (stride == 1)
    return with();
  else
    return with(shortcut{conv2d<In, Channels, across>{}, normalise.template operator()<out>()});
}

} // namespace detail

/// ResNet-20 for images of 3 x 32 x 32: a convolution, three stages of three residual blocks with 16, 32 and 64
/// channels, the mean of each channel, a dense layer.
///
///   const auto model = resnet20(10);                                           // groups of 4 channels
///   const auto other = resnet20(10, []<image In>() { return batch_norm<In>{}; }); // to be trained on public data
///
/// Norms      `normalise.operator()<In>()` makes the layer behind each convolution: group_norm unless stated, whose
///            every group has 4 channels, so that no example sees another
/// Shortcuts  option B of the paper: a normalised convolution of 1 x 1 where a stage begins, else what the block reads
/// Order      stage by stage, in a block main path first; convolutions have biases, which torchvision's have not
/// Source     He, Zhang, Ren, Sun, CVPR 2016, section 4.2; group norms under privacy: De et al., arXiv:2204.13650
/// Test       tests/nn/resnet.test.cpp
template <class Normalise>
auto resnet20(std::size_t classes, const Normalise& normalise) {
  using detail::resnet_large, detail::resnet_middle, detail::resnet_small;
  const auto first = detail::residual_pair<resnet_large, 16>(normalise);
  const auto second = detail::residual_pair<resnet_middle, 32>(normalise);
  const auto third = detail::residual_pair<resnet_small, 64>(normalise);
  return sequential{conv2d<image{3, 32, 32}, 16, window{3, 3, 1, 1}>{},
                    normalise.template operator()<resnet_large>(),
                    relu{},
                    first,
                    relu{},
                    first,
                    relu{},
                    first,
                    relu{},
                    detail::residual_pair<resnet_large, 32>(normalise),
                    relu{},
                    second,
                    relu{},
                    second,
                    relu{},
                    detail::residual_pair<resnet_middle, 64>(normalise),
                    relu{},
                    third,
                    relu{},
                    third,
                    relu{},
                    avg_pool<resnet_small, window{8, 8}>{},
                    flatten{},
                    dense<64, dynamic>{64, classes}};
}
inline auto resnet20(std::size_t classes) {
  return resnet20(classes, []<image In>() { return group_norm<In, In.channels / 4>{}; });
}

} // namespace privet
