#pragma once

#include <privet/core/chain.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace privet {

/// Lets only the parameters [first, last) move during the first `steps` steps, and all of them after that: the
/// gradient of the others is zero. Before a momentum, which then stays zero too.
///
/// Source    head first, then all: Kumar et al., "Fine-Tuning can Distort Pretrained Features and
///           Underperform Out-of-Distribution", ICLR 2022 (LP-FT)
/// Test      tests/optim/moving_part.test.cpp
struct moving_part {
  static constexpr stage_role role = stage_role::pointwise;
  static constexpr std::size_t slots = 0;

  std::size_t first = 0;
  std::size_t last = std::numeric_limits<std::size_t>::max();
  std::uint64_t steps = std::numeric_limits<std::uint64_t>::max();

  /// When all may move it does nothing.
  std::optional<double> scaling(std::uint64_t step) const noexcept {
    if (step < steps) return std::nullopt;
    return 1;
  }

  template <class T>
  void update(std::span<T> g, std::size_t offset, state_slice<T>, const update_context<T>& context) const {
    if (context.step >= steps) return;
    const auto place = [&](std::size_t i) { return std::clamp(i, offset, offset + g.size()) - offset; };
    std::ranges::fill(g.first(place(first)), T{});
    std::ranges::fill(g.subspan(std::max(place(first), place(last))), T{});
  }
};

} // namespace privet
