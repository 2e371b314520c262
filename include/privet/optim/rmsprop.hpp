#pragma once

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>
#include <privet/simd/arch.hpp>

namespace privet {

/// RMSProp.
///
/// Formula   v = smoothing v + (1 - smoothing) g^2;  step = learning_rate * g / (sqrt(v) + epsilon)
/// Source    Tieleman and Hinton 2012, lecture 6.5; epsilon and defaults as in torch.optim.RMSprop
struct rmsprop {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 1;
  /// Rescaling by past gradients undoes a bound and spoils a share of noise: only what is released stays so.
  template <Label L>
  using after = rescaled<L>;

  double learning_rate = 0.01;
  double smoothing = 0.99;
  double epsilon = 1e-8;

  void check() const {
    detail::check_rate("rmsprop", learning_rate);
    require(smoothing >= 0 && smoothing < 1 && epsilon > 0, fault::argument, "rmsprop: smoothing ", smoothing,
            ", epsilon ", epsilon, ", expected 0 <= smoothing < 1 and epsilon > 0");
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const auto keep = simd::broadcast<Arch>(static_cast<T>(smoothing)),
               fresh = simd::broadcast<Arch>(static_cast<T>(1 - smoothing));
    const auto rate = simd::broadcast<Arch>(static_cast<T>(learning_rate)),
               floor = simd::broadcast<Arch>(static_cast<T>(epsilon));
    T* const v = state.slot(0).data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto n) {
      const auto gradient = simd::load_lanes<Arch>(g.data() + i, n);
      const auto square = simd::fma(keep, simd::load_lanes<Arch>(v + i, n), fresh * gradient * gradient);
      simd::store_lanes<Arch, T>(v + i, square, n);
      simd::store_lanes<Arch, T>(g.data() + i, simd::divide(rate * gradient, simd::sqrt(square) + floor), n);
    });
  }
};

} // namespace privet
