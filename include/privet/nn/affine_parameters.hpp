#pragma once
// A weight and a bias of each value, or of each channel: what layers that normalise train.

#include <privet/nn/layer.hpp>
#include <privet/simd/normalise.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace privet {

/// `count` weights, then as many biases, in memory as in files: `weight` and `bias`.
struct affine_parameters {
  std::size_t count;

  /// Weights start at one, biases at zero: nothing is drawn.
  template <class T>
  void initialise(std::span<T> p) const {
    std::ranges::fill(p.first(count), T{1});
    std::ranges::fill(p.subspan(count), T{});
  }
  std::vector<named_tensor> tensors() const {
    return {{"weight", {count}, 0, count, false}, {"bias", {count}, count, count, false}};
  }
};

namespace detail {

/// Throws N001 for an epsilon that the kernels cannot add to a variance.
inline void check_epsilon(const char* layer, double epsilon) {
  require(epsilon >= simd::least_epsilon && epsilon <= simd::most_epsilon, fault::argument, layer,
          ": epsilon ", epsilon, ", possible is ", simd::least_epsilon, " to ", simd::most_epsilon);
}

} // namespace detail

} // namespace privet
