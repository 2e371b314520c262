#pragma once
// A model whose tensors another program names otherwise.

#include <privet/nn/image.hpp>
#include <privet/nn/network.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace privet {

/// An average pool, as torch.nn.AdaptiveAvgPool2d, of images of `own` sides to those of `file`. It is linear, so a dense
/// layer that reads the images at `own` computes the same as that of the file behind the pool.
struct adaptive_pool {
  image own, file;
};

/// What another program calls a layer.
struct named_module {
  std::string name;                    ///< "layer1.0.conv1"; empty of a layer without tensors
  bool bias = true;                    ///< whether it has one there
  std::optional<adaptive_pool> pool{}; ///< in front of it there, and none here
};

/// A model and what torchvision calls its layers, for `read_pretrained` of nn/weights.hpp.
struct named_network {
  network model;
  std::vector<named_module> modules; ///< by place

  /// Places of the layers with parameters.
  std::vector<std::size_t> parametric_layers() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < modules.size(); ++i)
      if (!modules[i].name.empty()) all.push_back(i);
    return all;
  }
};

namespace detail {

/// Layers and their names, one after another.
struct named_layers {
  std::vector<any_layer> layers;
  std::vector<named_module> modules;

  std::size_t size() const noexcept { return layers.size(); }
  void add(any_layer layer, named_module module = {}) {
    layers.push_back(std::move(layer));
    modules.push_back(std::move(module));
  }
  /// Throws as `network` does.
  named_network finish() && { return {network(std::move(layers)), std::move(modules)}; }
};

} // namespace detail

} // namespace privet
