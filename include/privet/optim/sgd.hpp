#pragma once

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>
#include <privet/simd/elementwise.hpp>

namespace privet {

/// Stochastic gradient descent with momentum.
///
/// Formula   v = momentum * v + g;  step = learning_rate * (nesterov ? g + momentum * v : v)
/// Source    torch.optim.SGD (dampening 0), which follows Sutskever et al., ICML 2013
struct sgd {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 1;
  /// Momentum remembers gradients from before a release, and the rate changes a bound.
  template <Label L>
  using after = rescaled<L>;

  double learning_rate = 0.01;
  double momentum = 0;
  bool nesterov = false;

  void check() const {
    detail::check_rate("sgd", learning_rate);
    require(momentum >= 0 && momentum < 1, fault::argument, "sgd: momentum ", momentum,
            ", expected 0 <= momentum < 1");
  }

  /// Without momentum it only multiplies.
  std::optional<double> scaling(std::uint64_t) const noexcept {
    if (momentum != 0) return std::nullopt;
    return learning_rate;
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    if (momentum == 0) return simd::scale<Arch>(static_cast<T>(learning_rate), g);
    const auto rate = simd::broadcast<Arch>(static_cast<T>(learning_rate)),
               mu = simd::broadcast<Arch>(static_cast<T>(momentum));
    T* const v = state.slot(0).data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto lanes) {
      const auto gradient = simd::load_lanes<Arch>(g.data() + i, lanes);
      const auto velocity = simd::fma(mu, simd::load_lanes<Arch>(v + i, lanes), gradient);
      simd::store_lanes<Arch, T>(v + i, velocity, lanes);
      simd::store_lanes<Arch, T>(g.data() + i,
                                 rate * (nesterov ? simd::fma(mu, velocity, gradient) : velocity), lanes);
    });
  }
};

} // namespace privet
