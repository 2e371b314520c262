// Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma. Apart from that, and from the name, all
// such files are the same.

#include "kernel_here.hpp"

constinit const kernels kernels_avx512 = {"avx512", affine, softmax_cross_entropy};
