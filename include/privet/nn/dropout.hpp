#pragma once

#include <privet/core/error.hpp>
#include <privet/nn/layer.hpp>
#include <privet/simd/philox.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace privet {

/// Sets each value to zero with probability `rate` while training and scales the others by
/// 1 / (1 - rate); the identity in inference.
///
/// Coins     Philox4x32-10 keyed by the run's seed, at (step, example, layer): the same example
///           meets the same coins however the batch is cut, and nothing is stored for backward.
/// Requires  0 <= rate < 1
struct dropout : elementwise {
  double rate = 0.5;

  constexpr dropout() = default;
  explicit dropout(double probability) : rate(probability) {
    require(rate >= 0 && rate < 1, fault::argument, "dropout: rate ", rate, ", expected 0 <= rate < 1");
  }

  template <class Arch, class T>
  void forward(std::span<const T>, std::size_t rows, std::size_t in, std::size_t, const T* x, T* y,
               layer_context context) const {
    apply(rows, in, x, y, context);
  }
  template <class Arch, class T>
  void backward(std::span<const T>, const layer_rows<T>& call, const T* dy, T* dx,
                layer_context context) const {
    apply(call.rows, call.in, dy, dx, context);
  }

 private:
  template <class T>
  void apply(std::size_t rows, std::size_t width, const T* x, T* y, layer_context context) const {
    if (context.mode == mode::inference) {
      std::copy(x, x + rows * width, y);
      return;
    }
    const auto threshold = static_cast<std::uint32_t>(std::ldexp(rate, 32));
    const T kept = static_cast<T>(1 / (1 - rate));
    const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(context.seed),
                                              static_cast<std::uint32_t>(context.seed >> 32)};
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < width; j += 4) {
        // The top bit of the last word keeps these counters apart from the streams of the library's purposes.
        const auto coins = simd::philox_block(
            {static_cast<std::uint32_t>(j / 4), static_cast<std::uint32_t>(context.first_example + i),
             static_cast<std::uint32_t>(context.step),
             0x80000000u | context.layer << 16 | (static_cast<std::uint32_t>(context.step >> 32) & 0xffffu)},
            key);
        for (std::size_t k = j; k < std::min(j + 4, width); ++k)
          y[i * width + k] = coins[k - j] < threshold ? T{} : x[i * width + k] * kept;
      }
  }
};

} // namespace privet
