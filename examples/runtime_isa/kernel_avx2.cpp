// Compiled with -mavx2 -mfma. Apart from that, and from the name, all such files are the same.

#include "kernel_here.hpp"

constinit const kernels kernels_avx2 = {"avx2", affine, softmax_cross_entropy};
