#pragma once
// The border between code that runs anywhere and code for one instruction set: plain types, and no
// header of privet or of a vector library. What is compiled with other flags is called through here only.

#include <cstddef>
#include <cstdint>

struct kernels {
  const char* instructions;

  /// y = x w + bias.   x (rows, inputs), w (inputs, outputs), bias (outputs), y (rows, outputs)
  void (*affine)(std::size_t rows, std::size_t outputs, std::size_t inputs, const float* x, const float* w,
                 const float* bias, float* y);
  /// Losses (rows) and their gradients (rows, classes) of logits z (rows, classes).
  void (*softmax_cross_entropy)(std::size_t rows, std::size_t classes, const float* z,
                                const std::int32_t* labels, float* losses, float* deltas);
};

// One per file and set of flags. Constants: nothing of those files runs before main() has chosen.
extern const kernels kernels_avx512, kernels_avx2, kernels_sse2;
