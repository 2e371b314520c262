#pragma once
// Softmax and cross-entropy of rows of logits against class indices, loss and gradient at once.

#include <privet/simd/exponential.hpp>
#include <privet/simd/transpose.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace privet::simd::inline PRIVET_ISA {

/// Scalar reference. loss = log(sum_j exp(z_j)) - sum_j q_j z_j, delta_j = softmax(z)_j - q_j, where
/// q is 1 - smoothing at the label plus smoothing / w everywhere.
template <class T>
void softmax_cross_entropy_reference(std::size_t rows, std::size_t w, const T* z, const std::int32_t* labels,
                                     T smoothing, T* losses, T* deltas) {
  const T spread = smoothing / static_cast<T>(w), sharp = T{1} - smoothing;
  for (std::size_t r = 0; r < rows; ++r, z += w, deltas += w) {
    T top = z[0];
    for (std::size_t j = 1; j < w; ++j)
      if (top < z[j]) top = z[j];
    T sum{}, others{};
    for (std::size_t j = 0; j < w; ++j) {
      deltas[j] = simd::exp(z[j] - top);
      sum += deltas[j];
      others += z[j] - top;
    }
    const auto label = static_cast<std::size_t>(labels[r]);
    losses[r] = simd::fma(-sharp, T(z[label] - top), simd::log(sum));
    if (spread > T{})
      losses[r] =
          simd::fma(-spread, others, losses[r]); // a logit of -infinity costs nothing unless it is spread to
    for (std::size_t j = 0; j < w; ++j) deltas[j] = deltas[j] / sum - spread;
    deltas[label] -= sharp;
  }
}

namespace detail {

/// Rows this wide or narrower are turned, so that the lanes hold as many rows.
inline constexpr std::size_t turned_softmax = 64;

/// log(sum exp(v_j)) - top and sum(v_j - top) of `w` batches, which become exp(v_j - top) / sum - spread.
template <class Arch, class T>
void softmax_lanes(std::size_t w, T* v, T spread, batch<T, Arch>& top, batch<T, Arch>& log_sum,
                   batch<T, Arch>& others) {
  constexpr std::size_t wide = width<T, Arch>;
  top = simd::load<Arch>(v);
  for (std::size_t j = 1; j < w; ++j) {
    const auto next = simd::load<Arch>(v + j * wide);
    top = simd::select(top < next, next, top);
  }
  auto sum = simd::broadcast<Arch>(T{});
  others = sum;
  for (std::size_t j = 0; j < w; ++j) {
    const auto rest = simd::load<Arch>(v + j * wide) - top;
    const auto e = simd::exp(rest);
    others = others + rest;
    sum = sum + e;
    simd::store<Arch, T>(v + j * wide, e);
  }
  log_sum = simd::log(sum);
  const auto share = simd::divide(simd::broadcast<Arch>(T{1}), sum), less = simd::broadcast<Arch>(-spread);
  for (std::size_t j = 0; j < w; ++j)
    simd::store<Arch, T>(v + j * wide, simd::fma(simd::load<Arch>(v + j * wide), share, less));
}

/// The largest of at least a batch of numbers. The last batch overlaps the one before.
template <class Arch, class T>
T largest(std::size_t n, const T* x) {
  constexpr std::size_t wide = width<T, Arch>;
  auto tops = simd::load<Arch>(x + n - wide);
  for (std::size_t i = 0; i + wide < n; i += wide) {
    const auto next = simd::load<Arch>(x + i);
    tops = simd::select(tops < next, next, tops);
  }
  T lanes[wide];
  simd::store<Arch, T>(lanes, tops);
  T top = lanes[0];
  for (std::size_t i = 1; i < wide; ++i)
    if (top < lanes[i]) top = lanes[i];
  return top;
}

} // namespace detail

/// As the reference.   z and deltas (rows, w), labels in 0 .. w-1 and losses (rows). A row's result
/// does not depend on the others.
template <class Arch = default_arch, class T>
void softmax_cross_entropy(std::size_t rows, std::size_t w, const T* z, const std::int32_t* labels,
                           T smoothing, T* losses, T* deltas) {
  constexpr std::size_t wide = width<T, Arch>;
  const T spread = smoothing / static_cast<T>(w), sharp = T{1} - smoothing;
  if (w <= detail::turned_softmax) {
    alignas(64) T turned[detail::turned_softmax * wide];
    alignas(64) T picked[wide] = {}, lost[wide];
    batch<T, Arch> top, log_sum, others;
    for (std::size_t first = 0; first < rows; first += wide) {
      const std::size_t some = std::min(wide, rows - first);
      simd::turn<Arch>(some, w, z + first * w, turned, wide);
      for (std::size_t r = 0; r < some; ++r)
        picked[r] = z[(first + r) * w + static_cast<std::size_t>(labels[first + r])];
      detail::softmax_lanes<Arch>(w, turned, spread, top, log_sum, others);
      auto loss = simd::fma(simd::broadcast<Arch>(-sharp), simd::load<Arch>(picked) - top, log_sum);
      if (spread > T{}) loss = simd::fma(simd::broadcast<Arch>(-spread), others, loss);
      simd::store<Arch, T>(lost, loss);
      std::memcpy(losses + first, lost, some * sizeof(T));
      simd::turn_back<Arch>(w, some, turned, wide, deltas + first * w, w);
    }
  } else {
    for (std::size_t r = 0; r < rows; ++r) {
      const T* const from = z + r * w;
      T* const to = deltas + r * w;
      const T top = detail::largest<Arch>(w, from);
      const auto peak = simd::broadcast<Arch>(top);
      auto sums = simd::broadcast<Arch>(T{}), others = sums;
      for_each_batch<Arch, T>(w, [&](std::size_t j, auto lanes) {
        const auto rest = simd::load_lanes<Arch>(from + j, lanes) - peak;
        simd::store_lanes<Arch, T>(to + j, simd::exp(rest), lanes);
        sums = sums + simd::kept(simd::exp(rest), lanes);
        others = others + simd::kept(rest, lanes);
      });
      const T sum = simd::reduce_add(sums);
      losses[r] = simd::fma(-sharp, T(from[labels[r]] - top), simd::log(sum));
      if (spread > T{}) losses[r] = simd::fma(-spread, simd::reduce_add(others), losses[r]);
      const auto share = simd::broadcast<Arch>(T{1} / sum), less = simd::broadcast<Arch>(-spread);
      for_each_batch<Arch, T>(w, [&](std::size_t j, auto lanes) {
        simd::store_lanes<Arch, T>(to + j, simd::fma(simd::load_lanes<Arch>(to + j, lanes), share, less),
                                   lanes);
      });
    }
  }
  for (std::size_t r = 0; r < rows; ++r) deltas[r * w + static_cast<std::size_t>(labels[r])] -= sharp;
}

} // namespace privet::simd::inline PRIVET_ISA
