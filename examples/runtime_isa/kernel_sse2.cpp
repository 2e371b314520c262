// Compiled for any x86-64. Apart from that, and from the name, all such files are the same.

#include "kernel_here.hpp"

constinit const kernels kernels_sse2 = {"sse2", affine, softmax_cross_entropy};
