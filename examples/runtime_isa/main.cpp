// One program for every x86-64 processor: the kernels are compiled three times, and the best that the
// processor can run are chosen when it starts. docs/simd/runtime-isa.md

#include "kernel.hpp"

#include <cstdio>
#include <vector>

namespace {

/// Asks for exactly what the flags of each file allow (CMakeLists.txt beside this file).
const kernels& best_kernels() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("fma"))
    return kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kernels_avx2;
  return kernels_sse2;
}

} // namespace

int main() {
  const kernels& run = best_kernels();
  std::fprintf(stderr, "this processor runs %s\n", run.instructions);

  // Two rows of three numbers, through one layer, to the losses of two classes.
  const std::vector<float> x = {1, 2, 3, 4, 5, 6}, w = {1, 0, 0, 1, -1, 0}, bias = {2, -1};
  const std::vector<std::int32_t> labels = {0, 1};
  std::vector<float> y(4), losses(2), deltas(4);
  run.affine(2, 2, 3, x.data(), w.data(), bias.data(), y.data());
  run.softmax_cross_entropy(2, 2, y.data(), labels.data(), losses.data(), deltas.data());

  for (std::size_t r = 0; r < 2; ++r)
    std::printf("logits %g %g   loss %.4f   gradient %.4f %.4f\n", y[2 * r], y[2 * r + 1], losses[r],
                deltas[2 * r], deltas[2 * r + 1]);
}
