#pragma once
// Layers that share parameters.

#include <privet/nn/sequential.hpp>

#include <cstddef>
#include <initializer_list>
#include <span>

namespace privet {

/// A model of layers known by type, some of which share parameters. How many it has is known at run time.
template <class List>
class tied;
template <class... L>
class tied<indexed_list<L...>> : public layer_stack<detail::shared_list<indexed_list<L...>>> {
 public:
  static constexpr std::size_t parameter_count = dynamic;
  static constexpr bool mixes_in_training = (L::mixes_examples(mode::training) || ...);

  /// As the model is, with nothing tied yet.
  explicit tied(const layer_stack<indexed_list<L...>>& model)
      : layer_stack<detail::shared_list<indexed_list<L...>>>({model.layers()}) {
    this->keep_local(model.local_layers());
  }
};

template <class List>
tied(const layer_stack<List>&) -> tied<List>;

/// The model, where these layers read the same parameters: an encoder that is used twice is
/// `tie(sequential{dense<64, 64>{}, relu{}, dense<64, 64>{}, relu{}, dense<64, 6>{}}, {0, 2})`.
///
/// Gradients  of the shared parameters are the sum over the layers that read them; norms of single examples are those
///            of that sum, with the products between layers, and never below the norm of what is added up
/// Cost       a private step forms the gradient of each example over tied layers, for its norm and again for the sum
/// Errors     N001 for fewer than two layers, one that is named twice, is not there or has no parameters; N003 for
///            layers whose tensors are not of the same names and shapes
/// Test       tests/nn/tied.test.cpp, against PyTorch
template <class List>
  requires(!detail::with_ties<List>)
tied<List> tie(const layer_stack<List>& model, std::initializer_list<std::size_t> layers) {
  tied<List> shared(model);
  shared.tie(std::span(layers.begin(), layers.size()));
  return shared;
}
template <class Model>
  requires requires(Model model, std::span<const std::size_t> layers) { model.tie(layers); }
Model tie(Model model, std::initializer_list<std::size_t> layers) {
  model.tie(std::span(layers.begin(), layers.size()));
  return model;
}

} // namespace privet
