#pragma once
// What each file of kernels contains. The unnamed namespace keeps it inside that file, and privet/simd/
// names its functions after the instructions they are compiled for, so no two files share a function.

#include "kernel.hpp"

#include <privet/simd/gemm.hpp>
#include <privet/simd/softmax.hpp>

namespace {

void affine(std::size_t rows, std::size_t outputs, std::size_t inputs, const float* x, const float* w,
            const float* bias, float* y) {
  privet::simd::affine(rows, outputs, inputs, x, w, bias, y);
}

void softmax_cross_entropy(std::size_t rows, std::size_t classes, const float* z, const std::int32_t* labels,
                           float* losses, float* deltas) {
  privet::simd::softmax_cross_entropy(rows, classes, z, labels, 0.0f, losses, deltas);
}

} // namespace
