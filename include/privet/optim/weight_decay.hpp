#pragma once

#include <privet/core/chain.hpp>
#include <privet/simd/elementwise.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace privet {

/// Adds `rate` times the parameters to the gradient: the gradient of rate / 2 * |w|^2. Before
/// the optimiser it is torch's `weight_decay` argument; it reads no rows, so it costs no privacy behind the
/// noise. Before it, large weights would round a bounded sum by more than the bound's proof allows.
struct weight_decay {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;

  double rate = 0;

  /// Without decay it does nothing.
  std::optional<double> scaling(std::uint64_t) const noexcept {
    if (rate != 0) return std::nullopt;
    return 1;
  }

  template <class Arch = simd::default_arch, class T>
  void update(std::span<T> g, std::size_t, state_slice<T>, const update_context<T>& context) const {
    simd::axpy<Arch>(static_cast<T>(rate), context.parameters, g);
  }
};

} // namespace privet
