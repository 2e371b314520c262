#pragma once

#include <privet/core/chain.hpp>
#include <privet/core/error.hpp>
#include <privet/simd/elementwise.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace privet {

/// Adds `strength` times (parameters - anchor) to the gradient: the gradient of
/// strength / 2 * |w - anchor|^2, which pulls towards weights that were trained before.
///
/// Anchor    whoever runs the chain states it: `local_training` the weights a round began with (FedProx),
///           `personalise` the shared ones (L2-SP, Ditto)
/// Errors    N001 for a strength that is negative or not finite, and for an update without an anchor
/// Privacy   it reads no rows, so behind the noise it costs nothing as long as the anchor was released before
/// Source    Li et al., "Federated Optimization in Heterogeneous Networks", MLSys 2020 (FedProx);
///           Li, Grandvalet, Davoine, ICML 2018 (L2-SP); Li et al., ICML 2021 (Ditto)
/// Test      tests/optim/proximal.test.cpp
struct proximal {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;
  static constexpr bool anchored = true;

  double strength = 0;

  void check() const {
    require(strength >= 0 && std::isfinite(strength), fault::argument, "proximal: strength ", strength,
            ", expected a finite number from 0");
  }

  /// Without strength it does nothing.
  std::optional<double> scaling(std::uint64_t) const noexcept {
    if (strength != 0) return std::nullopt;
    return 1;
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T>, const update_context<T>& context) const {
    require(context.anchor.size() == g.size(), fault::argument, "proximal: ", g.size(),
            " parameters and an anchor of ", context.anchor.size(), ": who runs the chain must state one");
    const auto pull = simd::broadcast<Arch>(static_cast<T>(strength));
    const T *const w = context.parameters.data(), *const anchor = context.anchor.data();
    simd::for_each_batch<Arch, T>(g.size(), [&](std::size_t i, auto lanes) {
      const auto away = simd::load_lanes<Arch>(w + i, lanes) - simd::load_lanes<Arch>(anchor + i, lanes);
      simd::store_lanes<Arch, T>(g.data() + i,
                                 simd::fma(pull, away, simd::load_lanes<Arch>(g.data() + i, lanes)), lanes);
    });
  }
};

} // namespace privet
