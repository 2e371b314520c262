#pragma once

#include <privet/train/local_training.hpp>

#include <cstdint>
#include <span>
#include <utility>

namespace privet {

/// A personal model that grows beside a federation: after every round it is trained on the device's own rows, by
/// a chain with a `proximal` stage that pulls it to the weights the server sent. What the device sends back is
/// trained as ever and knows nothing of it.
///
/// Round     a function of (personal weights before, server's weights, rows, seed, client, round)
/// Privacy   it never leaves the device; it is made from the weights that were sent and from own rows
/// Source    Li, Hu, Beirami, Smith, "Ditto: Fair and Robust Federated Learning Through Personalization",
///           ICML 2021, algorithm 1
/// Test      tests/train/ditto.test.cpp
template <class Model, Loss LossType, class Chain, class T = float, class Arch = simd::default_arch>
class ditto {
  static_assert(Chain::anchored, "ditto without a proximal stage in its chain trains alone");

 public:
  using outcome = typename local_training<Model, LossType, Chain, T, Arch>::outcome;

  /// The personal weights begin as those of `start`; the rest as in `local_training`.
  ditto(const Model& model, LossType loss, Chain steps, std::size_t epochs, std::size_t batch,
        std::size_t rows, std::uint64_t seed, std::uint32_t client, parameters<T> start)
      : training_(model, std::move(loss), std::move(steps), epochs, batch, rows, seed, client),
        personal_(std::move(start)) {}

  /// Throws N003 for weights or rows of another shape.
  outcome round(const parameters<T>& sent, rows_view<T> rows, std::span<const std::int32_t> labels,
                std::uint64_t round) {
    return training_.run_towards(sent.trained(), personal_, rows, labels, round);
  }

  const parameters<T>& personal() const noexcept { return personal_; }

 private:
  local_training<Model, LossType, Chain, T, Arch> training_;
  parameters<T> personal_;
};

} // namespace privet
