#pragma once

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>

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

  template <class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const T rate = static_cast<T>(learning_rate), mu = static_cast<T>(momentum);
    if (momentum == 0) {
      for (auto& x : g) x *= rate;
      return;
    }
    T* const v = state.slot(0).data();
    const T ahead = nesterov ? mu : T{1}, now = nesterov ? T{1} : T{};
    for (std::size_t i = 0; i < g.size(); ++i) {
      v[i] = mu * v[i] + g[i];
      g[i] = rate * (now * g[i] + ahead * v[i]);
    }
  }
};

} // namespace privet
