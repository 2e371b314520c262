#pragma once
// What a loss is asked for: the loss and the delta of every example. The library divides by the
// batch, never the loss.

#include <privet/simd/arch.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

namespace privet {

/// A loss. Law: deltas agree with finite differences of the losses.
///
///   target<T>           what one row is compared with: a class index, or scalars
///   targets_per_row(w)  how many of them a row of width w has
///   evaluate(rows, w, outputs, targets, losses, deltas)
///                       losses (rows), deltas (rows, w): d losses[r] / d outputs[r][j]
template <class L>
concept Loss = requires(const L loss, std::size_t n, const float* outputs,
                        const typename L::template target<float>* targets, float* losses, float* deltas) {
  { loss.targets_per_row(n) } -> std::convertible_to<std::size_t>;
  loss.template evaluate<simd::default_arch>(n, n, outputs, targets, losses, deltas);
};

} // namespace privet
