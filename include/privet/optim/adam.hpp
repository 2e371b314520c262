#pragma once
// Adam and AdamW.

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>
#include <privet/simd/elementwise.hpp>

#include <cmath>

namespace privet {

/// Adam with bias correction.
///
/// Formula   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///           step = learning_rate * m' / (sqrt(v') + epsilon),  m' = m / (1 - beta1^t), v' likewise
/// Source    Kingma and Ba, ICLR 2015, algorithm 1; epsilon outside the root as in torch.optim.Adam
struct adam {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 2;
  /// Rescaling by past gradients undoes a bound and spoils a share of noise: only what is released stays so.
  template <Label L>
  using after = rescaled<L>;

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;

  void check() const {
    detail::check_rate("adam", learning_rate);
    require(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon > 0, fault::argument,
            "adam: beta1 ", beta1, ", beta2 ", beta2, ", epsilon ", epsilon,
            ", expected 0 <= beta < 1 and epsilon > 0");
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>& context) const {
    const double t = static_cast<double>(context.step) + 1;
    const auto keep1 = simd::broadcast<Arch>(static_cast<T>(beta1)),
               new1 = simd::broadcast<Arch>(static_cast<T>(1 - beta1));
    const auto keep2 = simd::broadcast<Arch>(static_cast<T>(beta2)),
               new2 = simd::broadcast<Arch>(static_cast<T>(1 - beta2));
    const auto rate = simd::broadcast<Arch>(static_cast<T>(learning_rate / (1 - std::pow(beta1, t))));
    const auto root = simd::broadcast<Arch>(static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t))));
    const auto floor = simd::broadcast<Arch>(static_cast<T>(epsilon));
    T *const m = state.slot(0).data(), *const v = state.slot(1).data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto n) {
      const auto gradient = simd::load_lanes<Arch>(g.data() + i, n);
      const auto mean = simd::fma(keep1, simd::load_lanes<Arch>(m + i, n), new1 * gradient);
      const auto square = simd::fma(keep2, simd::load_lanes<Arch>(v + i, n), new2 * gradient * gradient);
      simd::store_lanes<Arch, T>(m + i, mean, n);
      simd::store_lanes<Arch, T>(v + i, square, n);
      simd::store_lanes<Arch, T>(g.data() + i,
                                 simd::divide(rate * mean, simd::fma(simd::sqrt(square), root, floor)), n);
    });
  }
};

/// Adam with decoupled weight decay: step = adam's step + learning_rate * weight_decay * w.
///
/// Source    Loshchilov and Hutter, ICLR 2019, algorithm 2; torch.optim.AdamW
struct adamw {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = adam::slots;
  template <Label L>
  using after = adam::after<L>;

  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;

  void check() const { adam{learning_rate, beta1, beta2, epsilon}.check(); }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T> state,
              const update_context<T>& context) const {
    adam{learning_rate, beta1, beta2, epsilon}.update<Arch>(g, offset, state, context);
    simd::axpy<Arch>(static_cast<T>(learning_rate * weight_decay), context.parameters, g);
  }
};

} // namespace privet
