#pragma once
// Softmax cross-entropy, binary cross-entropy on logits, mean squared error.

#include <privet/core/error.hpp>
#include <privet/nn/loss.hpp>
#include <privet/simd/softmax.hpp>

#include <cmath>

namespace privet {

/// Softmax and cross-entropy of a row of logits against a class index.
///
/// Formula   loss = log(sum_j exp(z_j)) - sum_j q_j z_j,  delta_j = softmax(z)_j - q_j, where q is
///           1 - smoothing at the class plus smoothing / w everywhere (Szegedy et al. 2016;
///           torch.nn.CrossEntropyLoss(label_smoothing=...)).
/// Requires  0 <= smoothing < 1; labels in 0 .. w-1, checked where the data enters
struct softmax_cross_entropy {
  double smoothing = 0;

  template <class T>
  using target = std::int32_t;
  static constexpr std::size_t targets_per_row(std::size_t) noexcept { return 1; }

  template <class Arch, class T>
  void evaluate(std::size_t rows, std::size_t w, const T* z, const std::int32_t* labels, T* losses,
                T* deltas) const {
    simd::softmax_cross_entropy<Arch>(rows, w, z, labels, static_cast<T>(smoothing), losses, deltas);
  }
};

/// Binary cross-entropy of each logit against a target in [0, 1], summed over the row.
///
/// Formula   loss = sum_j log(1 + exp(z_j)) - t_j z_j,  delta_j = sigmoid(z_j) - t_j; evaluated
///           without overflow for any z.
struct binary_cross_entropy {
  template <class T>
  using target = T;
  static constexpr std::size_t targets_per_row(std::size_t w) noexcept { return w; }

  template <class Arch, class T>
  void evaluate(std::size_t rows, std::size_t w, const T* z, const T* targets, T* losses, T* deltas) const {
    for (std::size_t r = 0; r < rows; ++r) {
      losses[r] = T{};
      for (std::size_t j = r * w; j < (r + 1) * w; ++j) {
        const T e = std::exp(-std::abs(z[j]));
        losses[r] += simd::fma(-targets[j], z[j], z[j] > T{} ? z[j] : T{}) + std::log1p(e);
        deltas[j] = (z[j] >= T{} ? T{1} : e) / (T{1} + e) - targets[j];
      }
    }
  }
};

/// Squared error, averaged over the columns of the row: torch.nn.MSELoss for a batch of one.
struct mean_squared_error {
  template <class T>
  using target = T;
  static constexpr std::size_t targets_per_row(std::size_t w) noexcept { return w; }

  template <class Arch, class T>
  void evaluate(std::size_t rows, std::size_t w, const T* y, const T* targets, T* losses, T* deltas) const {
    const T share = T{1} / static_cast<T>(w);
    for (std::size_t r = 0; r < rows; ++r) {
      T sum = T{};
      for (std::size_t j = r * w; j < (r + 1) * w; ++j) {
        const T off = y[j] - targets[j];
        sum = simd::fma(off, off, sum);
        deltas[j] = 2 * share * off;
      }
      losses[r] = sum * share;
    }
  }
};

} // namespace privet
