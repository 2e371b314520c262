#pragma once

#include <privet/core/chain.hpp>
#include <privet/optim/rate.hpp>
#include <privet/simd/arch.hpp>

namespace privet {

/// Yogi: Adam whose squares move towards g^2 by a step that does not grow with how far they are.
///
/// Formula   m = beta1 m + (1 - beta1) g;  v -= (1 - beta2) sign(v - g^2) g^2
///           step = learning_rate * m / (sqrt(v) + epsilon)
/// Source    Zaheer, Reddi, Sachan, Kale, Kumar, NeurIPS 2018, algorithm 2, from v = 0; no bias correction
struct yogi {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 2;
  /// Rescaling by past gradients undoes a bound and spoils a share of noise: only what is released stays so.
  template <Label L>
  using after = rescaled<L>;

  double learning_rate = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-3;

  void check() const {
    detail::check_rate("yogi", learning_rate);
    require(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon > 0, fault::argument,
            "yogi: beta1 ", beta1, ", beta2 ", beta2, ", epsilon ", epsilon,
            ", expected 0 <= beta < 1 and epsilon > 0");
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T> state, const update_context<T>&) const {
    const auto keep1 = simd::broadcast<Arch>(static_cast<T>(beta1)),
               new1 = simd::broadcast<Arch>(static_cast<T>(1 - beta1));
    const auto new2 = simd::broadcast<Arch>(static_cast<T>(1 - beta2)), zero = simd::broadcast<Arch>(T{});
    const auto rate = simd::broadcast<Arch>(static_cast<T>(learning_rate)),
               floor = simd::broadcast<Arch>(static_cast<T>(epsilon));
    T *const m = state.slot(0).data(), *const v = state.slot(1).data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto n) {
      const auto gradient = simd::load_lanes<Arch>(g.data() + i, n);
      const auto mean = simd::fma(keep1, simd::load_lanes<Arch>(m + i, n), new1 * gradient);
      const simd::batch<T, Arch> square = gradient * gradient, old = simd::load_lanes<Arch>(v + i, n),
                                 step = new2 * square;
      const simd::batch<T, Arch> up = simd::select(old < square, step, zero),
                                 down = simd::select(square < old, step, zero);
      const simd::batch<T, Arch> moved = old + (up - down);
      simd::store_lanes<Arch, T>(m + i, mean, n);
      simd::store_lanes<Arch, T>(v + i, moved, n);
      simd::store_lanes<Arch, T>(g.data() + i, simd::divide(rate * mean, simd::sqrt(moved) + floor), n);
    });
  }
};

} // namespace privet
