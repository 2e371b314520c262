#pragma once

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>
#include <privet/simd/arch.hpp>

namespace privet {

/// Adagrad.
///
/// Formula   v += g^2;  step = learning_rate * g / (sqrt(v) + epsilon)
/// Source    Duchi, Hazan, Singer, JMLR 2011; epsilon outside the root as in torch.optim.Adagrad
struct adagrad {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 1;
  /// Rescaling by past gradients undoes a bound and spoils a share of noise: only what is released stays so.
  template <Label L>
  using after = rescaled<L>;

  double learning_rate = 0.01;
  double epsilon = 1e-10;

  void check() const {
    detail::check_rate("adagrad", learning_rate);
    require(epsilon > 0, fault::argument, "adagrad: epsilon ", epsilon, ", expected more than 0");
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const auto rate = simd::broadcast<Arch>(static_cast<T>(learning_rate)),
               floor = simd::broadcast<Arch>(static_cast<T>(epsilon));
    T* const v = state.slot(0).data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto n) {
      const auto gradient = simd::load_lanes<Arch>(g.data() + i, n);
      const auto sum = simd::fma(gradient, gradient, simd::load_lanes<Arch>(v + i, n));
      simd::store_lanes<Arch, T>(v + i, sum, n);
      simd::store_lanes<Arch, T>(g.data() + i, simd::divide(rate * gradient, simd::sqrt(sum) + floor), n);
    });
  }
};

} // namespace privet
