#pragma once
// Softmax cross-entropy, binary cross-entropy on logits, mean squared error.

#include <privet/core/error.hpp>
#include <privet/nn/loss.hpp>

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
    const T spread = static_cast<T>(smoothing / static_cast<double>(w)),
            sharp = static_cast<T>(1 - smoothing);
    for (std::size_t r = 0; r < rows; ++r, z += w, deltas += w) {
      const auto label = static_cast<std::size_t>(labels[r]);
      T top = z[0], mean = T{};
      for (std::size_t j = 1; j < w; ++j) top = z[j] > top ? z[j] : top;
      simd::for_each_batch<Arch, T>(w, [&](std::size_t j, std::size_t n) {
        simd::store_lanes<Arch, T>(
            deltas + j, simd::exp(simd::load_lanes<Arch>(z + j, n) - simd::broadcast<Arch>(top)), n);
      });
      T sum = T{};
      for (std::size_t j = 0; j < w; ++j) sum += deltas[j], mean += z[j] - top;
      losses[r] = std::log(sum) - sharp * (z[label] - top);
      if (spread > T{})
        losses[r] -= spread * mean; // a logit of -infinity costs nothing unless it is spread to
      const T scale = T{1} / sum;
      for (std::size_t j = 0; j < w; ++j) deltas[j] = deltas[j] * scale - spread;
      deltas[label] -= sharp;
    }
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
        losses[r] += (z[j] > T{} ? z[j] : T{}) - targets[j] * z[j] + std::log1p(e);
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
        sum += off * off;
        deltas[j] = 2 * share * off;
      }
      losses[r] = sum * share;
    }
  }
};

} // namespace privet
