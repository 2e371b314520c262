#pragma once
// A model whose layers are known only at run time: built from a description that arrived as a
// message, trained by the same engine as `sequential`.

#include <privet/nn/activations.hpp>
#include <privet/nn/batch_norm.hpp>
#include <privet/nn/conv2d.hpp>
#include <privet/nn/dense.hpp>
#include <privet/nn/dropout.hpp>
#include <privet/nn/embedding.hpp>
#include <privet/nn/group_norm.hpp>
#include <privet/nn/gru.hpp>
#include <privet/nn/layer_norm.hpp>
#include <privet/nn/lstm.hpp>
#include <privet/nn/pools.hpp>
#include <privet/nn/residual.hpp>
#include <privet/nn/sequential.hpp>

#include <utility>
#include <variant>

namespace privet {

/// Any layer that a description can name.
using any_layer = std::variant<dense<>, relu, tanh_layer, sigmoid, dropout, conv2d<>, max_pool<>, avg_pool<>,
                               flatten, add_layer, branch_layer, group_norm<>, layer_norm<>,
                               frozen_batch_norm<>, embedding<>, lstm<>, gru<>>;

namespace detail {

class layer_vector {
 public:
  static constexpr bool with_branches = true, with_ties = true;
  explicit layer_vector(std::vector<any_layer> layers) : layers_(std::move(layers)) {}
  std::size_t size() const noexcept { return layers_.size(); }
  template <class F>
  void visit(std::size_t i, F&& f) const {
    std::visit(f, layers_[i]);
  }
  /// Of the pairs of kinds, some two hundred, only those are compiled that may be taken together.
  template <class F>
  void visit_pair(std::size_t i, F&& f) const {
    if (i + 1 == layers_.size()) return;
    std::visit(
        [&]<class L>(const L& layer) {
          if constexpr (Fusing<L> || Activation<L>)
            std::visit(
                [&]<class Next>(const Next& next) {
                  if constexpr ((Fusing<L> && Activation<Next>) || (Activation<L> && Fusing<Next>))
                    f(layer, next);
                },
                layers_[i + 1]);
        },
        layers_[i]);
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& layer : layers_) std::visit(f, layer);
  }

 private:
  std::vector<any_layer> layers_;
};

template <class... L>
consteval bool mixes_in_training(const std::variant<L...>*) {
  return (L::mixes_examples(mode::training) || ...);
}

/// The run-time form of a layer: itself, with its widths as numbers.
template <class L>
any_layer erase(const L& layer) {
  return layer;
}
template <std::size_t In, std::size_t Out>
any_layer erase(const dense<In, Out>& layer) {
  return dense<>{std::size_t{layer.in}, std::size_t{layer.out}};
}
template <image In, std::size_t Out, window Kernel, std::size_t Groups>
any_layer erase(const conv2d<In, Out, Kernel, Groups>& layer) {
  return conv2d<>{image(layer.in), std::size_t{layer.out}, window(layer.kernel), std::size_t{layer.groups}};
}
template <image In, window Kernel>
any_layer erase(const max_pool<In, Kernel>& layer) {
  return max_pool<>{image(layer.in), window(layer.kernel)};
}
template <image In, window Kernel>
any_layer erase(const avg_pool<In, Kernel>& layer) {
  return avg_pool<>{image(layer.in), window(layer.kernel)};
}
template <image In, std::size_t Groups>
any_layer erase(const group_norm<In, Groups>& layer) {
  return group_norm<>{image(layer.in), std::size_t{layer.groups}, layer.epsilon};
}
template <std::size_t Width>
any_layer erase(const layer_norm<Width>& layer) {
  return layer_norm<>{std::size_t{layer.in}, layer.epsilon};
}
template <image In>
any_layer erase(const frozen_batch_norm<In>& layer) {
  return frozen_batch_norm<>{image(layer.in), layer.statistics, layer.epsilon};
}
template <std::size_t Steps, std::size_t Words, std::size_t Width>
any_layer erase(const embedding<Steps, Words, Width>& layer) {
  return embedding<>{std::size_t{layer.steps}, std::size_t{layer.words}, std::size_t{layer.width}};
}
template <class Cell, std::size_t Steps, std::size_t In, std::size_t Hidden, std::size_t Written>
any_layer erase(const recurrent<Cell, Steps, In, Hidden, Written>& layer) {
  return recurrent<Cell>{std::size_t{layer.steps}, std::size_t{layer.in}, std::size_t{layer.hidden},
                         std::size_t{layer.written}};
}
template <image In>
any_layer erase(const batch_norm<In>& layer) = delete; // it mixes examples: freeze it first

} // namespace detail

/// Layers in order, held by value. Same parameters, same order, same bits as the `sequential`
/// with the same layers.
class network : public layer_stack<detail::layer_vector> {
 public:
  static constexpr std::size_t parameter_count = dynamic;
  /// None of the layers that a description can name does.
  static constexpr bool mixes_in_training = detail::mixes_in_training(static_cast<const any_layer*>(nullptr));

  /// Throws N003 where neighbours do not fit, N001 when there are no layers.
  explicit network(std::vector<any_layer> layers) : layer_stack(detail::layer_vector(std::move(layers))) {}

  template <class List>
  explicit network(const layer_stack<List>& model) : network(erased(model)) {
    keep_local(model.local_layers());
    for (const auto& layers : model.ties()) tie(layers);
  }

 private:
  template <class List>
  static std::vector<any_layer> erased(const layer_stack<List>& model) {
    std::vector<any_layer> all;
    model.layers().for_each([&](const auto& layer) { all.push_back(detail::erase(layer)); });
    return all;
  }
};

// The engine of `network` in float is most of what a file that trains one compiles. A program of several files says
// PRIVET_COMPILED_NETWORK in each and links one object of cmake/network.cpp: CMake target privet::network.
#if defined(PRIVET_COMPILED_NETWORK)
#if !defined(PRIVET_COMPILE_NETWORK)
#define PRIVET_COMPILE_NETWORK extern template
#endif
#define PRIVET_ENGINE layer_stack<detail::layer_vector>
#define PRIVET_ARCH simd::default_arch
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::forward<PRIVET_ARCH, float>(std::span<const float>, std::size_t,
                                                                       const float*, tape<float>&,
                                                                       layer_context) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::backward<PRIVET_ARCH, float>(std::span<const float>, std::size_t,
                                                                        const float*, tape<float>&,
                                                                        layer_context) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::squared_norms<PRIVET_ARCH, false, float>(std::size_t, const float*,
                                                                                    tape<float>&,
                                                                                    std::span<float>) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::squared_norms<PRIVET_ARCH, true, float>(std::size_t, const float*,
                                                                                   tape<float>&,
                                                                                   std::span<float>) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::accumulate<PRIVET_ARCH, float>(std::size_t, const float*,
                                                                          tape<float>&,
                                                                          std::span<float>) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::descend<PRIVET_ARCH, float>(std::size_t, const float*,
                                                                       tape<float>&, float, std::span<float>,
                                                                       std::span<float>) const;
PRIVET_COMPILE_NETWORK void PRIVET_ENGINE::piecewise<PRIVET_ARCH, float>(
    std::size_t, const float*, tape<float>&, std::span<float>,
    function_ref<void(std::size_t, std::span<float>)>) const;
#undef PRIVET_COMPILE_NETWORK
#undef PRIVET_ENGINE
#undef PRIVET_ARCH
#endif

} // namespace privet
