#pragma once
// One step of an optimiser at the server, on what a round adds up to.

#include <privet/core/chain.hpp>
#include <privet/core/result.hpp>
#include <privet/train/step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace privet::detail {

/// A chain that only steps: what it meets is bounded, divided, noisy already.
template <class Steps>
inline constexpr bool only_steps =
    Steps::bounds == 0 && Steps::reductions == 0 && Steps::encodings == 0 && Steps::mechanisms == 0;

/// Errors: N003 for the state of an optimiser of another size.
template <class Steps>
status check_optimizer(std::string_view who, const chain_state<float>& memory, std::size_t parameters) {
  if (memory.parameters != parameters || memory.slots.size() != Steps::slots * parameters)
    return error::of(fault::shape, who, ": an optimiser of ", memory.parameters, " parameters and ",
                     memory.slots.size(), " numbers, expected ", parameters, " and ",
                     Steps::slots * parameters);
  return nothing{};
}

/// weights -= steps(gradient). Errors: N008 for weights that are driven out of their range; weights and memory are
/// then as before.
template <class Arch, class Steps>
status server_step(std::string_view who, const Steps& steps, std::span<float> gradient, double batch,
                   std::span<float> weights, chain_state<float>& memory) {
  if (auto fits = check_optimizer<Steps>(who, memory, weights.size()); !fits) return fits;
  aligned_vector<float> moved(weights.begin(), weights.end());
  auto next = memory;
  const update_context<float> context{.step = next.step, .parameters = weights, .expected_batch = batch};
  descend<Arch>(steps, gradient, 0, next, context, 1.0, std::span<float>(moved));
  for (const float w : moved)
    if (!std::isfinite(w))
      return error::of(fault::range, who, ": the step ", next.step + 1,
                       " drives weights out of their range; a lower learning rate may help");
  ++next.step;
  memory = std::move(next);
  std::ranges::copy(moved, weights.begin());
  return nothing{};
}

} // namespace privet::detail
